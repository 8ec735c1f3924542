"""Choosing among the steps and kernels that are left: by what they make of noise, where every weight shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.asking import Asker, ProbeError
from dataguard.preprocessing.probe.geometry import Steps
from dataguard.preprocessing.probe.kernels import ONE_LEVEL, Fit, Sample, executed, fits, is_integer, with_kernels
from dataguard.preprocessing.probe.measuring import Measured, takes_nearest
from dataguard.preprocessing.probe.placement import predict
from dataguard.preprocessing.probe.response import Response
from dataguard.preprocessing.probe.stages import two_stages
from dataguard.preprocessing.steps import Resize, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RECONSIDERED = 60
_GEOMETRIES = 12
"""Sequences of steps that are tried with every kernel; the simplest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Steps with their kernels, the closest first."""

    found: tuple[Fit, ...]
    samples: tuple[Sample, ...]
    """The pictures that they were chosen by."""

    @property
    def best(self) -> Fit:
        """The closest."""
        return self.found[0]

    @property
    def tied(self) -> list[Fit]:
        """The best, and what explains the answers as well."""
        limit = max(ONE_LEVEL, self.best.largest)
        return [fit for fit in self.found if fit.mean <= self.best.mean + 1e-6 and fit.largest <= limit]

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The other kernels that explain the answers as well, in words."""
        words = dict.fromkeys(kernel_words(fit.steps) for fit in self.tied)
        return tuple(word for word in words if word != kernel_words(self.best.steps))

    def reconsidered(self, sample: Sample) -> Choice:
        """The choice by one picture more."""
        samples = (*self.samples, sample)
        found = fits([fit.steps for fit in self.found[:_RECONSIDERED]], samples)
        return replace(self, found=tuple(found), samples=samples) if found else self


def ask_noise(asker: Asker, response: Response, height: int, width: int, seed: int) -> Sample:
    """What becomes of gray noise: gray, so that it does not matter how gray is made of colours."""
    plane = stimuli.noise(height, width, seed)[:, :, :1]
    answer = asker.ask(np.repeat(plane, 3, axis=2))
    channels = max(1, min(3, response.channels))
    return Sample(pixels=np.repeat(plane, channels, axis=2), levels=response.pixels(answer))


def choose(
    asker: Asker, response: Response, candidates: Sequence[Steps], measured: Sequence[Measured], seed: int
) -> Choice:
    """The steps and kernels that give what came out of noise.

    Raises:
        ProbeError: none gives pictures of the right size.
    """
    first = candidates[0]
    sizes = _telling_sizes(first, measured)
    samples = [ask_noise(asker, response, *size, seed + index) for index, size in enumerate(sizes)]
    integers = is_integer(samples, 0.3 if response.dtype == "float16" else 0.05)
    found: list[Fit] = []
    nearest = measured[0].nearest and takes_nearest(asker, response, *sizes[0], measured[0].fill or ())
    # Enlarged, pictures are small: what does not fit there is left out before the large ones are looked at.
    if nearest:
        kinds = with_kernels(first, samples, integers=integers, nearest=True)
        kernels = [step for fit in kinds[:1] for step in fit.steps if isinstance(step, Resize)]
        found = fits([_like(steps, kernels[-1]) for steps in candidates], samples) if kernels else kinds
        candidates = [fit.steps for fit in found[:3]] or list(candidates)
    for steps in candidates[:_GEOMETRIES]:
        tried = with_kernels(steps, samples, integers=integers, nearest=nearest)
        found = sorted([*found, *tried], key=lambda fit: fit.mean)
        if found and found[0].largest <= ONE_LEVEL:
            break
    if not found:
        raise ProbeError("the steps found give pictures of another size")
    if found[0].largest > ONE_LEVEL:
        pairs = two_stages(asker, response, candidates, integers=integers, seed=seed)
        found = sorted([*found, *fits(pairs, samples)], key=lambda fit: fit.mean)
    choice = Choice(found=tuple(found), samples=tuple(samples))
    return _untied(asker, response, choice, seed)


def _like(steps: Steps, kernel: Resize) -> Steps:
    """Steps whose last resize has a given kernel."""
    places = [index for index, step in enumerate(steps) if isinstance(step, Resize)]
    if not places:
        return steps
    at, step = places[-1], steps[places[-1]]
    if not isinstance(step, Resize):
        return steps
    made = replace(
        step,
        engine=kernel.engine,
        kernel=kernel.kernel,
        antialias=kernel.antialias,
        arithmetic=kernel.arithmetic,
        cubic=kernel.cubic,
        align=kernel.align,
    )
    return (*steps[:at], made, *steps[at + 1 :])


def _untied(asker: Asker, response: Response, choice: Choice, seed: int) -> Choice:
    """The same, after asking about pictures of sizes at which those that are equal so far come apart."""
    rng = np.random.default_rng(seed)
    height, width = choice.samples[0].pixels.shape[:2]
    for _ in range(3):
        tied = choice.tied[:8]
        if len(tied) < 2:
            break
        for _ in range(40 if _jumps(tied[0].steps) else 6):
            high, wide = (max(16, int(side * rng.uniform(0.3, 1.1))) for side in (height, width))
            plane = stimuli.noise(high, wide, seed)[:, :, :1]
            if _differ([executed(fit.steps, plane) for fit in tied]):
                break
        else:
            break
        choice = choice.reconsidered(ask_noise(asker, response, high, wide, seed))
    return choice


def _differ(results: Sequence[NDArray[np.generic] | None]) -> bool:
    first = results[0]
    return first is not None and any(one is None or not np.array_equal(one, first) for one in results[1:])


def _jumps(steps: Sequence[Step]) -> bool:
    """Whether pixels are taken as they are, so that lengths that differ by one seldom show."""
    return any(isinstance(step, Resize) and (step.kernel or "").startswith("nearest") for step in steps)


def _telling_sizes(steps: Sequence[Step], measured: Sequence[Measured]) -> list[tuple[int, int]]:
    """Sizes at which kernels tell themselves apart: one that is shrunk by about two, and one that is enlarged."""
    placement = measured[0].placement
    if not any(isinstance(step, Resize) for step in steps):
        return [(placement.height, placement.width)]
    shrink = max(abs(placement.rows.scale), abs(placement.columns.scale))
    sizes = []
    for wanted in (2.15, 0.71):
        high = max(24, round(placement.height * wanted / shrink))
        wide = max(24, round(placement.width * wanted / shrink))
        try:
            predict(steps, high, wide)
        except (ValueError, ZeroDivisionError):
            continue
        if max(high, wide) <= 2400:
            sizes.append((high, wide))
    return sizes or [(placement.height, placement.width)]


def kernel_words(steps: Sequence[Step]) -> str:
    """The kernels of all resizes, as 'pillow linear (scaled) then opencv area'."""
    return " then ".join(
        f"{step.engine} {step.kernel}" + ("" if step.antialias == "none" else f" ({step.antialias})")
        for step in steps
        if isinstance(step, Resize)
    )

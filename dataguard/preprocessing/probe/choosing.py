"""Choosing among the steps and kernels that are left: by what they make of noise, where every weight shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.asking import Asker
from dataguard.preprocessing.probe.geometry import OTHERS, Steps, distinct
from dataguard.preprocessing.probe.kernels import (
    ONE_LEVEL,
    Fit,
    Sample,
    each_kernel,
    executed,
    fits,
    is_integer,
    rank,
    rounded_otherwise,
    with_kernels,
)
from dataguard.preprocessing.probe.measuring import Measured, PlaceError
from dataguard.preprocessing.probe.placement import predict
from dataguard.preprocessing.probe.response import Response
from dataguard.preprocessing.probe.stages import two_stages
from dataguard.preprocessing.probe.strips import Line, apart, ask_lines
from dataguard.preprocessing.steps import Resize, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RECONSIDERED = 60
_GEOMETRIES = 12
"""Sequences of steps that are tried with every kernel; the simplest first."""
_SPOTS = 0.05
"""Share of pixels of noise that something drawn over may cover. Another kernel changes more than nine of ten."""
_FAR = 3.0
"""Levels on average that no rounding explains."""


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
    asker: Asker,
    response: Response,
    candidates: Sequence[Steps],
    measured: Sequence[Measured],
    seed: int,
    *,
    twice: bool = False,
) -> Choice:
    """The steps and kernels that give what came out of noise.

    Args:
        asker: Of the function.
        response: What it makes of levels.
        candidates: Steps that explain where pixels come from.
        measured: That, for some sizes.
        seed: Of the noise.
        twice: Whether two resizes are looked for even where one explains the noise.

    Raises:
        PlaceError: none gives pictures of the right size.
    """
    sizes = _telling_sizes(candidates[0] if candidates else None, measured)
    samples = [ask_noise(asker, response, *size, seed + index) for index, size in enumerate(sizes)]
    if twice:
        # Of the sizes that are measured too: where both resizes shrink, one may do for both.
        samples += [
            ask_noise(asker, response, one.placement.height, one.placement.width + 7, seed) for one in measured[:3]
        ]
    fill = next((one.fill for one in measured if one.fill is not None), ())
    integers = is_integer(samples, 0.3 if response.dtype == "float16" else 0.05, fill)
    found: list[Fit] = []
    if measured[0].placement.transposed:
        for steps in candidates[:_GEOMETRIES]:
            found += with_kernels(steps, samples, integers=integers, nearest=measured[0].nearest)
        found.sort(key=rank)
    elif measured[0].indices is not None and candidates:
        # Their kernels are known by the pixels that were taken.
        found = fits(candidates[:_RECONSIDERED], samples)
    else:
        lines = ask_lines(asker, response, [measured[0], *measured[2:3]], seed)
        asked = [(one.placement.height, one.placement.width) for one in measured]
        kinds = distinct(candidates, [*asked, *sizes, *OTHERS])
        found = fits(_ranked(kinds, lines, integers=integers), samples)
        if not found or ((found[0].largest > ONE_LEVEL or twice) and not _but_for_spots(found[0].steps, samples)):
            pairs = two_stages(measured, lines, integers=integers)
            likely = fits(pairs[:_GEOMETRIES], samples)
            if not likely or likely[0].largest > ONE_LEVEL:
                likely += fits(pairs[_GEOMETRIES:], samples)
            found = sorted([*found, *likely], key=rank)
            if found and found[0].largest <= ONE_LEVEL:
                # Which of two resizes rounds how does not show on lines.
                close = [fit for fit in found[:_GEOMETRIES] if fit.largest <= ONE_LEVEL]
                found = sorted([*found, *fits(rounded_otherwise(close), samples)], key=rank)
    if not found:
        raise PlaceError(
            "no sequence of steps explains where the pixels come from",
            hint="the function may draw over the picture, warp it, or cut it in a way that the probe has no step for",
        )
    choice = Choice(found=tuple(found), samples=tuple(samples))
    return _untied(asker, response, choice, seed)


def _but_for_spots(steps: Steps, samples: Sequence[Sample]) -> bool:
    """Whether steps give nearly all of each picture to within a level: what is left is drawn over, and no kernel's."""
    for sample in samples:
        made = executed(steps, sample.pixels)
        if made is None or made.shape != sample.levels.shape:
            return False
        if np.mean(np.abs(made - sample.levels) > ONE_LEVEL) > _SPOTS:
            return False
    return True


def _ranked(candidates: Sequence[Steps], lines: Sequence[Line], *, integers: bool) -> list[Steps]:
    """Steps with every kernel that come close on lines, the closest first."""
    made: list[tuple[float, Steps]] = []
    least = math.inf
    for steps in candidates[:_RECONSIDERED]:
        for one in each_kernel(steps, integers=integers, nearest=False):
            off = apart(one, lines, 2 * least + 0.5)
            if off is not None:
                least = min(least, off)
                made.append((off, one))
        if least < 0.02 and len(made) > _GEOMETRIES * 4:
            break
    ranked = sorted(made, key=lambda pair: pair[0])
    # Those that are far off are looked at only so far that there is something to say.
    few = 4 if least > _FAR else 24
    return [steps for off, steps in ranked if off <= 1.5 * least + 0.4][:few]


def _untied(asker: Asker, response: Response, choice: Choice, seed: int) -> Choice:
    """The same, after asking about pictures of sizes at which those that are equal so far come apart."""
    rng = np.random.default_rng(seed)
    height, width = choice.samples[0].pixels.shape[:2]
    for _ in range(6):
        tied = choice.tied[:16]
        if len(tied) < 2:
            break
        for _ in range(40 if _jumps(tied[0].steps) else 6):
            high, wide = (max(16, int(side * rng.uniform(0.3, 1.1))) for side in (height, width))
            plane = stimuli.noise(high, wide, seed)[:, :, :1]
            plane = np.repeat(plane, choice.samples[0].pixels.shape[2], axis=2)
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


def _telling_sizes(steps: Sequence[Step] | None, measured: Sequence[Measured]) -> list[tuple[int, int]]:
    """Sizes at which kernels tell themselves apart: one that is shrunk by about two, and one that is enlarged."""
    placement = measured[0].placement
    if steps is not None and not any(isinstance(step, Resize) for step in steps):
        return [(placement.height, placement.width)]
    shrink = max(abs(placement.rows.scale), abs(placement.columns.scale))
    sizes = []
    for wanted in (2.15, 0.71):
        # Odd, since at even sizes a half is the same for several kernels.
        high = max(24, round(placement.height * wanted / shrink)) | 1
        wide = max(24, round(placement.width * wanted / shrink)) | 1
        try:
            predict(steps or (), high, wide)
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

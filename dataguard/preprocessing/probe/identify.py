"""The path of a running function in canonical form, found by asking it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.preprocessing.pipeline import Affine, Decode, Order, Pipeline
from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.asking import Asker, ProbeError, Takes, encoded, open_asker
from dataguard.preprocessing.probe.choosing import ask_noise, choose
from dataguard.preprocessing.probe.geometry import Steps, distinguishing_size, explanations, tie_sizes
from dataguard.preprocessing.probe.kernels import ONE_LEVEL
from dataguard.preprocessing.probe.measuring import Measured, measure, takes_nearest
from dataguard.preprocessing.probe.response import Response, find_response, spatial
from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.preprocessing.steps import Step

if TYPE_CHECKING:
    pass

EXACT = 0.02
"""Levels that rounding in the model's dtype may leave; within it a result is called exact."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identified:
    """What was found out about a function."""

    pipeline: Pipeline
    largest: float
    """Largest difference in levels between function and pipeline, on pictures that were not used to find it."""
    mean: float
    alternatives: tuple[str, ...]
    """Other kernels that explain the answers equally."""
    notes: tuple[str, ...]
    calls: int
    seconds: float

    @property
    def fidelity(self) -> str:
        """How closely the pipeline gives what the function does, in words."""
        if self.largest <= EXACT:
            return "exact"
        if self.largest <= ONE_LEVEL:
            return "within 1 level"
        return f"up to {self.largest:.1f} levels off, {self.mean:.2f} on average"


def identify(function: Callable[[Any], object], *, takes: Takes | None = None, seed: int = 0) -> Identified:
    """Find out what a function does to a picture.

    Args:
        function: Called with one picture; what it returns is what a model is fed.
        takes: What it is given; by default each way is tried.
        seed: Of the pictures whose pixels are random.

    Raises:
        ProbeError: it cannot be asked, or its answers do not let themselves be explained at all.
    """
    started = time.perf_counter()
    asker = open_asker(function, takes)
    try:
        return _identify(asker, seed, started)
    finally:
        asker.close()


def _identify(asker: Asker, seed: int, started: float) -> Identified:
    notes: list[str] = []
    trial = stimuli.photograph(120, 150, seed)
    once, again = asker.ask(trial), asker.ask(trial)
    if once.shape != again.shape or not np.array_equal(once, again, equal_nan=once.dtype.kind == "f"):
        raise ProbeError(
            "the same picture gives different answers",
            hint="a random step is left on; switch augmentation off, or seed it",
        )
    response = find_response(asker)
    side = max(spatial(once, response.layout).shape[:2])
    measured, candidates = _geometry(asker, response, side, seed)
    if not candidates:
        raise ProbeError("no sequence of steps explains where the pixels come from")
    chosen = choose(asker, response, candidates, measured, seed)
    for attempt in range(3):
        pipeline = _pipeline(asker, response, chosen.best.steps)
        largest, mean = _verified(asker, response, pipeline, measured, seed + 5 * attempt)
        if largest <= ONE_LEVEL or len(chosen.found) < 2 or chosen.best.largest > ONE_LEVEL:
            break
        # Right on the pictures that it was chosen by and wrong on others: these decide among the rest.
        height, width = measured[0].placement.height, measured[0].placement.width + 7
        chosen = chosen.reconsidered(ask_noise(asker, response, height, width, seed + attempt))
    if asker.mutated:
        notes.append("it changes the array that it is given")
    if largest > ONE_LEVEL:
        notes.append("the steps found do not reproduce its answers")
    return Identified(
        pipeline=pipeline,
        largest=largest,
        mean=mean,
        alternatives=chosen.alternatives,
        notes=tuple(notes),
        calls=asker.calls,
        seconds=time.perf_counter() - started,
    )


def _geometry(asker: Asker, response: Response, side: int, seed: int) -> tuple[list[Measured], list[Steps]]:
    base = min(max(1.05 * side, 200.0), 700.0)
    sizes = [(1.0, 1.37), (1.83, 0.85), (0.53, 0.47)]
    measured = [measure(asker, response, round(base * high), round(base * wide)) for high, wide in sizes]
    fill = next((one.fill for one in measured if one.fill is not None), ())
    nearest = takes_nearest(asker, response, round(base), round(base * 1.37), fill)
    measured = [replace(one, nearest=nearest) for one in measured]
    candidates = explanations(measured)
    if not candidates:
        # Of two resizes the first may have taken pixels as they are, which shifts the picture.
        measured = [replace(one, nearest=True) for one in measured]
        candidates = explanations(measured)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        if len(candidates) < 2:
            break
        further = rng.integers(round(0.5 * base), round(1.6 * base), (60, 2)).tolist()
        size = distinguishing_size(
            candidates[:40], [*((one, two) for one, two in further), *tie_sizes(candidates, rng)]
        )
        if size is None:
            break
        measured.append(measure(asker, response, *size, nearest=measured[0].nearest))
        candidates = explanations(measured)
    return measured, candidates


def _pipeline(asker: Asker, response: Response, steps: Sequence[Step]) -> Pipeline:
    probe = {"": Provenance(origin=Origin.PROBE)}
    gray_order: Order = "GRAY" if response.gray else "RGB"
    takes_file = asker.takes in ("path", "bytes")
    decode = Decode.of("pillow", "convert L" if response.gray else "convert RGB") if takes_file else Decode.of("array")
    decode = replace(decode, provenance=probe, order=gray_order)
    order = response.order if not response.gray or response.channels > 1 else "GRAY"
    return Pipeline(
        decode=decode,
        order=order,
        geometry=tuple(replace(step, provenance=probe) for step in steps),
        affine=replace(_snapped(response), provenance=probe),
        layout=response.layout,
        dtype=response.dtype,
        provenance=probe,
    )


def _snapped(response: Response) -> Affine:
    """The affine map with scale and offset set to exactly what they must have been, where that is plain."""
    affine = response.affine
    if response.dtype in ("uint8", "int8"):
        offset = tuple(float(round(value)) for value in affine.offset or ())
        scale = tuple(1.0 if abs(value - 1) < 2e-3 else value for value in affine.scale or ())
        return replace(affine, scale=scale, offset=offset)
    return affine


def _verified(
    asker: Asker, response: Response, pipeline: Pipeline, measured: list[Measured], seed: int
) -> tuple[float, float]:
    largest = 0.0
    means: list[float] = []
    for index, one in enumerate(measured[:2]):
        height, width = one.placement.height + 13 * index, one.placement.width + 7
        pixels = stimuli.photograph(height, width, seed + 10 + index)
        answer = spatial(asker.ask(pixels), response.layout)
        given: Any = encoded(pixels) if asker.takes in ("path", "bytes") else pixels
        made = spatial(pipeline.run(given), response.layout)
        if made.shape != answer.shape:
            return float("inf"), float("inf")
        scale = np.array([pipeline.affine.channel(channel)[0] for channel in range(answer.shape[2])])
        apart = np.abs((made - answer) / scale)
        largest, means = max(largest, float(apart.max())), [*means, float(apart.mean())]
    return largest, float(np.mean(means))

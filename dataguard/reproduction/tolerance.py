"""How much a result may move without meaning anything: the run's own noise, measured when it is locked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.reproduction.runner import Stages

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACTOR = 8.0
"""Float noise is at most this many e0. Batch sizes, threads, instruction sets and versions of torch from 1.12 to 2.13
moved the logits of a small network by 0.7 to 3.2 e0; the least harmful change of a decoder by 18,000."""
MOST_UNITS = 1000.0
"""The rounding of a sum of n terms grows as √n units (Higham and Mary, 2019): this is that of a million. What varies by
more than that, where no double-precision run says how much rounding there is, is not rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tolerance:
    """How far one stage may be from its golden values."""

    value: float
    """The largest absolute difference that is float noise: 8·e0; 0 for integers."""
    e0: float
    """The stage's own rounding error, in its own units."""
    basis: str
    """What e0 rests on: 'exact' (integers), 'float64' (max |y_f32 − y_f64|), 'variation' (the largest difference
    between repeats, batch sizes and numbers of threads, at most `MOST_UNITS`) or 'rounding' (half a unit in the last
    place of max |y|)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variation:
    """What one change that should mean nothing did to the result."""

    kind: str
    """'repeat', 'batch size', 'threads' or 'seed'."""
    setting: str
    """As '32 → 1'."""
    largest: Mapping[str, float]
    """The largest absolute difference by stage; {} where the run failed."""
    samples: int
    """How many samples are not bitwise equal at the output."""
    error: str = ""
    """Why it could not be run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """The noise floor of a run."""

    variations: tuple[Variation, ...]
    double: Mapping[str, float]
    """max |y − y_f64| by stage; {} where there was no double-precision run."""
    double_error: str = ""
    """Why there was none."""

    def of(self, kind: str) -> tuple[Variation, ...]:
        """The variations of a kind that could be run."""
        return tuple(item for item in self.variations if item.kind == kind and not item.error)


def largest_difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The largest |a − b|, in float64; infinite where shapes differ, or one is not finite and the other not the same.

    >>> largest_difference(np.array([1.0, np.nan]), np.array([1.5, np.nan]))
    0.5
    """
    if one.shape != other.shape:
        return math.inf
    if one.size == 0:
        return 0.0
    kind = complex if "c" in (one.dtype.kind, other.dtype.kind) else float
    left, right = one.astype(kind), other.astype(kind)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    if same.all():
        return 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(left[~same] - right[~same])
    return float("inf") if not np.isfinite(apart).all() else float(apart.max())


def stage_difference(one: Sequence[NDArray[Any]], other: Sequence[NDArray[Any]]) -> float:
    """The largest difference over samples."""
    return max((largest_difference(left, right) for left, right in zip(one, other, strict=True)), default=0.0)


def largest_value(samples: Iterable[NDArray[Any]]) -> float:
    """The largest |y| of what is finite."""
    found = 0.0
    for sample in samples:
        values = np.abs(sample[np.isfinite(sample)]) if sample.dtype.kind in "fc" else np.abs(sample.astype(float))
        found = max(found, float(values.max(initial=0.0)))
    return found


def rounding(samples: Sequence[NDArray[Any]]) -> float:
    """The unit of a stage's floats: eps·max |y|; 0 for integers. A difference in these units is the *scaled ULP*."""
    kinds = {sample.dtype for sample in samples}
    if any(kind.kind not in "fc" for kind in kinds) or not kinds:
        return 0.0
    return max(float(np.finfo(kind).eps) for kind in kinds) * largest_value(samples)


def tolerance(name: str, samples: Sequence[NDArray[Any]], noise: Noise) -> Tolerance:
    """The tolerance of a stage.

    e0 is max |y − y_f64| where there was a double-precision run, else the largest harmless variation, and never less
    than half a unit in the last place of the largest value: no result in that precision can be held nearer. Where the
    result depends on the seed, a double-precision run draws other numbers and says nothing about rounding.
    """
    unit = rounding(samples) / 2
    if unit == 0.0 and not any(sample.dtype.kind in "fc" for sample in samples):
        return Tolerance(value=0.0, e0=0.0, basis="exact")
    random = any(item.largest.get(name, 0.0) > 0 for item in noise.of("seed"))
    harmless = [item.largest.get(name, 0.0) for item in noise.variations if item.kind != "seed"]
    moved = min(max(harmless, default=0.0), MOST_UNITS * unit)
    double = 0.0 if random else noise.double.get(name, 0.0)
    if double > unit and math.isfinite(double):
        e0, basis = double, "float64"
    elif (random or not noise.double) and moved > unit:
        e0, basis = moved, "variation"
    else:
        e0, basis = unit, "rounding"
    return Tolerance(value=FACTOR * e0, e0=e0, basis=basis)


def variation(kind: str, setting: str, golden: Stages, other: Stages, *, output: str) -> Variation:
    """How far one run is from another."""
    return Variation(
        kind=kind,
        setting=setting,
        largest={
            name: stage_difference(samples, other[name]) if name in other else math.inf
            for name, samples in golden.items()
        },
        samples=sum(
            not _bitwise(one, two) for one, two in zip(golden[output], other.get(output, golden[output]), strict=True)
        ),
    )


def _bitwise(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()

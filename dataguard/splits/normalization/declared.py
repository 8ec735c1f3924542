"""Declared statistics held against those of the data: whose they are, and what was mixed up where they are off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from dataguard.core.split_roles import split_order
from dataguard.splits.normalization.accumulate import SplitState
from dataguard.splits.normalization.candidates import pooled
from dataguard.splits.normalization.sums import UnitSums

if TYPE_CHECKING:
    from numpy.typing import NDArray

Slip: TypeAlias = Literal["range", "order", "variance", "swapped"]

KNOWN: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "ImageNet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "ImageNet, as Caffe has it (BGR, 0 to 255)": ((103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
    "CIFAR-10": ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
    "CIFAR-10, with the mean of the pictures' own deviations": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.201)),
    "CIFAR-100": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    "MNIST": ((0.1307,), (0.3081,)),
    "Fashion-MNIST": ((0.286,), (0.353,)),
    "SVHN": ((0.4377, 0.4438, 0.4728), (0.198, 0.201, 0.197)),
    "CLIP": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "one half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "one half for one channel": ((0.5,), (0.5,)),
}
"""Means and standard deviations that are passed on from code to code."""
KNOWN_WITHIN = 0.0006
"""How far a declared number may be from a known one: half a unit of its third digit."""
FACTORS = (255.0, 1 / 255.0, 65535.0, 1 / 65535.0, 127.5, 1 / 127.5, 100.0, 0.01)
"""By how much a range may be mistaken."""
SLIP_WITHIN = 0.1
"""Largest error, in standard deviations, at which a slip explains the numbers."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Declared:
    """Statistics that the user names: raw values are first divided by ``scale``."""

    mean: NDArray[np.float64]
    """Shape (columns,)."""
    std: NDArray[np.float64]
    scale: float = 1.0
    digits: float = 0.0
    """Half a unit of the last digit of the most coarsely written number; 0 where they are exact."""

    @classmethod
    def of(
        cls, mean: Sequence[float] | float, std: Sequence[float] | float, width: int, *, scale: float = 1.0
    ) -> Declared:
        """Declared statistics of ``width`` columns.

        Raises:
            ValueError: their number is neither one nor ``width``, or a standard deviation or the scale is not above 0.
        """
        arrays = []
        for name, values in (("mean", mean), ("std", std)):
            array = np.atleast_1d(np.asarray(values, dtype=np.float64))
            if array.ndim != 1 or len(array) not in (1, width):
                raise ValueError(f"{name} has {array.size} numbers, and there are {width} columns or channels")
            arrays.append(np.broadcast_to(array, (width,)).copy())
        if not np.isfinite(arrays).all() or not (arrays[1] > 0).all() or not scale > 0:
            raise ValueError("expected finite means, and standard deviations and a scale above 0")
        return cls(mean=arrays[0], std=arrays[1], scale=scale, digits=max(map(half_unit, np.concatenate(arrays))))

    @property
    def known_as(self) -> str | None:
        """What these numbers are known as: 'ImageNet', …; None for nothing."""
        for name, (mean, std) in KNOWN.items():
            if len(mean) != len(self.mean):
                continue
            for factor in (1.0, 255.0):
                near = KNOWN_WITHIN * factor
                if (np.abs(self.mean - np.multiply(mean, factor)) <= near).all() and (
                    np.abs(self.std - np.multiply(std, factor)) <= near
                ).all():
                    return name if factor == 1.0 else f"{name}, times 255"
        return None


def half_unit(value: float) -> float:
    """Half a unit of the last digit that a number is written with; 0 beyond nine digits.

    >>> half_unit(0.4914), half_unit(0.5), half_unit(123.0)
    (5e-05, 0.05, 0.5)
    """
    text = np.format_float_positional(value, trim="-")
    digits = len(text.partition(".")[2])
    return 0.0 if len(text.strip("-0.").replace(".", "")) > 9 else float(f"5e-{digits + 1}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Comparison:
    """Declared statistics beside those of the training data."""

    declared: Declared
    mean: NDArray[np.float64]
    """Of training, after the division by the scale; shape (columns,)."""
    std: NDArray[np.float64]
    n: int
    """Samples."""
    mean_error: NDArray[np.float64]
    """(declared − true mean) over the standard deviation."""
    std_error: NDArray[np.float64]
    """Declared over true standard deviation, less 1."""
    mean_sampling: NDArray[np.float64]
    """Standard error of the mean, over the standard deviation: what another sample of this size would differ by."""
    std_sampling: NDArray[np.float64]
    slips: tuple[Slip, ...]
    """What turns the declared numbers into the true ones; () for nothing that was tried."""
    factor: float
    """By which the declared numbers are to be multiplied, where 'range' is among the slips."""
    low: float
    """Least value of training after the division; `high` the largest."""
    high: float

    @property
    def worst(self) -> float:
        """The largest error of a mean (in standard deviations) or of a standard deviation (relative)."""
        return float(max(np.abs(self.mean_error).max(), np.abs(self.std_error).max()))

    @property
    def beyond_sampling(self) -> float:
        """The largest error over its standard error."""
        with np.errstate(divide="ignore", invalid="ignore"):
            means = (np.abs(self.mean_error) - self.declared.digits / self.std) / self.mean_sampling
            stds = (np.abs(self.std_error) - self.declared.digits / self.std) / self.std_sampling
        return float(max(np.nanmax(means, initial=0.0), np.nanmax(stds, initial=0.0)))


def compare(declared: Declared, states: Mapping[str, SplitState], training: Sequence[str]) -> Comparison:
    """Hold declared statistics against those of the training splits.

    Args:
        declared: The statistics.
        states: Of each split, of raw values.
        training: Names of the splits that are trained on.

    Raises:
        ValueError: no training split has a sample.
    """
    total: UnitSums | None = None
    for name in training:
        units = states[name].units
        if units is not None:
            total = units if total is None else total.merge(units)
    if total is None:
        raise ValueError("no training split has a sample")
    n = np.maximum(total.n, 1)
    mean, std = total.mean / declared.scale, np.sqrt(total.variance) / declared.scale
    safe = np.where(std > 0, std, 1.0)
    sampling = total.spread / declared.scale / safe / np.sqrt(n)
    of_std = 0.5 * total.variance_spread / np.maximum(total.variance, 1e-300) / np.sqrt(n)
    slips, factor = _slips(declared, mean, safe)
    return Comparison(
        declared=declared,
        mean=mean,
        std=std,
        n=int(n.max()),
        mean_error=(declared.mean - mean) / safe,
        std_error=np.where(std > 0, declared.std / safe - 1, 0.0),
        mean_sampling=sampling,
        std_sampling=of_std,
        slips=slips,
        factor=factor,
        low=float(total.low.min()) / declared.scale,
        high=float(total.high.max()) / declared.scale,
    )


def _error(
    mean: NDArray[np.float64], std: NDArray[np.float64], m: NDArray[np.float64], s: NDArray[np.float64]
) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = max(float(np.abs((mean - m) / s).max()), float(np.abs(np.log(std / s)).max()))
    return found if math.isfinite(found) else math.inf


def _slips(declared: Declared, m: NDArray[np.float64], s: NDArray[np.float64]) -> tuple[tuple[Slip, ...], float]:
    """The fewest slips that explain the declared numbers much better than they are as they stand."""
    plain = _error(declared.mean, declared.std, m, s)
    best: tuple[int, float, tuple[Slip, ...], float] | None = None
    for factor in (1.0, *FACTORS):
        for order in (False, True) if len(m) > 1 else (False,):
            for kind in (None, "variance", "swapped"):
                slips: list[Slip] = []
                mean, std = declared.mean, declared.std
                if kind == "swapped":
                    mean, std = std, np.abs(mean)
                    slips.append("swapped")
                if kind == "variance":
                    std = np.sqrt(std)
                    slips.append("variance")
                if order:
                    mean, std = mean[::-1], std[::-1]
                    slips.append("order")
                if factor != 1.0:
                    mean, std = mean * factor, std * factor
                    slips.append("range")
                if not slips:
                    continue
                error = _error(mean, std, m, s)
                if error <= SLIP_WITHIN and error < 0.5 * plain:
                    key = (len(slips), error, tuple(slips), factor)
                    best = key if best is None or key[:2] < best[:2] else best
    return ((), 1.0) if best is None else (best[2], best[3])


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredOrigin:
    """Which unions of splits have the declared statistics, as exactly as they are written."""

    fitting: tuple[tuple[str, ...], ...]
    decades: float
    """−log10 of the chance that an unrelated union would fit so well; of the best that fits."""


def origin_of(declared: Declared, states: Mapping[str, SplitState], training: Sequence[str]) -> DeclaredOrigin:
    """Which unions of splits give the declared numbers when rounded as they are written.

    Chance is that of a mean of a random part of the data falling into the rounding interval, channel by channel; as
    channels of pictures move together, only the channel that tells most is counted in full, and the others by half.
    """
    parts = {name: state.units for name, state in states.items() if state.units is not None and state.n}
    found, decades = [], 0.0
    for union in pooled(parts, training):
        sums = union.sums
        mean, variance = sums.mean / declared.scale, sums.variance / declared.scale**2
        values = np.maximum(sums.values, 2)
        slack = declared.digits + 1e-6 * np.sqrt(variance)
        near = np.abs(mean - declared.mean) <= slack
        stds = [np.sqrt(variance * values / (values - ddof)) for ddof in (0, 1)]
        std_near = [(np.abs(std - declared.std) <= slack).all() for std in stds]
        if not near.all() or not any(std_near):
            continue
        found.append(tuple(sorted(union.splits, key=split_order)))
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = union.gap * sums.spread / declared.scale
            each = np.sort(np.nan_to_num(-np.log10(np.minimum(1, 2 * slack / (math.sqrt(2 * math.pi) * spread)))))[::-1]
        decades = max(decades, float(each[0] + 0.5 * each[1:].sum()) if len(each) else 0.0)
    return DeclaredOrigin(fitting=tuple(found), decades=decades)

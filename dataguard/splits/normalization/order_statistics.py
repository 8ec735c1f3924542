"""Which union of splits has the extremes or the quartiles that a scaling by them leaves.

Minimum and maximum, the largest magnitude, median and quartiles are values of single samples. Those of training and of
everything are often the same ones: then both are one map, and no numbers tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from dataguard.splits.normalization.candidates import Union

if TYPE_CHECKING:
    from numpy.typing import NDArray

OrderFamily: TypeAlias = Literal["min-max", "max-abs", "robust", "median"]

KNOWN_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-0.5, 0.5))
"""Ranges that a single column may be scaled to; any other one must be shared by three."""
LEAST_FOR_ANY_RANGE = 3
QUANTILE_RANGES = ((0.25, 0.75), (0.1, 0.9), (0.05, 0.95), (0.01, 0.99), (0.2, 0.8), (0.15, 0.85))
"""Whose distance a robust scaling divides by; the first is scikit-learn's default."""
ROUNDING = 64.0
"""Times machine epsilon that a minimum, maximum or quartile may be off."""
FIXED_DIVISORS = (
    *(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 20, 31, 50),
    *(63, 100, 127, 255, 1000, 1023, 4095, 10000, 65535),
)
"""Numbers of equal steps between the ends of a range that data come in without any statistics: 8-bit pixels, shares in
per cent."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OrderFits:
    """The unions whose order statistics are where a scaling by them puts them."""

    family: OrderFamily
    range: tuple[float, float] | None
    """Of min-max: what minimum and maximum were mapped to."""
    fitting: tuple[frozenset[str], ...]
    """Those that fit every column that any of them fits."""
    columns: NDArray[np.bool_]
    """Columns that some union fits, shape (units,)."""
    each: Mapping[frozenset[str], NDArray[np.bool_]]
    """Which columns each union fits."""


def extreme_fits(unions: Sequence[Union], usable: NDArray[np.bool_], epsilon: float) -> list[OrderFits]:
    """What min-max and max-abs scaling would explain, most columns first.

    Args:
        unions: The candidates.
        usable: Columns that are not constant and not whole numbers; shape (units,).
        epsilon: Relative precision of the numbers.
    """
    found = []
    for low, high in _ranges(unions, usable, epsilon):
        tolerance = ROUNDING * epsilon * max(abs(low), abs(high), high - low)
        each = {
            union.splits: usable
            & (np.abs(union.sums.low - low) <= tolerance)
            & (np.abs(union.sums.high - high) <= tolerance)
            for union in unions
        }
        found.append(_order_fits("min-max", (low, high), each))
    each = {
        union.splits: usable
        & (np.abs(np.maximum(np.abs(union.sums.low), np.abs(union.sums.high)) - 1) <= ROUNDING * epsilon)
        for union in unions
    }
    found.append(_order_fits("max-abs", None, each))
    kept = [item for item in found if item is not None]
    return sorted(kept, key=lambda item: -int(item.columns.sum()))


def _ranges(unions: Sequence[Union], usable: NDArray[np.bool_], epsilon: float) -> list[tuple[float, float]]:
    """Ranges that the columns of some union share."""
    found: list[tuple[float, float]] = list(KNOWN_RANGES)
    for union in unions:
        low, high = union.sums.low[usable], union.sums.high[usable]
        if len(low) < LEAST_FOR_ANY_RANGE:
            continue
        middle = float(np.median(low)), float(np.median(high))
        width = middle[1] - middle[0]
        if not np.isfinite(width) or width <= 0:
            continue
        tolerance = ROUNDING * epsilon * max(abs(middle[0]), abs(middle[1]), width)
        alike = (np.abs(low - middle[0]) <= tolerance) & (np.abs(high - middle[1]) <= tolerance)
        new = not any(abs(middle[0] - a) + abs(middle[1] - b) <= 4 * tolerance for a, b in found)
        if new and alike.sum() >= max(LEAST_FOR_ANY_RANGE, 0.5 * len(low)):
            found.append(middle)
    return found


def quartile_fits(
    values: Mapping[str, NDArray[np.float64]],
    unions: Sequence[Union],
    usable: NDArray[np.bool_],
    epsilon: float,
    continuous: NDArray[np.bool_] | None = None,
) -> OrderFits | None:
    """What a robust scaling (median 0, distance of two quantiles 1) would explain, from all values.

    Args:
        values: All values of each split, shape (n, columns).
        unions: The candidates.
        usable: Columns to look at.
        epsilon: Relative precision of the numbers.
        continuous: Columns whose values hardly repeat: of others, a median of 0 says nothing.
    """
    columns = np.flatnonzero(usable)
    if not len(columns):
        return None
    robust: list[dict[frozenset[str], NDArray[np.bool_]]] = [{} for _ in QUANTILE_RANGES]
    centred: dict[frozenset[str], NDArray[np.bool_]] = {}
    levels = [0.5, *(level for pair in QUANTILE_RANGES for level in pair)]
    for union in unions:
        joined = np.concatenate([values[name][:, columns] for name in values if name in union.splits])
        joined = np.where(np.isfinite(joined), joined, np.nan)
        quantile = np.nanquantile if np.isnan(joined).any() else np.quantile
        quantiles = quantile(joined, levels, axis=0) if len(joined) else np.full((len(levels), len(columns)), np.nan)
        size = np.maximum(np.abs(quantiles).max(axis=0), 1)
        at_0 = np.abs(quantiles[0]) <= ROUNDING * epsilon * size
        centred[union.splits] = _spread_out(at_0 & (quantiles[2] > quantiles[1]), columns, len(usable))
        for index, each in enumerate(robust):
            width = quantiles[2 + 2 * index] - quantiles[1 + 2 * index]
            one = np.abs(width - 1) <= ROUNDING * epsilon * size
            each[union.splits] = _spread_out(at_0 & one, columns, len(usable))
    best = max(robust, key=lambda each: int(np.any(list(each.values()), axis=0).sum()))
    found = _order_fits("robust", None, best)
    if found is not None and int(found.columns.sum()) >= max(2, 0.5 * len(columns)):
        return found
    if continuous is not None and (usable & continuous).sum() >= LEAST_FOR_ANY_RANGE:
        each = {splits: mask & continuous for splits, mask in centred.items()}
        found = _order_fits("median", None, each)
        if found is not None and found.fitting and found.columns.sum() >= 0.8 * (usable & continuous).sum():
            return found
    return None


def _spread_out(mask: NDArray[np.bool_], columns: NDArray[np.intp], width: int) -> NDArray[np.bool_]:
    full = np.zeros(width, dtype=bool)
    full[columns] = mask
    return full


def _order_fits(
    family: OrderFamily, interval: tuple[float, float] | None, each: dict[frozenset[str], NDArray[np.bool_]]
) -> OrderFits | None:
    columns = np.any(list(each.values()), axis=0)
    if not columns.any():
        return None
    return OrderFits(
        family=family,
        range=interval,
        fitting=tuple(splits for splits, mask in each.items() if (mask | ~columns).all()),
        columns=columns,
        each=each,
    )


def on_fixed_steps(rows: NDArray[np.float64], low: float, high: float) -> int | None:
    """The number of equal steps between two ends that all values lie on, where data come so of themselves."""
    if not rows.size:
        return None
    for steps in FIXED_DIVISORS:
        at = (rows - low) * (steps / (high - low))
        # float32 holds a step of 65,535 to a hundredth.
        if np.abs(at - np.rint(at)).max() <= 0.02:
            return steps
    return None


def shared_values(one: NDArray[np.float64], other: NDArray[np.float64], columns: NDArray[np.bool_]) -> float:
    """Median over columns of the share of values of the smaller of two samples of rows that are also in the other.

    Columns that hold values of limited precision share them as long as one map was applied to both, and hardly any
    when two were: 5.1 and 5.1 go to one number by one map, to two by two. Of columns whose values hardly ever repeat,
    the answer is 0 and says nothing.
    """
    shares = []
    for column in np.flatnonzero(columns)[:64]:
        a, b = np.unique(one[:, column]), np.unique(other[:, column])
        if len(a) < 2 or len(b) < 2:
            continue
        small, large = (a, b) if len(a) <= len(b) else (b, a)
        # 0 may be fixed by both maps.
        small = small[small != 0]
        if len(small):
            shares.append(float(np.isin(small, large).mean()))
    return float(np.median(shares)) if shares else 0.0

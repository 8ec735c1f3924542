"""Which union of splits has the extremes or the quartiles that a scaling by them leaves.

Minimum and maximum, the largest magnitude, median and quartiles are values of single samples. Those of training and of
everything are often the same ones: then both are one map, and no numbers tell them apart.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from dataguard.splits.normalization.candidates import Union
from dataguard.splits.normalization.moments import LEAST_DECADES
from dataguard.splits.normalization.ranks import RankCounts

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
    """Those that fit every column that any of them fits, but for columns that do not vary there."""
    columns: NDArray[np.bool_]
    """Columns that some union fits, shape (units,)."""
    each: Mapping[frozenset[str], NDArray[np.bool_]]
    """Which columns each union fits."""


def extreme_fits(
    unions: Sequence[Union], usable: NDArray[np.bool_], epsilon: float, resolution: float | None = None
) -> list[OrderFits]:
    """What min-max and max-abs scaling would explain, most columns first.

    Numbers that are spread evenly between two natural bounds come as near to these as one in n of their distance by
    chance, so that the extremes of 10⁶ of them are within a rounding of float32 of what a scaling leaves. A union
    explains nothing where its columns would all be so near to the ends in more than one of 10⁴ datasets.

    Args:
        unions: The candidates.
        usable: Columns that are not constant and not whole numbers; shape (units,).
        epsilon: Relative precision that the numbers may have been scaled with.
        resolution: Relative precision that they have; that of `epsilon` if it is not given.
    """
    found = []
    resolution = (epsilon if resolution is None else resolution) / 2
    for low, high in _ranges(unions, usable, epsilon):
        size = max(abs(low), abs(high), high - low)
        tolerance = ROUNDING * epsilon * size
        at_low = {union.splits: usable & (np.abs(union.sums.low - low) <= tolerance) for union in unions}
        each = {}
        for union in unions:
            mask = at_low[union.splits] & (np.abs(union.sums.high - high) <= tolerance)
            off = np.abs([union.sums.low[mask] - low, union.sums.high[mask] - high]) + resolution * size
            # A range that the columns themselves name is met by one of them at either end in any case.
            known = (low, high) in KNOWN_RANGES
            each[union.splits] = mask & _beyond_chance(off / (high - low), union.sums.values[mask], known=known)
        # Without a range a column is moved to the lower end and not stretched.
        silent = {union.splits: at_low[union.splits] & (union.sums.high == union.sums.low) for union in unions}
        found.append(_order_fits("min-max", (low, high), each, silent))
    largest = {union.splits: np.maximum(np.abs(union.sums.low), np.abs(union.sums.high)) for union in unions}
    each = {}
    for union in unions:
        value = largest[union.splits]
        mask = usable & (np.abs(value - 1) <= ROUNDING * epsilon)
        off = (np.abs(value[mask] - 1) + resolution)[None]
        each[union.splits] = mask & _beyond_chance(off, union.sums.values[mask], known=True)
    silent = {splits: usable & (value == 0) for splits, value in largest.items()}
    found.append(_order_fits("max-abs", None, each, silent))
    kept = [item for item in found if item is not None]
    return sorted(kept, key=lambda item: -int(item.columns.sum()))


def _beyond_chance(off: NDArray[np.float64], n: NDArray[np.float64], *, known: bool) -> bool:
    """Whether values spread evenly would hardly come so near to the ends in all columns.

    Args:
        off: How far the extremes are from the ends, as a share of the range; shape (ends, columns).
        n: How many values there are, shape (columns,).
        known: Whether the ends were known beforehand.
    """
    decades = np.sort(-np.log10(np.minimum(n * off, 1.0)), axis=1)
    return float((decades if known else decades[:, :-1]).sum()) >= LEAST_DECADES


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
        if middle not in found and alike.sum() >= max(LEAST_FOR_ANY_RANGE, 0.5 * len(low)):
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
    parts = {}
    for name, item in values.items():
        part = item if len(columns) == item.shape[1] else item[:, columns]
        finite = np.isfinite(part)
        parts[name] = part if finite.all() else np.where(finite, part, np.nan)
    most = np.max([np.nanmax(np.abs(part), axis=0, initial=1) for part in parts.values()], axis=0)
    bound = ROUNDING * epsilon * most
    # A median of 0 has at most half of the values on either side; counting is quicker than sorting.
    counts = {
        name: np.array([(part < -bound).sum(axis=0), (part > bound).sum(axis=0), (~np.isnan(part)).sum(axis=0)])
        for name, part in parts.items()
    }
    found = _Quartiles.empty(len(usable))
    levels = [0.5, *(level for pair in QUANTILE_RANGES for level in pair)]
    for union in unions:
        below, above, n = np.sum([counts[name] for name in counts if name in union.splits], axis=0)
        asked = (2 * below <= n) & (2 * above <= n) & (n > 0)
        if not asked.any():
            found.add(union.splits, columns[:0], np.empty((len(levels), 0)), 0.0, epsilon)
            continue
        joined = np.concatenate([parts[name][:, asked] for name in parts if name in union.splits])
        quantile = np.nanquantile if np.isnan(joined).any() else np.quantile
        found.add(union.splits, columns[asked], quantile(joined, levels, axis=0), 0.0, epsilon)
    return found.best(usable, continuous)


def rank_fits(
    ranks: Mapping[str, RankCounts],
    unions: Sequence[Union],
    usable: NDArray[np.bool_],
    epsilon: float,
    continuous: NDArray[np.bool_] | None = None,
) -> OrderFits | None:
    """`quartile_fits` from the ranks of each split: the median is exact, distances of quantiles are to a bin."""
    columns = np.flatnonzero(usable)
    if not len(columns):
        return None
    found = _Quartiles.empty(len(usable))
    levels = [level for pair in QUANTILE_RANGES for level in pair]
    for union in unions:
        items = [ranks[name] for name in ranks if name in union.splits]
        total = items[0]
        for item in items[1:]:
            total = total.merge(item)
        quantiles = np.vstack([total.median(), total.quantiles(levels)])[:, columns]
        found.add(union.splits, columns, quantiles, total.width, epsilon)
    return found.best(usable, continuous)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Quartiles:
    """Which columns of which unions have a median of 0, and a distance of quantiles of 1."""

    width: int
    robust: tuple[dict[frozenset[str], NDArray[np.bool_]], ...]
    """One for each of `QUANTILE_RANGES`."""
    centred: dict[frozenset[str], NDArray[np.bool_]]
    silent: tuple[dict[frozenset[str], NDArray[np.bool_]], ...]
    """Where the two quantiles are one, 0: such a column is moved and not stretched, and says nothing of the union."""

    @classmethod
    def empty(cls, width: int) -> _Quartiles:
        made: tuple[tuple[dict[frozenset[str], NDArray[np.bool_]], ...], ...]
        made = tuple(tuple({} for _ in QUANTILE_RANGES) for _ in range(2))
        return cls(width=width, robust=made[0], centred={}, silent=made[1])

    def add(
        self,
        splits: frozenset[str],
        columns: NDArray[np.intp],
        quantiles: NDArray[np.float64],
        blur: float,
        epsilon: float,
    ) -> None:
        """Take in a union: the median and the pairs of quantiles of some columns, known to ``blur``; NaN fits none."""
        with np.errstate(invalid="ignore"):
            size = np.maximum(np.nanmax(np.abs(quantiles), axis=0, initial=1), 1)
            at_0 = np.abs(quantiles[0]) <= ROUNDING * epsilon * size
            self.centred[splits] = _spread_out(at_0 & ~(quantiles[2] <= quantiles[1]), columns, self.width)
            for index, each in enumerate(self.robust):
                distance = quantiles[2 + 2 * index] - quantiles[1 + 2 * index]
                one = np.abs(distance - 1) <= blur + ROUNDING * epsilon * size
                each[splits] = _spread_out(at_0 & one, columns, self.width)
                none = np.abs(distance) <= ROUNDING * epsilon * size
                self.silent[index][splits] = _spread_out(at_0 & none, columns, self.width)

    def best(self, usable: NDArray[np.bool_], continuous: NDArray[np.bool_] | None) -> OrderFits | None:
        """The range of quantiles that explains most columns; or the median alone."""
        columns = [int(np.any(list(each.values()), axis=0).sum()) for each in self.robust]
        best = columns.index(max(columns))
        found = _order_fits("robust", None, self.robust[best], self.silent[best])
        if found is not None and int(found.columns.sum()) >= max(2, 0.5 * int(usable.sum())):
            return found
        if continuous is not None and (usable & continuous).sum() >= LEAST_FOR_ANY_RANGE:
            each = {splits: mask & continuous for splits, mask in self.centred.items()}
            found = _order_fits("median", None, each, {})
            if found is not None and found.fitting and found.columns.sum() >= 0.8 * (usable & continuous).sum():
                return found
        return None


def _spread_out(mask: NDArray[np.bool_], columns: NDArray[np.intp], width: int) -> NDArray[np.bool_]:
    full = np.zeros(width, dtype=bool)
    full[columns] = mask
    return full


def _order_fits(
    family: OrderFamily,
    interval: tuple[float, float] | None,
    each: dict[frozenset[str], NDArray[np.bool_]],
    silent: Mapping[frozenset[str], NDArray[np.bool_]],
) -> OrderFits | None:
    columns = np.any(list(each.values()), axis=0)
    if not columns.any():
        return None
    return OrderFits(
        family=family,
        range=interval,
        fitting=tuple(
            splits
            for splits, mask in each.items()
            if mask.any() and (mask | ~columns | silent.get(splits, False)).all()
        ),
        columns=columns,
        each=each,
    )


def on_fixed_steps(rows: NDArray[np.float64], low: float, high: float) -> int | None:
    """The number of equal steps between two ends that all values lie on, where data come so of themselves."""
    if not rows.size:
        return None
    for steps in FIXED_DIVISORS:
        for some in (rows[:256], rows):
            at = (some - low) * (steps / (high - low))
            # float32 holds a step of 65,535 to a hundredth.
            if np.abs(at - np.rint(at)).max() > 0.02:
                break
        else:
            return steps
    return None


def shared_values(blocks: Sequence[NDArray[np.float64]], columns: NDArray[np.bool_]) -> float:
    """The largest share of values in common of any two samples of rows.

    That is the median over columns of the share of values of the smaller one that are also in the other.

    Columns that hold values of limited precision share them as long as one map was applied to both, and hardly any
    when two were: 5.1 and 5.1 go to one number by one map, to two by two. Of columns whose values hardly ever repeat,
    the answer is 0 and says nothing.
    """
    chosen = np.flatnonzero(columns)[:64]
    distinct = [[np.unique(block[:, column]) for column in chosen] for block in blocks]
    best = 0.0
    for one, other in itertools.combinations(distinct, 2):
        shares = []
        for a, b in zip(one, other, strict=True):
            if len(a) < 2 or len(b) < 2:
                continue
            small, large = (a, b) if len(a) <= len(b) else (b, a)
            # 0 may be fixed by both maps.
            small = small[small != 0]
            if len(small):
                at = np.minimum(np.searchsorted(large, small), len(large) - 1)
                shares.append(float((large[at] == small).mean()))
        if shares:
            best = max(best, float(np.median(shares)))
    return best


def different_steps(
    blocks: Sequence[NDArray[np.float64]], columns: NDArray[np.bool_], width: float, epsilon: float
) -> float:
    """−log10 of the chance that one map has left samples of rows on steps of different sizes.

    Measurements of so many digits lie, once scaled, on multiples of width/N, N the range of the raw numbers in their
    last digit. Under one map N is the same everywhere, but where all numbers of a sample happen to have a common
    factor: m of them with a chance of 1 − 1/ζ(m).

    Args:
        blocks: Some rows of each, shape (rows, columns).
        columns: Which columns to look at; the first `MOST_STEPPED` of them.
        width: What the range, or the distance of quartiles, was mapped to.
        epsilon: Relative precision of the numbers.
    """
    most = MOST_STEPS if epsilon < 1e-10 else MOST_STEPS_FLOAT32
    numbers = np.arange(1, most + 1)
    decades = 0.0
    for column in np.flatnonzero(columns)[:MOST_STEPPED]:
        steps, sizes = [], []
        for block in blocks:
            values = np.unique(block[:, column])
            values = (values[np.isfinite(values)] - values[0]) / width
            values = values[values > LEAST_STEP]
            values = values[np.diff(values, prepend=0) > LEAST_STEP]
            if len(values) > MOST_VALUES:
                values = values[np.linspace(0, len(values) - 1, MOST_VALUES).astype(int)]
            at = values[:, None] * numbers
            off = np.abs(at - np.rint(at)).max(axis=0, initial=0)
            fitting = np.flatnonzero(off <= ON_STEP)
            # The last value is a multiple of itself.
            if len(values) < 3 or not len(fitting):
                continue
            steps.append(int(numbers[fitting[0]]))
            sizes.append(len(values) - 1)
        if len(set(steps)) > 1:
            decades -= math.log10(sum(prime ** -float(min(sizes)) for prime in (2, 3, 5, 7, 11, 13)))
    return decades


MOST_STEPPED = 24
MOST_VALUES = 24
"""Columns, and values of each, that are looked at."""
MOST_STEPS, MOST_STEPS_FLOAT32 = 4000, 400
"""Steps of a range: of more, float64 and float32 would not tell them from values at random."""
LEAST_STEP = 1e-5
ON_STEP = 1e-3

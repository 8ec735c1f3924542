"""Which union of splits has mean 0 and variance 1.

Over the samples that statistics were fitted on, both hold up to rounding; over any other union they are off by what
sampling gives. The question is therefore not whether a residual is of the size of machine epsilon, which nobody knows
(the sums may have been float32, the data float16), but whether it is far below what sampling would give.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from dataguard.splits.normalization.candidates import Union

if TYPE_CHECKING:
    from numpy.typing import NDArray

Family: TypeAlias = Literal["standard", "centre", "scale"]

LEAST_DECADES = 4.0
"""A candidate fits where chance would do so in one of 10^4 datasets, all candidates and columns counted."""
COLUMN_CHANCE = 1e-3
"""Chance below which a single column speaks for a candidate."""
MOST_DECADES = 12.0
"""What one number of one column may count for: rounding ends there."""
LEAST_SHARE = 0.8
"""Share of the columns that speak for any candidate which must speak for it. Not all: of the components of a
whitening, the last have lost their digits."""
EACH_BELOW = 0.02
"""Ratio that both mean and variance must be below for a column to speak for both: one that is exactly 0 would carry
another that is near by chance."""
SETTLED = 1e-3
"""Ratio of a residual to sampling that is rounding, whatever the least one is."""
MUCH_WORSE = 100.0
EQUAL = 1e-9
"""Ratio of a residual to sampling that float64 leaves of equal statistics."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fit:
    """How well one union explains the numbers as fitted on it."""

    splits: frozenset[str]
    n: int
    """Samples of it."""
    family: Family
    ddof: int | None
    """0 or 1, whichever the variances say; None where they do not tell."""
    speaks: NDArray[np.bool_]
    """Which columns speak for it, shape (units,)."""
    against: NDArray[np.bool_]
    """Which columns have values there and do not."""
    ratio: NDArray[np.float64]
    """Residual over what sampling would give, shape (units,)."""
    typical: float
    """The median ratio of the columns that speak for it; infinite where none does."""
    decades: float
    """−log10 of the chance of such a fit, all candidates and choices of columns counted."""
    share: float
    """Of the columns that speak for any candidate, those that speak for this one."""

    @property
    def fits(self) -> bool:
        """Whether it explains them better than chance would."""
        return self.decades >= LEAST_DECADES and self.share >= LEAST_SHARE


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Residuals:
    """Residuals of some unions, in units of what sampling would give; shape (unions, units) each."""

    unions: Sequence[Union]
    mean: NDArray[np.float64]
    variance: tuple[NDArray[np.float64], NDArray[np.float64]]
    """With ddof 0 and 1."""
    constant: NDArray[np.bool_]
    """Columns without any variation there; they say nothing where they are 0."""
    chances: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    """Of such residuals: of the mean, and of the variance with ddof 0 and 1."""
    most: tuple[NDArray[np.float64], NDArray[np.float64]]
    """−log10 of the least chance that there is, of a mean and, but for the pitch, of a variance: a sum of n values of
    limited precision has only so many values that it can take, and is exactly 0 more often than a continuous one: with
    a probability of about pitch/(√(2π)·spread of the sum)."""


def residuals_of(unions: Sequence[Union], pitch: NDArray[np.float64]) -> Residuals:
    """What is left of mean 0 and variance 1.

    Args:
        unions: The candidates.
        pitch: Least distance between two values of a column, in its standard deviations; shape (units,).
    """
    n, values, average, variance, spread, variance_spread, gap = np.array(
        [
            (
                union.sums.n,
                union.sums.values,
                union.sums.mean,
                union.sums.variance,
                union.sums.spread,
                union.sums.variance_spread,
                union.gap,
            )
            for union in unions
        ]
    ).transpose(1, 0, 2)
    counted = np.maximum(values, 1)
    constant = (variance <= 0) | (n < 2)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        mean = np.abs(average) / (np.maximum(spread, 1e-300) * gap)
        # The floor: of two equally likely values the variance hardly varies.
        scale = np.maximum(variance_spread, 1e-6) * gap
        both = [np.abs(variance * (counted / np.maximum(counted - ddof, 1)) - 1) / scale for ddof in (0, 1)]
        mean = np.where(constant, np.where(np.abs(average) < 1e-12, 0.0, np.inf), mean)
        mean[np.isnan(mean)] = np.inf
        for ratio in both:
            ratio[constant] = np.inf
        deviation = np.maximum(variance, 1e-300)
        steps = math.sqrt(2 * math.pi) * counted * gap
        most = (
            np.log10(steps * (spread / np.sqrt(deviation)) / pitch),
            np.log10(steps * (variance_spread / deviation) / pitch**2),
        )
    return Residuals(
        unions=unions,
        mean=mean,
        variance=(both[0], both[1]),
        constant=constant,
        chances=(chance(mean), chance(both[0]), chance(both[1])),
        most=most,
    )


def chance(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that |N(0, 1)| is at most a ratio; exact for small ones, an upper bound otherwise."""
    found: NDArray[np.float64] = np.minimum(np.maximum(math.sqrt(2 / math.pi) * ratio, 10.0**-MOST_DECADES), 1.0)
    return found


def fits_of(
    residuals: Residuals, family: Family, apart: Callable[[], tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> list[Fit]:
    """How well each union fits, as a standard scaling, a centring or a division alone.

    Args:
        residuals: Of all unions.
        family: Which of mean and variance must fit.
        apart: Gives what `conditional_spreads` does; asked for where some column speaks for some union.
    """
    speaks, ratio, ddofs = _columns(residuals, family)
    eligible: NDArray[np.bool_] = np.any(speaks, axis=0)
    d = len(eligible)
    # A column that is constantly 0 there neither speaks for it nor against it.
    asked = eligible & ~(residuals.constant & (residuals.mean == 0))
    k, n_asked = (speaks & asked).sum(axis=1).tolist(), asked.sum(axis=1).tolist()
    some = np.flatnonzero(speaks.any(axis=1))
    decades = np.zeros(len(speaks))
    if len(some):
        decades[some] = np.where(speaks[some], _decades(residuals, family, ddofs, some, apart()), 0.0).sum(axis=1)
    return [
        Fit(
            splits=union.splits,
            n=int(union.sums.n.max(initial=0)),
            family=family,
            ddof=ddofs[index],
            speaks=speaks[index],
            against=asked[index] & ~speaks[index],
            ratio=ratio[index],
            typical=_median(ratio[index], speaks[index]),
            decades=float(decades[index]) - _log10_choices(d, k[index]) - math.log10(len(speaks)),
            share=k[index] / n_asked[index] if n_asked[index] else 0.0,
        )
        for index, union in enumerate(residuals.unions)
    ]


def _columns(residuals: Residuals, family: Family) -> tuple[NDArray[np.bool_], NDArray[np.float64], list[int | None]]:
    """Which columns speak for each union, their ratios, and the ddof that most of them say."""
    varies = ~residuals.constant
    if family == "centre":
        speaking = (residuals.chances[0] < COLUMN_CHANCE) & varies
        return speaking, residuals.mean, [None] * len(speaking)
    options = []
    for ddof in (0, 1):
        ratio = residuals.variance[ddof]
        chances = residuals.chances[1 + ddof]
        if family == "standard":
            ratio, chances = np.maximum(ratio, residuals.mean), chances * residuals.chances[0]
        # Of mean and variance, each must be small by itself: one alone is another family.
        options.append(((chances < COLUMN_CHANCE) & varies & (ratio < EACH_BELOW), ratio))
    (speaking, ratio), (other, other_ratio) = options
    counts, others = speaking.sum(axis=1).tolist(), other.sum(axis=1).tolist()
    ddofs: list[int | None] = [0] * len(counts)
    for index, (count, rival) in enumerate(zip(counts, others, strict=True)):
        if rival > count or (
            rival == count > 0
            and _median(residuals.variance[1][index], other[index])
            < _median(residuals.variance[0][index], speaking[index])
        ):
            ddofs[index] = 1
    if any(ddofs):
        second = np.array(ddofs, dtype=bool)[:, None]
        speaking, ratio = np.where(second, other, speaking), np.where(second, other_ratio, ratio)
    return speaking, ratio, ddofs


def _decades(
    residuals: Residuals,
    family: Family,
    ddofs: Sequence[int | None],
    chosen: NDArray[np.intp],
    apart: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """−log10 of the chance of such residuals, column by column given those before, shape (chosen unions, units)."""
    found = np.zeros((len(chosen), residuals.mean.shape[1]))
    if family != "scale":
        each = np.minimum(-np.log10(residuals.chances[0][chosen]), residuals.most[0][chosen])
        found += np.maximum(each + np.log10(apart[0]), 0)
    if family != "centre":
        chances = np.array([residuals.chances[1 + (ddofs[index] or 0)][index] for index in chosen])
        each = np.minimum(-np.log10(chances), residuals.most[1][chosen])
        found += np.maximum(each + np.log10(apart[1]), 0)
    return np.nan_to_num(found)


def _median(ratio: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
    ordered = np.sort(ratio[chosen])
    if not len(ordered):
        return math.inf
    half = len(ordered) // 2
    return float(ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2)


def _log10_choices(d: int, k: int) -> float:
    return (math.lgamma(d + 1) - math.lgamma(k + 1) - math.lgamma(d - k + 1)) / math.log(10)


def best_fits(fits: Sequence[Fit]) -> list[Fit]:
    """Those that fit, without those that a much better one makes look like chance.

    With them come those that leave as small a residual and are too few samples, or too rounded, to be convincing
    alone: where one union has been found, equal statistics of another are no chance that has to be excluded.
    """
    fitting = [fit for fit in fits if fit.fits]
    if not fitting:
        return []
    least = min(fit.typical for fit in fitting)
    limit, equal = max(SETTLED, MUCH_WORSE * least), max(EQUAL, MUCH_WORSE * least)
    return [
        fit
        for fit in fits
        if (fit.fits and fit.typical <= limit) or (fit.share >= LEAST_SHARE and fit.typical <= min(equal, SETTLED))
    ]


def minimal(sets: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """Those that hold no other one."""
    return [one for one in sets if not any(other < one for other in sets)]


def least_steps(rows: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Least distance between two values of each column, in its standard deviations.

    Args:
        rows: Some rows of each split, which may have been mapped differently; shape (rows, columns) each.
    """
    values = np.ascontiguousarray(max(rows, key=len).T)
    finite = np.isfinite(values)
    if not finite.all():
        values = np.where(finite, values, np.nan)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        # Columns of nothing but NaN.
        warnings.simplefilter("ignore", RuntimeWarning)
        deviation: NDArray[np.float64] = (np.std if finite.all() else np.nanstd)(values, axis=1)
        # Rounded, as equal numbers may have come out of a matrix product with different last digits.
        steps = np.diff(np.sort(np.rint(values * (1e6 / deviation)[:, None]), axis=1), axis=1)
        least = np.where(steps > 0, steps, np.inf).min(axis=1, initial=np.inf) * 1e-6
    known = (deviation > 0) & np.isfinite(least)
    return np.where(known, np.maximum(least, 1e-6), 1e-6)


def conditional_spreads(
    rows: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much each column varies that does not follow from other columns, as a share of its own spread.

    For correlated residuals X the chance of |X_i| ≤ r_i for all i is at most the product of √(2/π)·r_i/s_i, s_i the
    spread of X_i given those before it: of two copies of one column the second adds nothing. Columns are taken in
    the order that leaves most, as in a QR decomposition with pivoting; of more than `MOST_PIVOTS`, the rest adds
    nothing either.

    Args:
        rows: Some rows, shape (rows, columns).

    Returns:
        For means and for variances (given all the means), shape (columns,) each, from 1e-12 to 1.
    """
    known = np.where(np.isfinite(rows), rows, np.nan)
    d = rows.shape[1]
    if len(rows) < 3:
        return np.full(d, 1e-12), np.full(d, 1e-12)
    with np.errstate(all="ignore"):
        moved = np.nan_to_num(known - (np.nanmean(known, axis=0) if np.isnan(known).any() else known.mean(axis=0)))
        first = _unit_columns(moved)
        second = _unit_columns(moved**2 - (moved**2).mean(axis=0))
    most = len(rows) - 1
    if 4 * d <= len(rows):
        # Orthogonal maps keep lengths and angles: those of the triangular factor are those of the columns.
        factor: NDArray[np.float64] = np.asarray(np.linalg.qr(np.concatenate([first, second], axis=1), mode="r"))
        first, second = factor[:, :d], factor[:, d:]
    spreads, basis = _pivoted(first, np.empty((len(first), 0)), most)
    others, _ = _pivoted(second, basis, most)
    return np.clip(spreads, 1e-12, 1), np.clip(others, 1e-12, 1)


MOST_PIVOTS = 48


def _unit_columns(moved: NDArray[np.float64]) -> NDArray[np.float64]:
    size = np.sqrt((moved**2).sum(axis=0))
    return np.where(size > 0, moved / np.where(size > 0, size, 1), 0.0)


def _pivoted(
    columns: NDArray[np.float64], basis: NDArray[np.float64], most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What is left of each unit column when its turn comes, and the orthogonal basis that they make.

    Args:
        columns: Shape (rows, columns).
        basis: Orthonormal columns that are taken out first, shape (rows, any).
        most: Dimensions that there are.
    """
    # A column a row: what is subtracted from lies together in memory.
    left = np.ascontiguousarray(columns.T)
    if basis.shape[1]:
        left = left - (left @ basis) @ basis.T
    spreads = np.zeros(len(left))
    size = np.einsum("cr,cr->c", left, left)
    directions = []
    for _ in range(min(MOST_PIVOTS, len(left), most - basis.shape[1])):
        at = int(np.argmax(size))
        if size[at] <= 1e-20:
            break
        spreads[at] = math.sqrt(size[at])
        direction = left[at] / spreads[at]
        left -= (left @ direction)[:, None] * direction
        size = np.einsum("cr,cr->c", left, left)
        size[spreads > 0] = 0
        directions.append(direction)
    return spreads, np.column_stack([basis, *directions]) if directions else basis

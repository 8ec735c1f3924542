"""Which union of splits has mean 0 and variance 1.

Over the samples that statistics were fitted on, both hold up to rounding; over any other union they are off by what
sampling gives. The question is therefore not whether a residual is of the size of machine epsilon, which nobody knows
(the sums may have been float32, the data float16), but whether it is far below what sampling would give.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    decades: float
    """−log10 of the chance of such a fit, all candidates and choices of columns counted."""
    share: float
    """Of the columns that speak for any candidate, those that speak for this one."""

    @property
    def typical(self) -> float:
        """The median ratio of the columns that speak for it."""
        return float(np.median(self.ratio[self.speaks])) if self.speaks.any() else math.inf

    @property
    def fits(self) -> bool:
        """Whether it explains them better than chance would."""
        return self.decades >= LEAST_DECADES and self.share >= LEAST_SHARE


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Residuals:
    """Residuals of one union, in units of what sampling would give, shape (units,) each."""

    union: Union
    mean: NDArray[np.float64]
    variance: tuple[NDArray[np.float64], NDArray[np.float64]]
    """With ddof 0 and 1."""
    constant: NDArray[np.bool_]
    """Columns without any variation there; they say nothing where they are 0."""


def residuals_of(union: Union) -> Residuals:
    """What is left of mean 0 and variance 1."""
    sums = union.sums
    variance, n = sums.variance, np.maximum(sums.values, 1)
    constant = (variance <= 0) | (sums.n < 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.abs(sums.mean) / (np.maximum(sums.spread, 1e-300) * union.gap)
        # The floor: of two equally likely values the variance hardly varies.
        scale = np.maximum(sums.variance_spread, 1e-6) * union.gap
        both = tuple(np.abs(variance * n / np.maximum(n - ddof, 1) - 1) / scale for ddof in (0, 1))
    mean = np.where(constant, np.where(np.abs(sums.mean) < 1e-12, 0.0, np.inf), mean)
    unknown = np.where(constant, np.inf, 0.0)
    return Residuals(
        union=union,
        mean=np.nan_to_num(mean, nan=np.inf, posinf=np.inf),
        variance=(np.maximum(both[0], unknown), np.maximum(both[1], unknown)),
        constant=constant,
    )


def chance(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that |N(0, 1)| is at most a ratio; exact for small ones, an upper bound otherwise."""
    return np.clip(math.sqrt(2 / math.pi) * ratio, 10.0**-MOST_DECADES, 1.0)


def fits_of(
    residuals: Sequence[Residuals],
    family: Family,
    apart: tuple[NDArray[np.float64], NDArray[np.float64]],
    pitch: NDArray[np.float64],
) -> list[Fit]:
    """How well each union fits, as a standard scaling, a centring or a division alone.

    Args:
        residuals: One a union.
        family: Which of mean and variance must fit.
        apart: From `conditional_spreads`.
        pitch: Least distance between two values of a column, in its standard deviations; shape (units,).
    """
    columns = [_columns(item, family) for item in residuals]
    speaks = [found for found, _, _ in columns]
    eligible = np.any(speaks, axis=0)
    d = len(eligible)
    found = []
    for item, (speaking, ratio, ddof) in zip(residuals, columns, strict=True):
        # A column that is constantly 0 there neither speaks for it nor against it.
        silent = item.constant & (item.mean == 0)
        asked = eligible & ~silent
        k, n_asked = int((speaking & asked).sum()), int(asked.sum())
        decades = float(_decades(item, family, ddof, pitch, apart)[speaking].sum())
        decades -= _log10_choices(d, k) + math.log10(len(residuals))
        found.append(
            Fit(
                splits=item.union.splits,
                n=int(item.union.sums.n.max(initial=0)),
                family=family,
                ddof=ddof,
                speaks=speaking,
                against=asked & ~speaking,
                ratio=ratio,
                decades=decades,
                share=k / n_asked if n_asked else 0.0,
            )
        )
    return found


def _columns(item: Residuals, family: Family) -> tuple[NDArray[np.bool_], NDArray[np.float64], int | None]:
    """Which columns speak for a union, their ratios, and the ddof that most of them say."""
    if family == "centre":
        return (chance(item.mean) < COLUMN_CHANCE) & ~item.constant, item.mean, None
    options = []
    for ddof in (0, 1):
        ratio = item.variance[ddof] if family == "scale" else np.maximum(item.variance[ddof], item.mean)
        chances = _chances(item, family, ddof)
        # Of mean and variance, each must be small by itself: one alone is another family.
        speaking = (chances < COLUMN_CHANCE) & ~item.constant & (ratio < EACH_BELOW)
        options.append((int(speaking.sum()), -_median(item.variance[ddof], speaking), ddof, speaking, ratio))
    best = max(options, key=lambda option: option[:2])
    return best[3], best[4], best[2]


def _chances(item: Residuals, family: Family, ddof: int | None) -> NDArray[np.float64]:
    found = np.ones_like(item.mean)
    if family != "scale":
        found = found * chance(item.mean)
    if family != "centre":
        found = found * chance(item.variance[ddof or 0])
    return found


def _decades(
    item: Residuals,
    family: Family,
    ddof: int | None,
    pitch: NDArray[np.float64],
    apart: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """−log10 of the chance of such residuals, column by column given those before, shape (units,).

    A sum of n values of limited precision has only so many values that it can take, and is exactly 0 more often than
    a continuous one: with a probability of about pitch/(√(2π)·spread of the sum). That is the least chance there is.
    """
    sums, gap = item.union.sums, item.union.gap
    steps = math.sqrt(2 * math.pi) * np.maximum(sums.values, 1) * gap
    found = np.zeros_like(item.mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = sums.spread / np.sqrt(np.maximum(sums.variance, 1e-300))
        relative = sums.variance_spread / np.maximum(sums.variance, 1e-300)
        if family != "scale":
            each = np.minimum(-np.log10(chance(item.mean)), np.log10(steps * spread / pitch))
            found = found + np.maximum(each + np.log10(apart[0]), 0)
        if family != "centre":
            each = np.minimum(-np.log10(chance(item.variance[ddof or 0])), np.log10(steps * relative / pitch**2))
            found = found + np.maximum(each + np.log10(apart[1]), 0)
    return np.nan_to_num(found)


def _median(ratio: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
    return float(np.median(ratio[chosen])) if chosen.any() else math.inf


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
    largest = max(rows, key=len)
    found = np.full(largest.shape[1], 1e-6)
    for column in range(largest.shape[1]):
        values = largest[:, column]
        values = values[np.isfinite(values)]
        deviation = float(values.std()) if len(values) else 0.0
        if deviation <= 0:
            continue
        # Rounded, as equal numbers may have come out of a matrix product with different last digits.
        distinct = np.unique(np.rint(values * (1e6 / deviation)))
        if len(distinct) > 1:
            found[column] = max(float(np.diff(distinct).min()) * 1e-6, 1e-6)
    return found


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
    spreads, basis = _pivoted(first, np.empty((len(rows), 0)))
    others, _ = _pivoted(second, basis)
    return np.clip(spreads, 1e-12, 1), np.clip(others, 1e-12, 1)


MOST_PIVOTS = 48


def _unit_columns(moved: NDArray[np.float64]) -> NDArray[np.float64]:
    size = np.sqrt((moved**2).sum(axis=0))
    return np.where(size > 0, moved / np.where(size > 0, size, 1), 0.0)


def _pivoted(
    columns: NDArray[np.float64], basis: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What is left of each unit column when its turn comes, and the orthogonal basis that they make."""
    left = columns - basis @ (basis.T @ columns)
    spreads = np.zeros(columns.shape[1])
    size = (left**2).sum(axis=0)
    found = [basis]
    for _ in range(min(MOST_PIVOTS, columns.shape[1], len(columns) - 1 - basis.shape[1])):
        at = int(np.argmax(size))
        if size[at] <= 1e-20:
            break
        spreads[at] = math.sqrt(size[at])
        direction = left[:, at] / spreads[at]
        left = left - np.outer(direction, direction @ left)
        size = (left**2).sum(axis=0)
        size[spreads > 0] = 0
        found.append(direction[:, None])
    return spreads, np.concatenate(found, axis=1)

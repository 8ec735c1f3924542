"""Whether two profiles are of one distribution: a test a column, corrected together, each with its effect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from dataguard.core.multiple_tests import holm
from dataguard.versions.bins import Bins, median_of, side_by_side
from dataguard.versions.profile import LABEL, Categories, Numbers, SplitProfile, bucketed

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_SAMPLES = 20
"""Samples of either side below which a column is not tested."""
SMALL_EFFECT = 0.08
"""2Φ(d/2) − 1 at d = 0.2, Cohen's small effect: what the distribution functions of so shifted normals differ by."""
_LEAST_EXPECTED = 5
_ENOUGH_FOR_CHI_SQUARE = 10_000

Test: TypeAlias = Literal["Kolmogorov–Smirnov", "chi-square", "missing values", "kind of values"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ColumnDrift:
    """How a column, or the label, differs between two profiles."""

    split: str
    column: str
    test: Test
    effect: float
    """The largest difference of the distribution functions, half the summed difference of shares (total variation), or
    the difference of the shares of missing values: 0 for none, 1 for apart."""
    p_value: float
    adjusted: float
    """By Holm, over all tests of all splits."""
    said: str
    """What the next two are of."""
    first: float
    second: float
    n: float
    """Independent samples that both are worth, as half their harmonic mean."""


def drifts(pairs: Sequence[tuple[str, SplitProfile, SplitProfile]], *, label: bool = True) -> tuple[ColumnDrift, ...]:
    """Every test of every pair, Holm-corrected together, the largest effects first.

    Numbers by Kolmogorov and Smirnov's test on histograms over the same bins: the distance is at most that of the
    numbers themselves, so that the test is on the safe side. Categories and labels by chi-square, rare ones pooled.
    Missing values by Fisher's exact test, or chi-square where numbers are large. Samples that belong together count as
    what they are worth (`SplitProfile.n_independent`); samples that both versions share make them more alike, and so
    never raise an alarm.

    Args:
        pairs: What to call it, the old profile and the new one.
        label: Whether the labels are compared.
    """
    made: list[ColumnDrift] = []
    for name, old, new in pairs:
        made += _split_drifts(name, old, new, label=label)
    if not made:
        return ()
    adjusted = holm([item.p_value for item in made])
    corrected = [replace(item, adjusted=float(p)) for item, p in zip(made, adjusted, strict=True)]
    return tuple(sorted(corrected, key=lambda item: (-item.effect, item.split, item.column, item.test)))


def _split_drifts(name: str, old: SplitProfile, new: SplitProfile, *, label: bool) -> list[ColumnDrift]:
    worth = _Worth(old=old.n_independent / max(1, old.n_samples), new=new.n_independent / max(1, new.n_samples))
    made: list[ColumnDrift | None] = []
    one = {item.name: item for item in old.columns}
    other = {item.name: item for item in new.columns}
    for column in sorted(one.keys() & other.keys()):
        made.append(_column(name, one[column], other[column], worth))
        made.append(_missing(name, one[column], other[column], worth))
    if label and old.truth is not None and new.truth is not None:
        made.append(_column(name, old.truth, new.truth, worth))
    return [item for item in made if item is not None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Worth:
    """Which share of its samples each side is worth."""

    old: float
    new: float

    def of(self, n_old: int, n_new: int) -> float:
        """Half the harmonic mean of what both are worth."""
        a, b = n_old * self.old, n_new * self.new
        return a * b / (a + b) if a + b else 0.0


def _column(split: str, old: Numbers | Categories, new: Numbers | Categories, worth: _Worth) -> ColumnDrift | None:
    if min(old.n, new.n) * min(worth.old, worth.new) < MIN_SAMPLES:
        return None
    n = worth.of(old.n, new.n)
    if isinstance(old, Numbers) and isinstance(new, Numbers):
        return _numbers(split, old.name, old.bins, new.bins, n)
    if isinstance(old, Categories) and isinstance(new, Categories):
        return _categories(split, old, new, n)
    number = isinstance(new, Numbers)
    return ColumnDrift(
        split=split,
        column=new.name,
        test="kind of values",
        effect=1.0,
        p_value=0.0,
        adjusted=0.0,
        said="share of numbers",
        first=float(not number),
        second=float(number),
        n=n,
    )


def _numbers(split: str, column: str, old: Bins, new: Bins, n: float) -> ColumnDrift | None:
    from scipy import stats

    starts, table = side_by_side(old, new)
    if len(starts) < 2:
        return None
    distance = float(np.abs(np.diff(np.cumsum(table, axis=1) / table.sum(axis=1, keepdims=True), axis=0)).max())
    p_value = float(stats.kstwobign.sf(math.sqrt(n) * distance))
    return ColumnDrift(
        split=split,
        column=column,
        test="Kolmogorov–Smirnov",
        effect=distance,
        p_value=p_value,
        adjusted=p_value,
        said="median",
        first=median_of(old),
        second=median_of(new),
        n=n,
    )


def category_table(old: Categories, new: Categories) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Counts of the same categories in both; those that either counts among its others together as the last.

    Returns:
        The names, and the counts, shape (2, k) or (2, k + 1) where there are others.
    """
    names = set(old.counts) | set(new.counts)
    if old.others:
        names &= set(old.counts)
    if new.others:
        names &= set(new.counts)
    kept = tuple(sorted(names))
    table = np.array([[item.counts.get(name, 0) for name in kept] for item in (old, new)], dtype=np.int64)
    rest = np.array([[item.n] for item in (old, new)]) - table.reshape(2, -1).sum(axis=1, keepdims=True)
    return kept, np.concatenate([table.reshape(2, -1), rest], axis=1) if rest.any() else table.reshape(2, -1)


def _tested_table(old: Categories, new: Categories) -> NDArray[np.int64]:
    """What the test is made on: categories, or where there are too many sets of them that no sample has chosen."""
    if not old.buckets and not new.buckets:
        return category_table(old, new)[1]
    return np.array([item.buckets or bucketed(item.counts) for item in (old, new)], dtype=np.int64)


def _categories(split: str, old: Categories, new: Categories, n: float) -> ColumnDrift | None:
    from scipy import stats

    table = _tested_table(old, new)
    sizes = table.sum(axis=1)
    total = table.sum(axis=0)
    # Few independent samples expect few of each category, however many rows there are.
    deflated = (sizes[0] * sizes[1] / sizes.sum()) / n
    common = total * sizes.min() / sizes.sum() / deflated >= _LEAST_EXPECTED
    pooled = np.column_stack([table[:, common], table[:, ~common].sum(axis=1)])
    pooled = pooled[:, pooled.sum(axis=0) > 0]
    if pooled.shape[1] < 2:
        return None
    shares = pooled / pooled.sum(axis=1, keepdims=True)
    statistic = float(stats.chi2_contingency(pooled, correction=False).statistic) / deflated
    names, named = category_table(old, new)
    every = named / sizes[:, None]
    most = int(np.abs(every[1] - every[0]).argmax())
    return ColumnDrift(
        split=split,
        column=old.name,
        test="chi-square",
        effect=0.5 * float(np.abs(shares[1] - shares[0]).sum()),
        p_value=float(stats.chi2.sf(statistic, pooled.shape[1] - 1)),
        adjusted=1.0,
        said=f"share of {names[most]!r}" if most < len(names) else "share of rare categories",
        first=float(every[0, most]),
        second=float(every[1, most]),
        n=n,
    )


def _missing(split: str, old: Numbers | Categories, new: Numbers | Categories, worth: _Worth) -> ColumnDrift | None:
    from scipy import stats

    sizes = old.n + old.missing, new.n + new.missing
    lost = old.missing + new.missing
    if lost in (0, sum(sizes)) or min(sizes) * min(worth.old, worth.new) < MIN_SAMPLES:
        return None
    n = worth.of(*sizes)
    deflated = (sizes[0] * sizes[1] / sum(sizes)) / n
    table = np.array([[old.missing, old.n], [new.missing, new.n]])
    if deflated > 1:
        # As many rows of the same shares as they are worth.
        table = np.rint(table / deflated).astype(np.int64)
    if table.sum(axis=0).min() == 0 or table.sum(axis=1).min() == 0:
        return None
    if table.sum() > _ENOUGH_FOR_CHI_SQUARE and stats.contingency.expected_freq(table).min() >= _LEAST_EXPECTED:
        p_value = float(stats.chi2_contingency(table, correction=False).pvalue)
    else:
        p_value = float(stats.fisher_exact(table).pvalue)
    shares = old.missing / sizes[0], new.missing / sizes[1]
    return ColumnDrift(
        split=split,
        column=old.name,
        test="missing values",
        effect=abs(shares[1] - shares[0]),
        p_value=min(1.0, p_value),
        adjusted=1.0,
        said="share of missing values",
        first=shares[0],
        second=shares[1],
        n=n,
    )


def name_of(drift: ColumnDrift) -> str:
    """What to call the column in a sentence."""
    return drift.column if drift.column == LABEL else repr(drift.column)

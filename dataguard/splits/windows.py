"""Sliding windows of a series: rows whose lagged columns repeat the values of other rows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MOST_COLUMNS = 24
"""Columns that are compared with one another; of more, the first. Windows are seen in any three of their columns."""
MOST_LINKS = 2_000_000
"""Links between rows that are kept, those of the shortest lags."""
COMPARED = 4000
"""Rows, about, by which pairs of columns are compared."""
PROBES = 200
"""Values of a column that are looked for in another before all of them are."""
LEAST_DISTINCT = 0.5
"""Share of a column's values that must occur once in it: of others, two rows may hold the same by chance."""
LEAST_FOUND = 0.5
"""Share of the values of a lagged column that must be in the other: 1 but for the ends and missing rows."""
AGREEMENT = 0.9
"""Share of the rows that two pairs of columns must link to the same row, or one pair at the same distance."""
LEAST_LINKS = 30


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Windows:
    """Rows that are neighbouring windows of one series."""

    lagged: tuple[str, str]
    """Two columns that hold the same values one row apart."""
    n_pairs: int
    """Pairs of columns that are lagged copies, at any lag."""
    beside: NDArray[np.int32]
    """For each row the one next to it in its series, on one side and −1 for none; shape (n,)."""
    linked: NDArray[np.int32]
    """Pairs of rows that share a value, shape (m, 2)."""
    chain: NDArray[np.intp]
    """The place of each row in its series, series one after another; shape (n,)."""


def find_windows(numbers: pd.DataFrame, order: NDArray[np.int64]) -> Windows | None:
    """Find columns that repeat another one at another row, wherever in the file that row is.

    Values that occur once in either column link rows: row r holds in one column what row s holds in the other. Chance
    makes no two columns of distinct values agree, but ranks, counters and copies do, so links must be confirmed: by a
    second pair of columns that links the same rows, as of windows with two lags, or by one distance in the order.

    Args:
        numbers: Columns of numbers, NaN for missing ones.
        order: Where each row is in the file or in time, shape (n,).

    Returns:
        None where there are no windows.
    """
    names = [str(name) for name in numbers.columns[:MOST_COLUMNS]]
    columns = [_Column.of(numbers.iloc[:, at].to_numpy(dtype=np.float64, na_value=np.nan)) for at in range(len(names))]
    usable = [at for at, column in enumerate(columns) if column.distinctive]
    place = np.empty(len(order), dtype=np.intp)
    place[np.argsort(order, kind="stable")] = np.arange(len(order))
    # A sample of the rows tells which pairs of columns link the same rows; one pair of each kind then links all rows.
    groups: list[_SameLinks] = []
    for pair in itertools.combinations(usable, 2):
        some = columns[pair[0]].linked(columns[pair[1]], most=COMPARED)
        if some is None:
            continue
        group = next((group for group in groups if _agree(group.links, some)), None)
        if group is None:
            group = _SameLinks(links=some, pairs=[], one_distance=_one_distance(some, place))
            groups.append(group)
        group.pairs.append(pair)
    columns_of_windows = {column for group in groups for pair in group.confirmed for column in pair}
    if not columns_of_windows:
        return None
    every: list[tuple[NDArray[np.int32], tuple[int, int], bool]] = []
    n_pairs = 0
    for group in groups:
        members = group.confirmed or [pair for pair in group.pairs if set(pair) <= columns_of_windows]
        if members:
            found = columns[members[0][0]].linked(columns[members[0][1]])
            if found is not None:
                n_pairs += sum(set(pair) <= columns_of_windows for pair in group.pairs)
                every.append((found, members[0], bool(group.confirmed)))
    # A longer lag reaches further, so that more rows lack a partner: the most links are those to the next row.
    every.sort(key=lambda item: -int((item[0] >= 0).sum()))
    sure = [item for item in every if item[2]]
    if not sure:
        return None
    beside, (first, second), _ = sure[0]
    n = len(beside)
    keys = []
    for found, _, _ in every[: max(1, MOST_LINKS // n)]:
        rows = np.flatnonzero(found >= 0)
        others = found[rows].astype(np.int64)
        keys.append(np.minimum(rows, others) * n + np.maximum(rows, others))
    # Sorting integers is many times faster than the hashing of numpy's unique.
    linked = np.sort(np.concatenate(keys))
    linked = linked[np.append(True, np.diff(linked) > 0)]
    return Windows(
        lagged=(names[first], names[second]),
        n_pairs=n_pairs,
        beside=beside,
        linked=np.column_stack([linked // n, linked % n]).astype(np.int32),
        chain=_chain(beside),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _SameLinks:
    """Pairs of columns that link the same rows."""

    links: NDArray[np.int32]
    """Those of the first pair, of some rows."""
    pairs: list[tuple[int, int]]
    one_distance: bool

    @property
    def confirmed(self) -> list[tuple[int, int]]:
        """The pairs that a second pair of other columns, or one distance in the order, confirms."""
        if self.one_distance:
            return self.pairs
        return [pair for pair in self.pairs if any(pair[0] != one[0] and pair[1] != one[1] for one in self.pairs)]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Column:
    values: NDArray[np.float64]
    once: NDArray[np.float64]
    """Values that occur once, ascending."""
    rows: NDArray[np.intp]
    """Where each of them is."""

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> _Column:
        known = np.flatnonzero(np.isfinite(values))
        distinct, first, counts = np.unique(values[known], return_index=True, return_counts=True)
        return cls(values=values, once=distinct[counts == 1], rows=known[first[counts == 1]])

    @property
    def distinctive(self) -> bool:
        return len(self.once) >= max(LEAST_LINKS, LEAST_DISTINCT * len(self.values))

    def linked(self, other: _Column, most: int | None = None) -> NDArray[np.int32] | None:
        """The row of `other` that holds each row's value, −1 for none; None where that is not the rule.

        Args:
            other: The column that values are looked for in.
            most: About how many rows to look at; by default all.
        """
        probes = self.once[:: max(1, len(self.once) // PROBES)]
        at = np.minimum(np.searchsorted(other.once, probes), len(other.once) - 1)
        if (other.once[at] == probes).mean() < LEAST_FOUND:
            return None
        values, rows = self.once, self.rows
        if most is not None and len(values) > 2 * most:
            # The same rows in every column, so that links can be compared.
            chosen = rows % (len(self.values) // most) == 0
            values, rows = values[chosen], rows[chosen]
        at = np.minimum(np.searchsorted(other.once, values), len(other.once) - 1)
        hit = other.once[at] == values
        row, its = rows[hit], other.rows[at[hit]]
        elsewhere = row != its
        # A copy of the column, with a few values changed, holds the same in the same row.
        if elsewhere.sum() < max(LEAST_LINKS, LEAST_FOUND * len(values)):
            return None
        found = np.full(len(self.values), -1, dtype=np.int32)
        found[row[elsewhere]] = its[elsewhere]
        return found


def _agree(links: NDArray[np.int32], others: NDArray[np.int32]) -> bool:
    both = (links >= 0) & (others >= 0)
    return int(both.sum()) >= LEAST_LINKS and float((links[both] == others[both]).mean()) >= AGREEMENT


def _one_distance(links: NDArray[np.int32], place: NDArray[np.intp]) -> bool:
    rows = np.flatnonzero(links >= 0)
    apart = place[rows] - place[links[rows]]
    counts = np.unique(apart, return_counts=True)[1]
    return bool(counts.max() >= AGREEMENT * len(rows))


def _chain(beside: NDArray[np.int32]) -> NDArray[np.intp]:
    """Places along the links, end to end; rows of a circle, which no series makes, come last."""
    following = np.full(len(beside), -1, dtype=np.intp)
    rows = np.flatnonzero(beside >= 0)
    following[beside[rows]] = rows
    place = np.full(len(beside), -1, dtype=np.intp)
    count = 0
    for start in (*np.flatnonzero(beside < 0).tolist(), *range(len(beside))):
        row = start
        while row >= 0 and place[row] < 0:
            place[row] = count
            count += 1
            row = int(following[row])
    return place

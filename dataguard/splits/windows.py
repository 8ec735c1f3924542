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
"""Rows by which two pairs of columns are compared."""
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
    links: dict[tuple[int, int], NDArray[np.int32]] = {}
    for first, second in itertools.combinations(usable, 2):
        found = columns[first].linked(columns[second])
        if found is not None:
            links[first, second] = found
    place = np.empty(len(order), dtype=np.intp)
    place[np.argsort(order, kind="stable")] = np.arange(len(order))
    confirmed: dict[tuple[int, int], NDArray[np.int32]] = {}
    for pair, found in links.items():
        seconds = [other for key, other in links.items() if key[0] != pair[0] and key[1] != pair[1]]
        if any(_agree(found, other) for other in seconds) or _one_distance(found, place):
            confirmed[pair] = found
    if not confirmed:
        return None
    # A longer lag reaches further, so that more rows lack a partner: the most links are those to the next row.
    (first, second), beside = max(confirmed.items(), key=lambda item: int((item[1] >= 0).sum()))
    columns_of_windows = {column for pair in confirmed for column in pair}
    every = [found for pair, found in links.items() if set(pair) <= columns_of_windows]
    every.sort(key=lambda found: -int((found >= 0).sum()))
    pairs = np.concatenate(
        [
            np.column_stack([np.flatnonzero(found >= 0).astype(np.int32), found[found >= 0]])
            for found in every[: max(1, MOST_LINKS // len(beside))]
        ]
    )
    return Windows(
        lagged=(names[first], names[second]),
        n_pairs=len(every),
        beside=beside,
        linked=np.unique(np.sort(pairs, axis=1), axis=0),
        chain=_chain(beside),
    )


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

    def linked(self, other: _Column) -> NDArray[np.int32] | None:
        """The row of `other` that holds each row's value, −1 for none; None where that is not the rule."""
        probes = self.once[:: max(1, len(self.once) // PROBES)]
        at = np.minimum(np.searchsorted(other.once, probes), len(other.once) - 1)
        if (other.once[at] == probes).mean() < LEAST_FOUND:
            return None
        at = np.minimum(np.searchsorted(other.once, self.once), len(other.once) - 1)
        hit = other.once[at] == self.once
        row, its = self.rows[hit], other.rows[at[hit]]
        elsewhere = row != its
        # A copy of the column, with a few values changed, holds the same in the same row.
        if elsewhere.sum() < max(LEAST_LINKS, LEAST_FOUND * len(self.once)):
            return None
        found = np.full(len(self.values), -1, dtype=np.int32)
        found[row[elsewhere]] = its[elsewhere]
        return found


def _agree(links: NDArray[np.int32], others: NDArray[np.int32]) -> bool:
    step = max(1, len(links) // COMPARED)
    links, others = links[::step], others[::step]
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

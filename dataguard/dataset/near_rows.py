"""Rows of a table that are nearly the same in two splits: rounded, noisy, spelt otherwise, or with a few cells changed.

A row's nearest row in the other split is found by comparing all, or in large tables by comparing those that fall into
the same bins of some of the columns. What is near is decided by the data: see `dataguard.dataset.nearness`.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.finding import Skipped
from dataguard.core.progress import Progress, silent
from dataguard.core.split_roles import is_training, split_order
from dataguard.dataset.duplicates import Duplicates, Member, Origin
from dataguard.dataset.encoded_rows import CLOSE, EncodedRows, encoded_rows
from dataguard.dataset.nearest_rows import NearestRows, nearest_rows
from dataguard.dataset.nearness import EXPECTED_BY_CHANCE, Gap, find_gap
from dataguard.dataset.row_codes import content_codes, exact_codes, mixed, places_of, repeats

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MIN_COLUMNS = 3
"""Below that, nothing tells a copy from a neighbour."""
MAX_PAIRS = 20_000
"""Pairs that are described."""
RELATIVELY_CLOSE = 2e-3
"""... or of itself."""
EQUAL = 3e-7
"""A distance below is none: numbers are compared in single precision."""
LEAST_AGREEING = 0.5
"""Share of the cells that must be equal or close: fewer are not the same row, however rare."""
LEAST_COMPARED = 20
"""Rows from which it can be told how many equal ones chance makes."""
LEAST_RARE = 3
"""Columns of that kind in which two rows must agree. Agreement in the others is what a type of thing, a place or a
person have in common, row after row."""
LISTED_CELLS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class CellDifference:
    """One column in which two rows differ."""

    column: str
    left: str
    right: str
    close: bool
    """Whether it is rounding, noise or spelling, and not another value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NearRowPair:
    """Two rows that are no coincidence."""

    left: Member
    right: Member
    distance: float
    """Mean difference of a column, from 0 to 1, where 1 is what random rows differ by."""
    ratio: float
    """The distance, relative to what is usual around these rows."""
    n_equal: int
    """Cells with exactly the same value."""
    n_close: int
    """Cells that differ by rounding, noise, case, spaces or Unicode form."""
    n_changed: int
    """Cells with another value."""
    cells: tuple[CellDifference, ...]
    """The first `LISTED_CELLS` that differ, changed ones first."""

    @property
    def why(self) -> str:
        """What the two have in common, in words."""
        total = self.n_equal + self.n_close + self.n_changed
        parts = [f"{self.n_equal} of {total} cells equal"]
        if self.n_close:
            parts.append(f"{self.n_close} the same but for rounding, noise or spelling")
        if self.n_changed:
            parts.append(f"{self.n_changed} changed")
        return ", ".join(parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class NearRowsBetween:
    """What was found between two splits."""

    left: str
    right: str
    pairs: tuple[NearRowPair, ...]
    """Nearest first; at most `MAX_PAIRS`."""
    total: int
    """Rows of the right split with such a row in the left one."""
    n_same: int
    """Rows of the right split that equal one of the left up to rounding and spelling, and not exactly."""
    same_origin: Origin
    """Whether such equality is no coincidence."""
    expected_same: float
    """How many rows of the right split chance makes equal to one of the left, by those that differ in one cell."""
    gap: Gap
    n_compared: int
    """Rows of the right split that were compared: those without an exact copy in the left one."""
    complete: bool
    """Whether every row was compared with every row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NearRows:
    """Rows that are nearly the same in two splits."""

    sizes: Mapping[str, int]
    """Rows by split, ordered by `split_order`."""
    between: tuple[NearRowsBetween, ...]
    """Every pair of splits that are not both trained on."""
    columns: tuple[str, ...]
    """The columns that were compared."""
    left_out: tuple[str, ...]
    """Columns that tell nothing: constant, or a number or name of its own in every row."""


def find_near_rows(
    frame: pd.DataFrame,
    splits: Sequence[str],
    *,
    sample_ids: Sequence[str] | None = None,
    contents: Sequence[str | None] | None = None,
    labels: Sequence[str | None] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> NearRows | Skipped:
    """Find rows of each split that are nearly a row of an earlier one.

    Numbers are scaled by the median difference of two random rows (heavy-tailed ones after asinh, which is a logarithm
    away from zero), differences capped at 1; text is compared by case-folded NFKC with single spaces, and differs by 0
    or 1; a missing value equals a missing value. The distance is the mean over the columns.

    Args:
        frame: The columns to compare, n rows; without the label.
        splits: The split of each row, '' for none.
        sample_ids: What each row is called; by default its number from 1.
        contents: Something that is equal where rows are exactly equal, which are not looked for here; by default the
            values decide.
        labels: The label of each row, to be shown.
        seed: Of the random rows and bins.
        progress: Told how far it is.

    Raises:
        ValueError: the lengths differ.
    """
    n = len(frame)
    if len(splits) != n or any(given is not None and len(given) != n for given in (sample_ids, contents, labels)):
        raise ValueError(f"{n} rows, and other numbers of splits, ids, contents or labels")
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    names = tuple(sorted(set(splits), key=split_order))
    if len(names) < 2:
        return Skipped(reason="there is only one split", hint="name the splits, as a split column")
    split_codes = places_of(splits, names)
    members = np.array([split_codes == code for code in range(len(names))])
    encoded = encoded_rows(frame, split_codes, np.random.default_rng(seed))
    if len(encoded.names) < MIN_COLUMNS:
        return Skipped(reason=f"{len(encoded.names)} columns tell rows apart, and near rows take {MIN_COLUMNS}")
    content = exact_codes(frame) if contents is None else content_codes(contents)
    same = repeats(_codes_of(encoded), split_codes, names)
    ids = [str(row + 1) for row in range(n)] if sample_ids is None else sample_ids
    found = []
    for (i, left), (j, right) in itertools.combinations(enumerate(names), 2):
        if is_training(left) and is_training(right):
            continue
        progress(f"comparing the rows of {right} with {left}", 0, 0)
        search = nearest_rows(encoded, content, np.flatnonzero(members[i]), np.flatnonzero(members[j]), seed)
        found.append(_between(left, right, search, encoded, frame, (ids, splits, labels), same))
    return NearRows(
        sizes={name: int(members[code].sum()) for code, name in enumerate(names)},
        between=tuple(found),
        columns=encoded.names,
        left_out=encoded.left_out,
    )


def _codes_of(encoded: EncodedRows) -> NDArray[np.int64]:
    """A number for each row, equal where rows are up to rounding and spelling."""
    key = np.zeros(encoded.values.shape[1], dtype=np.uint64)
    for column in encoded.values:
        key = mixed(key, np.round(column.astype(np.float64) * 2**20 + 0.37).astype(np.int64).view(np.uint64))
    return np.unique(key, return_inverse=True)[1].astype(np.int64)


def _between(
    left: str,
    right: str,
    search: NearestRows,
    encoded: EncodedRows,
    frame: pd.DataFrame,
    told: tuple[Sequence[str], Sequence[str], Sequence[str | None] | None],
    same: Duplicates,
) -> NearRowsBetween:
    width = len(encoded.names)
    equal = search.distance <= EQUAL * width
    differing = np.abs(encoded.values[:, search.right] - encoded.values[:, search.left])
    agrees = differing <= CLOSE
    # Cells with another value cost evidence: then it takes several columns in which agreement is rare.
    rare = agrees[encoded.rare].sum(axis=0) >= LEAST_RARE
    agreeing = agrees.all(axis=0) | ((agrees.mean(axis=0) >= LEAST_AGREEING) & rare)
    others = ~equal
    gap = find_gap(search.ratio[others])
    near = others & (search.ratio <= gap.threshold)
    expected = _expected_same(differing[:, others & ~near])
    overlap = next(item for item in same.overlaps if (item.left, item.right) == (left, right))
    origin = same.origin(overlap)
    if expected <= EXPECTED_BY_CHANCE:
        origin = Origin.COPIED
    reported = (near & agreeing) | (equal if origin is Origin.COPIED else False)
    chosen = np.flatnonzero(reported)
    chosen = chosen[np.lexsort((search.right[chosen], search.distance[chosen]))]
    return NearRowsBetween(
        left=left,
        right=right,
        pairs=tuple(_pair(search, place, encoded, frame, told) for place in chosen[:MAX_PAIRS]),
        total=len(chosen),
        n_same=int(equal.sum()),
        same_origin=origin,
        expected_same=expected,
        gap=gap,
        n_compared=search.n_compared,
        complete=search.complete,
    )


def _expected_same(differing: NDArray[np.float32]) -> float:
    """How many rows chance makes equal to one of the other split, from the nearest ones that are not.

    Rows that differ in one or two columns and rows that do not differ are made by the same draws. If a row's neighbour
    agrees with it in column j with probability q_j, there are Σᵢ oᵢ times as many that differ in one column as in
    none, and Σᵢ<ⱼ oᵢoⱼ times as many that differ in two, with the odds o_j = (1 - q_j)/q_j.
    """
    n = differing.shape[1]
    if n < LEAST_COMPARED:
        return math.inf
    differs = differing > EQUAL
    share = (n - differs.sum(axis=1) + 1) / (n + 2)
    odds = (1 - share) / share
    n_cells = differs.sum(axis=0)
    once = float(odds.sum())
    twice = (once**2 - float((odds**2).sum())) / 2
    return min((int((n_cells == count).sum()) + 1) / max(times, 1e-9) for count, times in ((1, once), (2, twice)))


def _pair(
    search: NearestRows,
    place: int,
    encoded: EncodedRows,
    frame: pd.DataFrame,
    told: tuple[Sequence[str], Sequence[str], Sequence[str | None] | None],
) -> NearRowPair:
    ids, splits, labels = told
    rows = int(search.left[place]), int(search.right[place])
    left, right = (
        Member(sample_id=ids[row], split=splits[row], label=None if labels is None else labels[row]) for row in rows
    )
    counts: Counter[str] = Counter()
    cells = []
    for number, name in enumerate(encoded.names):
        values: list[Any] = [frame[name].iat[row] for row in rows]
        here, there = values
        if here == there or (_missing(here) and _missing(there)):
            counts["equal"] += 1
            continue
        one, other = encoded.values[number, rows[0]], encoded.values[number, rows[1]]
        close = bool(abs(one - other) <= CLOSE) or _relatively_close(here, there)
        counts["close" if close else "changed"] += 1
        cells.append(CellDifference(column=name, left=_shown(here, there), right=_shown(there, here), close=close))
    cells.sort(key=lambda cell: cell.close)
    return NearRowPair(
        left=left,
        right=right,
        distance=float(search.distance[place]) / len(encoded.names),
        ratio=float(search.ratio[place]),
        n_equal=counts["equal"],
        n_close=counts["close"],
        n_changed=counts["changed"],
        cells=tuple(cells[:LISTED_CELLS]),
    )


def _relatively_close(one: Any, other: Any) -> bool:
    try:
        here, there = float(one), float(other)
    except (TypeError, ValueError):
        return False
    return abs(here - there) <= RELATIVELY_CLOSE * max(abs(here), abs(there))


def _missing(value: Any) -> bool:
    import pandas as pd

    return bool(pd.isna(value))


def _shown(value: Any, other: Any) -> str:
    """A value with as many digits as tell it from the other."""
    if isinstance(value, float | np.floating) and isinstance(other, float | np.floating):
        for digits in (6, 9, 12):
            if f"{value:.{digits}g}" != f"{other:.{digits}g}":
                return f"{value:.{digits}g}"
        return repr(float(value))
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"

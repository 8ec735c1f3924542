"""Rows of a table that are nearly the same in two splits: rounded, noisy, spelt otherwise, or with a few cells changed.

A row's nearest row in the other split is found by comparing all, or in large tables by comparing those that fall into
the same bins of some of the columns. What is near is decided by the data: see `dataguard.dataset.nearness`.
"""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.finding import Skipped
from dataguard.core.progress import Progress, silent
from dataguard.core.split_roles import is_training, split_order
from dataguard.dataset.duplicates import Duplicates, Member, Origin
from dataguard.dataset.nearness import EXPECTED_BY_CHANCE, Gap, find_gap

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MIN_COLUMNS = 3
"""Below that, nothing tells a copy from a neighbour."""
LOCAL_SAMPLE = 1024
"""Rows that say what distance is usual around a row."""
LOCAL_RANK, LOCAL_SHARE = 5, 50
"""The k-th nearest of m of them, k = max(`LOCAL_RANK`, m / `LOCAL_SHARE`): so many near-copies hide one another."""
ALL_PAIRS = 400_000_000
"""Cells up to which every row is compared with every row: a few seconds."""
BANDS = 16
"""Sets of columns in whose bins rows must agree to be compared, in large tables."""
BIN = 0.5
"""Width of a number's bin, of the difference that two random rows have in the median."""
PAIRS_A_BAND = 3_000_000
JUDGED = 20_000
"""Rows, those with the nearest neighbours, whose surroundings are looked at in large tables."""
MAX_PAIRS = 20_000
"""Pairs that are described."""
CLOSE = 0.02
"""A number of a cell counts as close up to this part of the difference that two random rows have in the median."""
RELATIVELY_CLOSE = 2e-3
"""... or of itself."""
LEAST_AGREEING = 0.5
"""Share of the cells that must be equal or close: fewer are not the same row, however rare."""
LEAST_COMPARED = 20
"""Rows from which it can be told how many equal ones chance makes."""
RARELY = 0.05
"""Two random rows agree in a column of fractions or of many names with less than this probability."""
LEAST_RARE = 3
"""Columns of that kind in which two rows must agree. Agreement in the others is what a type of thing, a place or a
person have in common, row after row."""
LISTED_CELLS = 8
_NOISE = 0.01
"""Part of the mean difference of two rows below which a difference is none for the scale of a column."""
_EQUAL = 3e-7
"""A distance below is none: numbers are compared in single precision."""
_HEAVY_TAIL = 10.0
"""A column whose 98 % range is so many interquartile ranges (normal: 3.4, exponential: 4.2) is compared in logs."""


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
    split_codes = _codes_of(splits, names)
    members = np.array([split_codes == code for code in range(len(names))])
    encoded = _encode(frame, split_codes, np.random.default_rng(seed))
    if len(encoded.names) < MIN_COLUMNS:
        return Skipped(reason=f"{len(encoded.names)} columns tell rows apart, and near rows take {MIN_COLUMNS}")
    content = _exact_codes(frame) if contents is None else _codes(contents)
    same = _same_origin(encoded, split_codes, names)
    ids = [str(row + 1) for row in range(n)] if sample_ids is None else sample_ids
    found = []
    for (i, left), (j, right) in itertools.combinations(enumerate(names), 2):
        if is_training(left) and is_training(right):
            continue
        progress(f"comparing the rows of {right} with {left}", 0, 0)
        search = _search(encoded, content, np.flatnonzero(members[i]), np.flatnonzero(members[j]), seed)
        found.append(_between(left, right, search, encoded, frame, (ids, splits, labels), same))
    return NearRows(
        sizes={name: int(members[code].sum()) for code, name in enumerate(names)},
        between=tuple(found),
        columns=encoded.names,
        left_out=encoded.left_out,
    )


# Columns as numbers


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Encoded:
    """The columns as numbers: a cell's distance is min(1, |difference|), or 1 where codes differ."""

    names: tuple[str, ...]
    values: NDArray[np.float32]
    """Scaled numbers, shape (columns, n); infinite and missing ones are far away from all others, in one place each."""
    is_code: NDArray[np.bool_]
    """Which columns hold codes, as whole numbers of at least 2 apart."""
    left_out: tuple[str, ...]
    agreement: NDArray[np.float64]
    """Probability that two random rows are within a bin of each other in a column; shape (columns,)."""
    rare: NDArray[np.bool_]
    """In which columns two random rows seldom agree (`RARELY`): those in which agreement says something."""

    def rows(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Some rows, shape (rows, columns)."""
        return np.ascontiguousarray(self.values[:, rows].T)


def _encode(frame: pd.DataFrame, split_codes: NDArray[np.int64], generator: np.random.Generator) -> _Encoded:
    n = len(frame)
    one, other = generator.integers(0, n, (2, 20_000))
    kept: list[str] = []
    arrays: list[NDArray[np.float32]] = []
    codes: list[bool] = []
    left_out: list[str] = []
    agreement: list[float] = []
    rare: list[bool] = []
    differing = one != other
    for name in frame.columns:
        array, is_code = _column(frame[name], split_codes, one, other)
        if array is None:
            left_out.append(str(name))
            continue
        kept.append(str(name))
        arrays.append(array)
        codes.append(is_code)
        differences = np.abs(array[one] - array[other])[differing]
        agreement.append(float((differences < BIN / 2).mean()))
        rare.append(bool((differences <= CLOSE).mean() <= RARELY))
    return _Encoded(
        names=tuple(kept),
        values=np.array(arrays, dtype=np.float32).reshape(len(kept), n),
        is_code=np.array(codes, dtype=np.bool_),
        left_out=tuple(left_out),
        agreement=np.array(agreement),
        rare=np.array(rare, dtype=np.bool_),
    )


def _column(
    column: pd.Series[Any], split_codes: NDArray[np.int64], one: NDArray[np.int64], other: NDArray[np.int64]
) -> tuple[NDArray[np.float32] | None, bool]:
    """A column as numbers, or None where it tells nothing; and whether it holds codes."""
    import pandas as pd

    is_time = pd.api.types.is_datetime64_any_dtype(column.dtype) or pd.api.types.is_timedelta64_dtype(column.dtype)
    is_number = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if not is_time and not is_number:
        found = _text_codes(column)
        if found.max(initial=0) == 0 or _names_rows(found, split_codes):
            return None, True
        return (found * 2).astype(np.float32), True
    if is_time:
        whole = column.to_numpy().astype("int64")
        numbers = np.where(pd.isna(column), np.nan, whole.astype(np.float64))
    else:
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_integer_dtype(column.dtype) and _counts_rows(numbers):
        return None, False
    finite = np.isfinite(numbers)
    if not finite.any():
        return None, False
    scaled = np.zeros(len(numbers))
    scaled[finite] = _scaled(numbers, finite, one, other)
    # Beyond every difference that counts, and in one place each.
    far = np.abs(scaled).max() + 4
    scaled[np.isnan(numbers)] = far
    scaled[numbers == np.inf] = far + 4
    scaled[numbers == -np.inf] = -far
    if np.ptp(scaled) == 0:
        return None, False
    return scaled.astype(np.float32), False


def _scaled(
    numbers: NDArray[np.float64], finite: NDArray[np.bool_], one: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.float64]:
    values = numbers[finite]
    with np.errstate(over="ignore", invalid="ignore"):
        low, first, middle, third, high = np.quantile(values, [0.01, 0.25, 0.5, 0.75, 0.99])
        spread = third - first
        if not np.isfinite(high - low) or (spread > 0 and high - low > _HEAVY_TAIL * spread):
            deviations = np.abs(values - middle)
            unit = np.median(deviations[deviations > 0])
            # asinh is linear within one unit of the median, and a logarithm beyond.
            values = np.arcsinh(np.clip(values / unit, -1e300, 1e300) - middle / unit)
        full = np.full(len(numbers), np.nan)
        full[finite] = values
        differences = np.abs(full[one] - full[other])
        differences = differences[np.isfinite(differences) & (one != other)]
    scale = float(np.median(differences)) if len(differences) else 0.0
    real = differences[differences > _NOISE * differences.mean()] if len(differences) else differences
    if scale <= (real.min() if len(real) else 0.0):
        # Most rows agree, up to noise: what differs at all differs by 1, and nothing in between is invented.
        scale = float(np.median(real)) if len(real) else float(np.ptp(values)) or 1.0
    # Around the median, so that single precision is not spent on an offset.
    return (values - np.median(values)) / scale


def _counts_rows(numbers: NDArray[np.float64]) -> bool:
    """Whether whole numbers only number the rows: each its own, and in order but for where a file begins."""
    if len(numbers) < 3 or len(np.unique(numbers)) < len(numbers) / 2:
        return False
    steps = np.diff(numbers)
    return bool((steps == 1).mean() > 0.98) or (
        len(np.unique(numbers)) == len(numbers) and bool((steps > 0).all() or (steps < 0).all())
    )


def _names_rows(codes: NDArray[np.int64], split_codes: NDArray[np.int64]) -> bool:
    """Whether texts are names of rows: nearly all differ, and none is in two splits."""
    counts = np.bincount(codes)
    if (counts == 1).sum() < 0.9 * len(codes):
        return False
    first = np.full(len(counts), -1)
    first[codes[::-1]] = split_codes[::-1]
    return bool((first[codes] == split_codes).all())


def plain_text(value: str) -> str:
    """A text as texts are compared: NFKC, case folded, single spaces, none at the ends.

    >>> plain_text("  Ｃａｆé  NOIR ")
    'café noir'
    """
    if value.isascii():
        return " ".join(value.lower().split())
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def _text_codes(column: pd.Series[Any]) -> NDArray[np.int64]:
    import pandas as pd

    found, distinct = pd.factorize(column, use_na_sentinel=True)
    plain = pd.factorize(np.array([plain_text(str(value)) for value in distinct], dtype=object))[0]
    # 0 is for missing values where there are any.
    return (
        np.where(found < 0, 0, plain[found] + int((found < 0).any())) if len(distinct) else np.zeros(len(column), int)
    )


def _codes_of(values: Sequence[str], names: Sequence[str]) -> NDArray[np.int64]:
    place = {name: code for code, name in enumerate(names)}
    return np.array([place[value] for value in values], dtype=np.int64)


def _codes(contents: Sequence[str | None]) -> NDArray[np.int64]:
    import pandas as pd

    found = np.asarray(pd.factorize(np.asarray(contents, dtype=object))[0], dtype=np.int64)
    # What has no content equals nothing.
    missing = found < 0
    found[missing] = -1 - np.arange(int(missing.sum()))
    return found


def _exact_codes(frame: pd.DataFrame) -> NDArray[np.int64]:
    import pandas as pd

    codes = np.zeros(len(frame), dtype=np.int64)
    for name in frame.columns:
        column = pd.factorize(frame[name])[0].astype(np.int64) + 1
        codes = pd.factorize(codes * (int(column.max(initial=0)) + 1) + column)[0].astype(np.int64)
    return codes


def _same_origin(encoded: _Encoded, split_codes: NDArray[np.int64], names: Sequence[str]) -> Duplicates:
    """Rows that are equal up to rounding and spelling, as `Duplicates` counts equal ones."""
    key = np.zeros(encoded.values.shape[1], dtype=np.uint64)
    for column in encoded.values:
        key = _mixed(key, np.round(column.astype(np.float64) * 2**20 + 0.37).astype(np.int64).view(np.uint64))
    _, inverse = np.unique(key, return_inverse=True)
    counts = np.zeros((int(inverse.max()) + 1, len(names)), dtype=np.int64)
    np.add.at(counts, (inverse, split_codes), 1)
    patterns, times = np.unique(counts, axis=0, return_counts=True)
    return Duplicates(
        sizes={name: int((split_codes == code).sum()) for code, name in enumerate(names)},
        pictures=False,
        patterns={tuple(int(value) for value in pattern): int(n) for pattern, n in zip(patterns, times, strict=True)},
        groups=(),
    )


def _mixed(key: NDArray[np.uint64], values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A hash of both (the mixing step of splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = (key * np.uint64(0x9E3779B97F4A7C15)) ^ values
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result


# The nearest row in the other split


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Search:
    """For rows of the right split, the nearest row of the left one that is not exactly equal."""

    right: NDArray[np.intp]
    left: NDArray[np.intp]
    distance: NDArray[np.float64]
    """Sum over the columns."""
    ratio: NDArray[np.float64]
    n_compared: int
    complete: bool


def _search(
    encoded: _Encoded, content: NDArray[np.int64], left: NDArray[np.intp], right: NDArray[np.intp], seed: int
) -> _Search:
    # What has an exact copy is found already, and its neighbours say nothing new.
    right = right[~np.isin(content[right], content[left])]
    generator = np.random.default_rng([seed, 1])
    complete = len(left) * len(right) * len(encoded.names) <= ALL_PAIRS
    if complete:
        best, distance = _nearest_of_all(encoded, left, right)
    else:
        best, distance = _nearest_in_bins(encoded, left, right, generator)
    found = np.flatnonzero(best >= 0)
    if len(found) > JUDGED:
        found = found[np.argpartition(distance[found], JUDGED)[:JUDGED]]
    rows, others, distance = right[found], best[found], distance[found]
    usual = _usual(encoded, rows, others, generator)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(usual > 0, distance / usual, np.inf)
    return _Search(
        right=rows,
        left=others,
        distance=distance,
        ratio=ratio,
        n_compared=len(right),
        complete=complete,
    )


def _nearest_of_all(
    encoded: _Encoded, left: NDArray[np.intp], right: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    best = np.full(len(right), -1, dtype=np.intp)
    distance = np.full(len(right), np.inf)
    if not len(left):
        return best, distance
    step = max(1, 200_000 // len(left))
    for start in range(0, len(right), step):
        rows = right[start : start + step]
        between = _distances(encoded.values[:, rows], encoded.values[:, left])
        nearest = between.argmin(axis=1)
        best[start : start + step] = left[nearest]
        distance[start : start + step] = between[np.arange(len(rows)), nearest]
    return best, distance


def _distances(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distances of all rows of one to all of the other, both of shape (columns, rows)."""
    total = np.zeros((one.shape[1], other.shape[1]), dtype=np.float32)
    piece = np.empty_like(total)
    for here, there in zip(one, other, strict=True):
        np.subtract(here[:, None], there[None, :], out=piece)
        np.abs(piece, out=piece)
        np.minimum(piece, np.float32(1), out=piece)
        total += piece
    return total


def _nearest_in_bins(
    encoded: _Encoded, left: NDArray[np.intp], right: NDArray[np.intp], generator: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The nearest among those that share the bins of some columns, drawn and shifted at random `BANDS` times."""
    best = np.full(len(right), -1, dtype=np.intp)
    distance = np.full(len(right), np.inf)
    both = np.concatenate([left, right])
    by_row = encoded.rows(both)
    for _ in range(BANDS):
        pairs = _colliding(encoded, both, len(left), generator)
        for start in range(0, len(pairs[0]), 500_000):
            here, there = pairs[0][start : start + 500_000], pairs[1][start : start + 500_000]
            between = np.minimum(np.abs(by_row[here] - by_row[len(left) + there]), np.float32(1)).sum(axis=1)
            order = np.lexsort((between, there))
            first = order[np.concatenate([[True], there[order][1:] != there[order][:-1]])]
            better = first[between[first] < distance[there[first]]]
            distance[there[better]] = between[better]
            best[there[better]] = left[here[better]]
    return best, distance


def _colliding(
    encoded: _Encoded, rows: NDArray[np.intp], n_left: int, generator: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs (place among the left rows, place among the right rows) that share the bins of some columns."""
    order = generator.permutation(len(encoded.names))
    key = np.zeros(len(rows), dtype=np.uint64)
    expected = float(n_left) * (len(rows) - n_left)
    for place, column in enumerate(order):
        values = encoded.values[column, rows]
        if not encoded.is_code[column]:
            values = np.floor(values / np.float32(BIN) + np.float32(generator.random()))
        key = _mixed(key, values.astype(np.int64).view(np.uint64))
        expected *= min(1.0, max(float(encoded.agreement[column]) * 2, 1e-6))
        if expected > PAIRS_A_BAND and place + 1 < len(order):
            continue
        sides = _pairs_of(key, n_left, PAIRS_A_BAND)
        if sides is not None:
            return sides
    return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)


def _pairs_of(key: NDArray[np.uint64], n_left: int, limit: int) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """All pairs of a left and a right place with one key; None where there are more than `limit`."""
    left, right = np.argsort(key[:n_left], kind="stable"), np.argsort(key[n_left:], kind="stable")
    left_keys, right_keys = key[:n_left][left], key[n_left:][right]
    first = np.searchsorted(left_keys, right_keys, side="left")
    n = np.searchsorted(left_keys, right_keys, side="right") - first
    total = int(n.sum())
    if total > limit:
        return None
    begin = np.repeat(first - np.concatenate([[0], np.cumsum(n)[:-1]]), n)
    return left[begin + np.arange(total)], np.repeat(right, n)


def _usual(
    encoded: _Encoded, rows: NDArray[np.intp], others: NDArray[np.intp], generator: np.random.Generator
) -> NDArray[np.float64]:
    """What distance is usual around pairs: the smaller one of both rows' k-th nearest among random rows."""
    n = encoded.values.shape[1]
    chosen = generator.choice(n, min(n, LOCAL_SAMPLE), replace=False)
    rank = max(LOCAL_RANK, len(chosen) // LOCAL_SHARE)
    sample = encoded.values[:, chosen]
    found = np.empty(len(rows))
    for start in range(0, len(rows), 200):
        here, there = rows[start : start + 200], others[start : start + 200]
        nearest = []
        for part in (here, there):
            between = _distances(encoded.values[:, part], sample)
            between[(chosen[None, :] == here[:, None]) | (chosen[None, :] == there[:, None])] = np.inf
            place = min(rank, between.shape[1]) - 1
            nearest.append(np.partition(between, place, axis=1)[:, place])
        found[start : start + 200] = np.minimum(*nearest)
    return np.where(np.isfinite(found), found, 0.0)


# What was found


def _between(
    left: str,
    right: str,
    search: _Search,
    encoded: _Encoded,
    frame: pd.DataFrame,
    told: tuple[Sequence[str], Sequence[str], Sequence[str | None] | None],
    same: Duplicates,
) -> NearRowsBetween:
    width = len(encoded.names)
    equal = search.distance <= _EQUAL * width
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
    differs = differing > _EQUAL
    share = (n - differs.sum(axis=1) + 1) / (n + 2)
    odds = (1 - share) / share
    n_cells = differs.sum(axis=0)
    once = float(odds.sum())
    twice = (once**2 - float((odds**2).sum())) / 2
    return min((int((n_cells == count).sum()) + 1) / max(times, 1e-9) for count, times in ((1, once), (2, twice)))


def _pair(
    search: _Search,
    place: int,
    encoded: _Encoded,
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

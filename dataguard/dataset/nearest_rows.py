"""The nearest row in another split: among all, or in large tables among those that share the bins of some columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.dataset.encoded_rows import BIN, EncodedRows
from dataguard.dataset.row_codes import mixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOCAL_SAMPLE = 1024
"""Rows that say what distance is usual around a row."""
LOCAL_RANK, LOCAL_SHARE = 5, 50
"""The k-th nearest of m of them, k = max(`LOCAL_RANK`, m / `LOCAL_SHARE`): so many near-copies hide one another."""
ALL_PAIRS = 400_000_000
"""Cells up to which every row is compared with every row: a few seconds."""
BANDS = 16
"""Sets of columns in whose bins rows must agree to be compared, in large tables."""
PAIRS_A_BAND = 3_000_000
JUDGED = 20_000
"""Rows, those with the nearest neighbours, whose surroundings are looked at in large tables."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NearestRows:
    """For rows of the right split, the nearest row of the left one that is not exactly equal."""

    right: NDArray[np.intp]
    left: NDArray[np.intp]
    distance: NDArray[np.float64]
    """Sum over the columns."""
    ratio: NDArray[np.float64]
    n_compared: int
    complete: bool


def nearest_rows(
    encoded: EncodedRows, content: NDArray[np.int64], left: NDArray[np.intp], right: NDArray[np.intp], seed: int
) -> NearestRows:
    """The nearest left row of each right one, and how near that is for rows there.

    Args:
        encoded: All rows.
        content: A number for each row, equal where rows are exactly equal: these are left out.
        left: Which rows are looked among.
        right: Which rows ask.
        seed: Of the rows that say what is usual, and of the bins.
    """
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
    usual = usual_distances(encoded, rows, others, generator)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(usual > 0, distance / usual, np.inf)
    return NearestRows(
        right=rows,
        left=others,
        distance=distance,
        ratio=ratio,
        n_compared=len(right),
        complete=complete,
    )


def _nearest_of_all(
    encoded: EncodedRows, left: NDArray[np.intp], right: NDArray[np.intp]
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
    encoded: EncodedRows, left: NDArray[np.intp], right: NDArray[np.intp], generator: np.random.Generator
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
    encoded: EncodedRows, rows: NDArray[np.intp], n_left: int, generator: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs (place among the left rows, place among the right rows) that share the bins of some columns."""
    order = generator.permutation(len(encoded.names))
    key = np.zeros(len(rows), dtype=np.uint64)
    expected = float(n_left) * (len(rows) - n_left)
    for place, column in enumerate(order):
        values = encoded.values[column, rows]
        if not encoded.is_code[column]:
            values = np.floor(values / np.float32(BIN) + np.float32(generator.random()))
        key = mixed(key, values.astype(np.int64).view(np.uint64))
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


def usual_distances(
    encoded: EncodedRows, rows: NDArray[np.intp], others: NDArray[np.intp], generator: np.random.Generator
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

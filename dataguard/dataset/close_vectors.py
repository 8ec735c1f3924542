"""Nearest neighbours among vectors by blocked matrix products, exactly for some ten thousand, by clusters above.

Above `EXACT` vectors, they are put into √n clusters of k-means, and each is compared with the members of the clusters
nearest to it (an inverted file: Jégou, Douze and Schmid 2011); that misses some neighbours and never invents one.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT = 30_000
"""Up to so many vectors all pairs are compared."""
PROBES = 8
"""Clusters that a vector is compared with."""
_GROUP = 32
"""Distances of which only the least is looked at first."""
_CELLS = 1 << 21
"""Distances at a time: 8 MB."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Neighbours:
    """The nearest neighbours of each query, nearest first."""

    index: NDArray[np.int64]
    """Shape (queries, k); −1 where there are fewer within the radius."""
    distance: NDArray[np.float32]
    """Euclidean, shape (queries, k); infinite where there is none."""


def nearest(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    *,
    k: int,
    radius: float = float("inf"),
    own: NDArray[np.int64] | None = None,
    seed: int = 0,
    exact: int = EXACT,
    jobs: int = 1,
) -> Neighbours:
    """The `k` nearest vectors of every query within a radius.

    Args:
        queries: Shape (q, d).
        vectors: Shape (n, d).
        k: At least 1.
        radius: The largest Euclidean distance.
        own: Which vector each query is, or is a version of, so that it is not its own neighbour; shape (q,).
        seed: Of the clusters.
        exact: Up to so many vectors all pairs are compared.
        jobs: Threads.
    """
    q = len(queries)
    best = np.full((q, k), np.inf, dtype=np.float32)
    index = np.full((q, k), -1, dtype=np.int64)
    if not len(vectors):
        return Neighbours(index=index, distance=best)
    clusters = None if len(vectors) <= exact else _Clusters.of(vectors, seed)

    def search(part: NDArray[np.int64]) -> None:
        for rows, members in [(part, None)] if clusters is None else clusters.blocks(queries, part):
            chosen = vectors if members is None else vectors[members]
            squares = np.einsum("ij,ij->i", chosen, chosen)[:, None]
            # Squared distances come out of one product: (x, 1, |x|²)·(−2y, |y|², 1).
            theirs = np.hstack([-2 * chosen, squares, np.ones_like(squares)])
            step = max(1, _CELLS // len(theirs))
            for start in range(0, len(rows), step):
                some = rows[start : start + step]
                mine = queries[some]
                squares = np.einsum("ij,ij->i", mine, mine)[:, None]
                measured = np.hstack([mine, np.ones_like(squares), squares]) @ theirs.T
                _merge(measured, some, members, best, index, k=k, radius=radius, own=own)

    # Each thread has rows of its own, so that none writes where another does.
    parts = np.array_split(np.arange(q), max(1, min(jobs, q // 1_024)))
    with ThreadPoolExecutor(len(parts)) as pool:
        for _ in pool.map(search, parts):
            pass
    return Neighbours(index=index, distance=np.sqrt(np.maximum(best, 0), dtype=np.float32))


def _merge(
    measured: NDArray[np.float32],
    rows: NDArray[np.int64],
    members: NDArray[np.int64] | None,
    best: NDArray[np.float32],
    index: NDArray[np.int64],
    *,
    k: int,
    radius: float,
    own: NDArray[np.int64] | None,
) -> None:
    """Squared distances of some rows to some members into the k best of each row."""
    width = measured.shape[1]
    limit = np.minimum(np.float32(min(radius, 1e18) ** 2), best[rows, -1])
    groups = width // _GROUP
    if groups > k + 1:
        least = measured[:, : groups * _GROUP].reshape(len(rows), groups, _GROUP).min(axis=2)
        # k + 1 groups hold at least k distances to others that are no larger than this.
        limit = np.minimum(limit, np.partition(least, k, axis=1)[:, k])
    row, column = np.nonzero(measured <= limit[:, None])
    other = column if members is None else members[column]
    if own is not None:
        keep = other != own[rows[row]]
        row, column, other = row[keep], column[keep], other[keep]
    if not len(row):
        return
    values = measured[row, column]
    order = np.lexsort((values, row))
    row, other, values = row[order], other[order], values[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    keep = place < k
    row, other, values, place = row[keep], other[keep], values[keep], place[keep]
    touched = np.unique(row)
    fresh = np.full((len(touched), k), np.inf, dtype=np.float32)
    theirs = np.full((len(touched), k), -1, dtype=np.int64)
    at = np.searchsorted(touched, row)
    fresh[at, place], theirs[at, place] = values, other
    mine = rows[touched]
    merged = np.concatenate([best[mine], fresh], axis=1)
    names = np.concatenate([index[mine], theirs], axis=1)
    first = np.argsort(merged, axis=1, kind="stable")[:, :k]
    best[mine] = np.take_along_axis(merged, first, axis=1)
    index[mine] = np.take_along_axis(names, first, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Clusters:
    """Vectors by the centre that is nearest to each."""

    centres: NDArray[np.float32]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], seed: int) -> _Clusters:
        centres = _centres(vectors, seed)
        home = _assigned(vectors, centres, 1)[:, 0]
        order = np.argsort(home, kind="stable")
        return cls(centres, order, np.searchsorted(home[order], np.arange(len(centres) + 1)))

    def blocks(
        self, queries: NDArray[np.float32], part: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Some of the queries, and the vectors that they are compared with."""
        probes = _assigned(queries[part], self.centres, min(PROBES, len(self.centres)))
        flat = np.argsort(probes.ravel(), kind="stable")
        asked = np.searchsorted(probes.ravel()[flat], np.arange(len(self.centres) + 1))
        for cluster in range(len(self.centres)):
            members = self.order[self.starts[cluster] : self.starts[cluster + 1]]
            rows = part[flat[asked[cluster] : asked[cluster + 1]] // probes.shape[1]]
            if len(members) and len(rows):
                yield rows, members


def _centres(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """√n centres by a few rounds of k-means over a sample."""
    generator = np.random.default_rng(seed)
    count = round(len(vectors) ** 0.5)
    sample = vectors[np.sort(generator.choice(len(vectors), min(len(vectors), 32 * count), replace=False))]
    centres: NDArray[np.float32] = sample[np.sort(generator.choice(len(sample), count, replace=False))].copy()
    for _ in range(4):
        home = _assigned(sample, centres, 1)[:, 0]
        counts = np.bincount(home, minlength=count)
        order = np.argsort(home, kind="stable")
        filled = np.flatnonzero(counts)
        begins = np.concatenate([[0], np.cumsum(counts)[:-1]])[filled]
        centres[filled] = np.add.reduceat(sample[order], begins, axis=0) / counts[filled, None]
    return centres


def _assigned(vectors: NDArray[np.float32], centres: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """The k nearest centres of each vector, shape (n, k), in any order."""
    half = np.einsum("ij,ij->i", centres, centres)
    found = np.empty((len(vectors), k), dtype=np.int32)
    step = max(1, _CELLS // len(centres))
    for start in range(0, len(vectors), step):
        measured = half - 2 * (vectors[start : start + step] @ centres.T)
        part = np.argmin(measured, axis=1)[:, None] if k == 1 else np.argpartition(measured, k - 1, axis=1)[:, :k]
        found[start : start + step] = part
    return found

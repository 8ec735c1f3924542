"""Which pairs of pictures are worth a look at their thumbnails.

Two ways lead there. Perceptual hashes within a few bits find copies as they are and mirrored, among millions and
without a miss. Nearest neighbours in the vectors of `projection` find crops, and copies whose hash says too
little: smooth pictures and tiny ones.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.progress import Progress
from dataguard.dataset.close_vectors import EXACT, nearest
from dataguard.dataset.hamming import ClosePairs, close_pairs
from dataguard.dataset.likeness import gray
from dataguard.dataset.perceptual_hash import (
    hashes_of,
    mirrored_coefficients,
    picture_coefficients,
    windowed_coefficients,
)
from dataguard.dataset.picture_rows import PictureRows
from dataguard.dataset.projection import Projection
from dataguard.dataset.registration import WHOLE
from dataguard.dataset.table import THUMBNAIL_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 12
"""Nearest neighbours of a picture that are looked at."""
MIRRORED_NEIGHBOURS = 4
"""Of a mirrored picture."""
REACH = 1.5
"""How many times the radius of simulated edits a neighbour may be away."""
STANDS_OUT = 0.8
"""Among more than `EXACT` pictures, a neighbour is looked at if it is nearer than this part of the distance of the
last one."""
WINDOWS = (
    WHOLE,
    (0.9, 0.0, 0.9, 0.0),
    (0.95, 0.05, 1.0, 0.0),
    (0.95, -0.05, 1.0, 0.0),
    (1.0, 0.0, 0.95, 0.05),
    (1.0, 0.0, 0.95, -0.05),
    (0.95, 0.03, 0.95, 0.03),
    (0.95, 0.03, 0.95, -0.03),
    (0.95, -0.03, 0.95, 0.03),
    (0.95, -0.03, 0.95, -0.03),
)
"""Crops of each picture whose neighbours are looked for, among at most `EXACT` pictures: 5 % off every side, off one,
and off two."""
MAX_NEIGHBOUR_PAIRS = 400_000
"""The most pairs of neighbours that are looked at, those that stand out most."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Candidates:
    """Pairs of pictures; the left one has to be mirrored where that is asked, and may have to be cut."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    window: NDArray[np.int64]
    """Which of `WINDOWS` of the left one is nearest to the right one."""
    by_hash: NDArray[np.bool_]
    """Found by its hash."""
    mirrored: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """The candidates and how they were searched for."""

    plain: Candidates
    mirrored: Candidates | None
    max_distance: int
    truncated: bool
    n_candidates: int
    turned_hashes: NDArray[np.uint64]


def candidates(
    rows: PictureRows,
    projection: Projection | None,
    *,
    max_distance: int,
    mirrored: bool,
    jobs: int | None,
    seed: int,
    progress: Progress,
) -> Search:
    """The pairs that are worth a look.

    Args:
        rows: The pictures.
        projection: None where there are too few pictures for one; then the hashes alone are compared.
        max_distance: Bits between hashes.
        mirrored: Whether mirrored pictures are looked for.
        jobs: Threads.
        seed: Of the clusters.
        progress: Called now and then.
    """
    n = len(rows.hashes)
    few = n <= EXACT
    turned = np.zeros(n, dtype=np.uint64)
    dimensions = 0 if projection is None else projection.directions.shape[1]
    vectors = np.empty((n, dimensions), dtype=np.float32)
    versions = [np.empty((n, dimensions), dtype=np.float32) for _ in WINDOWS[1:] if few and projection is not None]
    flipped = np.empty((n, dimensions), dtype=np.float32) if few and projection is not None else None
    for where, pictures in rows.pictures(progress):
        spectra = picture_coefficients(pictures)
        opposite = mirrored_coefficients(spectra)
        turned[where] = hashes_of(opposite)[0]
        if projection is None:
            continue
        vectors[where] = projection.vectors(spectra)
        if flipped is not None:
            flipped[where] = projection.vectors(opposite)
        if versions:
            grays = gray(pictures).reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
            for version, window in zip(versions, WINDOWS[1:], strict=True):
                version[where] = projection.vectors(windowed_coefficients(grays, window))
    groups = rows.splits if len(rows.sizes) > 1 else None
    hashes = [close_pairs(rows.hashes, max_distance=max_distance, groups=groups)]
    progress("comparing hashes", n, n)
    if mirrored:
        hashes.append(close_pairs(rows.hashes, turned, max_distance=max_distance, groups=groups))
    searches = _searches(rows, few=few)
    found: list[tuple[NDArray[Any], ...]] = []
    near: list[tuple[NDArray[Any], ...]] = []
    if projection is not None:
        rounds = [(vectors, NEIGHBOURS, found), *((version, NEIGHBOURS, found) for version in versions)]
        if flipped is not None and mirrored:
            rounds.append((flipped, MIRRORED_NEIGHBOURS, near))
        for index, (queries, k, kept) in enumerate(rounds):
            progress("comparing crops", index, len(rounds))
            number = 0 if kept is near else index
            for asked, among in searches:
                kept.append(_neighbours(asked, among, queries, vectors, projection, k, number, jobs, seed, few=few))
        progress("comparing crops", len(rounds), len(rounds))
    plain, cut = _joined(rows, hashes[0], found, mirrored=False, per_picture=NEIGHBOURS)
    other = None
    if mirrored:
        other, more = _joined(rows, hashes[1], near, mirrored=True, per_picture=MIRRORED_NEIGHBOURS)
        cut += more
    return Search(
        plain=plain,
        mirrored=other,
        max_distance=min(search.max_distance for search in hashes),
        truncated=cut > 0 or any(search.truncated for search in hashes),
        n_candidates=len(plain.left) + (0 if other is None else len(other.left)),
        turned_hashes=turned,
    )


def _searches(rows: PictureRows, *, few: bool) -> list[tuple[NDArray[np.int64], NDArray[np.int64] | None]]:
    """Which pictures ask for neighbours, and among which: those of each split among the others.

    Copies in the asking split do not take places among the neighbours then. Without splits, all ask among all. Where
    there are many pictures, every two splits meet once, and the smaller one asks.
    """
    if len(rows.sizes) < 2:
        return [(np.arange(len(rows.splits)), None)]
    order = np.argsort(np.bincount(rows.splits, minlength=len(rows.sizes)), kind="stable")
    place = np.argsort(order)[rows.splits]
    searches = []
    for rank in range(len(order)):
        among = place != rank if few else place > rank
        searches.append((np.flatnonzero(place == rank), np.flatnonzero(among)))
    return [(asked, among) for asked, among in searches if len(asked) and len(among)]


def _neighbours(
    asked: NDArray[np.int64],
    among: NDArray[np.int64] | None,
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    projection: Projection,
    k: int,
    window: int,
    jobs: int | None,
    seed: int,
    *,
    few: bool,
) -> tuple[NDArray[Any], ...]:
    """Pairs (left, right, window) and how far apart they are, in parts of the distance of the k-th neighbour."""
    chosen = vectors if among is None else vectors[among]
    k = max(1, min(k, len(chosen) - (among is None)))
    radius = REACH * projection.radius
    own = asked if among is None else None
    found = nearest(queries[asked], chosen, k=k, radius=radius, own=own, seed=seed, jobs=jobs or os.cpu_count() or 1)
    distance = found.distance
    index = found.index if among is None else np.where(found.index >= 0, among[found.index], -1)
    last = np.minimum(distance[:, -1:], np.float32(radius))
    part_of_last = distance / np.maximum(last, 1e-6)
    row, column = np.nonzero((index >= 0) & (few | (part_of_last <= STANDS_OUT)))
    windows = np.full(len(row), window, dtype=np.int64)
    return asked[row], index[row, column], windows, distance[row, column], part_of_last[row, column]


def _joined(
    rows: PictureRows,
    hashes: ClosePairs,
    found: list[tuple[NDArray[Any], ...]],
    *,
    mirrored: bool,
    per_picture: int,
) -> tuple[Candidates, int]:
    """Pairs by hash and by vector, each once; and how many there were too many."""
    if found:
        left, right, window, distance, apart = (np.concatenate(column) for column in zip(*found, strict=True))
        if len(rows.sizes) > 1:
            across = rows.splits[left] != rows.splits[right]
            left, right, window, distance, apart = (column[across] for column in (left, right, window, distance, apart))
        # Of the pairs that all the windows of a picture give, the nearest few.
        order = np.lexsort((distance, left))
        place = np.arange(len(order)) - np.searchsorted(left[order], left[order])
        kept = order[place < 2 * per_picture]
        left, right, window, apart = left[kept], right[kept], window[kept], apart[kept]
        order = np.lexsort((apart, np.maximum(left, right), np.minimum(left, right)))
        left, right, window, apart = left[order], right[order], window[order], apart[order]
        low, high = np.minimum(left, right), np.maximum(left, right)
        fresh = np.ones(len(left), dtype=bool)
        fresh[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
        left, right, window, apart = left[fresh], right[fresh], window[fresh], apart[fresh]
        cut = max(0, len(left) - MAX_NEIGHBOUR_PAIRS)
        if cut:
            kept = np.sort(np.argsort(apart, kind="stable")[:MAX_NEIGHBOUR_PAIRS])
            left, right, window = left[kept], right[kept], window[kept]
    else:
        left = right = window = np.zeros(0, dtype=np.int64)
        cut = 0
    one, other = hashes.left, hashes.right
    every = np.concatenate([one, left]), np.concatenate([other, right])
    windows = np.concatenate([np.zeros(len(one), dtype=np.int64), window])
    by_hash = np.arange(len(every[0])) < len(one)
    low, high = np.minimum(*every), np.maximum(*every)
    # A pair that was found both ways is one of vectors, which know the window, marked as found by its hash too.
    order = np.lexsort((by_hash, high, low))
    low, high = low[order], high[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    group = np.cumsum(fresh) - 1
    marked = np.zeros(int(fresh.sum()), dtype=bool)
    np.logical_or.at(marked, group, by_hash[order])
    chosen = order[fresh]
    return Candidates(
        left=every[0][chosen], right=every[1][chosen], window=windows[chosen], by_hash=marked, mirrored=mirrored
    ), cut

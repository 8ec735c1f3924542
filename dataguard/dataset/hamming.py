"""All pairs of 64-bit hashes within a Hamming distance, exactly, in bounded memory and without comparing all pairs.

Multi-index hashing (Norouzi, Punjani and Fleet 2012): of hashes that differ in at most t bits, cut into m bands, one
band differs in at most t // m bits. Four bands of 16 bits are looked up as they are for t ≤ 3, and with each of their
bits flipped once for t ≤ 7; two bands of 32 bits serve t ≤ 1, and the hash itself t = 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_DISTANCE = 7
"""The largest distance that four bands with one flipped bit find without a miss."""
CHUNK = 1 << 21
"""Comparisons at a time: five arrays of this length and at most 8 bytes an item are held, 84 MB."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ClosePairs:
    """Pairs of hashes within a distance."""

    left: NDArray[np.int64]
    """Indices, shape (pairs,), read-only; ascending by (left, right)."""
    right: NDArray[np.int64]
    distance: NDArray[np.uint8]
    max_distance: int
    """The distance in force: all pairs up to it are here, unless ``truncated``."""
    n_compared: int
    """Comparisons that were made; all pairs would be n·(n−1)/2."""
    truncated: bool
    """Even equal hashes were more than ``max_pairs`` or ``max_work``; some are here."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the hashes are cut for a distance."""

    band_bits: int
    flip: bool

    @classmethod
    def of(cls, distance: int) -> _Plan:
        if distance == 0:
            return cls(64, flip=False)
        if distance == 1:
            return cls(32, flip=False)
        return cls(16, flip=distance > 3)


def close_pairs(
    hashes: NDArray[np.uint64],
    others: NDArray[np.uint64] | None = None,
    *,
    groups: NDArray[np.int64] | None = None,
    max_distance: int = MAX_DISTANCE,
    max_pairs: int = 1_000_000,
    max_work: int = 4_000_000_000,
) -> ClosePairs:
    """All pairs i < j with at most `max_distance` bits between ``hashes[i]`` and ``hashes[j]``.

    Where that would take more than `max_work` comparisons or give more than `max_pairs` pairs, the distance is
    lowered until it does not, and the result says so.

    Args:
        hashes: Shape (n,), dtype uint64.
        others: A second hash of the same samples, as that of the mirrored picture, shape (n,): pairs i < j by the
            distance between ``hashes[i]`` and ``others[j]``, or the other way round.
        groups: A number from 0 for each sample; pairs within a group are left out, and cost nothing.
        max_distance: 0 to 7.
        max_pairs: The most pairs that are returned.
        max_work: The most comparisons that are made.

    Raises:
        ValueError: `max_distance` is out of range.
    """
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise ValueError(f"max_distance {max_distance}: expected 0 to {MAX_DISTANCE}")
    distance = max_distance
    sides = _sides(hashes, others, groups)
    while distance > 0 and sum(_work(side, _Plan.of(distance)) for side in sides) > max_work:
        distance = 3 if distance > 3 else (1 if distance > 1 else 0)
    kept: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]] = []
    n_kept = n_compared = 0
    truncated = False
    plan = _Plan.of(distance)
    for left, right, distances, compared in itertools.chain.from_iterable(_band_pairs(side, plan) for side in sides):
        n_compared += compared
        near = np.flatnonzero(distances <= distance)
        if others is not None:
            near = near[left[near] != right[near]]
        first, second = np.minimum(left[near], right[near]), np.maximum(left[near], right[near])
        kept.append((first, second, distances[near]))
        n_kept += len(near)
        if n_kept > 4 * max_pairs:
            merged, distance = _tightened(kept, distance, max_pairs)
            kept, n_kept = [merged], len(merged[0])
            truncated = n_kept > max_pairs
        truncated = truncated or n_compared > max_work
        if truncated:
            break
    (first, second, found), distance = _tightened(kept, distance, max_pairs)
    truncated = truncated or len(first) > max_pairs
    first, second, found = first[:max_pairs], second[:max_pairs], found[:max_pairs]
    for array in (first, second, found):
        array.setflags(write=False)
    return ClosePairs(
        left=first,
        right=second,
        distance=found,
        max_distance=distance,
        n_compared=n_compared,
        truncated=truncated,
    )


def collision_rates(hashes: NDArray[np.uint64], *, n_pairs: int = 1_000_000, seed: int = 0) -> NDArray[np.float64]:
    """The share of random pairs of different samples within each distance from 0 to 64.

    Args:
        hashes: Shape (n,), dtype uint64, n at least 2.
        n_pairs: How many pairs are drawn, with replacement.
        seed: Of the draw.

    Returns:
        Shape (65,): cumulative, so that the entry t is the share with at most t bits between them.
    """
    generator = np.random.default_rng(seed)
    left = generator.integers(0, len(hashes), n_pairs)
    right = (left + generator.integers(1, len(hashes), n_pairs)) % len(hashes)
    counts = np.bincount(np.bitwise_count(hashes[left] ^ hashes[right]), minlength=65)
    rates: NDArray[np.float64] = np.cumsum(counts) / n_pairs
    return rates


def _tightened(
    kept: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]], distance: int, max_pairs: int
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]], int]:
    """The pairs once each, ascending, within the largest distance that leaves at most `max_pairs`, or within 0."""
    if not kept:
        empty = np.zeros(0, dtype=np.int64)
        return (empty, empty.copy(), np.zeros(0, dtype=np.uint8)), distance
    left, right, found = (np.concatenate(column) for column in zip(*kept, strict=True))
    # The distance comes last, so that of the two ways in which a mirrored pair may be seen the nearer one stays.
    order = np.lexsort((found, right, left))
    left, right, found = left[order], right[order], found[order]
    fresh = np.ones(len(left), dtype=bool)
    fresh[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    left, right, found = left[fresh], right[fresh], found[fresh]
    counts = np.cumsum(np.bincount(found, minlength=distance + 1))
    while distance > 0 and counts[distance] > max_pairs:
        distance -= 1
    near = found <= distance
    return (left[near], right[near], found[near]), distance


@dataclass(frozen=True, slots=True)
class _Buckets:
    """Samples sorted by one band of their hashes."""

    order: NDArray[np.int64]
    keys: NDArray[np.uint64]
    """The distinct values of the band, ascending."""
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, hashes: NDArray[np.uint64], shift: int, bits: int) -> _Buckets:
        band = hashes >> np.uint64(shift)
        if bits == 16:
            # Narrow integers take numpy's radix sort.
            band = band.astype(np.uint16)
        elif bits == 32:
            band = band.astype(np.uint32)
        order = np.argsort(band, kind="stable")
        keys, starts, counts = np.unique(band[order], return_index=True, return_counts=True)
        return cls(order, keys.astype(np.uint64), starts, counts)

    def partners(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices into `keys` of those that occur here, and their indices here."""
        if not len(self.keys):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        index = np.searchsorted(self.keys, keys)
        index[index == len(self.keys)] = 0
        hit = np.flatnonzero(self.keys[index] == keys)
        return hit, index[hit]


def _joins(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None, plan: _Plan
) -> Iterator[tuple[_Buckets, _Buckets, NDArray[np.int64], NDArray[np.int64], bool]]:
    """Pairs of buckets to compare: (left buckets, right buckets, left index, right index, whether with itself)."""
    for shift in range(0, 64, plan.band_bits):
        mine = _Buckets.of(hashes, shift, plan.band_bits)
        theirs = mine if others is None else _Buckets.of(others, shift, plan.band_bits)
        same_left, same_right = theirs.partners(mine.keys)
        yield mine, theirs, same_left, same_right, others is None
        if not plan.flip:
            continue
        for bit in range(plan.band_bits):
            flipped = mine.keys ^ np.uint64(1 << bit)
            left, right = theirs.partners(flipped)
            if others is None:
                # Each pair of buckets is met from both sides; one will do.
                once = mine.keys[left] < flipped[left]
                left, right = left[once], right[once]
            yield mine, theirs, left, right, False


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Hashes that are compared with others, or with one another where these are None; and which samples they are."""

    hashes: NDArray[np.uint64]
    others: NDArray[np.uint64] | None
    left: NDArray[np.int64] | None = None
    """None for all, in their order."""
    right: NDArray[np.int64] | None = None


def _sides(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None, groups: NDArray[np.int64] | None
) -> list[_Side]:
    if groups is None:
        return [_Side(hashes, others)]
    sides = []
    for group in range(int(groups.max(initial=0))):
        left, right = np.flatnonzero(groups == group), np.flatnonzero(groups > group)
        sides.append(_Side(hashes[left], (hashes if others is None else others)[right], left, right))
        if others is not None:
            sides.append(_Side(hashes[right], others[left], right, left))
    return sides


def _work(side: _Side, plan: _Plan) -> int:
    total = 0
    for mine, theirs, left, right, itself in _joins(side.hashes, side.others, plan):
        if itself:
            total += int((mine.counts * (mine.counts - 1) // 2).sum())
        else:
            total += int(mine.counts[left] @ theirs.counts[right])
    return total


def _band_pairs(
    side: _Side, plan: _Plan
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8], int]]:
    """(left, right, distance, comparisons) in chunks."""
    second = side.hashes if side.others is None else side.others
    previous: tuple[_Buckets, NDArray[np.uint64], NDArray[np.uint64]] | None = None
    for mine, theirs, left, right, itself in _joins(side.hashes, side.others, plan):
        if previous is None or previous[0] is not mine:
            previous = (mine, side.hashes[mine.order], second[theirs.order])
        _, left_hashes, right_hashes = previous
        # One row a sample on the left: it meets `lengths` consecutive samples on the right, from `begins` on.
        rows = _ranges(mine.starts[left], mine.counts[left])
        bucket = np.repeat(np.arange(len(left)), mine.counts[left])
        if itself:
            begins = rows + 1
            lengths = (theirs.starts + theirs.counts)[right][bucket] - begins
        else:
            begins = theirs.starts[right][bucket]
            lengths = theirs.counts[right][bucket]
        ends = np.cumsum(lengths)
        row = 0
        while row < len(rows):
            done = ends[row] - lengths[row]
            # A bucket may hold more than a chunk: then one row is a chunk, at most as long as the data.
            stop = max(row + 1, int(np.searchsorted(ends, done + CHUNK, side="right")))
            count = lengths[row:stop]
            there = _ranges(begins[row:stop], count)
            distance = np.bitwise_count(np.repeat(left_hashes[rows[row:stop]], count) ^ right_hashes[there])
            near = np.flatnonzero(distance <= MAX_DISTANCE)
            # Which row each of the few is of: that of the first end beyond it.
            here = rows[row + np.searchsorted(ends[row:stop] - done, near, side="right")]
            found = mine.order[here], theirs.order[there[near]]
            yield (
                found[0] if side.left is None else side.left[found[0]],
                found[1] if side.right is None else side.right[found[1]],
                distance[near],
                len(there),
            )
            row = stop


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The ranges [start, start + count) one after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    ranges: NDArray[np.int64] = np.arange(total) + np.repeat(starts - (ends - counts), counts)
    return ranges

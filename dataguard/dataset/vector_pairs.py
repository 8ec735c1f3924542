"""Pairs of samples whose vectors, by a model of the user's, are closer than chance puts vectors in this dataset.

Around a vector, the number of others within a distance δ grows as δ^d. The distance of a sample's k-th neighbour in the
other split and the dimension d there (Levina and Bickel 2004) say how many unrelated samples would be as close as its
nearest ones are: the *expected number of chance pairs*, as in `likeness`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.dataset.close_vectors import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 24
"""k; more than half as many copies of one sample in the other split hide one another."""
LEAST = 50
"""Fewer samples in a split say nothing of what is usual."""
PAIRED = 4
"""Of a sample's neighbours, so many at most are its pairs."""
MAX_CHANCE_PAIRS = 0.05
"""As for thumbnails: one clean dataset in 20 has a chance pair at most."""
MIN_COSINE = 0.9
"""Less similar vectors are of similar things, whatever chance says."""
_ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class VectorPair:
    """Two samples with vectors closer than chance."""

    left: int
    right: int
    """Their rows."""
    cosine: float
    """Of their directions, the mean direction of all samples taken away."""
    chance_pairs: float
    """How many unrelated pairs are expected to be as close."""


def vector_pairs(
    vectors: NDArray[np.float32],
    splits: Sequence[str],
    contents: Sequence[str | None],
    *,
    max_chance_pairs: float = MAX_CHANCE_PAIRS,
    seed: int = 0,
) -> tuple[VectorPair, ...]:
    """The pairs across splits, the smallest number of chance pairs first.

    Args:
        vectors: Shape (n, d), one a sample; only their directions count.
        splits: The split of each.
        contents: Hash of each; pairs of equal content are left out.
        max_chance_pairs: The expected number of chance pairs that is tolerated between two splits.
        seed: Of the clusters that speed the search up.
    """
    length = np.linalg.norm(vectors.astype(np.float64), axis=1)
    usable = np.isfinite(length) & (length > 0)
    directions = np.zeros(vectors.shape, dtype=np.float32)
    directions[usable] = vectors[usable] / length[usable, None]
    if usable.any():
        # What all vectors have in common says nothing of any two.
        directions[usable] -= directions[usable].mean(axis=0, dtype=np.float64).astype(np.float32)
    norms = np.linalg.norm(directions, axis=1)
    usable &= norms > 1e-5
    directions[usable] /= norms[usable, None]
    names = np.asarray(splits, dtype=object)
    found: list[VectorPair] = []
    for one, other in itertools.combinations(sorted(set(splits)), 2):
        larger, smaller = (np.flatnonzero(usable & (names == split)) for split in (one, other))
        if len(larger) < len(smaller):
            larger, smaller = smaller, larger
        if min(len(smaller), len(larger) - LEAST + 1) >= 1:
            found += _between(directions, smaller, larger, contents, max_chance_pairs, seed)
    return tuple(sorted(found, key=lambda pair: (pair.chance_pairs, pair.left, pair.right)))


def _between(
    directions: NDArray[np.float32],
    asked: NDArray[np.int64],
    among: NDArray[np.int64],
    contents: Sequence[str | None],
    max_chance_pairs: float,
    seed: int,
) -> list[VectorPair]:
    k = min(NEIGHBOURS, len(among) - 1)
    found = nearest(directions[asked], directions[among], k=k, seed=seed)
    usual, local = _usual(found.distance)
    dimension = float(np.median(local))
    row, place = np.nonzero(found.distance[:, :PAIRED] <= math.sqrt(2 - 2 * MIN_COSINE))
    partner = found.index[row, place]
    # The sample in the denser neighbourhood decides: that of the partner is looked at among its own.
    needed, where = np.unique(partner, return_inverse=True)
    theirs = nearest(directions[among[needed]], directions[among], k=k, own=needed, seed=seed)
    their_usual, their_local = _usual(theirs.distance)
    spread = 1 + 2 / math.sqrt(max(1, k - k // 2))
    yardstick = np.minimum(usual[row], their_usual[where])
    exponent = np.clip(np.minimum(local[row], their_local[where]) * spread, 1.0, dimension)
    distance = np.maximum(found.distance[row, place], _ROUNDING)
    chance = len(asked) * k * np.minimum(1, distance / np.maximum(yardstick, _ROUNDING)) ** exponent
    pairs = []
    for index in np.flatnonzero(chance <= max_chance_pairs):
        left, right = int(among[partner[index]]), int(asked[row[index]])
        if contents[left] is None or contents[left] != contents[right]:
            cosine = 1 - float(found.distance[row[index], place[index]]) ** 2 / 2
            pairs.append(VectorPair(left=left, right=right, cosine=cosine, chance_pairs=float(chance[index])))
    return pairs


def _usual(distances: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The distance of the last neighbour, and the dimension by the farther half of them."""
    k = distances.shape[1]
    half = k // 2
    far = np.maximum(distances[:, half:].astype(np.float64), _ROUNDING)
    logs = np.log(far[:, -1:] / far[:, :-1])
    expected = np.mean([sum(1 / i for i in range(j + 1, k)) for j in range(half, k - 1)])
    return distances[:, -1], expected / np.maximum(logs.mean(axis=1), 1e-3)

"""Whether nearest neighbours lie together in an order, or in a group, more often than a local shuffle lets them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERMUTATIONS = 1999
"""Shuffles at most; the least p-value is 1 in 2,000."""
FIRST_LOOK = 99
"""After so many shuffles of which `HOPELESS` reach the observed value, no p-value below 0.01 can come out any more."""
HOPELESS = 10
CHUNK = 1024
QUERIES = 4000
"""Samples whose neighbour is looked for, at most."""
WIDEST = 64
"""Features of more dimensions are turned to their principal components: distances among them cost less."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Neighbours:
    """Each sample with the one that looks most like it among those of its stratum."""

    samples: NDArray[np.intp]
    """Indexes, shape (m,)."""
    nearest: NDArray[np.intp]
    """Index of the nearest other sample of the stratum, shape (m,); of equally near ones any, by chance."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Exchange:
    """Shares of neighbour pairs that lie together, held against those of shuffled orders."""

    observed: NDArray[np.float64]
    """One share for each way to lie together, shape (s,)."""
    expected: NDArray[np.float64]
    """Means over the shuffles, shape (s,)."""
    best: int
    """The way with the largest excess, in standard deviations of the shuffles."""
    score: float
    """That excess."""
    p_value: float
    """Share of the shuffles whose largest excess is at least as large: corrected for looking at s ways."""
    permutations: int
    n: int
    """Neighbour pairs."""


def nearest_in_stratum(
    features: NDArray[np.float32], strata: NDArray[np.intp], *, most: int, rng: np.random.Generator
) -> Neighbours:
    """The nearest other sample of the same stratum, by Euclidean distance.

    Args:
        features: Shape (n, d), finite.
        strata: A number a sample, as its class; −1 leaves it out. Shape (n,).
        most: Look for the neighbours of so many samples, drawn at random.
        rng: Draws them, and breaks ties: otherwise equal rows would find their first, and so lie together.
    """
    samples, nearest = [], []
    total = int((strata >= 0).sum())
    for stratum in np.unique(strata[strata >= 0]):
        members = np.flatnonzero(strata == stratum)
        if len(members) < 2:
            continue
        asked = np.arange(len(members))
        if total > most:
            asked = rng.choice(asked, max(1, round(most * len(members) / total)), replace=False)
        points = features[members].astype(np.float64)
        points -= points.mean(axis=0)
        squares = np.einsum("ij,ij->i", points, points)
        # Relative to the spread, so that rounding does not decide between equal rows either.
        fuzz = 1e-9 * max(float(squares.mean()), 1e-300)
        for start in range(0, len(asked), CHUNK):
            rows = asked[start : start + CHUNK]
            distances = squares[None, :] - 2 * points[rows] @ points.T + squares[rows][:, None]
            distances += fuzz * rng.random(distances.shape)
            distances[np.arange(len(rows)), rows] = np.inf
            samples.append(members[rows])
            nearest.append(members[distances.argmin(axis=1)])
    empty = np.zeros(0, dtype=np.intp)
    return Neighbours(
        samples=np.concatenate(samples) if samples else empty, nearest=np.concatenate(nearest) if nearest else empty
    )


def narrowed(features: NDArray[np.float32], widest: int = WIDEST) -> NDArray[np.float32]:
    """Features of more than `widest` dimensions as so many principal components; others as they are."""
    if features.shape[1] <= widest:
        return features
    centred = features - features.mean(axis=0, dtype=np.float64).astype(np.float32)
    _, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    turned: NDArray[np.float32] = centred @ vectors[:, -widest:].astype(np.float32)
    return turned


def slots(order: NDArray[np.intp] | NDArray[np.int64], strata: NDArray[np.intp]) -> NDArray[np.intp]:
    """Places with the strata one after another, each in the given order: shape (n,), −1 for what has no stratum."""
    place = np.full(len(order), -1, dtype=np.intp)
    ranked = np.lexsort((order, strata))
    ranked = ranked[strata[ranked] >= 0]
    place[ranked] = np.arange(len(ranked))
    return place


def exchange(
    neighbours: Neighbours,
    place: NDArray[np.intp],
    strata: NDArray[np.intp],
    together: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]],
    *,
    windows: NDArray[np.intp],
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> Exchange:
    """Hold neighbour pairs against shuffles of the order within windows of each stratum.

    H0: within a window of consecutive samples of one stratum, any order is as likely as any other. What changes
    slowly, over more than a window, is left in place by the shuffles and so is not mistaken for a group.

    Args:
        neighbours: The pairs.
        place: From `slots`, shape (n,).
        strata: Shape (n,).
        together: From two arrays of places, of the first and the second of each pair, the shares that lie together.
        windows: Samples of a window, one number a stratum: shape (max stratum + 1,).
        rng: Shuffles.
        permutations: How many shuffles at most.
    """
    used = np.flatnonzero(place >= 0)
    by_place = used[np.argsort(place[used])]
    stratum = strata[by_place]
    starts = np.concatenate(([0], np.flatnonzero(np.diff(stratum)) + 1))
    sizes = np.diff(np.concatenate((starts, [len(by_place)])))
    rank = np.arange(len(by_place)) - np.repeat(starts, sizes)
    window = windows[stratum]
    first, second = place[neighbours.samples], place[neighbours.nearest]
    observed = together(first, second)
    drawn = np.empty((permutations, len(observed)))
    done = 0
    shuffled = np.empty(len(by_place), dtype=np.intp)
    for done in range(1, permutations + 1):
        offset = (rng.random(len(starts)) * windows[stratum[starts]]).astype(np.intp)
        block = (rank + np.repeat(offset, sizes)) // window
        # Blocks ascend within strata and strata one after another, so that one sort shuffles within all of them.
        key = np.cumsum(np.concatenate(([True], (np.diff(block) != 0) | (np.diff(stratum) != 0))))
        shuffled[np.argsort(key + rng.random(len(key)))] = np.arange(len(by_place))
        drawn[done - 1] = together(shuffled[first], shuffled[second])
        if done == FIRST_LOOK and _reached(observed, drawn[:done])[0] >= HOPELESS:
            break
    reached, best, score = _reached(observed, drawn[:done])
    return Exchange(
        observed=observed,
        expected=drawn[:done].mean(axis=0),
        best=best,
        score=score,
        p_value=(1 + reached) / (1 + done),
        permutations=done,
        n=len(first),
    )


def _reached(observed: NDArray[np.float64], drawn: NDArray[np.float64]) -> tuple[int, int, float]:
    """Shuffles whose largest standardized share reaches the observed one; which share that is, and its score."""
    mean, spread = drawn.mean(axis=0), drawn.std(axis=0)
    spread = np.where(spread > 0, spread, np.inf)
    scores = (observed - mean) / spread
    best = int(scores.argmax())
    largest = ((drawn - mean) / spread).max(axis=1)
    return int((largest >= scores[best] - 1e-12).sum()), best, float(scores[best])

"""When the samples of two splits were recorded, and whether that matters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.exchange import QUERIES, exchange, narrowed, nearest_in_stratum, slots

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEGREE = 3
"""Of the polynomials over time that features and labels are held against: trends, and one swing to and fro."""
MOST = 5000
"""Samples that are looked at, drawn at random."""
WIDEST = 16
"""Features of more columns are turned to so many principal components."""
MOST_CLASSES = 10
"""Of more, the most frequent."""
PERMUTATIONS = 999
FIRST_LOOK = 99
HOPELESS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """When the samples of one split were recorded."""

    split: str
    n: int
    """Samples with a time."""
    missing: int
    """Samples without."""
    first: np.datetime64
    median: np.datetime64
    last: np.datetime64


def period(times: NDArray[np.datetime64], within: NDArray[np.bool_], split: str) -> Period | None:
    """The period of a split; None where no sample of it has a time."""
    known = np.sort(times[within & ~np.isnat(times)])
    if not len(known):
        return None
    return Period(
        split=split,
        n=len(known),
        missing=int(within.sum()) - len(known),
        first=known[0],
        median=known[len(known) // 2],
        last=known[-1],
    )


def share_later(
    times: NDArray[np.datetime64], training: NDArray[np.bool_], evaluation: NDArray[np.bool_]
) -> float | None:
    """Of all pairs of a training and an evaluation sample, those of which training is the later; equal times are half.

    0 for a split that trains on the past, 0.5 for a random one, 1 for one that trains on the future: the Mann-Whitney
    statistic over the number of pairs. None where either has no time.

    >>> days = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype="datetime64[us]")
    >>> share_later(days, np.array([True, False, True]), np.array([False, True, False]))
    0.5
    """
    known = ~np.isnat(times)
    trained, evaluated = np.sort(times[training & known]), times[evaluation & known]
    if not len(trained) or not len(evaluated):
        return None
    later = len(trained) - np.searchsorted(trained, evaluated, side="right")
    equal = np.searchsorted(trained, evaluated, side="right") - np.searchsorted(trained, evaluated, side="left")
    return float((later + equal / 2).mean() / len(trained))


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeDependence:
    """Whether samples may be exchanged over time."""

    p_value: float
    """Of the smaller of two tests, times 2."""
    drift: float
    """p-value of the test for trends."""
    nearness: float
    """p-value of the test for likeness of what is near in time; 1 where there is no feature."""
    n: int
    permutations: int


def time_dependence(
    features: NDArray[np.float32] | None,
    outcome: NDArray[np.float64] | None,
    strata: NDArray[np.intp],
    times: NDArray[np.datetime64],
    *,
    seed: int,
) -> TimeDependence:
    """Test H0: samples are exchangeable over time. Two tests, each exact by permutation, and Bonferroni for both.

    *Drift*: the largest standardized correlation of a polynomial over the ranks of the times with a feature, with the
    outcome (or a class), or with their product, in which a changing relation of the two shows. *Nearness*: whether a
    sample's nearest neighbour in the features, within its class, is near to it in time.

    Args:
        features: Shape (n, d), finite, or None.
        outcome: A regression's target, NaN for none; None where there are classes. Shape (n,).
        strata: Class codes, −1 for none; all zero without classes. Shape (n,).
        times: Shape (n,); samples at NaT take no part.
        seed: Of the draw and the shuffles.
    """
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(~np.isnat(times) & (strata >= 0))
    if outcome is not None:
        rows = rows[np.isfinite(outcome[rows])]
    if len(rows) > MOST:
        rows = np.sort(rng.choice(rows, MOST, replace=False))
    if len(rows) < 2 * DEGREE:
        return TimeDependence(p_value=1.0, drift=1.0, nearness=1.0, n=len(rows), permutations=0)
    told = np.zeros((len(rows), 0)) if features is None else _standardized(narrowed(features[rows], WIDEST))
    _, rank = np.unique(times[rows], return_inverse=True)
    drift = _drift(told, None if outcome is None else outcome[rows], strata[rows], rank, rng)
    nearness = 1.0
    if told.shape[1]:
        classes = strata[rows]
        neighbours = nearest_in_stratum(told.astype(np.float32), classes, most=QUERIES, rng=rng)
        sizes = np.bincount(classes)
        reaches = [2**power for power in range(20) if 2**power <= max(1, len(rows) // 4)]

        def together(first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.float64]:
            lags = np.sort(np.abs(first - second))
            return np.searchsorted(lags, reaches, side="right") / len(lags)

        if len(neighbours.samples):
            # Equal times in random order: any order among them is as good.
            order = np.lexsort((rng.random(len(rows)), rank)).argsort()
            place = slots(order, classes)
            windows = 2 * np.maximum(sizes, 1)
            nearness = exchange(
                neighbours, place, classes, together, windows=windows, rng=rng, permutations=PERMUTATIONS
            ).p_value
    return TimeDependence(
        p_value=min(1.0, 2 * min(drift, nearness)),
        drift=drift,
        nearness=nearness,
        n=len(rows),
        permutations=PERMUTATIONS,
    )


def _drift(
    told: NDArray[np.float64],
    outcome: NDArray[np.float64] | None,
    strata: NDArray[np.intp],
    rank: NDArray[np.intp],
    rng: np.random.Generator,
) -> float:
    if outcome is not None:
        results = _standardized(outcome[:, None])
    else:
        present, counts = np.unique(strata, return_counts=True)
        frequent = present[np.argsort(-counts, kind="stable")[:MOST_CLASSES]]
        results = _standardized((strata[:, None] == frequent).astype(np.float64))
    products = (told[:, :, None] * results[:, None, :]).reshape(len(told), -1)
    held = np.hstack([told, results, _standardized(products)])
    if not held.shape[1]:
        return 1.0
    scaled = 2 * rank / max(1, int(rank.max())) - 1
    basis = _standardized(np.polynomial.legendre.legvander(scaled, DEGREE)[:, 1:])
    if not basis.shape[1]:
        return 1.0
    # Polynomials over tied ranks are correlated; made orthogonal, each stands for what the lower ones leave.
    basis = np.linalg.qr(basis)[0]
    observed = float(np.abs(basis.T @ held).max())
    reached = 0
    for done in range(1, PERMUTATIONS + 1):
        reached += float(np.abs(basis[rng.permutation(len(basis))].T @ held).max()) >= observed - 1e-9
        if done == FIRST_LOOK and reached >= HOPELESS:
            break
    return (1 + reached) / (1 + done)


def _standardized(columns: NDArray[np.generic]) -> NDArray[np.float64]:
    """Columns at mean 0 and variance 1; constant ones are left out."""
    values = columns.astype(np.float64)
    values = values - values.mean(axis=0)
    spread = values.std(axis=0)
    kept = spread > 1e-12
    scaled: NDArray[np.float64] = values[:, kept] / spread[kept]
    return scaled

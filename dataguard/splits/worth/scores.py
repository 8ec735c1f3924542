"""Two scores over the same samples, and the interval of their difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.worth.problem import Problem
from dataguard.splits.worth.record import Worth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.splits.worth.problem import Fit, Rows


RESAMPLES = 500
"""Bootstrap resamples: the standard error is then known to about 3 %."""


def compared(
    problem: Problem,
    subject: str,
    model: str,
    predicted: tuple[
        Sequence[NDArray[np.float64]] | NDArray[np.float64], Sequence[NDArray[np.float64]] | NDArray[np.float64]
    ],
    fits: tuple[Sequence[Fit], Sequence[Fit]],
    level: float,
    seed: int,
    notes: Sequence[str],
) -> Worth:
    """The scores, and the interval of their difference from resampled evaluation samples."""
    from scipy import stats

    with_it, without = ([item] if isinstance(item, np.ndarray) else list(item) for item in predicted)
    scored = np.flatnonzero(np.any([~np.isnan(item) for item in (*with_it, *without)], axis=0))
    present, cluster = np.unique(problem.clusters[scored], return_inverse=True)
    sums_with = [_sums(problem, item, scored, cluster, len(present)) for item in with_it]
    sums_without = [_sums(problem, item, scored, cluster, len(present)) for item in without]
    rng = np.random.default_rng([seed, 7])
    scores = np.empty((2, RESAMPLES))
    whole = np.ones((1, len(present)))
    step = max(1, 2_000_000 // max(1, len(present)))
    for start in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - start)
        counts = rng.multinomial(len(present), np.full(len(present), 1 / len(present)), size=size).astype(np.float64)
        for side, sums in enumerate((sums_with, sums_without)):
            scores[side, start : start + size] = np.mean([_score(problem, item, counts) for item in sums], axis=0)
    with_score, without_score = (
        float(np.mean([_score(problem, item, whole)[0] for item in sums])) for sums in (sums_with, sums_without)
    )
    difference = with_score - without_score
    resampled = scores[0] - scores[1]
    variance = float(np.nanvar(resampled, ddof=1))
    if problem.n_classes:
        # Agresti and Min (2005): one discordant pair a class more, so that no difference seen is not none for sure.
        sizes = np.bincount(problem.values[scored].astype(np.intp), minlength=problem.n_classes)
        sizes = sizes[sizes > 0]
        variance += float(np.sum(1.0 / (sizes + 2.0) ** 2) / len(sizes) ** 2)
    half = float(stats.t.ppf((1 + level) / 2, max(1, len(present) - 1)) * np.sqrt(variance))
    bound = 1.0 if problem.n_classes else np.inf
    return Worth(
        subject=subject,
        metric="balanced accuracy" if problem.n_classes else "R²",
        model=model,
        score_with=with_score,
        score_without=without_score,
        difference=difference,
        low=max(-bound, difference - half),
        high=min(bound, difference + half),
        level=level,
        n=len(scored),
        n_clusters=len(present),
        n_training_with=len(fits[0][0][0]),
        n_training_without=len(fits[1][0][0]),
        seed=seed,
        note="; ".join(notes),
    )


def _sums(
    problem: Problem, predicted: NDArray[np.float64], scored: Rows, cluster: NDArray[np.intp], n_clusters: int
) -> NDArray[np.float64]:
    """What a score is made of, summed within clusters: shape (clusters, parts)."""
    values, guess = problem.values[scored], predicted[scored]
    told = ~np.isnan(guess)
    if problem.n_classes:
        classes, codes = np.unique(values.astype(np.intp), return_inverse=True)
        size = n_clusters * len(classes)
        place = cluster * len(classes) + codes
        hits = np.bincount(place, (told & (guess == values)).astype(np.float64), size).reshape(n_clusters, -1)
        totals = np.bincount(place, told.astype(np.float64), size).reshape(n_clusters, -1)
        return np.hstack([hits, totals])
    centred = values - values[told].mean()
    scale = max(float(np.abs(centred).max()), np.finfo(np.float64).tiny)
    centred, error = centred / scale, np.where(told, (values - guess) / scale, 0.0)
    columns = (told.astype(np.float64), np.where(told, centred, 0.0), np.where(told, centred**2, 0.0), error**2)
    return np.column_stack([np.bincount(cluster, column, n_clusters) for column in columns])


def _score(problem: Problem, sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score of each resample; counts has shape (resamples, clusters)."""
    made = counts @ sums
    with np.errstate(invalid="ignore", divide="ignore"):
        if problem.n_classes:
            n_classes = made.shape[1] // 2
            recall = made[:, :n_classes] / made[:, n_classes:]
            known = made[:, n_classes:] > 0
            score: NDArray[np.float64] = np.where(known, recall, 0.0).sum(axis=1) / known.sum(axis=1)
            return score
        n, total, squares, errors = made.T
        return np.asarray(1 - errors / (squares - total**2 / n))

"""The cheap models, and what they predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.worth.problem import LARGE, WIDE, Model, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.splits.worth.problem import Fit, Rows


COMPONENTS = 32
"""Principal components that stand for more than `WIDE` columns."""

TREES = 100
NEIGHBOURS = 5


def predictions(
    problem: Problem, features: NDArray[np.float32], fits: Sequence[Fit], model: Model, seed: int
) -> NDArray[np.float64]:
    """What a model predicts for the samples that are scored, NaN for the others: a class number, or a value."""
    import threadpoolctl  # type: ignore[import-untyped]

    predicted = np.full(problem.n, np.nan)
    for learnt, scored in fits:
        values = problem.values[learnt]
        if features.shape[1] == 0:
            predicted[scored] = values[0] if problem.n_classes else values.mean()
            continue
        # One thread: at this size handing work to others costs more than it saves, and results stay the same bits.
        with threadpoolctl.threadpool_limits(limits=1):
            if model == "nearest neighbours":
                predicted[scored] = _neighbours(features[learnt], values, features[scored], problem.n_classes)
            else:
                predicted[scored] = _trees(model, features[learnt], values, features[scored], problem.n_classes, seed)
    return predicted


def _trees(
    model: Model,
    learnt: NDArray[np.float32],
    values: NDArray[np.float64],
    scored: NDArray[np.float32],
    n_classes: int,
    seed: int,
) -> NDArray[np.float64]:
    from sklearn import ensemble

    # A column without any value tells nothing, and makes histograms of nothing.
    told = ~np.isnan(learnt).all(axis=0)
    if not told.any():
        return np.full(len(scored), values[0] if n_classes else values.mean())
    learnt, scored = learnt[:, told], scored[:, told]
    if model == "boosted trees":
        # About as much work whatever the number of classes, each of which has a tree a round.
        rounds = int(np.clip(4e6 / (len(learnt) * (n_classes if n_classes > 2 else 1)), 20, TREES))
        shared = {
            "max_iter": rounds,
            "learning_rate": 0.1 if rounds >= 60 else 0.2,
            "max_leaf_nodes": 15,
            "min_samples_leaf": min(20, max(2, len(learnt) // 20)),
            "early_stopping": False,
            # Histograms of 255 bins cost more than the samples do where those are few.
            "max_bins": 63 if len(learnt) <= 5000 else 255,
            "random_state": seed,
        }
        estimator = (
            ensemble.HistGradientBoostingClassifier(class_weight="balanced", **shared)
            if n_classes
            else ensemble.HistGradientBoostingRegressor(**shared)
        )
    else:
        middle = _column_medians(learnt)
        learnt, scored = (np.where(np.isnan(part), middle, part) for part in (learnt, scored))
        forest = {"n_estimators": TREES, "max_features": "sqrt", "random_state": seed, "n_jobs": 1}
        estimator = (
            ensemble.ExtraTreesClassifier(class_weight="balanced", **forest)
            if n_classes
            else ensemble.ExtraTreesRegressor(**forest)
        )
    estimator.fit(learnt, values)
    predicted: NDArray[np.float64] = np.asarray(estimator.predict(scored), dtype=np.float64)
    return predicted


def _neighbours(
    learnt: NDArray[np.float32],
    values: NDArray[np.float64],
    scored: NDArray[np.float32],
    n_classes: int,
) -> NDArray[np.float64]:
    """The vote or mean of the nearest samples, weighted by one over their distance, so that a copy decides alone.

    Votes are divided by the class's share of the training samples, as balanced accuracy asks for.
    """
    with np.errstate(invalid="ignore"):
        middle = np.nan_to_num(_column_medians(learnt))
    learnt, scored = (np.where(np.isnan(part), middle, part) - middle for part in (learnt, scored))
    # Columns of a table are in units of their own; those of a picture or a text are not. A wild value is far, not all.
    low, high = np.percentile(learnt, [5, 95], axis=0)
    # A column that is nearly always the same, as a rare category's, keeps what it has but the infinities.
    finite = np.where(np.abs(learnt) < LARGE, np.abs(learnt), 0).max(axis=0)
    reach = np.where(high > low, 3 * (high - low), finite).astype(np.float32)
    learnt, scored = (np.clip(part, -reach, reach) for part in (learnt, scored))
    squared = np.mean(np.square(learnt, dtype=np.float64), axis=0)
    spread = np.sqrt(squared if learnt.shape[1] <= WIDE else np.full_like(squared, squared.mean()))
    scale: NDArray[np.float32] = np.where(spread > 0, spread, 1).astype(np.float32)
    learnt, scored = learnt / scale, scored / scale
    k = min(NEIGHBOURS, len(learnt))
    squares = np.einsum("ij,ij->i", learnt, learnt)
    weight_of = np.ones(1)
    if n_classes:
        counts = np.bincount(values.astype(np.intp), minlength=n_classes)
        weight_of = len(values) / np.maximum(counts, 1)
    predicted = np.empty(len(scored))
    for start in range(0, len(scored), 512):
        part = scored[start : start + 512]
        distances = squares - 2 * (part @ learnt.T) + np.einsum("ij,ij->i", part, part)[:, None]
        near = np.argpartition(distances, k - 1, axis=1)[:, :k]
        # The subtraction above loses half the digits; of the few that count the distance is taken anew.
        exact = np.linalg.norm(part[:, None, :] - learnt[near], axis=2)
        weights = 1 / (exact + 1e-6 * (1 + exact.mean()))
        if n_classes:
            votes = np.zeros((len(part), n_classes))
            classes = values[near].astype(np.intp)
            np.add.at(votes, (np.arange(len(part))[:, None], classes), weights * weight_of[classes])
            predicted[start : start + 512] = votes.argmax(axis=1)
        else:
            predicted[start : start + 512] = (weights * values[near]).sum(axis=1) / weights.sum(axis=1)
    return predicted


def _column_medians(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    medians = np.zeros(matrix.shape[1], dtype=np.float32)
    told = ~np.isnan(matrix).all(axis=0)
    if told.any():
        medians[told] = np.nanmedian(matrix[:, told], axis=0)
    return medians


def components(matrix: NDArray[np.float32], learnt: Rows, seed: int) -> NDArray[np.float32]:
    """Principal components of the rows that are learnt from, each column at unit variance; missing values are means."""
    from sklearn.decomposition import PCA

    filled = np.where(np.isnan(matrix), _column_medians(matrix[learnt]), matrix)
    filled = np.clip(filled, -1e15, 1e15)
    spread = filled[learnt].std(axis=0, dtype=np.float64)
    scaled = filled / np.where(spread > 0, spread, 1).astype(np.float32)
    n_components = min(COMPONENTS, len(learnt) - 1, matrix.shape[1])
    pca = PCA(n_components=n_components, svd_solver="randomized", random_state=seed).fit(scaled[learnt])
    made: NDArray[np.float32] = pca.transform(scaled).astype(np.float32)
    return made

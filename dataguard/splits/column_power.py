"""How much single columns tell of the label: out of fold, safe for columns with many categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.columns import Column, Goal

if TYPE_CHECKING:
    from numpy.typing import NDArray


FOLDS = 5
MAX_ROWS = 20_000
"""Rows that a column's power is measured on at most; more are drawn from, seeded."""
MIN_LEAF = 3
"""Samples in a leaf of a column's tree: fine enough to follow a copy of the target, too coarse to name rows."""
MAX_LEAVES = 1024
MAX_BINS = 64
MIN_PER_BIN = 8
"""Bins, and samples of each, in which a column is looked at first."""
SCREENED_ROWS = 4_000
"""Rows that a column must first tell something on, where there are more."""

MANY_CLASSES = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Power:
    """How much is told out of fold: 0 for nothing, 1 for everything."""

    skill: float
    """(balanced accuracy − 1/K) / (1 − 1/K), or 1 − √(1 − R²), which is 1 less the share of the target's spread that is
    left; below 0 where it is worse than not knowing."""
    low: float
    """Lower end of a two-sided interval."""
    high: float
    """Upper end of it."""
    level: float
    """Its coverage."""
    n: int
    """Samples that were told."""

    @property
    def error(self) -> float:
        """What is left to tell: 1 − skill."""
        return 1 - self.skill

    def score(self, n_classes: int) -> float:
        """As balanced accuracy, or R² for no classes."""
        return 1 - self.error**2 if not n_classes else 1 / n_classes + self.skill * (1 - 1 / n_classes)


def folds_of(n: int, clusters: NDArray[np.intp] | None, seed: int) -> NDArray[np.intp]:
    """A fold for every sample, clusters kept whole; shape (n,)."""
    rng = np.random.default_rng([seed, 21])
    if clusters is None:
        return np.asarray(rng.permutation(n) % FOLDS, dtype=np.intp)
    present, place = np.unique(clusters, return_inverse=True)
    return np.asarray((rng.permutation(len(present)) % FOLDS)[place], dtype=np.intp)


def told_by(column: Column, goal: Goal, folds: NDArray[np.intp]) -> NDArray[np.float64]:
    """What one column alone predicts, out of fold: a class code or a value a sample.

    A number by a decision tree on it; a category by what its other samples have, so that a value that occurs once tells
    nothing. Numbers that repeat are taken as either, whichever tells more, because encodings hide the label in single
    values. A missing value is a category of its own.
    """
    by_value = _told_by_category(column.codes + 1, goal, folds)
    if column.kind == "category" or column.n_distinct <= 2:
        return by_value
    by_size = _told_by_tree(column, goal, folds)
    if not goal.n_classes:
        by_size = max((by_size, _told_between(column, goal, folds)), key=lambda predicted: _skill(predicted, goal)[0])
    if 3 * column.n_distinct > len(column.values):
        return by_size
    return max((by_size, by_value), key=lambda predicted: _skill(predicted, goal)[0])


def told_by_bins(column: Column, goal: Goal, folds: NDArray[np.intp]) -> NDArray[np.float64]:
    """What a column predicts in at most `MAX_BINS` bins of equally many samples: coarse, and a hundred times as fast.

    It is told whether a column is worth a closer look; one that tells much in leaves tells something in bins.
    """
    codes = column.codes
    if column.kind == "number":
        codes = binned(column, max(2, min(MAX_BINS, len(codes) // MIN_PER_BIN)))
    return _told_by_category(codes + 1, goal, folds)


def binned(column: Column, most: int) -> NDArray[np.intp]:
    """Codes of at most so many bins of about equally many samples, ascending, shape (n,); −1 for a missing value."""
    codes = column.codes
    if column.n_distinct <= most:
        return codes
    counts = np.bincount(codes[codes >= 0], minlength=column.n_distinct)
    before = np.cumsum(counts) - counts
    by_code = (before * most) // max(1, int(counts.sum()))
    return np.where(codes < 0, -1, by_code[codes])


def _told_by_category(codes: NDArray[np.intp], goal: Goal, folds: NDArray[np.intp]) -> NDArray[np.float64]:
    size = int(codes.max()) + 1
    predicted = np.empty(len(codes))
    if goal.n_classes:
        cell = codes * goal.n_classes + goal.codes
        # Counts of each category and class, weighted so that every class weighs the same.
        for fold in np.unique(folds):
            learnt, told = folds != fold, folds == fold
            sizes = np.bincount(goal.codes[learnt], minlength=goal.n_classes)
            counts = np.bincount(cell[learnt], minlength=size * goal.n_classes).reshape(size, goal.n_classes)
            shares = counts / np.maximum(sizes, 1)
            best = shares.argmax(axis=1)
            best[shares.max(axis=1) == 0] = int(sizes.argmax())
            predicted[told] = best[codes[told]]
        return predicted
    for fold in np.unique(folds):
        learnt, told = folds != fold, folds == fold
        counts = np.bincount(codes[learnt], minlength=size)
        middle = float(goal.values[learnt].mean())
        centred = goal.values[learnt] - middle
        # One pseudo-sample at the mean keeps a category seen once from being believed.
        means = np.bincount(codes[learnt], centred, size) / (counts + 1) + middle
        predicted[told] = means[codes[told]]
    return predicted


def _for_tree(column: Column) -> NDArray[np.float32]:
    """Numbers as float32, missing ones below all; as ranks where rounding would make two numbers one.

    A gap between the classes is as wide as it is only in the numbers: in ranks a bound in its middle cuts off samples.
    """
    known = ~column.missing
    values = column.values[known]
    if len(values):
        middle, spread = float(np.median(values)), float(np.std(values))
        if np.isfinite(spread) and spread > 0:
            made = np.full(len(known), 0.0)
            made[known] = (values - middle) / spread
            made[~known] = made[known].min() - 1
            rounded = made.astype(np.float32)
            if len(np.unique(rounded[known])) == column.n_distinct and np.isfinite(rounded).all():
                return rounded
    return column.codes.astype(np.float32)


def _told_by_tree(column: Column, goal: Goal, folds: NDArray[np.intp]) -> NDArray[np.float64]:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    x = _for_tree(column)[:, None]
    predicted = np.empty(len(x))
    for fold in np.unique(folds):
        learnt, told = folds != fold, folds == fold
        if goal.n_classes:
            leaf = min(MIN_LEAF, max(1, int(np.bincount(goal.codes[learnt]).min() // 4)))
            # Half a percent a leaf keeps noise from being followed; a boundary is found to the rank all the same.
            leaf = max(leaf, len(x) // 400)
            tree = DecisionTreeClassifier(
                min_samples_leaf=leaf, max_leaf_nodes=64, class_weight="balanced", random_state=0
            )
        else:
            tree = DecisionTreeRegressor(min_samples_leaf=MIN_LEAF, max_leaf_nodes=MAX_LEAVES, random_state=0)
        tree.fit(x[learnt], goal.values[learnt])
        predicted[told] = tree.predict(x[told])
    return predicted


def _told_between(column: Column, goal: Goal, folds: NDArray[np.intp]) -> NDArray[np.float64]:
    """The target between the nearest values, each the mean of three neighbours: follows a copy closer than steps do."""
    predicted = np.empty(len(folds))
    known = ~column.missing
    for fold in np.unique(folds):
        learnt, told = folds != fold, folds == fold
        predicted[told] = float(goal.values[learnt].mean())
        at = learnt & known
        if at.sum() < 3:
            continue
        x, y = column.values[at], goal.values[at]
        spread = float(x.std())
        if not np.isfinite(spread) or spread == 0:
            continue
        # What a line leaves is averaged, so that beyond the outermost values the line goes on.
        middle = float(x.mean())
        slope = float(np.mean((x - middle) / spread * (y - y.mean()))) / spread
        values, place = np.unique(x, return_inverse=True)
        counts = np.bincount(place).astype(np.float64)
        window = np.ones(3)
        left = y - y.mean() - slope * (x - middle)
        means = np.convolve(np.bincount(place, left), window, "same") / np.convolve(counts, window, "same")
        mine = told & known
        line = float(y.mean()) + slope * (column.values[mine] - middle)
        predicted[mine] = line + np.interp(column.values[mine], values, means)
    return predicted


def told_by_all(features: NDArray[np.float32], goal: Goal, folds: NDArray[np.intp], seed: int) -> NDArray[np.float64]:
    """What boosted trees predict out of fold from all columns of a matrix, shape (n, d), NaN for missing.

    Of more than `MANY_CLASSES` extra trees, because boosting grows a tree for each class.
    """
    import threadpoolctl  # type: ignore[import-untyped]
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, HistGradientBoostingRegressor

    predicted = np.empty(len(features))
    if goal.n_classes > MANY_CLASSES:
        features = np.where(np.isnan(features), np.float32(-1), features)
    for fold in np.unique(folds):
        learnt, told = folds != fold, folds == fold
        n, values = int(learnt.sum()), goal.values[learnt]
        usable = ~np.isnan(features[learnt]).all(axis=0)
        if not usable.any() or np.ptp(values) == 0:
            predicted[told] = float(np.median(values)) if goal.n_classes else float(values.mean())
            continue
        if goal.n_classes > MANY_CLASSES:
            forest = ExtraTreesClassifier(50, class_weight="balanced", min_samples_leaf=2, random_state=seed, n_jobs=1)
            predicted[told] = forest.fit(features[learnt], values).predict(features[told])
            continue
        options = {
            "max_iter": int(np.clip(3e6 / (n * (goal.n_classes if goal.n_classes > 2 else 1)), 15, 30)),
            "learning_rate": 0.2,
            "max_leaf_nodes": 15,
            "min_samples_leaf": min(20, max(2, n // 20)),
            "early_stopping": False,
            "max_bins": 63 if n <= 5000 else 255,
            "random_state": seed,
        }
        model = (
            HistGradientBoostingClassifier(class_weight="balanced", **options)
            if goal.n_classes
            else HistGradientBoostingRegressor(**options)
        )
        with threadpoolctl.threadpool_limits(limits=1):
            model.fit(features[learnt][:, usable], values)
            predicted[told] = model.predict(features[told][:, usable])
    return predicted


def power_of(
    predicted: NDArray[np.float64], goal: Goal, clusters: NDArray[np.intp] | None, level: float = 0.95
) -> Power:
    """The skill of predictions with an interval by linearization, clusters as units."""
    from scipy import stats

    skill, influence = _skill(predicted, goal)
    n_clusters = len(influence) if clusters is None else len(np.unique(clusters))
    half = float(stats.t.ppf((1 + level) / 2, max(1, n_clusters - 1)) * _standard_error(influence, goal, clusters))
    return Power(skill=skill, low=skill - half, high=min(1.0, skill + half), level=level, n=len(predicted))


def best_class(
    predicted: NDArray[np.float64], goal: Goal, clusters: NDArray[np.intp] | None, level: float = 0.95
) -> tuple[int, Power]:
    """The class of three or more that predictions tell from all others best, and how well: Youden's index of it."""
    counts = np.bincount(goal.codes, minlength=goal.n_classes).astype(np.float64)
    said = np.bincount(predicted.astype(np.intp), minlength=goal.n_classes)
    right = np.bincount(goal.codes, predicted == goal.values, goal.n_classes)
    others = np.maximum(len(predicted) - counts, 1)
    youden = np.where(counts > 0, right / np.maximum(counts, 1) - (said - right) / others, -1.0)
    best = int(youden.argmax())
    return best, power_of((predicted == best).astype(np.float64), one_class(goal, best), clusters, level)


def one_class(goal: Goal, code: int) -> Goal:
    """One class against all others."""
    return Goal(values=(goal.codes == code).astype(np.float64), classes=("the others", goal.classes[code]))


def beyond(
    one: NDArray[np.float64],
    rest: NDArray[np.float64],
    goal: Goal,
    clusters: NDArray[np.intp] | None,
    ratio: float,
) -> float:
    """One-sided p-value of: what `rest` leaves untold is at most `ratio` times what `one` does.

    A z-test of ``error(rest) − ratio · error(one)``, paired, clusters as units.
    """
    from scipy import stats

    skill_one, influence_one = _skill(one, goal)
    skill_rest, influence_rest = _skill(rest, goal)
    difference = (1 - skill_rest) - ratio * (1 - skill_one)
    error = _standard_error(ratio * influence_one - influence_rest, goal, clusters)
    n_clusters = len(one) if clusters is None else len(np.unique(clusters))
    return float(stats.t.sf(difference / error, max(1, n_clusters - 1)))


def _skill(predicted: NDArray[np.float64], goal: Goal) -> tuple[float, NDArray[np.float64]]:
    """Skill, and each sample's share in its error (the influence function over n), summing to 0."""
    values = goal.values
    if goal.n_classes:
        sizes = np.bincount(goal.codes, minlength=goal.n_classes).astype(np.float64)
        present = sizes > 0
        n_present = max(2, int(present.sum()))
        hits = (predicted == values).astype(np.float64)
        recall = np.bincount(goal.codes, hits, goal.n_classes) / np.maximum(sizes, 1)
        balanced = float(recall[present].mean())
        scale = 1 / (1 - 1 / n_present)
        influence = scale * (hits - recall[goal.codes]) / (sizes[goal.codes] * n_present)
        return scale * (balanced - 1 / n_present), influence
    largest = max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    centred = (values - values.mean()) / largest
    squares = centred**2
    errors = ((values - predicted) / largest) ** 2
    total = float(squares.sum())
    if total == 0:
        return 0.0, np.zeros(len(values))
    lost = max(float(errors.sum()) / total, 1e-12)
    return 1 - float(np.sqrt(lost)), -(errors - lost * squares) / (2 * np.sqrt(lost) * total)


def _standard_error(influence: NDArray[np.float64], goal: Goal, clusters: NDArray[np.intp] | None) -> float:
    sums = influence if clusters is None else np.bincount(np.unique(clusters, return_inverse=True)[1], influence)
    variance = float(np.sum(sums**2)) * len(sums) / max(1, len(sums) - 1)
    if goal.n_classes:
        # One sample a class more that goes the other way: no error seen is not none for sure.
        sizes = np.bincount(goal.codes, minlength=goal.n_classes)
        sizes = sizes[sizes > 0]
        variance += float(np.sum(1 / (sizes + 2.0) ** 2)) / (len(sizes) - 1 or 1) ** 2
    return float(np.sqrt(max(variance, 1e-300)))

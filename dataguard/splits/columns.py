"""What single columns of a table say of the label: out of fold, safe for columns with many categories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from dataguard.splits.samples import SplitSamples

FOLDS = 5
MAX_ROWS = 20_000
"""Rows that a column's power is measured on at most; more are drawn from, seeded."""
MIN_LEAF = 3
"""Samples in a leaf of a column's tree: fine enough to follow a copy of the target, too coarse to name rows."""
MAX_LEAVES = 1024
SCREENED_ROWS = 4_000
"""Rows that a column must first tell something on, where there are more."""
MANY_CLASSES = 10
MIN_PER_CLASS = 5
"""Samples of a class for it to count: one in each fold."""


@dataclass(frozen=True, kw_only=True, slots=False, eq=False)
class Column:
    """One column in the form that tests take: ranks of its distinct values, or codes of its categories."""

    name: str
    kind: Literal["number", "category"]
    values: NDArray[np.float64]
    """Shape (n,): the number (a time in seconds), or the category's code; NaN for a missing value."""
    categories: tuple[str, ...] = ()
    """What the codes stand for, by frequency, most frequent first."""

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        """Where there is no value, shape (n,)."""
        return np.isnan(self.values)

    @cached_property
    def codes(self) -> NDArray[np.intp]:
        """Number of the distinct value, ascending, shape (n,); −1 where it is missing."""
        known = ~self.missing
        made = np.full(len(self.values), -1, dtype=np.intp)
        made[known] = np.unique(self.values[known], return_inverse=True)[1]
        return made

    @cached_property
    def n_distinct(self) -> int:
        """How many distinct values there are, missing ones apart."""
        return int(self.codes.max(initial=-1)) + 1

    @cached_property
    def feature(self) -> NDArray[np.float32]:
        """What a tree sees of it: ranks, which survive rounding to float32 as large numbers do not; shape (n,)."""
        made = self.codes.astype(np.float32)
        made[self.missing] = np.nan
        return made


def read_column(series: pd.Series[Any], name: str) -> Column:
    """A table's column; text that is all numbers is numbers, everything that is no number is a category.

    Lists, dictionaries and other values that cannot be compared are told apart by how they print.
    """
    import pandas as pd
    from pandas.api import types

    dtype = series.dtype
    if types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        missing = series.isna().to_numpy()
        delta = series - pd.Timestamp(0, tz=series.dt.tz) if types.is_datetime64_any_dtype(dtype) else series
        seconds = delta.dt.total_seconds().to_numpy(dtype=np.float64)
        return Column(name=name, kind="number", values=np.where(missing, np.nan, seconds))
    if types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype) and not types.is_bool_dtype(dtype):
        return Column(name=name, kind="number", values=_finite(series.to_numpy(dtype=np.float64, na_value=np.nan)))
    known = series.dropna()
    if types.is_object_dtype(dtype) or types.is_string_dtype(dtype):
        plain = known.map(_plain)
        numbers = pd.to_numeric(plain, errors="coerce")
        if len(known) and numbers.notna().all():
            values = np.full(len(series), np.nan)
            values[series.notna().to_numpy()] = numbers.to_numpy(dtype=np.float64)
            return Column(name=name, kind="number", values=_finite(values))
    texts = known.map(lambda value: value if isinstance(value, str) else repr(value)).astype(object)
    counts = texts.value_counts()
    order = sorted(counts.index, key=lambda text: (-int(counts[text]), text))
    place = {text: code for code, text in enumerate(order)}
    values = np.full(len(series), np.nan)
    values[series.notna().to_numpy()] = [place[text] for text in texts]
    return Column(name=name, kind="category", values=values, categories=tuple(order))


def read_columns(frame: pd.DataFrame, names: Sequence[str]) -> tuple[Column, ...]:
    """Columns of a table by name; of names that occur twice the first."""
    places: dict[str, int] = {}
    for place, label in enumerate(frame.columns):
        places.setdefault(str(label), place)
    return tuple(read_column(frame.iloc[:, places[name]], name) for name in names)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | list | dict | tuple | set):
        return "not a number"
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return "not a number"


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """±inf as the largest numbers, so that they stay the extremes that they are."""
    largest = np.finfo(np.float64).max
    return np.clip(values, -largest, largest)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Goal:
    """What is to be told: classes, or numbers."""

    values: NDArray[np.float64]
    """Class codes from 0 or the target, shape (n,), without missing ones."""
    classes: tuple[str, ...]
    """Their names; empty for a regression."""

    @property
    def n_classes(self) -> int:
        """0 for a regression."""
        return len(self.classes)

    @property
    def codes(self) -> NDArray[np.intp]:
        """Class codes, shape (n,)."""
        return self.values.astype(np.intp)


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


def goal_of(samples: SplitSamples) -> tuple[Goal, NDArray[np.intp]]:
    """The label of the samples that have one, and which those are; classes of fewer than `MIN_PER_CLASS` are left out.

    Without classes or a target there are none.
    """
    if samples.labels is not None:
        given = samples.labels.tolist()
        known = [row for row, label in enumerate(given) if label is not None]
        names, codes = np.unique(np.array([str(given[row]) for row in known], dtype=str), return_inverse=True)
        counts = np.bincount(codes, minlength=len(names))
        kept = counts >= MIN_PER_CLASS
        number = np.cumsum(kept) - 1
        chosen = kept[codes] if len(codes) else np.zeros(0, dtype=np.bool_)
        goal = Goal(values=number[codes[chosen]].astype(np.float64), classes=tuple(str(name) for name in names[kept]))
        return goal, np.array(known, dtype=np.intp)[chosen]
    targets = np.full(len(samples), np.nan) if samples.targets is None else samples.targets
    rows = np.flatnonzero(np.isfinite(targets))
    return Goal(values=targets[rows], classes=()), rows


def refusal(goal: Goal, *, min_samples: int = 40) -> str:
    """Why no column can be judged against this label; '' where one can."""
    if len(goal.values) < min_samples:
        return f"too few samples: {len(goal.values)} have a label that occurs {MIN_PER_CLASS} times or more"
    if goal.n_classes == 1:
        return f"only one class, {goal.classes[0]!r}, has {MIN_PER_CLASS} samples or more"
    if not goal.n_classes and np.ptp(goal.values) == 0:
        return "the target is constant"
    return ""


def clusters_of(samples: SplitSamples, rows: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Number of the group, or of the content, of every row; None where each is one of its own."""
    names = samples.groups or samples.contents
    if not names:
        return None
    numbers: dict[object, int] = {}
    made = [numbers.setdefault((row,) if names[row] is None else names[row], len(numbers)) for row in rows.tolist()]
    return None if len(numbers) == len(made) else np.array(made, dtype=np.intp)


def feature_columns(samples: SplitSamples) -> tuple[Column, ...]:
    """What a model is fed, column by column: of a table as it is, of given features the numbers; empty for others."""
    if samples.columns is not None:
        return read_columns(samples.columns, samples.feature_columns)
    if samples.kind == "given" and samples.features is not None:
        names = samples.feature_names or tuple(f"feature {place}" for place in range(samples.features.shape[1]))
        return tuple(
            Column(name=name, kind="number", values=samples.features[:, place].astype(np.float64))
            for place, name in enumerate(names)
        )
    return ()


def some_of(column: Column, rows: NDArray[np.intp]) -> Column:
    """A column of some of the rows."""
    return Column(name=column.name, kind=column.kind, values=column.values[rows], categories=column.categories)


_ROW_NAME = re.compile(
    r"unnamed: ?\d+|.*Id|.*ID|"
    r".*(?:^|[_\W])(?:id|ids|uid|uuid|guid|index|idx|key|no|nr|num|row|rownum|rownr|number)"
)


def names_rows(column: Column) -> bool:
    """Whether a column is a name or number of the row: an id, an index, and no quantity.

    Whole numbers, distinct in 95 % of samples, that are called so or fill their range by a quarter or more.
    """
    known = column.values[~column.missing]
    if len(known) < 10 or column.n_distinct < 0.95 * len(known):
        return False
    if column.kind == "category":
        return True
    if not np.all(known == np.rint(known)):
        return False
    if _ROW_NAME.fullmatch(column.name) or _ROW_NAME.fullmatch(column.name.lower()):
        return True
    return float(np.ptp(known)) + 1 <= 4 * len(known)


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


def _told_by_tree(column: Column, goal: Goal, folds: NDArray[np.intp]) -> NDArray[np.float64]:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    # Trees take float32 and missing values only in some versions: ranks, with missing ones below all.
    x = column.codes.astype(np.float32)[:, None]
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
            "max_iter": int(np.clip(3e6 / (n * (goal.n_classes if goal.n_classes > 2 else 1)), 15, 60)),
            "learning_rate": 0.15,
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


# A column that is the label under another name


@dataclass(frozen=True, kw_only=True, slots=True)
class Recoding:
    """The label written another way."""

    kind: Literal["one to one", "many to one", "linear", "monotone"]
    """'one to one': a value a class. 'many to one': every value has one class alone. Of a target: 'linear', where it is
    slope · target + offset up to rounding, or 'monotone', where it only keeps the order, without one exception."""
    n: int
    """Samples with a value."""
    n_values: int
    """Distinct values."""
    slope: float = float("nan")
    offset: float = float("nan")
    log10_chance: float = 0.0
    """Logarithm of the chance that labels put at random onto the values fit as well."""


def recoding(column: Column, goal: Goal, *, min_samples: int = 20) -> Recoding | None:
    """Whether a column's values are the label under another name, exactly; None where they are not.

    Missing values are left out, and at least half must be there. Of classes: every value that is there occurs with one
    class only, and values repeat (twice or more for 95 % of samples), so that a name of a row is no recoding. A column
    of many numbers is not judged here, for a feature may part the classes.

    The chance is that of labels at random: of k values with counts c, all c labels of a value agree with a probability
    of about ∏ max-share^(c − 1).
    """
    known = ~column.missing
    n = int(known.sum())
    if n < min_samples or 2 * n < len(known):
        return None
    codes, k = np.unique(column.codes[known], return_inverse=True)[1], 0
    k = int(codes.max()) + 1
    values = goal.values[known]
    if goal.n_classes:
        classes, labels = np.unique(values.astype(np.intp), return_inverse=True)
        if len(classes) < 2 or k < 2:
            return None
        counts = np.bincount(codes, minlength=k)
        if counts[counts > 1].sum() < 0.95 * n:
            return None
        table = np.bincount(codes * len(classes) + labels, minlength=k * len(classes)).reshape(k, -1)
        if (np.count_nonzero(table, axis=1) > 1).any():
            return None
        share = float(table.sum(axis=0).max()) / n
        chance = float(np.sum((counts - 1) * np.log10(min(share, 1 - 1e-12))))
        if k > len(classes) and (column.kind == "number" or chance > -6):
            # Numbers that part the classes may be a feature that does; categories that do name the class.
            return None
        if chance > -6:
            return None
        kind: Literal["one to one", "many to one"] = "one to one" if k == len(classes) else "many to one"
        return Recoding(kind=kind, n=n, n_values=k, log10_chance=chance)
    distinct = np.unique(values)
    if len(distinct) < 10 or k < 10:
        return None
    x = column.values[known]
    if column.kind == "category":
        return None
    order = np.argsort(x, kind="stable")
    scale_x, scale_y = max(float(np.abs(x).max()), 1e-300), max(float(np.abs(values).max()), 1e-300)
    centred_x, centred_y = x / scale_x, values / scale_y
    centred_x, centred_y = centred_x - centred_x.mean(), centred_y - centred_y.mean()
    slope = float(centred_x @ centred_y / (centred_y @ centred_y))
    residual = centred_x - slope * centred_y
    # What rounding either of the two to its own lattice can leave.
    rounding = 0.5 * (decimal_step(x) / scale_x + abs(slope) * decimal_step(values) / scale_y)
    spread = float(np.sqrt(np.mean(centred_x**2)))
    tolerance = max(rounding * 1.01, 1e-6 * spread)
    chance = -float(len(distinct))
    # A lattice so coarse that anything fits on it says nothing.
    if slope != 0 and tolerance < 0.05 * spread and float(np.abs(residual).max()) <= 2 * tolerance:
        true_slope = slope * scale_x / scale_y
        offset = float(x.mean() - true_slope * values.mean())
        return Recoding(kind="linear", n=n, n_values=k, slope=true_slope, offset=offset, log10_chance=chance)
    ordered_x, ordered_y = x[order], values[order]
    if k < 20 or k < 0.5 * len(distinct):
        return None
    for sign in (1, -1):
        if _monotone(ordered_x, sign * ordered_y):
            return Recoding(kind="monotone", n=n, n_values=k, log10_chance=chance)
    return None


def _monotone(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Whether y never falls as x rises; among equal x it may do as it likes."""
    starts = np.flatnonzero(np.r_[True, np.diff(x) > 0])
    highest, lowest = np.maximum.reduceat(y, starts), np.minimum.reduceat(y, starts)
    return bool(np.all(highest[:-1] <= lowest[1:]))


def decimal_step(values: NDArray[np.float64]) -> float:
    """The pitch of the decimal lattice that numbers lie on: 0.01 for two digits; 0 where they lie on none."""
    largest = float(np.abs(values).max())
    for digits in range(-3, 10):
        pitch = 10.0**-digits
        if largest / pitch > 1e14:
            break
        scaled = values / pitch
        if np.all(np.abs(scaled - np.rint(scaled)) < 1e-6 + 1e-13 * np.abs(scaled)):
            return pitch
    return 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """The target as an exact sum and difference of columns."""

    columns: tuple[str, ...]
    signs: tuple[int, ...]
    constant: float
    n: int


def bookkeeping(columns: Sequence[Column], goal: Goal, *, most: int = 200) -> Identity | None:
    """Whether the target is columns added and subtracted (total = casual + registered); None where it is not.

    Least squares on all numeric columns, without a missing value, solved where there are three samples a column: an
    identity has coefficients of 0 and ±1, and leaves nothing but rounding. A noiseless linear target has other
    coefficients, and is not one.
    """
    usable = [c for c in columns if c.kind == "number" and c.n_distinct > 1 and not c.missing.any()][:most]
    if goal.n_classes or len(usable) < 2 or len(goal.values) < 3 * (len(usable) + 1):
        return None
    x = np.column_stack([column.values for column in usable])
    middle, spread = x.mean(axis=0), x.std(axis=0)
    if not np.isfinite(spread).all() or (spread == 0).any():
        return None
    y = goal.values - goal.values.mean()
    scaled = (x - middle) / spread
    solution = np.linalg.lstsq(scaled, y, rcond=1e-10)[0]
    size = float(np.abs(y).max())
    if size == 0 or float(np.abs(y - scaled @ solution).max()) > 1e-6 * size:
        return None
    coefficients = solution / spread
    signs = np.rint(coefficients)
    if not np.all(np.abs(coefficients - signs) < 1e-5) or np.abs(signs).max() > 1 or np.abs(signs).sum() < 2:
        return None
    used = np.flatnonzero(signs)
    constant = float(goal.values.mean() - middle[used] @ signs[used])
    return Identity(
        columns=tuple(usable[place].name for place in used),
        signs=tuple(int(signs[place]) for place in used),
        constant=0.0 if abs(constant) < 1e-6 * size else constant,
        n=len(y),
    )


# Missing values that know the label


@dataclass(frozen=True, kw_only=True, slots=True)
class TellingGaps:
    """Which class a column's missing values tell of."""

    label: str
    """The class."""
    missing: bool
    """True where the class is missing a value, and the others have one; False the other way round."""
    n: int
    """Samples in the telling state (missing, or present)."""
    n_right: int
    """Those of them that are of the class."""
    n_class: int
    """Samples of the class."""
    p_value: float
    """Fisher's exact test, one-sided, before any correction."""
    youden: float
    """Share of the class in that state, less the share of the others."""

    @property
    def purity(self) -> float:
        """Share of the class among the samples in that state."""
        return self.n_right / self.n

    @property
    def coverage(self) -> float:
        """Share of the class that is in that state."""
        return self.n_right / self.n_class


def telling_gaps(column: Column, goal: Goal, clusters: NDArray[np.intp] | None = None) -> tuple[TellingGaps, ...]:
    """For every class and either state, how far a column's missing values tell of it; empty where all or none miss.

    Of clusters of equal labels the first sample stands for all.
    """
    from scipy import stats

    missing = column.missing
    labels = goal.codes
    if clusters is not None:
        first = np.unique(np.column_stack([clusters, labels, missing]), axis=0, return_index=True)[1]
        missing, labels = missing[first], labels[first]
    if missing.all() or not missing.any():
        return ()
    n = len(missing)
    found = []
    for code, label in enumerate(goal.classes):
        mine = labels == code
        for state in (True, False):
            inside = missing == state
            right, n_inside, n_class = int((mine & inside).sum()), int(inside.sum()), int(mine.sum())
            if not n_class or n_class == n or not n_inside:
                continue
            # Of two classes, the one's gaps and the other's values are one and the same table.
            p = float(stats.hypergeom.sf(right - 1, n, n_class, n_inside))
            youden = right / n_class - (n_inside - right) / (n - n_class)
            found.append(
                TellingGaps(
                    label=label,
                    missing=state,
                    n=n_inside,
                    n_right=right,
                    n_class=n_class,
                    p_value=p,
                    youden=youden,
                )
            )
    return tuple(found)


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """P-values corrected for their number (Holm 1979).

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1.0)
    made = np.empty_like(p)
    made[order] = raised
    return made

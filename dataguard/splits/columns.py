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
MAX_BINS = 64
MIN_PER_BIN = 8
"""Bins, and samples of each, in which a column is looked at first."""
SCREENED_ROWS = 4_000
"""Rows that a column must first tell something on, where there are more."""
MIN_KAPPA = 0.85
MIN_KAPPA_LOW = 0.75
"""Agreement of a copy with errors: 5 % wrong of two equal classes have a kappa of 0.9, and 150 samples a bound of 0.8;
Landis and Koch call more than 0.8 almost perfect."""
MANY_CLASSES = 10
MIN_OF_VALUE = 5
"""Samples of a value for it to be judged by itself."""
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
    if types.infer_dtype(known, skipna=False) == "string":
        return _read_texts(series, name)
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


def _read_texts(series: pd.Series[Any], name: str) -> Column:
    """A column of nothing but texts: each distinct one is read once."""
    import pandas as pd

    codes, distinct = pd.factorize(series.astype(object))
    texts = [str(text) for text in distinct]
    missing = codes < 0
    numbers = pd.to_numeric(pd.Series([text.strip() for text in texts], dtype=object), errors="coerce")
    if len(texts) and numbers.notna().all():
        by_code = _finite(numbers.to_numpy(dtype=np.float64))
        return Column(name=name, kind="number", values=np.where(missing, np.nan, by_code[np.maximum(codes, 0)]))
    if not texts:
        return Column(name=name, kind="category", values=np.full(len(series), np.nan))
    counts = np.bincount(codes[~missing], minlength=len(texts))
    order = sorted(range(len(texts)), key=lambda code: (-int(counts[code]), texts[code]))
    place = np.empty(len(texts))
    place[order] = np.arange(len(texts))
    values = np.where(missing, np.nan, place[np.maximum(codes, 0)])
    return Column(name=name, kind="category", values=values, categories=tuple(texts[code] for code in order))


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

    The chance is that of labels at random: one to one they agree in K! of n! / ∏ c! ways; of more values with counts c,
    all c labels of a value agree with a probability of about ∏ max-share^(c − 1).
    """
    from scipy.special import gammaln

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
        if k == len(classes):
            # Labels put at random onto the rows agree in K! of n! / ∏ c! ways.
            chance = float((gammaln(counts + 1.0).sum() + gammaln(k + 1.0) - gammaln(n + 1.0)) / np.log(10))
        else:
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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NearCopy:
    """A column with one value a class that is the label but for a few samples."""

    n: int
    """Samples with a value."""
    n_wrong: int
    """Those of them whose value is another class's, or none's."""
    kappa: float
    """Cohen's kappa of the two: agreement beyond that of chance, 1 for the label itself."""
    kappa_low: float
    """Its lower end, from the one-sided 95 % bound of the agreement (Clopper and Pearson)."""
    predicted: NDArray[np.float64]
    """The class of each sample's value, shape (n,); the commonest class for no such value."""


def may_be_copy(column: Column, goal: Goal) -> bool:
    """Whether a column has about as few values as there are classes; decided without the label of any sample."""
    return bool(2 <= goal.n_classes <= column.n_distinct <= 3 * goal.n_classes + 5 and 2 * column.missing.mean() <= 1)


def near_copy(column: Column, goal: Goal, clusters: NDArray[np.intp] | None) -> NearCopy | None:
    """Whether a column is the label but for a few samples; None where it is not.

    The commonest value of each class must be another one, and the agreement sure: kappa at least `MIN_KAPPA`, its lower
    end at least `MIN_KAPPA_LOW`. Errors that come in clusters are as many as by Kish's design effect.
    """
    from scipy import stats

    if not may_be_copy(column, goal):
        return None
    codes, labels = column.codes, goal.codes
    counted = np.flatnonzero(codes >= 0)
    k = goal.n_classes
    table = np.bincount(codes[counted] * k + labels[counted], minlength=column.n_distinct * k).reshape(-1, k)
    sizes = table.sum(axis=0)
    n = int(sizes.sum())
    # A class without a sample with a value has nothing to be copied by.
    if n < 20 or (sizes == 0).any():
        return None
    modes = table.argmax(axis=0)
    if len(np.unique(modes)) < k:
        return None
    n_right = int(table[modes, np.arange(k)].sum())
    by_chance = float((table.sum(axis=1)[modes] / n) @ (sizes / n))
    kappa = (n_right / n - by_chance) / (1 - by_chance)
    wrong = (modes[labels[counted]] != codes[counted]).astype(np.float64)
    effect = design_effect(wrong - wrong.mean(), None if clusters is None else clusters[counted])
    least = float(stats.beta.ppf(0.05, n_right / effect, (n - n_right) / effect + 1))
    low = (least - by_chance) / (1 - by_chance)
    if kappa < MIN_KAPPA or low < MIN_KAPPA_LOW:
        return None
    class_of = np.full(column.n_distinct + 1, int(sizes.argmax()))
    class_of[modes] = np.arange(k)
    return NearCopy(n=n, n_wrong=n - n_right, kappa=kappa, kappa_low=low, predicted=class_of[codes].astype(np.float64))


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
    """Which class a column's missing values, or one of its values, tell of."""

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
    design_effect: float = 1.0
    """How many samples count as one, for coming in clusters."""
    value: str | None = None
    """The one value that the samples have; None where it is whether there is any."""
    by_size: bool = False
    """Whether the values next to it are of the class too, so that its size tells it and not itself."""

    @property
    def purity(self) -> float:
        """Share of the class among the samples in that state."""
        return self.n_right / self.n

    @property
    def coverage(self) -> float:
        """Share of the class that is in that state."""
        return self.n_right / self.n_class


def telling_gaps(column: Column, goal: Goal, clusters: NDArray[np.intp] | None = None) -> tuple[TellingGaps, ...]:
    """For every class, how far it is told by a missing value, by one that is there, and by each common value.

    A value is judged where it occurs at least `MIN_OF_VALUE` times and a tenth as often as the class, which is decided
    by the margins that Fisher's test holds fixed. Where it comes in clusters, the test counts by Kish's design effect.
    """
    from scipy import stats

    codes = column.codes
    labels = goal.codes
    n, k = len(codes), goal.n_classes
    present = np.bincount(codes + 1, minlength=column.n_distinct + 1)
    sizes = np.bincount(labels, minlength=k)
    common = np.flatnonzero(present[1:] >= max(MIN_OF_VALUE, 0.1 * sizes[sizes > 0].min(initial=n)))
    # Two values and no gap are one table, and a copy or a recoding where they tell everything.
    states: list[tuple[bool, int, NDArray[np.intp]]] = []
    if 0 < present[0] < n:
        gone = np.bincount(labels[codes < 0], minlength=k)
        states = [(True, -1, gone), (False, -1, sizes - gone)]
    if column.n_distinct > 1:
        place = np.full(column.n_distinct, -1)
        place[common] = np.arange(len(common))
        mine = np.where(codes < 0, -1, place[codes])
        inside = mine >= 0
        table = np.bincount(mine[inside] * k + labels[inside], minlength=len(common) * k).reshape(-1, k)
        states += [(False, int(code), row) for code, row in zip(common, table, strict=True)]
    made = [
        (missing, code, label, int(row.sum()), int(row[label]), int(sizes[label]))
        for missing, code, row in states
        for label in range(k)
        if 0 < sizes[label] < n and (code < 0 or row.sum() >= max(MIN_OF_VALUE, 0.1 * sizes[label]))
    ]
    if not made:
        return ()
    n_inside, right, n_class = (np.array([item[place] for item in made]) for place in (3, 4, 5))
    youden = right / n_class - (n_inside - right) / (n - n_class)
    effects = np.ones(len(made))
    if clusters is not None:
        cells = np.unique(np.column_stack([clusters, labels]), axis=0, return_inverse=True)[1].ravel()
        for number, (missing, code, label, _, _, _) in enumerate(made):
            # Where the one is not even commoner in the class there is nothing to correct.
            if youden[number] > 0:
                inside = (codes == code) if code >= 0 else (codes < 0) == missing
                mine = labels == label
                shares = np.where(mine, right[number] / n_class[number], 0.0)
                shares[~mine] = (n_inside[number] - right[number]) / (n - n_class[number])
                effects[number] = design_effect(inside - shares, clusters, cells)
    units = [np.rint(counts / effects) for counts in (right, np.full(len(made), n), n_class, n_inside)]
    p_values = np.nan_to_num(np.atleast_1d(stats.hypergeom.sf(units[0] - 1, *units[1:])), nan=1.0)
    ordered = np.unique(column.values[~column.missing])
    return tuple(
        TellingGaps(
            label=goal.classes[label],
            missing=missing,
            value=None if code < 0 else shown(column, ordered[code]),
            n=size,
            n_right=hits,
            n_class=of_class,
            design_effect=float(effects[number]),
            p_value=float(p_values[number]),
            youden=float(youden[number]),
            by_size=code >= 0 and column.kind == "number" and _is_by_size(codes, labels, code, label),
        )
        for number, (missing, code, label, size, hits, of_class) in enumerate(made)
    )


def design_effect(
    residuals: NDArray[np.float64], clusters: NDArray[np.intp] | None, cells: NDArray[np.intp] | None = None
) -> float:
    """How many samples of clusters count as one: Kish's design effect of the sum of residuals, at least 1.

    Where there is nothing left over, all that is known is that clusters agree, within a label where they have several:
    then it is the mean size of a sample's cell (of its cluster, where no cells are given).
    """
    if clusters is None:
        return 1.0
    place = np.unique(clusters, return_inverse=True)[1]
    total = float(residuals @ residuals)
    if total <= 1e-12 * len(residuals):
        sizes = np.bincount(place if cells is None else cells).astype(np.float64)
        sizes = sizes[sizes > 0]
        return float((sizes**2).sum() / sizes.sum())
    return max(1.0, float((np.bincount(place, residuals) ** 2).sum()) / total)


def shown(column: Column, value: float) -> str:
    """A value of a column as it is written in a report."""
    if column.kind == "category" and column.categories:
        return repr(column.categories[int(value)])
    return f"{value:.10g}"


def _is_by_size(codes: NDArray[np.intp], labels: NDArray[np.intp], code: int, label: int) -> bool:
    """Whether the values next to one, ten samples on either side, are mostly of its class: then its size tells it."""
    if int(codes.max()) < 2:
        return False
    order = np.argsort(codes, kind="stable")
    ranked = codes[order]
    low, high = np.searchsorted(ranked, [code, code + 1])
    start = int(np.searchsorted(ranked, 0))
    for near in (order[max(start, low - 10) : low], order[high : high + 10]):
        if len(near) and np.mean(labels[near] == label) >= 0.8:
            return True
    return False


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

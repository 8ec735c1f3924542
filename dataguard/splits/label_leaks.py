"""Which columns of a table give the label away, and how that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.multiple_tests import holm
from dataguard.splits.column_power import (
    MAX_ROWS,
    SCREENED_ROWS,
    Power,
    best_class,
    beyond,
    binned,
    folds_of,
    one_class,
    power_of,
    told_by,
    told_by_all,
    told_by_bins,
)
from dataguard.splits.columns import Column, Goal, clusters_of, names_rows, some_of
from dataguard.splits.encodings import Encoding, find_encodings
from dataguard.splits.label_copies import Identity, NearCopy, Recoding, bookkeeping, may_be_copy, near_copy, recoding
from dataguard.splits.telling_gaps import MIN_OF_VALUE, TellingGaps, shown, telling_gaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.splits.samples import SplitSamples

MAX_CANDIDATES = 6
"""Columns that are compared with all the others; the most telling ones."""
SCREENED_BY = 0.3
"""How far below `least` the skill in bins must lie for a closer look to be spared."""
MIN_ODDS_RATIO = 9.0
"""Of a value that one class has: of two equal classes, at most one in ten of its samples may be of the other."""
GRADED = 0.2
"""Skill of a column's other values from which one of them is no mark: d = 0.5, Cohen's medium."""
MIN_REST = 40
MAX_REST = 100
"""Other columns that a candidate is compared with; the most telling ones."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Telling:
    """A column that alone tells the label nearly, against what the others tell together."""

    column: str
    label: str | None
    """The one class of three or more that it tells from the others; None for all classes, or a target."""
    alone: Power
    rest: Power | None
    """All other columns but those that are the label by construction; None where there are none."""
    p_value: float
    """That the others leave untold at most `ratio` times as much as this one; corrected by Holm."""
    n_alike: int
    """How many columns besides tell as much alone."""
    rest_without_alike: Power | None
    """The others without those either."""
    p_without_alike: float
    n_tests: int
    """What the p-values were corrected for: each column, and of three classes or more each class."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Copied:
    """A column that is the label but for a few samples, against what the others tell together."""

    column: str
    copy: NearCopy
    alone: Power
    rest: Power | None
    """All other columns but those that are the label by construction or nearly; None where there are none."""
    p_value: float
    """One-sided, that the others together leave no more untold; times the columns that have as few values."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Gaps:
    """A column whose missing values, or one of whose values, tell of a class."""

    column: str
    gaps: TellingGaps
    p_value: float
    """Fisher's, corrected by Holm."""
    least_purity: float
    """One-sided 95 % bound of the purity (Clopper and Pearson)."""
    odds_ratio: float
    """The odds of the class at that bound, over its odds among all samples."""
    told_anyway: float | None
    """Share of those samples whose class the other columns tell out of fold; None without other columns."""

    @property
    def is_told_anyway(self) -> bool:
        """Whether the other columns tell the class of 95 % of those samples, and these do not tell it exactly."""
        return self.told_anyway is not None and self.told_anyway >= 0.95 and self.gaps.youden < 0.99


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelLeaks:
    """Every column held against the label."""

    n: int
    """Samples with a label."""
    n_columns: int
    n_power: int
    """Samples that power was measured on."""
    powers: Mapping[str, Power]
    """Of each column alone; on a part where the column told little there."""
    row_names: tuple[str, ...]
    """Columns that name the row, which are judged elsewhere."""
    recodings: Mapping[str, Recoding]
    encodings: Mapping[str, Encoding]
    identity: Identity | None
    copies: tuple[Copied, ...]
    telling: tuple[Telling, ...]
    gaps: tuple[Gaps, ...]
    encodings_tried: bool

    @property
    def leaks(self) -> frozenset[str]:
        """Names of all columns that something was found of, or is left to another rule to find."""
        parts = () if self.identity is None else self.identity.columns
        found = [
            *(item.column for item in self.telling),
            *(item.column for item in self.copies),
            *(item.column for item in self.gaps),
        ]
        return frozenset({*self.row_names, *self.recodings, *self.encodings, *parts, *found})


def label_leaks(
    samples: SplitSamples,
    columns: Sequence[Column],
    goal: Goal,
    rows: NDArray[np.intp],
    *,
    least: float,
    perfect: float,
    ratio: float,
    alpha: float,
    seed: int,
) -> LabelLeaks:
    """Hold every column against the label.

    Args:
        samples: All of them.
        columns: The feature columns of all samples.
        goal: The label of `rows`.
        rows: The samples that have one.
        least: Skill alone from which a column is held against the others.
        perfect: Skill alone from which a column says nothing of what the others tell of missing values.
        ratio: How many times as much the others must leave untold.
        alpha: Of the tests of missing values, after Holm.
        seed: Of draws and folds.
    """
    judged = [some_of(column, rows) for column in columns]
    row_names = tuple(column.name for column in judged if column.kind == "number" and names_rows(column))
    judged = [column for column in judged if column.name not in row_names]
    clusters = clusters_of(samples, rows)

    recodings = {column.name: made for column in judged if (made := recoding(column, goal)) is not None}
    others = [column for column in judged if column.name not in recodings]
    whole = samples.n_total == len(samples)
    encodings: dict[str, Encoding] = {}
    if whole:
        groupings = [c for c in others if c.kind == "category" or np.all(c.values[~c.missing] % 1 == 0)]
        found = find_encodings(others, goal, _sets(samples, rows), groupings=groupings)
        encodings = {item.column: item for item in found}
    identity = bookkeeping(others, goal)
    made_of = set() if identity is None else set(identity.columns)
    near = {
        column.name: copy
        for column in others
        if column.name not in encodings and (copy := near_copy(column, goal, clusters)) is not None
    }
    honest = [c for c in others if c.name not in encodings and c.name not in made_of and c.name not in near]

    part = np.arange(len(rows))
    if len(part) > MAX_ROWS:
        part = np.sort(np.random.default_rng([seed, 31]).choice(len(part), MAX_ROWS, replace=False))
    small = Goal(values=goal.values[part], classes=goal.classes)
    part_clusters = None if clusters is None else clusters[part]
    folds = folds_of(len(part), part_clusters, seed)
    drawn = {column.name: some_of(column, part) for column in judged}
    predicted = {name: _screened(column, small, folds, least) for name, column in drawn.items()}
    powers = {
        name: power_of(told, Goal(values=small.values[: len(told)], classes=small.classes), None)
        if len(told) < len(part)
        else power_of(told, small, part_clusters)
        for name, told in predicted.items()
    }
    # What tells the label alone must not be the reason why a column's missing values tell nothing new.
    weaker = [column for column in honest if powers[column.name].skill < perfect]
    gaps = _gaps(honest, weaker, drawn, powers, goal, small, clusters, folds, part, alpha, seed)
    told_of = {item.column for item in gaps if not item.is_told_anyway}
    rest = [column for column in honest if column.name not in told_of]
    telling = _telling(rest, drawn, predicted, powers, small, part_clusters, folds, least, ratio, seed)
    n_near = sum(may_be_copy(column, goal) for column in others)
    copies = _copies(near, rest, drawn, powers, small, part, part_clusters, folds, n_near, seed)
    return LabelLeaks(
        n=len(rows),
        n_columns=len(columns),
        n_power=len(part),
        powers=powers,
        row_names=row_names,
        recodings=recodings,
        encodings=encodings,
        identity=identity,
        copies=copies,
        telling=telling,
        gaps=gaps,
        encodings_tried=whole,
    )


def _sets(samples: SplitSamples, rows: NDArray[np.intp]) -> dict[str, NDArray[np.bool_]]:
    """Rows that an encoding may have been fitted on."""
    training = samples.in_training[rows]
    evaluation = {name: samples.within(name)[rows] for name in samples.evaluation_splits}
    evaluation = {name: inside for name, inside in evaluation.items() if inside.any()}
    sets: dict[str, NDArray[np.bool_]] = {}
    if evaluation and training.any():
        sets["the training split"] = training
        if len(evaluation) > 1:
            sets |= {f"the training split and {name!r}": training | inside for name, inside in evaluation.items()}
    sets["all rows"] = np.ones(len(rows), dtype=np.bool_)
    if len(sets) > 1 or len(evaluation) > 1:
        sets |= {f"split {name!r} alone": inside for name, inside in evaluation.items()}
    return sets


def _screened(column: Column, goal: Goal, folds: NDArray[np.intp], least: float) -> NDArray[np.float64]:
    """What a column tells: in bins, of the first `SCREENED_ROWS` rows, where that is far from telling; else of all."""
    n = min(len(goal.values), SCREENED_ROWS)
    head = slice(0, n)
    part = Goal(values=goal.values[head], classes=goal.classes)
    told = told_by_bins(some_of(column, np.arange(n)), part, folds[head])
    skill = power_of(told, part, None).skill
    if goal.n_classes > 2:
        skill = max(skill, best_class(told, part, None)[1].skill)
    return told if skill < least - SCREENED_BY else told_by(column, goal, folds)


def _matrix(columns: Sequence[Column]) -> NDArray[np.float32]:
    """Columns in bins, as the trees would make them, who take most of their time for that."""
    most = 63 if len(columns[0].values) <= 5000 else 255
    codes = np.column_stack([binned(column, most) for column in columns]).astype(np.float32)
    codes[codes < 0] = np.nan
    return codes


def _telling(
    honest: Sequence[Column],
    drawn: Mapping[str, Column],
    predicted: Mapping[str, NDArray[np.float64]],
    powers: Mapping[str, Power],
    goal: Goal,
    clusters: NDArray[np.intp] | None,
    folds: NDArray[np.intp],
    least: float,
    ratio: float,
    seed: int,
) -> tuple[Telling, ...]:
    alone = {column.name: (powers[column.name], predicted[column.name], goal, -1) for column in honest}
    if goal.n_classes > 2:
        for name, (power, told, _, _) in alone.items():
            if power.skill < least and len(told) == len(goal.values):
                code, of_class = best_class(told, goal, clusters)
                if of_class.skill >= least:
                    alone[name] = (of_class, (told == code).astype(np.float64), one_class(goal, code), code)
    strong = [name for name, (power, _, _, _) in alone.items() if power.skill >= least]
    strong = sorted(strong, key=lambda name: -alone[name][0].skill)[:MAX_CANDIDATES]
    by_power = sorted((column.name for column in honest), key=lambda name: -powers[name].skill)

    def rest_of(left_out: set[str], of: Goal) -> NDArray[np.float64] | None:
        names = [name for name in by_power if name not in left_out][:MAX_REST]
        return told_by_all(_matrix([drawn[name] for name in names]), of, folds, seed) if names else None

    def ahead_of_each(name: str, left_out: set[str]) -> bool:
        """Whether no other column by itself leaves as little untold as the test asks of all together."""
        error, code = alone[name][0].error, alone[name][3]
        return not any(
            alone[other][3] == code and alone[other][0].error <= ratio * error
            for other in alone
            if other not in left_out and other != name
        )

    made = []
    for name in strong:
        power, told, of, code = alone[name]
        nothing = np.full(len(of.values), float(np.median(of.values)) if of.n_classes else of.values.mean())
        alike = {
            other for other in strong if alone[other][3] == code and alone[other][0].error <= 2 * power.error + 0.01
        }
        judged: list[tuple[Power | None, float]] = []
        for left_out in ({name}, alike):
            if left_out == {name} and judged:
                judged.append(judged[0])
            elif ahead_of_each(name, left_out):
                rest = rest_of(left_out, of)
                p = beyond(told, nothing if rest is None else rest, of, clusters, ratio)
                judged.append((None if rest is None else power_of(rest, of, clusters), p))
            else:
                judged.append((None, 1.0))
        made.append((name, *judged[0], len(alike) - 1, *judged[1]))
    # Every column was a candidate before any was looked at.
    n_tests = len(honest) * max(1, goal.n_classes)
    return tuple(
        Telling(
            column=name,
            label=None if alone[name][3] < 0 else goal.classes[alone[name][3]],
            alone=alone[name][0],
            rest=rest,
            p_value=min(1.0, p * n_tests),
            n_alike=n_alike,
            rest_without_alike=apart,
            p_without_alike=min(1.0, p_apart * n_tests),
            n_tests=n_tests,
        )
        for name, rest, p, n_alike, apart, p_apart in made
    )


def _gaps(
    honest: Sequence[Column],
    weaker: Sequence[Column],
    drawn: Mapping[str, Column],
    powers: Mapping[str, Power],
    goal: Goal,
    small: Goal,
    clusters: NDArray[np.intp] | None,
    folds: NDArray[np.intp],
    part: NDArray[np.intp],
    alpha: float,
    seed: int,
) -> tuple[Gaps, ...]:
    from scipy import stats

    if not goal.n_classes:
        return ()
    every = [(column, gaps) for column in honest for gaps in telling_gaps(column, goal, clusters)]
    if not every:
        return ()
    corrected = holm([gaps.p_value for _, gaps in every])
    kept: dict[str, tuple[Column, TellingGaps, float, float, float]] = {}
    for (column, gaps), p in zip(every, corrected.tolist(), strict=True):
        base = gaps.n_class / len(goal.values)
        hits, size = gaps.n_right / gaps.design_effect, gaps.n / gaps.design_effect
        least = float(stats.beta.ppf(0.05, hits, size - hits + 1)) if gaps.n_right else 0.0
        odds_ratio = least / (1 - least) * (1 - base) / base
        if (
            p > alpha
            or gaps.by_size
            or not ((gaps.youden >= 0.9 and gaps.value is None) or is_pure(gaps, odds_ratio, least, base))
        ):
            continue
        if is_graded(some_of(column, part), gaps, small, folds):
            continue
        before = kept.get(column.name)
        if before is None or gaps.youden > before[1].youden:
            kept[column.name] = (column, gaps, p, least, odds_ratio)
    if not kept:
        return ()
    others = sorted((c.name for c in weaker if c.name not in kept), key=lambda name: -powers[name].skill)[:MAX_REST]
    rest = told_by_all(_matrix([drawn[name] for name in others]), small, folds, seed) if others else None
    found = []
    for column, gaps, p, least, odds_ratio in kept.values():
        inside = _having(column, gaps)[part]
        anyway = None
        if rest is not None and inside.any():
            anyway = float(np.mean(rest[inside] == goal.classes.index(gaps.label)))
        found.append(
            Gaps(
                column=column.name, gaps=gaps, p_value=p, least_purity=least, odds_ratio=odds_ratio, told_anyway=anyway
            )
        )
    return tuple(sorted(found, key=lambda item: -item.gaps.youden))


def is_pure(gaps: TellingGaps, odds_ratio: float, least: float, base: float) -> bool:
    """Whether hardly any sample of another class has it, and enough of the class do.

    None of another class, or one in 200, and a quarter of the class; or, of missing values, a purity whose bound leaves
    a tenth of the other classes' share, and a tenth of the class.
    """
    if gaps.n - gaps.n_right <= 0.005 * gaps.n:
        return odds_ratio >= MIN_ODDS_RATIO and gaps.coverage >= 0.25
    return gaps.value is None and 1 - least <= 0.1 * (1 - base) and gaps.coverage >= 0.1


def is_graded(column: Column, gaps: TellingGaps, goal: Goal, folds: NDArray[np.intp]) -> bool:
    """Whether a column's other values tell the class as well: then it is a strong feature, and not a mark.

    They do with a skill of `GRADED` or more, out of fold.
    """
    if gaps.value is None:
        return False
    others = np.flatnonzero(~_having(column, gaps))
    of = one_class(goal, goal.classes.index(gaps.label))
    left = Goal(values=of.values[others], classes=of.classes)
    if len(others) < MIN_REST or min(np.bincount(left.codes, minlength=2)) < MIN_OF_VALUE:
        return False
    told = told_by_bins(some_of(column, others), left, folds[others])
    return power_of(told, left, None).skill >= GRADED


def _having(column: Column, gaps: TellingGaps) -> NDArray[np.bool_]:
    """Which samples have the telling gap or value."""
    if gaps.value is None:
        return np.asarray(column.missing == gaps.missing)
    return (
        np.asarray([shown(column, value) == gaps.value for value in np.unique(column.values[~column.missing])])[
            np.maximum(column.codes, 0)
        ]
        & ~column.missing
    )


def _copies(
    near: Mapping[str, NearCopy],
    rest: Sequence[Column],
    drawn: Mapping[str, Column],
    powers: Mapping[str, Power],
    goal: Goal,
    part: NDArray[np.intp],
    clusters: NDArray[np.intp] | None,
    folds: NDArray[np.intp],
    n_tests: int,
    seed: int,
) -> tuple[Copied, ...]:
    if not near:
        return ()
    names = sorted((column.name for column in rest), key=lambda name: -powers[name].skill)[:MAX_REST]
    others = told_by_all(_matrix([drawn[name] for name in names]), goal, folds, seed) if names else None
    held = np.zeros(len(goal.values)) if others is None else others
    power = None if others is None else power_of(others, goal, clusters)
    found = []
    for name, made in near.items():
        told = made.predicted[part]
        p_value = min(1.0, n_tests * beyond(told, held, goal, clusters, 1.0))
        alone = power_of(told, goal, clusters)
        found.append(Copied(column=name, copy=made, alone=alone, rest=power, p_value=p_value))
    return tuple(sorted(found, key=lambda item: -item.copy.kappa))

"""Which columns of a table give the label away, and how that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.columns import (
    MAX_ROWS,
    SCREENED_ROWS,
    Column,
    Goal,
    Identity,
    Power,
    Recoding,
    TellingGaps,
    best_class,
    beyond,
    bookkeeping,
    clusters_of,
    folds_of,
    holm,
    names_rows,
    one_class,
    power_of,
    recoding,
    some_of,
    telling_gaps,
    told_by,
    told_by_all,
)
from dataguard.splits.encodings import Encoding, find_encodings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.splits.samples import SplitSamples

MAX_CANDIDATES = 6
"""Columns that are compared with all the others; the most telling ones."""
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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Gaps:
    """A column whose missing values tell of a class."""

    column: str
    gaps: TellingGaps
    p_value: float
    """Fisher's, corrected by Holm."""
    least_purity: float
    """Lower end of the one-sided 97.5 % interval of the purity (Clopper and Pearson)."""
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
    telling: tuple[Telling, ...]
    gaps: tuple[Gaps, ...]
    encodings_tried: bool

    @property
    def leaks(self) -> frozenset[str]:
        """Names of all columns that something was found of, or is left to another rule to find."""
        parts = () if self.identity is None else self.identity.columns
        found = [*(item.column for item in self.telling), *(item.column for item in self.gaps)]
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
    honest = [c for c in others if c.name not in encodings and c.name not in made_of]

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
    return LabelLeaks(
        n=len(rows),
        n_columns=len(columns),
        n_power=len(part),
        powers=powers,
        row_names=row_names,
        recodings=recodings,
        encodings=encodings,
        identity=identity,
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
    """What a column tells: of the first `SCREENED_ROWS` rows where that is far from telling, of all else."""
    n = len(goal.values)
    if n > SCREENED_ROWS:
        head = slice(0, SCREENED_ROWS)
        part = Goal(values=goal.values[head], classes=goal.classes)
        told = told_by(some_of(column, np.arange(SCREENED_ROWS)), part, folds[head])
        if power_of(told, part, None).skill < least - 0.2:
            return told
    return told_by(column, goal, folds)


def _matrix(columns: Sequence[Column]) -> NDArray[np.float32]:
    return np.column_stack([column.feature for column in columns])


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

    made = []
    for name in strong:
        power, told, of, code = alone[name]
        nothing = np.full(len(of.values), float(np.median(of.values)) if of.n_classes else of.values.mean())
        rest = rest_of({name}, of)
        alike = {
            other for other in strong if alone[other][3] == code and alone[other][0].error <= 2 * power.error + 0.01
        }
        apart = rest_of(alike, of) if len(alike) > 1 else rest
        made.append(
            (
                name,
                None if rest is None else power_of(rest, of, clusters),
                beyond(told, nothing if rest is None else rest, of, clusters, ratio),
                len(alike) - 1,
                None if apart is None else power_of(apart, of, clusters),
                beyond(told, nothing if apart is None else apart, of, clusters, ratio),
            )
        )
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
    kept: dict[str, tuple[Column, TellingGaps, float, float]] = {}
    for (column, gaps), p in zip(every, corrected.tolist(), strict=True):
        base = gaps.n_class / len(goal.values) if clusters is None else gaps.n_class / _distinct(clusters, goal)
        least = float(stats.beta.ppf(0.025, gaps.n_right, gaps.n - gaps.n_right + 1)) if gaps.n_right else 0.0
        pure = 1 - least <= 0.1 * (1 - base) and gaps.coverage >= 0.1
        if p > alpha or not (gaps.youden >= 0.9 or pure):
            continue
        before = kept.get(column.name)
        if before is None or gaps.youden > before[1].youden:
            kept[column.name] = (column, gaps, p, least)
    if not kept:
        return ()
    others = sorted((c.name for c in weaker if c.name not in kept), key=lambda name: -powers[name].skill)[:MAX_REST]
    rest = told_by_all(_matrix([drawn[name] for name in others]), small, folds, seed) if others else None
    found = []
    for column, gaps, p, least in kept.values():
        inside = column.missing[part] == gaps.missing
        anyway = None
        if rest is not None and inside.any():
            anyway = float(np.mean(rest[inside] == goal.classes.index(gaps.label)))
        found.append(Gaps(column=column.name, gaps=gaps, p_value=p, least_purity=least, told_anyway=anyway))
    return tuple(sorted(found, key=lambda item: -item.gaps.youden))


def _distinct(clusters: NDArray[np.intp], goal: Goal) -> int:
    return len(np.unique(np.column_stack([clusters, goal.codes]), axis=0))

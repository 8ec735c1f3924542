"""What a leak is worth: the held-out score of a cheap model with it and without it.

The score is balanced accuracy for classes and R² for a regression target. The difference is paired: both models predict
the same samples wherever they can, so that how hard those are cancels. The model is cheap (seconds) and is not the
user's: the figure says how much of a score the leak can make, and a model that remembers more can gain more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from dataguard.core.finding import Measurement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows: TypeAlias = NDArray[np.intp]
    Fit: TypeAlias = tuple[Rows, Rows]

Task: TypeAlias = Literal["classification", "regression"]
Model: TypeAlias = Literal["boosted trees", "extra trees", "nearest neighbours"]

MAX_TRAINING = 20_000
"""Training rows that a model sees at most; more are drawn from, seeded. A fit then takes seconds."""
MAX_EVALUATION = 5_000
"""Evaluation rows scored at most: the standard error of a share is then below 0.7 percentage points."""
MAX_CLASSES = 100
"""Trees cost time and memory for each class; above, nearest neighbours predict."""
WIDE = 64
"""More columns than this are judged by neighbours where samples leak, and by components where columns do."""
COMPONENTS = 32
"""Principal components that stand for more than `WIDE` columns."""
MIN_TRAINING = 20
MIN_EVALUATION = 10
"""With fewer rows the interval around any difference covers most of the scale."""
MIN_PER_CLASS = 2
"""Training rows a class needs for its evaluation rows to be scored."""
RESAMPLES = 500
"""Bootstrap resamples: the standard error is then known to about 3 %."""
FOLDS = 5
TREES = 100
NEIGHBOURS = 5
_LARGE = np.float32(1e30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """The held-out score of a model with a leak and without it."""

    subject: str
    """What was left out: 'leaked evaluation samples', 'column age', 'the split as it is', …"""
    metric: str
    """'balanced accuracy' (mean recall of the classes) or 'R²'."""
    model: str
    """What learnt and predicted."""
    score_with: float
    """The score with the leak."""
    score_without: float
    """The score without it."""
    difference: float
    """``score_with - score_without``: what the leak adds to the score."""
    low: float
    """Lower end of the difference's interval."""
    high: float
    """Upper end."""
    level: float
    """Coverage of the interval. It holds the chance in which samples are evaluated, and not that in the training."""
    n: int
    """Evaluation samples that the scores rest on."""
    n_clusters: int
    """Independent groups among them; n where no groups are given."""
    n_training_with: int
    """Samples that the model with the leak learnt from (of one fit, where there are several)."""
    n_training_without: int
    """Samples that the model without it learnt from."""
    seed: int
    """What the draws and the model started from."""
    note: str = ""
    """What was drawn, matched or left out."""

    @property
    def is_gain(self) -> bool:
        """Whether the leak adds to the score beyond chance: the interval lies above 0."""
        return self.low > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NoWorth:
    """The worth of a leak could not be measured."""

    subject: str
    """What would have been left out."""
    reason: str
    """Why not."""


def describe(worth: Worth | NoWorth) -> str:
    """One or two sentences that hold the figures.

    >>> describe(NoWorth(subject="column age", reason="no label"))
    'What it is worth was not measured: no label.'
    """
    if isinstance(worth, NoWorth):
        return f"What it is worth was not measured: {worth.reason}."
    return (
        f"Worth {worth.difference:+.3f} {worth.metric} ({100 * worth.level:.0f} % interval {worth.low:+.3f} to "
        f"{worth.high:+.3f}): {worth.model} reach {worth.score_with:.3f} with it and {worth.score_without:.3f} "
        f"without, over {worth.n:,} held-out samples."
    )


def measurements(worth: Worth | NoWorth) -> tuple[Measurement, ...]:
    """The figures as a finding carries them.

    >>> measurements(NoWorth(subject="column age", reason="no label"))[0].value
    'not measured: no label'
    """
    if isinstance(worth, NoWorth):
        return (Measurement(name=f"worth of {worth.subject}", value=f"not measured: {worth.reason}"),)
    made = [
        Measurement(name=f"held-out {worth.metric} with {worth.subject}", value=worth.score_with, n=worth.n),
        Measurement(name=f"held-out {worth.metric} without {worth.subject}", value=worth.score_without, n=worth.n),
        Measurement(
            name=f"worth of {worth.subject} in {worth.metric}",
            value=worth.difference,
            low=worth.low,
            high=worth.high,
            level=worth.level,
            n=worth.n,
        ),
        Measurement(name="model of the worth", value=worth.model),
        Measurement(name="samples that the model of the worth learnt from", value=worth.n_training_with),
        Measurement(name="seed of the worth", value=worth.seed),
    ]
    if worth.note:
        made.append(Measurement(name="note on the worth", value=worth.note))
    return tuple(made)


def worth_of_columns(
    features: NDArray[np.float32],
    target: NDArray[np.generic],
    columns: Sequence[int],
    *,
    subject: str,
    train: NDArray[np.bool_] | None = None,
    evaluation: NDArray[np.bool_] | None = None,
    groups: Sequence[str | None] | None = None,
    task: Task | None = None,
    model: Model = "boosted trees",
    level: float = 0.95,
    seed: int = 0,
) -> Worth | NoWorth:
    """What columns add to the score: all columns against all but these.

    Without a split the samples are predicted out of fold, `FOLDS` folds, groups kept whole. Where these are all the
    columns, the score without them is that of no knowledge: one class always (1 / classes), or the mean (0).

    Args:
        features: Shape (n, d); NaN for a missing value, ±inf allowed.
        target: n class names or codes (None or NaN for none), or n numbers (NaN for none).
        columns: Which columns leak.
        subject: What the report calls them.
        train: Which rows are trained on, shape (n,).
        evaluation: Which rows are scored, shape (n,).
        groups: Which samples belong together (a patient); they are resampled, and kept in a fold, together.
        task: By default floating-point targets are a regression.
        model: What learns.
        level: Coverage of the interval.
        seed: Of the draws, the folds and the model.

    Raises:
        ValueError: shapes do not fit, or a column is out of range.
    """
    problem = Problem.of(features, target, groups, task)
    left_out = sorted({int(column) for column in columns})
    if any(not 0 <= column < features.shape[1] for column in left_out):
        raise ValueError(f"columns {left_out}: the features have {features.shape[1]}")
    if (train is None) != (evaluation is None):
        raise ValueError("train and evaluation go together")
    fits, notes = _split(problem, train, evaluation, seed)
    reason = problem.refusal(fits)
    if reason:
        return NoWorth(subject=subject, reason=reason)
    fits = problem.kept(fits, fits)
    others = [column for column in range(features.shape[1]) if column not in set(left_out)]
    used = problem.chosen(model)
    without_features = problem.features[:, others]
    with_features = problem.features
    if len(others) > WIDE:
        without_features = _components(without_features, np.unique(np.concatenate([fit[0] for fit in fits])), seed)
        with_features = np.hstack([without_features, problem.features[:, left_out]])
        notes.append(f"the other {len(others):,} columns as {without_features.shape[1]} principal components")
    with_it = predictions(problem, with_features, fits, used, seed)
    without = predictions(problem, without_features, fits, used, seed)
    return compared(problem, subject, used, (with_it, without), (fits, fits), level, seed, notes)


def worth_of_evaluation_samples(
    features: NDArray[np.float32],
    target: NDArray[np.generic],
    train: NDArray[np.bool_],
    evaluation: NDArray[np.bool_],
    leaked: NDArray[np.bool_],
    *,
    subject: str = "the leaked evaluation samples",
    copies: NDArray[np.bool_] | None = None,
    groups: Sequence[str | None] | None = None,
    task: Task | None = None,
    model: Model | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Worth | NoWorth:
    """One model, scored on all evaluation samples and on those that did not leak.

    This is what the published figure becomes once the leaked samples are dropped. It also moves where those are easier
    or harder than the rest for another reason; `worth_of_training_samples` does not.

    Args:
        features: Shape (n, d); NaN for a missing value, ±inf allowed.
        target: n class names or codes (None or NaN for none), or n numbers (NaN for none).
        train: Which rows are trained on, shape (n,).
        evaluation: Which rows are scored, shape (n,).
        leaked: Which rows leaked; those of them in `evaluation` are dropped.
        subject: What the report calls them.
        copies: Training rows to keep where rows must be drawn, as those that the leaked ones are copies of.
        groups: Which samples belong together; they are resampled together.
        task: By default floating-point targets are a regression.
        model: What learns; by default extra trees, or nearest neighbours for more than `WIDE` columns.
        level: Coverage of the interval.
        seed: Of the draws and the model.

    Raises:
        ValueError: shapes do not fit.
    """
    problem = Problem.of(features, target, groups, task)
    _same_length(problem.n, train, evaluation, leaked)
    if not (leaked & evaluation).any():
        return NoWorth(subject=subject, reason="no evaluation sample leaked")
    fits, notes = _split(problem, train, evaluation, seed, keep=copies)
    reason = problem.refusal(fits)
    if reason:
        return NoWorth(subject=subject, reason=reason)
    fits = problem.kept(fits, fits)
    clean = [(learnt, scored[~leaked[scored]]) for learnt, scored in fits]
    reason = problem.refusal(clean)
    if reason:
        return NoWorth(subject=subject, reason=f"without the leaked ones {reason}")
    used = problem.chosen(model or problem.rememberer)
    predicted = predictions(problem, problem.features, fits, used, seed)
    without = predicted.copy()
    dropped = np.ones(problem.n, dtype=np.bool_)
    dropped[clean[0][1]] = False
    without[dropped] = np.nan
    return compared(problem, subject, used, ([predicted], [without]), (fits, clean), level, seed, notes)


def worth_of_training_samples(
    features: NDArray[np.float32],
    target: NDArray[np.generic],
    train: NDArray[np.bool_],
    evaluation: NDArray[np.bool_],
    leaked: NDArray[np.bool_],
    *,
    subject: str = "the leaked training samples",
    groups: Sequence[str | None] | None = None,
    task: Task | None = None,
    model: Model | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Worth | NoWorth:
    """Two models, one of which has not seen the leaked training samples, scored on the same evaluation samples.

    The model with the leak learns from equally many samples: as many others, drawn at random, are left out of its
    training, so that the smaller training set of the other is no explanation. Where the leaked ones are more than half
    that is not possible, and the note says so.

    Args:
        features: Shape (n, d); NaN for a missing value, ±inf allowed.
        target: n class names or codes (None or NaN for none), or n numbers (NaN for none).
        train: Which rows are trained on, shape (n,).
        evaluation: Which rows are scored, shape (n,).
        leaked: Which rows leaked; those of them in `train` are left out.
        subject: What the report calls them.
        groups: Which samples belong together; they are resampled together.
        task: By default floating-point targets are a regression.
        model: What learns; by default extra trees, or nearest neighbours for more than `WIDE` columns.
        level: Coverage of the interval.
        seed: Of the draws and the model.

    Raises:
        ValueError: shapes do not fit.
    """
    problem = Problem.of(features, target, groups, task)
    _same_length(problem.n, train, evaluation, leaked)
    if not (leaked & train).any():
        return NoWorth(subject=subject, reason="no training sample leaked")
    fits, notes = _split(problem, train, evaluation, seed, keep=leaked & train)
    (learnt, scored) = fits[0]
    clean = [(learnt[~leaked[learnt]], scored)]
    reason = problem.refusal(clean)
    if reason:
        return NoWorth(subject=subject, reason=f"without the leaked ones {reason}")
    kept_clean, n_leaked = clean[0][0], int(leaked[learnt].sum())
    if 2 * n_leaked <= len(learnt):
        drawn = np.random.default_rng([seed, 3]).permutation(kept_clean)[n_leaked:]
        matched = [(np.sort(np.concatenate([drawn, learnt[leaked[learnt]]])), scored)]
        notes.append(f"both models learn from {len(matched[0][0]):,} samples")
    else:
        matched = fits
        notes.append(f"the models learn from {len(learnt):,} and {len(kept_clean):,} samples: most leaked")
    # Both must know every class that is scored.
    fits = problem.kept(matched, clean)
    clean = problem.kept(clean, matched)
    reason = problem.refusal(fits) or problem.refusal(clean)
    if reason:
        return NoWorth(subject=subject, reason=f"without the leaked ones {reason}")
    used = problem.chosen(model or problem.rememberer)
    with_it = predictions(problem, problem.features, fits, used, seed)
    without = predictions(problem, problem.features, clean, used, seed)
    return compared(problem, subject, used, ([with_it], [without]), (fits, clean), level, seed, notes)


def worth_of_assignment(
    features: NDArray[np.float32],
    target: NDArray[np.generic],
    train: NDArray[np.bool_],
    evaluation: NDArray[np.bool_],
    others: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
    *,
    subject: str = "the split as it is",
    groups: Sequence[str | None] | None = None,
    task: Task | None = None,
    model: Model | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Worth | NoWorth:
    """The score under the given split against that under another one, as with whole groups or in order of time.

    Args:
        features: Shape (n, d); NaN for a missing value, ±inf allowed.
        target: n class names or codes (None or NaN for none), or n numbers (NaN for none).
        train: Which rows are trained on as it is, shape (n,).
        evaluation: Which rows are scored as it is, shape (n,).
        others: Training and evaluation rows of the other assignment; several, as `grouped_assignments` makes them, are
            scored together, because what one draw leaves to evaluate is chance.
        subject: What the report calls the given split.
        groups: Which samples belong together; they are resampled together.
        task: By default floating-point targets are a regression.
        model: What learns; by default extra trees, or nearest neighbours for more than `WIDE` columns.
        level: Coverage of the interval.
        seed: Of the draws and the model.

    Raises:
        ValueError: shapes do not fit, or there is no other assignment.
    """
    problem = Problem.of(features, target, groups, task)
    if not others:
        raise ValueError("no other assignment to compare with")
    fits, notes = _split(problem, train, evaluation, seed)
    other_fits: list[Fit] = []
    size = min(len(fits[0][0]), *(int((problem.known & mask).sum()) for mask, _ in others))
    for number, (other_train, other_evaluation) in enumerate(others):
        _same_length(problem.n, other_train, other_evaluation)
        made, more = _split(problem, other_train, other_evaluation, seed + number + 1)
        other_fits += made
        notes += [note for note in more if note not in notes]
    reason = problem.refusal(fits) or next(filter(None, (problem.refusal([fit]) for fit in other_fits)), "")
    if reason:
        return NoWorth(subject=subject, reason=reason)
    rng = np.random.default_rng([seed, 5])
    fits = [(np.sort(rng.permutation(learnt)[:size]), scored) for learnt, scored in fits]
    other_fits = [(np.sort(rng.permutation(learnt)[:size]), scored) for learnt, scored in other_fits]
    notes.append(f"all models learn from {len(fits[0][0]):,} samples")
    fits, other_fits = problem.kept(fits, other_fits), problem.kept(other_fits, fits)
    reason = problem.refusal(fits) or next(filter(None, (problem.refusal([fit]) for fit in other_fits)), "")
    if reason:
        return NoWorth(subject=subject, reason=reason)
    used = problem.chosen(model or problem.rememberer)
    with_it = [predictions(problem, problem.features, [fit], used, seed) for fit in fits]
    without = [predictions(problem, problem.features, [fit], used, seed) for fit in other_fits]
    return compared(problem, subject, used, (with_it, without), (fits, other_fits), level, seed, notes)


def grouped_assignments(
    groups: Sequence[str | None], train: NDArray[np.bool_], evaluation: NDArray[np.bool_], *, seed: int = 0, n: int = 3
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Splits of about the same sizes in which every group is on one side; samples without a group are one each.

    Args:
        groups: Which group each sample is of.
        train: Which rows are trained on as it is.
        evaluation: Which rows are scored as it is.
        seed: Of the draws.
        n: How many.

    Raises:
        ValueError: lengths differ.
    """
    _same_length(len(groups), train, evaluation)
    numbers = _numbered(groups)
    used = train | evaluation
    present = np.unique(numbers[used])
    sizes = np.bincount(numbers[used], minlength=int(numbers.max(initial=-1)) + 1)
    wanted = int((evaluation & ~train).sum())
    made = []
    for draw in range(n):
        order = np.random.default_rng([seed, 11, draw]).permutation(present)
        before = np.cumsum(sizes[order]) - sizes[order]
        chosen = np.zeros(len(sizes), dtype=np.bool_)
        # A group goes over where more than half of it still fits.
        chosen[order[before + sizes[order] / 2 <= wanted]] = True
        held_out = used & chosen[numbers]
        made.append((used & ~held_out, held_out))
    return made


def forward_assignment(
    times: NDArray[np.datetime64], train: NDArray[np.bool_], evaluation: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The split of about the same sizes that trains on the past: the latest samples are evaluated, ties together.

    Args:
        times: n times; samples at NaT take no part.
        train: Which rows are trained on as it is.
        evaluation: Which rows are scored as it is.

    Raises:
        ValueError: lengths differ.
    """
    _same_length(len(times), train, evaluation)
    used = (train | evaluation) & ~np.isnat(times)
    wanted = int((evaluation & ~train & used).sum())
    ordered = np.sort(times[used])
    if not 0 < wanted < len(ordered):
        return used, np.zeros(len(times), dtype=np.bool_)
    held_out = used & (times >= ordered[len(ordered) - wanted])
    return used & ~held_out, held_out


# What is learnt from, and what is scored


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Problem:
    """Features and targets in the form that the models take."""

    features: NDArray[np.float32]
    values: NDArray[np.float64]
    """Class codes from 0, or the target; NaN where there is none."""
    n_classes: int
    """0 for a regression."""
    clusters: NDArray[np.intp]
    """Number of each sample's group, its own where none were given."""
    grouped: bool
    """Whether groups were given."""

    @classmethod
    def of(
        cls,
        features: NDArray[np.float32],
        target: NDArray[np.generic],
        groups: Sequence[str | None] | None,
        task: Task | None,
    ) -> Problem:
        """Features of shape (n, d), n class names or codes (None or NaN for none) or numbers, and n groups.

        Raises:
            ValueError: shapes do not fit.
        """
        features = np.asarray(features, dtype=np.float32)
        target = np.asarray(target)
        if features.ndim != 2 or len(features) != len(target):
            raise ValueError(f"features {features.shape} and target {target.shape} do not fit: n rows each are needed")
        if groups is not None and len(groups) != len(target):
            raise ValueError(f"{len(groups)} groups for {len(target)} samples")
        task = task or ("regression" if target.dtype.kind == "f" else "classification")
        if task == "regression":
            values, n_classes = target.astype(np.float64), 0
            values[~np.isfinite(values)] = np.nan
        else:
            values, n_classes = _codes(target)
        return cls(
            features=np.clip(features, -_LARGE, _LARGE),
            values=values,
            n_classes=n_classes,
            clusters=np.arange(len(target)) if groups is None else _numbered(groups),
            grouped=groups is not None,
        )

    @property
    def n(self) -> int:
        """Samples."""
        return len(self.values)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which samples have a label or target, shape (n,)."""
        return ~np.isnan(self.values)

    @property
    def rememberer(self) -> Model:
        """A model that gains by having seen a copy, as large networks do: fully grown trees, or neighbours."""
        return "extra trees" if self.features.shape[1] <= WIDE else "nearest neighbours"

    def chosen(self, model: Model) -> Model:
        """What learns: the model that is asked for, or neighbours where there are too many classes for trees."""
        return "nearest neighbours" if self.n_classes > MAX_CLASSES else model

    def refusal(self, fits: Sequence[Fit]) -> str:
        """Why nothing can be measured; '' where it can."""
        if self.features.shape[1] == 0:
            return "there are no features to learn from"
        scored = np.concatenate([fit[1] for fit in fits])
        for learnt, _ in fits:
            if len(learnt) < MIN_TRAINING:
                return f"{len(learnt)} training samples are too few (at least {MIN_TRAINING})"
        if len(scored) < MIN_EVALUATION:
            return f"{len(scored)} evaluation samples are too few (at least {MIN_EVALUATION})"
        if self.n_classes:
            learnable = self._learnable(fits)
            present = np.flatnonzero(learnable & (np.bincount(self._of(scored), minlength=self.n_classes) > 0))
            if len(present) < 2:
                return "fewer than 2 classes are in training and evaluation both"
            n_kept = int(np.isin(self._of(scored), present).sum())
            if n_kept < MIN_EVALUATION:
                return f"{n_kept} evaluation samples of known classes are too few (at least {MIN_EVALUATION})"
        elif min(np.ptp(self.values[scored]), *(np.ptp(self.values[fit[0]]) for fit in fits)) == 0:
            return "the target is constant"
        return ""

    def kept(self, fits: Sequence[Fit], others: Sequence[Fit]) -> list[Fit]:
        """The fits without evaluation samples of classes that not every model of both has learnt."""
        if not self.n_classes:
            return list(fits)
        learnable = self._learnable([*fits, *others])
        return [(learnt, scored[learnable[self._of(scored)]]) for learnt, scored in fits]

    def _learnable(self, fits: Sequence[Fit]) -> NDArray[np.bool_]:
        counts = [np.bincount(self._of(fit[0]), minlength=self.n_classes) for fit in fits]
        learnable: NDArray[np.bool_] = np.min(counts, axis=0) >= MIN_PER_CLASS
        return learnable

    def _of(self, rows: Rows) -> NDArray[np.intp]:
        return self.values[rows].astype(np.intp)


def _codes(target: NDArray[np.generic]) -> tuple[NDArray[np.float64], int]:
    """Class numbers from 0 with NaN for none, and how many classes there are."""
    import pandas as pd

    if target.dtype.kind == "O":
        target = np.array(
            [None if item is None or item != item else str(item) for item in target.tolist()], dtype=object
        )
    codes, names = pd.factorize(target, sort=True)
    values = codes.astype(np.float64)
    values[codes < 0] = np.nan
    return values, max(1, len(names))


def _numbered(groups: Sequence[str | None]) -> NDArray[np.intp]:
    """Group numbers from 0; a sample without a group is one of its own."""
    numbers: dict[object, int] = {}
    made = [numbers.setdefault((row,) if name is None else name, len(numbers)) for row, name in enumerate(groups)]
    return np.array(made, dtype=np.intp)


def _same_length(n: int, *masks: NDArray[np.bool_] | None) -> None:
    for mask in masks:
        if mask is not None and len(mask) != n:
            raise ValueError(f"{len(mask)} marks for {n} samples")


def _split(
    problem: Problem,
    train: NDArray[np.bool_] | None,
    evaluation: NDArray[np.bool_] | None,
    seed: int,
    *,
    keep: NDArray[np.bool_] | None = None,
) -> tuple[list[Fit], list[str]]:
    """Rows to learn from and to score, within bounds; and what was drawn."""
    notes: list[str] = []
    if train is None or evaluation is None:
        rows, note = _drawn(np.flatnonzero(problem.known), MAX_TRAINING, seed, None, "samples")
        notes += note
        rng = np.random.default_rng([seed, 2])
        _, first, inverse = np.unique(problem.clusters[rows], return_index=True, return_inverse=True)
        # Class by class, so that a rare one is in as many folds as it can be.
        order = rng.permutation(len(first))
        if problem.n_classes:
            order = order[np.argsort(problem.values[rows[first[order]]], kind="stable")]
        fold_of = np.empty(len(first), dtype=np.intp)
        fold_of[order] = np.arange(len(first)) % FOLDS
        fold = fold_of[inverse]
        fits = [(rows[fold != number], rows[fold == number]) for number in range(FOLDS)]
        notes.append(f"{FOLDS} folds, there being no split" + (", groups kept whole" if problem.grouped else ""))
        return [fit for fit in fits if len(fit[1])], notes
    _same_length(problem.n, train, evaluation)
    learnt, note = _drawn(np.flatnonzero(problem.known & train), MAX_TRAINING, seed, keep, "training samples")
    notes += note
    scored, note = _drawn(
        np.flatnonzero(problem.known & evaluation & ~train), MAX_EVALUATION, seed + 1, None, "evaluation samples"
    )
    return [(learnt, scored)], notes + note


def _drawn(rows: Rows, most: int, seed: int, keep: NDArray[np.bool_] | None, what: str) -> tuple[Rows, list[str]]:
    if len(rows) <= most:
        return rows, []
    order = np.random.default_rng([seed, 1]).permutation(len(rows))
    if keep is not None:
        # Whether a copy is there to be remembered must not depend on the draw; but others must remain to learn from.
        kept = keep[rows[order]]
        kept &= np.cumsum(kept) <= most // 2
        order = np.concatenate([order[kept], order[~kept]])
    return np.sort(rows[order[:most]]), [f"{most:,} of {len(rows):,} {what}, drawn at random"]


# Models


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
        fit: Callable[..., NDArray[np.float64]] = _neighbours if model == "nearest neighbours" else _trees
        # One thread: at this size handing work to others costs more than it saves, and results stay the same bits.
        with threadpoolctl.threadpool_limits(limits=1):
            predicted[scored] = fit(model, features[learnt], values, features[scored], problem.n_classes, seed)
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
    model: Model,
    learnt: NDArray[np.float32],
    values: NDArray[np.float64],
    scored: NDArray[np.float32],
    n_classes: int,
    seed: int,
) -> NDArray[np.float64]:
    """The vote or mean of the nearest samples, weighted by one over their distance, so that a copy decides alone.

    Votes are divided by the class's share of the training samples, as balanced accuracy asks for.
    """
    del model, seed
    with np.errstate(invalid="ignore"):
        middle = np.nan_to_num(_column_medians(learnt))
    learnt, scored = (np.where(np.isnan(part), middle, part) - middle for part in (learnt, scored))
    # Columns of a table are in units of their own; those of a picture or a text are not. A wild value is far, not all.
    low, high = np.percentile(learnt, [5, 95], axis=0)
    # A column that is nearly always the same, as a rare category's, keeps what it has but the infinities.
    finite = np.where(np.abs(learnt) < _LARGE, np.abs(learnt), 0).max(axis=0)
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


def _components(matrix: NDArray[np.float32], learnt: Rows, seed: int) -> NDArray[np.float32]:
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


# Scores and their difference


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

"""From what was seen to what leaks: a fit over rows that a model is held against later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from dataguard.splits.code.knowledge import COPYING, HARMLESS, SUPERVISED, Kind
from dataguard.splits.code.trace import Evaluation, Fit, Split, Trace, Training
from dataguard.splits.code.values import Rows, overlap, separating


class LeakKind(Enum):
    """How held-out data got into what a score rests on."""

    FITTED_BEFORE_SPLIT = "fitted-before-split"
    """Something was fitted over training and held-out rows together."""
    FITTED_ON_TEST = "fitted-on-test"
    """Something was fitted over the held-out rows alone, and changed them."""
    COPIED_BEFORE_SPLIT = "copied-before-split"
    """Samples were copied or mixed before the split, so that both sides hold the same ones."""
    TRAINED_ON_TEST = "trained-on-test"
    """The model was trained on held-out rows too, and is held against no others."""
    SCORED_ON_TRAINING = "scored-on-training"
    """The model is scored on the rows that it was trained on, and on no others."""
    TEST_REUSED = "test-reused"
    """Several models were scored on the same held-out rows, and no others are left."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Leak:
    """One leak, with the lines that it runs over, as `PythonSource.place` counts them."""

    kind: LeakKind
    """How."""
    fit: Fit | None
    """What was fitted; None of leaks that are about the model alone."""
    split: Split | None
    """The split that comes too late; None where the held-out rows were another file."""
    training: Training | None
    """The model trained on the result; None where only the split is seen."""
    evaluation: Evaluation | None
    """Where it is held against the held-out rows; None where only the split is seen."""
    path: tuple[tuple[int, str], ...]
    """What the result of the fit was assigned to on its way: lines and names."""
    folds: bool
    """Only folds of a cross-validation leak, and there are held-out rows beside them that do not."""
    times: int = 1
    """How many models."""
    twin: Fit | None = None
    """The same fit over the training rows, of something that was fitted over the held-out rows by themselves."""

    @property
    def what(self) -> Kind | None:
        """What was fitted."""
        return None if self.fit is None else self.fit.kind

    @property
    def lines(self) -> tuple[int, ...]:
        """The lines of the fit, the split, the model and the score, as far as there are such."""
        steps = (self.fit, self.split, self.training, self.evaluation)
        return tuple(step.line for step in steps if step is not None)

    @property
    def supervised(self) -> bool:
        """Whether labels of held-out rows can have come through."""
        return self.what in SUPERVISED

    @property
    def minor(self) -> bool:
        """Whether it tells little: which categories occur, folds beside a sound test, a file's own scale."""
        own_file = self.kind is LeakKind.FITTED_ON_TEST and self.split is None and self.twin is None
        slight = self.kind in (LeakKind.SCORED_ON_TRAINING, LeakKind.TEST_REUSED)
        return self.what in HARMLESS or self.folds or own_file or slight


def leaks(trace: Trace) -> tuple[Leak, ...]:
    """Every leak in what was seen, one for each fit and kind, in the order of the code."""
    pairs = [
        (trace.trainings[number], evaluation) for evaluation in trace.evaluations for number in evaluation.trainings
    ]
    apart = [(training, evaluation) for training, evaluation in pairs if not overlap(training.rows, evaluation.rows)]
    independent = any(
        not evaluation.folds and (evaluation.scored or separating(training.rows, evaluation.rows))
        for training, evaluation in apart
    )
    found: dict[tuple[object, ...], Leak] = {}
    for training, evaluation in apart:
        for leak in _of_pair(trace, training, evaluation, folds=evaluation.folds and independent):
            _keep(found, leak)
    for leak in _of_splits(trace, apart):
        _keep(found, leak)
    for leak in _trained_on_test(pairs, trace):
        _keep(found, leak)
    for leak in _reused(apart):
        _keep(found, leak)
    return tuple(sorted(found.values(), key=_order))


def _order(leak: Leak) -> tuple[int, int]:
    line = leak.fit.line if leak.fit is not None else leak.training.line if leak.training is not None else 0
    return line, list(LeakKind).index(leak.kind)


def _keep(found: dict[tuple[object, ...], Leak], leak: Leak) -> None:
    fit = None if leak.fit is None else (leak.fit.line, leak.fit.name)
    key = (leak.kind, fit) if fit is not None else (leak.kind, leak.training.line if leak.training else 0)
    known = found.get(key)
    if known is None or (known.folds and not leak.folds) or (known.training is None and leak.training is not None):
        found[key] = leak


def _path(trace: Trace, fit: Fit, end: int) -> tuple[tuple[int, str], ...]:
    steps = trace.carriers.get(fit.number, [])
    return tuple(step for step in steps if fit.line <= step[0] <= end or step[0] >= fit.line)[:6]


def _of_pair(trace: Trace, training: Training, evaluation: Evaluation, *, folds: bool) -> list[Leak]:
    keys = separating(training.rows, evaluation.rows)
    splits = [split for key, split in trace.splits.items() if key in keys]
    result = []
    for number in sorted(training.events | evaluation.events):
        fit = trace.fits[number]
        kind = _kind(fit, training.rows, evaluation.rows, number in evaluation.events)
        if kind is not None:
            result.append(
                Leak(
                    kind=kind,
                    fit=fit,
                    split=_after(fit, splits),
                    training=training,
                    evaluation=evaluation,
                    path=_path(trace, fit, evaluation.line),
                    folds=folds,
                    twin=_twin(trace, fit, training, evaluation) if kind is LeakKind.FITTED_ON_TEST else None,
                )
            )
    return result


def _after(fit: Fit, splits: Sequence[Split]) -> Split | None:
    """Of splits that keep the same rows apart, the first that comes after a fit."""
    return min(splits, key=lambda split: (split.line < fit.line, split.line), default=None)


def _twin(trace: Trace, fit: Fit, training: Training, evaluation: Evaluation) -> Fit | None:
    """The same fit over the training rows."""
    for number in sorted(training.events):
        other = trace.fits[number]
        if other.name == fit.name and not overlap(other.rows, evaluation.rows):
            return other
    return None


def _kind(fit: Fit, trained: Rows, held: Rows, in_held: bool) -> LeakKind | None:
    if not overlap(fit.rows, held):
        return None
    if fit.kind in COPYING:
        return LeakKind.COPIED_BEFORE_SPLIT if overlap(fit.rows, trained) else None
    if overlap(fit.rows, trained):
        return LeakKind.FITTED_BEFORE_SPLIT
    return LeakKind.FITTED_ON_TEST if in_held and fit.kind not in SUPERVISED else None


def _of_splits(trace: Trace, apart: list[tuple[Training, Evaluation]]) -> list[Leak]:
    """Leaks through splits that no model is seen to use on both sides."""
    used = {key for training, evaluation in apart for key in separating(training.rows, evaluation.rows)}
    trained_on = {split for training in trace.trainings for split in _parts(training.rows)}
    result = []
    for key, split in trace.splits.items():
        if key in used or split.folds or not split.declared or (apart and key not in trained_on):
            continue
        for number in sorted(split.events):
            fit = trace.fits[number]
            if overlap(fit.rows, split.rows) and fit.kind is not Kind.MODEL:
                kind = LeakKind.COPIED_BEFORE_SPLIT if fit.kind in COPYING else LeakKind.FITTED_BEFORE_SPLIT
                result.append(
                    Leak(
                        kind=kind,
                        fit=fit,
                        split=split,
                        training=None,
                        evaluation=None,
                        path=_path(trace, fit, split.line),
                        folds=False,
                    )
                )
    return result


def _trained_on_test(pairs: list[tuple[Training, Evaluation]], trace: Trace) -> list[Leak]:
    by_training: dict[int, list[Evaluation]] = defaultdict(list)
    for training, evaluation in pairs:
        by_training[training.number].append(evaluation)
    result = []
    for number, evaluations in by_training.items():
        training = trace.trainings[number]
        scored = [evaluation for evaluation in evaluations if evaluation.scored]
        if not scored or not all(overlap(training.rows, evaluation.rows) for evaluation in evaluations):
            continue
        held = next((evaluation for evaluation in scored if _parts(evaluation.rows) - _parts(training.rows)), None)
        result.append(
            Leak(
                kind=LeakKind.SCORED_ON_TRAINING if held is None else LeakKind.TRAINED_ON_TEST,
                fit=None,
                split=None if held is None else _held_out_by(trace, training.rows, held.rows),
                training=training,
                evaluation=held or scored[0],
                path=(),
                folds=False,
            )
        )
    return result


def _parts(rows: Rows) -> set[object]:
    """The splits that all rows went through."""
    found = [{split for split, _ in parts} for _, parts in rows]
    return set.intersection(*found) if found else set()


def _held_out_by(trace: Trace, trained: Rows, held: Rows) -> Split | None:
    keys = _parts(held) - _parts(trained)
    splits = [trace.splits[key] for key in keys if key in trace.splits]
    return min(splits, key=lambda split: (not split.declared, split.line), default=None)


def _reused(apart: list[tuple[Training, Evaluation]]) -> list[Leak]:
    """Held-out rows that several models are scored on, where nothing else is held out."""
    groups: dict[Rows, dict[int, tuple[Training, Evaluation]]] = defaultdict(dict)
    for training, evaluation in apart:
        if not evaluation.folds and evaluation.scored:
            groups[evaluation.rows].setdefault(training.number, (training, evaluation))
    result = []
    for models in groups.values():
        times = sum(max(evaluation.count, 1) for _, evaluation in models.values())
        if times > 1:
            training, evaluation = next(iter(models.values()))
            result.append(
                Leak(
                    kind=LeakKind.TEST_REUSED,
                    fit=None,
                    split=None,
                    training=training,
                    evaluation=evaluation,
                    path=(),
                    folds=False,
                    times=times,
                )
            )
    return result

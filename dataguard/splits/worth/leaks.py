"""Leaking columns and leaking training samples: the score with them and without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.worth.models import components, predictions
from dataguard.splits.worth.problem import WIDE, Model, Problem, Task, fits_of_split, same_length
from dataguard.splits.worth.record import NoWorth, Worth
from dataguard.splits.worth.scores import compared

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    fits, notes = fits_of_split(problem, train, evaluation, seed)
    reason = problem.refusal(fits)
    if reason:
        return NoWorth(subject=subject, reason=reason)
    fits = problem.kept(fits, fits)
    others = [column for column in range(features.shape[1]) if column not in set(left_out)]
    used = problem.chosen(model)
    without_features = problem.features[:, others]
    with_features = problem.features
    if len(others) > WIDE:
        without_features = components(without_features, np.unique(np.concatenate([fit[0] for fit in fits])), seed)
        with_features = np.hstack([without_features, problem.features[:, left_out]])
        notes.append(f"the other {len(others):,} columns as {without_features.shape[1]} principal components")
    with_it = predictions(problem, with_features, fits, used, seed)
    without = predictions(problem, without_features, fits, used, seed)
    return compared(problem, subject, used, (with_it, without), (fits, fits), level, seed, notes)


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
    same_length(problem.n, train, evaluation, leaked)
    if not (leaked & train).any():
        return NoWorth(subject=subject, reason="no training sample leaked")
    fits, notes = fits_of_split(problem, train, evaluation, seed, keep=leaked & train)
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

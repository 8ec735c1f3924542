"""What the assignment of samples to splits is worth: the split as it is against others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.worth.models import predictions
from dataguard.splits.worth.problem import Model, Problem, Task, fits_of_split, numbered, same_length
from dataguard.splits.worth.record import NoWorth, Worth
from dataguard.splits.worth.scores import compared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.splits.worth.problem import Fit


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
    fits, notes = fits_of_split(problem, train, evaluation, seed)
    other_fits: list[Fit] = []
    size = min(len(fits[0][0]), *(int((problem.known & mask).sum()) for mask, _ in others))
    for number, (other_train, other_evaluation) in enumerate(others):
        same_length(problem.n, other_train, other_evaluation)
        made, more = fits_of_split(problem, other_train, other_evaluation, seed + number + 1)
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
    same_length(len(groups), train, evaluation)
    numbers = numbered(groups)
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

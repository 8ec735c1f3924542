"""The golden tests: training runs of which is known what must come of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dataguard.training.case import ModelCopy, TrainingCase
from dataguard.training.chance import chance_of
from dataguard.training.choosing import different_pair, distinct
from dataguard.training.data import Batch
from dataguard.training.overfit import Overfit, overfit

if TYPE_CHECKING:
    from torch import Tensor

SMALL = 8
"""Samples of the small batch."""
COURSE_STEPS = 120
"""Steps of the runs on all batches."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Course:
    """A copy trained on all batches, and what it then makes of the held-out ones."""

    name: str
    """'real labels', 'shuffled labels'."""
    losses: NDArray[np.float64]
    """The loss of each step's batch, before the step; shape (steps,)."""
    before: float
    """The mean loss of the held-out batches, in eval mode, of the fresh copy; NaN where there are none."""
    after: float
    """Of the trained copy, on held-out targets treated as those of training were."""
    chance: float
    """The loss of the best constant output on these held-out targets; NaN where it is not known."""
    permuted: NDArray[np.float64]
    """The loss after training with held-out targets permuted again, once a permutation; empty where that cannot be."""
    predictions: tuple[Tensor, ...]
    """Of the trained copy, one tensor a held-out batch."""
    blank_difference: float
    """How far the trained copy's outputs are from those for blank inputs, in eval mode: the largest difference over the
    largest output; NaN where it cannot be measured."""
    ended: str = ""
    """Why it ended early, or ''."""

    def late(self, share: float = 0.25) -> float:
        """The mean loss of the last steps."""
        n = max(int(len(self.losses) * share), 1)
        return float(np.mean(self.losses[-n:])) if len(self.losses) else math.nan


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GoldenRuns:
    """Every golden run of a case; those that the budget did not allow are in ``missing``."""

    case: TrainingCase
    one: Overfit | None = None
    """One sample."""
    two: Overfit | None = None
    """Two samples with different targets."""
    small: Overfit | None = None
    """A small batch."""
    blank: Overfit | None = None
    """The same small batch with its inputs taken away, with the learning rate that served the real one best."""
    real: Course | None = None
    shuffled: Course | None = None
    blank_difference: float = math.nan
    """How far the outputs of the fresh model are from those for blank inputs, likewise."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why a run was not made, by its name."""

    @property
    def overfits(self) -> tuple[Overfit, ...]:
        """Those that were made, of real inputs."""
        return tuple(run for run in (self.one, self.two, self.small) if run is not None)


def golden_runs(case: TrainingCase) -> GoldenRuns:
    """Make them, as far as the time budget allows: first the samples learnt by heart, then the courses."""
    missing: dict[str, str] = {}
    chosen = distinct(case, SMALL)
    pair = different_pair(case)
    batch = case.first

    def learnt(name: str, index: tuple[int, ...] | None, why: str) -> Overfit | None:
        if index is None:
            missing[name] = why
            return None
        if case.remaining() <= 0:
            missing[name] = "the time budget was used up"
            return None
        with case.sandbox(1):
            return overfit(case, batch.take(index), name)

    one = learnt("one sample", chosen[:1], "")
    two = learnt("two samples", pair, "no two samples of the first batch differ in inputs and in targets")
    n_chosen = len(chosen)
    small = learnt(
        f"{n_chosen} samples", chosen if n_chosen > 2 else None, "the first batch has fewer than three distinct samples"
    )
    blank = None
    if small is not None and case.remaining() > 0:
        with case.sandbox(1):
            blank = overfit(
                case, batch.take(chosen).zeroed(), f"{n_chosen} samples, inputs taken away", rates=(small.rate,)
            )
    elif small is not None:
        missing["blank inputs"] = "the time budget was used up"
    rate = small.rate if small is not None else 3e-3
    real = _course(case, "real labels", rate, missing, shuffled=False)
    shuffled = _course(case, "shuffled labels", rate, missing, shuffled=True)
    return GoldenRuns(
        case=case,
        one=one,
        two=two,
        small=small,
        blank=blank,
        real=real,
        shuffled=shuffled,
        blank_difference=_blank_difference(case.copy()),
        missing=missing,
    )


def _course(case: TrainingCase, name: str, rate: float, missing: dict[str, str], *, shuffled: bool) -> Course | None:
    if case.remaining() <= 0:
        missing[name] = "the time budget was used up"
        return None
    if shuffled and case.first.targets is None:
        missing[name] = "there are no targets to shuffle"
        return None
    with case.sandbox(2):
        train = case.batches if not shuffled else tuple(_with_shuffled(batch, 7) for batch in case.batches)
        held = case.held_out if not shuffled else tuple(_with_shuffled(batch, 8) for batch in case.held_out)
        copy = case.copy()
        before = _mean_loss(copy, held)
        losses, ended = _trained(case, copy, train, rate)
        after = _evaluated(copy, held)
        return Course(
            name=name,
            losses=losses,
            before=before,
            after=after[0],
            chance=after[1],
            permuted=after[2],
            predictions=after[3],
            blank_difference=_blank_difference(copy),
            ended=ended,
        )


def _trained(
    case: TrainingCase, copy: ModelCopy, batches: tuple[Batch, ...], rate: float
) -> tuple[NDArray[np.float64], str]:
    import torch

    trained = [item for _, item in copy.parameters()]
    losses: list[float] = []
    if not trained:
        return np.zeros(0), "no parameter is trained"
    optimizer = torch.optim.Adam(trained, lr=rate)
    copy.train()
    ended = ""
    for step in range(COURSE_STEPS):
        batch = batches[step % len(batches)]
        loss = copy.loss(copy.forward(batch), batch)
        losses.append(float(loss.detach()))
        if not loss.requires_grad:
            ended = "the loss does not depend on any parameter"
        elif not math.isfinite(losses[-1]):
            ended = "the loss is no number"
        elif case.remaining() <= 0:
            ended = "the time budget was used up"
        if ended:
            break
        optimizer.zero_grad()
        copy.backward(loss)
        optimizer.step()
    values = np.array(losses)
    values.flags.writeable = False
    return values, ended


def _with_shuffled(batch: Batch, salt: int) -> Batch:
    generator = np.random.default_rng([salt, batch.number, batch.size])
    return batch.with_targets_of(generator.permutation(batch.size).tolist())


def _mean_loss(copy: ModelCopy, batches: tuple[Batch, ...]) -> float:
    import torch

    if not batches:
        return math.nan
    copy.eval()
    with torch.no_grad():
        found = [float(copy.loss(copy.forward(batch), batch, regularized=False)) for batch in batches]
    return float(np.average(found, weights=[batch.size for batch in batches]))


def _evaluated(
    copy: ModelCopy, batches: tuple[Batch, ...]
) -> tuple[float, float, NDArray[np.float64], tuple[Any, ...]]:
    import torch

    if not batches:
        return math.nan, math.nan, np.zeros(0), ()
    case = copy.case
    copy.eval()
    weights = [batch.size for batch in batches]
    losses, constants, permuted, predictions = [], [], [], []
    askable = case.calls.loss not in ("inside", "outputs", "spread outputs")
    generator = np.random.default_rng(case.settings.seed)
    with torch.no_grad():
        for batch in batches:
            outputs = copy.forward(batch)
            losses.append(float(copy.loss(outputs, batch, regularized=False)))
            chance = chance_of(case, copy, outputs, batch)
            constants.append(math.nan if chance is None else chance.best_constant)
            predictions.append(copy.prediction(outputs).detach())
            if askable:
                orders = [generator.permutation(batch.size).tolist() for _ in range(99)]
                permuted.append(
                    [float(copy.loss(outputs, batch.with_targets_of(order), regularized=False)) for order in orders]
                )
    by_chance = np.average(np.array(permuted), axis=0, weights=weights) if permuted else np.zeros(0)
    return (
        float(np.average(losses, weights=weights)),
        float(np.average(constants, weights=weights)),
        by_chance,
        tuple(predictions),
    )


def _blank_difference(copy: ModelCopy) -> float:
    import torch

    batch = copy.case.first
    copy.eval()
    found = []
    for given in (batch, batch.zeroed()):
        # In the same random state, so that a model that draws instead of looking at its inputs is seen through.
        with copy.case.sandbox(3), torch.no_grad():
            found.append(copy.prediction(copy.forward(given)).detach().float())
    if found[0].shape != found[1].shape:
        return math.nan
    return float((found[0] - found[1]).abs().max() / found[0].abs().max().clamp_min(1e-12))

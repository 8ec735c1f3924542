"""Let a copy learn a few samples by heart, with an optimizer of our own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataguard.training.case import ModelCopy, TrainingCase
from dataguard.training.chance import chance_of
from dataguard.training.data import Batch
from dataguard.training.floors import Floor, floor_of

RATES = (3e-3, 3e-2, 3e-4)
"""Learning rates of Adam, tried in turn until one will do."""
STEPS = 200
"""The most steps with each of them."""
FURTHER = 5
"""Steps that are taken further after a run has succeeded."""
NEAR = 0.05
"""How near to its floor a loss must come, as a share of the way from chance to the floor."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Overfit:
    """What became of a copy that was to learn a few samples by heart."""

    name: str
    """What they are: 'one sample'."""
    size: int
    losses: NDArray[np.float64]
    """The data loss before each step, of the learning rate that came nearest; shape (steps,)."""
    start: float
    """The loss of the fresh copy."""
    end: float
    """The least loss that was reached."""
    floor: Floor | None
    chance: float | None
    """The loss of outputs that say nothing, for the first batch as a whole; None where it is not known."""
    correct: float | None
    """The share of targets that are predicted at the end, of classes and of labels; None where there are none."""
    rate: float
    """The learning rate."""
    steps: int
    """Steps taken with all learning rates together."""
    reached: bool
    """Whether all classes are right and the loss is near its floor."""
    ended: str = ""
    """Why it ended early: the budget was used up, the loss does not depend on the parameters; '' where it did not."""

    @property
    def gap(self) -> float:
        """How far the end is from the floor, as a share of the way from chance (or the start) to it."""
        return gap_of(self.end, self.floor, self.chance if self.chance is not None else self.start)


def gap_of(loss: float, floor: Floor | None, chance: float) -> float:
    """How far a loss is above its floor, as a share of the way from chance to the floor."""
    least = 0.0 if floor is None else floor.loss
    return (loss - least) / max(chance - least, 1e-9)


def overfit(case: TrainingCase, batch: Batch, name: str, *, rates: tuple[float, ...] = RATES) -> Overfit:
    """Train copies on a few samples until one knows them by heart.

    Dropout is off, and batch norm uses its running statistics where there are fewer than two samples; the regularizer
    is left out, and with it its share of the floor.

    Args:
        case: What is probed.
        batch: The samples.
        name: What they are called.
        rates: Learning rates to try in turn.
    """
    best: tuple[list[float], float | None, float, bool] | None = None
    floor, chance = _bounds(case, batch)
    taken, start, ended = 0, math.nan, ""
    for rate in rates:
        if case.remaining() <= 0:
            ended = ended or "the time budget was used up"
            break
        copy = _calm(case.copy(), alone=batch.size < 2)
        losses, correct, reached, why = _run(case, copy, batch, rate, floor, chance)
        taken += len(losses)
        start = losses[0] if math.isnan(start) and losses else start
        if losses and (best is None or reached or min(losses) < min(best[0])):
            best = (losses, correct, rate, reached)
        ended = why
        if reached or why:
            break
    losses, correct, rate, reached = best if best is not None else ([math.nan], None, rates[0], False)
    values = np.array(losses)
    values.flags.writeable = False
    return Overfit(
        name=name,
        size=batch.size,
        losses=values,
        start=start,
        end=float(np.nanmin(values)) if np.isfinite(values).any() else math.nan,
        floor=floor,
        chance=chance,
        correct=correct,
        rate=rate,
        steps=taken,
        reached=reached,
        ended="" if reached else ended,
    )


def _bounds(case: TrainingCase, batch: Batch) -> tuple[Floor | None, float | None]:
    """The floor of these samples, and the chance of the first batch, of which they are a few."""
    import torch

    copy = _calm(case.copy(), alone=True)
    with torch.no_grad():
        whole = copy.forward(case.first)
        outputs = copy.forward(batch)
    chance = chance_of(case, copy, whole, case.first)
    return floor_of(case, copy, outputs, batch), None if chance is None else chance.uninformed


def _run(
    case: TrainingCase, copy: ModelCopy, batch: Batch, rate: float, floor: Floor | None, chance: float | None
) -> tuple[list[float], float | None, bool, str]:
    import torch

    trained = [item for _, item in copy.parameters()]
    if not trained:
        return [], None, False, "no parameter is trained"
    optimizer = torch.optim.Adam(trained, lr=rate)
    losses: list[float] = []
    right: float | None = None
    reached_for = 0
    for _ in range(STEPS):
        outputs = copy.forward(batch)
        loss = copy.loss(outputs, batch, regularized=False)
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            break
        if not loss.requires_grad:
            return losses, None, False, "the loss does not depend on any parameter"
        right = share_right(case, copy.prediction(outputs), batch)
        scale = losses[0] if chance is None else chance
        if (right is None or right == 1.0) and gap_of(losses[-1], floor, scale) <= NEAR:
            reached_for += 1
        # A few steps more show whether the loss goes on falling below its floor.
        if reached_for > FURTHER:
            return losses, right, True, ""
        if case.remaining() <= 0:
            return losses, right, False, "the time budget was used up"
        optimizer.zero_grad()
        copy.backward(loss)
        optimizer.step()
    return losses, right, reached_for > 0, ""


def share_right(case: TrainingCase, predictions: Any, batch: Batch) -> float | None:
    """The share of targets that predictions agree with; None where targets are no classes or labels."""
    import torch

    targets, task, form = batch.targets, case.task, case.loss_form
    if not isinstance(targets, torch.Tensor):
        return None
    if task.classifies and task.class_axis is not None:
        named = predictions.argmax(task.class_axis)
        wanted = targets
        if targets.is_floating_point():
            wanted = targets.argmax(task.class_axis)
        if named.numel() != wanted.numel():
            return None
        kept = wanted.reshape(-1) != form.ignore_index
        return float((named.reshape(-1) == wanted.reshape(-1))[kept].double().mean()) if bool(kept.any()) else None
    if task.kind in ("binary", "multi-label") and predictions.numel() == targets.numel():
        from dataguard.training.losses import LossKind

        cut = 0.5 if form.kind is LossKind.BINARY else 0.0
        return float(((predictions > cut).reshape(-1) == (targets > 0.5).reshape(-1)).double().mean())
    return None


def _calm(copy: ModelCopy, *, alone: bool) -> ModelCopy:
    """Without dropout; and batch norm with its running statistics, where the statistics of one sample say nothing."""
    copy.train()
    for module in copy.model.modules():
        kind = type(module).__name__
        if "Dropout" in kind or "DropPath" in kind or "StochasticDepth" in kind or (alone and "BatchNorm" in kind):
            module.eval()
        elif isinstance(getattr(module, "dropout", None), float):
            # Recurrent layers and attention hold the probability as a number.
            vars(module)["dropout"] = 0.0
    return copy

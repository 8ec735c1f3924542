"""A few steps of the user's own training: how far each weight moves, and how large its gradients are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dataguard.core.errors import ConfigurationError
from dataguard.core.users_code import shortened_error
from dataguard.training.case import TrainingCase
from dataguard.training.layers import LayerRecorder, LayerStatistics
from dataguard.training.optimizers import described

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 10
"""Steps of a short training."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ShortTraining:
    """Steps of the user's optimizer on the batches in turn, in train mode."""

    case: TrainingCase
    optimizer: str
    """In words."""
    losses: NDArray[np.float64]
    """Before each step, shape (steps,)."""
    names: tuple[str, ...]
    """Of the parameters with gradients."""
    weights: NDArray[np.float64]
    """Norm of each parameter before each step, shape (steps, parameters)."""
    gradients: NDArray[np.float64]
    """Norm of its gradient; NaN where there is none."""
    updates: NDArray[np.float64]
    """Norm of its change."""
    rise: float
    """Cosine of the angle between the gradient and the first change of all parameters: −1 is straight down, above 0 is
    up; NaN where no step could be made."""
    layers: tuple[LayerStatistics, ...]
    """Of the last step, forward only."""


def short_training(case: TrainingCase, *, steps: int = STEPS) -> ShortTraining:
    """Make a `ShortTraining`; it ends early where the loss is no number any more.

    Raises:
        ConfigurationError: model, loss or optimizer fail.
    """
    import torch

    with case.sandbox():
        copy = case.copy()
        optimizer = copy.optimizer()
        named = copy.parameters()
        losses: list[float] = []
        rise = float("nan")
        rows: list[tuple[list[float], list[float], list[float]]] = []
        recorder = LayerRecorder(copy.model)
        try:
            for step in range(steps):
                batch = case.batches[step % len(case.batches)]
                optimizer.zero_grad()
                recorder = LayerRecorder(copy.model)
                with recorder.recording():
                    outputs = copy.forward(batch)
                loss = copy.loss(outputs, batch)
                losses.append(float(loss.detach()))
                if not loss.requires_grad or not np.isfinite(losses[-1]):
                    break
                copy.backward(loss)
                gradients = [_norm(item.grad) for _, item in named]
                before = [item.detach().clone() for _, item in named]
                slopes = [] if step else [None if item.grad is None else item.grad.clone() for _, item in named]
                if case.training.clip is not None:
                    torch.nn.utils.clip_grad_norm_([item for _, item in named], case.training.clip)
                optimizer.step()
                updates = [_norm(item.detach() - old) for (_, item), old in zip(named, before, strict=True)]
                if not step:
                    rise = _cosine(slopes, [item.detach() - old for (_, item), old in zip(named, before, strict=True)])
                rows.append(([_norm(old) for old in before], gradients, updates))
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ConfigurationError(
                f"training fails at step {len(losses)}: {shortened_error(error)}", where=case.target
            ) from error
        tables = np.array(rows, dtype=np.float64).reshape(len(rows), 3, len(named))
        return ShortTraining(
            case=case,
            optimizer=described(case),
            losses=np.array(losses),
            names=tuple(name for name, _ in named),
            weights=tables[:, 0],
            gradients=tables[:, 1],
            updates=tables[:, 2],
            rise=rise,
            layers=recorder.layers(),
        )


def _cosine(slopes: Sequence[Tensor | None], changes: Sequence[Tensor]) -> float:
    """Of the angle between two vectors that come in parts; parts without a gradient are left out."""
    dot = lengths = paths = 0.0
    for slope, change in zip(slopes, changes, strict=True):
        if slope is not None:
            along = (slope.to_dense() if slope.is_sparse else slope).double().flatten()
            moved = change.double().flatten()
            dot, lengths, paths = (
                dot + float(along @ moved),
                lengths + float(along @ along),
                paths + float(moved @ moved),
            )
    return dot / math.sqrt(lengths * paths) if lengths > 0 and paths > 0 else float("nan")


def _norm(tensor: object) -> float:
    import torch

    if not isinstance(tensor, torch.Tensor):
        return float("nan")
    return float(torch.linalg.vector_norm(tensor.detach().to_dense().float() if tensor.is_sparse else tensor.float()))

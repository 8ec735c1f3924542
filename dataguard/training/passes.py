"""What one run of the model shows: forward and backward in train mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dataguard.training.case import TrainingCase
from dataguard.training.data import Batch
from dataguard.training.layers import LayerRecorder, LayerStatistics, ParameterStatistics, parameter_statistics

if TYPE_CHECKING:
    from torch import Tensor

PERMUTATIONS = 199
"""Of the targets among the samples, for the loss by chance: the least p-value is 1/200 on each side."""
DRAWS = 99
"""Of the weights, where the loss is low: the least p-value is 1/100."""
LOW = 0.2
"""The share of permutations with a lower loss up to which weights are drawn anew: the greatest level of the test."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FirstPass:
    """One forward and one backward pass of a fresh copy on the first batch, in train mode."""

    case: TrainingCase
    batch: Batch
    loss: float
    """As training follows it, regularizer included."""
    data_loss: float
    """Without the regularizer."""
    outputs: Any
    """The model's whole output, detached."""
    predictions: Tensor
    """Of it the predictions, detached."""
    permuted: NDArray[np.float64]
    """The data loss with the targets permuted among the samples, once a permutation; empty where the loss is inside
    the model, or there is nothing to permute."""
    redrawn: NDArray[np.float64]
    """Where the loss is among the lowest of `permuted`: the data loss of copies whose weights were drawn anew, once a
    draw; empty where it is not, or layers cannot be reset."""
    layers: tuple[LayerStatistics, ...]
    """In the order in which they were run."""
    parameters: tuple[ParameterStatistics, ...]

    def layer(self, name: str) -> LayerStatistics | None:
        """A layer by name."""
        return next((item for item in self.layers if item.name == name), None)


def first_pass(case: TrainingCase) -> FirstPass:
    """Make a `FirstPass`.

    Raises:
        ConfigurationError: model or loss fail in train mode.
    """
    import torch

    with case.sandbox():
        copy = case.copy()
        recorder = LayerRecorder(copy.model)
        batch = case.first
        with case.on_first_batch(), recorder.recording():
            outputs = copy.forward(batch)
            loss = copy.loss(outputs, batch)
            recorder.backward_begins()
            if loss.requires_grad:
                copy.backward(loss)
        predictions = copy.prediction(outputs).detach()
        with torch.no_grad():
            data_loss = float(copy.loss(outputs, batch, regularized=False))
            permuted = _permuted(case, copy, outputs, batch)
            is_low = len(permuted) > 0 and float(np.mean(permuted <= data_loss)) <= LOW
            redrawn = _redrawn(case, batch) if is_low else np.zeros(0)
        return FirstPass(
            case=case,
            batch=batch,
            loss=float(loss.detach()),
            data_loss=data_loss,
            outputs=outputs,
            predictions=predictions,
            permuted=permuted,
            redrawn=redrawn,
            layers=recorder.layers(),
            parameters=parameter_statistics(copy.model),
        )


def _permuted(case: TrainingCase, copy: Any, outputs: Any, batch: Batch) -> NDArray[np.float64]:
    if case.calls.loss in ("inside", "outputs", "spread outputs") or batch.targets is None or batch.size < 2:
        return np.zeros(0)
    generator = np.random.default_rng(case.settings.seed)
    found = np.array(
        [
            float(
                copy.loss(outputs, batch.with_targets_of(generator.permutation(batch.size).tolist()), regularized=False)
            )
            for _ in range(PERMUTATIONS)
        ]
    )
    found.flags.writeable = False
    return found


def _redrawn(case: TrainingCase, batch: Batch) -> NDArray[np.float64]:
    """The loss of other draws of the weights: what a model that has learnt nothing gets by luck."""
    found = []
    for _ in range(DRAWS):
        copy = case.copy()
        resets: list[Any] = [
            module.reset_parameters for module in copy.model.modules() if hasattr(module, "reset_parameters")
        ]
        held = sum(1 for module in copy.model.modules() if next(module.parameters(recurse=False), None) is not None)
        if len(resets) < max(held, 1):
            return np.zeros(0)
        for reset in resets:
            reset()
        try:
            found.append(float(copy.loss(copy.forward(batch), batch, regularized=False)))
        except (RuntimeError, ValueError, TypeError, IndexError):
            return np.zeros(0)
    losses = np.array(found)
    losses.flags.writeable = False
    return losses

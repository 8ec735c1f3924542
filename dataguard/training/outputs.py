"""Predictions as probabilities, by what the loss takes them for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dataguard.training.case import TrainingCase
from dataguard.training.losses import CLASSIFYING, LossKind

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OutputScores:
    """Probabilities of outputs."""

    name: str
    """What they are."""
    probabilities: NDArray[np.float64]
    """Of classes the largest of each sample or step, of labels every one; shape (n,)."""
    two_sided: bool
    """Whether near 0 is as saturated as near 1."""

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.probabilities)

    def saturated(self, sure: float) -> float:
        """The share that is beyond `sure`."""
        found = self.probabilities > sure
        if self.two_sided:
            found |= self.probabilities < 1 - sure
        return float(found.mean()) if self.n else 0.0


def output_scores(case: TrainingCase, predictions: Tensor) -> OutputScores | None:
    """Predictions as probabilities; None where the loss takes them for values, or is not known."""
    import torch

    form, axis = case.loss_form, case.task.class_axis
    values = predictions.detach().double()
    if form.kind in CLASSIFYING:
        place = 1 if axis is None else axis
        scores = values.exp() if form.kind is LossKind.NLL else torch.softmax(values, place)
        return OutputScores(
            name="largest probability of a sample",
            probabilities=scores.amax(place).reshape(-1).cpu().numpy(),
            two_sided=False,
        )
    if form.kind in (LossKind.BINARY, LossKind.BINARY_LOGITS):
        scores = values if form.kind is LossKind.BINARY else torch.sigmoid(values)
        return OutputScores(
            name="probability of a label", probabilities=scores.reshape(-1).cpu().numpy(), two_sided=True
        )
    return None

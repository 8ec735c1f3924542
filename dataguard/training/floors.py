"""The least loss that any outputs have, in the loss that is in use: what training can come near to, and not beat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.training.calling import with_prediction
from dataguard.training.case import ModelCopy, TrainingCase
from dataguard.training.data import Batch
from dataguard.training.losses import BINARY_KINDS, CLASSIFYING, REGRESSING, LossForm, LossKind
from dataguard.training.structure import changed

if TYPE_CHECKING:
    from torch import Tensor

SEARCH_STEPS = 300
"""Steps of the search for a floor that no formula is known of."""
_TINY = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class Floor:
    """The least loss of a batch."""

    loss: float
    how: str
    """How it was had, in words."""


def floor_of(case: TrainingCase, copy: ModelCopy, outputs: Any, batch: Batch) -> Floor | None:
    """The least loss of a batch; None where it is not known.

    Where the loss is one of torch's, the user's own loss is asked for outputs that are ideal in it: for cross entropy
    with class weights w and smoothed targets q, p ∝ w·q (from Σ −w q ln p under Σ p = 1), whose loss is not 0; for
    targets between 0 and 1 in a binary one p = w t / (w t + 1 − t). Otherwise outputs themselves are varied freely by
    Adam from those of the model until the loss falls no further.

    Args:
        case: What is probed.
        copy: Whose loss is asked.
        outputs: An output of the model for the batch.
        batch: The batch.
    """
    import torch

    if case.training.floor is not None:
        return Floor(loss=case.training.floor, how="declared")
    form, targets = case.loss_form, batch.targets
    if form.kind is not LossKind.OTHER and isinstance(targets, torch.Tensor):
        predictions = copy.prediction(outputs).detach()
        ideal = _ideal(form, predictions, targets, case.task.class_axis)
        if ideal is not None:
            with torch.no_grad():
                asked = copy.loss_of(ideal, outputs, batch)
            if asked is not None and math.isfinite(float(asked)):
                return Floor(loss=float(asked), how="the loss of ideal outputs")
        if case.calls.loss == "inside" and (form.kind in REGRESSING or not targets.is_floating_point()):
            return Floor(loss=form.penalty, how="ideal outputs leave but the penalty")
    return _searched(case, copy, outputs, batch)


def _ideal(form: LossForm, predictions: Tensor, targets: Tensor, axis: int | None) -> Tensor | None:
    import torch
    from torch.nn import functional

    if form.kind in REGRESSING:
        return targets.to(predictions.dtype).reshape(predictions.shape) if _fits(predictions, targets) else None
    if form.kind is LossKind.DIVERGENCE:
        return targets.clamp_min(_TINY).log() if _fits(predictions, targets) else None
    if form.kind in BINARY_KINDS:
        if not _fits(predictions, targets):
            return None
        share = targets.to(predictions.dtype).reshape(predictions.shape)
        if form.pos_weight is not None:
            weight = torch.as_tensor(np.array(form.pos_weight), device=share.device, dtype=share.dtype)
            share = weight * share / (weight * share + 1 - share)
        if form.kind is LossKind.BINARY:
            return share
        return torch.logit(share.double(), eps=1e-13).to(predictions.dtype)
    if form.kind in CLASSIFYING:
        place = 1 if axis is None else axis
        n = predictions.shape[place]
        if targets.is_floating_point():
            share = targets.double().movedim(place, -1)
        else:
            share = functional.one_hot(targets.long().clamp(0, n - 1), n).double()
        share = (1 - form.label_smoothing) * share + form.label_smoothing / n
        if form.weight is not None and len(form.weight) == n:
            share = share * torch.as_tensor(np.array(form.weight), device=share.device)
            share = share / share.sum(-1, keepdim=True).clamp_min(_TINY)
        logs = share.clamp_min(_TINY).log().to(predictions.dtype)
        found = logs.movedim(-1, place) if logs.ndim == predictions.ndim else None
        return None if found is None or found.shape != predictions.shape else found.contiguous()
    return None


def _fits(predictions: Tensor, targets: Tensor) -> bool:
    return predictions.numel() == targets.numel()


def _searched(case: TrainingCase, copy: ModelCopy, outputs: Any, batch: Batch) -> Floor | None:
    """Vary the outputs themselves, all tensors of them, as if the model could return anything."""
    import torch

    if case.calls.loss == "inside":
        return None
    free: list[Tensor] = []

    def freed(item: Any) -> Any:
        if isinstance(item, torch.Tensor) and item.is_floating_point():
            free.append(item.detach().clone().float().requires_grad_())
            return free[-1]
        return item

    varied = (
        changed(outputs, freed)
        if not isinstance(outputs, torch.Tensor)
        else with_prediction(outputs, None, freed(outputs))
    )
    if not free:
        return None
    optimizer = torch.optim.Adam(free, lr=0.05)
    start, least, last = math.nan, math.inf, math.inf
    with torch.enable_grad():
        for step in range(SEARCH_STEPS):
            loss = copy.loss(varied, batch, regularized=False)
            value = float(loss.detach())
            if not math.isfinite(value) or not loss.requires_grad:
                return None
            start = value if step == 0 else start
            last = least if step == SEARCH_STEPS - SEARCH_STEPS // 5 else last
            least = min(least, value)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    # A loss that still falls as fast at the end has no floor: a log-density, a dot product.
    if last - least > 0.1 * max(start - least, _TINY):
        return None
    return Floor(loss=least, how="outputs varied freely")

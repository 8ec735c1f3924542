"""What a loss is for a model that knows nothing of the inputs: outputs of zero, and the best constant output."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.training.case import ModelCopy, TrainingCase
from dataguard.training.data import Batch
from dataguard.training.losses import BINARY_KINDS, CLASSIFYING, LossForm, LossKind

if TYPE_CHECKING:
    import torch
    from torch import Tensor


LOUD = 2.0
"""The largest variance of outputs that usual initializations give: He's for a last layer on inputs of variance 1."""
DRAWS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Chance:
    """The losses of two models that know nothing of the inputs."""

    uninformed: float
    """Of one that knows nothing of the targets either: equal probabilities, or outputs of 0."""
    best_constant: float
    """Of one that knows how frequent targets are: the entropy of the priors, the variance."""
    random: float
    """Of random outputs: logits (or values) that are normal with mean 0 and variance `LOUD`, the mean of `DRAWS`."""
    how: str
    """How they were had, in words."""


def chance_of(case: TrainingCase, copy: ModelCopy, outputs: Any, batch: Batch) -> Chance | None:
    """The chance losses of a batch in the loss that is in use; None where they cannot be derived.

    The user's own loss is asked for both wherever it can be, so that class weights, label smoothing, ignored targets
    and reductions are in them. Loss inside the model: computed by the form that its values have.

    Args:
        case: What is probed.
        copy: Whose loss is asked; what the model was fed does not matter.
        outputs: An output of the model for the batch.
        batch: The batch.
    """
    import torch

    if case.training.chance is not None:
        return Chance(
            uninformed=case.training.chance,
            best_constant=case.training.chance,
            random=1.5 * case.training.chance,
            how="declared",
        )
    form, targets = case.loss_form, batch.targets
    if form.kind in (LossKind.OTHER, LossKind.DIVERGENCE) or not isinstance(targets, torch.Tensor):
        return None
    predictions = copy.prediction(outputs).detach()
    axis = case.task.class_axis
    with torch.no_grad():
        found = []
        constants = (_nothing(form, predictions, axis), _best(form, predictions, targets, axis))
        generator = torch.Generator().manual_seed(case.settings.seed)
        random = (_random(form, predictions, axis, generator) for _ in range(DRAWS))
        for constant in (*constants, *random):
            value = _value(case, copy, constant, outputs, batch)
            if value is None or not math.isfinite(value):
                return None
            found.append(value)
    words = {
        LossKind.SQUARED: "mean square and variance of the targets",
        LossKind.ABSOLUTE: "mean size of the targets, and their mean distance from the median",
        LossKind.HUBER: "Huber loss of outputs of 0 and of the best constant",
    }.get(form.kind, "equal probabilities, and the frequencies of the targets")
    return Chance(uninformed=found[0], best_constant=min(found[:2]), random=float(np.mean(found[2:])), how=words)


def _value(case: TrainingCase, copy: ModelCopy, constant: Tensor, outputs: Any, batch: Batch) -> float | None:
    asked = copy.loss_of(constant, outputs, batch)
    if asked is not None:
        return float(asked)
    from torch.nn import functional

    form, targets = case.loss_form, batch.targets
    if form.kind is LossKind.CROSS_ENTROPY and case.task.class_axis is not None:
        flat = constant.movedim(case.task.class_axis, -1).reshape(-1, constant.shape[case.task.class_axis])
        if flat.shape[0] != targets.numel():
            return None
        return float(functional.cross_entropy(flat.float(), targets.reshape(-1).long())) * form.scale + form.penalty
    if form.kind is LossKind.SQUARED:
        return float((constant.reshape(-1) - targets.reshape(-1)).square().mean()) * form.scale + form.penalty
    if form.kind is LossKind.BINARY_LOGITS:
        found = functional.binary_cross_entropy_with_logits(
            constant.reshape(-1), targets.reshape(-1).to(constant.dtype)
        )
        return float(found) * form.scale + form.penalty
    return None


def _nothing(form: LossForm, predictions: Tensor, axis: int | None) -> Tensor:
    import torch

    zeros = torch.zeros_like(predictions)
    if form.kind is LossKind.NLL:
        return zeros - math.log(predictions.shape[1 if axis is None else axis])
    return zeros + 0.5 if form.kind is LossKind.BINARY else zeros


def _random(form: LossForm, predictions: Tensor, axis: int | None, generator: torch.Generator) -> Tensor:
    import torch

    noise = torch.randn(predictions.shape, generator=generator) * math.sqrt(LOUD)
    noise = noise.to(device=predictions.device, dtype=predictions.dtype)
    if form.kind is LossKind.NLL:
        return torch.log_softmax(noise, 1 if axis is None else axis)
    return torch.sigmoid(noise) if form.kind is LossKind.BINARY else noise


def _best(form: LossForm, predictions: Tensor, targets: Tensor, axis: int | None) -> Tensor:
    """The best constant output, one number a class or output dimension."""
    import torch

    if form.kind in CLASSIFYING:
        place = 1 if axis is None else axis
        n = predictions.shape[place]
        if targets.is_floating_point():
            priors = targets.double().movedim(place, -1).reshape(-1, n).mean(0)
        else:
            kept = targets[(targets != form.ignore_index) & (targets >= 0) & (targets < n)]
            priors = torch.bincount(kept.reshape(-1).long(), minlength=n).double()
            priors = priors / priors.sum().clamp_min(1)
        if form.weight is not None and len(form.weight) == n:
            priors = priors * torch.as_tensor(np.array(form.weight), device=priors.device)
            priors = priors / priors.sum().clamp_min(1e-12)
        priors = (1 - form.label_smoothing) * priors + form.label_smoothing / n
        shape = [n if at == place else 1 for at in range(predictions.ndim)]
        logs = priors.clamp_min(1e-12).log().to(predictions.dtype).reshape(shape)
        return logs.expand_as(predictions).contiguous()
    values = targets.to(predictions.dtype)
    if values.numel() == predictions.numel():
        values = values.reshape(predictions.shape)
    if form.kind is LossKind.ABSOLUTE:
        constant = values.median(0, keepdim=True).values if values.ndim else values
    else:
        constant = values.mean(0, keepdim=True) if values.ndim else values
    if form.kind in BINARY_KINDS:
        constant = constant.clamp(1e-6, 1 - 1e-6)
        if form.kind is LossKind.BINARY_LOGITS:
            if form.pos_weight is not None:
                weight = torch.as_tensor(np.array(form.pos_weight), device=constant.device, dtype=constant.dtype)
                constant = weight * constant / (weight * constant + 1 - constant)
            constant = torch.logit(constant)
    try:
        return constant.expand_as(predictions).contiguous()
    except RuntimeError:
        return values.mean().expand_as(predictions).contiguous()

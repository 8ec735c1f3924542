"""What a model is to learn, told from its loss and its targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataguard.training.losses import BINARY_KINDS, CLASSIFYING, REGRESSING, LossForm, LossKind

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a model is to learn."""

    kind: str
    """One of `dataguard.training.subject.TASKS`."""
    reason: str
    """What it was told from."""
    n_classes: int | None = None
    """How many classes or labels; None where there are none, or it is not known."""
    class_axis: int | None = None
    """The dimension of the predictions that holds the classes."""

    @property
    def classifies(self) -> bool:
        """Whether predictions are scores of classes, of which one is right: for a sample, or for each step."""
        return self.kind in ("classification", "sequence") and self.n_classes is not None


def told_task(
    form: LossForm, predictions: Tensor, targets: Any, inputs: Any, declared: str | None, n: int | None
) -> Task:
    """The task, as declared or as loss and targets say.

    Args:
        form: The loss.
        predictions: The model's, of one batch.
        targets: That batch's.
        inputs: That batch's.
        declared: What the user says it is.
        n: How many classes the user says there are.
    """
    import torch

    kind, reason, n_classes, axis = "other", f"the loss is {form.kind.value}", n, None
    is_tensor = isinstance(targets, torch.Tensor)
    if form.kind in CLASSIFYING or form.kind is LossKind.DIVERGENCE:
        axis = _class_axis(predictions, targets) if is_tensor else 1
        n_classes = n or int(predictions.shape[axis])
        steps = is_tensor and targets.ndim > 1 and not targets.is_floating_point()
        kind = "sequence" if steps else "classification"
        reason += f" and the targets are {'a class for each step' if steps else 'classes'} (of {n_classes})"
    elif form.kind in BINARY_KINDS and is_tensor:
        per_sample = targets.numel() // max(int(targets.shape[0]), 1)
        same = _is_input(targets, inputs)
        kind = "reconstruction" if same else "binary" if per_sample == 1 else "multi-label"
        n_classes = None if same else 2 if per_sample == 1 else per_sample
        reason += " and the targets are the inputs" if same else f" with {per_sample} targets a sample"
    elif form.kind in REGRESSING and is_tensor:
        same = _is_input(targets, inputs)
        kind = "reconstruction" if same else "regression"
        reason += " and the targets are the inputs" if same else " and the targets are numbers"
    elif is_tensor and not targets.is_floating_point() and targets.ndim == 1 and predictions.ndim == 2:
        kind, axis = "classification", 1
        n_classes = n or int(predictions.shape[1])
        reason += f", the targets are whole numbers and there are {n_classes} outputs a sample"
    if declared is not None:
        return Task(kind=declared, reason="declared", n_classes=n_classes, class_axis=axis)
    return Task(kind=kind, reason=reason, n_classes=n_classes, class_axis=axis)


def _class_axis(predictions: Tensor, targets: Tensor) -> int:
    if targets.is_floating_point() or targets.ndim == 1:
        return 1 if predictions.ndim > 1 else 0
    # (N, K, d…) as torch has it, or (N, d…, K) as models give it to a loss that flattens.
    if tuple(predictions.shape[2:]) == tuple(targets.shape[1:]):
        return 1
    return predictions.ndim - 1


def _is_input(targets: Tensor, inputs: Any) -> bool:
    import torch

    from dataguard.training.structure import tensors

    return any(
        item.numel() == targets.numel()
        and item.is_floating_point()
        and torch.equal(item.reshape(-1).float(), targets.reshape(-1).float())
        for _, item in tensors(inputs)
    )

"""Which loss is in use: told from its class or function, or else from its values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


class LossKind(Enum):
    """What a loss computes."""

    CROSS_ENTROPY = "cross entropy of logits"
    NLL = "negative log likelihood of log-probabilities"
    BINARY_LOGITS = "binary cross entropy of logits"
    BINARY = "binary cross entropy of probabilities"
    SQUARED = "squared error"
    ABSOLUTE = "absolute error"
    HUBER = "Huber loss"
    DIVERGENCE = "Kullback-Leibler divergence of log-probabilities"
    OTHER = "another loss"


CLASSIFYING = (LossKind.CROSS_ENTROPY, LossKind.NLL)
BINARY_KINDS = (LossKind.BINARY_LOGITS, LossKind.BINARY)
REGRESSING = (LossKind.SQUARED, LossKind.ABSOLUTE, LossKind.HUBER)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LossForm:
    """A loss, as far as it is known."""

    kind: LossKind
    origin: str
    """What tells: 'the class CrossEntropyLoss', 'its values on the first batch'."""
    reduction: str = "mean"
    """'mean', 'sum' or 'none'."""
    scale: float = 1.0
    """What the loss of its kind is multiplied by."""
    penalty: float = 0.0
    """What is added to it, as by a regularizer in the loss, at the start."""
    label_smoothing: float = 0.0
    weight: NDArray[np.float64] | None = None
    """One a class, shape (K,)."""
    pos_weight: NDArray[np.float64] | None = None
    ignore_index: int = -100
    delta: float = 1.0
    """Where a Huber loss becomes linear."""

    @property
    def words(self) -> str:
        """The loss in words, with what its value depends on."""
        parts = [self.kind.value]
        if self.label_smoothing:
            parts.append(f"label smoothing {self.label_smoothing:g}")
        if self.weight is not None:
            parts.append(f"{len(self.weight)} class weights")
        if self.pos_weight is not None:
            parts.append("weights of positives")
        if self.reduction != "mean":
            parts.append(f"reduction {self.reduction}")
        if not math.isclose(self.scale, 1.0):
            parts.append(f"times {self.scale:.4g}")
        if self.penalty:
            parts.append(f"plus a penalty of {self.penalty:.4g}")
        return ", ".join(parts)


_CLASSES = {
    "CrossEntropyLoss": LossKind.CROSS_ENTROPY,
    "NLLLoss": LossKind.NLL,
    "BCEWithLogitsLoss": LossKind.BINARY_LOGITS,
    "MultiLabelSoftMarginLoss": LossKind.BINARY_LOGITS,
    "BCELoss": LossKind.BINARY,
    "MSELoss": LossKind.SQUARED,
    "L1Loss": LossKind.ABSOLUTE,
    "HuberLoss": LossKind.HUBER,
    "SmoothL1Loss": LossKind.HUBER,
    "KLDivLoss": LossKind.DIVERGENCE,
}
_FUNCTIONS = {
    "cross_entropy": LossKind.CROSS_ENTROPY,
    "nll_loss": LossKind.NLL,
    "binary_cross_entropy_with_logits": LossKind.BINARY_LOGITS,
    "multilabel_soft_margin_loss": LossKind.BINARY_LOGITS,
    "binary_cross_entropy": LossKind.BINARY,
    "mse_loss": LossKind.SQUARED,
    "l1_loss": LossKind.ABSOLUTE,
    "huber_loss": LossKind.HUBER,
    "smooth_l1_loss": LossKind.HUBER,
    "kl_div": LossKind.DIVERGENCE,
}


def named_form(loss: Any) -> LossForm | None:
    """The form of a loss of torch's own, with its settings; None for any other."""
    import torch

    kind = type(loss)
    if isinstance(loss, torch.nn.Module) and kind.__module__.startswith("torch.nn") and kind.__name__ in _CLASSES:
        name = kind.__name__
        return LossForm(
            kind=_CLASSES[name],
            origin=f"the class {name}",
            reduction=str(getattr(loss, "reduction", "mean")),
            label_smoothing=float(getattr(loss, "label_smoothing", 0.0)),
            weight=_array(getattr(loss, "weight", None)),
            pos_weight=_array(getattr(loss, "pos_weight", None)),
            ignore_index=int(getattr(loss, "ignore_index", -100)),
            delta=float(getattr(loss, "delta", getattr(loss, "beta", 1.0))),
        )
    name = getattr(loss, "__name__", "")
    if getattr(torch.nn.functional, name, None) is loss and name in _FUNCTIONS:
        return LossForm(kind=_FUNCTIONS[name], origin=f"the function {name}")
    return None


def form_by_value(outputs: Tensor, targets: Any, value: Callable[[Tensor], Tensor | None]) -> LossForm:
    """The form of a loss, from its values at the model's outputs and at others near them.

    A loss is taken for one of a kind where it equals the kind's, or a fixed multiple of it, or it plus a fixed number,
    at all points.

    Args:
        outputs: Predictions of the first batch.
        targets: Its targets.
        value: The loss of other predictions; None for those that cannot be asked (the loss is inside the model).
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    points = [outputs.detach().float()]
    spread = float(points[0].std()) if points[0].numel() > 1 else 1.0
    for scale in (0.5, 2.0):
        noise = torch.randn(outputs.shape, generator=generator).to(outputs.device) * (spread or 1.0) * scale
        points.append(_same_range(points[0], noise))
    if _are_log_probabilities(points[0]):
        # Among log-probabilities cross entropy and negative log likelihood are the same; moved by 1 they are not.
        points.append(points[0] + 1)
    values = [value(point) for point in points]
    known = [(point, float(item)) for point, item in zip(points, values, strict=True) if item is not None]
    if not isinstance(targets, torch.Tensor) or not known:
        return LossForm(kind=LossKind.OTHER, origin="it is none of torch's own")
    for kind, reduction, computed in _candidates(known, targets):
        if computed is None or not all(map(math.isfinite, computed)):
            continue
        observed = [item for _, item in known]
        if all(
            math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-5) for one, other in zip(observed, computed, strict=True)
        ):
            return LossForm(kind=kind, origin="its values on the first batch", reduction=reduction)
        if len(known) < 3:
            continue
        differences = [one - other for one, other in zip(observed, computed, strict=True)]
        size = max(map(abs, observed))
        if max(differences) - min(differences) < 1e-4 * size:
            return LossForm(
                kind=kind, origin="its values on the first batch", reduction=reduction, penalty=differences[0]
            )
        ratios = [one / other if other else math.inf for one, other in zip(observed, computed, strict=True)]
        if all(math.isfinite(ratio) for ratio in ratios) and max(ratios) - min(ratios) < 1e-4 * abs(ratios[0]):
            return LossForm(kind=kind, origin="its values on the first batch", reduction=reduction, scale=ratios[0])
    smoothed = _smoothed(known, targets)
    if smoothed is not None:
        return smoothed
    return LossForm(kind=LossKind.OTHER, origin="its values on the first batch are those of none of torch's own")


def _smoothed(known: list[tuple[Tensor, float]], targets: Tensor) -> LossForm | None:
    """Cross entropy with smoothed labels: linear in the smoothing, which two points must agree on."""
    import torch
    from torch.nn import functional

    if targets.is_floating_point() or known[0][0].ndim != targets.ndim + 1:
        return None
    found = []
    for point, observed in known:
        try:
            plain = float(functional.cross_entropy(point, targets.long()))
            uniform = float(functional.cross_entropy(point, targets.long(), label_smoothing=1.0))
        except (RuntimeError, ValueError, IndexError):
            return None
        if abs(uniform - plain) < 1e-6:
            return None
        found.append((observed - plain) / (uniform - plain))
    smoothing = found[0]
    if 0 < smoothing < 1 and max(found) - min(found) < 1e-3 and torch.isfinite(known[0][0]).all():
        return LossForm(
            kind=LossKind.CROSS_ENTROPY, origin="its values on the first batch", label_smoothing=round(smoothing, 4)
        )
    return None


def _are_log_probabilities(outputs: Tensor) -> bool:
    return outputs.ndim > 1 and bool(outputs.max() <= 1e-4) and bool((outputs.exp().sum(1) - 1).abs().max() < 1e-2)


def _same_range(outputs: Tensor, noise: Tensor) -> Tensor:
    """Other outputs of the same nature: log-probabilities, probabilities, or any numbers."""
    import torch

    if _are_log_probabilities(outputs):
        return torch.log_softmax(outputs + noise, 1)
    if outputs.min() >= 0 and outputs.max() <= 1:
        logits = torch.logit(outputs.clamp(1e-4, 1 - 1e-4)) + noise / max(float(noise.std()), 1e-6)
        if outputs.ndim > 1 and outputs.shape[1] > 1 and bool((outputs.sum(1) - 1).abs().max() < 1e-2):
            return torch.softmax(torch.log(outputs.clamp_min(1e-6)) + noise, 1)
        return torch.sigmoid(logits)
    return outputs + noise


def _candidates(known: list[tuple[Tensor, float]], targets: Tensor) -> list[tuple[LossKind, str, list[float] | None]]:
    from torch.nn import functional

    table: list[tuple[LossKind, Callable[..., Tensor]]]
    outputs = known[0][0]
    if targets.is_floating_point():
        table = [
            (LossKind.SQUARED, functional.mse_loss),
            (LossKind.ABSOLUTE, functional.l1_loss),
            (LossKind.HUBER, functional.smooth_l1_loss),
        ]
        if targets.min() >= 0 and targets.max() <= 1:
            table += [(LossKind.BINARY_LOGITS, functional.binary_cross_entropy_with_logits)]
            if outputs.min() >= 0 and outputs.max() <= 1:
                table += [(LossKind.BINARY, functional.binary_cross_entropy)]
        if outputs.ndim > 1 and targets.shape == outputs.shape:
            table += [(LossKind.CROSS_ENTROPY, functional.cross_entropy)]
    else:
        table = [(LossKind.CROSS_ENTROPY, functional.cross_entropy), (LossKind.NLL, functional.nll_loss)]
        if outputs.numel() == targets.numel():
            as_floats = targets.to(outputs.dtype)
            table = [
                (
                    LossKind.BINARY_LOGITS,
                    lambda o, _, **k: functional.binary_cross_entropy_with_logits(
                        o.reshape(-1), as_floats.reshape(-1), **k
                    ),
                ),
                (LossKind.SQUARED, lambda o, _, **k: functional.mse_loss(o.reshape(-1), as_floats.reshape(-1), **k)),
                *table,
            ]
    found: list[tuple[LossKind, str, list[float] | None]] = []
    for reduction in ("mean", "sum"):
        for kind, function in table:
            computed = [_value(function, point, targets, reduction) for point, _ in known]
            whole = None if any(item is None for item in computed) else [item for item in computed if item is not None]
            found.append((kind, reduction, whole))
    return found


def _value(function: Callable[..., Tensor], outputs: Tensor, targets: Tensor, reduction: str) -> float | None:
    if targets.is_floating_point():
        if outputs.numel() != targets.numel():
            return None
        outputs = outputs.reshape(targets.shape)
        return _tried(function, outputs, targets.to(outputs.dtype), reduction)
    found = _tried(function, outputs, targets.long(), reduction)
    if found is None and outputs.ndim == 3 and targets.ndim == 2:
        # Sequences: classes last, as models give them, where torch wants them second; with a language model's shift.
        flat = outputs.reshape(-1, outputs.shape[-1])
        found = _tried(function, flat, targets.reshape(-1), reduction)
    return found


def _tried(function: Callable[..., Tensor], outputs: Tensor, targets: Tensor, reduction: str) -> float | None:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(function(outputs, targets, reduction=reduction))
    except (RuntimeError, ValueError, IndexError, TypeError):
        return None


def _array(value: Any) -> NDArray[np.float64] | None:
    if value is None:
        return None
    found: NDArray[np.float64] = np.asarray(value.detach().cpu().numpy(), dtype=np.float64)
    found.flags.writeable = False
    return found

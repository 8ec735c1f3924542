"""One pass in which every call of an activation, a norm or a loss is seen, and what initial weights it was with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataguard.training.case import TrainingCase
from dataguard.training.structure import tensors
from dataguard.training.watched import Call, Origin, Watch
from dataguard.training.weights import Weights, weights_of

if TYPE_CHECKING:
    from torch import Tensor

ACTIVATIONS = frozenset(
    {
        "relu",
        "relu6",
        "leaky_relu",
        "prelu",
        "rrelu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "mish",
        "softplus",
        "hardswish",
        "hardsigmoid",
        "hardtanh",
        "tanh",
        "sigmoid",
        "logsigmoid",
        "softmax",
        "log_softmax",
        "glu",
    }
)
NORMS = frozenset({"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "normalize"})
LOSSES = frozenset(
    {
        "cross_entropy",
        "nll_loss",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "huber_loss",
        "kl_div",
    }
)
ELEMENTWISE = frozenset(
    {"sub", "rsub", "__sub__", "__rsub__", "mul", "__mul__", "__rmul__", "div", "__truediv__", "eq", "__eq__", "add"}
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CallPass:
    """One forward and one backward pass of a fresh copy on the first batch, in train mode, watched call by call."""

    case: TrainingCase
    calls: tuple[Call, ...]
    """Of activations, norms, losses and, in the loss, arithmetic; in order."""
    predictions: Tensor
    """Detached."""
    origin: Origin | None
    """What made the predictions."""
    weights: tuple[Weights, ...]
    """Initial weights of two or more dimensions, with what their gradients show."""

    @property
    def losses(self) -> tuple[Call, ...]:
        """Calls of torch's own losses."""
        return tuple(call for call in self.calls if call.name in LOSSES)


def call_pass(case: TrainingCase) -> CallPass:
    """Make a `CallPass`.

    Raises:
        ConfigurationError: model or loss fail in train mode.
    """
    import torch

    with case.sandbox():
        copy = case.copy()
        batch = case.first
        kept = ACTIVATIONS | NORMS | LOSSES
        watch = Watch(lambda name: name in kept or name in ELEMENTWISE)
        with case.on_first_batch():
            with watch.watching(copy.model):
                _root(watch, batch.targets, "targets")
                outputs = copy.forward(batch)
                predictions = copy.prediction(outputs)
                origin = watch.origin(predictions)
                watch.model_ends()
                if case.calls.loss != "inside":
                    _root(watch, outputs, "outputs")
                loss = copy.loss(outputs, batch)
            if loss.requires_grad:
                copy.backward(loss)
        # A model's own arithmetic is its business; within a loss a shape that grows tells of a mistake.
        calls = [call for call in watch.calls if not (call.inside and call.name in ELEMENTWISE)]
        with torch.no_grad():
            weights = weights_of(case, copy.model, calls, NORMS, ACTIVATIONS)
        return CallPass(case=case, calls=tuple(calls), predictions=predictions.detach(), origin=origin, weights=weights)


def _root(watch: Watch, value: Any, name: str) -> None:
    for _, item in tensors(value):
        watch.root(item, name)

"""Faults of losses and of what they are given, of modes, penalties, gradients written by hand, and metrics."""

# What is imported from beside this file has no types here: the script's folder is on the path at run time alone.
# mypy: disable-error-code="no-any-return,no-untyped-call"

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Subset

from dataguard.training import Training
from training_faults.kinds import (  # type: ignore[import-not-found]
    Fault,
    changed,
    head,
    hidden,
    inner,
    layers,
    named,
    targets,
)

_CLASSES = (
    *("mlp", "tanh_mlp", "cnn", "frozen", "checkpointed", "mixed_precision", "channels_last", "lazy", "averaged"),
    *("compiled", "patches", "lstm", "transformer", "bag", "unet"),
)
"""Those whose loss is a cross entropy of logits."""
_DROPPING = ("mlp", "patches", "transformer")
_NORMED = ("cnn", "mixed_precision", "channels_last", "lazy", "compiled", "residual")


def _on_head(change: Callable[[Tensor], Tensor]) -> Callable[[Training], Training]:
    return lambda training: changed(training, head(training)[1], change)


def _wrong_axis(outputs: Tensor) -> Tensor:
    return outputs.log_softmax(0)


def negative_likelihood(training: Training) -> Training:
    """Logits into the loss of log-probabilities."""
    return dataclasses.replace(training, loss=nn.NLLLoss())


def as_probabilities(training: Training) -> Training:
    """Logits into the loss of probabilities."""

    def loss(outputs: Tensor, wanted: Tensor) -> Tensor:
        return functional.binary_cross_entropy(outputs.clamp(1e-6, 1 - 1e-6), wanted)

    return dataclasses.replace(training, loss=loss)


class _OneUnit(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """See `torch.nn.Module.forward`."""
        return torch.softmax(self.model(x)[:, None], 1)[:, 0]


def one_unit_softmax(training: Training) -> Training:
    """A softmax over one unit."""
    return dataclasses.replace(training, model=_OneUnit(training.model), loss=nn.BCELoss())


def broadcast(training: Training) -> Training:
    """Targets without the outputs' last dimension."""

    def loss(outputs: Tensor, wanted: Tensor) -> Tensor:
        return ((outputs - wanted.squeeze(-1)) ** 2).mean()

    return dataclasses.replace(training, loss=loss)


def broadcast_builtin(training: Training) -> Training:
    """Likewise, in torch's own loss."""

    def loss(outputs: Tensor, wanted: Tensor) -> Tensor:
        return functional.mse_loss(outputs, wanted.squeeze(-1))

    return dataclasses.replace(training, loss=loss)


def penalized(training: Training) -> Training:
    """A penalty of the weights far above the loss."""
    return dataclasses.replace(
        training, regularizer=lambda model: 10 * sum(item.square().sum() for item in model.parameters())
    )


def decayed(training: Training) -> Training:
    """Weight decay that shrinks weights by more than the loss moves them."""
    for group in training.optimizer.param_groups:
        group["weight_decay"] = 10.0
    return training


class _Halved(torch.autograd.Function):
    """Its gradient is half of what it should be."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The square root of 1 + x²."""
        ctx.save_for_backward(x)
        return (1 + x * x).sqrt()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Half of x/√(1 + x²)."""
        (x,) = ctx.saved_tensors
        return 0.5 * gradients[0] * x / (1 + x * x).sqrt()


class _Smooth(nn.Module):
    def forward(self, x: Tensor) -> Any:
        """See `torch.nn.Module.forward`."""
        return _Halved.apply(x)


class _Followed(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.smooth = _Smooth()

    def forward(self, x: Tensor) -> Any:
        """See `torch.nn.Module.forward`."""
        return self.smooth(self.layer(x))


def wrong_gradient(training: Training) -> Training:
    """A layer of one's own whose gradient is half of what it should be."""
    name, layer = head(training)
    *parents, last = name.split(".")
    setattr(inner(training).get_submodule(".".join(parents)), last, _Followed(layer))
    return training


class _Loss(torch.autograd.Function):
    """A mean square whose gradient has the wrong sign."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, wanted: Tensor) -> Tensor:
        """The mean square."""
        ctx.save_for_backward(outputs, wanted)
        return ((outputs - wanted) ** 2).mean()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The negative of the gradient."""
        outputs, wanted = ctx.saved_tensors
        return -gradients[0] * 2 * (outputs - wanted) / outputs.numel(), None


def _flipped(outputs: Tensor, wanted: Tensor) -> Tensor:
    found: Tensor = _Loss.apply(outputs, wanted)
    return found


def wrong_loss_gradient(training: Training) -> Training:
    """A loss of one's own whose gradient has the wrong sign."""
    return dataclasses.replace(training, loss=_flipped)


def always_dropped(training: Training) -> Training:
    """Dropout in eval mode, too."""
    return changed(training, hidden(training)[1], lambda o: functional.dropout(o, 0.3, training=True))


def left_in_eval(training: Training) -> Training:
    """The model was evaluated and never put back."""
    inner(training).eval()
    return training


def batch_statistics(training: Training) -> Training:
    """Batch norm that is always in train mode."""
    _, norm = layers(training, (nn.BatchNorm2d,))[0]
    norm.track_running_stats = False
    norm.running_mean = norm.running_var = None
    return training


def _batch_norm(training: Training) -> str:
    return str(layers(training, (nn.BatchNorm2d,))[0][0])


def imbalanced(training: Training) -> Training:
    """Nineteen of twenty samples are of one class, and accuracy is what is reported."""
    labels = training.loader.dataset.tensors[-1]
    most = torch.nonzero(labels == 1).flatten()
    rest = torch.nonzero(labels != 1).flatten()
    count = min(len(most), 19 * len(rest))
    index = torch.cat([most[:count], rest[: max(count // 19, 1)]]).tolist()
    loader = DataLoader(
        Subset(training.loader.dataset, index), 32, shuffle=True, generator=torch.Generator().manual_seed(0)
    )
    assert len(targets(next(iter(loader))))
    return dataclasses.replace(training, loader=loader, metric="accuracy")


_TABLES = ("mlp", "tanh_mlp", "cnn", "residual", "checkpointed", "frozen", "lazy", "lstm", "bag", "binary", "patches")

LOSSES = (
    Fault(rule="DG717", name="softmax before cross entropy", plant=_on_head(lambda o: o.softmax(1)), only=_CLASSES),
    Fault(rule="DG717", name="sigmoid before cross entropy", plant=_on_head(torch.sigmoid), only=_CLASSES),
    Fault(rule="DG717", name="logits into likelihood", plant=negative_likelihood, only=_CLASSES),
    Fault(rule="DG717", name="softmax over samples", plant=_on_head(_wrong_axis), only=_CLASSES),
    Fault(rule="DG717", name="sigmoid twice", plant=_on_head(torch.sigmoid), only=("binary", "siamese", "multi_label")),
    Fault(rule="DG717", name="softmax over one unit", plant=one_unit_softmax, only=("binary",)),
    Fault(rule="DG717", name="logits as probabilities", plant=as_probabilities, only=("binary",)),
    Fault(rule="DG717", name="broadcast", plant=broadcast, only=("regression", "gru")),
    Fault(rule="DG717", name="broadcast, torch's loss", plant=broadcast_builtin, only=("regression", "gru")),
    Fault(rule="DG718", name="penalty", plant=penalized),
    Fault(rule="DG718", name="weight decay", plant=decayed),
    Fault(rule="DG719", name="layer", plant=wrong_gradient, where=named(head), but=("averaged",)),
    Fault(
        rule="DG719",
        name="loss",
        plant=wrong_loss_gradient,
        only=("gru", "causal_convolution", "autoencoder", "regression"),
    ),
    Fault(rule="DG720", name="dropout in eval", plant=always_dropped, where=named(hidden), but=("averaged",)),
    Fault(rule="DG720", name="left in eval", plant=left_in_eval, only=(*_DROPPING, *_NORMED)),
    Fault(rule="DG720", name="batch norm in eval", plant=batch_statistics, where=_batch_norm, only=_NORMED),
    Fault(rule="DG722", name="accuracy", plant=imbalanced, only=_TABLES),
)

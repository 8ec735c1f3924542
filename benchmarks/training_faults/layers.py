"""Faults of weights, activations, gradients and steps."""

# What is imported from beside this file has no types here: the script's folder is on the path at run time alone.
# mypy: disable-error-code="no-any-return,no-untyped-call"

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dataguard.training import Training
from training_faults.kinds import (  # type: ignore[import-not-found]
    IDS,
    WEIGHTED,
    Fault,
    batches,
    changed,
    first,
    head,
    hidden,
    inner,
    layers,
    named,
)

_RECTIFIED = (nn.ReLU,)
_FROZEN = ("frozen",)


def spare(training: Training) -> Training:
    """A layer is made and never called."""
    layer = nn.Linear(4, 4)
    # Not put into a sequence, which would call it.
    head(training)[1].spare = layer
    training.optimizer.add_param_group({"params": list(layer.parameters())})
    return training


def cut(training: Training) -> Training:
    """What the first layer gives is cut off from it."""
    return changed(training, first(training)[1], lambda o: o.detach())


def forgotten(training: Training) -> Training:
    """The optimizer does not hold the first layer."""
    held = {id(item) for item in first(training)[1].parameters()}
    for group in training.optimizer.param_groups:
        group["params"] = [item for item in group["params"] if id(item) not in held]
    return training


def faint_head(training: Training) -> Training:
    """The last layer's weights are a hundred-thousandth of what they should be, and so are gradients behind it."""
    with torch.no_grad():
        head(training)[1].weight.mul_(1e-5)
    return training


def steep_head(training: Training) -> Training:
    """The last layer's weights are a hundred thousand times what they should be."""
    with torch.no_grad():
        head(training)[1].weight.mul_(1e5)
    return training


class _Sigmoids(nn.Module):
    def __init__(self, width: int, layer: nn.Module) -> None:
        super().__init__()
        self.stack = nn.Sequential(*(part for _ in range(6) for part in (nn.Linear(width, width), nn.Sigmoid())))
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        """See `torch.nn.Module.forward`."""
        return self.layer(self.stack(x))


def deep_sigmoids(training: Training) -> Training:
    """Six sigmoid layers before the last layer."""
    name, layer = head(training)
    made = _Sigmoids(layer.in_features, layer)
    _put(inner(training), name, made)
    training.optimizer.add_param_group({"params": list(made.stack.parameters())})
    return training


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    *parents, last = name.split(".")
    holder = model.get_submodule(".".join(parents))
    setattr(holder, last, layer)


def rated(factor: float) -> Callable[[Training], Training]:
    """The learning rate is off by a factor."""

    def plant(training: Training) -> Training:
        for group in training.optimizer.param_groups:
            group["lr"] *= factor
        return training

    return plant


def _before(training: Training, kinds: tuple[type, ...]) -> tuple[str, Any]:
    """The layer before an activation in a sequence, or the first of two in a transformer's layer."""
    for _, item in inner(training).named_modules():
        if isinstance(item, nn.Sequential):
            parts = list(item)
            for before, after in itertools.pairwise(parts):
                if isinstance(after, kinds) and hasattr(before, "weight"):
                    return next(pair for pair in inner(training).named_modules() if pair[1] is before)
    return next(pair for pair in inner(training).named_modules() if pair[0].endswith("linear1"))


def _dies(training: Training) -> str:
    """The layer before a rectifier, or the rectifier, which comes next."""
    names = [name for name, _ in inner(training).named_modules()]
    before = _before(training, _RECTIFIED)[0]
    return f"{before}|{names[(names.index(before) + 1) % len(names)]}"


def dead(training: Training) -> Training:
    """A large negative bias before a rectifier."""
    with torch.no_grad():
        _before(training, _RECTIFIED)[1].bias.fill_(-1e3)
    return training


def saturated(training: Training) -> Training:
    """Weights before a tanh are far too large."""
    with torch.no_grad():
        _before(training, (nn.Tanh,))[1].weight.mul_(300)
    return training


def scaled(factor: float) -> Callable[[Training], Training]:
    """The weights of a hidden layer are off by a factor."""

    def plant(training: Training) -> Training:
        with torch.no_grad():
            for parameter in hidden(training)[1].parameters():
                parameter.mul_(factor)
        return training

    return plant


def logarithm(training: Training) -> Training:
    """The logarithm is taken of negative numbers."""
    return changed(training, hidden(training)[1], torch.log)


def divided(training: Training) -> Training:
    """Divided by a standard deviation that is zero."""
    return changed(training, hidden(training)[1], lambda o: (o - o) / (o - o).std())


def missing_values(training: Training) -> Training:
    """A number of every batch of inputs is missing."""

    def without(batch: Any) -> Any:
        inputs = batch["features"] if isinstance(batch, dict) else batch[0]
        held = inputs[0] if isinstance(inputs, tuple | list) else inputs
        held = held.clone(memory_format=torch.contiguous_format)
        held.view(-1)[3] = math.nan
        if isinstance(batch, dict):
            return {**batch, "features": held}
        return ((held, *inputs[1:]) if isinstance(inputs, tuple | list) else held, batch[1])

    return batches(training, without)


def broken_weight(training: Training) -> Training:
    """A weight is infinite."""
    with torch.no_grad():
        hidden(training)[1].weight[0].fill_(math.inf)
    return training


def drawn(std: float) -> Callable[[Training], Training]:
    """All weights are drawn with one standard deviation, whatever the number of inputs."""

    def plant(training: Training) -> Training:
        with torch.no_grad():
            for _, layer in layers(training):
                layer.weight.normal_(0, std)
        return training

    return plant


def constant(value: float) -> Callable[[Training], Training]:
    """All weights are alike."""

    def plant(training: Training) -> Training:
        with torch.no_grad():
            for _, layer in layers(training):
                layer.weight.fill_(value)
        return training

    return plant


def _any_layer(training: Training) -> str:
    return "|".join(name for name, _ in layers(training, (*WEIGHTED, nn.MultiheadAttention)))


_RELU: tuple[str, ...] = (
    "mlp",
    "cnn",
    "mixed_precision",
    "channels_last",
    "compiled",
    "residual",
    "transformer",
    "patches",
    "tied",
)
_RELU += ("autoencoder", "variational", "regression", "multi_label", "siamese", "unet", "inside")
_REFUSED = ("multi_label",)
"""Models whose loss refuses NaN itself, before any rule, and whose last sigmoid has no gradient once it saturates."""
_ONE_LAYER = ("lstm", "gru", "bag")
"""Models whose only layer with weights of that kind is the last."""

LAYERS = (
    Fault(rule="DG711", name="spare", plant=spare, where=lambda _: "spare", but=("averaged",)),
    Fault(rule="DG711", name="cut", plant=cut, where=named(first), but=(*_FROZEN, "lstm", "gru", "tied", "averaged")),
    Fault(rule="DG711", name="forgotten", plant=forgotten, where=named(first), but=(*_FROZEN, "tied", "averaged")),
    Fault(rule="DG712", name="faint head", plant=faint_head, but=(*_FROZEN, "tied")),
    Fault(rule="DG712", name="steep head", plant=steep_head, but=(*_FROZEN, "tied", *_REFUSED)),
    Fault(
        rule="DG712",
        name="deep sigmoids",
        plant=deep_sigmoids,
        but=(*_FROZEN, "tied", "causal_convolution", "unet", "averaged", "compiled"),
    ),
    Fault(rule="DG713", name="rate x 3000", plant=rated(3000)),
    Fault(rule="DG713", name="rate / 100000", plant=rated(1e-5)),
    Fault(rule="DG714", name="dead", plant=dead, where=_dies, only=_RELU),
    Fault(rule="DG714", name="saturated", plant=saturated, only=("tanh_mlp",), where=lambda _: "1|2"),
    Fault(rule="DG715", name="weights x 10000", plant=scaled(1e4), where=named(hidden), but=_ONE_LAYER),
    Fault(rule="DG715", name="weights / 10000", plant=scaled(1e-4), where=named(hidden), but=_ONE_LAYER),
    Fault(rule="DG716", name="logarithm", plant=logarithm, where=named(hidden), but=_REFUSED),
    Fault(rule="DG716", name="divided", plant=divided, where=named(hidden), but=_REFUSED),
    Fault(rule="DG716", name="missing values", plant=missing_values, where=lambda _: "input", but=(*IDS, *_REFUSED)),
    Fault(rule="DG716", name="broken weight", plant=broken_weight, where=named(hidden), but=_REFUSED),
    Fault(rule="DG721", name="drawn, std 1", plant=drawn(1), where=_any_layer, but=("bag",)),
    Fault(rule="DG721", name="constant", plant=constant(0.01), where=_any_layer, but=("gru",)),
    Fault(rule="DG721", name="zero", plant=constant(0.0), where=_any_layer, but=(*_FROZEN, *_ONE_LAYER)),
)

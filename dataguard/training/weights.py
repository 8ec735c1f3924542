"""Initial weights: their scale against the inputs of a unit, and whether units differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataguard.training.case import TrainingCase
from dataguard.training.watched import REARRANGING, Call, Origin

if TYPE_CHECKING:
    from torch import Tensor, nn

PRODUCTS = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
"""Functions that a layer with weights calls."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """One weight matrix or kernel before training."""

    name: str
    """Of the parameter."""
    layer: str
    kind: str
    """The class of the layer."""
    shape: tuple[int, ...]
    fan_in: int
    """How many inputs a unit has."""
    fan_out: int
    mean: float
    std: float
    """The root of the mean square, so that a mean that is not 0 counts."""
    activation: str | None
    """What follows, as ``relu``; None where nothing was seen."""
    normalized: bool
    """Whether a norm follows before the next product, so that the scale cancels."""
    last: bool
    """Whether no further product follows."""
    constant: bool
    """Whether all its numbers are equal."""
    same_units: int
    """How many units, beside the first of their kind, have the very weights of another."""
    same_gradients: int
    """How many of them have its gradient, too, so that they stay the same."""
    trains: bool
    tied: bool
    """Whether an embedding shares it."""

    @property
    def gain(self) -> float:
        """std·√fan_in: by what a layer multiplies the root mean square of independent inputs."""
        return self.std * math.sqrt(self.fan_in)


def weights_of(
    case: TrainingCase, model: nn.Module, calls: Sequence[Call], norms: AbstractSet[str], activations: AbstractSet[str]
) -> tuple[Weights, ...]:
    """The weights of all linear, convolutional and recurrent layers, with the gradients that a backward pass left."""
    import torch

    follows: dict[str, str] = {}
    normalized: set[str] = set()
    embeddings = {id(item.weight) for item in model.modules() if isinstance(item, torch.nn.Embedding)}
    for call in calls:
        if call.inside and call.origins and (call.name in norms or call.name in activations):
            layer, passed = _product(call.origins[0], norms)
            if layer is not None:
                if call.name in norms:
                    normalized.add(layer)
                elif layer not in follows:
                    follows[layer] = call.name
                if passed:
                    normalized.add(layer)
    found: list[Weights] = []
    for name, module in model.named_modules():
        for parameter_name, parameter in module.named_parameters(recurse=False):
            kind = type(module).__name__
            sizes = _fans(module, parameter_name, parameter)
            if sizes is None:
                continue
            full = f"{name}.{parameter_name}" if name else parameter_name
            rows, gradients = _units(module, parameter), None
            if parameter.grad is not None and not parameter.grad.is_sparse:
                gradients = _units(module, parameter.grad)
            values = parameter.detach().double()
            same, stay = _same(rows, gradients)
            found.append(
                Weights(
                    name=full,
                    layer=name,
                    kind=kind,
                    shape=tuple(parameter.shape),
                    fan_in=sizes[0],
                    fan_out=sizes[1],
                    mean=float(values.mean()),
                    std=float(values.square().mean().sqrt()),
                    activation=follows.get(name),
                    normalized=name in normalized,
                    last=False,
                    constant=bool((values == values.reshape(-1)[0]).all()),
                    same_units=same,
                    same_gradients=stay,
                    trains=parameter.requires_grad and full not in case.frozen,
                    tied=id(parameter) in embeddings,
                )
            )
    return tuple(found)


def _product(origin: Origin | None, norms: AbstractSet[str]) -> tuple[str | None, bool]:
    """The layer whose product went into a call, and whether a norm was between."""
    passed = False
    while origin is not None:
        if origin.op in PRODUCTS:
            return origin.layer, passed
        if origin.op in norms:
            passed = True
        elif origin.op not in REARRANGING and origin.op not in ("dropout", "dropout2d", "max_pool2d", "avg_pool2d"):
            return None, passed
        origin = origin.parent
    return None, passed


def _fans(module: nn.Module, name: str, parameter: Tensor) -> tuple[int, int] | None:
    """How many inputs and outputs a unit of the layer has; None for what is no product with inputs."""
    import torch

    if parameter.ndim < 2 or parameter.numel() < 4 or not parameter.is_floating_point():
        return None
    if isinstance(module, torch.nn.Embedding | torch.nn.EmbeddingBag):
        return None
    transposed = type(module).__name__.startswith("ConvTranspose")
    if isinstance(module, torch.nn.modules.conv._ConvNd):
        area = math.prod(parameter.shape[2:])
        groups = module.groups
        if transposed:
            strides = math.prod(module.stride)
            return max(int(parameter.shape[0] // groups * area / strides), 1), int(parameter.shape[1] * area)
        return int(parameter.shape[1] * area), int(parameter.shape[0] // groups * area)
    known = isinstance(module, torch.nn.Linear | torch.nn.MultiheadAttention | torch.nn.Bilinear)
    known = known or isinstance(module, torch.nn.RNNBase | torch.nn.RNNCellBase)
    if not known or "weight" not in name or parameter.ndim != 2:
        return None
    return int(parameter.shape[1]), int(parameter.shape[0])


def _units(module: nn.Module, values: Tensor) -> Tensor:
    """One row a unit: its incoming weights."""
    transposed = type(module).__name__.startswith("ConvTranspose")
    return values.detach().movedim(1, 0).flatten(1) if transposed else values.detach().flatten(1)


def _same(rows: Tensor, gradients: Tensor | None) -> tuple[int, int]:
    """How many rows repeat another, and how many of these with their gradients."""
    import torch

    n = rows.shape[0]
    if n < 2:
        return 0, 0
    _, groups = torch.unique(rows, dim=0, return_inverse=True)
    same = n - int(groups.max()) - 1
    if not same or gradients is None:
        return same, 0
    scale = float(gradients.abs().max())
    if scale == 0:
        return same, same
    rounded = (gradients.double() / scale * 1e4).round()
    both = torch.unique(torch.cat([groups[:, None].double(), rounded], 1), dim=0)
    return same, n - len(both)

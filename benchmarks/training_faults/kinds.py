"""What a planted fault is, and the places of a model where one can be put."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dataguard.training import Training

VALUES = ("gru", "causal_convolution", "autoencoder", "variational", "regression")
"""Models whose outputs are values, not classes."""
IDS = ("transformer", "tied", "bag")
"""Those whose inputs are ids."""
INSIDE = ("inside",)
"""Those that compute their loss themselves."""
_IDLE = re.compile(r"^average\.|\bout_proj$|\bconv[12]$")
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault that one rule must find."""

    rule: str
    name: str
    plant: Callable[[Training], Training]
    only: Collection[str] = ()
    """The models that it applies to; empty for all."""
    but: Collection[str] = ()
    """Those that it does not apply to."""
    where: Callable[[Training], str] | None = None
    """The name of the layer that a finding must name, of a training still sound; several are separated by '|'."""

    def applies(self, model: str) -> bool:
        """Whether a model can have it."""
        return model not in self.but and (not self.only or model in self.only)

    def place(self, training: Training) -> str:
        """What a finding must name."""
        return "" if self.where is None else self.where(training)


def inner(training: Training) -> nn.Module:
    """The model itself, not what it was compiled to, with its lazy layers made."""
    model: nn.Module = getattr(training.model, "_orig_mod", training.model)
    if any(isinstance(item, nn.parameter.UninitializedParameter) for item in model.parameters()):
        with torch.no_grad():
            model(next(iter(training.loader))[0])
    return model


def ready(training: Training) -> Training:
    """With lazy layers made, and with an optimizer where there is a function that makes one."""
    model = inner(training)
    if hasattr(training.optimizer, "param_groups"):
        return training
    return dataclasses.replace(training, optimizer=training.optimizer(model.parameters()))


def layers(training: Training, kinds: tuple[type, ...] = WEIGHTED) -> list[tuple[str, Any]]:
    """Layers that have a say, with names, in the order they were made in.

    Left out are those of a model's average, those before a norm that begins at zero, and those whose weights attention
    uses without calling them.
    """
    named = inner(training).named_modules()
    return [(name, item) for name, item in named if isinstance(item, kinds) and not _IDLE.search(name)]


def head(training: Training) -> tuple[str, Any]:
    """The layer that makes the outputs."""
    return layers(training)[-1]


def first(training: Training) -> tuple[str, Any]:
    """The layer that sees the inputs."""
    embeddings = layers(training, (nn.Embedding, nn.EmbeddingBag, nn.LSTM, nn.GRU))
    return embeddings[0] if embeddings else layers(training)[0]


def hidden(training: Training) -> tuple[str, Any]:
    """A layer with weights in the middle."""
    found = layers(training)[:-1] or layers(training)
    return found[len(found) // 2]


def named(pick: Callable[[Training], tuple[str, Any]]) -> Callable[[Training], str]:
    """The name of what is picked."""
    return lambda training: pick(training)[0]


def changed(training: Training, layer: Any, change: Callable[[Tensor], Tensor]) -> Training:
    """With what a layer gives put through a function."""

    def hook(_: nn.Module, __: Any, outputs: Any) -> Any:
        return (change(outputs[0]), *outputs[1:]) if isinstance(outputs, tuple) else change(outputs)

    layer.register_forward_hook(hook)
    return training


def changed_input(training: Training, change: Callable[[Tensor], Tensor]) -> Training:
    """With every input but masks and labels put through a function."""

    def altered(value: Any) -> Any:
        return change(value) if isinstance(value, Tensor) and value.dtype != torch.bool else value

    def hook(_: nn.Module, args: Any, kwargs: Any) -> Any:
        kept = {key: item if key == "labels" else altered(item) for key, item in kwargs.items()}
        return tuple(altered(item) for item in args), kept

    inner(training).register_forward_pre_hook(hook, with_kwargs=True)
    return training


def batches(training: Training, change: Callable[[Any], Any]) -> Training:
    """With every batch put through a function."""
    return dataclasses.replace(training, loader=[change(batch) for batch in training.loader])


def targets(batch: Any) -> Any:
    """The targets of a batch."""
    return batch["labels"] if isinstance(batch, dict) else batch[1]


def with_targets(batch: Any, made: Tensor) -> Any:
    """A batch with other targets."""
    return {**batch, "labels": made} if isinstance(batch, dict) else (batch[0], made)

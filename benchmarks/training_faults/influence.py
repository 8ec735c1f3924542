"""Faults that let samples, padding or later steps have a say where they must not."""

# What is imported from beside this file has no types here: the script's folder is on the path at run time alone.
# mypy: disable-error-code="no-any-return,no-untyped-call"

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dataguard.training import Training
from training_faults.kinds import (  # type: ignore[import-not-found]
    Fault,
    changed,
    first,
    head,
    hidden,
    inner,
    layers,
    named,
)

_NORMED = ("cnn", "residual", "mixed_precision", "channels_last", "lazy", "compiled")
_CAUSAL = ("tied", "causal_convolution")


def centred(training: Training) -> Training:
    """The mean over the batch is taken off a hidden layer's outputs."""
    return changed(training, hidden(training)[1], lambda o: o - o.mean(0, keepdim=True))


def viewed(training: Training) -> Training:
    """Outputs are transposed and viewed, where they should have been left alone."""

    def mixed(outputs: Tensor) -> Tensor:
        return outputs.movedim(0, -1).reshape(outputs.shape)

    return changed(training, head(training)[1], mixed)


def time_first(training: Training) -> Training:
    """A recurrent layer takes samples for time steps."""
    inner(training).body.batch_first = False
    return training


def attention_over_batch(training: Training) -> Training:
    """Attention takes samples for steps."""
    _, attention = layers(training, (nn.MultiheadAttention,))[0]
    attention.batch_first = False
    return training


def untracked(training: Training) -> Training:
    """Batch norm takes its statistics from the batch in eval mode, too."""
    _, norm = layers(training, (nn.BatchNorm2d,))[0]
    norm.track_running_stats = False
    norm.running_mean = norm.running_var = None
    return training


def _attention(training: Training) -> tuple[str, Any]:
    return layers(training, (nn.MultiheadAttention,))[0]


def _norm(training: Training) -> tuple[str, Any]:
    return layers(training, (nn.BatchNorm2d,))[0]


def transposed(training: Training) -> Training:
    """Outputs are transposed, which a batch of as many samples as classes hides."""
    x, _y = training.loader.dataset.tensors
    found = int(training.model(x[:32]).shape[1]) if training.n_classes is None else training.n_classes
    square = DataLoader(
        training.loader.dataset, found, shuffle=True, generator=torch.Generator().manual_seed(0), drop_last=True
    )
    return dataclasses.replace(changed(training, head(training)[1], lambda o: o.t()), loader=square)


def fixed_size(training: Training) -> Training:
    """The number of samples is written into the model."""
    return changed(
        training, head(training)[1], lambda o: o.reshape(32, *o.shape[1:]) if len(o) == 32 else o[:32] + o[:1]
    )


class _EveryStep(nn.Module):
    """The mean over all steps, padding too."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.embed, self.place, self.encoder, self.head = model.embed, model.place, model.encoder, model.head

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """See `torch.nn.Module.forward`."""
        states = self.encoder(self.embed(input_ids) + self.place, src_key_padding_mask=~attention_mask)
        return {"logits": self.head(states.mean(1))}


class _FullAttention(_EveryStep):
    """Attention to padding."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """See `torch.nn.Module.forward`."""
        states = self.encoder(self.embed(input_ids) + self.place)
        kept = attention_mask[..., None]
        return {"logits": self.head((states * kept).sum(1) / kept.sum(1))}


class _LastStep(_EveryStep):
    """The last step, which may be padding."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """See `torch.nn.Module.forward`."""
        states = self.encoder(self.embed(input_ids) + self.place, src_key_padding_mask=~attention_mask)
        return {"logits": self.head(states[:, -1])}


def _replaced(kind: type[nn.Module]) -> Any:
    # Parameters are shared, so that the optimizer still holds them.
    return lambda training: dataclasses.replace(training, model=kind(training.model))


def counted_padding(training: Training) -> Training:
    """A bag averages padding, too."""
    _, bag = layers(training, (nn.EmbeddingBag,))[0]
    bag.padding_idx = None
    with torch.no_grad():
        bag.weight[0].normal_()
    return dataclasses.replace(training, padding=0)


def unmasked(training: Training) -> Training:
    """Attention sees later steps."""

    def hook(_: nn.Module, args: Any, kwargs: Any) -> Any:
        return args, {key: value for key, value in kwargs.items() if key != "mask"}

    inner(training).body.register_forward_pre_hook(hook, with_kwargs=True)
    return training


def centred_in_time(training: Training) -> Training:
    """The mean over all steps is taken off the inputs of the layers."""
    is_convolution = training.time_dim == 1 and bool(layers(training, (nn.Conv1d,)))
    return changed(training, first(training)[1], lambda o: o - o.mean(2 if is_convolution else 1, keepdim=True))


def reversed_time(training: Training) -> Training:
    """What a first layer gives is added backwards, as a second direction would."""
    is_convolution = bool(layers(training, (nn.Conv1d,)))
    return changed(training, first(training)[1], lambda o: o + o.flip(2 if is_convolution else 1))


_LINEAR = (
    "mlp",
    "tanh_mlp",
    "cnn",
    "residual",
    "checkpointed",
    "mixed_precision",
    "patches",
    "lstm",
    "bag",
    "compiled",
)

INFLUENCE = (
    Fault(rule="DG707", name="centred", plant=centred, where=named(hidden), but=("averaged",)),
    Fault(
        rule="DG707",
        name="viewed",
        plant=viewed,
        where=named(head),
        but=("averaged", "gru", "binary", "regression", "siamese"),
    ),
    Fault(rule="DG707", name="time first", plant=time_first, where=lambda _: "body", only=("lstm", "gru")),
    Fault(
        rule="DG707",
        name="attention over batch",
        plant=attention_over_batch,
        where=named(_attention),
        only=("patches",),
    ),
    Fault(rule="DG707", name="untracked", plant=untracked, where=named(_norm), only=_NORMED),
    Fault(rule="DG708", name="transposed", plant=transposed, only=_LINEAR),
    Fault(rule="DG708", name="fixed size", plant=fixed_size, but=("averaged",)),
    Fault(rule="DG709", name="attention to padding", plant=_replaced(_FullAttention), only=("transformer",)),
    Fault(rule="DG709", name="mean over padding", plant=_replaced(_EveryStep), only=("transformer",)),
    Fault(rule="DG709", name="last step", plant=_replaced(_LastStep), only=("transformer",)),
    Fault(rule="DG709", name="counted padding", plant=counted_padding, where=lambda _: "0", only=("bag",)),
    Fault(rule="DG710", name="unmasked", plant=unmasked, where=lambda _: "body", only=("tied",)),
    Fault(rule="DG710", name="centred in time", plant=centred_in_time, where=named(first), only=_CAUSAL),
    Fault(rule="DG710", name="reversed time", plant=reversed_time, where=named(first), only=_CAUSAL),
)

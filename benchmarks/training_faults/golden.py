"""Faults that the golden tests must find: what cannot be learnt, and what is learnt for the wrong reason."""

# What is imported from beside this file has no types here: the script's folder is on the path at run time alone.
# mypy: disable-error-code="no-any-return,no-untyped-call"

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dataguard.training import Training
from training_faults.kinds import (  # type: ignore[import-not-found]
    INSIDE,
    VALUES,
    Fault,
    batches,
    changed,
    changed_input,
    head,
    targets,
    with_targets,
)


def detached(training: Training) -> Training:
    """Outputs are cut off from what they were computed from."""
    return changed(training, head(training)[1], lambda o: o.detach().requires_grad_())


def squashed(training: Training) -> Training:
    """Outputs cannot leave a narrow range."""
    return changed(training, head(training)[1], lambda o: 0.1 * torch.tanh(o))


def loud(factor: float) -> Callable[[Training], Training]:
    """The last layer begins too large by a factor."""

    def plant(training: Training) -> Training:
        with torch.no_grad():
            for parameter in head(training)[1].parameters():
                parameter.mul_(factor)
        return training

    return plant


def bounded(training: Training) -> Training:
    """The last layer is a sigmoid, and the targets are not between 0 and 1."""
    model = training.model
    assert isinstance(model, nn.Sequential)
    model.append(nn.Sigmoid())
    return training


def unpaired(training: Training) -> Training:
    """Inputs and targets are shuffled apart."""
    rng = torch.Generator().manual_seed(1)

    def shuffled(batch: Any) -> Any:
        held = targets(batch)
        return with_targets(batch, held[torch.randperm(len(held), generator=rng)])

    return batches(training, shuffled)


def told(training: Training) -> Training:
    """The targets reach the outputs."""

    def forward(model: nn.Module, inputs: Any, wanted: Tensor) -> Any:
        outputs = (
            model(**inputs)
            if isinstance(inputs, dict)
            else model(*inputs)
            if isinstance(inputs, tuple)
            else model(inputs)
        )
        made = outputs["logits"] if isinstance(outputs, dict) else outputs[0] if isinstance(outputs, tuple) else outputs
        if wanted.is_floating_point():
            made = 0.9 * wanted.reshape(made.shape) + 0.1 * made
        else:
            axis = 1 if made.shape[2:] == wanted.shape[1:] else made.ndim - 1
            made = made + 4 * functional.one_hot(wanted, made.shape[axis]).movedim(-1, axis)
        if isinstance(outputs, dict):
            return {**outputs, "logits": made}
        return (made, *outputs[1:]) if isinstance(outputs, tuple) else made

    return dataclasses.replace(training, forward=forward)


def blind(training: Training) -> Training:
    """Inputs are lost."""
    return changed_input(training, lambda x: x * 0)


def drawn(training: Training) -> Training:
    """Inputs are replaced by noise."""
    return changed_input(
        training, lambda x: torch.randn_like(x) if x.is_floating_point() else torch.randint_like(x, 1, 5)
    )


def shuffled_outputs(training: Training) -> Training:
    """Outputs are returned in another order than the inputs have."""
    return changed(training, head(training)[1], lambda o: o[torch.randperm(len(o))])


_NO_BASELINE = ("tied", "autoencoder", "variational", "multi_label", "unet", "lstm", "siamese")
"""Models of tasks that no simple model is fitted to, or is of any use for."""

GOLDEN = (
    Fault(rule="DG701", name="detached", plant=detached),
    Fault(rule="DG701", name="squashed", plant=squashed),
    Fault(rule="DG702", name="head x 50", plant=loud(50), but=VALUES),
    Fault(rule="DG703", name="head x 1000", plant=loud(1000), but=VALUES),
    Fault(rule="DG703", name="bounded", plant=bounded, only=("autoencoder", "regression")),
    Fault(rule="DG704", name="unpaired", plant=unpaired, but=("autoencoder", "variational")),
    Fault(rule="DG704", name="told", plant=told, but=(*INSIDE, "multi_label", "residual")),
    Fault(rule="DG705", name="blind", plant=blind, but=("bag",)),
    Fault(rule="DG705", name="drawn", plant=drawn),
    Fault(rule="DG706", name="shuffled outputs", plant=shuffled_outputs, but=_NO_BASELINE),
)

"""Detection of DG717 to DG721: faults planted in each sound training of `training_zoo` that they fit.

    PYTHONPATH=.:benchmarks python benchmarks/training_pairing.py [--seeds 1] [--select DG717]

A fault that torch itself refuses, or that does not fit (a softmax after a regression), is left out. Prints, a fault,
in how many trainings it was found and which were missed; and how often a sound training is alarmed.
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from training_zoo import SOUND, sound  # type: ignore[import-not-found]

from dataguard.core.errors import DataguardError
from dataguard.core.finding import Finding
from dataguard.rules.training.dg717_loss_input_mismatch import loss_input_mismatch
from dataguard.rules.training.dg718_regularization_outweighs_data import regularization_outweighs_data
from dataguard.rules.training.dg719_wrong_gradient import wrong_gradient
from dataguard.rules.training.dg720_wrong_mode import wrong_mode
from dataguard.rules.training.dg721_initial_weight_scale import initial_weight_scale
from dataguard.training import Training
from dataguard.training.call_pass import call_pass
from dataguard.training.gradchecks import gradient_checks
from dataguard.training.modes import modes
from dataguard.training.opening import open_case
from dataguard.training.penalties import PenaltyBalance, penalty_balance

RULES: dict[str, tuple[Any, Any]] = {
    "DG717": (call_pass, loss_input_mismatch),
    "DG718": (penalty_balance, regularization_outweighs_data),
    "DG719": (gradient_checks, wrong_gradient),
    "DG720": (modes, wrong_mode),
    "DG721": (call_pass, initial_weight_scale),
}


class After(nn.Module):
    """A model with something done to its predictions."""

    def __init__(self, inner: nn.Module, change: Callable[[Any], Any]) -> None:
        super().__init__()
        self.inner = inner
        self.change = change

    def forward(self, *given: Any, **named: Any) -> Any:
        """See `torch.nn.Module.forward`."""
        found = self.inner(*given, **named)
        if isinstance(found, Mapping):
            return {**found, "logits": self.change(found["logits"])}
        return (self.change(found[0]), *found[1:]) if isinstance(found, tuple) else self.change(found)


class Reversed(torch.autograd.Function):
    """The identity, with a gradient of the wrong sign."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:  # noqa: ARG004
        """See `torch.autograd.Function`."""
        return x * 1.0

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:  # noqa: ARG004
        """See `torch.autograd.Function`."""
        return -gradients[0]


def after(change: Callable[[Any], Any], *losses: str) -> Callable[[Training], Training | None]:
    """Plant a change after the model, where its loss is one of these."""

    def plant(given: Training) -> Training | None:
        if losses and type(given.loss).__name__ not in losses:
            return None
        return dataclasses.replace(given, model=After(given.model, change))

    return plant


def with_loss(loss: Any, *losses: str) -> Callable[[Training], Training | None]:
    """Plant another loss."""

    def plant(given: Training) -> Training | None:
        return dataclasses.replace(given, loss=loss) if type(given.loss).__name__ in losses else None

    return plant


def with_optimizer(make: Callable[[Any], Any]) -> Callable[[Training], Training | None]:
    """Plant another optimizer."""

    def plant(given: Training) -> Training | None:
        if any(isinstance(item, nn.parameter.UninitializedParameter) for item in given.model.parameters()):
            return dataclasses.replace(given, optimizer=make)
        own = [item for item in given.model.parameters() if item.requires_grad]
        return dataclasses.replace(given, optimizer=make(own))

    return plant


def weights(change: Callable[[Any], Any], fan: int, least: int = 1) -> Callable[[Training], Training | None]:
    """Plant other weights in every linear and convolutional layer that trains and has so many inputs a unit."""

    def plant(given: Training) -> Training | None:
        held = [
            item
            for item in given.model.modules()
            if isinstance(item, nn.Linear | nn.Conv2d | nn.Conv1d)
            and not isinstance(item.weight, nn.parameter.UninitializedParameter)
            and item.weight.requires_grad
            and item.weight[0].numel() >= fan
        ]
        if len(held) < least:
            return None
        with torch.no_grad():
            for item in held:
                change(item.weight)
        return given

    return plant


def no_mode(given: Training) -> Training | None:
    """Plant dropout and batch norm that pass ``eval()`` over."""
    held = [item for item in given.model.modules() if isinstance(item, nn.Dropout | nn.BatchNorm2d)]
    held = [item for item in held if getattr(item, "p", 1)]
    held = [item for item in held if getattr(item, "weight", None) is None or item.weight.requires_grad]
    for item in held:
        item.train = lambda _=True, item=item: item  # type: ignore[method-assign]
    return given if held and given.model.training else None


def penalty(model: nn.Module) -> Any:
    """A sum of squares that is too heavy."""
    return 10.0 * sum(item.square().sum() for item in model.parameters() if item.requires_grad)


def detached(outputs: Any, targets: Any) -> Any:
    """Cross entropy of logits of which half carry no gradient."""
    return functional.cross_entropy(0.5 * outputs + 0.5 * outputs.detach(), targets)


FAULTS: dict[str, dict[str, Callable[[Training], Training | None]]] = {
    "DG717": {
        "softmax into cross entropy": after(lambda o: o.softmax(1), "CrossEntropyLoss"),
        "softmax over the batch": after(lambda o: o.softmax(0), "CrossEntropyLoss"),
        "sigmoid into cross entropy": after(torch.sigmoid, "CrossEntropyLoss"),
        "ReLU into cross entropy": after(torch.relu, "CrossEntropyLoss"),
        "softmax in the loss": with_loss(lambda o, y: functional.cross_entropy(o.softmax(1), y), "CrossEntropyLoss"),
        "logits into NLL": with_loss(nn.NLLLoss(), "CrossEntropyLoss"),
        "probabilities into NLL": after(torch.exp, "NLLLoss"),
        "sigmoid twice": after(torch.sigmoid, "BCEWithLogitsLoss", "BCELoss"),
        "BCE of clipped logits": after(lambda o: o.clamp(0, 1).tanh().relu(), "BCELoss"),
        "targets broadcast": after(lambda o: o.reshape(-1, 1), "BCEWithLogitsLoss"),
        "outputs squeezed": after(lambda o: o[..., :1].squeeze(-1), "MSELoss"),
    },
    "DG718": {
        "a penalty": lambda given: dataclasses.replace(given, regularizer=penalty),
        "decay of SGD": with_optimizer(lambda p: torch.optim.SGD(p, lr=1e-3, weight_decay=10.0)),
        "decay of Adam": with_optimizer(lambda p: torch.optim.Adam(p, lr=1e-4, weight_decay=10.0)),
    },
    "DG719": {
        "a reversed gradient": after(Reversed.apply),
        "half is detached": with_loss(detached, "CrossEntropyLoss"),
        "a factor of a straight-through product": after(lambda o: o * (1 + o.detach().tanh())),
    },
    "DG720": {
        "eval() passes layers over": no_mode,
        "functional dropout": after(lambda o: functional.dropout(o, 0.1)),
        "noise": after(lambda o: o + 0.01 * torch.randn_like(o)),
        "left in eval mode": lambda given: (
            dataclasses.replace(given, model=given.model.eval())
            if any(
                isinstance(item, nn.Dropout | nn.BatchNorm2d) and item.training and getattr(item, "p", 1)
                for item in given.model.modules()
            )
            else None
        ),
    },
    "DG721": {
        "variance 1": weights(nn.init.normal_, 32),
        "constant": weights(lambda w: nn.init.constant_(w, 0.05), 1, 2),
        "zeros": weights(nn.init.zeros_, 1, 2),
    },
}
SOUND_DECAYS: dict[str, Callable[[Training], Training | None]] = {
    "SGD 5e-4": with_optimizer(lambda p: torch.optim.SGD(p, lr=1e-2, weight_decay=5e-4)),
    "Adam 1e-3": with_optimizer(lambda p: torch.optim.Adam(p, lr=1e-3, weight_decay=1e-3)),
    "AdamW 0.1": with_optimizer(lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.1)),
}


def found(code: str, given: Training) -> list[Finding]:
    """What a rule finds in a training."""
    make, rule = RULES[code]
    record = make(open_case(given))
    if code == "DG718" and not isinstance(record, PenaltyBalance):
        return []
    return [item for item in rule(record) if isinstance(item, Finding)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--select", nargs="*", default=list(RULES))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for code in options.select:
        sound_plants = SOUND_DECAYS if code == "DG718" else {"as they are": lambda given: given}
        for kind, plants in (("planted", FAULTS[code]), ("sound", sound_plants)):
            for name, plant in plants.items():
                hits, n, refused, others = 0, 0, 0, []
                for model in SOUND:
                    for seed in range(options.seeds):
                        try:
                            given = plant(sound(model, seed))
                            if given is None:
                                continue
                            findings = found(code, given)
                        except DataguardError:
                            refused += 1
                            continue
                        n += 1
                        hits += bool(findings)
                        if bool(findings) != (kind == "planted"):
                            others.append(model)
                what = "missed" if kind == "planted" else "alarmed"
                print(
                    f"{code} {kind} {name}: {hits} of {n}, refused {refused}; {what}: "
                    f"{', '.join(dict.fromkeys(others)) or '-'}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

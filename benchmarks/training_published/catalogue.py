"""The faults, by program: each takes the training without a fault and returns it with one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dataguard.training import Training
from training_published.programs import (  # type: ignore[import-not-found]
    SIDE,
    DeepCnn,
    colours,
    diabetes,
    digits,
    he_normal,
    loaded,
    penalty,
    scaled,
)

Planter = Callable[[Training], Training]
_RAW = {"baseCNN": digits, "deepCNN": colours, "regrNN": diabetes}


def _of(training: Training) -> str:
    if isinstance(training.model, DeepCnn):
        return "deepCNN"
    return "regrNN" if hasattr(training.model, "hidden1") else "baseCNN"


def _fed(change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Planter:
    """With other data; the function is given them as they were measured."""
    return lambda training: dataclasses.replace(training, loader=loaded(*change(*_RAW[_of(training)]()), 0))


def _lost(loss: Callable[[Tensor, Tensor], Tensor]) -> Planter:
    return lambda training: dataclasses.replace(training, loss=loss)


def _rated(rate: float) -> Planter:
    def plant(training: Training) -> Training:
        training.optimizer.param_groups[0]["lr"] = rate
        return training

    return plant


def _optimized(make: Callable[[Any], torch.optim.Optimizer]) -> Planter:
    return lambda training: dataclasses.replace(training, optimizer=make(training.model.parameters()))


def _remade(**options: Any) -> Planter:
    """The deep program with other layers."""

    def plant(training: Training) -> Training:
        model = DeepCnn(**options)
        he_normal(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
        return dataclasses.replace(training, model=model, optimizer=optimizer)

    return plant


def _weighed(change: Callable[[Tensor], Any], *, last: bool = True) -> Planter:
    """With other initial weights."""

    def plant(training: Training) -> Training:
        layers = [item for item in training.model.modules() if isinstance(item, nn.Conv2d | nn.Linear)]
        for layer in layers if last else layers[:-1]:
            change(layer.weight)
        return training

    return plant


def _active(name: str, layer: nn.Module) -> Planter:
    def plant(training: Training) -> Training:
        setattr(training.model, name, layer)
        return training

    return plant


def _pictures(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return scaled(x), y


def _twice(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return scaled(x) / (x.max() - x.min()), y


def _table_twice(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return scaled(x, by_column=True) / (x.amax(0) - x.amin(0)), scaled(y)


def _table_raw(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return x, scaled(y)


def _raw_targets(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return scaled(x, by_column=True), 10 * y


def _centred_targets(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return scaled(x, by_column=True), 2 * scaled(y) - 1


def _unbalanced(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Of the classes 1 to 5 one to five hundredths, of 0 none but a few."""
    kept = [torch.nonzero(y == k).flatten() for k in range(10)]
    total = max(len(index) for index in kept)
    index = torch.cat([item[: max(int(total * 0.01 * k), 1)] if k <= 5 else item for k, item in enumerate(kept)])
    return scaled(x[index]), y[index]


def _unpaired(training: Training) -> Training:
    """Every epoch, features alone are shuffled."""
    x, y = training.loader.dataset.tensors
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    return dataclasses.replace(training, loader=loaded(x[order], y, 0))


def _augmented(training: Training) -> Training:
    """Noise of half the range and boxes of up to four fifths of the picture, in training alone."""
    x, y = training.loader.dataset.tensors
    rng = torch.Generator().manual_seed(1)
    made = x + (torch.rand(x.shape, generator=rng) - 0.5) * (torch.rand(x.shape, generator=rng) < 0.5)
    for start in range(0, len(made), 32):
        if float(torch.rand((), generator=rng)) < 0.5:
            side = int(SIDE * (0.4 + 0.4 * float(torch.rand((), generator=rng))) ** 0.5)
            at = int(torch.randint(0, SIDE - side + 1, (), generator=rng))
            made[start : start + 32, :, at : at + side, at : at + side] = 1.0
    order = torch.randperm(len(x), generator=rng)
    train, held = order[: len(x) * 2 // 3], order[len(x) * 2 // 3 :]
    return dataclasses.replace(
        training, loader=loaded(made.clamp(0, 1)[train], y[train], 0), held_out=loaded(x[held], y[held], 1)
    )


class _Ascending(torch.optim.Optimizer):
    """An optimizer that is given gradients with the wrong sign."""

    def __init__(self, params: Any, kind: Any, **options: Any) -> None:
        held = list(params)
        super().__init__(held, options)
        self.inner = kind(held, **options)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Against the gradient's sign."""
        for group in self.param_groups:
            for item in group["params"]:
                if item.grad is not None:
                    item.grad.neg_()
        self.inner.step(closure)


def _flipped(kind: Any, **options: Any) -> Planter:
    return lambda training: dataclasses.replace(training, optimizer=lambda params: _Ascending(params, kind, **options))


def _one_hot(classes: Tensor) -> Tensor:
    return nn.functional.one_hot(classes, 10).float()


def _own_cross_entropy(*, over: int = 1, softmax: int = 1, reduce: str = "mean") -> Callable[[Tensor, Tensor], Tensor]:
    """A cross entropy written by hand, of which one axis or reduction may be wrong."""

    def loss(logits: Tensor, classes: Tensor) -> Tensor:
        shifted = logits - logits.amax(softmax, keepdim=True)
        share = shifted.exp() / shifted.exp().sum(softmax, keepdim=True)
        terms = _one_hot(classes) * share.clamp(1e-32, 1.0).log()
        return -terms.mean(1).sum() if reduce == "sum" else -terms.sum(over).mean()

    return loss


def _no_softmax(outputs: Tensor, classes: Tensor) -> Tensor:
    return -(_one_hot(classes) * outputs.clamp(1e-32, 1.0).log()).sum(1).mean()


def _two_softmaxes(logits: Tensor, classes: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits.softmax(1), classes)


def _squares_of_classes(logits: Tensor, classes: Tensor) -> Tensor:
    return nn.functional.mse_loss(logits.softmax(1), _one_hot(classes))


def _logarithm_of_values(outputs: Tensor, wanted: Tensor) -> Tensor:
    return -(wanted * outputs.clamp(1e-10, 1.0).log()).sum()


def _sum_of_squares(outputs: Tensor, wanted: Tensor) -> Tensor:
    return ((outputs - wanted) ** 2).sum()


def _broadcast(outputs: Tensor, wanted: Tensor) -> Tensor:
    return ((outputs - wanted[:, 0]) ** 2).mean()


def _penalized(factor: float) -> Planter:
    return lambda training: dataclasses.replace(training, regularizer=penalty(factor))


def _frozen_statistics(training: Training) -> Training:
    """Running statistics are never updated."""
    for item in training.model.modules():
        if isinstance(item, nn.BatchNorm1d | nn.BatchNorm2d):
            item.momentum = 0.0
    return training


def _summed_raw(training: Training) -> Training:
    return _lost(_sum_of_squares)(_fed(_raw_targets)(training))


_BOTH: dict[str, Planter] = {
    "double normalization": _fed(_twice),
    "missing normalization": _fed(lambda x, y: (x, y)),
    "missing softmax": _lost(_no_softmax),
    "redundant softmax": _lost(_two_softmaxes),
    "unbalanced data": _fed(_unbalanced),
    "wrong activation": _active("act", nn.Softmax(dim=1)),
    "wrong augmentation": _augmented,
    "wrong init, constant": _weighed(lambda w: nn.init.constant_(w, 0.01)),
    "wrong labels": _unpaired,
    "wrong loss function": _lost(_own_cross_entropy(reduce="sum")),
    "wrong loss function 2": _lost(_own_cross_entropy(over=0)),
    "wrong loss selection": _lost(_squares_of_classes),
    "wrong softmax": _lost(_own_cross_entropy(softmax=0)),
}

FAULTS: dict[str, dict[str, Planter]] = {
    "baseCNN": {
        **_BOTH,
        "flipped sign": _flipped(torch.optim.SGD, lr=0.1),
        "high rate": _rated(0.5),
        "low epsilon": _optimized(lambda p: torch.optim.Adam(p, lr=0.1, eps=1e-16)),
        "low rate": _rated(0.001),
        "missing regularization": _penalized(1e-12),
        "over-regularization": _penalized(0.1),
        "wrong init, random": _weighed(lambda w: nn.init.normal_(w, 0, 0.1)),
    },
    "deepCNN": {
        **_BOTH,
        "flipped sign": _flipped(torch.optim.SGD, lr=0.001, momentum=0.9),
        "high rate": _rated(0.1),
        "low epsilon": _optimized(lambda p: torch.optim.Adam(p, lr=0.01, eps=1e-16)),
        "low rate": _rated(0.00001),
        "missing batch norm": _remade(normed=False),
        "missing batch norm, inference": _frozen_statistics,
        "missing regularization": _remade(drop=(0.0, 0.0, 0.0, 0.0), normed=False),
        "over-regularization": _remade(drop=(0.5, 0.5, 0.5, 0.5)),
        "wrong init, random": _weighed(lambda w: nn.init.normal_(w, 0, 0.25)),
    },
    "regrNN": {
        "double normalization": _fed(_table_twice),
        "flipped sign": _flipped(torch.optim.Adam, lr=0.001),
        "high rate": _rated(0.1),
        "low epsilon": _optimized(lambda p: torch.optim.Adam(p, lr=0.001, eps=1e-16)),
        "low rate": _rated(0.00001),
        "missing normalization": _fed(_table_raw),
        "missing regularization": _penalized(1e-12),
        "over-regularization": _penalized(0.1),
        "over-scaled outputs": _fed(_raw_targets),
        "wrong activation": _active("last", nn.Softmax(dim=1)),
        "wrong activation, range": lambda training: _fed(_centred_targets)(_active("last", nn.Sigmoid())(training)),
        "wrong init, constant": _weighed(lambda w: nn.init.constant_(w, 0.01), last=False),
        "wrong init, random": _weighed(lambda w: nn.init.normal_(w, 0, 0.25), last=False),
        "wrong labels": _unpaired,
        "wrong loss function": _summed_raw,
        "wrong loss function 2": _lost(_broadcast),
        "wrong loss selection": _lost(_logarithm_of_values),
    },
}

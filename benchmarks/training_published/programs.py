"""The three programs without a fault: a small convolutional network, a deeper one with norms, and a regression."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from dataguard.training import Training

SIDE = 16
"""Pixels."""


@cache
def digits() -> tuple[Tensor, Tensor]:
    """Pictures of 16 × 16 pixels from 0 to 255, and their classes."""
    data = datasets.load_digits()
    small = torch.tensor(data.images, dtype=torch.float32)[:, None] * (255 / 16)
    return functional.interpolate(small, size=SIDE, mode="bilinear"), torch.tensor(data.target)


@cache
def colours(n: int = 1500) -> tuple[Tensor, Tensor]:
    """Colour pictures of stripes in five directions and two pairs of colours, with noise, from 0 to 255."""
    rng = torch.Generator().manual_seed(7)
    target = torch.randint(0, 10, (n,), generator=rng)
    angle = (target % 5) * (math.pi / 5)
    ys, xs = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    along = xs * angle.cos()[:, None, None] + ys * angle.sin()[:, None, None]
    phase = torch.rand((n, 1, 1), generator=rng) * 2 * math.pi
    wave = torch.sin(along * 1.3 + phase)[:, None]
    tint = torch.where((target < 5)[:, None], torch.tensor([1.0, 0.3, -0.6]), torch.tensor([-0.6, 0.5, 1.0]))
    picture = 128 + 55 * wave * tint[..., None, None] + 25 * torch.randn((n, 3, SIDE, SIDE), generator=rng)
    return picture.clamp(0, 255), target


@cache
def diabetes() -> tuple[Tensor, Tensor]:
    """The table as it was measured, and its target, shape (442, 1)."""
    data = datasets.load_diabetes(scaled=False)
    return torch.tensor(data.data, dtype=torch.float32), torch.tensor(data.target, dtype=torch.float32)[:, None]


def scaled(values: Tensor, *, by_column: bool = False) -> Tensor:
    """From 0 to 1."""
    low = values.amin(0) if by_column else values.min()
    high = values.amax(0) if by_column else values.max()
    return (values - low) / (high - low)


def loaded(x: Tensor, y: Tensor, seed: int, batch: int = 32) -> DataLoader[Any]:
    """Shuffled batches."""
    rng = torch.Generator().manual_seed(seed)
    return DataLoader(TensorDataset(x, y), batch, shuffle=True, generator=rng)


def he_normal(model: nn.Module) -> None:
    """He's initialization of all but the last layer, which has Glorot's, and biases of zero."""
    layers = [item for item in model.modules() if isinstance(item, nn.Conv2d | nn.Linear)]
    for layer in layers:
        if layer is layers[-1]:
            nn.init.xavier_uniform_(layer.weight)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class BaseCnn(nn.Module):
    """Two convolutions and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, padding=2)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.dense = nn.Linear(16 * (SIDE // 4) ** 2, 128)
        self.act: nn.Module = nn.ReLU()
        self.outputs = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """See `torch.nn.Module.forward`."""
        x = functional.max_pool2d(self.act(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        found: Tensor = self.outputs(functional.relu(self.dense(x.flatten(1))))
        return found


class DeepCnn(nn.Module):
    """Three blocks of two convolutions, each with a norm behind its rectifier, with dropout that grows."""

    def __init__(self, drop: tuple[float, ...] = (0.2, 0.3, 0.4, 0.5), *, normed: bool = True) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        channels = 3
        for width, rate in zip((8, 16, 32), drop, strict=False):
            for _ in range(2):
                parts += [nn.Conv2d(channels, width, 3, padding=1, bias=not normed), nn.ReLU()]
                parts += [nn.BatchNorm2d(width)] if normed else []
                channels = width
            parts += [nn.MaxPool2d(2), nn.Dropout(rate)]
        self.body = nn.Sequential(*parts, nn.Flatten())
        self.dense = nn.Linear(32 * (SIDE // 8) ** 2, 32)
        self.act: nn.Module = nn.ReLU()
        self.norm: nn.Module = nn.BatchNorm1d(32) if normed else nn.Identity()
        self.drop = nn.Dropout(drop[3])
        self.outputs = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """See `torch.nn.Module.forward`."""
        found: Tensor = self.outputs(self.drop(self.norm(self.act(self.dense(self.body(x))))))
        return found


class Regression(nn.Module):
    """Two hidden layers and one output."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden1 = nn.Linear(10, 64)
        self.hidden2 = nn.Linear(64, 64)
        self.outputs = nn.Linear(64, 1)
        self.last: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """See `torch.nn.Module.forward`."""
        found: Tensor = self.last(self.outputs(functional.relu(self.hidden2(functional.relu(self.hidden1(x))))))
        return found


def penalty(factor: float) -> Callable[[nn.Module], Tensor]:
    """A factor times the sum of squared weights."""

    def squared(model: nn.Module) -> Tensor:
        total = torch.zeros(())
        for name, item in model.named_parameters():
            if name.endswith("weight"):
                total = total + item.square().sum()
        return factor * total

    return squared


def base_cnn(seed: int) -> Training:
    """Gradient descent at a rate of 0.1."""
    torch.manual_seed(seed)
    x, y = digits()
    model = BaseCnn()
    he_normal(model)
    return Training(
        model=model,
        loss=nn.CrossEntropyLoss(),
        loader=loaded(scaled(x), y, seed),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        regularizer=penalty(1e-5),
    )


def deep_cnn(seed: int) -> Training:
    """Momentum at a rate of 0.001."""
    torch.manual_seed(seed)
    x, y = colours()
    model = DeepCnn()
    he_normal(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    return Training(model=model, loss=nn.CrossEntropyLoss(), loader=loaded(scaled(x), y, seed), optimizer=optimizer)


def regression(seed: int) -> Training:
    """Adam at a rate of 0.001."""
    torch.manual_seed(seed)
    x, y = diabetes()
    model = Regression()
    he_normal(model)
    return Training(
        model=model,
        loss=nn.MSELoss(),
        loader=loaded(scaled(x, by_column=True), scaled(y, by_column=True), seed),
        optimizer=torch.optim.Adam(model.parameters(), lr=1e-3),
        regularizer=penalty(1e-5),
    )


PROGRAMS: dict[str, Callable[[int], Training]] = {
    "baseCNN": base_cnn,
    "deepCNN": deep_cnn,
    "regrNN": regression,
}

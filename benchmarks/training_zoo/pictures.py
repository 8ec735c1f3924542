"""Classifiers of pictures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from dataguard.training import Training
from training_zoo.bundled import adam, digits, loader  # type: ignore[import-not-found]


class Cnn(nn.Module):
    """Convolutions with batch norm."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.head = nn.Linear(128, classes)

    def forward(self, x: Tensor) -> Any:
        """See `torch.nn.Module.forward`."""
        return self.head(self.body(x))


class Block(nn.Module):
    """A residual block whose last norm begins at zero, as is usual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """See `torch.nn.Module.forward`."""
        return functional.relu(x + self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x))))))


def mlp(seed: int) -> Training:
    """Three linear layers with dropout."""
    x, y = digits()
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)
    )
    return Training(model=model, loss=nn.CrossEntropyLoss(), loader=loader(x, y, seed=seed), optimizer=adam(model))


def tanh_mlp(seed: int) -> Training:
    """Tanh with Xavier's initialization and plain gradient descent, a smoothed loss."""
    x, y = digits()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 10))
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    return Training(model=model, loss=loss, loader=loader(x, y, seed=seed), optimizer=optimizer)


def cnn(seed: int) -> Training:
    """Convolutions with batch norm."""
    x, y = digits()
    model = Cnn()
    return Training(model=model, loss=nn.CrossEntropyLoss(), loader=loader(x, y, seed=seed), optimizer=adam(model))


def residual(seed: int) -> Training:
    """Residual blocks, with the negative log-likelihood of a log-softmax."""
    x, y = digits()
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), Block(16), Block(16),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 10), nn.LogSoftmax(dim=1),
    )  # fmt: skip
    return Training(model=model, loss=nn.NLLLoss(), loader=loader(x, y, seed=seed), optimizer=adam(model))


def frozen(seed: int) -> Training:
    """A backbone that is not trained, kept in eval mode, with a head that is."""
    x, y = digits()
    model = Cnn()
    with torch.no_grad():
        model.train()
        for _ in range(20):
            model(x[torch.randperm(len(x))[:256]])
    for parameter in model.body.parameters():
        parameter.requires_grad_(False)
    model.body.eval()
    return Training(
        model=model,
        loss=nn.CrossEntropyLoss(),
        loader=loader(x, y, seed=seed),
        optimizer=torch.optim.Adam(model.head.parameters(), lr=1e-2),
        freeze=("body",),
    )


class Checkpointed(nn.Module):
    """A network whose activations are computed again on the way back."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.GELU())
        self.second = nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 64), nn.GELU())
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Any:
        """See `torch.nn.Module.forward`."""
        return self.head(checkpoint(self.second, self.first(x), use_reentrant=False))


def checkpointed(seed: int) -> Training:
    """Gradient checkpointing."""
    x, y = digits()
    model = Checkpointed()
    return Training(model=model, loss=nn.CrossEntropyLoss(), loader=loader(x, y, seed=seed), optimizer=adam(model))


def mixed_precision(seed: int) -> Training:
    """A CNN that runs in bfloat16."""
    x, y = digits()
    model = Cnn()
    return Training(
        model=model,
        loss=nn.CrossEntropyLoss(),
        loader=loader(x, y, seed=seed),
        optimizer=adam(model),
        autocast="bfloat16",
    )


def channels_last(seed: int) -> Training:
    """A CNN in another memory format."""
    x, y = digits()
    model: Any = Cnn()
    model = model.to(memory_format=torch.channels_last)
    return Training(
        model=model,
        loss=nn.CrossEntropyLoss(),
        loader=loader(x.contiguous(memory_format=torch.channels_last), y, seed=seed),
        optimizer=adam(model),
    )


def lazy(seed: int) -> Training:
    """Layers that learn their sizes from the first batch; the optimizer is made afterwards."""
    x, y = digits()
    model = nn.Sequential(
        nn.LazyConv2d(8, 3, padding=1), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10)
    )
    return Training(
        model=model,
        loss=nn.CrossEntropyLoss(),
        loader=loader(x, y, seed=seed),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
    )


class Averaged(nn.Module):
    """A network with a moving average of its weights beside it, which is served."""

    def __init__(self) -> None:
        super().__init__()
        self.online = Cnn()
        self.average = Cnn()
        self.average.load_state_dict(self.online.state_dict())
        for parameter in self.average.parameters():
            parameter.requires_grad_(False)

    def forward(self, x: Tensor) -> Any:
        """See `torch.nn.Module.forward`."""
        if not self.training:
            return self.average(x)
        with torch.no_grad():
            for ours, theirs in zip(self.average.parameters(), self.online.parameters(), strict=True):
                ours.lerp_(theirs, 0.1)
            for held, seen in zip(self.average.buffers(), self.online.buffers(), strict=True):
                held.copy_(seen)
        return self.online(x)


def averaged(seed: int) -> Training:
    """An exponential moving average of the weights."""
    x, y = digits()
    model = Averaged()
    return Training(
        model=model,
        loss=nn.CrossEntropyLoss(),
        loader=loader(x, y, seed=seed),
        optimizer=adam(model.online),
        freeze=("average",),
    )


def compiled(seed: int) -> Training:
    """A model behind `torch.compile`."""
    x, y = digits()
    model: Any = torch.compile(Cnn(), backend="eager")
    return Training(model=model, loss=nn.CrossEntropyLoss(), loader=loader(x, y, seed=seed), optimizer=adam(model))


def patches(seed: int) -> Training:
    """A small vision transformer, pre-norm, with a class token."""
    x, y = digits()
    model = Patches()
    return Training(model=model, loss=nn.CrossEntropyLoss(), loader=loader(x, y, seed=seed), optimizer=adam(model))


class Patches(nn.Module):
    """Attention over sixteen patches."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, 32, 2, stride=2)
        self.token = nn.Parameter(torch.randn(1, 1, 32) * 0.02)
        self.place = nn.Parameter(torch.randn(1, 17, 32) * 0.02)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Any:
        """See `torch.nn.Module.forward`."""
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.place
        return self.head(self.norm(self.encoder(tokens))[:, 0])

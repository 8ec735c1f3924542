"""Models that reconstruct, regress, segment or compare, or that tell more than one thing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dataguard.training import Training
from training_zoo.bundled import adam, digits, loader, table  # type: ignore[import-not-found]


def autoencoder(seed: int) -> Training:
    """Pictures through a bottleneck."""
    x, _ = digits()
    flat = x.flatten(1)
    model = nn.Sequential(
        nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16), nn.ReLU(), nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 64)
    )
    return Training(model=model, loss=nn.MSELoss(), loader=loader(flat, flat, seed=seed), optimizer=adam(model))


class Variational(nn.Module):
    """An autoencoder that draws its code, and returns three things."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16))
        self.decode = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `torch.nn.Module.forward`."""
        mean, log_variance = self.encode(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (log_variance / 2).exp() if self.training else mean
        return self.decode(code), mean, log_variance


def _variational_loss(outputs: tuple[Tensor, Tensor, Tensor], targets: Tensor) -> Tensor:
    made, mean, log_variance = outputs
    divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).mean()
    return functional.mse_loss(made, targets) + 0.01 * divergence


def variational(seed: int) -> Training:
    """A variational autoencoder."""
    x, _ = digits()
    flat, model = x.flatten(1), Variational()
    return Training(model=model, loss=_variational_loss, loader=loader(flat, flat, seed=seed), optimizer=adam(model))


def regression(seed: int) -> Training:
    """A table's standardized target."""
    x, y = table("diabetes")
    y = ((y - y.mean()) / y.std()).float()[:, None]
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    return Training(model=model, loss=nn.MSELoss(), loader=loader(x, y, seed=seed), optimizer=adam(model))


def binary(seed: int) -> Training:
    """One logit."""
    x, y = table("breast_cancer")
    model = nn.Sequential(nn.Linear(30, 24), nn.SiLU(), nn.Linear(24, 1), nn.Flatten(0))
    return Training(
        model=model, loss=nn.BCEWithLogitsLoss(), loader=loader(x, y.float(), seed=seed), optimizer=adam(model)
    )


def multi_label(seed: int) -> Training:
    """Five properties of a digit at once, as probabilities."""
    x, y = digits()
    labels = torch.stack([y % 2 == 0, y > 4, y % 3 == 0, (y == 0) | (y == 8), y == 7], 1).float()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 5), nn.Sigmoid())
    return Training(model=model, loss=nn.BCELoss(), loader=loader(x, labels, seed=seed), optimizer=adam(model))


class Siamese(nn.Module):
    """Whether two pictures are of one class, from the distance of their codes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16))
        self.head = nn.Linear(16, 1)

    def forward(self, left: Tensor, right: Tensor) -> Any:
        """See `torch.nn.Module.forward`."""
        return self.head((self.body(left) - self.body(right)).abs()).squeeze(1)


def siamese(seed: int) -> Training:
    """Pairs of pictures."""
    x, y = digits()
    rng = torch.Generator().manual_seed(seed)
    left, right = torch.randperm(len(y), generator=rng), torch.randperm(len(y), generator=rng)
    classes = [torch.nonzero(y == k).flatten() for k in range(10)]
    same = torch.rand(len(y), generator=rng) < 0.5
    mates = torch.stack([classes[int(k)][int(torch.randint(0, len(classes[int(k)]), (1,), generator=rng))] for k in y])
    right = torch.where(same, mates[left], right)
    model = Siamese()
    batches = [((a, b), c) for a, b, c in loader(x[left], x[right], (y[left] == y[right]).float(), seed=seed)]
    return Training(model=model, loss=nn.BCEWithLogitsLoss(), loader=batches, optimizer=adam(model))


class Unet(nn.Module):
    """Two levels with a skip."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.GroupNorm(3, 12), nn.ReLU())
        self.deep = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1), nn.GroupNorm(3, 24), nn.ReLU())
        self.up = nn.ConvTranspose2d(24, 12, 2, stride=2)
        self.out = nn.Sequential(nn.Conv2d(24, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, classes, 1))

    def forward(self, x: Tensor) -> Any:
        """See `torch.nn.Module.forward`."""
        wide = self.down(x)
        return self.out(torch.cat([wide, self.up(self.deep(wide))], 1))


def unet(seed: int) -> Training:
    """A class for every pixel: dark, middle, bright."""
    x, _ = digits()
    target = torch.bucketize(x[:, 0], torch.tensor([-0.4, 1.0]))
    rng = torch.Generator().manual_seed(seed)
    noisy = x + 0.1 * torch.randn(x.shape, generator=rng)
    model = Unet()
    return Training(
        model=model, loss=nn.CrossEntropyLoss(), loader=loader(noisy, target, seed=seed), optimizer=adam(model, 3e-3)
    )


class Inside(nn.Module):
    """A model that computes its own loss, as transformers' models do."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(13, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, features: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """See `torch.nn.Module.forward`."""
        logits = self.body(features)
        return {"logits": logits} | ({} if labels is None else {"loss": functional.cross_entropy(logits, labels)})


def inside(seed: int) -> Training:
    """A loss that the model returns."""
    x, y = table("wine")
    model = Inside()
    batches = [{"features": a, "labels": b} for a, b in loader(x, y, seed=seed)]
    return Training(model=model, loader=batches, optimizer=adam(model, 3e-3))

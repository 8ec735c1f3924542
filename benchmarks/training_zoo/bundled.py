"""What the trainings learn from: scikit-learn's bundled sets, and sequences that are generated."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

BATCH = 32


@cache
def digits() -> tuple[Tensor, Tensor]:
    """Scaled pictures, shape (1797, 1, 8, 8), and their classes."""
    data = datasets.load_digits()
    pictures = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
    return (pictures - pictures.mean()) / pictures.std(), torch.tensor(data.target)


@cache
def table(name: str) -> tuple[Tensor, Tensor]:
    """Standardized columns and the target of a bundled table."""
    data = getattr(datasets, f"load_{name}")()
    columns = torch.tensor(np.asarray(data.data), dtype=torch.float32)
    return (columns - columns.mean(0)) / columns.std(0), torch.tensor(np.asarray(data.target))


def loader(*tensors: Tensor, seed: int, batch: int = BATCH) -> DataLoader[Any]:
    """Shuffled batches."""
    return DataLoader(TensorDataset(*tensors), batch, shuffle=True, generator=torch.Generator().manual_seed(seed))


def words(seed: int, n: int = 640, length: int = 11, vocabulary: int = 23) -> tuple[Tensor, Tensor, Tensor]:
    """Sequences of ids filled up with 0, their mask, and which of three ids is most frequent in them."""
    rng = torch.Generator().manual_seed(seed)
    ids = torch.randint(4, vocabulary, (n, length), generator=rng)
    target = torch.randint(0, 3, (n,), generator=rng)
    planted = torch.rand((n, length), generator=rng) < 0.4
    ids = torch.where(planted, target[:, None] + 1, ids)
    lengths = torch.randint(5, length + 1, (n,), generator=rng)
    mask = torch.arange(length)[None] < lengths[:, None]
    return ids * mask, mask, target


def waves(seed: int, n: int = 640, length: int = 17) -> tuple[Tensor, Tensor]:
    """Noisy sines of three frequencies, shape (n, length, 1), and which frequency."""
    rng = torch.Generator().manual_seed(seed)
    target = torch.randint(0, 3, (n,), generator=rng)
    phase = torch.rand((n, 1), generator=rng) * 2 * math.pi
    time = torch.arange(length)[None] * (0.3 + 0.5 * target[:, None])
    return (torch.sin(time + phase) * 1.4 + 0.1 * torch.randn((n, length), generator=rng))[..., None], target


def adam(model: nn.Module, lr: float = 1e-3) -> torch.optim.Optimizer:
    """Adam on all of its parameters."""
    return torch.optim.Adam(model.parameters(), lr=lr)

"""Small trainings to probe."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")


def batches(n: int = 9, size: int = 24, features: int = 6, classes: int = 3) -> list[tuple[Any, Any]]:
    """Batches whose classes show in their inputs."""
    generator = torch.Generator().manual_seed(0)
    centres = 2 * torch.randn(classes, features, generator=generator)
    found = []
    for _ in range(n):
        y = torch.randint(0, classes, (size,), generator=generator)
        found.append((centres[y] + torch.randn(size, features, generator=generator), y))
    return found


def network(features: int = 6, classes: int = 3, seed: int = 0) -> Any:
    """A network with what has a state: batch norm and dropout."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(features, 24),
        torch.nn.BatchNorm1d(24),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.2),
        torch.nn.Linear(24, classes),
    )


@pytest.fixture
def data() -> list[tuple[Any, Any]]:
    return batches()


@pytest.fixture
def model() -> Any:
    return network()

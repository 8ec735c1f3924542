"""Evidence of trainings, real or made up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from dataguard.training import Training  # noqa: E402
from dataguard.training.case import TrainingCase  # noqa: E402
from dataguard.training.floors import Floor  # noqa: E402
from dataguard.training.golden import Course, GoldenRuns  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402
from dataguard.training.overfit import Overfit  # noqa: E402


@pytest.fixture
def case() -> TrainingCase:
    """A linear classifier of three classes that show in the inputs; 9 batches of 24, of them 3 held out."""
    generator = torch.Generator().manual_seed(0)
    centres = 2 * torch.randn(3, 6, generator=generator)
    batches = []
    for _ in range(9):
        y = torch.randint(0, 3, (24,), generator=generator)
        batches.append((centres[y] + torch.randn(24, 6, generator=generator), y))
    torch.manual_seed(0)
    return open_case(Training(model=torch.nn.Linear(6, 3), loss=torch.nn.CrossEntropyLoss(), loader=batches))


def made_overfit(name: str = "8 samples", **changes: Any) -> Overfit:
    """A run that succeeded, but for `changes`."""
    values: dict[str, Any] = {
        "name": name,
        "size": 8,
        "losses": np.array([1.2, 0.5, 0.01]),
        "start": 1.2,
        "end": 0.01,
        "floor": Floor(loss=0.0, how="the loss of ideal outputs"),
        "chance": math.log(3),
        "correct": 1.0,
        "rate": 3e-3,
        "steps": 30,
        "reached": True,
    }
    return Overfit(**(values | changes))


def made_course(name: str = "real labels", **changes: Any) -> Course:
    """A course that learned, but for `changes`."""
    values: dict[str, Any] = {
        "name": name,
        "losses": np.linspace(1.1, 0.2, 120),
        "before": 1.15,
        "after": 0.2,
        "chance": 1.09,
        "permuted": np.linspace(2.0, 2.4, 99),
        "predictions": (),
        "blank_difference": 0.8,
    }
    return Course(**(values | changes))


@pytest.fixture
def runs(case: TrainingCase) -> Callable[..., GoldenRuns]:
    """Golden runs of a sound model, but for what a test changes."""

    def made(**changes: Any) -> GoldenRuns:
        values: dict[str, Any] = {
            "case": case,
            "one": made_overfit("one sample", size=1),
            "two": made_overfit("two samples", size=2),
            "small": made_overfit(),
            "blank": made_overfit(
                "8 samples, inputs taken away", end=1.0, correct=0.4, reached=False, losses=np.array([1.2, 1.0])
            ),
            "real": made_course(),
            "shuffled": made_course(
                "shuffled labels", losses=np.linspace(1.1, 1.0, 120), after=1.2, permuted=np.linspace(1.15, 1.3, 99)
            ),
            "blank_difference": 0.9,
        }
        return GoldenRuns(**(values | changes))

    return made


@pytest.fixture
def overfit() -> Callable[..., Overfit]:
    return made_overfit


@pytest.fixture
def course() -> Callable[..., Course]:
    return made_course

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataguard.core.finding import Finding, Inconclusive, Observation, Skipped
from dataguard.rules.training.dg706_no_better_than_baseline import no_better_than_baseline

torch = pytest.importorskip("torch", reason="torch is not installed")

from dataguard.training import Training  # noqa: E402
from dataguard.training.case import TrainingCase  # noqa: E402
from dataguard.training.golden import GoldenRuns  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402

Make = Callable[..., Any]


def predicted(case: TrainingCase, right: float, noise: float = 0.0) -> tuple[Any, ...]:
    """Logits for the held-out samples: `right` for their class, and noise."""
    generator = torch.Generator().manual_seed(1)
    return tuple(
        right * torch.nn.functional.one_hot(batch.targets, 3).float()
        + noise * torch.randn(batch.size, 3, generator=generator)
        for batch in case.held_out
    )


def test_fires_where_a_simple_model_learns_and_the_model_does_not(case: TrainingCase, runs: Make, course: Make) -> None:
    (finding,) = no_better_than_baseline(runs(real=course(predictions=predicted(case, 0, noise=1))))
    assert isinstance(finding, Finding)
    assert "beats the frequencies of classes on held-out samples, and the model does not" in finding.message


def test_silent_on_a_model_that_beats_the_constant_and_not_the_simple_one(
    case: TrainingCase, runs: Make, course: Make
) -> None:
    for right in (0.5, 6.0):
        (outcome,) = no_better_than_baseline(runs(real=course(predictions=predicted(case, right))))
        assert isinstance(outcome, Observation)


def test_silent_where_nothing_can_be_learned(course: Make) -> None:
    generator = torch.Generator().manual_seed(0)
    batches = [(torch.randn(24, 6, generator=generator), torch.randint(0, 3, (24,), generator=generator))] * 9
    batches = [
        (torch.randn(24, 6, generator=generator), torch.randint(0, 3, (24,), generator=generator)) for _ in batches
    ]
    case = open_case(Training(model=torch.nn.Linear(6, 3), loss=torch.nn.CrossEntropyLoss(), loader=batches))
    runs = GoldenRuns(case=case, real=course(predictions=predicted(case, 0, noise=1)))
    (outcome,) = no_better_than_baseline(runs)
    assert isinstance(outcome, Observation)


def test_fires_on_numbers_too(course: Make) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(9, 24, 6, generator=generator)
    batches = [(part, part[:, :1] * 2 + 1) for part in x]
    case = open_case(Training(model=torch.nn.Linear(6, 1), loss=torch.nn.MSELoss(), loader=batches))
    constant = tuple(torch.ones(batch.size, 1) for batch in case.held_out)
    (finding,) = no_better_than_baseline(GoldenRuns(case=case, real=course(predictions=constant)))
    assert isinstance(finding, Finding)
    assert "squared error" in finding.message


def test_edge_too_few_samples_no_training_and_other_tasks(runs: Make, course: Make) -> None:
    (outcome,) = no_better_than_baseline(runs(real=None))
    assert isinstance(outcome, Inconclusive)
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    case = open_case(Training(model=torch.nn.Linear(4, 1), loss=torch.nn.MSELoss(), batch=(x, x[:, :1] ** 2)))
    (outcome,) = no_better_than_baseline(GoldenRuns(case=case, real=course()))
    assert isinstance(outcome, Inconclusive)
    assert "too few" in outcome.reason
    case = open_case(Training(model=torch.nn.Linear(4, 4), loss=torch.nn.MSELoss(), batch=(x, x)))
    (outcome,) = no_better_than_baseline(GoldenRuns(case=case, real=course()))
    assert isinstance(outcome, Skipped)

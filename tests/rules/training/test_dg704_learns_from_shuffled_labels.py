from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dataguard.core.finding import Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.rules.training.dg704_learns_from_shuffled_labels import learns_from_shuffled_labels

torch = pytest.importorskip("torch", reason="torch is not installed")

from dataguard.training import Training  # noqa: E402
from dataguard.training.golden import GoldenRuns  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402

Make = Callable[..., Any]


def test_fires_where_shuffled_held_out_targets_are_foretold(runs: Make, course: Make) -> None:
    leak = course("shuffled labels", losses=np.linspace(1.1, 0.3, 120), after=0.4, permuted=np.linspace(1.5, 2, 99))
    (finding,) = learns_from_shuffled_labels(runs(shuffled=leak))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.key == ("leak",)
    assert "p = 0.01" in finding.message


def test_fires_where_the_loss_does_not_depend_on_the_targets(runs: Make, course: Make) -> None:
    (finding,) = learns_from_shuffled_labels(runs(shuffled=course("shuffled labels")))
    assert isinstance(finding, Finding)
    assert finding.key == ("ignored",)


def test_fires_where_real_targets_are_learned_no_faster(runs: Make, course: Make) -> None:
    slow = course(losses=np.linspace(1.1, 1.02, 120), after=1.12, permuted=np.linspace(1.0, 1.2, 99))
    (finding,) = learns_from_shuffled_labels(runs(real=slow))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert finding.key == ("no faster",)


def test_silent_on_a_sound_model(runs: Make) -> None:
    (outcome,) = learns_from_shuffled_labels(runs())
    assert isinstance(outcome, Observation)


def test_silent_where_training_is_slow_and_held_out_targets_are_foretold(runs: Make, course: Make) -> None:
    slow = course(losses=np.linspace(1.1, 1.02, 120), after=0.9)
    (outcome,) = learns_from_shuffled_labels(runs(real=slow))
    assert isinstance(outcome, Observation)


def test_silent_where_a_loss_inside_the_model_falls_below_that_of_a_constant(runs: Make, course: Make) -> None:
    slow = course(losses=np.linspace(1.1, 1.02, 120), after=0.9, permuted=np.zeros(0))
    (outcome,) = learns_from_shuffled_labels(runs(real=slow))
    assert isinstance(outcome, Observation)


def test_edge_nothing_is_said_without_runs_targets_or_a_model_that_learns(runs: Make, overfit: Make) -> None:
    (outcome,) = learns_from_shuffled_labels(runs(real=None, missing={"real labels": "the time budget was used up"}))
    assert isinstance(outcome, Inconclusive)
    (outcome,) = learns_from_shuffled_labels(runs(small=overfit(reached=False, end=1.0)))
    assert isinstance(outcome, Inconclusive)
    case = open_case(
        Training(model=torch.nn.Linear(4, 2), loss=lambda outputs: outputs.square().mean(), batch=(torch.randn(8, 4),))
    )
    (outcome,) = learns_from_shuffled_labels(GoldenRuns(case=case))
    assert isinstance(outcome, Skipped)

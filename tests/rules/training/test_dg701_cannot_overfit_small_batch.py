from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataguard.core.finding import Finding, Inconclusive, Observation, Severity
from dataguard.rules.training.dg701_cannot_overfit_small_batch import cannot_overfit_small_batch

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.floors import Floor  # noqa: E402
from dataguard.training.golden import GoldenRuns, golden_runs  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402
from dataguard.training.overfit import overfit as learn  # noqa: E402

Make = Callable[..., Any]


def test_fires_where_a_run_stays_far_from_its_floor(runs: Make, overfit: Make) -> None:
    stuck = overfit(end=1.05, correct=0.5, reached=False)
    (finding,) = cannot_overfit_small_batch(runs(small=stuck))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith("The model cannot learn 8 samples by heart: the loss went from 1.2 to 1.05")
    assert "50% of the targets right" in finding.message
    assert [item.value for item in finding.measurements][-1] == pytest.approx(0.9558, abs=1e-3)
    assert all(place.note for place in finding.locations)


def test_fires_where_the_loss_is_near_its_floor_and_a_class_is_wrong(runs: Make, overfit: Make) -> None:
    (finding,) = cannot_overfit_small_batch(runs(two=overfit("two samples", correct=0.5)))
    assert isinstance(finding, Finding)


def test_fires_where_the_loss_falls_below_its_floor(runs: Make, overfit: Make) -> None:
    (finding,) = cannot_overfit_small_batch(runs(small=overfit(end=-0.4)))
    assert isinstance(finding, Finding)
    assert "below 0, the least that it can be" in finding.message


@pytest.mark.parametrize(
    "broken",
    [
        lambda head: nn.Sequential(head, nn.Softmax(0)),
        lambda head: head.requires_grad_(False),
    ],
)
def test_fires_on_a_model_that_cannot_learn(broken: Make) -> None:
    torch.manual_seed(0)
    batch = (torch.randn(16, 6), torch.arange(16) % 3)
    model = broken(nn.Linear(6, 3))
    case = open_case(Training(model=model, loss=nn.CrossEntropyLoss(), batch=batch))
    run = learn(case, case.first.take(range(8)), "8 samples", rates=(3e-3,))
    (finding,) = cannot_overfit_small_batch(GoldenRuns(case=case, small=run))
    assert isinstance(finding, Finding)


def test_silent_on_a_sound_model(runs: Make) -> None:
    (outcome,) = cannot_overfit_small_batch(runs())
    assert isinstance(outcome, Observation)
    assert "8 samples in 30 steps" in outcome.message


@pytest.mark.slow
def test_silent_on_losses_whose_floor_is_not_zero() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(24, 6), torch.arange(24) % 3
    for loss in (
        nn.CrossEntropyLoss(label_smoothing=0.3, weight=torch.tensor([1.0, 2, 5])),
        lambda o, t: nn.functional.cross_entropy(o, t) + 0.5,
    ):
        model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))
        (outcome,) = cannot_overfit_small_batch(golden_runs(open_case(Training(model=model, loss=loss, batch=(x, y)))))
        assert isinstance(outcome, Observation)


def test_edge_no_floor_no_classes_or_no_time_is_inconclusive(runs: Make, overfit: Make) -> None:
    unknown = overfit(end=0.9, floor=None, correct=None, reached=False)
    late = overfit(end=0.9, reached=False, ended="the time budget was used up")
    for run in (unknown, late):
        (outcome,) = cannot_overfit_small_batch(runs(small=run))
        assert isinstance(outcome, Inconclusive)
    (outcome,) = cannot_overfit_small_batch(
        runs(one=None, two=None, small=None, missing={"one sample": "the time budget was used up"})
    )
    assert isinstance(outcome, Inconclusive)
    assert "budget" in outcome.reason


def test_edge_a_floor_above_zero_counts(runs: Make, overfit: Make) -> None:
    smoothed = overfit(end=0.52, floor=Floor(loss=0.5, how="the loss of ideal outputs"))
    (outcome,) = cannot_overfit_small_batch(runs(small=smoothed))
    assert isinstance(outcome, Observation)

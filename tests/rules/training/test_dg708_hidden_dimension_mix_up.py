from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Outcome, Severity
from dataguard.rules.training.dg708_hidden_dimension_mix_up import hidden_dimension_mix_up

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.influence import SampleInfluence, sample_influence  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402


class Applied(nn.Module):
    def __init__(self, change: Any) -> None:
        super().__init__()
        self.head = nn.Linear(8, 16)
        self.change = change

    def forward(self, x: Any) -> Any:
        return self.change(self.head(x))


def outcomes(model: Any, n: int = 16, loss: Any = None) -> list[Outcome]:
    torch.manual_seed(0)
    batch = (torch.randn(n, 8), torch.arange(n) % 16)
    found = sample_influence(open_case(Training(model=model, loss=loss or nn.CrossEntropyLoss(), batch=batch)))
    assert isinstance(found, SampleInfluence)
    return list(hidden_dimension_mix_up(found))


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.t(),
        lambda x: x.view(16, 16),
        lambda x: x + torch.ones(16, 1),
        lambda x: x @ torch.ones(16, 16) @ x.t(),
    ],
)
def test_fires_where_two_sizes_are_the_same_by_chance(change: Any) -> None:
    (finding,) = outcomes(Applied(change))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert "With 5 samples" in finding.message


def test_fires_on_a_loss_that_takes_classes_for_samples() -> None:
    def transposed(outputs: Any, targets: Any) -> Any:
        return nn.functional.cross_entropy(outputs.t(), targets)

    (finding,) = outcomes(nn.Linear(8, 16), loss=transposed)
    assert isinstance(finding, Finding)
    assert "model or loss fail" in finding.message


@pytest.mark.parametrize("n", [16, 5, 8, 3])
def test_silent_on_a_model_of_equal_sizes_that_takes_any_number_of_samples(n: int) -> None:
    (outcome,) = outcomes(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16)), n=n)
    assert isinstance(outcome, Observation)


def test_edge_samples_that_influence_each_other_are_said_once_by_the_other_rule() -> None:
    (outcome,) = outcomes(Applied(lambda x: x - x.mean(0)))
    assert isinstance(outcome, Observation)


def test_edge_the_number_of_samples_is_no_other_size() -> None:
    batch = (torch.randn(6, 5), torch.arange(6) % 7)
    model = nn.Sequential(nn.Linear(5, 11), nn.Linear(11, 7))
    found = sample_influence(open_case(Training(model=model, loss=nn.CrossEntropyLoss(), batch=batch)))
    assert isinstance(found, SampleInfluence)
    assert found.prime == 13

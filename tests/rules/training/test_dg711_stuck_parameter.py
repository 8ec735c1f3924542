from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Outcome, Severity
from dataguard.rules.training.dg711_stuck_parameter import stuck_parameter

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402
from dataguard.training.steps import short_training  # noqa: E402


class Two(nn.Module):
    """Two layers with something between them."""

    def __init__(self, between: Any = torch.relu, unused: bool = False) -> None:
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.head = nn.Linear(8, 3)
        if unused:
            self.extra = nn.Linear(8, 8)
        self.between = between

    def forward(self, x: Any) -> Any:
        return self.head(self.between(self.body(x)))


def outcomes(model: Any, **options: Any) -> list[Outcome]:
    torch.manual_seed(0)
    batch = (torch.randn(16, 4), torch.arange(16) % 3)
    training = Training(model=model, loss=nn.CrossEntropyLoss(), batch=batch, **options)
    return list(stuck_parameter(short_training(open_case(training))))


@pytest.mark.parametrize(
    "between",
    [
        lambda x: x.detach(),
        lambda x: torch.from_numpy(x.detach().numpy()),
        lambda x: (x > 0).float(),
        lambda x: nn.functional.one_hot(x.argmax(1), 8).float(),
    ],
)
def test_fires_where_no_gradient_comes_through(between: Any) -> None:
    (finding,) = outcomes(Two(between))
    assert isinstance(finding, Finding)
    assert "body.weight" in finding.message
    assert finding.locations[0].note.startswith("body.weight")
    assert finding.locations[0].line is not None
    assert finding.severity is Severity.ERROR, "it is more than half of the weights"


def test_fires_on_a_layer_that_is_never_called() -> None:
    (finding,) = outcomes(Two(unused=True))
    assert isinstance(finding, Finding)
    assert "extra.weight" in finding.message
    assert "head" not in finding.message


def test_fires_on_parameters_that_the_optimizer_does_not_hold() -> None:
    model = Two()
    (finding,) = outcomes(model, optimizer=torch.optim.Adam(model.head.parameters()))
    assert isinstance(finding, Finding)
    assert finding.message.startswith("The optimizer does not hold 2 of 4 parameters")
    assert "body" in finding.locations[0].note


def test_fires_on_a_learning_rate_that_rounding_swallows() -> None:
    model = Two()
    groups = [{"params": model.body.parameters(), "lr": 1e-12}, {"params": model.head.parameters()}]
    (finding,) = outcomes(model, optimizer=torch.optim.SGD(groups, lr=0.1))
    assert isinstance(finding, Finding)
    assert "nothing changes" in finding.message


def test_fires_on_declared_frozen_parameters_that_change() -> None:
    (finding,) = outcomes(Two(), freeze=("body",))
    assert isinstance(finding, Finding)
    assert "declared frozen" in finding.message
    assert finding.locations[0].note.startswith("body.weight")


def test_silent_on_a_sound_model_and_a_frozen_body() -> None:
    assert isinstance(outcomes(Two())[0], Observation)
    model = Two()
    model.body.requires_grad_(False)
    assert isinstance(outcomes(model)[0], Observation)


def test_silent_on_a_branch_whose_last_norm_begins_at_zero() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branch: Any = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.LayerNorm(4))
            last: Any = self.branch[2]
            nn.init.zeros_(last.weight)
            self.head = nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            return self.head(x + self.branch(x))

    assert isinstance(outcomes(Residual())[0], Observation)


def test_edge_a_bias_that_cancels_exactly_is_passed_over() -> None:
    class Difference(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(4, 8), nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.body(x) - self.body(x.flip(0).roll(1, 1)))

    assert isinstance(outcomes(Difference())[0], Observation)

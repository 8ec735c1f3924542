from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Outcome, Severity
from dataguard.rules.training.dg713_disproportionate_update import disproportionate_update

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402
from dataguard.training.steps import short_training  # noqa: E402


def outcomes(optimizer: Any, model: Any = None) -> list[Outcome]:
    torch.manual_seed(0)
    model = model or nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 3))
    batch = (torch.randn(32, 16), torch.arange(32) % 3)
    training = Training(model=model, loss=nn.CrossEntropyLoss(), batch=batch, optimizer=optimizer(model.parameters()))
    return list(disproportionate_update(short_training(open_case(training))))


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda p: torch.optim.Adam(p, lr=0.5),
        lambda p: torch.optim.SGD(p, lr=30.0),
        lambda p: torch.optim.RMSprop(p, lr=0.3),
    ],
)
def test_fires_on_steps_that_replace_the_weights(optimizer: Any) -> None:
    (finding,) = outcomes(optimizer)
    assert isinstance(finding, Finding)
    assert finding.message.startswith("Steps are far too large")
    assert "smaller" in finding.remedy
    assert ".weight" in finding.locations[0].note


@pytest.mark.parametrize("optimizer", [lambda p: torch.optim.Adam(p, lr=1e-7), lambda p: torch.optim.SGD(p, lr=1e-6)])
def test_fires_on_steps_that_change_nothing(optimizer: Any) -> None:
    (finding,) = outcomes(optimizer)
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert finding.message.startswith("Steps are far too small")


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda p: torch.optim.Adam(p, lr=1e-3),
        lambda p: torch.optim.AdamW(p, lr=3e-4),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.SGD(p, lr=0.01),
    ],
)
def test_silent_on_usual_settings(optimizer: Any) -> None:
    assert isinstance(outcomes(optimizer)[0], Observation)


def test_edge_a_model_whose_only_matrix_begins_at_zero_is_no_finding() -> None:
    model = nn.Linear(16, 3)
    nn.init.zeros_(model.weight)
    (outcome,) = outcomes(lambda p: torch.optim.Adam(p, lr=1.0), model)
    assert not isinstance(outcome, Finding)


class Ascending(torch.optim.SGD):  # type: ignore[name-defined,misc]
    """Adds what it should take off."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for item in group["params"]:
                item.grad.neg_()
        return super().step(closure)


class AscendingAdam(torch.optim.Adam):  # type: ignore[name-defined,misc]
    """Likewise, with steps of Adam's size."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for item in group["params"]:
                item.grad.neg_()
        return super().step(closure)


@pytest.mark.parametrize("kind", [lambda p: Ascending(p, lr=0.01), lambda p: AscendingAdam(p, lr=1e-3)])
def test_fires_on_steps_that_go_up(kind: Any) -> None:
    finding, _ = outcomes(kind)
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith("The first step goes up the loss: the cosine")


@pytest.mark.parametrize("kind", [torch.optim.Adagrad, torch.optim.RMSprop, torch.optim.NAdam, torch.optim.AdamW])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_silent_on_steps_that_go_down(kind: Any, decay: float) -> None:
    (outcome,) = outcomes(lambda p: kind(p, lr=1e-3, weight_decay=decay))
    assert isinstance(outcome, Observation)


def test_edge_an_optimizer_that_is_told_to_maximize_goes_up() -> None:
    (outcome,) = outcomes(lambda p: torch.optim.SGD(p, lr=0.01, maximize=True))
    assert isinstance(outcome, Observation)

from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Outcome, Severity
from dataguard.rules.training.dg714_dead_or_saturated_activation import dead_or_saturated_activation

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402
from dataguard.training.passes import first_pass  # noqa: E402


class Functions(nn.Module):
    """Activations that are functions, no layers."""

    def __init__(self, activation: Any) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(16, 32), nn.Linear(32, 3)
        self.activation = activation

    def forward(self, x: Any) -> Any:
        return self.head(self.activation(self.body(x)))


def outcomes(model: Any, scale: float = 1.0) -> list[Outcome]:
    torch.manual_seed(0)
    batch = (scale * torch.randn(32, 16), torch.arange(32) % 3)
    case = open_case(Training(model=model, loss=nn.CrossEntropyLoss(), batch=batch))
    return list(dead_or_saturated_activation(first_pass(case)))


@pytest.mark.parametrize("is_layer", [True, False])
def test_fires_on_rectifiers_that_never_fire(is_layer: bool) -> None:
    model: Any = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 3)) if is_layer else Functions(torch.relu)
    body = model[0] if is_layer else model.body
    with torch.no_grad():
        body.bias[:20] = -50
    (finding,) = outcomes(model)
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert "units are dead" in finding.message
    assert finding.locations[0].note.startswith("1 (ReLU)" if is_layer else "head (Linear)")
    with torch.no_grad():
        body.bias[:] = -50
    assert isinstance(outcomes(model)[0], Finding), "all of them"


@pytest.mark.parametrize("activation", [nn.Tanh, nn.Sigmoid, nn.Hardtanh])
def test_fires_on_saturated_activations(activation: Any) -> None:
    model = nn.Sequential(nn.Linear(16, 32), activation(), nn.Linear(32, 3))
    (finding,) = outcomes(model, scale=300)
    assert isinstance(finding, Finding)
    assert "saturated" in finding.message
    assert isinstance(outcomes(model)[0], Observation)


def test_fires_on_a_saturated_function_between_layers() -> None:
    (finding,) = outcomes(Functions(torch.tanh), scale=300)
    assert isinstance(finding, Finding)
    assert finding.locations[0].note.startswith("head (Linear)")
    assert isinstance(outcomes(Functions(torch.tanh))[0], Observation)


@pytest.mark.parametrize("seed", range(5))
def test_silent_on_new_networks(seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))
    assert isinstance(outcomes(model)[0], Observation)
    assert isinstance(outcomes(Functions(torch.relu))[0], Observation)


def test_edge_a_narrow_layer_and_a_layer_of_zeros_by_design_are_passed_over() -> None:
    narrow: Any = nn.Sequential(nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 3))
    nn.init.constant_(narrow[0].bias, -50)
    assert isinstance(outcomes(narrow)[0], Observation)
    blank: Any = nn.Sequential(nn.Linear(16, 16), nn.LayerNorm(16), nn.Linear(16, 3))
    nn.init.zeros_(blank[1].weight)
    assert isinstance(outcomes(blank)[0], Observation)

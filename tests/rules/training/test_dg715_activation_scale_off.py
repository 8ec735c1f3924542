from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Outcome, Severity
from dataguard.rules.training.dg715_activation_scale_off import activation_scale_off

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402
from dataguard.training.passes import first_pass  # noqa: E402


def network() -> Any:
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))


def outcomes(model: Any, scale: float = 1.0) -> list[Outcome]:
    torch.manual_seed(0)
    batch = (scale * torch.randn(32, 16), torch.arange(32) % 3)
    return list(
        activation_scale_off(first_pass(open_case(Training(model=model, loss=nn.CrossEntropyLoss(), batch=batch))))
    )


@pytest.mark.parametrize(("factor", "word"), [(0.01, "smaller"), (200.0, "larger")])
def test_fires_on_one_layer_of_a_wrong_scale_and_names_it(factor: float, word: str) -> None:
    model = network()
    with torch.no_grad():
        model[2].weight.mul_(factor)
    found = outcomes(model)
    assert isinstance(found[0], Finding)
    assert found[0].severity is Severity.WARNING
    assert word in found[0].message
    assert found[0].locations[0].note.startswith("2 (Linear)")


def test_fires_on_inputs_that_were_not_normalized() -> None:
    (finding,) = outcomes(network(), scale=255)
    assert isinstance(finding, Finding)
    assert "far too large" in finding.message
    assert finding.locations[0].note.startswith("0 (Linear)")


def test_fires_on_inputs_that_were_normalized_twice() -> None:
    (finding,) = outcomes(network(), scale=1 / 255)
    assert isinstance(finding, Finding)
    assert "far too small" in finding.message


@pytest.mark.parametrize("seed", range(5))
def test_silent_on_new_networks_with_and_without_norms(seed: int) -> None:
    torch.manual_seed(seed)
    assert isinstance(outcomes(network())[0], Observation)
    normed = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3))
    assert isinstance(outcomes(normed)[0], Observation)


def test_edge_a_bias_is_no_signal_and_zeros_by_design_are_no_fault() -> None:
    model = network()
    nn.init.constant_(model[0].bias, 100.0)
    assert not [item for item in outcomes(model) if isinstance(item, Finding) and "too large" in item.message]

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branch: Any = nn.Sequential(nn.Linear(16, 16), nn.LayerNorm(16))
            last: Any = self.branch[1]
            nn.init.zeros_(last.weight)
            self.head = nn.Linear(16, 3)

        def forward(self, x: Any) -> Any:
            return self.head(x + self.branch(x))

    assert isinstance(outcomes(Residual())[0], Observation)

from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Outcome, Severity
from dataguard.rules.training.dg716_non_finite_value import non_finite_value

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402
from dataguard.training.passes import first_pass  # noqa: E402
from dataguard.training.steps import short_training  # noqa: E402


class Applied(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def outcomes(model: Any, x: Any = None, loss: Any = None, **options: Any) -> list[Outcome]:
    torch.manual_seed(0)
    batch = (torch.randn(16, 4) if x is None else x, torch.arange(16) % 3)
    case = open_case(Training(model=model, loss=loss or nn.CrossEntropyLoss(), batch=batch, **options))
    return list(non_finite_value(first_pass(case), short_training(case)))


FAULTS = {
    "log": lambda x: torch.log(torch.relu(x)),
    "division": lambda x: x / (x - x),
    "exponential": lambda x: torch.exp(1e3 * x.abs()),
    "root": torch.sqrt,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fires_and_names_the_first_layer(fault: str) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.ReLU(), Applied(FAULTS[fault])), nn.ReLU(), nn.Linear(8, 3))
    if fault == "root":
        model[1] = nn.Sequential(nn.Identity(), Applied(FAULTS[fault]))
    (finding,) = outcomes(model)
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.locations[0].note.startswith("1.1 (Applied)")
    assert "before any training" in finding.message


def test_fires_on_inputs_and_on_weights() -> None:
    x = torch.randn(16, 4)
    x[3, 2] = float("nan")
    (finding,) = outcomes(nn.Linear(4, 3), x)
    assert isinstance(finding, Finding)
    assert finding.message.startswith("The inputs of the first batch are not finite")
    model = nn.Linear(4, 3)
    with torch.no_grad():
        model.weight[0, 0] = float("inf")
    (finding,) = outcomes(model)
    assert isinstance(finding, Finding)
    assert "initial weights of weight" in finding.message


def test_fires_on_the_loss_and_on_gradients() -> None:
    def divided(outputs: Any, targets: Any) -> Any:
        return nn.functional.cross_entropy(outputs, targets) / (targets.sum() - targets.sum())

    (finding,) = outcomes(nn.Linear(4, 3), loss=divided)
    assert isinstance(finding, Finding)
    assert finding.message.startswith("The loss is inf, though all outputs are finite")
    # The root of 0 is finite, and its slope is not.
    model = nn.Sequential(nn.Linear(4, 8), Applied(lambda x: torch.sqrt((x > 0) * x)), nn.Linear(8, 3))
    (finding,) = outcomes(model)
    assert isinstance(finding, Finding)
    assert "gradient" in finding.message
    assert finding.locations[0].note.startswith("0 (Linear)")


def test_fires_where_it_begins_in_training() -> None:
    model = nn.Sequential(nn.Linear(4, 8), Applied(torch.exp), nn.Linear(8, 3))
    (finding,) = outcomes(model, optimizer=torch.optim.SGD(model.parameters(), lr=1e3))
    assert isinstance(finding, Finding)
    assert "of training" in finding.message
    assert finding.locations[0].note.startswith("1 (Applied)")


def test_silent_on_masks_of_minus_infinity_within_a_layer() -> None:
    class Masked(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.masked_fill(x < 0, float("-inf")).softmax(1).nan_to_num()

    model = nn.Sequential(nn.Linear(4, 8), Masked(), nn.Linear(8, 3))
    assert isinstance(outcomes(model)[0], Observation)


def test_edge_one_value_in_many_is_enough() -> None:
    def spoilt(x: Any) -> Any:
        return torch.where(torch.arange(x.numel()).view_as(x) == 37, x / 0.0, x)

    (finding,) = outcomes(nn.Sequential(nn.Linear(4, 8), Applied(spoilt), nn.Linear(8, 3)))
    assert isinstance(finding, Finding)
    assert finding.measurements[0].value == pytest.approx(1 / 128, rel=0.01)

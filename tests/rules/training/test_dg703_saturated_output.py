from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.exhibit import Histogram
from dataguard.core.finding import Finding, Inconclusive, Observation, Outcome
from dataguard.rules.training.dg703_saturated_output import saturated_output

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402
from dataguard.training.passes import first_pass  # noqa: E402

X = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
Y = torch.arange(40) % 3


def outcome(model: Any, loss: Any, targets: Any, x: Any = X) -> Outcome:
    case = open_case(Training(model=model, loss=loss, batch=(x, targets)))
    (found,) = saturated_output(first_pass(case))
    return found


def linear(outputs: int, *others: Any, scale: float = 1.0) -> Any:
    torch.manual_seed(0)
    model: Any = nn.Sequential(nn.Linear(6, outputs), *others)
    with torch.no_grad():
        model[0].weight *= scale
    return model


@pytest.mark.parametrize(
    ("model", "loss", "targets"),
    [
        (linear(3, scale=60), nn.CrossEntropyLoss(), Y),
        (linear(3, nn.LogSoftmax(1), scale=60), nn.NLLLoss(), Y),
        (linear(1, nn.Flatten(0), scale=60), nn.BCEWithLogitsLoss(), (Y > 0).float()),
        (linear(1, nn.Sigmoid(), nn.Flatten(0), scale=60), nn.BCELoss(), (Y > 0).float()),
    ],
)
def test_fires_on_outputs_that_are_sure_before_training(model: Any, loss: Any, targets: Any) -> None:
    found = outcome(model, loss, targets)
    assert isinstance(found, Finding)
    assert "sure of what it cannot know" in found.message
    assert found.locations[0].note.startswith("0 (Linear)")
    (histogram,) = found.exhibits
    assert isinstance(histogram, Histogram)
    # A third of the samples of each batch is held out.
    assert sum(histogram.series[0].values) == 27


def test_fires_on_targets_beyond_the_range_of_the_last_layer() -> None:
    found = outcome(linear(1, nn.Sigmoid()), nn.MSELoss(), 10 * X[:, :1])
    assert isinstance(found, Finding)
    assert "can only return values from 0 to 1" in found.message
    assert found.locations[0].note.startswith("1 (Sigmoid)")


def test_fires_on_a_dead_output() -> None:
    model = linear(1, nn.ReLU())
    with torch.no_grad():
        model[0].bias.fill_(-50)
    found = outcome(model, nn.MSELoss(), X[:, :1].abs())
    assert isinstance(found, Finding)
    assert "no gradient reaches" in found.message


@pytest.mark.parametrize(
    ("model", "loss", "targets"),
    [
        (linear(3), nn.CrossEntropyLoss(), Y),
        (linear(1), nn.MSELoss(), X[:, :1]),
        (linear(1, nn.Tanh()), nn.MSELoss(), torch.tanh(X[:, :1])),
        (linear(1, scale=0), nn.MSELoss(), X[:, :1]),
    ],
)
def test_silent_on_new_networks_and_on_a_last_layer_of_zeros(model: Any, loss: Any, targets: Any) -> None:
    assert isinstance(outcome(model, loss, targets), Observation)


def test_edge_three_samples_are_too_few() -> None:
    found = outcome(linear(3, scale=60), nn.CrossEntropyLoss(), Y[:3], X[:3])
    assert isinstance(found, Inconclusive)

from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Outcome, Skipped
from dataguard.rules.training.dg718_regularization_outweighs_data import regularization_outweighs_data

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402
from dataguard.training.penalties import PenaltyBalance, penalty_balance  # noqa: E402


def squares(model: Any) -> Any:
    return sum(item.square().sum() for item in model.parameters())


def evidence(*, optimizer: Any = None, **options: Any) -> Any:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 4))
    batch = (torch.randn(32, 8), torch.arange(32) % 4)
    options.setdefault("loss", nn.CrossEntropyLoss())
    made = None if optimizer is None else optimizer(model.parameters())
    return penalty_balance(open_case(Training(model=model, batch=batch, optimizer=made, **options)))


def outcome(**options: Any) -> Outcome:
    found = evidence(**options)
    assert isinstance(found, PenaltyBalance)
    (only,) = regularization_outweighs_data(found)
    return only


def penalized(weight: float) -> Any:
    def loss(outputs: Any, targets: Any, model: Any) -> Any:
        return functional.cross_entropy(outputs, targets) + weight * squares(model)

    return loss


FAULTS: dict[str, dict[str, Any]] = {
    "a regularizer": {"regularizer": lambda model: 0.5 * squares(model)},
    "a penalty in the loss": {"loss": penalized(0.5)},
    "decay of SGD": {"optimizer": lambda p: torch.optim.SGD(p, lr=1e-2, weight_decay=1.0)},
    "decay of Adam": {"optimizer": lambda p: torch.optim.Adam(p, lr=1e-3, weight_decay=1.0)},
    "decay of AdamW": {"optimizer": lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=20.0)},
}


@pytest.mark.parametrize("name", FAULTS)
def test_fires_on_penalties_that_outweigh_the_data(name: str) -> None:
    found = outcome(**FAULTS[name])
    assert isinstance(found, Finding)
    assert ("most of it by weight decay" in found.message) is name.startswith("decay")
    assert "(Linear)" in found.locations[0].note


@pytest.mark.parametrize(
    "options",
    [
        {"regularizer": lambda model: 1e-4 * squares(model)},
        {"loss": penalized(1e-4)},
        {"optimizer": lambda p: torch.optim.SGD(p, lr=1e-2, weight_decay=5e-4)},
        {"optimizer": lambda p: torch.optim.Adam(p, lr=1e-3, weight_decay=1e-2)},
        {"optimizer": lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.1)},
    ],
)
def test_silent_on_penalties_in_use(options: dict[str, Any]) -> None:
    assert isinstance(outcome(**options), Observation)


def test_edge_without_penalties_it_is_skipped() -> None:
    assert isinstance(evidence(optimizer=lambda p: torch.optim.SGD(p, lr=1e-2)), Skipped)
    assert isinstance(evidence(), Skipped)


def test_edge_a_penalty_of_outputs_belongs_to_the_data() -> None:
    def confident(outputs: Any, targets: Any) -> Any:
        return functional.cross_entropy(outputs, targets) + 9 * outputs.square().mean()

    assert isinstance(evidence(loss=confident), Skipped)


def test_edge_the_ratio_is_what_the_gradients_say() -> None:
    found = evidence(regularizer=lambda model: 0.5 * squares(model))
    assert isinstance(found, PenaltyBalance)
    # The gradient of half the squares is the weights themselves.
    size = sum(float(item.detach().square().sum()) for item in found.case.template.parameters()) ** 0.5
    assert found.first.penalty == pytest.approx(size, rel=1e-5)
    assert found.first.decay == 0

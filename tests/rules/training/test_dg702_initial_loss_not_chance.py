from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataguard.core.finding import Finding, Inconclusive, Observation, Outcome, Severity
from dataguard.rules.training.dg702_initial_loss_not_chance import initial_loss_not_chance

torch = pytest.importorskip("torch", reason="torch is not installed")

from dataguard.training import Training  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402
from dataguard.training.passes import first_pass  # noqa: E402


def outcomes(model: Any, loss: Any, batch: Any, **options: Any) -> list[Outcome]:
    return initial_loss_not_chance(first_pass(open_case(Training(model=model, loss=loss, batch=batch, **options))))


def classes(n: int = 64, k: int = 5) -> tuple[Any, Any]:
    torch.manual_seed(0)
    return torch.randn(n, 8), torch.arange(n) % k


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (torch.nn.CrossEntropyLoss(), lambda y: y),
        (torch.nn.CrossEntropyLoss(label_smoothing=0.2, weight=torch.tensor([1.0, 2, 3, 4, 5])), lambda y: y),
        (torch.nn.functional.cross_entropy, lambda y: y),
        (torch.nn.BCEWithLogitsLoss(), lambda y: torch.nn.functional.one_hot(y, 5).float()),
        (torch.nn.MSELoss(), lambda y: torch.nn.functional.one_hot(y, 5).float()),
        (torch.nn.HuberLoss(), lambda y: torch.nn.functional.one_hot(y, 5).float()),
    ],
)
def test_fires_on_outputs_that_are_too_large(loss: Any, targets: Callable[[Any], Any]) -> None:
    x, y = classes()
    model = torch.nn.Sequential(torch.nn.Linear(8, 5))
    assert isinstance(outcomes(model, loss, (x, targets(y)))[0], Observation)
    with torch.no_grad():
        model[0].weight *= 50
    (finding,) = outcomes(model, loss, (x, targets(y)))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert "far above chance" in finding.message
    assert finding.locations[0].note.startswith("0 (Linear)")


def test_fires_where_targets_reach_the_outputs() -> None:
    x, y = classes()
    x[:, :5] = 6 * torch.nn.functional.one_hot(y, 5).float()
    model = torch.nn.Linear(8, 5, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.eye(5, 8))
    (finding,) = outcomes(model, torch.nn.CrossEntropyLoss(), (x, y))
    assert isinstance(finding, Finding)
    assert "better than chance" in finding.message
    (known,) = outcomes(model, torch.nn.CrossEntropyLoss(), (x, y), pretrained=True)
    assert isinstance(known, Observation)


def test_fires_on_a_loss_that_is_no_number() -> None:
    x, y = classes()
    (finding,) = outcomes(torch.nn.Linear(8, 5), torch.nn.CrossEntropyLoss(), (x * float("nan"), y))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize("seed", range(5))
def test_silent_on_a_new_network(seed: int) -> None:
    x, y = classes()
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 5))
    (outcome,) = outcomes(model, torch.nn.CrossEntropyLoss(), (x, y))
    assert isinstance(outcome, Observation)
    assert "1.609" in outcome.message


def test_edge_a_loss_of_the_users_own_is_inconclusive_unless_chance_is_declared() -> None:
    def cosine(outputs: Any, targets: Any) -> Any:
        return 1 - torch.nn.functional.cosine_similarity(outputs, targets).mean()

    x, y = classes()
    batch = (x, torch.nn.functional.one_hot(y, 5).float())
    (outcome,) = outcomes(torch.nn.Linear(8, 5), cosine, batch)
    assert isinstance(outcome, Inconclusive)
    (known,) = outcomes(torch.nn.Linear(8, 5), cosine, batch, chance=1.0)
    assert isinstance(known, Observation)


@pytest.mark.parametrize("seed", range(12))
def test_silent_on_a_single_weight_whose_sign_happens_to_be_right(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(64, 1)
    assert not [
        item for item in outcomes(torch.nn.Linear(1, 1), torch.nn.MSELoss(), (x, 2 * x)) if isinstance(item, Finding)
    ]


def test_fires_on_weights_that_are_trained_where_drawing_them_anew_is_worse() -> None:
    x, y = classes()
    x[:, :5] += 2 * torch.nn.functional.one_hot(y, 5).float()
    model = torch.nn.Linear(8, 5)
    with torch.no_grad():
        model.weight.copy_(torch.eye(5, 8) * 2)
    (finding,) = outcomes(model, torch.nn.CrossEntropyLoss(), (x, y))
    assert isinstance(finding, Finding)
    assert "better than chance" in finding.message

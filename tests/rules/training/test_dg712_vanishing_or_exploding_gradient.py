from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Outcome, Severity
from dataguard.rules.training.dg712_vanishing_or_exploding_gradient import vanishing_or_exploding_gradient

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402
from dataguard.training.passes import first_pass  # noqa: E402


def stack(depth: int, activation: Any, scale: float = 1.0) -> Any:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(16, 16), activation()]
    model = nn.Sequential(*layers, nn.Linear(16, 3))
    with torch.no_grad():
        for module in model:
            if isinstance(module, nn.Linear):
                module.weight.mul_(scale)
    return model


def outcomes(model: Any, factor: float = 1.0) -> list[Outcome]:
    torch.manual_seed(0)
    batch = (torch.randn(32, 16), torch.arange(32) % 3)

    def loss(outputs: Any, targets: Any) -> Any:
        return factor * nn.functional.cross_entropy(outputs, targets)

    return list(vanishing_or_exploding_gradient(first_pass(open_case(Training(model=model, loss=loss, batch=batch)))))


def test_fires_on_a_deep_stack_of_sigmoids() -> None:
    (finding,) = outcomes(stack(8, nn.Sigmoid))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert finding.message.startswith("The gradient vanishes")
    assert finding.locations[0].note.startswith("0 (Linear)")


@pytest.mark.parametrize(("scale", "word"), [(0.3, "vanishes"), (8.0, "explodes")])
def test_fires_on_weights_of_a_wrong_scale(scale: float, word: str) -> None:
    torch.manual_seed(1)
    (finding,) = outcomes(stack(6, nn.Identity, scale))
    assert isinstance(finding, Finding)
    assert f"The gradient {word}" in finding.message


@pytest.mark.parametrize("seed", range(5))
def test_silent_on_sound_stacks(seed: int) -> None:
    torch.manual_seed(seed)
    assert isinstance(outcomes(stack(3, nn.ReLU))[0], Observation)
    assert isinstance(outcomes(stack(3, nn.Tanh))[0], Observation)


def test_edge_the_scale_of_the_loss_does_not_matter() -> None:
    torch.manual_seed(0)
    model = stack(3, nn.ReLU)
    values = [
        [item.value for item in outcome.measurements]
        for factor in (1e-6, 1.0, 1e6)
        for outcome in outcomes(model, factor)
        if isinstance(outcome, Observation)
    ]
    assert len(values) == 3
    assert values[0] == pytest.approx(values[1], rel=0.01)
    assert values[2] == pytest.approx(values[1], rel=0.01)


def test_edge_a_branch_without_any_gradient_is_another_rules() -> None:
    model = stack(2, nn.ReLU)
    with torch.no_grad():
        model[2].weight.zero_()
    assert isinstance(outcomes(model)[0], Observation)

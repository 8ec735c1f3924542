from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Outcome, Severity
from dataguard.rules.training.dg721_initial_weight_scale import initial_weight_scale

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.call_pass import call_pass  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402

WIDTH = 64


def net(activation: Any = None, *, norm: bool = False) -> Any:
    torch.manual_seed(0)
    middle = [nn.BatchNorm1d(WIDTH)] if norm else []
    return nn.Sequential(nn.Linear(WIDTH, WIDTH), *middle, activation or nn.ReLU(), nn.Linear(WIDTH, 5))


def outcomes(model: Any, **options: Any) -> list[Outcome]:
    torch.manual_seed(0)
    batch = (torch.randn(32, WIDTH), torch.arange(32) % 5)
    training = Training(model=model, loss=nn.CrossEntropyLoss(), batch=batch, **options)
    return list(initial_weight_scale(call_pass(open_case(training))))


def found(model: Any) -> Finding:
    (finding,) = outcomes(model)
    assert isinstance(finding, Finding), finding
    return finding


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh(), nn.GELU(), nn.Sigmoid()])
@pytest.mark.parametrize("at", [0, -1])
def test_fires_on_normal_weights_of_variance_one(activation: Any, at: int) -> None:
    model = net(activation)
    nn.init.normal_(model[at].weight)
    finding = found(model)
    assert finding.severity is Severity.WARNING
    assert "begin too large" in finding.message
    assert finding.locations[0].note.startswith(f"{at % 3} (Linear)")
    # N(0, 1) times the square root of 64 inputs.
    assert finding.measurements[0].value == pytest.approx(8, rel=0.1)


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh(), nn.GELU()])
def test_fires_on_hidden_weights_that_are_too_small(activation: Any) -> None:
    model = net(activation)
    nn.init.normal_(model[0].weight, std=1e-3)
    assert "begin too small" in found(model).message


def test_fires_on_units_that_stay_equal() -> None:
    model = net()
    for layer in (model[0], model[2]):
        nn.init.constant_(layer.weight, 0.1)
    finding, head = outcomes(model)
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    # The last layer's units are told apart by their targets.
    assert isinstance(head, Finding)
    assert head.severity is Severity.WARNING
    assert "64 of 64 units have the weights and the gradient of another" in finding.message
    zeros = net()
    for layer in (zeros[0], zeros[2]):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    assert found(zeros).severity is Severity.ERROR


def test_fires_on_a_constant_layer_between_random_ones() -> None:
    model = net()
    nn.init.constant_(model[0].weight, 0.05)
    finding = found(model)
    assert finding.severity is Severity.WARNING
    assert "begin equal: all are 0.05" in finding.message


def _transformers(model: Any) -> None:
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)


def _each(init: Callable[..., Any], **options: Any) -> Callable[[Any], None]:
    def applied(model: Any) -> None:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                init(module.weight, **options)

    return applied


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize(
    "init",
    [
        lambda model: None,
        _transformers,
        _each(nn.init.xavier_uniform_),
        _each(nn.init.xavier_normal_, gain=5 / 3),
        _each(nn.init.kaiming_normal_),
        lambda model: nn.init.kaiming_uniform_(model[0].weight, mode="fan_out"),
        _each(nn.init.orthogonal_),
        _each(nn.init.orthogonal_, gain=2**0.5),
        _each(nn.init.eye_),
    ],
)
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh()])
def test_silent_on_initializations_in_use(activation: Any, init: Any, norm: bool) -> None:
    model = net(activation, norm=norm)
    init(model)
    (outcome,) = outcomes(model)
    assert isinstance(outcome, Observation), outcome


@pytest.mark.parametrize("std", [0.0, 1e-4])
def test_silent_on_a_last_layer_that_starts_small_and_on_a_norm_that_cancels_scale(std: float) -> None:
    model = net()
    nn.init.normal_(model[2].weight, std=std)
    (outcome,) = outcomes(model)
    assert isinstance(outcome, Observation)
    model = net(norm=True)
    nn.init.normal_(model[0].weight, std=20.0)
    (outcome,) = outcomes(model)
    assert isinstance(outcome, Observation)


def test_silent_on_zeros_where_a_residual_branch_ends() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down, self.head = nn.Linear(WIDTH, 32), nn.Linear(32, WIDTH), nn.Linear(WIDTH, 5)
            nn.init.zeros_(self.down.weight)

        def forward(self, x: Any) -> Any:
            return self.head(x + self.down(torch.relu(self.up(x))))

    (outcome,) = outcomes(Residual())
    assert isinstance(outcome, Observation)


def test_edge_embeddings_frozen_weights_and_trained_models_are_not_asked() -> None:
    model = net()
    nn.init.constant_(model[0].weight, 9.0)
    assert isinstance(outcomes(copy.deepcopy(model), pretrained=True)[0], Observation)
    model[0].requires_grad_(False)
    assert isinstance(outcomes(model)[0], Observation)

    words = nn.Sequential(nn.Embedding(50, 16), nn.Flatten(), nn.Linear(16 * 3, 5))  # normal, variance 1, by design
    batch = (torch.randint(0, 50, (32, 3)), torch.arange(32) % 5)
    case = open_case(Training(model=words, loss=nn.CrossEntropyLoss(), batch=batch))
    (outcome,) = initial_weight_scale(call_pass(case))
    assert isinstance(outcome, Observation)


def test_edge_a_matrix_that_an_embedding_shares_is_measured_as_the_layer() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(20, WIDTH)
            self.head = nn.Linear(WIDTH, 20, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, ids: Any) -> Any:
            return self.head(self.embed(ids))

    ids = torch.randint(0, 20, (32,))
    (finding,) = initial_weight_scale(
        call_pass(open_case(Training(model=Tied(), loss=nn.CrossEntropyLoss(), batch=(ids, ids))))
    )
    assert isinstance(finding, Finding)
    assert finding.locations[0].note.startswith("head (Linear)")

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Outcome, Severity
from dataguard.rules.training.dg720_wrong_mode import wrong_mode

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.modes import modes  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402


class Net(nn.Module):
    """Two layers with something between them."""

    def __init__(self, between: Callable[[Any, Any], Any] | None = None) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.5)
        self.second = nn.Linear(8, 3)
        self.between = between or (lambda model, x: x)

    def forward(self, x: Any) -> Any:
        return self.second(self.drop(self.between(self, self.norm(self.first(x)))))


class Forgets(Net):
    """Its train() passes the dropout over."""

    def train(self, mode: bool = True) -> Any:
        self.training = mode
        for name, child in self.named_children():
            if name != "drop":
                child.train(mode)
        return self


class Stays(Net):
    """Once in eval mode, its norm never trains again."""

    def train(self, mode: bool = True) -> Any:
        super().train(mode)
        if mode and getattr(self, "seen", False):
            self.norm.eval()
        self.seen = True
        return self


def outcomes(model: Any, **options: Any) -> list[Outcome]:
    torch.manual_seed(0)
    batch = (torch.randn(16, 8), torch.arange(16) % 3)
    return list(wrong_mode(modes(open_case(Training(model=model, loss=nn.CrossEntropyLoss(), batch=batch, **options)))))


def found(model: Any, **options: Any) -> Finding:
    (finding,) = outcomes(model, **options)
    assert isinstance(finding, Finding), finding
    return finding


ACTIVE = {
    "dropout": lambda model, x: functional.dropout(x, 0.1),
    "dropout1d": lambda model, x: functional.dropout1d(x[None], 0.5)[0],
    "alpha_dropout": lambda model, x: functional.alpha_dropout(x, 0.1, training=True),
    "batch_norm": lambda model, x: functional.batch_norm(x, torch.zeros(8), torch.ones(8), training=True),
    "scaled_dot_product_attention": lambda model, x: functional.scaled_dot_product_attention(x, x, x, dropout_p=0.1),
    "gumbel_softmax": lambda model, x: functional.gumbel_softmax(x),
}


@pytest.mark.parametrize("name", ACTIVE)
def test_fires_on_functions_that_are_told_to_train(name: str) -> None:
    finding = found(Net(ACTIVE[name]))
    assert finding.severity is Severity.ERROR
    assert f"In eval mode {name} is told to train" in finding.message
    assert str(finding.locations[0].path).endswith("test_dg720_wrong_mode.py")
    assert finding.locations[0].line is not None


def test_fires_on_a_layer_in_a_plain_list() -> None:
    hidden = [nn.Dropout(0.2)]
    finding = found(Net(lambda model, x: hidden[0](x)))
    assert "dropout is told to train" in finding.message


def test_fires_on_train_that_passes_a_layer_over() -> None:
    finding = found(Forgets())
    assert finding.message == "After eval() drop (Dropout) is still in train mode."
    assert finding.locations[0].note.startswith("drop (Dropout)")
    assert finding.locations[0].line is not None
    finding = found(Stays())
    assert finding.message == "After eval() and train() norm (BatchNorm1d) is still in eval mode."


def test_fires_on_modes_that_are_handed_over_wrong() -> None:
    model = Net()
    model.norm.eval()
    assert "norm (BatchNorm1d) is in eval mode" in found(model).message
    assert "handed over in eval mode" in found(Net().eval()).message
    assert found(Net().eval(), pretrained=True).severity is Severity.INFO


def test_fires_on_batch_norm_without_statistics() -> None:
    model = Net()
    model.norm = nn.BatchNorm1d(8, track_running_stats=False)
    finding = found(model)
    assert finding.severity is Severity.WARNING
    assert finding.locations[0].note.startswith("norm (BatchNorm1d)")


def test_fires_on_noise_and_names_the_layer() -> None:
    class Noise(nn.Module):
        def forward(self, x: Any) -> Any:
            return x + 0.1 * torch.randn_like(x)

    finding = found(nn.Sequential(nn.Linear(8, 8), nn.Sequential(nn.ReLU(), Noise()), nn.Linear(8, 3)))
    assert finding.locations[0].note.startswith("1.1 (Noise)")


@pytest.mark.parametrize(
    "between",
    [
        lambda model, x: functional.dropout(x, 0.5, model.training),
        lambda model, x: functional.dropout(x, 0.0),
        lambda model, x: functional.scaled_dot_product_attention(x, x, x, dropout_p=0.1 if model.training else 0.0),
        lambda model, x: x + torch.randn_like(x) if model.training else x,
    ],
)
def test_silent_on_what_follows_the_mode(between: Any) -> None:
    (outcome,) = outcomes(Net(between))
    assert isinstance(outcome, Observation)


def test_silent_on_a_frozen_backbone_in_eval_mode() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.2)), nn.Linear(8, 3))
    model[0].eval().requires_grad_(False)
    (outcome,) = outcomes(model)
    assert isinstance(outcome, Observation)


def test_edge_what_is_declared_random_is_let_pass_and_the_user_model_keeps_its_modes() -> None:
    model = Net(ACTIVE["dropout"])
    model.norm.eval().requires_grad_(False)
    before = [module.training for module in model.modules()]
    (outcome,) = outcomes(model, stochastic_eval=True)
    assert isinstance(outcome, Observation)
    assert [module.training for module in model.modules()] == before


def test_edge_a_model_without_such_layers_in_eval_mode_is_no_fault() -> None:
    (outcome,) = outcomes(nn.Sequential(nn.Linear(8, 3)).eval())
    assert isinstance(outcome, Observation)

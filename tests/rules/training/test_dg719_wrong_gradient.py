from __future__ import annotations

from typing import Any

import pytest

from dataguard.core.finding import Confidence, Finding, Observation, Outcome
from dataguard.rules.training.dg719_wrong_gradient import wrong_gradient

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.gradchecks import gradient_checks  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402


class Swish(torch.autograd.function.Function):  # type: ignore[misc, name-defined]
    """x·sigmoid(x), whose derivative is off by a factor or a sign, or right."""

    @staticmethod
    def forward(ctx: Any, x: Any, factor: float) -> Any:
        ctx.save_for_backward(x)
        ctx.factor = factor
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (x,) = ctx.saved_tensors
        gate = torch.sigmoid(x)
        return ctx.factor * gradients[0] * (gate + x * gate * (1 - gate)), None


class Layer(nn.Module):
    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Any) -> Any:
        return Swish.apply(x, self.factor)


class Scaled(nn.Module):
    """A scale that gets no gradient."""

    def __init__(self, change: Any = lambda scale: scale) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6))
        self.change = change

    def forward(self, x: Any) -> Any:
        return x * self.change(self.scale)


class Net(nn.Module):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.first = nn.Linear(8, 6)
        self.middle = layer
        self.last = nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        return self.last(self.middle(self.first(x)))


def outcomes(model: Any, loss: Any = None, **options: Any) -> list[Outcome]:
    torch.manual_seed(0)
    batch = (torch.randn(16, 8), torch.arange(16) % 3)
    case = open_case(Training(model=model, loss=loss or nn.CrossEntropyLoss(), batch=batch, **options))
    return list(wrong_gradient(gradient_checks(case)))


def found(*args: Any, **options: Any) -> Finding:
    (finding,) = outcomes(*args, **options)
    assert isinstance(finding, Finding), finding
    return finding


@pytest.mark.parametrize("factor", [-1.0, 0.5, 1.05])
def test_fires_on_a_wrong_backward_and_names_the_layer(factor: float) -> None:
    finding = found(Net(Layer(factor)))
    assert finding.confidence is Confidence.HIGH
    assert finding.locations[0].note.startswith("middle (Layer)")
    assert finding.locations[0].line is not None


@pytest.mark.parametrize("change", [lambda s: s.detach(), lambda s: s.data, lambda s: torch.tensor(s.tolist())])
def test_fires_on_a_parameter_that_is_cut_off(change: Any) -> None:
    finding = found(Net(Scaled(change)))
    assert finding.locations[0].note.startswith("middle (Scaled)")


def test_fires_on_the_model_itself_and_on_a_loss() -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            return Swish.apply(self.head(x), -1.0)

    assert "the model (Whole)" in found(Whole()).message

    def wrong(outputs: Any, targets: Any) -> Any:
        return functional.cross_entropy(outputs + outputs.detach(), targets)

    finding = found(nn.Linear(8, 3), wrong)
    assert "the loss (wrong)" in finding.message
    assert str(finding.locations[0].path).endswith("test_dg719_wrong_gradient.py")


def focal(outputs: Any, targets: Any) -> Any:
    each = functional.cross_entropy(outputs, targets, reduction="none")
    return ((1 - torch.exp(-each)) ** 2 * each).mean()


@pytest.mark.parametrize(
    ("layer", "loss"),
    [
        (Layer(), None),
        (Scaled(), focal),
        (nn.Sequential(nn.ReLU(), nn.Dropout(0.5)), focal),
        (Scaled(lambda s: s.float()), None),  # computes in single precision
        (Scaled(torch.relu), lambda o, y: (o.abs().sum(1) - y).abs().mean()),  # kinks
    ],
)
def test_silent_on_derivatives(layer: Any, loss: Any) -> None:
    (outcome,) = outcomes(Net(layer), loss)
    assert isinstance(outcome, Observation)


def test_silent_at_a_kink_that_the_batch_lies_on() -> None:
    class Folded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            return self.head(x.abs())

    batch = (torch.zeros(8, 8), torch.arange(8) % 3)  # the derivative of |x| at 0 is what one likes
    case = open_case(Training(model=Folded(), loss=nn.CrossEntropyLoss(), batch=batch))
    (outcome,) = wrong_gradient(gradient_checks(case))
    assert isinstance(outcome, Observation)


def test_edge_what_is_declared_is_let_pass() -> None:
    (outcome,) = outcomes(Net(Layer(-1.0)), surrogate=("middle",))
    assert isinstance(outcome, Observation)
    (outcome,) = outcomes(
        nn.Linear(8, 3), lambda o, y: functional.cross_entropy(o.detach() + o, y), surrogate=("loss",)
    )
    assert isinstance(outcome, Observation)


def test_edge_torch_own_layers_are_not_asked_and_weights_stay() -> None:
    model = nn.Linear(8, 3)
    before = model.weight.detach().clone()
    (outcome,) = outcomes(model)
    assert isinstance(outcome, Observation)
    assert "torch's own" in outcome.message
    assert model.weight.dtype is torch.float32
    assert torch.equal(model.weight, before)

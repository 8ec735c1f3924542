from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dataguard.core.finding import Finding, Observation, Outcome, Severity
from dataguard.rules.training.dg717_loss_input_mismatch import loss_input_mismatch

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.call_pass import call_pass  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402

N, K = 24, 4


def outcomes(model: Any, loss: Any, targets: Any, inputs: Any = None, **options: Any) -> list[Outcome]:
    torch.manual_seed(0)
    dtype = next(model.parameters()).dtype
    batch = (torch.randn(N, 8, dtype=dtype) if inputs is None else inputs, targets)
    return list(loss_input_mismatch(call_pass(open_case(Training(model=model, loss=loss, batch=batch, **options)))))


def found(model: Any, loss: Any, targets: Any, inputs: Any = None, **options: Any) -> Finding:
    (finding,) = outcomes(model, loss, targets, inputs, **options)
    assert isinstance(finding, Finding), finding
    return finding


def net(*after: Any, out: int = K) -> Any:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, out), *after)


classes = torch.arange(N) % K
labels = (torch.arange(N * K).reshape(N, K) % 3 == 0).float()
values = torch.linspace(-1, 1, N)


CASES = {
    "softmax into cross entropy": (net(nn.Softmax(1)), nn.CrossEntropyLoss(), classes),
    "softmax in the loss": (net(), lambda o, y: functional.cross_entropy(o.softmax(1), y), classes),
    "sigmoid into cross entropy": (net(nn.Sigmoid()), nn.CrossEntropyLoss(), classes),
    "softmax over the batch": (net(nn.Softmax(0)), nn.CrossEntropyLoss(), classes),
    "log-softmax over the batch": (net(nn.LogSoftmax(0)), nn.NLLLoss(), classes),
    "logits into nll": (net(), nn.NLLLoss(), classes),
    "probabilities into nll": (net(nn.Softmax(1)), nn.NLLLoss(), classes),
    "sigmoid twice": (net(nn.Sigmoid()), nn.BCEWithLogitsLoss(), labels),
    "sigmoid of a sigmoid": (net(nn.Sigmoid(), nn.Sigmoid()), nn.BCELoss(), labels),
    "softmax into binary logits": (net(nn.Softmax(1)), nn.BCEWithLogitsLoss(), labels),
    "logits into binary": (net(nn.Hardtanh(0, 1)), nn.BCELoss(), labels),
    "one unit cross entropy": (net(out=1), nn.CrossEntropyLoss(), classes * 0),
    "one unit softmax": (net(nn.Softmax(1), nn.Flatten(0), out=1), nn.BCELoss(), (classes > 1).float()),
    "targets broadcast": (net(out=1), nn.L1Loss(), values),
    "targets broadcast by hand": (net(out=1), lambda o, y: (o - y).square().mean(), values),
    "soft targets": (net(), nn.CrossEntropyLoss(), labels),
    "targets outside": (net(nn.Flatten(0), out=1), nn.BCEWithLogitsLoss(), (classes % 3).float()),
    "divergence of logits": (net(), nn.KLDivLoss(reduction="batchmean"), torch.full((N, K), 1 / K)),
}


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", CASES)
def test_fires_on_wrong_pairings(name: str) -> None:
    finding = found(*CASES[name])
    assert finding.severity is Severity.ERROR
    assert all(place.note for place in finding.locations)


def test_fires_and_names_the_layer() -> None:
    finding = found(*CASES["softmax into cross entropy"])
    assert finding.locations[0].note.startswith("3 (Softmax)")
    assert "cannot fall below 0.744" in finding.message  # ln(e + 3) - 1


def test_fires_and_names_the_line_of_a_function() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(8, K)

        def forward(self, x: Any) -> Any:
            return torch.softmax(self.head(x), dim=1)  # here

    finding = found(Net(), nn.CrossEntropyLoss(), classes)
    line = finding.locations[0].line
    assert line is not None
    assert "# here" in Path(__file__).read_text(encoding="utf-8").splitlines()[line - 1]


def test_fires_on_classes_in_another_dimension() -> None:
    inputs, targets = torch.randn(N, K, 8), (torch.arange(N * K) % K).reshape(N, K)
    finding = found(net(), nn.CrossEntropyLoss(), targets, inputs)
    assert "looks for classes in dimension 1" in finding.message

    pictures, wanted = torch.randn(N, 1, 5, 5), torch.arange(N * 25).reshape(N, 5, 5) % K
    conv = nn.Conv2d(1, K, 1)
    finding = found(conv, lambda o, y: functional.cross_entropy(o.view(-1, K), y.view(-1)), wanted, pictures)
    assert "puts places where the classes belong" in finding.message
    (quiet,) = outcomes(
        conv, lambda o, y: functional.cross_entropy(o.movedim(1, -1).reshape(-1, K), y.view(-1)), wanted, pictures
    )
    assert isinstance(quiet, Observation)


@pytest.mark.parametrize(
    ("model", "loss", "targets"),
    [
        (net(), nn.CrossEntropyLoss(label_smoothing=0.1, weight=torch.ones(K)), classes),
        (net(nn.LogSoftmax(1)), nn.NLLLoss(), classes),
        (net(nn.LogSoftmax(1)), nn.CrossEntropyLoss(), classes),  # idempotent
        (net(nn.LogSoftmax(1)).bfloat16(), functional.nll_loss, classes),
        (net(nn.Sigmoid()), nn.BCELoss(), labels),
        (net(), nn.BCEWithLogitsLoss(pos_weight=torch.full((K,), 2.0)), labels),
        (net(nn.Flatten(0), out=1), nn.MSELoss(), values),
        (net(nn.ReLU(), out=1), nn.HuberLoss(), values[:, None].abs()),
        (net(), nn.CrossEntropyLoss(), labels.add(1) / labels.add(1).sum(1, keepdim=True)),
        (net(nn.LogSoftmax(1)), nn.KLDivLoss(reduction="batchmean"), torch.full((N, K), 1 / K)),
        (net(), lambda o, y: (o[:, None] - y[None]).square().mean(), labels),  # all pairs, by hand
    ],
)
def test_silent_on_what_fits(model: Any, loss: Any, targets: Any) -> None:
    (outcome,) = outcomes(model, loss, targets)
    assert isinstance(outcome, Observation)


def test_edge_a_loss_inside_the_model_and_attention_over_one_step() -> None:
    class Inside(nn.Module):
        def __init__(self, wrong: bool) -> None:
            super().__init__()
            self.head = nn.Linear(8, K)
            self.wrong = wrong

        def forward(self, x: Any, labels: Any = None) -> Any:
            weights = torch.softmax(x.sum(1, keepdim=True), 1)  # over one unit, as attention over one step is
            logits = self.head(x * weights)
            scores = logits.softmax(1) if self.wrong else logits
            return {"logits": logits} | ({} if labels is None else {"loss": functional.cross_entropy(scores, labels)})

    batch = {"x": torch.randn(N, 8), "labels": classes}
    for wrong in (True, False):
        (outcome,) = loss_input_mismatch(call_pass(open_case(Training(model=Inside(wrong), batch=batch))))
        assert isinstance(outcome, Finding) is wrong


def test_edge_one_pass_is_enough() -> None:
    model, loss, targets = CASES["logits into nll"]
    case = open_case(Training(model=model, loss=loss, batch=(torch.randn(N, 8), targets)))
    call_pass(case)
    assert (case.counter.forward, case.counter.backward) == (1, 1)

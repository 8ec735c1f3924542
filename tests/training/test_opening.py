"""What a user may hand over: handled, or refused with what to do."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from dataguard.core.errors import ConfigurationError, DataguardError, NothingToCheckError  # noqa: E402
from dataguard.training import Training  # noqa: E402
from dataguard.training.case import ProbeSettings, TrainingCase  # noqa: E402
from dataguard.training.data import Batch  # noqa: E402
from dataguard.training.losses import LossKind  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402
from dataguard.training.subject import as_training  # noqa: E402

X, Y = torch.randn(30, 6, generator=torch.Generator().manual_seed(0)), torch.arange(30) % 3


def opened(model: Any, loss: Any = None, batch: Any = (X, Y), **others: Any) -> TrainingCase:
    return open_case(Training(model=model, loss=loss, batch=batch, **others))


def loss_of(case: TrainingCase) -> float:
    copy = case.copy()
    return float(copy.loss(copy.forward(case.first), case.first).detach())


class Returning(nn.Module):
    """A linear layer whose outputs are packed in some way."""

    def __init__(self, pack: Any) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)
        self.pack = pack

    def forward(self, x: Any, labels: Any = None) -> Any:
        return self.pack(self.head(x), labels)


Made: Any = namedtuple("Made", "model loss loader")  # noqa: PYI024
Outputs = namedtuple("Outputs", "hidden logits")  # noqa: PYI024


@pytest.mark.parametrize(
    ("pack", "place"),
    [
        (lambda o, _: {"logits": o}, "logits"),
        (lambda o, _: {"hidden": o.exp(), "logits": o}, "logits"),
        (lambda o, _: (o, o.exp()), 0),
        (lambda o, _: Outputs(o.exp(), o), "logits"),
    ],
)
def test_models_that_return_dicts_and_tuples(pack: Any, place: str | int) -> None:
    case = opened(Returning(pack), nn.CrossEntropyLoss())
    assert case.calls.output == place
    assert loss_of(case) == pytest.approx(1.1, abs=0.6)
    assert case.task.n_classes == 3


def test_a_loss_inside_the_output_is_recognized_by_its_value() -> None:
    def pack(outputs: Any, labels: Any) -> Any:
        return {"logits": outputs} | ({} if labels is None else {"loss": functional.cross_entropy(outputs, labels)})

    case = opened(Returning(pack), batch={"x": X, "labels": Y})
    assert case.calls.loss == "inside"
    assert case.loss_form.kind is LossKind.CROSS_ENTROPY
    assert "values" in case.loss_form.origin


def test_no_loss_anywhere_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"no loss was given.*\n.*hint: give a loss"):
        opened(nn.Linear(6, 3))


def test_losses_of_more_than_two_arguments() -> None:
    def with_inputs(outputs: Any, targets: Any, inputs: Any) -> Any:
        return functional.cross_entropy(outputs, targets) + 0 * inputs.sum()

    def with_model(outputs: Any, targets: Any, *, model: Any) -> Any:
        return functional.cross_entropy(outputs, targets) + 0 * model.weight.sum()

    for loss in (with_inputs, with_model):
        assert loss_of(opened(nn.Linear(6, 3), loss)) > 0.5
    triplet = nn.TripletMarginLoss()
    model = Returning(lambda o, _: (o, o + 1, o - 1))
    case = opened(model, triplet, batch=(X,))
    assert case.calls.loss == "spread outputs"
    lengths = torch.full((30,), 5)
    steps = nn.CTCLoss()
    case = opened(
        lambda: nn.Linear(6, 4),
        steps,
        batch=(torch.randn(5, 30, 6), (torch.randint(1, 4, (30, 2)), lengths, torch.full((30,), 2))),
        batch_dim=1,
        forward=lambda model, x: model(x).log_softmax(-1),
    )
    assert case.calls.loss == "spread targets"


def test_a_loss_whose_arguments_cannot_be_told_apart_is_refused() -> None:
    def loss(one: Any, two: Any, three: Any, four: Any) -> Any:
        return one.sum()

    with pytest.raises(ConfigurationError, match=r"takes 4 arguments \(one, two, three, four\)") as refused:
        opened(Returning(lambda o, _: (o, o, o)), loss)
    assert "lambda outputs, targets" in (refused.value.hint or "")


@pytest.mark.parametrize(
    "batch",
    [
        {"x": X, "labels": Y},
        {"features": X, "target": Y},
        [X, Y],
        (X.numpy().astype(np.float64), Y.numpy()),
    ],
)
def test_batches_in_many_forms(batch: Any) -> None:
    model: Any = Returning(lambda o, _: o)
    if isinstance(batch, dict) and "features" in batch:
        model = nn.Sequential(nn.Linear(6, 3))
        case = opened(model, nn.CrossEntropyLoss(), batch, inputs="features", targets="target")
    else:
        case = opened(model, nn.CrossEntropyLoss(), batch)
    assert case.first.size == 20
    assert loss_of(case) > 0


def test_samples_along_another_dimension() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.GRU(6, 8), nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.body(x)[0][-1])

    case = opened(Last(), nn.CrossEntropyLoss(), (torch.randn(7, 30, 6), Y), batch_dim=1)
    assert case.first.size == 20
    assert tuple(case.first.take([0, 3]).inputs.shape) == (7, 2, 6)


def test_a_loader_that_is_used_up_and_one_that_is_empty() -> None:
    gone = iter([(X, Y)])
    next(gone)
    with pytest.raises(NothingToCheckError, match="an iterator, and used up"):
        open_case(Training(model=nn.Linear(6, 3), loss=nn.CrossEntropyLoss(), loader=gone))
    with pytest.raises(NothingToCheckError, match="gave no batch"):
        open_case(Training(model=nn.Linear(6, 3), loss=nn.CrossEntropyLoss(), loader=[]))


def test_a_model_too_large_for_a_copy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataguard.training.copies._free", lambda device: 100)
    with pytest.raises(DataguardError, match=r"too large to be copied.*hint: probe a smaller configuration|too large"):
        opened(nn.Linear(6, 3), nn.CrossEntropyLoss())


def test_a_model_that_cannot_be_copied_is_refused_and_its_factory_is_not() -> None:
    class Held(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(6, 3)
            self.last = self.head(torch.zeros(1, 6))

        def forward(self, x: Any) -> Any:
            return self.head(x)

    with pytest.raises(ConfigurationError, match="cannot be copied") as refused:
        opened(Held(), nn.CrossEntropyLoss())
    assert "function that makes the model" in (refused.value.hint or "")
    assert opened(lambda: nn.Linear(6, 3), nn.CrossEntropyLoss()).task.n_classes == 3


def test_an_unknown_device_and_one_that_is_not_there() -> None:
    training = Training(model=nn.Linear(6, 3), loss=nn.CrossEntropyLoss(), batch=(X, Y))
    with pytest.raises(ConfigurationError, match="unknown device 'abacus'"):
        open_case(training, ProbeSettings(device="abacus"))
    n = torch.cuda.device_count() if torch.cuda.is_available() else 0
    with pytest.raises(ConfigurationError, match="torch sees"):
        open_case(training, ProbeSettings(device=f"cuda:{n}"))


def test_lazy_layers_are_made_on_the_copy_alone() -> None:
    model: Any = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(3))
    case: Any = opened(model, nn.CrossEntropyLoss())
    assert isinstance(model[0].weight, nn.parameter.UninitializedParameter)
    assert tuple(case.template[0].weight.shape) == (8, 6)
    assert loss_of(case) > 0


def test_wrappers_are_taken_off() -> None:
    model = nn.Linear(6, 3)
    averaged = torch.optim.swa_utils.AveragedModel(model)
    case = opened(averaged, nn.CrossEntropyLoss())
    assert type(case.original) is nn.Linear
    assert "AveragedModel" in case.notes[0]


def test_a_failing_model_is_told_with_the_users_line() -> None:
    class Wrong(nn.Module):
        def forward(self, x: Any) -> Any:
            return x @ torch.zeros(5, 3)

    with pytest.raises(ConfigurationError, match=r"model: it failed on the first batch") as refused:
        opened(Wrong(), nn.CrossEntropyLoss())
    assert "test_opening.py" in str(refused.value)
    assert "x @ torch.zeros(5, 3)" in str(refused.value)


def test_what_a_function_may_return() -> None:
    model, loss = nn.Linear(6, 3), nn.CrossEntropyLoss()
    for value in (
        (model, loss, [(X, Y)]),
        (model, loss, [(X, Y)], torch.optim.SGD(model.parameters(), 0.1)),
        {"model": model, "loss": loss, "batch": (X, Y)},
        Training(model=model, loss=loss, batch=(X, Y)),
        Made(model, loss, [(X, Y)]),
    ):
        assert as_training(value, where="train.py:make").model is model


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"modle": 1}, "did you mean 'model'"),
        ({"loss": 1, "batch": 2}, "there is no model"),
        ({"model": 1}, "no data to try the model on"),
        ((1, 2), "returned 2 things"),
        (7, "returned int"),
        ({"model": 1, "batch": 1, "task": "clasification"}, "did you mean 'classification'"),
    ],
)
def test_what_it_may_not(value: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        as_training(value, where="train.py:make")


def test_the_users_optimizer_is_made_again_for_a_copy() -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    groups = [{"params": model[0].parameters(), "lr": 0.01}, {"params": model[2].weight, "weight_decay": 0.1}]
    given = torch.optim.AdamW(groups, lr=0.2)
    case = opened(model, nn.CrossEntropyLoss(), optimizer=given)
    copy = case.copy()
    made = copy.optimizer()
    assert type(made) is torch.optim.AdamW
    assert [group["lr"] for group in made.param_groups] == [0.01, 0.2]
    assert made.param_groups[1]["weight_decay"] == 0.1
    own = {id(parameter) for parameter in copy.model.parameters()}
    assert all(id(parameter) in own for group in made.param_groups for parameter in group["params"])
    assert case.unoptimized == {"2.bias"}
    other = torch.optim.SGD(nn.Linear(2, 2).parameters(), 0.1)
    with pytest.raises(ConfigurationError, match="holds no parameter of the model"):
        opened(model, nn.CrossEntropyLoss(), optimizer=other).copy().optimizer()


def test_a_layer_is_found_at_the_line_that_makes_it() -> None:
    case = opened(Returning(lambda o, _: o), nn.CrossEntropyLoss())
    location = case.location("head", "is slow")
    assert location.path is not None
    assert location.path.endswith("test_opening.py")
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert "self.head = nn.Linear(6, 3)" in lines[(location.line or 0) - 1]
    assert location.note == "head (Linear): is slow"


def test_blank_inputs_tell_no_samples_apart() -> None:
    batch = Batch(
        inputs={
            "ids": torch.arange(12).reshape(4, 3),
            "attention_mask": torch.eye(4)[:, :3],
            "x": X[:4],
            "temperature": 2.0,
        },
        targets=Y[:4],
        size=4,
    )
    blank = batch.zeroed().inputs
    assert all(torch.equal(blank[key], blank[key][:1].expand_as(blank[key])) for key in ("ids", "attention_mask", "x"))
    assert not blank["x"].any()
    assert torch.equal(blank["ids"][3], batch.inputs["ids"][0])
    assert blank["temperature"] == 2.0

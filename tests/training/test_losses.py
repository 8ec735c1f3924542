"""Which loss it is, its chance and its floor: against closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from dataguard.training import Training  # noqa: E402
from dataguard.training.case import TrainingCase  # noqa: E402
from dataguard.training.chance import Chance, chance_of  # noqa: E402
from dataguard.training.floors import floor_of  # noqa: E402
from dataguard.training.losses import LossKind  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402

X = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0] * 10 + [1] * 6 + [2] * 4)


def opened(loss: Any, targets: Any = Y, head: Any = None, **options: Any) -> TrainingCase:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 3), *([] if head is None else [head]))
    return open_case(Training(model=model, loss=loss, batch=(X, targets), **options))


def bounds(case: TrainingCase) -> tuple[Chance | None, Any]:
    copy = case.copy()
    with torch.no_grad():
        outputs = copy.forward(case.first)
    return chance_of(case, copy, outputs, case.first), floor_of(case, copy, outputs, case.first)


PRIORS = np.array([10, 6, 4]) / 20
ENTROPY = float(-(PRIORS * np.log(PRIORS)).sum())


@pytest.mark.parametrize(
    ("loss", "head"),
    [
        (nn.CrossEntropyLoss(), None),
        (functional.cross_entropy, None),
        (lambda o, t: 1 * functional.cross_entropy(o, t), None),
        (nn.NLLLoss(), nn.LogSoftmax(1)),
        (lambda o, t: 1 * functional.nll_loss(o, t), nn.LogSoftmax(1)),
    ],
)
def test_chance_of_classes_is_ln_k_and_the_entropy_of_the_priors(loss: Any, head: Any) -> None:
    case = opened(loss, head=head)
    chance, floor = bounds(case)
    assert chance is not None
    assert chance.uninformed == pytest.approx(math.log(3), abs=1e-5)
    assert chance.best_constant == pytest.approx(ENTROPY, abs=1e-5)
    assert chance.random > chance.uninformed
    assert floor.loss == pytest.approx(0, abs=1e-5)
    assert case.task.kind == "classification"
    assert case.task.n_classes == 3


@pytest.mark.parametrize("smoothing", [0.1, 0.3])
def test_smoothed_labels_have_a_floor(smoothing: float) -> None:
    share = np.full(3, smoothing / 3) + np.eye(3)[0] * (1 - smoothing)
    entropy = float(-(share * np.log(share)).sum())
    mixed = (1 - smoothing) * PRIORS + smoothing / 3
    for loss in (
        nn.CrossEntropyLoss(label_smoothing=smoothing),
        lambda o, t: functional.cross_entropy(o, t, label_smoothing=smoothing),
    ):
        case = opened(loss)
        assert case.loss_form.label_smoothing == pytest.approx(smoothing, abs=1e-3)
        chance, floor = bounds(case)
        assert floor.loss == pytest.approx(entropy, abs=1e-4)
        assert chance is not None
        assert chance.best_constant == pytest.approx(float(-(mixed * np.log(mixed)).sum()), abs=1e-4)


def test_class_weights_and_smoothing_together_have_the_floor_that_a_search_finds() -> None:
    loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2, 6]), label_smoothing=0.2)
    case = opened(loss)
    _, floor = bounds(case)
    free = torch.zeros(20, 3, requires_grad=True)
    optimizer = torch.optim.LBFGS([free], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimizer.zero_grad()
        value = loss(free, Y)
        value.backward()
        return value

    optimizer.step(closure)
    assert floor.loss == pytest.approx(float(loss(free, Y).detach()), abs=1e-4)


def test_chance_and_floor_of_numbers() -> None:
    targets = torch.randn(20, 3, generator=torch.Generator().manual_seed(1)) * 2 + 5
    chance, floor = bounds(opened(nn.MSELoss(), targets))
    assert chance is not None
    assert chance.uninformed == pytest.approx(float(targets.square().mean()), rel=1e-5)
    assert chance.best_constant == pytest.approx(float(targets.var(0, unbiased=False).mean()), rel=1e-5)
    assert floor.loss == 0
    chance, _ = bounds(opened(nn.L1Loss(), targets))
    assert chance is not None
    spread = (targets - targets.median(0).values).abs().mean()
    assert chance.best_constant == pytest.approx(float(spread), rel=1e-5)


@pytest.mark.parametrize("loss", [nn.BCEWithLogitsLoss(), nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 3, 9]))])
def test_the_best_constant_of_labels_is_below_any_other(loss: Any) -> None:
    targets = functional.one_hot(Y, 3).float()
    case = opened(loss, targets)
    chance, floor = bounds(case)
    assert case.task.kind == "multi-label"
    assert chance is not None
    generator = torch.Generator().manual_seed(2)
    tries = [float(loss((torch.randn(3, generator=generator) * 2).expand(20, 3), targets)) for _ in range(300)]
    assert chance.best_constant <= min(tries) + 1e-6
    assert min(tries) < chance.best_constant * 1.1
    assert floor.loss == pytest.approx(0, abs=1e-6)


def test_soft_labels_have_their_entropy_for_a_floor() -> None:
    soft = torch.full((20, 3), 0.25)
    _, floor = bounds(opened(nn.BCEWithLogitsLoss(), soft))
    assert floor.loss == pytest.approx(-(0.25 * math.log(0.25) + 0.75 * math.log(0.75)), abs=1e-5)


def test_a_loss_is_recognized_through_a_penalty_and_a_factor() -> None:
    case = opened(lambda o, t: functional.cross_entropy(o, t) + 0.7)
    assert case.loss_form.kind is LossKind.CROSS_ENTROPY
    assert case.loss_form.penalty == pytest.approx(0.7, abs=1e-4)
    assert bounds(case)[1].loss == pytest.approx(0.7, abs=1e-4)
    case = opened(lambda o, t: 4 * functional.mse_loss(o, t), torch.randn(20, 3))
    assert case.loss_form.kind is LossKind.SQUARED
    assert case.loss_form.scale == pytest.approx(4, rel=1e-3)


def test_the_floor_of_a_loss_of_ones_own_is_searched_for() -> None:
    def margin(outputs: Any, targets: Any) -> Any:
        wanted = outputs.gather(1, targets[:, None])
        return functional.relu(1 + outputs - wanted).mean()

    case = opened(margin)
    assert case.loss_form.kind is LossKind.OTHER
    _, floor = bounds(case)
    assert floor.how == "outputs varied freely"
    assert floor.loss == pytest.approx(1 / 3, abs=0.02)
    assert bounds(opened(lambda o, t: -(o * o.abs()).gather(1, t[:, None]).mean()))[1] is None


@pytest.mark.parametrize(
    ("targets", "loss", "kind"),
    [
        (Y.float(), nn.BCEWithLogitsLoss(), "binary"),
        (X, nn.MSELoss(), "reconstruction"),
        (torch.randn(20, 3), nn.SmoothL1Loss(), "regression"),
    ],
)
def test_the_task_is_told_from_loss_and_targets(targets: Any, loss: Any, kind: str) -> None:
    torch.manual_seed(0)
    width = 1 if targets.ndim == 1 else targets.shape[1]
    head = [nn.Flatten(0)] if targets.ndim == 1 else []
    model = nn.Sequential(nn.Linear(6, width), *head)
    targets = (targets > 0.5).float() if kind == "binary" else targets
    assert open_case(Training(model=model, loss=loss, batch=(X, targets))).task.kind == kind


def test_a_class_for_each_step_is_a_sequence() -> None:
    ids = torch.randint(0, 5, (12, 7))
    model = nn.Sequential(nn.Embedding(5, 8), nn.Linear(8, 5))

    def loss(outputs: Any, targets: Any) -> Any:
        return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())

    case = open_case(Training(model=model, loss=loss, batch=(ids, ids)))
    assert (case.task.kind, case.task.class_axis, case.task.n_classes) == ("sequence", 2, 5)
    chance, floor = bounds(case)
    assert chance is not None
    assert chance.uninformed == pytest.approx(math.log(5), abs=1e-5)
    assert floor.loss == pytest.approx(0, abs=1e-5)

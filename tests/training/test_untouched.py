"""Nothing of the user's is changed by a probe, whatever happens in it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from dataguard.config import Config  # noqa: E402
from dataguard.core.finding import Confidence, Outcome, Severity  # noqa: E402
from dataguard.core.report import Status  # noqa: E402
from dataguard.core.rule import rule  # noqa: E402
from dataguard.engine import probe_training, run  # noqa: E402
from dataguard.training import Training  # noqa: E402
from dataguard.training.case import TrainingCase  # noqa: E402
from dataguard.training.guard import untouched  # noqa: E402
from dataguard.training.opening import open_case  # noqa: E402

pytestmark = pytest.mark.slow


def everything(model: Any, optimizer: Any = None) -> list[Any]:
    """All states that a probe could change, in comparable form."""
    state: list[Any] = [
        random.getstate(),
        repr(np.random.get_state(legacy=False)["state"]["key"].tobytes()),
        torch.get_rng_state().numpy().tobytes(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(),
        [module.training for module in model.modules()],
        [len(module._forward_hooks) + len(module._backward_hooks) for module in model.modules()],
    ]
    for parameter in model.parameters():
        gradient = parameter.grad
        state += [
            id(parameter),
            parameter.requires_grad,
            parameter.detach().numpy().tobytes(),
            None if gradient is None else (id(gradient), gradient.numpy().tobytes()),
        ]
    state += [buffer.numpy().tobytes() for buffer in model.buffers()]
    if optimizer is not None:
        state.append(repr(optimizer.state_dict()))
    return state


def used(model: Any, data: list[Any]) -> Any:
    """The model after a step of training, with gradients, a frozen layer and mixed modes."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    torch.nn.functional.cross_entropy(model(data[0][0]), data[0][1]).backward()
    optimizer.step()
    model[0].bias.requires_grad_(False)
    model[1].eval()
    return optimizer


def test_a_probe_leaves_model_optimizer_and_random_states_bit_identical(model: Any, data: list[Any]) -> None:
    optimizer = used(model, data)
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    before = everything(model, optimizer)
    report = probe_training(Training(model=model, loss=torch.nn.CrossEntropyLoss(), loader=data, optimizer=optimizer))
    assert report.count(Status.CRASHED) == 0
    assert everything(model, optimizer) == before


def test_a_loss_that_refers_to_the_users_own_model_adds_nothing_to_it(model: Any, data: list[Any]) -> None:
    used(model, data)

    def loss(outputs: Any, targets: Any) -> Any:
        model(data[1][0])
        penalty = sum(parameter.square().sum() for parameter in model.parameters())
        return torch.nn.functional.cross_entropy(outputs, targets) + 1e-3 * penalty

    before = everything(model)
    probe_training(Training(model=model, loss=loss, loader=data), select=["DG702"])
    assert everything(model) == before


@rule("DG799", "raises", Severity.ERROR)
def raises(case: TrainingCase) -> Iterator[Outcome]:
    with case.sandbox():
        copy = case.copy()
        copy.backward(copy.loss(copy.forward(case.first), case.first))
        torch.set_grad_enabled(False)
        torch.manual_seed(123)
        random.seed(123)
        case.original.eval()
        yield raises.finding("seen", remedy="none", confidence=Confidence.HIGH, key=(str(1 // len([])),))


def test_also_where_a_rule_raises(model: Any, data: list[Any]) -> None:
    used(model, data)
    case = open_case(Training(model=model, loss=torch.nn.CrossEntropyLoss(), loader=data))
    before = everything(model)
    report = run(Config(base=Path.cwd()), [raises], use_cache=False, given=(case,))
    assert report.count(Status.CRASHED) == 1
    assert everything(model) == before


def test_a_loaders_own_generator_is_set_back(model: Any, data: list[Any]) -> None:
    x, y = torch.cat([x for x, _ in data]), torch.cat([y for _, y in data])
    generator = torch.Generator().manual_seed(3)
    dataset = torch.utils.data.TensorDataset(x, y)
    loader = torch.utils.data.DataLoader(dataset, 24, shuffle=True, generator=generator)
    before = generator.get_state()
    open_case(Training(model=model, loss=torch.nn.CrossEntropyLoss(), loader=loader))
    assert torch.equal(generator.get_state(), before)


def test_the_guard_seeds_inside_and_restores_after_an_error() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)

    def draw(seed: int) -> Any:
        with untouched(seed=seed):
            return torch.rand(3), np.random.rand(), random.random()

    first, again, other = draw(7), draw(7), draw(8)
    assert torch.equal(first[0], again[0])
    assert first[1:] == again[1:]
    assert not torch.equal(first[0], other[0])
    with pytest.raises(KeyError), untouched(seed=9):
        {}[torch.rand(3).sum()]
    assert torch.equal(torch.rand(3), expected)


def test_the_same_seed_gives_the_same_evidence_in_any_order(model: Any, data: list[Any]) -> None:
    from dataguard.training.passes import first_pass
    from dataguard.training.steps import short_training

    def case() -> TrainingCase:
        return open_case(Training(model=model, loss=torch.nn.CrossEntropyLoss(), loader=data))

    one, two = case(), case()
    first, short = first_pass(one), short_training(one)
    torch.rand(17)
    short_first = short_training(two)
    assert np.array_equal(short.losses, short_first.losses)
    assert np.array_equal(short.updates, short_first.updates)
    assert first.loss == first_pass(two).loss

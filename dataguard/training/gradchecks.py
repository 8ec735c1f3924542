"""Whether what the user's own layers and loss give as gradient is their derivative, in double precision."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataguard.core.users_code import shortened_error
from dataguard.training.case import TrainingCase
from dataguard.training.guard import seed_torch
from dataguard.training.structure import changed, tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

DIRECTIONS = 3
"""Directions in which inputs and parameters are moved, and sums that outputs are taken in."""
SAMPLES = 4
LIMIT = 24
"""The most layers that are checked, one of each class first."""
TRIES = (
    (0.0, 1e-6, 1e-3),
    (0.01, 1e-6, 1e-3),
    (0.3, 1e-6, 1e-3),
    (0.5, 1e-6, 1e-3),
    (0.3, 1e-4, 1e-2),
    (0.5, 1e-3, 3e-2),
)
"""How far from the batch (of the spread of inputs and weights), steps and relative tolerances: torch's own at four
points, for kinks, then larger ones for what computes in float32."""
LEAST = 3
"""At how many of these gradient and derivative have to be there and to differ."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A layer or the loss, with what its gradient is."""

    name: str
    """Of the layer, '' for the model; 'loss' for the loss."""
    kind: str
    is_loss: bool
    agrees: bool | None
    """None where it could not be checked."""
    deviation: float
    """The greatest difference of gradient and derivative, as a share of the greater of the two."""
    missing: bool
    """Whether no gradient at all comes through where there is a derivative."""
    tries: int
    reason: str = ""
    """Why it could not be checked."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GradientChecks:
    """The user's own layers and loss, each checked, the innermost first."""

    case: TrainingCase
    checked: tuple[Checked, ...]
    samples: int
    """How many samples were given."""
    declared: tuple[str, ...]
    """What is declared not to have the derivative as its gradient, and was left out."""


def gradient_checks(case: TrainingCase) -> GradientChecks:
    """Make a `GradientChecks`. Layers of torch's own are not asked; those that hold a wrong one are not, either."""
    import torch

    batch = case.first.take(range(min(SAMPLES, case.first.size)))
    found: list[Checked] = []
    declared = case.training.surrogate
    with case.sandbox():
        model_copy = case.copy().eval()
        model = model_copy.model
        given: dict[str, tuple[Any, Any]] = {}
        own = [(name, module) for name, module in model.named_modules() if _is_own(type(module))]
        handles = [module.register_forward_pre_hook(_taker(given, name), with_kwargs=True) for name, module in own]
        try:
            with torch.no_grad():
                outputs = model_copy.forward(batch)
                predictions = model_copy.prediction(outputs).detach()
        except Exception as error:  # noqa: BLE001 - a user's model may refuse a small batch
            reason = f"the model fails on {batch.size} samples: {shortened_error(error)}"
            failed = Checked(
                name="", kind=type(model).__name__, is_loss=False, agrees=None, deviation=0.0, missing=False, tries=0,
                reason=reason,
            )  # fmt: skip
            return GradientChecks(case=case, checked=(failed,), samples=batch.size, declared=declared)
        finally:
            for handle in handles:
                handle.remove()
        model.double()
        if isinstance(model_copy.criterion, torch.nn.Module):
            model_copy.criterion.double()
        wrong: list[str] = []
        for name, module in _ordered(own):
            holds = any(name == "" or other.startswith(f"{name}.") for other in (*wrong, *_declared_in(declared, name)))
            if name not in given or holds or any(name.startswith(prefix) for prefix in declared if prefix):
                continue
            arguments, named = given[name]
            one = _check(_layer(module, arguments, named), name, type(module).__name__, is_loss=False)
            found.append(one)
            if one.agrees is False:
                wrong.append(name or "model")
        if _own_loss(case) and "loss" not in declared:
            targets = changed(batch.targets, _doubled)
            whole = changed(outputs, _doubled)
            batch = type(batch)(
                inputs=batch.inputs, targets=targets, size=batch.size, number=batch.number, axis=batch.axis
            )

            def loss(moved: list[Tensor]) -> list[Tensor]:
                value = model_copy.loss_of(moved[0], whole, batch)
                return [] if value is None else [value]

            name = getattr(case.training.loss, "__name__", type(case.training.loss).__name__)
            found.append(_check((loss, [predictions.double()]), "loss", name, is_loss=True))
    return GradientChecks(case=case, checked=tuple(found), samples=batch.size, declared=declared)


def _check(
    asked: tuple[Callable[[list[Tensor]], list[Tensor]], list[Tensor]], name: str, kind: str, *, is_loss: bool
) -> Checked:
    """Compare gradient and derivative, at other points and by larger steps where they differ."""
    import torch

    function, start = asked
    deviation, missing, reason = 0.0, False, ""
    agrees: bool | None = None
    tries = 0
    generator = torch.Generator().manual_seed(0)
    for aside, step, relative in TRIES:
        try:
            point = [item + (aside * _spread(item) * _noise(item, generator)) for item in start]
            result = _compare(function, point, step, relative, generator)
        except Exception as error:  # noqa: BLE001 - what does not run in double precision is not checked
            reason = reason or f"it does not run in double precision: {shortened_error(error)}"
            continue
        if result is None:
            reason = reason or "its outputs do not depend on numbers that have a gradient"
            continue
        ok, off, none = result
        tries += 1
        if ok:
            return Checked(
                name=name, kind=kind, is_loss=is_loss, agrees=True, deviation=off, missing=False, tries=tries
            )
        agrees, deviation, missing = False, off if deviation == 0 else min(deviation, off), none
    if agrees is False and tries < LEAST:
        agrees, reason = None, reason or "it could be run at too few points"
    return Checked(
        name=name,
        kind=kind,
        is_loss=is_loss,
        agrees=agrees,
        deviation=deviation,
        missing=missing,
        tries=tries,
        reason=reason if agrees is None else "",
    )


def _compare(
    function: Callable[[list[Tensor]], list[Tensor]],
    point: list[Tensor],
    step: float,
    relative: float,
    generator: Any,
) -> tuple[bool, float, bool] | None:
    """Whether `torch.autograd.gradcheck` passes in a few random directions, how far off, and whether nothing comes.

    Checking sums of outputs in directions of inputs costs as many runs as there are directions, and not as there are
    numbers; that is what gradcheck's fast mode does, tensor by tensor.
    """
    import torch

    directions = [[_noise(item, generator) for item in point] for _ in range(DIRECTIONS)]
    weights: list[list[Tensor]] = [[] for _ in range(DIRECTIONS)]

    def moved(lengths: Tensor) -> Tensor:
        seed_torch(0)
        places = []
        for number, item in enumerate(point):
            place = item
            for at in range(DIRECTIONS):
                place = place + lengths[at] * directions[at][number]
            places.append(place)
        outputs = [item for item in function(places) if item.is_floating_point()]
        if not weights[0]:
            for row in weights:
                row.extend(_noise(item, generator).to(item.dtype) for item in outputs)
        return torch.stack(
            [sum((part * item).sum() for part, item in zip(row, outputs, strict=True)) for row in weights]  # type: ignore[misc]
        ).double()

    start = torch.zeros(DIRECTIONS, dtype=torch.float64, device=point[0].device, requires_grad=True)
    value = moved(start)
    analytic = torch.zeros(DIRECTIONS, DIRECTIONS, dtype=torch.float64, device=point[0].device)
    if value.requires_grad:
        for at in range(DIRECTIONS):
            (row,) = torch.autograd.grad(value[at], start, retain_graph=True, allow_unused=True)
            if row is not None:
                analytic[at] = row
    numeric = torch.zeros_like(analytic)
    with torch.no_grad():
        for at in range(DIRECTIONS):
            forth = torch.zeros_like(start)
            forth[at] = step
            numeric[:, at] = (moved(forth) - moved(-forth)) / (2 * step)
    size = float(torch.maximum(analytic.abs().max(), numeric.abs().max()))
    if size == 0:
        return None
    if not torch.isfinite(analytic).all() or not torch.isfinite(numeric).all():
        return None
    off = float((analytic - numeric).abs().max()) / size
    if not value.requires_grad:
        return False, off, True
    passes = torch.autograd.gradcheck(
        lambda lengths: moved(lengths) / size, (start,), eps=step, atol=relative / 10, rtol=relative,
        raise_exception=False, nondet_tol=relative,
    )  # fmt: skip
    return bool(passes), off, bool(analytic.abs().max() == 0)


def _layer(
    module: nn.Module, arguments: Any, named: Any
) -> tuple[Callable[[list[Tensor]], list[Tensor]], list[Tensor]]:
    """A layer as a function of its floating-point inputs and of its parameters."""
    import torch

    inputs = changed((arguments, named), _doubled)
    moving = [item for _, item in tensors(inputs) if item.is_floating_point()]
    parameters = {name: item.detach() for name, item in module.named_parameters() if item.requires_grad}
    buffers = {name: item.detach() for name, item in module.named_buffers()}

    def called(moved: list[Tensor]) -> list[Tensor]:
        left = list(moved)
        placed = changed(
            inputs, lambda item: left.pop(0) if isinstance(item, torch.Tensor) and item.is_floating_point() else item
        )
        held = {**{name: item.clone() for name, item in buffers.items()}, **dict(zip(parameters, left, strict=True))}
        outputs = torch.func.functional_call(module, held, placed[0], placed[1])
        return [item for _, item in tensors(outputs)]

    return called, [*moving, *parameters.values()]


def _taker(given: dict[str, tuple[Any, Any]], name: str) -> Any:
    import torch

    def take(_: nn.Module, arguments: Any, named: Any) -> None:
        if name not in given:
            given[name] = changed(
                (tuple(arguments), dict(named)),
                lambda item: item.detach().clone() if isinstance(item, torch.Tensor) else copy.copy(item),
            )

    return take


def _doubled(item: Any) -> Any:
    import torch

    return item.detach().double() if isinstance(item, torch.Tensor) and item.is_floating_point() else item


def _noise(item: Tensor, generator: Any) -> Tensor:
    import torch

    return torch.randn(item.shape, generator=generator, dtype=torch.float64).to(item.device)


def _spread(item: Tensor) -> float:
    return float(item.std()) if item.numel() > 1 else float(item.abs().max())


def _is_own(kind: type) -> bool:
    """Whether a class is neither torch's nor another library's."""
    if kind.__module__.split(".")[0] == "torch":
        return False
    try:
        path = inspect.getsourcefile(kind) or ""
    except (OSError, TypeError):
        # Written at a prompt or in a notebook's cell.
        return kind.__module__ == "__main__"
    return "site-packages" not in path


def _own_loss(case: TrainingCase) -> bool:
    loss = case.training.loss
    if loss is None:
        return False
    module = getattr(loss, "__module__", None) or type(loss).__module__
    return str(module).split(".")[0] != "torch"


def _ordered(own: list[tuple[str, nn.Module]]) -> Iterator[tuple[str, nn.Module]]:
    """The innermost first, one of each class before further ones, the model last; at most `LIMIT`."""
    inner = sorted((item for item in own if item[0]), key=lambda item: -item[0].count("."))
    seen: set[type] = set()
    first: list[tuple[str, nn.Module]] = []
    more: list[tuple[str, nn.Module]] = []
    for item in inner:
        (more if type(item[1]) in seen else first).append(item)
        seen.add(type(item[1]))
    chosen = [*first, *more][:LIMIT]
    yield from sorted(chosen, key=lambda item: -item[0].count("."))
    yield from (item for item in own if not item[0])


def _declared_in(declared: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Declared layers, for those that hold them."""
    return tuple(item for item in declared if item != "loss" and (not name or item.startswith(f"{name}.")))

"""What pulls at weights: the data, or penalties and weight decay."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError
from dataguard.core.finding import Inconclusive, Skipped
from dataguard.core.users_code import shortened_error
from dataguard.training.case import ModelCopy, TrainingCase
from dataguard.training.data import Batch
from dataguard.training.steps import STEPS

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

DECOUPLED = ("AdamW", "Adamax_W", "NAdamW", "Lion")
"""Optimizers that take weight decay apart from the gradient."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pull:
    """Norms of gradients of all that trains, at one moment."""

    step: int
    data: float
    """Of the data's loss."""
    penalty: float
    """Of the regularizer, and of what in the loss depends on weights but not through outputs."""
    decay: float
    """Of weight decay: the gradient λw; apart from the gradient, as AdamW takes it, what it moves weights by as a share
    of what the data move them by, times the data's gradient."""
    together: float
    """Of penalty and decay together."""
    loss: float
    """The data's."""

    @property
    def ratio(self) -> float:
        """Penalty and decay together, against the data."""
        return self.together / self.data if self.data > 0 else math.inf if self.together > 0 else 0.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PenaltyBalance:
    """Penalties against the data, before the first and after the last step of a short training."""

    case: TrainingCase
    first: Pull
    last: Pull
    layer: str
    """Of the parameter that penalties pull at the most before training."""
    decay: tuple[float, ...]
    """Weight decay of each group of the optimizer."""


def penalty_balance(case: TrainingCase) -> PenaltyBalance | Skipped | Inconclusive:
    """Make a `PenaltyBalance`.

    Raises:
        ConfigurationError: model, loss or optimizer fail.
    """
    with case.sandbox():
        copy = case.copy()
        optimizer = copy.optimizer()
        decay = tuple(float(group.get("weight_decay", 0.0) or 0.0) for group in optimizer.param_groups)
        named = copy.parameters()
        if not named:
            return Skipped(reason="no parameter trains")
        try:
            first, pulls = _pull(case, copy, optimizer, case.first, 0)
            if first.together == 0:
                return Skipped(reason="there is no penalty and no weight decay")
            for step in range(STEPS):
                batch = case.batches[step % len(case.batches)]
                optimizer.zero_grad()
                loss = copy.loss(copy.forward(batch), batch)
                if not math.isfinite(float(loss.detach())):
                    return Inconclusive(reason=f"the loss is {float(loss.detach())} at step {step}")
                copy.backward(loss)
                optimizer.step()
            last, _ = _pull(case, copy, optimizer, case.first, STEPS)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ConfigurationError(f"training fails: {shortened_error(error)}", where=case.target) from error
        name = max(pulls, key=lambda item: pulls[item])
        return PenaltyBalance(case=case, first=first, last=last, layer=name.rpartition(".")[0], decay=decay)


def _pull(
    case: TrainingCase, copy: ModelCopy, optimizer: Optimizer, batch: Batch, step: int
) -> tuple[Pull, dict[str, float]]:
    """The norms, and of each parameter that of its penalties."""
    import torch

    named = copy.parameters()
    parameters: list[Tensor] = [item for _, item in named]
    outputs = copy.forward(batch)
    # What reaches weights with the outputs held fast is a penalty inside the loss.
    direct = _gradients(_held(case, copy, outputs, batch), parameters)
    data = copy.loss(outputs, batch, regularized=False)
    whole = _gradients(data, parameters)
    case.counter.backward += 1
    if copy.regularizer is not None:
        extra = _gradients(copy.regularizer(copy.model), parameters)
    else:
        extra = [torch.zeros_like(item) for item in parameters]
    penalty = [one + other for one, other in zip(direct, extra, strict=True)]
    of_data = [one - other for one, other in zip(whole, direct, strict=True)]
    size = _norm(of_data)
    decays = _decays(optimizer, parameters, size)
    together = [one + other for one, other in zip(penalty, decays, strict=True)]
    pull = Pull(
        step=step,
        data=size,
        penalty=_norm(penalty),
        decay=_norm(decays),
        together=_norm(together),
        loss=float(data.detach()),
    )
    return pull, {name: _norm([item]) for (name, _), item in zip(named, together, strict=True)}


def _held(case: TrainingCase, copy: ModelCopy, outputs: Any, batch: Batch) -> Tensor | None:
    """The loss with outputs that carry no gradient; None where the loss is inside the model."""
    import torch

    from dataguard.training.structure import changed

    if case.calls.loss == "inside":
        return None
    still = changed(outputs, lambda item: item.detach() if isinstance(item, torch.Tensor) else item)
    return copy.loss(still, batch, regularized=False)


def _gradients(loss: Tensor | None, parameters: list[Tensor]) -> list[Tensor]:
    import torch

    if loss is None or not loss.requires_grad:
        return [torch.zeros_like(item) for item in parameters]
    found = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
    return [
        torch.zeros_like(item) if gradient is None else gradient.to_dense() if gradient.is_sparse else gradient
        for item, gradient in zip(parameters, found, strict=True)
    ]


def _decays(optimizer: Optimizer, parameters: list[Tensor], size: float) -> list[Tensor]:
    """Weight decay as a gradient, one a parameter."""
    import torch

    places = {id(item): at for at, item in enumerate(parameters)}
    found = [torch.zeros_like(item) for item in parameters]
    apart = type(optimizer).__name__ in DECOUPLED
    n = sum(item.numel() for item in parameters)
    for group in optimizer.param_groups:
        decay = float(group.get("weight_decay", 0.0) or 0.0)
        own = apart or bool(group.get("decoupled_weight_decay", False))
        for item in group["params"]:
            if decay and id(item) in places:
                # Adam's step is about the learning rate in every number, so that its norm is lr·√n: decay moves by
                # lr·λ·w, and that is λ·|w|/√n of it.
                scale = decay * size / math.sqrt(n) if own else decay
                found[places[id(item)]] = scale * item.detach()
    return found


def _norm(items: list[Tensor]) -> float:
    import torch

    return math.sqrt(sum(float(torch.linalg.vector_norm(item.detach().float())) ** 2 for item in items))

"""A model under test: as many copies of it as probes want, called as it wants to be called, on the batches fetched."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError
from dataguard.core.finding import Location
from dataguard.core.users_code import shortened_error
from dataguard.training.calling import Calls, call_loss, call_model, prediction, with_prediction
from dataguard.training.copies import copied
from dataguard.training.data import Batch
from dataguard.training.guard import generators_of, untouched
from dataguard.training.losses import LossForm
from dataguard.training.places import Places
from dataguard.training.subject import Training
from dataguard.training.tasks import Task

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeSettings:
    """What decides what a probe does, beside the model."""

    seed: int = 0
    """Of every generator, anew for each kind of evidence."""
    device: str = "auto"
    """'cpu', 'cuda', 'cuda:1', …, or 'auto': where the model is."""
    budget: float = 120.0
    """Seconds after which no further training run is begun."""
    batches: int = 16
    """The most batches that are fetched."""
    samples: int = 1024
    """The number of samples after which no further batch is fetched."""


@dataclass(slots=True)
class _Counter:
    forward: int = 0
    backward: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ModelCopy:
    """A copy of the user's model with its loss, free to be trained, broken and thrown away."""

    model: nn.Module
    criterion: Any
    regularizer: Any
    case: TrainingCase

    def forward(self, batch: Batch) -> Any:
        """The model's whole output, in the mode that it is in."""
        case = self.case
        case.counter.forward += 1
        with case.precision():
            return call_model(
                case.calls, self.model, batch.inputs, batch.targets, case.training.forward, case.target_key
            )

    def prediction(self, outputs: Any) -> Tensor:
        """The predictions in an output: logits, values."""
        return prediction(outputs, self.case.calls.output)

    def loss(self, outputs: Any, batch: Batch, *, regularized: bool = True) -> Tensor:
        """The loss as training follows it: one number, shape ()."""
        further = {"model": self.model, "inputs": batch.inputs, "batch": batch}
        with self.case.precision():
            found = call_loss(self.case.calls, self.criterion, outputs, batch.targets, further)
            if regularized and self.regularizer is not None:
                found = found + self.regularizer(self.model)
        return found

    def loss_of(self, predictions: Tensor, outputs: Any, batch: Batch) -> Tensor | None:
        """The loss of other predictions in the same output; None where the loss is inside the model."""
        if self.case.calls.loss == "inside":
            return None
        return self.loss(with_prediction(outputs, self.case.calls.output, predictions), batch, regularized=False)

    def backward(self, loss: Tensor) -> None:
        """Fill the gradients; counted."""
        self.case.counter.backward += 1
        loss.backward()  # type: ignore[no-untyped-call]

    def train(self) -> ModelCopy:
        """Put it in train mode; layers that the user's model keeps in eval mode, as frozen batch norm, stay."""
        for copied_module, mode in zip(self.model.modules(), self.case.modes, strict=False):
            copied_module.training = mode
        if not any(self.case.modes):
            self.model.train()
        return self

    def eval(self) -> ModelCopy:
        """Put it in eval mode."""
        self.model.eval()
        return self

    def optimizer(self) -> Optimizer:
        """The user's optimizer on this copy, with the same settings and no state; Adam at 1e-3 where there is none."""
        return self.case.optimizer_on(self)

    def parameters(self) -> list[tuple[str, nn.Parameter]]:
        """Parameters with gradients, by name."""
        return [(name, item) for name, item in self.model.named_parameters() if item.requires_grad]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingCase:
    """A user's model, its loss and its batches, ready to be probed; made by `open_case`."""

    training: Training
    """As the user gave it."""
    settings: ProbeSettings
    target: str
    """What it is called, as ``train.py:make``."""
    device: str
    """Where copies are: 'cpu', 'cuda:0'."""
    template: nn.Module
    """The first copy, never trained; its lazy layers are made."""
    original: nn.Module
    """The user's own model, unwrapped. Nothing may run it."""
    modes: tuple[bool, ...]
    """Of the user's model's modules, whether each trains, in the order of ``modules()``."""
    calls: Calls
    """How model and loss are called."""
    target_key: str | None
    """Under which key the model wants targets, where the loss is inside it."""
    batches: tuple[Batch, ...]
    """To train on, at least one."""
    held_out: tuple[Batch, ...]
    """Not to train on; may be empty."""
    held_out_origin: str
    """Where they are from, or why there are none."""
    loss_form: LossForm
    task: Task
    places: Places
    notes: tuple[str, ...] = ()
    """What was taken for what, and what was unwrapped."""
    counter: _Counter = field(default_factory=_Counter)
    """How often models were run."""
    started: float = field(default_factory=time.monotonic)

    def copy(self) -> ModelCopy:
        """A fresh copy: the same weights and buffers, in the user's modes, without gradients."""
        model, criterion, regularizer = copied((self.template, self.training.loss, self.training.regularizer))
        return ModelCopy(model, criterion, regularizer, self).train()

    @contextlib.contextmanager
    def sandbox(self, salt: int = 0) -> Iterator[None]:
        """Seeded alike every time, and nothing of the user's is changed when it ends, however it ends.

        Whatever makes evidence runs inside, so that evidence does not depend on what was made before it.
        """
        import torch

        owned = (self.original, self.template, self.training.model, self.training.loss)
        generators = (*generators_of(self.training.loader), *generators_of(self.training.held_out))
        with untouched(*owned, seed=self.settings.seed + salt, generators=generators), torch.enable_grad():
            yield

    @contextlib.contextmanager
    def on_first_batch(self) -> Iterator[None]:
        """Name what the user's model, loss and backward pass raise.

        Raises:
            ConfigurationError: they fail.
        """
        try:
            yield
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ConfigurationError(
                f"training fails on the first batch: {shortened_error(error)}", where=self.target
            ) from error

    @contextlib.contextmanager
    def precision(self) -> Iterator[None]:
        """Mixed precision, where training runs in it."""
        import torch

        if self.training.autocast is None:
            yield
            return
        kind = torch.device(self.device).type
        with torch.autocast(kind, dtype=getattr(torch, self.training.autocast)):
            yield

    @property
    def first(self) -> Batch:
        """The first batch."""
        return self.batches[0]

    @property
    def n_samples(self) -> int:
        """How many samples there are to train on."""
        return sum(batch.size for batch in self.batches)

    def remaining(self) -> float:
        """Seconds of the budget that are left."""
        return self.settings.budget - (time.monotonic() - self.started)

    def location(self, name: str, note: str = "") -> Location:
        """A layer or a parameter of the model, by name: the line that makes it, as far as that can be told."""
        return self.places.location(name, note)

    def loss_location(self, note: str = "") -> Location:
        """The line that defines the loss."""
        return self.places.of_object(self.training.loss, note or "the loss")

    @cached_property
    def frozen(self) -> frozenset[str]:
        """Parameters that are not meant to be trained: without ``requires_grad``, or declared."""
        declared = self.training.freeze
        return frozenset(
            name
            for name, item in self.template.named_parameters()
            if not item.requires_grad or any(name.startswith(prefix) for prefix in declared)
        )

    @cached_property
    def unoptimized(self) -> frozenset[str]:
        """Parameters with gradients that the user's optimizer does not hold; empty where it is no optimizer."""
        held = _held_by(self.training.optimizer)
        if held is None:
            return frozenset()
        return frozenset(
            name for name, item in self.original.named_parameters() if item.requires_grad and id(item) not in held
        )

    def optimizer_on(self, copy: ModelCopy) -> Optimizer:
        """See `ModelCopy.optimizer`."""
        from dataguard.training.optimizers import optimizer_on

        return optimizer_on(self, copy)

    def chosen(self, index: Sequence[int], batch: int = 0) -> Batch:
        """Some samples of a batch."""
        return self.batches[batch].take(index)


def _held_by(optimizer: Any) -> set[int] | None:
    groups = getattr(optimizer, "param_groups", None)
    return None if groups is None else {id(item) for group in groups for item in group["params"]}

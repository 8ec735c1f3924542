"""What a user hands over to be probed: a model, its loss, and data to try them on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from dataguard.core.errors import ConfigurationError, did_you_mean

TASKS = (
    "classification",
    "binary",
    "multi-label",
    "regression",
    "reconstruction",
    "sequence",
    "other",
)
"""What a model can be told to learn."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Training:
    """A model with all that it is trained with. Nothing of it is changed: probes work on copies.

    A function that ``dataguard probe-training`` is told of returns one, or a dict with the same keys, or a tuple
    ``(model, loss, loader)`` or ``(model, loss, loader, optimizer)``.

    >>> Training(model="a module", loss="a function", loader="a loader").task is None
    True
    """

    model: Any
    """A ``torch.nn.Module``, or a function without arguments that makes one."""
    loss: Any = None
    """A function of ``(outputs, targets)`` that returns one number; None where the model's output holds it as ``loss``.
    It may name ``model``, ``inputs`` or ``batch`` as further parameters, and is then given them."""
    loader: Any = None
    """What feeds the training loop: batches one after the other."""
    batch: Any = None
    """One batch, where there is no loader."""
    held_out: Any = None
    """Batches that the model does not train on; by default the last third of those that the loader gives."""
    optimizer: Any = None
    """An optimizer of the model's parameters, or a function of parameters that makes one."""
    metric: Any = None
    """What is reported of the model: a function of ``(outputs, targets)``, or its name."""
    forward: Any = None
    """A function of ``(model, inputs)`` or ``(model, inputs, targets)`` that returns the outputs, where calling the
    model takes more than its inputs."""
    regularizer: Any = None
    """A function of the model that returns a penalty, which is added to the loss."""
    inputs: str | int | tuple[str, ...] | None = None
    """Where the inputs are in a batch: a key, an index, or several keys; by default told from its form."""
    targets: str | int | tuple[str, ...] | None = None
    """Where the targets are, likewise."""
    output: str | int | None = None
    """Where the predictions are in what the model returns; by default told from its form."""
    batch_dim: int = 0
    """The dimension along which samples are stacked."""
    task: str | None = None
    """One of `TASKS`; by default told from the loss and the targets."""
    n_classes: int | None = None
    """How many classes there are; by default told from the outputs."""
    padding: float | None = None
    """The value, as 0, that fills sequences up, and that must not matter."""
    mask: str | None = None
    """The key of the inputs that says which steps count, as ``attention_mask``."""
    causal: bool = False
    """Whether an output may depend on its own and earlier time steps alone."""
    time_dim: int = 1
    """The dimension of time, where there is one."""
    pretrained: bool = False
    """Whether the weights are trained already, so that the model need not start at chance."""
    freeze: tuple[str, ...] = ()
    """Beginnings of names of parameters that are not meant to be trained."""
    cross_sample: bool = False
    """Whether samples of a batch are meant to influence each other, as in a contrastive loss."""
    stochastic_eval: bool = False
    """Whether outputs are meant to be random in eval mode, as in Monte-Carlo dropout."""
    autocast: str | None = None
    """'bfloat16' or 'float16', where training runs in mixed precision."""
    clip: float | None = None
    """The norm that gradients are clipped to, where they are."""
    chance: float | None = None
    """The loss of a model that knows nothing, where it cannot be derived from the loss."""
    floor: float | None = None
    """The least loss that can be reached, likewise."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the report should say of how it is trained."""
    surrogate: tuple[str, ...] = ()
    """Beginnings of names of layers whose gradient is not meant to be the derivative, as straight-through or reversed
    ones; 'loss' for the loss."""


_TUPLE = ("model", "loss", "loader", "optimizer")


def as_training(value: Any, *, where: str) -> Training:
    """What a user's function returned, as a `Training`.

    Args:
        value: A `Training`, a dict, a tuple, or an object with such attributes.
        where: What returned it, for errors.

    Raises:
        ConfigurationError: it is none of these, or an unknown key is among them.
    """
    if isinstance(value, Training):
        return value
    known = [item.name for item in fields(Training)]
    if isinstance(value, Mapping):
        for key in value:
            if key not in known:
                raise ConfigurationError(
                    f"unknown key {key!r} of what is trained", where=where, hint=did_you_mean(str(key), known)
                )
        return _checked(dict(value), where)
    if isinstance(value, tuple) and (names := getattr(value, "_fields", None)) is not None:
        return as_training({key: getattr(value, key) for key in names}, where=where)
    if isinstance(value, tuple | list):
        if not 3 <= len(value) <= len(_TUPLE):
            raise ConfigurationError(
                f"returned {len(value)} things; expected (model, loss, loader) or (model, loss, loader, optimizer)",
                where=where,
                hint="return a dataguard.training.Training, whose fields have names",
            )
        return _checked(dict(zip(_TUPLE, value, strict=False)), where)
    if hasattr(value, "model") and not callable(getattr(value, "forward", None)):
        return _checked({name: getattr(value, name) for name in known if hasattr(value, name)}, where)
    raise ConfigurationError(
        f"returned {type(value).__name__}, from which model, loss and data cannot be told",
        where=where,
        hint="return (model, loss, loader), a dict with these keys, or a dataguard.training.Training",
    )


def _checked(values: dict[str, Any], where: str) -> Training:
    if values.get("model") is None:
        raise ConfigurationError("there is no model", where=where, hint="return it as 'model'")
    batch = values.get("batch")
    if values.get("loader") is None and batch is None:
        raise ConfigurationError(
            "there are no data to try the model on", where=where, hint="return a loader, or one batch as 'batch'"
        )
    if values.get("task") is not None and values["task"] not in TASKS:
        raise ConfigurationError(
            f"unknown task {values['task']!r}", where=where, hint=did_you_mean(str(values["task"]), TASKS)
        )
    return Training(**values)

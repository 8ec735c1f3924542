"""How a user's model and loss want to be called, told from their signatures and by trying once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError
from dataguard.core.users_code import shortened_error
from dataguard.training.structure import form, tensors

if TYPE_CHECKING:
    from torch import Tensor

PREDICTION_KEYS = (
    "logits",
    "predictions",
    "prediction",
    "preds",
    "pred",
    "output",
    "outputs",
    "out",
    "scores",
    "y_hat",
)
"""Under what keys of a model's output its predictions are looked for."""
LOSS_KEYS = ("loss", "total_loss")
_FURTHER = ("model", "inputs", "batch")


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    """How model and loss are called, and where the predictions are."""

    model: str
    """'one', 'several' (positional), 'named' (by keyword), 'with targets' (by keyword), or 'forward'."""
    loss: str
    """'both', 'prediction' (of the output only the predictions), 'outputs' (no targets), 'spread outputs', 'spread
    targets', or 'inside' the model's output."""
    further: tuple[str, ...] = ()
    """What else the loss is given, by name: of 'model', 'inputs', 'batch'."""
    output: str | int | None = None
    """Where the predictions are in the output; None where they are all of it."""


def call_model(how: Calls, model: Any, inputs: Any, targets: Any, forward: Any, target_key: str | None) -> Any:
    """The model's output."""
    if how.model == "forward":
        return forward(model, inputs)
    if how.model == "forward with targets":
        return forward(model, inputs, targets)
    if how.model == "named":
        return model(**inputs)
    if how.model == "with targets":
        return model(**inputs, **{target_key or "labels": targets})
    return model(*inputs) if how.model == "several" else model(inputs)


def call_loss(how: Calls, loss: Any, outputs: Any, targets: Any, further: Mapping[str, Any]) -> Tensor:
    """The loss as one number.

    Raises:
        ConfigurationError: it is no number.
    """
    if how.loss == "inside":
        return as_number(outputs)
    given = {name: further[name] for name in how.further}
    if how.loss == "outputs":
        return as_number(loss(outputs, **given))
    if how.loss == "spread outputs":
        return as_number(loss(*_values(outputs), **given))
    if how.loss == "spread targets":
        return as_number(loss(outputs, *_values(targets), **given))
    return as_number(loss(prediction(outputs, how.output) if how.loss == "prediction" else outputs, targets, **given))


def as_number(value: Any) -> Tensor:
    """A loss of one number out of what a loss returned: a tensor, or a tuple or dict that holds it.

    Raises:
        ConfigurationError: there is none.
    """
    import torch

    found = value
    if not isinstance(found, torch.Tensor):
        found = next((found_key for key in LOSS_KEYS if (found_key := _lookup(value, key)) is not None), None)
    if found is None and isinstance(value, tuple | list) and value:
        found = value[0]
    if not isinstance(found, torch.Tensor):
        raise ConfigurationError(
            f"the loss is {form(value)}, no tensor", where="loss", hint="return a tensor of one number"
        )
    # Several GPUs give a loss each, and `reduction="none"` one a sample: its mean is what training follows.
    return found if found.ndim == 0 else found.mean()


def prediction(outputs: Any, where: str | int | None) -> Tensor:
    """The predictions in a model's output.

    Raises:
        ConfigurationError: there is no tensor there.
    """
    import torch

    found = outputs if where is None else _lookup(outputs, where)
    if not isinstance(found, torch.Tensor):
        place = "the model's output" if where is None else f"{where!r} of the model's output"
        raise ConfigurationError(
            f"{place} is {form(found)}, no tensor",
            where="output",
            hint="say with 'output' under which key or index the predictions are",
        )
    return found


def with_prediction(outputs: Any, where: str | int | None, value: Tensor) -> Any:
    """The same output with other predictions."""
    if where is None:
        return value
    if isinstance(outputs, Mapping):
        return {**outputs, where: value}
    if hasattr(outputs, "_fields"):
        return outputs._replace(**{outputs._fields[where] if isinstance(where, int) else where: value})
    items = list(outputs)
    items[int(where)] = value
    return type(outputs)(items)


def prediction_place(outputs: Any, named: str | int | None) -> str | int | None:
    """Where the predictions are: as named, under a usual key, or else the first tensor with a dimension."""
    import torch

    if named is not None or isinstance(outputs, torch.Tensor):
        return named
    keys = list(outputs) if isinstance(outputs, Mapping) else list(getattr(outputs, "_fields", ()))
    for key in PREDICTION_KEYS:
        if key in keys and isinstance(_lookup(outputs, key), torch.Tensor):
            return key
    candidates: list[Any] = keys or list(range(len(outputs)) if isinstance(outputs, tuple | list) else [])
    for place in candidates:
        item = _lookup(outputs, place)
        if place not in LOSS_KEYS and isinstance(item, torch.Tensor) and item.ndim > 0 and item.is_floating_point():
            return place  # type: ignore[no-any-return]
    return None


def model_calls(model: Any, inputs: Any, forward: Any) -> list[str]:
    """The ways to call a model on these inputs, likeliest first."""
    if forward is not None:
        return ["forward with targets"] if len(_positional(forward)) > 2 else ["forward"]
    names = _positional(getattr(model, "forward", model))
    if isinstance(inputs, Mapping):
        keyed = set(map(str, inputs)) & set(names) or _takes_any_key(getattr(model, "forward", model))
        return ["named", "one"] if keyed else ["one", "named"]
    if isinstance(inputs, tuple | list) and not hasattr(inputs, "_fields"):
        required = [name for name in names if name not in _optional(getattr(model, "forward", model))]
        # Module containers take whatever comes, and say so by having no parameters of their own.
        several = len(names) >= len(inputs) > 1 or len(required) > 1 or (not names and len(inputs) > 1)
        return ["several", "one"] if several or len(inputs) == 1 else ["one", "several"]
    return ["one"]


def loss_calls(loss: Any, outputs: Any, targets: Any, output: str | int | None) -> list[Calls]:
    """The ways to call a loss on these outputs, likeliest first; those that only fit by chance are left out.

    Raises:
        ConfigurationError: it takes more than can be told apart.
    """
    called = getattr(loss, "forward", loss) if hasattr(loss, "parameters") else loss
    names = _positional(called)
    further = tuple(name for at, name in enumerate(names) if name in _FURTHER and (at > 1 or name == "model"))
    further += tuple(name for name in _keyword_only(called) if name in _FURTHER)
    n_required = len([name for name in names if name not in _optional(called) and name not in further])
    made: list[str] = []
    n_outputs = len(_values(outputs)) if _is_several(outputs) else 1
    n_targets = len(_values(targets)) if _is_several(targets) else 1
    if n_required == 1 and len(names) - len(further) == 1:
        made = ["outputs"]
    elif n_required <= 2:
        made = ["both", *(["prediction"] if output is not None else [])]
        if targets is None:
            made = ["outputs", "spread outputs"] if n_outputs > 1 else ["outputs", "both"]
    elif n_required == n_outputs and targets is None:
        made = ["spread outputs"]
    elif n_required == 1 + n_targets and n_targets > 1:
        made = ["spread targets"]
    else:
        raise ConfigurationError(
            f"the loss takes {n_required} arguments ({', '.join(names)}); which of the model's {n_outputs} outputs "
            f"and {n_targets} targets each of them is cannot be told",
            where="loss",
            hint="give a function of (outputs, targets) that calls it, as "
            f"lambda outputs, targets: {getattr(loss, '__name__', 'loss')}(outputs[0], targets, *outputs[1:])",
        )
    return [Calls(model="", loss=name, further=further, output=output) for name in made]


def tried(calls: list[Callable[[], Any]], what: str, given: str) -> tuple[int, Any]:
    """The first of several calls that works, and what it gave.

    Raises:
        ConfigurationError: none does; it names the user's line of the first failure.
    """
    failures: list[Exception] = []
    for at, call in enumerate(calls):
        try:
            return at, call()
        except ConfigurationError as error:
            failures.append(error)
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            failures.append(error)
    first = failures[0]
    if isinstance(first, ConfigurationError):
        raise first
    raise ConfigurationError(
        f"it failed on the first batch, {given}: {shortened_error(first)}",
        where=what,
        hint="call it so once by hand; 'inputs', 'targets', 'forward' and 'output' say where things are",
    ) from first


def _lookup(value: Any, key: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(key)
    if isinstance(key, str):
        return getattr(value, key, None)
    return value[key] if isinstance(value, tuple | list) and -len(value) <= key < len(value) else None


def _values(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, tuple | list) else [value]


def _is_several(value: Any) -> bool:
    return isinstance(value, Mapping | tuple | list) and len(tensors(value)) > 1


def _signature(function: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _positional(function: Any) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [item.name for item in _signature(function) if item.kind in kinds]


def _optional(function: Any) -> set[str]:
    return {item.name for item in _signature(function) if item.default is not inspect.Parameter.empty}


def _keyword_only(function: Any) -> list[str]:
    return [item.name for item in _signature(function) if item.kind is inspect.Parameter.KEYWORD_ONLY]


def _takes_any_key(function: Any) -> bool:
    return any(item.kind is inspect.Parameter.VAR_KEYWORD for item in _signature(function))

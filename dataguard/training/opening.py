"""Make a `TrainingCase` of what a user hands over: fetch batches, copy the model, find out how it is called."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError, DataguardError
from dataguard.core.users_code import users_code
from dataguard.training.calling import (
    Calls,
    as_number,
    call_loss,
    call_model,
    loss_calls,
    model_calls,
    prediction,
    prediction_place,
    tried,
    with_prediction,
)
from dataguard.training.case import ProbeSettings, TrainingCase
from dataguard.training.copies import check_size, copied, unwrapped
from dataguard.training.data import Batch, as_batch, fetched
from dataguard.training.guard import generators_of, untouched
from dataguard.training.losses import form_by_value, named_form
from dataguard.training.places import Places
from dataguard.training.structure import form
from dataguard.training.subject import Training
from dataguard.training.tasks import told_task

if TYPE_CHECKING:
    from torch import Tensor, nn

HELD_OUT = 1 / 3
"""The share of the fetched batches that is held out where nothing else is."""
LEAST_SPLIT = 24
"""The size of a single batch from which a third of its samples is held out."""


def require_torch() -> None:
    """Say how to install torch where it is missing.

    Raises:
        DataguardError: it is.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise DataguardError(
            "training probes need torch, which is not installed", hint="pip install 'dataguard[torch]'"
        ) from error


def open_case(
    training: Training,
    settings: ProbeSettings | None = None,
    *,
    target: str = "training",
    root: Path | None = None,
    made_by: Callable[..., Any] | None = None,
) -> TrainingCase:
    """Fetch batches, copy the model and run it once, so that probes know how.

    Args:
        training: What the user hands over; nothing of it is changed.
        settings: Seed, device, budget.
        target: What it is called, for errors and the report.
        root: What paths of locations are relative to; the current folder by default.
        made_by: The user's function that returned it.

    Raises:
        DataguardError: torch is missing, the device is, or the model is too large.
        ConfigurationError: model or loss fail on the first batch, or cannot be told how to be called.
        NothingToCheckError: there is no batch.
    """
    require_torch()
    import torch

    settings = settings or ProbeSettings()
    owned = (training.model, training.loss)
    generators = (*generators_of(training.loader), *generators_of(training.held_out))
    with untouched(*owned, seed=settings.seed, generators=generators):
        given = training.model
        if not isinstance(given, torch.nn.Module):
            if not callable(given):
                raise ConfigurationError(
                    f"the model is {type(given).__name__}", where=target, hint="give a torch.nn.Module"
                )
            with users_code(target, "the function that makes the model failed"):
                given = given()
            if not isinstance(given, torch.nn.Module):
                raise ConfigurationError(
                    f"the function that makes the model returned {type(given).__name__}",
                    where=target,
                    hint="return a torch.nn.Module",
                )
        original, notes = unwrapped(given)
        device = _device(original, settings.device)
        check_size(original, device)
        batches, held_out, origin, key = _data(training, settings, device, target)
        (template, criterion) = copied((original, training.loss))
        template.to(device)
        if isinstance(criterion, torch.nn.Module):
            criterion.to(device)
        return _opened(
            training,
            settings,
            target,
            device,
            template,
            criterion,
            original,
            batches,
            held_out,
            origin,
            key,
            Places(model=template, root=root or Path.cwd(), made_by=made_by),
            notes,
        )


def _opened(
    training: Training,
    settings: ProbeSettings,
    target: str,
    device: str,
    template: nn.Module,
    criterion: Any,
    original: nn.Module,
    batches: list[Batch],
    held_out: list[Batch],
    origin: str,
    key: str | None,
    places: Places,
    notes: list[str],
) -> TrainingCase:
    import torch

    first = batches[0]
    modes = tuple(module.training for module in original.modules())
    # A lazy layer is made by the first run, and batch norm must not take note of it: eval mode.
    template.eval()
    precision = getattr(torch, training.autocast) if training.autocast else None
    with torch.no_grad(), torch.autocast(torch.device(device).type, dtype=precision, enabled=precision is not None):
        ways = model_calls(template, first.inputs, training.forward)
        if training.loss is None:
            ways = ["forward with targets", "forward"] if training.forward else ["with targets", *ways]
        runs = [_run_of(way, template, first, training.forward, key) for way in ways]
        at, outputs = tried(runs, f"{target}: model", f"whose inputs are {form(first.inputs)}")
        place = prediction_place(outputs, training.output)
        if training.loss is None:
            calls = Calls(model=ways[at], loss="inside", output=place)
            as_number(_with_loss(outputs, target))
            value: Callable[[Tensor], Tensor | None] = _inside(outputs)
        else:
            options = loss_calls(criterion, outputs, first.targets, place)
            further = {"model": template, "inputs": first.inputs, "batch": first}
            losses = [_loss_of(option, criterion, outputs, first.targets, further) for option in options]
            given = f"with outputs {form(outputs)} and targets {form(first.targets)}"
            found, _ = tried(losses, f"{target}: loss", given)
            calls = dataclasses.replace(options[found], model=ways[at])
            value = _asked(calls, criterion, outputs, first.targets, further)
        predictions = prediction(outputs, place) if place is not None or isinstance(outputs, torch.Tensor) else None
        loss_form = named_form(training.loss)
        if loss_form is None and predictions is not None:
            loss_form = form_by_value(predictions, first.targets, value)
    if loss_form is None or predictions is None:
        raise ConfigurationError(
            f"the model returns {form(outputs)}, in which no predictions can be told",
            where=f"{target}: model",
            hint="say with 'output' under which key or index they are",
        )
    task = told_task(loss_form, predictions, first.targets, first.inputs, training.task, training.n_classes)
    if place is not None:
        notes.append(f"of the model's output, {place!r} is taken for the predictions")
    template.train()
    for module, mode in zip(template.modules(), modes, strict=False):
        module.training = mode
    return TrainingCase(
        training=dataclasses.replace(training, loss=criterion),
        settings=settings,
        target=target,
        device=device,
        template=template,
        original=original,
        modes=modes,
        calls=calls,
        target_key=key or "labels",
        batches=tuple(batches),
        held_out=tuple(held_out),
        held_out_origin=origin,
        loss_form=loss_form,
        task=task,
        places=places,
        notes=tuple(notes),
    )


def _run_of(way: str, model: Any, batch: Batch, forward: Any, key: str | None) -> Callable[[], Any]:
    calls = Calls(model=way, loss="")
    return lambda: call_model(calls, model, batch.inputs, batch.targets, forward, key)


def _loss_of(calls: Calls, loss: Any, outputs: Any, targets: Any, further: dict[str, Any]) -> Callable[[], Tensor]:
    return lambda: call_loss(calls, loss, outputs, targets, further)


def _asked(
    calls: Calls, loss: Any, outputs: Any, targets: Any, further: dict[str, Any]
) -> Callable[[Tensor], Tensor | None]:
    def value(predictions: Tensor) -> Tensor | None:
        try:
            return call_loss(calls, loss, with_prediction(outputs, calls.output, predictions), targets, further)
        except Exception:  # noqa: BLE001 - a user's loss may refuse what no model of theirs would return
            return None

    return value


def _inside(outputs: Any) -> Callable[[Tensor], Tensor | None]:
    """The loss inside an output is known at the outputs themselves alone: they are asked for first."""
    left = [as_number(outputs)]

    def value(_: Tensor) -> Tensor | None:
        return left.pop() if left else None

    return value


def _with_loss(outputs: Any, target: str) -> Any:
    from dataguard.training.calling import LOSS_KEYS, _lookup

    if not any(_lookup(outputs, key) is not None for key in LOSS_KEYS):
        raise ConfigurationError(
            f"no loss was given, and the model's output, {form(outputs)}, holds none",
            where=target,
            hint="give a loss, or have the model return a dict with 'loss' and 'logits'",
        )
    return outputs


def _device(model: nn.Module, wanted: str) -> str:
    import torch

    if wanted == "auto":
        found = next((item.device for item in model.parameters() if not item.is_meta), torch.device("cpu"))
        return str(found)
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise ConfigurationError(f"unknown device {wanted!r}", where="device", hint="cpu, cuda or cuda:1") from error
    n = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= n:
        raise ConfigurationError(
            f"torch sees {n} GPUs" if n else "torch sees no GPU", where=f"device {wanted!r}", hint="use cpu"
        )
    return str(device)


def _data(
    training: Training, settings: ProbeSettings, device: str, target: str
) -> tuple[list[Batch], list[Batch], str, str | None]:
    keys: list[str | None] = []

    def made(raw: Any, number: int) -> Batch:
        batch, key = as_batch(
            raw,
            number=number,
            device=device,
            inputs=training.inputs,
            targets=training.targets,
            batch_dim=training.batch_dim,
            target=target,
        )
        keys.append(key)
        return batch

    if training.loader is not None:
        raws = fetched(training.loader, n_batches=settings.batches, n_samples=settings.samples, target=target)
    else:
        raws = [training.batch]
    batches = [made(raw, number) for number, raw in enumerate(raws)]
    if training.held_out is not None:
        others = fetched(
            training.held_out,
            n_batches=settings.batches,
            n_samples=settings.samples,
            target=target,
            what="the held-out loader",
        )
        return batches, [made(raw, number) for number, raw in enumerate(others)], "given", keys[0]
    n = int(len(batches) * HELD_OUT)
    if n:
        return batches[:-n], batches[-n:], f"the last {n} of {len(batches)} batches that were fetched", keys[0]
    only = batches[0]
    if only.size >= LEAST_SPLIT:
        cut = only.size - int(only.size * HELD_OUT)
        return (
            [only.take(range(cut))],
            [only.take(range(cut, only.size))],
            f"the last {only.size - cut} samples of the one batch",
            keys[0],
        )
    return batches, [], f"there are too few samples ({only.size})", keys[0]

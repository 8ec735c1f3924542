"""The batches that a model is tried on: fetched once, split into inputs and targets, moved to its device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataguard.core.errors import ConfigurationError, NothingToCheckError
from dataguard.core.users_code import users_code
from dataguard.training.structure import batch_axis, changed, form, on_device, taken, tensors

TARGET_KEYS = ("labels", "label", "targets", "target", "y")
"""Under what keys of a batch targets are looked for."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Batch:
    """Samples that a model is given at once."""

    inputs: Any
    """Whatever the model takes."""
    targets: Any
    """Whatever the loss holds the outputs against; None where there is nothing."""
    size: int
    """How many samples."""
    number: int = 0
    """Which of the loader's it is, from 0."""
    axis: int = 0
    """The dimension along which samples are stacked, where a tensor has one of that size there."""

    def take(self, index: Sequence[int]) -> Batch:
        """Some of its samples, in that order; a sample may be taken several times."""
        return Batch(
            inputs=taken(self.inputs, index, self.size, self.axis),
            targets=taken(self.targets, index, self.size, self.axis),
            size=len(index),
            number=self.number,
            axis=self.axis,
        )

    def with_targets_of(self, index: Sequence[int]) -> Batch:
        """The same inputs with the targets of other samples, as shuffled labels are."""
        targets = taken(self.targets, index, self.size, self.axis)
        return Batch(inputs=self.inputs, targets=targets, size=self.size, number=self.number, axis=self.axis)

    def with_inputs(self, inputs: Any) -> Batch:
        """The same targets with other inputs."""
        return Batch(inputs=inputs, targets=self.targets, size=self.size, number=self.number, axis=self.axis)

    def zeroed(self) -> Batch:
        """The same targets with inputs that are the same for all samples.

        They are zeros; and of what is no size (ids, masks, lengths) the first sample's, for lengths alone can tell
        samples apart.
        """
        return self.with_inputs(_alike(self.inputs, self.size, self.axis, named=""))


def _alike(inputs: Any, size: int, axis: int, *, named: str) -> Any:
    import torch

    if isinstance(inputs, Mapping):
        return {key: _alike(item, size, axis, named=str(key)) for key, item in inputs.items()}

    def made(item: Any) -> Any:
        place = batch_axis(item, size, axis) if isinstance(item, torch.Tensor) else None
        if place is None:
            return item
        if item.is_floating_point() and "mask" not in named and "length" not in named:
            return torch.zeros_like(item)
        return item.select(place, 0).unsqueeze(place).expand_as(item).contiguous()

    return changed(inputs, made)


def fetched(
    loader: Iterable[Any], *, n_batches: int, n_samples: int, target: str, what: str = "the loader"
) -> list[Any]:
    """The first batches of a loader, as it gives them.

    Raises:
        NothingToCheckError: it has none; an iterator that was used up before, for instance.
        ConfigurationError: it is no iterable, or fails.
    """
    if isinstance(loader, str) or (not hasattr(loader, "__iter__") and not hasattr(loader, "__getitem__")):
        raise ConfigurationError(
            f"{what} is {type(loader).__name__}, which cannot be gone through", where=target, hint="give a DataLoader"
        )
    found: list[Any] = []
    seen = 0
    with users_code(target, f"{what} failed after {len(found)} batches"):
        for batch in loader:
            found.append(batch)
            sizes = [tensor.shape[0] for _, tensor in tensors(batch) if tensor.ndim > 0]
            seen += max(sizes, default=1)
            if len(found) >= n_batches or seen >= n_samples:
                break
    if not found:
        used_up = " (it is an iterator, and used up)" if iter(loader) is loader else ""
        raise NothingToCheckError(
            f"{what} gave no batch{used_up}", where=target, hint="return a new loader, not one that was gone through"
        )
    return found


def as_batch(
    raw: Any,
    *,
    number: int,
    device: Any,
    inputs: str | int | tuple[str, ...] | None,
    targets: str | int | tuple[str, ...] | None,
    batch_dim: int,
    target: str,
) -> tuple[Batch, str | None]:
    """A loader's batch as inputs and targets on a device, and the key of the targets where they have one.

    Raises:
        ConfigurationError: which is which cannot be told, or a batch has no samples.
    """
    moved = on_device(raw, device)
    found, held, key = _split(moved, inputs, targets, target)
    size = _size(found, held, batch_dim, target, raw)
    return Batch(inputs=found, targets=held, size=size, number=number, axis=batch_dim), key


def _split(raw: Any, inputs: Any, targets: Any, where: str) -> tuple[Any, Any, str | None]:
    import torch

    if inputs is not None or targets is not None:
        held = None if targets is None else _chosen(raw, targets, "targets", where)
        key = targets if isinstance(targets, str) else None
        if inputs is not None:
            return _chosen(raw, inputs, "inputs", where), held, key
        return _rest(raw, targets), held, key
    if isinstance(raw, torch.Tensor):
        return raw, None, None
    if isinstance(raw, Mapping):
        keys = [name for name in TARGET_KEYS if name in raw]
        if keys:
            return {name: item for name, item in raw.items() if name != keys[0]}, raw[keys[0]], keys[0]
        return dict(raw), None, None
    if hasattr(raw, "_fields"):
        return _split({name: getattr(raw, name) for name in raw._fields}, None, None, where)
    if isinstance(raw, tuple | list):
        if len(raw) == 1:
            return raw[0], None, None
        if len(raw) == 2:
            return raw[0], raw[1], None
        return tuple(raw[:-1]), raw[-1], None
    if hasattr(raw, "data") and isinstance(getattr(raw, "data", None), Mapping):
        return _split(dict(raw.data), None, None, where)
    raise ConfigurationError(
        f"a batch is {type(raw).__name__}: which of it are inputs and targets cannot be told",
        where=where,
        hint="let the loader return (inputs, targets) or a dict, or set 'inputs' and 'targets'",
    )


def _chosen(raw: Any, key: Any, name: str, where: str) -> Any:
    if isinstance(key, tuple):
        return {item: _chosen(raw, item, name, where) for item in key}
    try:
        return raw[key]
    except (KeyError, IndexError, TypeError) as error:
        raise ConfigurationError(
            f"a batch has no {key!r}: it is {form(raw)}", where=f"{where}: {name}", hint="name a key or an index of it"
        ) from error


def _rest(raw: Any, targets: Any) -> Any:
    left_out = targets if isinstance(targets, tuple) else (targets,)
    if isinstance(raw, Mapping):
        rest = {key: item for key, item in raw.items() if key not in left_out}
        return next(iter(rest.values())) if len(rest) == 1 else rest
    items = tuple(item for at, item in enumerate(raw) if at not in left_out and at - len(raw) not in left_out)
    return items[0] if len(items) == 1 else items


def _size(inputs: Any, targets: Any, axis: int, where: str, raw: Any) -> int:
    size = None
    if isinstance(targets, list) and targets and isinstance(targets[0], Mapping):
        size = len(targets)
    for value in (targets, inputs):
        for _, tensor in tensors(value):
            if size is None and tensor.ndim > axis:
                size = int(tensor.shape[axis])
            elif size is None and tensor.ndim > 0 and axis and value is targets:
                size = int(tensor.shape[0])
    if size is None and isinstance(inputs, list):
        size = len(inputs)
    if not size:
        raise ConfigurationError(
            f"a batch has no samples that could be told apart: it is {form(raw)}",
            where=where,
            hint="give tensors whose first dimension (or 'batch_dim') is the samples",
        )
    return size

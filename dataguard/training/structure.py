"""Nested structures of tensors, as batches and outputs are: go through them, change them, take samples out of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in a structure that is no container, with where it is, as ``images`` or ``0.mask``."""
    for key, item in _items(value):
        yield from leaves(item, f"{path}.{key}" if path else str(key))
    if not _is_container(value):
        yield path, value


def tensors(value: Any) -> list[tuple[str, Tensor]]:
    """Every tensor of a structure, with where it is."""
    import torch

    return [(path, item) for path, item in leaves(value) if isinstance(item, torch.Tensor)]


def changed(value: Any, change: Callable[[Any], Any]) -> Any:
    """The same structure with every leaf changed."""
    if not _is_container(value):
        return change(value)
    return _rebuilt(value, [changed(item, change) for _, item in _items(value)])


def on_device(value: Any, device: Any) -> Any:
    """The same structure with every tensor and array as a tensor on a device; floats of arrays in torch's default."""
    import numpy as np
    import torch

    def moved(item: Any) -> Any:
        if isinstance(item, np.ndarray) and item.dtype.kind in "biuf":
            tensor = torch.as_tensor(item)
            item = tensor.to(torch.get_default_dtype()) if item.dtype == np.float64 else tensor
        return item.to(device) if hasattr(item, "to") and not isinstance(item, torch.nn.Module) else item

    return changed(value, moved)


def batch_axis(tensor: Tensor, size: int, preferred: int = 0) -> int | None:
    """The dimension of a tensor that samples are stacked along; None where it has none of that size."""
    shape = tuple(tensor.shape)
    if len(shape) > preferred and shape[preferred] == size:
        return preferred
    return next((axis for axis, length in enumerate(shape) if length == size), None)


def taken(value: Any, index: Sequence[int], size: int, preferred: int = 0) -> Any:
    """Some samples of a structure whose tensors hold `size`, in the order of `index`; what is no sample's stays."""
    import torch

    if isinstance(value, torch.Tensor):
        axis = batch_axis(value, size, preferred)
        if axis is None:
            return value
        found = value.index_select(axis, torch.as_tensor(list(index), dtype=torch.long, device=value.device))
        if value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last) and not value.is_contiguous():
            return found.contiguous(memory_format=torch.channels_last)
        return found
    if isinstance(value, list) and len(value) == size and not _holds_batches(value, size, preferred):
        return [value[at] for at in index]
    if _is_container(value):
        return _rebuilt(value, [taken(item, index, size, preferred) for _, item in _items(value)])
    return value


def form(value: Any) -> str:
    """A structure in words: ``{images: float32[8, 1, 28, 28], labels: int64[8]}``."""
    import torch

    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, Mapping) or dataclasses.is_dataclass(value):
        return "{" + ", ".join(f"{key}: {form(item)}" for key, item in _items(value)) + "}"
    if isinstance(value, tuple | list):
        shown = [form(item) for item in value[:4]] + (["…"] if len(value) > 4 else [])
        return "(" + ", ".join(shown) + ")"
    return type(value).__name__


def _holds_batches(value: list[Any], size: int, preferred: int) -> bool:
    return any(batch_axis(tensor, size, preferred) is not None for item in value for _, tensor in tensors(item))


def _is_container(value: Any) -> bool:
    if type(value).__name__ == "PackedSequence":
        return False
    is_record = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return isinstance(value, Mapping | list | tuple) or is_record


def _items(value: Any) -> list[tuple[Any, Any]]:
    if not _is_container(value):
        return []
    if isinstance(value, Mapping):
        return list(value.items())
    if dataclasses.is_dataclass(value):
        return [(item.name, getattr(value, item.name)) for item in dataclasses.fields(value)]
    if hasattr(value, "_fields"):
        return [(name, getattr(value, name)) for name in value._fields]
    return list(enumerate(value))


def _rebuilt(value: Any, items: list[Any]) -> Any:
    if isinstance(value, Mapping):
        return dict(zip(value, items, strict=True))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in dataclasses.fields(value)]
        return dataclasses.replace(value, **dict(zip(names, items, strict=True)))
    if hasattr(value, "_fields"):
        return type(value)(*items)
    return type(value)(items)

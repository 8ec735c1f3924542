"""What a value of a batch is: an array of any framework, a mapping of any kind, or a list of samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_array(value: Any) -> NDArray[Any] | None:
    """`value` as a numpy array on the CPU; None where it is no array.

    Takes numpy, torch (also on a GPU, with a gradient, sparse, bfloat16), TensorFlow, JAX, CuPy, pandas, PIL images,
    and whatever else has ``__array__`` or DLPack. Copies only where it must.
    """
    if isinstance(value, np.ndarray):
        return value
    if value is None or isinstance(value, str | bytes | bool | int | float | complex | Mapping | type):
        return None
    if isinstance(value, np.generic):
        return np.asarray(value)
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # torch
        value = value.detach()
        if getattr(value, "is_nested", False):
            return None
        if getattr(value, "is_sparse", False) or str(getattr(value, "layout", "torch.strided")) != "torch.strided":
            value = value.to_dense()
        value = value.cpu()
        if hasattr(value, "resolve_conj"):
            value = value.resolve_conj().resolve_neg()
        try:
            return np.asarray(value.numpy())
        except TypeError:  # bfloat16 and float8 are unknown to numpy
            return np.asarray(value.float().numpy())
    if not hasattr(value, "__array__") and not hasattr(value, "__array_interface__"):
        if hasattr(value, "__dlpack__"):
            try:
                return np.from_dlpack(value)
            except (TypeError, ValueError, RuntimeError, BufferError):
                return None
        return None
    if hasattr(value, "get") and hasattr(value, "__cuda_array_interface__"):  # cupy
        value = value.get()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return None
    return _standard(array)


def _standard(array: NDArray[Any]) -> NDArray[Any]:
    # ml_dtypes' bfloat16 and float8 are of kind V or f with names of their own, which reductions do not all take.
    if array.dtype.kind == "V" and array.dtype.names is None and "float" in array.dtype.name:
        return array.astype(np.float32)
    return array


def dtype_name(value: Any) -> str:
    """What a value calls its type, as ``bfloat16``; '' where it has none."""
    dtype = getattr(value, "dtype", "")
    name = str(getattr(dtype, "name", dtype))
    return name.rpartition(".")[2].strip("<>'\" ") if name else ""


def _is_named(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def as_mapping(value: Any) -> Mapping[str, Any] | None:
    """A mapping, named tuple or dataclass as a mapping with text for keys."""
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if _is_named(value):
        return {str(name): item for name, item in zip(value._fields, value, strict=True)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "keys") and hasattr(value, "__getitem__") and not hasattr(value, "__array__"):
        keys = value.keys() if callable(value.keys) else value.keys
        return {str(key): value[key] for key in keys}
    return None


def as_columns(batch: Any) -> tuple[Any, str]:
    """A list of samples as columns, with a note; everything else as it is."""
    if not isinstance(batch, list) or not batch:
        return batch, ""
    mappings = [as_mapping(item) for item in batch]
    if all(item is not None for item in mappings):
        rows = [item for item in mappings if item is not None]
        keys = [key for key in rows[0] if all(key in row for row in rows)]
        return {key: [row[key] for row in rows] for key in keys}, "batches are lists of samples"
    if all(isinstance(item, tuple) for item in batch) or all(_pair_of_sample(item) for item in batch):
        width = min(len(item) for item in batch)
        if width:
            return tuple([item[place] for item in batch] for place in range(width)), "batches are lists of samples"
    return batch, ""


def _pair_of_sample(item: Any) -> bool:
    """Whether a list looks like one sample: an array and a number or word."""
    return isinstance(item, list) and len(item) >= 2 and n_axes(item[0]) >= 1 and n_axes(item[1]) == 0


def n_axes(value: Any) -> int:
    """How many axes a value has: 0 for numbers and text, −1 where that is not to be told."""
    if isinstance(value, str | bytes | bool | int | float | np.generic):
        return 0
    ndim = getattr(value, "ndim", None)
    if isinstance(ndim, int):
        return ndim
    shape = getattr(value, "shape", None)
    if shape is not None:
        return len(shape)
    return 1 if isinstance(value, list | tuple) else -1

"""The short way to the inputs and labels of a batch, for those that are built like the first one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.batches.content import Content
from dataguard.batches.sketch import WHOLE_BYTES
from dataguard.batches.values import as_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_NESTING, MAX_ELEMENTS = 4, 16
"""How deep and how wide a batch is searched for the place of its inputs and labels."""


@dataclass(slots=True, eq=False)
class Route:
    """Where the main input and the labels are, and what they are."""

    batch_type: type
    inputs: tuple[Any, ...]
    """Keys and indices, from the batch inwards."""
    labels: tuple[Any, ...] | None
    """None for no labels."""
    input_type: Any
    is_torch: bool
    label_type: Any
    """Where it is torch's tensor on the CPU or numpy's array of one label a sample; else NoneType."""
    dtype: str
    """Of the input, where numpy has another one; else ''."""
    shared: bool
    """Whether it is torch's and lies in memory that a worker has written."""
    lean: bool
    """Whether it is torch's own tensor on the CPU and of more than `WHOLE_BYTES`."""
    fresh: bool
    """Whether every batch has memory of its own, which nothing writes to again, nor the training loop so far."""
    may_prove: bool = True
    """Whether labels that stay as they came may make it `fresh`; not once something has written to them."""

    def stale(self) -> None:
        """Something has written to a batch after it came."""
        self.fresh = self.may_prove = False

    def follow(self, batch: Any) -> tuple[Any, Any] | None:
        """The input and the labels of a batch; None where it is built otherwise."""
        if type(batch) is not self.batch_type:
            return None
        x: Any = batch
        y: Any = None
        try:
            for key in self.inputs:
                x = x[key]
            if self.labels is not None:
                y = batch
                for key in self.labels:
                    y = y[key]
        except (KeyError, IndexError, TypeError):
            return None
        return (x, y) if isinstance(x, self.input_type) else None


def find_route(batch: Any, content: Content, *, fresh: bool) -> Route | None:
    """Where the main input and the labels of this batch are in it; None where they are not there as they are.

    Args:
        batch: The batch.
        content: What was found in it.
        fresh: Whether the loader is known to make every batch in memory of its own.
    """
    if not content.inputs or not isinstance(content.inputs[0].rows, np.ndarray):
        return None
    places = list(_places(batch))
    main = next((path for path, item in places if _same(item, content.inputs[0].rows)), None)
    if main is None:
        return None
    label_place = None
    if content.labels is not None:
        label_place = next((path for path, item in places if path != main and _same(item, content.labels)), None)
        if label_place is None:
            return None
    x, labels = dict(places)[main], None if label_place is None else dict(places)[label_place]
    is_torch = hasattr(x, "is_cpu") and hasattr(x, "detach")
    # TensorFlow's and JAX's arrays on the CPU are read in place by numpy; bfloat16 would be copied.
    if not is_torch and (not hasattr(x, "__array__") or np.asarray(x).dtype != content.inputs[0].rows.dtype):
        return None
    shared = is_torch and is_here(x) and bool(x.is_shared())
    known = is_torch and not content.inputs[0].dtype
    return Route(
        batch_type=type(batch),
        inputs=main,
        labels=label_place,
        input_type=type(x),
        is_torch=is_torch,
        label_type=_label_type(labels),
        dtype=content.inputs[0].dtype if is_torch else "",
        shared=shared,
        lean=known and is_plain(x) and content.inputs[0].rows.nbytes > WHOLE_BYTES,
        fresh=shared or fresh,
    )


def is_plain(tensor: Any) -> bool:
    """Whether it is torch's own contiguous tensor on the CPU, and no subclass, whose memory may be elsewhere."""
    torch = sys.modules["torch"]
    own = type(tensor) is torch.Tensor and tensor.layout is torch.strided
    return own and is_here(tensor) and bool(tensor.is_contiguous())


def is_here(tensor: Any) -> bool:
    """Whether a tensor is where it can be read without waiting for another device."""
    return bool(tensor.is_cpu)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Everything in nested mappings and sequences, with its place."""
    if len(path) >= MAX_NESTING:
        return
    items: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list | tuple) and len(value) <= MAX_ELEMENTS:
        items = list(enumerate(value))
    for key, item in items:
        yield (*path, key), item
        yield from _places(item, (*path, key))


def _label_type(labels: Any) -> type:
    one_each: NDArray[Any] | None = as_array(labels) if hasattr(labels, "is_cpu") else None
    return type(labels) if one_each is not None and one_each.ndim == 1 and one_each.dtype.kind in "biuf" else type(None)


def _same(item: Any, array: Any) -> bool:
    """Whether an element of a batch is what was found in it."""
    if item is array:
        return True
    if isinstance(item, str | bytes | Mapping) or not isinstance(array, np.ndarray):
        return False
    found = as_array(item)
    if found is None or found.shape != array.shape or found.dtype != array.dtype:
        return False
    return found[:1].tobytes() == array[:1].tobytes() and found[-1:].tobytes() == array[-1:].tobytes()

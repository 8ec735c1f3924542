"""What is in a batch: its inputs, its labels and its sample ids, found by rules that need no framework.

The rules, the first that fits, each of which ``label``, ``inputs`` and ``sample_id`` override:

- A list of samples (tuples, named tuples or mappings, as an identity ``collate_fn`` gives) is turned into columns.
- A mapping (also a named tuple or a dataclass): labels are under the first of `LABEL_KEYS` that it has, or that a
  mapping within it has; ids under the first of `ID_KEYS`; inputs are all else that holds arrays or text. Keys may be in
  any case.
- A tuple or list: the first element holds the inputs, the second the labels, and the third the ids if it is one whole
  number or text a sample. With one element, that is the inputs, or a mapping as above.
- Anything else is the inputs, and there are no labels.

The main input, which moments and pictures are of, is the one under the first of `INPUT_KEYS`, or else the array with
the most elements a sample.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.batches.selection import Selector, find, resolve_labels, select, selector_text
from dataguard.batches.values import as_array, as_columns, as_mapping, dtype_name
from dataguard.core.errors import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUT_KEYS = ("x", "input", "inputs", "image", "images", "img", "pixel_values", "data", "features", "input_ids", "text")
"""Keys that the main input is looked for under, in this order."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Leaf:
    """One input of a batch: an array whose first axis is the samples, or one array or text a sample."""

    name: str
    rows: NDArray[Any] | list[Any]
    """An array of numbers, or a list of arrays of numbers, ``str`` and ``bytes``."""
    dtype: str
    """What it was before it became numpy's, as ``bfloat16``; '' where that is the same."""

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Content:
    """What was found in one batch."""

    n: int
    """Samples in it."""
    inputs: tuple[Leaf, ...]
    """Those with one row a sample; the main input first."""
    labels: Any
    """An array with one row a sample, or a list; None where there are none."""
    n_labels: int
    """How many labels there are; −1 for none. Should be ``n``."""
    ids: list[str] | None
    label_origin: str
    input_origin: str
    id_origin: str
    notes: tuple[str, ...]


def read(batch: Any, *, label: Selector = None, inputs: Selector = None, sample_id: Selector = None) -> Content:
    """Find inputs, labels and ids in a batch; see the rules above.

    Raises:
        ConfigurationError: a selector names what the batch does not have, or fails.
    """
    notes: list[str] = []
    given_label = select(batch, label, "label")
    given_ids = select(batch, sample_id, "sample_id")
    given_inputs = select(batch, inputs, "inputs")
    columns, note = as_columns(batch)
    if note:
        notes.append(note)
    found = find(columns, label=label if isinstance(label, str | int) else None)
    labels, label_origin = found.labels, found.label_origin
    if label is not None:
        labels, label_origin = given_label, selector_text(label)
    ids, id_origin = (given_ids, selector_text(sample_id)) if sample_id is not None else (found.ids, found.id_origin)
    sources = [("", given_inputs)] if inputs is not None else found.inputs
    leaves = [leaf for name, value in sources for leaf in _leaves(value, name)]
    labels = resolve_labels(labels)
    input_origin = found.input_origin if inputs is None else selector_text(inputs)
    return _aligned(leaves, labels, ids, label_origin, input_origin, id_origin, notes, chosen=sample_id is not None)


def _leaves(value: Any, name: str) -> list[Leaf]:
    """Every array and text within, with its name."""
    if value is None:
        return []
    mapping = as_mapping(value)
    if mapping is not None:
        return [leaf for key, item in mapping.items() for leaf in _leaves(item, f"{name}.{key}" if name else key)]
    if isinstance(value, str | bytes):
        return [Leaf(name=name, rows=[value], dtype="")]
    if isinstance(value, list | tuple):
        return _leaves_of_list(value, name)
    array = as_array(value)
    if array is None:
        if isinstance(value, bool | int | float | complex):
            return [Leaf(name=name, rows=np.asarray(value), dtype="")]
        return []
    return [_leaf_of_array(array, name, dtype_name(value))]


def _leaf_of_array(array: NDArray[Any], name: str, dtype: str) -> Leaf:
    if array.dtype.kind in "OUST":
        rows = [_row(item) for item in (array.tolist() if array.ndim else [array.item()])]
        return Leaf(name=name, rows=rows, dtype="")
    if array.dtype.kind in "mM":
        array = array.view(np.int64)
    return Leaf(name=name, rows=array, dtype=dtype if dtype != array.dtype.name else "")


def _leaves_of_list(value: Sequence[Any], name: str) -> list[Leaf]:
    if not value:
        return []
    mappings = [as_mapping(item) for item in value]
    if all(item is not None for item in mappings):
        columns, _ = as_columns(list(value))
        return _leaves(columns, name)
    if all(isinstance(item, bool | int | float | complex | np.generic) for item in value):
        return [Leaf(name=name, rows=np.asarray(value), dtype="")]
    nested = [isinstance(item, list | tuple) for item in value]
    if all(nested) and not all(_flat_numbers(item) for item in value):
        # Several inputs of several arrays each: columns, not samples.
        return [leaf for place, item in enumerate(value) for leaf in _leaves(item, f"{name}[{place}]")]
    dtypes = {dtype_name(item) for item in value}
    return [Leaf(name=name, rows=[_row(item) for item in value], dtype=dtypes.pop() if len(dtypes) == 1 else "")]


def _flat_numbers(item: Sequence[Any]) -> bool:
    return all(isinstance(value, bool | int | float) for value in item)


def _row(item: Any) -> Any:
    """One sample: an array of numbers, or text."""
    if isinstance(item, str | bytes):
        return item
    array = as_array(item)
    if array is None:
        try:
            array = np.asarray(item)
        except ValueError:
            return repr(item)
    return str(item) if array.dtype.kind in "OUST" else array


def _aligned(
    leaves: list[Leaf],
    labels: Any,
    ids: Any,
    label_origin: str,
    input_origin: str,
    id_origin: str,
    notes: list[str],
    *,
    chosen: bool,
) -> Content:
    """Everything with one row a sample, the main input first."""
    scalar_label = labels is not None and (
        isinstance(labels, str | bytes | bool | int | float) or (isinstance(labels, np.ndarray) and labels.ndim == 0)
    )
    lengths = [len(leaf.rows) for leaf in leaves if not (isinstance(leaf.rows, np.ndarray) and leaf.rows.ndim == 0)]
    n_labels = -1 if labels is None else 1 if scalar_label else len(labels)
    single = (scalar_label and not (lengths and lengths[0] == 1)) or _one_sample(labels, lengths) or not lengths
    if single:
        leaves = [_alone(leaf) for leaf in leaves]
        if labels is not None:
            labels, n_labels = ([labels] if isinstance(labels, str | bytes) else np.asarray(labels)[None]), 1
        n = 1 if leaves or labels is not None else 0
        notes.append("the loader yields single samples; each was taken as a batch of one")
    else:
        if scalar_label:
            labels = [labels] if isinstance(labels, str | bytes) else np.asarray(labels).reshape(1)
        n = n_labels if n_labels in lengths else max(set(lengths), key=lengths.count)
    kept = [
        leaf for leaf in leaves if not (isinstance(leaf.rows, np.ndarray) and leaf.rows.ndim == 0) and len(leaf) == n
    ]
    left_out = [leaf.name for leaf in leaves if leaf not in kept and leaf.name]
    notes += [f"input {name!r} was left out: it has not one row a sample" for name in left_out]
    kept.sort(key=lambda leaf: (_input_rank(leaf.name), -_width(leaf)))
    named_ids = _id_list(ids, n)
    if chosen and named_ids is None:
        raise ConfigurationError(f"the ids are not one a sample of {n}", where="sample_id")
    if kept and kept[0].name:
        input_origin = f"key {kept[0].name!r}"
    return Content(
        n=n,
        inputs=tuple(kept),
        labels=labels,
        n_labels=n_labels,
        ids=named_ids,
        label_origin=label_origin if labels is not None else "",
        input_origin=input_origin,
        id_origin=id_origin if named_ids is not None else "",
        notes=tuple(notes),
    )


def _one_sample(labels: Any, lengths: Sequence[int]) -> bool:
    """Whether the labels are one row of 0 with a single 1, and so of one sample."""
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or len(labels) < 2 or len(labels) in lengths:
        return False
    return labels.dtype.kind in "biuf" and bool(np.isin(labels, (0, 1)).all() and labels.sum() == 1)


def _alone(leaf: Leaf) -> Leaf:
    if isinstance(leaf.rows, np.ndarray):
        return dataclasses.replace(leaf, rows=leaf.rows[None])
    return (
        leaf if len(leaf.rows) == 1 else dataclasses.replace(leaf, rows=[np.asarray([repr(row) for row in leaf.rows])])
    )


def _input_rank(name: str) -> int:
    last = name.rpartition(".")[2].lower()
    return INPUT_KEYS.index(last) if last in INPUT_KEYS else len(INPUT_KEYS)


def _width(leaf: Leaf) -> int:
    if isinstance(leaf.rows, np.ndarray):
        return leaf.rows.size // max(len(leaf.rows), 1)
    first = leaf.rows[0]
    return int(first.size) if isinstance(first, np.ndarray) else 1


def _id_list(ids: Any, n: int) -> list[str] | None:
    if ids is None:
        return None
    if isinstance(ids, str | bytes | int):
        values: list[Any] = [ids]
    elif isinstance(ids, list | tuple):
        values = list(ids)
    else:
        array = as_array(ids)
        if array is None:
            return None
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim > 1:
            return None
        values = array.reshape(-1).tolist()
    if len(values) != n or any(isinstance(value, list | dict) for value in values):
        return None
    return [_id_text(value) for value in values]


def _id_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return value
    array = as_array(value)
    return str(value if array is None else array.item())

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dataguard.core.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL_KEYS = (
    "label",
    "labels",
    "target",
    "targets",
    "y",
    "class",
    "classes",
    "class_id",
    "class_ids",
    "cls",
    "category",
    "coarse_label",
    "fine_label",
)
"""Keys that labels are looked for under, in this order."""
ID_KEYS = (
    "sample_id",
    "sample_ids",
    "id",
    "ids",
    "uid",
    "idx",
    "index",
    "indices",
    "key",
    "__key__",
    "image_id",
    "image_ids",
    "path",
    "paths",
    "filename",
    "file_name",
)
"""Keys that sample ids are looked for under, in this order."""
INPUT_KEYS = ("x", "input", "inputs", "image", "images", "img", "pixel_values", "data", "features", "input_ids", "text")
"""Keys that the main input is looked for under, in this order."""
SIDE_KEYS = frozenset({"__url__", "__local_path__", "weight", "weights", "sample_weight", "length", "lengths"})
"""Keys whose content is about a sample and is not fed to a model."""

Selector: TypeAlias = str | int | Callable[[Any], Any] | None
"""Which part of a batch: a key (``"meta.label"`` for one within another), an index, or a function of the batch."""


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
    given_label = _select(batch, label, "label")
    given_ids = _select(batch, sample_id, "sample_id")
    given_inputs = _select(batch, inputs, "inputs")
    columns, note = _columns(batch)
    if note:
        notes.append(note)
    found = _find(columns, label=label if isinstance(label, str | int) else None)
    labels, label_origin = found.labels, found.label_origin
    if label is not None:
        labels, label_origin = given_label, _selector_text(label)
    ids, id_origin = (given_ids, _selector_text(sample_id)) if sample_id is not None else (found.ids, found.id_origin)
    sources = [("", given_inputs)] if inputs is not None else found.inputs
    leaves = [leaf for name, value in sources for leaf in _leaves(value, name)]
    labels = _resolve_labels(labels)
    input_origin = found.input_origin if inputs is None else _selector_text(inputs)
    return _aligned(leaves, labels, ids, label_origin, input_origin, id_origin, notes, chosen=sample_id is not None)


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


def _dtype_name(value: Any) -> str:
    dtype = getattr(value, "dtype", "")
    name = str(getattr(dtype, "name", dtype))
    return name.rpartition(".")[2].strip("<>'\" ") if name else ""


def _is_named(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _as_mapping(value: Any) -> Mapping[str, Any] | None:
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


def _columns(batch: Any) -> tuple[Any, str]:
    """A list of samples as columns, with a note; everything else as it is."""
    if not isinstance(batch, list) or not batch:
        return batch, ""
    mappings = [_as_mapping(item) for item in batch]
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
    return isinstance(item, list) and len(item) >= 2 and _ndim(item[0]) >= 1 and _ndim(item[1]) == 0


def _ndim(value: Any) -> int:
    if isinstance(value, str | bytes | bool | int | float | np.generic):
        return 0
    ndim = getattr(value, "ndim", None)
    if isinstance(ndim, int):
        return ndim
    shape = getattr(value, "shape", None)
    if shape is not None:
        return len(shape)
    return 1 if isinstance(value, list | tuple) else -1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Found:
    inputs: list[tuple[str, Any]]
    labels: Any = None
    ids: Any = None
    label_origin: str = ""
    input_origin: str = ""
    id_origin: str = ""


def _find(batch: Any, *, label: str | int | None) -> _Found:
    mapping = _as_mapping(batch)
    if mapping is not None:
        return _find_in_mapping(mapping, label)
    if isinstance(batch, list | tuple):
        return _find_in_sequence(batch, label)
    return _Found(inputs=[("", batch)], input_origin="the batch itself")


def _find_in_mapping(mapping: Mapping[str, Any], label: str | int | None) -> _Found:
    label_path = (str(label),) if label is not None and str(label) in mapping else _path_of(mapping, LABEL_KEYS)
    if isinstance(label, str) and label not in mapping and "." in label:
        label_path = tuple(label.split("."))
    id_path = _path_of(mapping, ID_KEYS)
    skipped = {path for path in (label_path, id_path) if path}
    return _Found(
        inputs=_without(mapping, skipped),
        labels=_at(mapping, label_path) if label_path else None,
        ids=_at(mapping, id_path) if id_path else None,
        label_origin=f"key {'.'.join(label_path)!r}" if label_path else "",
        id_origin=f"key {'.'.join(id_path)!r}" if id_path else "",
    )


def _path_of(mapping: Mapping[str, Any], keys: Sequence[str]) -> tuple[str, ...]:
    """Where the first of `keys` is, here or in a mapping within."""
    lower = {name.lower().lstrip("."): name for name in reversed(list(mapping))}
    for key in keys:
        if key in lower:
            name = lower[key]
            inner = _as_mapping(mapping[name])
            if inner is None:
                return (name,)
            below = _path_of(inner, keys)
            if below:
                return (name, *below)
    for name, value in mapping.items():
        inner = _as_mapping(value) if not isinstance(value, list | str | bytes) else None
        if inner is not None and (below := _path_of(inner, keys)):
            return (name, *below)
    return ()


def _at(mapping: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = mapping
    for name in path:
        inner = _as_mapping(value)
        if inner is None or name not in inner:
            return None
        value = inner[name]
    return value


def _without(
    mapping: Mapping[str, Any], skipped: set[tuple[str, ...]], base: tuple[str, ...] = ()
) -> list[tuple[str, Any]]:
    """Everything in the mapping but some paths, one level of names after the other."""
    found: list[tuple[str, Any]] = []
    for name, value in mapping.items():
        path = (*base, name)
        if path in skipped or name in SIDE_KEYS:
            continue
        inner = _as_mapping(value)
        found += [(".".join(path), value)] if inner is None else _without(inner, skipped, path)
    return found


def _find_in_sequence(batch: Sequence[Any], label: str | int | None) -> _Found:
    if not batch:
        return _Found(inputs=[])
    if len(batch) == 1:
        inner = _as_mapping(batch[0])
        if inner is not None:
            return _find_in_mapping(inner, label)
        return _Found(inputs=[("", batch[0])], input_origin="the only element")
    flat = all(_ndim(item) == 0 for item in batch)
    if flat or (isinstance(batch, list) and not _like_columns(batch)):
        return _Found(inputs=[("", batch)], input_origin="the batch itself, a list of samples")
    place = label if isinstance(label, int) else 1
    first = 0 if place % len(batch) != 0 else 1
    ids = None
    if len(batch) > 2 and place == 1 and _like_ids(batch[2]):
        ids = batch[2]
    ordinal = ("first", "second", "third")[place] if 0 <= place < 3 else f"element {place}"
    return _Found(
        inputs=[("", batch[first])],
        labels=batch[place],
        ids=ids,
        label_origin=f"{ordinal} of {len(batch)} elements",
        input_origin=f"{'first' if first == 0 else 'second'} of {len(batch)} elements",
        id_origin="" if ids is None else f"third of {len(batch)} elements",
    )


def _like_columns(batch: Sequence[Any]) -> bool:
    """Whether a list is [inputs, labels, …], and not one array a sample."""
    if len(batch) > 4:
        return False
    if any(_as_mapping(item) is not None for item in batch):
        return True
    lengths = {_length(item) for item in batch}
    return len(lengths) == 1 or _ndim(batch[0]) != _ndim(batch[1]) or _ndim(batch[1]) <= 1


def _length(value: Any) -> int:
    shape = getattr(value, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else -1
    return len(value) if isinstance(value, list | tuple) else -1


def _like_ids(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, str | int) and not isinstance(item, bool) for item in value)
    array = as_array(value)
    return array is not None and array.ndim == 1 and array.dtype.kind in "iuUSO"


def _select(batch: Any, selector: Selector, option: str) -> Any:
    if selector is None:
        return None
    if callable(selector):
        try:
            return selector(batch)
        except Exception as error:  # the user's own function
            raise ConfigurationError(
                f"the function given as {option} failed: {type(error).__name__}: {error}",
                where=option,
                hint="it is called with the batch as the loader yields it",
            ) from error
    columns, _ = _columns(batch)
    mapping = _as_mapping(columns)
    if mapping is None and isinstance(columns, list | tuple) and isinstance(selector, str):
        # ({"image": …, "label": …},) and (inputs, {"class": …})
        mapping = {key: value for item in columns for key, value in (_as_mapping(item) or {}).items()}
    if isinstance(selector, int) and isinstance(columns, list | tuple) and -len(columns) <= selector < len(columns):
        return columns[selector]
    if mapping is not None:
        if str(selector) in mapping:
            return mapping[str(selector)]
        found = _at(mapping, str(selector).split("."))
        if found is not None:
            return found
    has = did_you_mean(str(selector), mapping) if mapping else f"a batch is a {type(batch).__name__}"
    if isinstance(columns, list | tuple) and not mapping:
        has += f" of {len(columns)}"
    raise ConfigurationError(f"a batch has no {selector!r}", where=option, hint=has)


def _selector_text(selector: Selector) -> str:
    if callable(selector):
        return f"function {getattr(selector, '__name__', type(selector).__name__)}"
    return f"element {selector}" if isinstance(selector, int) else f"key {selector!r}"


def _leaves(value: Any, name: str) -> list[Leaf]:
    """Every array and text within, with its name."""
    if value is None:
        return []
    mapping = _as_mapping(value)
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
    return [_leaf_of_array(array, name, _dtype_name(value))]


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
    mappings = [_as_mapping(item) for item in value]
    if all(item is not None for item in mappings):
        columns, _ = _columns(list(value))
        return _leaves(columns, name)
    if all(isinstance(item, bool | int | float | complex | np.generic) for item in value):
        return [Leaf(name=name, rows=np.asarray(value), dtype="")]
    nested = [isinstance(item, list | tuple) for item in value]
    if all(nested) and not all(_flat_numbers(item) for item in value):
        # Several inputs of several arrays each: columns, not samples.
        return [leaf for place, item in enumerate(value) for leaf in _leaves(item, f"{name}[{place}]")]
    dtypes = {_dtype_name(item) for item in value}
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


def _resolve_labels(labels: Any) -> Any:
    """Labels as an array or a list of one entry a sample; of several outputs the first."""
    for _ in range(8):
        mapping = _as_mapping(labels)
        if mapping is not None:
            path = _path_of(mapping, LABEL_KEYS)
            if path:
                labels = _at(mapping, path)
            elif len(mapping) == 1:
                (labels,) = mapping.values()
            else:
                return None
            continue
        if isinstance(labels, list | tuple):
            if labels and all(_ndim(item) >= 1 for item in labels) and isinstance(labels, tuple):
                labels = labels[0]
                continue
            return _label_list(labels)
        if labels is None or isinstance(labels, str | bytes | bool | int | float):
            return labels
        return as_array(labels)
    return None


def _label_list(labels: Sequence[Any]) -> Any:
    if all(isinstance(item, bool | int | np.integer) for item in labels):
        return np.asarray(labels)
    if all(isinstance(item, float | int | np.number) for item in labels):
        return np.asarray(labels, dtype=np.float64)
    rows = [item if isinstance(item, str | bytes) or item is None else as_array(item) for item in labels]
    arrays = [row for row in rows if isinstance(row, np.ndarray)]
    if len(arrays) == len(rows) and len({row.shape for row in arrays}) == 1:
        return np.stack(arrays)
    if any(_as_mapping(item) is not None for item in labels):
        columns, _ = _columns(list(labels))
        found = _resolve_labels(columns) if isinstance(columns, Mapping) else None
        # One box list a sample, not one weight a class.
        return list(found) if isinstance(found, np.ndarray) and found.ndim > 1 else found
    return list(labels)


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

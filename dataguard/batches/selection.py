"""Where inputs, labels and ids are in a batch, by the rules of `content` and by what the user selects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from dataguard.batches.values import as_array, as_columns, as_mapping, n_axes
from dataguard.core.errors import ConfigurationError, did_you_mean

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

SIDE_KEYS = frozenset({"__url__", "__local_path__", "weight", "weights", "sample_weight", "length", "lengths"})
"""Keys whose content is about a sample and is not fed to a model."""

Selector: TypeAlias = str | int | Callable[[Any], Any] | None
"""Which part of a batch: a key (``"meta.label"`` for one within another), an index, or a function of the batch."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Found:
    """What of a batch is what."""

    inputs: list[tuple[str, Any]]
    labels: Any = None
    ids: Any = None
    label_origin: str = ""
    input_origin: str = ""
    id_origin: str = ""


def find(batch: Any, *, label: str | int | None) -> Found:
    """Find inputs, labels and ids by the rules of `content`.

    Args:
        batch: As `as_columns` gives it.
        label: The key or index of the labels, where the user says so.
    """
    mapping = as_mapping(batch)
    if mapping is not None:
        return _find_in_mapping(mapping, label)
    if isinstance(batch, list | tuple):
        return _find_in_sequence(batch, label)
    return Found(inputs=[("", batch)], input_origin="the batch itself")


def _find_in_mapping(mapping: Mapping[str, Any], label: str | int | None) -> Found:
    label_path = (str(label),) if label is not None and str(label) in mapping else _path_of(mapping, LABEL_KEYS)
    if isinstance(label, str) and label not in mapping and "." in label:
        label_path = tuple(label.split("."))
    id_path = _path_of(mapping, ID_KEYS)
    skipped = {path for path in (label_path, id_path) if path}
    return Found(
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
            inner = as_mapping(mapping[name])
            if inner is None:
                return (name,)
            below = _path_of(inner, keys)
            if below:
                return (name, *below)
    for name, value in mapping.items():
        inner = as_mapping(value) if not isinstance(value, list | str | bytes) else None
        if inner is not None and (below := _path_of(inner, keys)):
            return (name, *below)
    return ()


def _at(mapping: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = mapping
    for name in path:
        inner = as_mapping(value)
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
        inner = as_mapping(value)
        found += [(".".join(path), value)] if inner is None else _without(inner, skipped, path)
    return found


def _find_in_sequence(batch: Sequence[Any], label: str | int | None) -> Found:
    if not batch:
        return Found(inputs=[])
    if len(batch) == 1:
        inner = as_mapping(batch[0])
        if inner is not None:
            return _find_in_mapping(inner, label)
        return Found(inputs=[("", batch[0])], input_origin="the only element")
    flat = all(n_axes(item) == 0 for item in batch)
    if flat or (isinstance(batch, list) and not _like_columns(batch)):
        return Found(inputs=[("", batch)], input_origin="the batch itself, a list of samples")
    place = label if isinstance(label, int) else 1
    first = 0 if place % len(batch) != 0 else 1
    ids = None
    if len(batch) > 2 and place == 1 and _like_ids(batch[2]):
        ids = batch[2]
    ordinal = ("first", "second", "third")[place] if 0 <= place < 3 else f"element {place}"
    return Found(
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
    if any(as_mapping(item) is not None for item in batch):
        return True
    lengths = {_length(item) for item in batch}
    return len(lengths) == 1 or n_axes(batch[0]) != n_axes(batch[1]) or n_axes(batch[1]) <= 1


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


def select(batch: Any, selector: Selector, option: str) -> Any:
    """What a selector selects of a batch; None for no selector.

    Raises:
        ConfigurationError: the batch has no such thing, or the user's function fails.
    """
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
    columns, _ = as_columns(batch)
    mapping = as_mapping(columns)
    if mapping is None and isinstance(columns, list | tuple) and isinstance(selector, str):
        # ({"image": …, "label": …},) and (inputs, {"class": …})
        mapping = {key: value for item in columns for key, value in (as_mapping(item) or {}).items()}
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


def selector_text(selector: Selector) -> str:
    """A selector in words."""
    if callable(selector):
        return f"function {getattr(selector, '__name__', type(selector).__name__)}"
    return f"element {selector}" if isinstance(selector, int) else f"key {selector!r}"


def resolve_labels(labels: Any) -> Any:
    """Labels as an array or a list of one entry a sample; of several outputs the first."""
    for _ in range(8):
        mapping = as_mapping(labels)
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
            if labels and all(n_axes(item) >= 1 for item in labels) and isinstance(labels, tuple):
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
    if any(as_mapping(item) is not None for item in labels):
        columns, _ = as_columns(list(labels))
        found = resolve_labels(columns) if isinstance(columns, Mapping) else None
        # One box list a sample, not one weight a class.
        return list(found) if isinstance(found, np.ndarray) and found.ndim > 1 else found
    return list(labels)

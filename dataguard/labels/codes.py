"""Given labels as codes of classes."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MISSING = -1
"""Code of a sample without a label."""

NAMED = 5
"""How many rows or classes an error names."""


def encode_labels(
    labels: ArrayLike | Sequence[object], classes: Sequence[object] | None = None, *, columns: int | None = None
) -> tuple[NDArray[np.int32], tuple[object, ...]]:
    """Given labels as column numbers.

    Missing labels, coded −1, are None, NaN, pandas' NA and NaT, masked entries, and the integer −1 among column
    numbers. With `classes`, a label is one of these. Without, whole numbers (of any type, floats too) are column
    numbers, and anything else stands for the column of its place among the sorted distinct labels.

    Args:
        labels: n labels: list, NumPy array (masked ones too), pandas or polars Series.
        classes: What each column stands for, in that order.
        columns: How many columns the probabilities have, where that is known.

    Returns:
        Codes, shape (n,), −1 for missing; and what each column stands for: `classes`, the sorted distinct labels, or
        the column numbers (as many as `columns`, or as the labels reach).

    Raises:
        ValueError: labels are not one-dimensional, are no column numbers, or are not those that the columns stand for.
    """
    values, missing = _labels(labels)
    if classes is not None:
        return _coded(values, missing, tuple(classes), columns)
    present = values[~missing]
    if _whole_numbers(present):
        return _numbered(values, missing, columns)
    kinds = {type(value) for value in present.tolist()}
    try:
        distinct = tuple(np.unique(present).tolist()) if present.dtype != object else tuple(sorted(set(present)))
    except TypeError as error:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"labels of types that have no common order: {names}; give classes=") from error
    if columns is not None and len(distinct) != columns:
        named = first_names(distinct)
        raise ValueError(
            f"{len(distinct)} distinct labels ({named}) for {columns} columns of probabilities: "
            + ("which is too many is not known" if len(distinct) > columns else "some class is never given")
            + "; say what each column stands for with classes="
        )
    return _coded(values, missing, distinct, columns)


def _labels(labels: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The labels as an array, and which are missing."""
    masked = np.ma.getmaskarray(labels) if isinstance(labels, np.ma.MaskedArray) else None
    if hasattr(labels, "to_numpy") and not isinstance(labels, np.ndarray):
        labels = labels.to_numpy()
    if isinstance(labels, np.ndarray):
        values = np.asarray(labels)
    else:
        # Through object, so that NumPy does not turn None and NaN among strings into text.
        given = list(labels)
        values = np.empty(len(given), dtype=object)
        values[:] = given
    if values.ndim != 1:
        raise ValueError(f"labels of shape {values.shape}; one label a sample, shape (n,), is needed")
    if values.dtype.kind == "f":
        missing = np.isnan(values)
    elif values.dtype.kind in "mM":
        missing = np.isnat(values)
    elif values.dtype == object:
        missing = np.fromiter((_is_missing(value) for value in values), dtype=bool, count=len(values))
        present = values[~missing]
        kinds = {type(value) for value in present}
        if kinds and all(issubclass(kind, numbers.Integral) for kind in kinds):
            values = np.where(missing, MISSING, values).astype(np.int64)
    else:
        missing = np.zeros(len(values), dtype=bool)
    if masked is not None:
        missing = missing | masked
    return values, missing


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in {"NAType", "NaTType", "MaskedConstant"}:
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _whole_numbers(present: NDArray[Any]) -> bool:
    if present.dtype.kind in "iub":
        return True
    if present.dtype == object:
        return all(isinstance(value, numbers.Real) and float(value).is_integer() for value in present)
    return present.dtype.kind == "f" and bool((present == np.floor(present)).all())


def _numbered(
    values: NDArray[Any], missing: NDArray[np.bool_], columns: int | None
) -> tuple[NDArray[np.int32], tuple[object, ...]]:
    wide = np.where(missing, MISSING, values).astype(np.int64) if missing.any() else values.astype(np.int64, copy=False)
    top = int(wide.max(initial=MISSING))
    reach = top + 1 if columns is None else columns
    if wide.min(initial=0) < MISSING or top >= reach:
        bad = np.flatnonzero((wide < MISSING) | (wide >= reach))
        raise ValueError(
            f"{len(bad)} labels that are no column of probabilities: {first_names(wide[bad].tolist())} in rows "
            f"{first_names(bad.tolist())}; column numbers go from 0 to {reach - 1}, −1 stands for a missing label; "
            "other names need classes="
        )
    return wide.astype(np.int32), tuple(range(reach))


def _coded(
    values: NDArray[Any], missing: NDArray[np.bool_], classes: tuple[object, ...], columns: int | None
) -> tuple[NDArray[np.int32], tuple[object, ...]]:
    if columns is not None and len(classes) != columns:
        raise ValueError(f"{len(classes)} classes for {columns} columns of probabilities")
    code_of = {name: code for code, name in enumerate(classes)}
    if len(code_of) < len(classes):
        twice = [name for code, name in enumerate(classes) if code_of[name] != code]
        raise ValueError(f"classes that occur twice: {first_names(twice)}")
    codes = np.full(len(values), MISSING, dtype=np.int32)
    present = values[~missing]
    if present.dtype == object:
        places = np.fromiter((code_of.get(value, MISSING) for value in present), dtype=np.int32, count=len(present))
    else:
        distinct, inverse = np.unique(present, return_inverse=True)
        known = np.array([code_of.get(value, MISSING) for value in distinct.tolist()], dtype=np.int32)
        places = known[inverse] if len(distinct) else np.zeros(0, dtype=np.int32)
    if (places < 0).any():
        unknown = dict.fromkeys(present[places < 0].tolist())
        raise ValueError(
            f"labels that no column stands for: {first_names(list(unknown))} ({int((places < 0).sum())} samples); "
            f"classes are {first_names(classes)}"
        )
    codes[~missing] = places
    return codes, classes


def first_names(names: Sequence[object]) -> str:
    """The first of several names, as text for an error."""
    return ", ".join(repr(name) for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")

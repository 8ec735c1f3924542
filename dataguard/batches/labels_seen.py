"""Labels of batches that arrive one by one, made into class codes when all are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dataguard.batches.kinds import LabelKind
from dataguard.batches.stream import class_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_FLOAT_CLASSES = 1000
"""Labels in floating point that are all whole numbers are classes up to so many of them, and continuous above."""
SUM_TOLERANCE = 1e-3
"""Rows of weights whose sum is that near 1 are soft labels; half precision rounds sums of ten terms by 5e-4 each."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Coded:
    """Labels as codes; see `BatchStream` for the fields."""

    codes: NDArray[np.int32]
    classes: tuple[str, ...]
    kind: LabelKind
    targets: NDArray[np.float64] | None
    source_codes: NDArray[np.int32] | None = None
    """The labels of the loader's dataset, in its own order, by the same codes."""


_CODED = (
    LabelKind.CLASSES,
    LabelKind.ONE_HOT,
    LabelKind.SOFT,
    LabelKind.MULTI_LABEL,
    LabelKind.CONTINUOUS,
)
"""Kinds of labels that have values."""

Part: TypeAlias = tuple[LabelKind, Any, int]
"""Kind and values of the labels of one batch, as `classify` gives them, and how many samples it has."""


def coded_labels(
    parts: Sequence[Part], names: Sequence[str] | None = None, source: tuple[LabelKind, Any] | None = None
) -> Coded:
    """The labels of all batches as codes.

    Args:
        parts: One for each batch, in order.
        names: What the whole numbers stand for, where the loader's dataset says so.
        source: Kind and values of the labels of the loader's dataset.
    """
    n = sum(part[2] for part in parts)
    filled = [part for part in parts if part[2]]
    kinds = {kind for kind, _, _ in filled}
    if not kinds & set(_CODED):
        return _without_classes(n, LabelKind.STRUCTURED if LabelKind.STRUCTURED in kinds else LabelKind.ABSENT, None)
    numeric = all(isinstance(values, np.ndarray) or values is None for _, values, _ in filled)
    continuous = LabelKind.CONTINUOUS in kinds and numeric
    if continuous or kinds == {LabelKind.CONTINUOUS} or (kinds == {LabelKind.CLASSES} and _many_floats(filled)):
        return _without_classes(n, LabelKind.CONTINUOUS, np.concatenate([_numbers(*part) for part in filled]))
    texts = _Names(filled)
    of_source = _Names([] if source is None else [(*source, len(source[1]))])
    found = {text for text in (*texts.names, *of_source.names) if text is not None}
    classes = class_order(found)
    if names is not None:
        table = {str(place): str(name) for place, name in enumerate(names)}
        # Names that occur twice would make one class of two.
        if found <= set(table) and len(set(table.values())) == len(table):
            place = {number: code for code, number in enumerate(table)}
            return _with_classes(texts, of_source, place, tuple(table.values()), _kind(kinds))
    place = {name: code for code, name in enumerate(classes)}
    return _with_classes(texts, of_source, place, classes, _kind(kinds))


def _many_floats(parts: Sequence[Part]) -> bool:
    floats = [values for _, values, _ in parts if isinstance(values, np.ndarray) and values.dtype.kind == "f"]
    if not floats or len(floats) < len(parts):
        return False
    values = np.concatenate(floats)
    return len(np.unique(values[~np.isnan(values)])) > MAX_FLOAT_CLASSES


class _Names:
    """Labels as distinct names and an index into them for each sample; whole numbers are never made text one by one."""

    def __init__(self, parts: list[tuple[LabelKind, Any, int]]) -> None:
        self.names: list[str | None] = []
        self.index: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        if parts and all(
            isinstance(values, np.ndarray) and len(values) == size and values.dtype.kind in "iu"
            for _, values, size in parts
        ):
            numbers, self.index = np.unique(np.concatenate([values for _, values, _ in parts]), return_inverse=True)
            self.names = [str(number) for number in numbers.tolist()]
        elif parts:
            place: dict[str | None, int] = {}
            texts = (text for part in parts for text in _texts(*part))
            self.index = np.array([place.setdefault(text, len(place)) for text in texts], dtype=np.intp)
            self.names = list(place)

    def codes(self, place: dict[str, int]) -> NDArray[np.int32]:
        """The code of each sample; −1 for a name that has none."""
        table = np.array([-1 if name is None else place.get(name, -1) for name in self.names], dtype=np.int32)
        return table[self.index] if len(table) else np.zeros(0, dtype=np.int32)


def classify(labels: Any) -> tuple[LabelKind, Any]:
    """What labels of one batch are, and their values: an array, or a list of text, numbers, sets and None."""
    if labels is None:
        return LabelKind.ABSENT, None
    if isinstance(labels, list):
        return _classify_list(labels)
    array = np.asarray(labels)
    if array.dtype.kind in "OUST":
        return _classify_list(array.tolist()) if array.ndim == 1 else (LabelKind.STRUCTURED, None)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        return LabelKind.STRUCTURED, None
    if array.ndim == 1:
        if array.dtype.kind != "f":
            return LabelKind.CLASSES, array.astype(np.int64 if array.dtype != np.uint64 else np.uint64)
        wide = array.astype(np.float64)
        whole = bool(np.all((wide == np.rint(wide)) | np.isnan(wide)))
        return (LabelKind.CLASSES if whole else LabelKind.CONTINUOUS), wide
    if array.ndim == 2 and array.size:
        return _classify_rows(array)
    return (LabelKind.CLASSES, np.zeros(0, dtype=np.int64)) if not array.size else (LabelKind.STRUCTURED, None)


def _classify_rows(array: NDArray[Any]) -> tuple[LabelKind, Any]:
    """Rows of weights: one-hot, several-hot or soft labels."""
    rows = array.astype(np.float64)
    if not np.isfinite(rows).all() or rows.min() < 0:
        return (LabelKind.STRUCTURED, None)
    sums = rows.sum(axis=1)
    if np.isin(rows, (0.0, 1.0)).all():
        if (sums == 1).all():
            return LabelKind.ONE_HOT, rows.argmax(axis=1).astype(np.int64)
        return LabelKind.MULTI_LABEL, [tuple(np.flatnonzero(row).tolist()) for row in rows]
    if (np.abs(sums - 1) <= SUM_TOLERANCE).all():
        return LabelKind.SOFT, rows.argmax(axis=1).astype(np.int64)
    return LabelKind.STRUCTURED, None


def _classify_list(labels: list[Any]) -> tuple[LabelKind, Any]:
    if all(label is None or isinstance(label, str | bytes | bool | int | float | np.generic) for label in labels):
        return LabelKind.CLASSES, labels
    return LabelKind.STRUCTURED, None


def _texts(kind: LabelKind, values: Any, n: int) -> list[str | None]:
    if kind not in _CODED or values is None:
        return [None] * n
    items: list[Any] = values.tolist() if isinstance(values, np.ndarray) else values
    texts = [_text(item) for item in items[:n]]
    return texts + [None] * (n - len(texts))


def _text(item: Any) -> str | None:
    if item is None:
        return None
    if isinstance(item, bytes):
        return item.decode("utf-8", "backslashreplace")
    if isinstance(item, tuple):
        return "+".join(map(str, item)) or "none"
    if isinstance(item, bool | np.bool_):
        return str(int(item))
    if isinstance(item, float | np.floating):
        if np.isnan(item):
            return None
        return str(int(item)) if item.is_integer() else str(item)
    return str(item)


def _numbers(kind: LabelKind, values: Any, n: int) -> NDArray[np.float64]:
    found = np.full(n, np.nan)
    if isinstance(values, np.ndarray) and kind in _CODED:
        found[: len(values)] = values[:n]
    return found


def _kind(kinds: set[LabelKind]) -> LabelKind:
    coded = [kind for kind in _CODED if kind in kinds]
    return coded[-1] if len(coded) > 1 and coded[-1] is not LabelKind.CONTINUOUS else coded[0]


def _without_classes(n: int, kind: LabelKind, targets: NDArray[np.float64] | None) -> Coded:
    return Coded(codes=np.full(n, -1, dtype=np.int32), classes=(), kind=kind, targets=targets)


def _with_classes(
    texts: _Names, of_source: _Names, place: dict[str, int], classes: tuple[str, ...], kind: LabelKind
) -> Coded:
    return Coded(
        codes=texts.codes(place),
        classes=classes,
        kind=kind,
        targets=None,
        source_codes=of_source.codes(place) if of_source.names else None,
    )

"""What a table's rows hold, to be shown beside their labels: the columns that tell classes apart best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

LONGEST = 80
"""Characters of a value that are shown: a report's row then fits on a screen beside four others."""
DIGITS = 6
MOST_CATEGORIES = 1000
"""A column of more distinct texts names rows; whatever it seems to tell of the classes is chance."""
RANKED = 20_000
"""Rows that columns are compared by, evenly spread; a correlation is then known to within 0.01."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TableRows:
    """Raw values of n rows; arrays are read-only."""

    names: tuple[str, ...]
    """The columns."""
    columns: tuple[NDArray[Any], ...]
    """Their values, shape (n,) each: numbers, booleans, times, or objects."""

    @classmethod
    def of(cls, frame: pd.DataFrame, rows: Sequence[int]) -> TableRows:
        """Some rows of a table, by place."""
        chosen = []
        for name in frame.columns:
            values = np.asarray(frame[name].take(list(rows)).to_numpy())
            values.setflags(write=False)
            chosen.append(values)
        return cls(names=tuple(str(name) for name in frame.columns), columns=tuple(chosen))

    def telling(self, codes: NDArray[np.integer[Any]], most: int) -> tuple[int, ...]:
        """The columns that tell classes apart best, at most so many, best first.

        By the share of variance that classes explain: of a number's ranks (Kruskal & Wallis 1952, ε² = (H − k + 1)/
        (n − k), which is 0 by chance), of categories by the bias-corrected Cramér's V² (Bergsma 2013). Texts that are
        nearly all distinct come last, in the table's order.

        Args:
            codes: The class of each row, shape (n,).
            most: How many columns.
        """
        picked = np.linspace(0, len(codes) - 1, min(len(codes), RANKED)).astype(np.intp)
        classes = np.unique(codes[picked], return_inverse=True)[1]
        strength = [_strength(column[picked], classes) for column in self.columns]
        order = sorted(range(len(strength)), key=lambda index: (-round(strength[index], 9), index))
        return tuple(order[:most])

    def cell(self, row: int, column: int) -> str | int | float | None:
        """A value as a report shows it: rounded, cut to `LONGEST` characters; None where it is missing."""
        value = self.columns[column][row]
        if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
            value = value.item()
        if _missing(value):
            return None
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int):
            return value
        if isinstance(value, float):
            return float(f"{value:.{DIGITS}g}")
        text = " ".join(str(value).split())
        return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _strength(values: NDArray[Any], classes: NDArray[np.intp]) -> float:
    """Share of a column's variance that classes explain, 0–1; −1 where that cannot be said."""
    if values.dtype.kind in "mM":
        values = np.where(np.isnat(values), np.nan, values.astype(np.int64).astype(np.float64))
    if values.dtype.kind in "iufb":
        numbers = values.astype(np.float64)
        known = ~np.isnan(numbers)
        return _of_ranks(numbers[known], classes[known])
    known = np.array([not _missing(value) for value in values], dtype=bool)
    kinds = np.unique(np.array([str(value) for value in values[known]], dtype=object).astype(str), return_inverse=True)
    if len(kinds[0]) > min(MOST_CATEGORIES, known.sum() / 3):
        return -1.0
    return _of_categories(kinds[1], classes[known])


def _of_ranks(numbers: NDArray[np.float64], classes: NDArray[np.intp]) -> float:
    n = len(numbers)
    _, place, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    sizes = np.bincount(classes)
    k = int(np.count_nonzero(sizes))
    if len(counts) < 2 or k < 2 or n <= k:
        return 0.0
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place] - (n + 1) / 2
    explained = float((np.bincount(classes, ranks)[sizes > 0] ** 2 / sizes[sizes > 0]).sum())
    h = (n - 1) * explained / float(ranks @ ranks)
    return float(np.clip((h - k + 1) / (n - k), 0, 1))


def _of_categories(kinds: NDArray[np.intp], classes: NDArray[np.intp]) -> float:
    n = len(kinds)
    if n < 2:
        return 0.0
    table = np.zeros((int(kinds.max()) + 1, int(classes.max()) + 1))
    np.add.at(table, (kinds, classes), 1)
    table = table[:, table.sum(axis=0) > 0]
    r, c = table.shape
    if min(r, c) < 2:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi = float(((table - expected) ** 2 / expected).sum()) / n
    fewer = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return float(np.clip(max(0.0, phi - (r - 1) * (c - 1) / (n - 1)) / fewer, 0, 1)) if fewer > 0 else 0.0


def _missing(value: object) -> bool:
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return isinstance(value, float) and value != value

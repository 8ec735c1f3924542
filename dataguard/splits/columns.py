"""What single columns of a table say of the label: out of fold, safe for columns with many categories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from dataguard.splits.samples import SplitSamples


MIN_PER_CLASS = 5
"""Samples of a class for it to count: one in each fold."""


@dataclass(frozen=True, kw_only=True, slots=False, eq=False)
class Column:
    """One column in the form that tests take: ranks of its distinct values, or codes of its categories."""

    name: str
    kind: Literal["number", "category"]
    values: NDArray[np.float64]
    """Shape (n,): the number (a time in seconds), or the category's code; NaN for a missing value."""
    categories: tuple[str, ...] = ()
    """What the codes stand for, by frequency, most frequent first."""

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        """Where there is no value, shape (n,)."""
        return np.isnan(self.values)

    @cached_property
    def codes(self) -> NDArray[np.intp]:
        """Number of the distinct value, ascending, shape (n,); −1 where it is missing."""
        known = ~self.missing
        made = np.full(len(self.values), -1, dtype=np.intp)
        made[known] = np.unique(self.values[known], return_inverse=True)[1]
        return made

    @cached_property
    def n_distinct(self) -> int:
        """How many distinct values there are, missing ones apart."""
        return int(self.codes.max(initial=-1)) + 1

    @cached_property
    def feature(self) -> NDArray[np.float32]:
        """What a tree sees of it: ranks, which survive rounding to float32 as large numbers do not; shape (n,)."""
        made = self.codes.astype(np.float32)
        made[self.missing] = np.nan
        return made


def read_column(series: pd.Series[Any], name: str) -> Column:
    """A table's column; text that is all numbers is numbers, everything that is no number is a category.

    Lists, dictionaries and other values that cannot be compared are told apart by how they print.
    """
    import pandas as pd
    from pandas.api import types

    dtype = series.dtype
    if types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        missing = series.isna().to_numpy()
        delta = series - pd.Timestamp(0, tz=series.dt.tz) if types.is_datetime64_any_dtype(dtype) else series
        seconds = delta.dt.total_seconds().to_numpy(dtype=np.float64)
        return Column(name=name, kind="number", values=np.where(missing, np.nan, seconds))
    if types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype) and not types.is_bool_dtype(dtype):
        return Column(name=name, kind="number", values=_finite(series.to_numpy(dtype=np.float64, na_value=np.nan)))
    known = series.dropna()
    if types.infer_dtype(known, skipna=False) == "string":
        return _read_texts(series, name)
    if types.is_object_dtype(dtype) or types.is_string_dtype(dtype):
        plain = known.map(_plain)
        numbers = pd.to_numeric(plain, errors="coerce")
        if len(known) and numbers.notna().all():
            values = np.full(len(series), np.nan)
            values[series.notna().to_numpy()] = numbers.to_numpy(dtype=np.float64)
            return Column(name=name, kind="number", values=_finite(values))
    texts = known.map(lambda value: value if isinstance(value, str) else repr(value)).astype(object)
    counts = texts.value_counts()
    order = sorted(counts.index, key=lambda text: (-int(counts[text]), text))
    place = {text: code for code, text in enumerate(order)}
    values = np.full(len(series), np.nan)
    values[series.notna().to_numpy()] = [place[text] for text in texts]
    return Column(name=name, kind="category", values=values, categories=tuple(order))


def _read_texts(series: pd.Series[Any], name: str) -> Column:
    """A column of nothing but texts: each distinct one is read once."""
    import pandas as pd

    codes, distinct = pd.factorize(series.astype(object))
    texts = [str(text) for text in distinct]
    missing = codes < 0
    numbers = pd.to_numeric(pd.Series([text.strip() for text in texts], dtype=object), errors="coerce")
    if len(texts) and numbers.notna().all():
        by_code = _finite(numbers.to_numpy(dtype=np.float64))
        return Column(name=name, kind="number", values=np.where(missing, np.nan, by_code[np.maximum(codes, 0)]))
    if not texts:
        return Column(name=name, kind="category", values=np.full(len(series), np.nan))
    counts = np.bincount(codes[~missing], minlength=len(texts))
    order = sorted(range(len(texts)), key=lambda code: (-int(counts[code]), texts[code]))
    place = np.empty(len(texts))
    place[order] = np.arange(len(texts))
    values = np.where(missing, np.nan, place[np.maximum(codes, 0)])
    return Column(name=name, kind="category", values=values, categories=tuple(texts[code] for code in order))


def read_columns(frame: pd.DataFrame, names: Sequence[str]) -> tuple[Column, ...]:
    """Columns of a table by name; of names that occur twice the first."""
    places: dict[str, int] = {}
    for place, label in enumerate(frame.columns):
        places.setdefault(str(label), place)
    return tuple(read_column(frame.iloc[:, places[name]], name) for name in names)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | list | dict | tuple | set):
        return "not a number"
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return "not a number"


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """±inf as the largest numbers, so that they stay the extremes that they are."""
    largest = np.finfo(np.float64).max
    return np.clip(values, -largest, largest)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Goal:
    """What is to be told: classes, or numbers."""

    values: NDArray[np.float64]
    """Class codes from 0 or the target, shape (n,), without missing ones."""
    classes: tuple[str, ...]
    """Their names; empty for a regression."""

    @property
    def n_classes(self) -> int:
        """0 for a regression."""
        return len(self.classes)

    @property
    def codes(self) -> NDArray[np.intp]:
        """Class codes, shape (n,)."""
        return self.values.astype(np.intp)


def goal_of(samples: SplitSamples) -> tuple[Goal, NDArray[np.intp]]:
    """The label of the samples that have one, and which those are; classes of fewer than `MIN_PER_CLASS` are left out.

    Without classes or a target there are none.
    """
    if samples.labels is not None:
        given = samples.labels.tolist()
        known = [row for row, label in enumerate(given) if label is not None]
        names, codes = np.unique(np.array([str(given[row]) for row in known], dtype=str), return_inverse=True)
        counts = np.bincount(codes, minlength=len(names))
        kept = counts >= MIN_PER_CLASS
        number = np.cumsum(kept) - 1
        chosen = kept[codes] if len(codes) else np.zeros(0, dtype=np.bool_)
        goal = Goal(values=number[codes[chosen]].astype(np.float64), classes=tuple(str(name) for name in names[kept]))
        return goal, np.array(known, dtype=np.intp)[chosen]
    targets = np.full(len(samples), np.nan) if samples.targets is None else samples.targets
    rows = np.flatnonzero(np.isfinite(targets))
    return Goal(values=targets[rows], classes=()), rows


def refusal(goal: Goal, *, min_samples: int = 40) -> str:
    """Why no column can be judged against this label; '' where one can."""
    if len(goal.values) < min_samples:
        return f"too few samples: {len(goal.values)} have a label that occurs {MIN_PER_CLASS} times or more"
    if goal.n_classes == 1:
        return f"only one class, {goal.classes[0]!r}, has {MIN_PER_CLASS} samples or more"
    if not goal.n_classes and np.ptp(goal.values) == 0:
        return "the target is constant"
    return ""


def clusters_of(samples: SplitSamples, rows: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Number of the group, or of the content, of every row; None where each is one of its own."""
    names = samples.groups or samples.contents
    if not names:
        return None
    numbers: dict[object, int] = {}
    made = [numbers.setdefault((row,) if names[row] is None else names[row], len(numbers)) for row in rows.tolist()]
    return None if len(numbers) == len(made) else np.array(made, dtype=np.intp)


def feature_columns(samples: SplitSamples) -> tuple[Column, ...]:
    """What a model is fed, column by column: of a table as it is, of given features the numbers; empty for others."""
    if samples.columns is not None:
        return read_columns(samples.columns, samples.feature_columns)
    if samples.kind == "given" and samples.features is not None:
        names = samples.feature_names or tuple(f"feature {place}" for place in range(samples.features.shape[1]))
        return tuple(
            Column(name=name, kind="number", values=samples.features[:, place].astype(np.float64))
            for place, name in enumerate(names)
        )
    return ()


def some_of(column: Column, rows: NDArray[np.intp]) -> Column:
    """A column of some of the rows."""
    return Column(name=column.name, kind=column.kind, values=column.values[rows], categories=column.categories)


_ROW_NAME = re.compile(
    r"unnamed: ?\d+|.*Id|.*ID|"
    r".*(?:^|[_\W])(?:id|ids|uid|uuid|guid|index|idx|key|no|nr|num|row|rownum|rownr|number)"
)


def names_rows(column: Column) -> bool:
    """Whether a column is a name or number of the row: an id, an index, and no quantity.

    Whole numbers, distinct in 95 % of samples, that are called so or fill their range by a quarter or more.
    """
    known = column.values[~column.missing]
    if len(known) < 10 or column.n_distinct < 0.95 * len(known):
        return False
    if column.kind == "category":
        return True
    if not np.all(known == np.rint(known)):
        return False
    if _ROW_NAME.fullmatch(column.name) or _ROW_NAME.fullmatch(column.name.lower()):
        return True
    return float(np.ptp(known)) + 1 <= 4 * len(known)

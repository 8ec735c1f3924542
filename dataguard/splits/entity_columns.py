"""Columns of a table that look like the ids of something that has several rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.names import (
    ENTITY_WORDS,
    MOST_CANDIDATES,
    Candidate,
    may_group,
    natural_codes,
    partition_key,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

LEAST_VALUES = 20
"""Distinct values of a column whose name does not speak of an entity: those of fewer are categories."""
MOST_ROWS = 0.1
"""Share of all rows that the largest value of such a column may have."""


def candidates_of_columns(
    columns: pd.DataFrame, names: Sequence[str], splits: Sequence[str], strata: NDArray[np.intp]
) -> list[Candidate]:
    """Columns of text, categories or whole numbers with many values that repeat, and not too often.

    Args:
        columns: The table.
        names: The columns to look at.
        splits: Shape (n,).
        strata: Class codes, −1 for none; all zero for data without classes. Shape (n,).
    """
    found: list[Candidate] = []
    seen: set[bytes] = set()
    for name in names:
        values = _values(columns[name])
        if values is None:
            continue
        word = entity_word(name)
        present = {value for value in values if value is not None}
        if len(present) > len(values) / 2 or (not word and len(present) < LEAST_VALUES):
            continue
        codes = natural_codes(values)
        if not word and np.bincount(codes[codes >= 0]).max() > MOST_ROWS * len(codes):
            continue
        key = partition_key(codes)
        if key in seen or not may_group(codes, strata, splits):
            continue
        seen.add(key)
        found.append(Candidate(source="column", name=str(name), values=values, codes=codes, word=word))
    return sorted(found, key=lambda item: not item.word)[:MOST_CANDIDATES]


def entity_word(name: str) -> str:
    """The word in a column's name that speaks of an entity, '' for none.

    >>> entity_word("PatientID"), entity_word("user_id"), entity_word("age")
    ('patient', 'user', '')
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(name))
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", spaced)]
    spoken = [form for word in words for form in (word, word.removesuffix("s")) if form in ENTITY_WORDS]
    return spoken[0] if spoken else ""


def _values(series: pd.Series) -> tuple[str | None, ...] | None:
    """The values as text; None as a whole for measurements, moments and truth values."""
    from pandas.api import types

    if types.is_bool_dtype(series.dtype) or types.is_datetime64_any_dtype(series.dtype):
        return None
    if types.is_timedelta64_dtype(series.dtype) or types.is_complex_dtype(series.dtype):
        return None
    missing = series.isna().to_numpy()
    if types.is_numeric_dtype(series.dtype):
        numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
        known = numbers[~missing]
        if not len(known) or not np.isfinite(known).all() or (known != np.rint(known)).any():
            return None
        return tuple(
            None if gone else str(int(value)) for gone, value in zip(missing.tolist(), numbers.tolist(), strict=True)
        )
    return tuple(None if gone else str(value) for gone, value in zip(missing.tolist(), series.tolist(), strict=True))

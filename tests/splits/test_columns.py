"""Columns are read as what they are, and held against the label out of fold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from dataguard.splits.columns import Column, names_rows, read_column

TWO = ("no", "yes")


def number(values: NDArray[np.float64], name: str = "x") -> Column:
    return Column(name=name, kind="number", values=values.astype(np.float64))


@pytest.mark.parametrize(
    ("given_values", "kind", "distinct"),
    [
        (["1", " 2.5", None, "3"], "number", 3),
        (["1", "b", None, "3"], "category", 3),
        ([1, "1", 2.5, None], "number", 2),
        ([[1], [1], {"a": 1}, None], "category", 2),
        ([True, False, None, True], "category", 2),
        ([1.0, float("inf"), float("-inf"), float("nan")], "number", 3),
        ([None, None, None, None], "category", 0),
        (pd.to_datetime(["2024-01-01", "2024-01-02", "NaT", "2024-01-01"]), "number", 2),
        (pd.Categorical(["b", "a", None, "a"]), "category", 2),
    ],
)
def test_columns_are_read_by_what_is_in_them(given_values: object, kind: str, distinct: int) -> None:
    column = read_column(pd.Series(given_values), "x")
    assert (column.kind, column.n_distinct) == (kind, distinct)
    assert column.missing.sum() == pd.Series(given_values).isna().sum()
    assert np.isfinite(column.values[~column.missing]).all()


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("case_id", np.random.default_rng(0).choice(10**7, 100, replace=False), True),
        ("Unnamed: 0", np.arange(100), True),
        ("x", np.arange(100), True),
        ("income", np.random.default_rng(0).choice(10**7, 100, replace=False), False),
        ("paid", np.random.default_rng(0).choice(10**7, 100, replace=False), False),
        ("id", np.random.default_rng(0).normal(size=100), False),
        ("id", np.zeros(100), False),
    ],
)
def test_row_numbers_are_told_from_quantities(name: str, values: NDArray[np.float64], expected: bool) -> None:
    assert names_rows(number(values, name)) is expected

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.labels.table_rows import LONGEST, TableRows


def rows(**columns: object) -> TableRows:
    frame = pd.DataFrame(columns)
    return TableRows.of(frame, range(len(frame)))


def made(n: int = 600, seed: int = 0) -> tuple[TableRows, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, n)
    return (
        rows(
            noise=rng.normal(size=n),
            weak=codes + 3 * rng.normal(size=n),
            name=[f"row {index}" for index in range(n)],
            colour=np.array(["red", "green", "blue"])[np.where(rng.random(n) < 0.8, codes, rng.integers(0, 3, n))],
            strong=codes + 0.1 * rng.normal(size=n),
        ),
        codes,
    )


def test_columns_that_tell_classes_apart_come_first() -> None:
    table, codes = made()
    assert [table.names[column] for column in table.telling(codes, 3)] == ["strong", "colour", "weak"]


def test_names_of_rows_come_last_though_each_is_its_own_class() -> None:
    table, codes = made()
    assert table.names[table.telling(codes, 5)[-1]] == "name"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_neither_scale_nor_names_of_classes_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table, codes = made(200, seed)
    stretched = TableRows(
        names=table.names, columns=tuple(c if c.dtype == object else np.exp(c / 5) for c in table.columns)
    )
    assert stretched.telling(rng.permutation(3)[codes], 5) == table.telling(codes, 5)


def test_values_are_short_and_missing_ones_are_none() -> None:
    table = rows(
        number=[1 / 3, np.nan],
        whole=[7, 8],
        truth=[True, False],
        words=["a  b\n" + 200 * "x", None],
        day=[np.datetime64("2024-05-06"), np.datetime64("NaT")],
    )
    first = [table.cell(0, column) for column in range(5)]
    assert first[:3] == [0.333333, 7, "true"]
    assert isinstance(first[3], str)
    assert first[3].startswith("a b x")
    assert (len(first[3]), first[3][-1]) == (LONGEST, "…")
    assert str(first[4]).startswith("2024-05-06")
    assert [table.cell(1, column) for column in (0, 3, 4)] == [None, None, None]


@pytest.mark.parametrize("values", [[1.0] * 8, [np.nan] * 8, ["x"] * 8, [None] * 8, list(range(8))])
def test_columns_that_tell_nothing_are_no_trouble(values: list[object]) -> None:
    table = rows(empty=values, good=[0, 0, 0, 0, 5, 5, 5, 5])
    assert table.telling(np.repeat([0, 1], 4), 1) == (1,)
    assert set(table.telling(np.zeros(8, dtype=int), 2)) == {0, 1}


def test_chosen_rows_in_their_order() -> None:
    frame = pd.DataFrame({"x": [10, 11, 12]}, index=[5, 6, 7])
    table = TableRows.of(frame, [2, 0])
    assert [table.cell(row, 0) for row in range(2)] == [12, 10]

"""Columns that are the label under another name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.splits.columns import Column, Goal
from dataguard.splits.label_copies import bookkeeping, near_copy, recoding

TWO = ("no", "yes")


def number(values: NDArray[np.float64], name: str = "x") -> Column:
    return Column(name=name, kind="number", values=values.astype(np.float64))


@pytest.mark.parametrize("n", [40, 500])
def test_a_value_a_class_is_one_to_one(n: int) -> None:
    y = np.random.default_rng(0).integers(0, 3, n)
    goal = Goal(values=y.astype(float), classes=("a", "b", "c"))
    made = recoding(number(np.array([7.0, 3, 11])[y]), goal)
    assert made is not None
    assert (made.kind, made.n_values) == ("one to one", 3)


def test_one_exception_is_no_recoding() -> None:
    y = np.random.default_rng(0).integers(0, 2, 200)
    other = y.copy()
    other[0] = 1 - other[0]
    assert recoding(number(other.astype(float)), Goal(values=y.astype(float), classes=TWO)) is None


def test_a_number_that_parts_the_classes_is_a_feature() -> None:
    y = np.random.default_rng(0).integers(0, 2, 400)
    length = np.round(1 + 3 * y + np.random.default_rng(1).uniform(0, 1, 400), 1)
    assert recoding(number(length), Goal(values=y.astype(float), classes=TWO)) is None


def test_names_of_rows_are_no_recoding() -> None:
    y = np.random.default_rng(0).integers(0, 2, 200).astype(float)
    assert recoding(Column(name="id", kind="category", values=np.arange(200.0)), Goal(values=y, classes=TWO)) is None


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000),
    st.floats(0.01, 1000),
    st.booleans(),
    st.floats(-1e4, 1e4),
)
def test_other_units_are_seen_through_rounding(seed: int, slope: float, falls: bool, offset: float) -> None:
    y = np.random.default_rng(seed).normal(size=100) * 10
    slope = -slope if falls else slope
    made = recoding(number(np.round(slope * y + offset, 4)), Goal(values=y, classes=()))
    assert made is not None
    assert made.kind == "linear"
    assert made.slope == pytest.approx(slope, rel=1e-2)


def test_an_order_without_exception_is_monotone_and_with_one_is_not() -> None:
    y = np.random.default_rng(0).normal(size=100)
    x = np.exp(y)
    goal = Goal(values=y, classes=())
    made = recoding(number(-x), goal)
    assert made is not None
    assert made.kind == "monotone"
    low, high = np.argsort(x)[[10, 60]]
    x[low], x[high] = x[high], x[low]
    assert recoding(number(x), goal) is None


def test_a_strong_honest_number_is_no_recoding_of_a_target() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=300)
    assert recoding(number(y + 0.01 * rng.normal(size=300)), Goal(values=y, classes=())) is None


def test_a_target_that_is_a_sum_is_found_and_a_noiseless_model_is_not() -> None:
    rng = np.random.default_rng(0)
    casual, registered, other = (rng.integers(0, 500, 200).astype(float) for _ in range(3))
    columns = [number(casual, "casual"), number(registered, "registered"), number(other, "other")]
    found = bookkeeping(columns, Goal(values=casual + registered, classes=()))
    assert found is not None
    assert (found.columns, found.signs) == (("casual", "registered"), (1, 1))
    assert bookkeeping(columns, Goal(values=1.7 * casual + 0.3 * registered, classes=())) is None
    assert bookkeeping(columns, Goal(values=casual + registered + rng.normal(size=200), classes=())) is None


@pytest.mark.parametrize(("wrong", "found"), [(0.01, True), (0.05, True), (0.2, False)])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_copy_with_few_errors_is_told_from_a_test_with_many(wrong: float, found: bool, classes: int) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, 400)
    x = np.where(rng.random(400) < wrong, (y + 1) % classes, y)
    goal = Goal(values=y.astype(float), classes=("a", "b", "c")[:classes])
    made = near_copy(number(10.0 - x), goal, None)
    assert (made is not None) is found
    if made is not None:
        assert made.n_wrong == int((x != y).sum())
        assert (made.predicted == x).all()


def test_a_number_of_many_values_or_one_that_misses_a_class_is_no_copy() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    goal = Goal(values=y.astype(float), classes=("a", "b", "c"))
    assert near_copy(number(y + 0.01 * rng.normal(size=400)), goal, None) is None
    assert near_copy(number(np.minimum(y, 1).astype(float)), goal, None) is None


def test_errors_that_come_in_groups_make_a_copy_less_sure() -> None:
    y = np.arange(600) % 2
    x = y.copy()
    x[:40] = 1 - x[:40]
    goal = Goal(values=y.astype(float), classes=TWO)
    alone, grouped = (near_copy(number(x.astype(float)), goal, c) for c in (None, np.arange(600) // 5))
    assert alone is not None
    assert grouped is not None
    assert grouped.kappa == alone.kappa
    assert grouped.kappa_low < alone.kappa_low
    assert near_copy(number(x.astype(float)), goal, np.arange(600) // 40) is None

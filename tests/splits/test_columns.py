"""Columns are read as what they are, and held against the label out of fold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.splits.columns import (
    Column,
    Goal,
    bookkeeping,
    design_effect,
    folds_of,
    holm,
    names_rows,
    near_copy,
    power_of,
    read_column,
    recoding,
    telling_gaps,
    told_by,
    told_by_bins,
)

TWO = ("no", "yes")


def number(values: NDArray[np.float64], name: str = "x") -> Column:
    return Column(name=name, kind="number", values=values.astype(np.float64))


def skill(column: Column, goal: Goal) -> float:
    return power_of(told_by(column, goal, folds_of(len(goal.values), None, 0)), goal, None).skill


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


def test_a_category_seen_once_tells_nothing() -> None:
    rng = np.random.default_rng(0)
    goal = Goal(values=rng.integers(0, 2, 500).astype(float), classes=TWO)
    assert abs(skill(Column(name="name", kind="category", values=np.arange(500.0)), goal)) < 0.15


def test_a_number_a_category_and_a_gap_that_know_the_label_tell_it() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 500)
    goal = Goal(values=y.astype(float), classes=TWO)
    assert skill(number(y + 0.1 * rng.normal(size=500)), goal) > 0.97
    assert skill(Column(name="c", kind="category", values=(2 * y + rng.integers(0, 2, 500)).astype(float)), goal) == 1
    assert skill(number(np.where(y == 1, rng.normal(size=500), np.nan)), goal) > 0.97


@pytest.mark.parametrize("n", [60, 1000])
def test_a_noisy_copy_of_a_target_is_followed_to_its_noise(n: int) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=n)
    goal = Goal(values=y, classes=())
    assert skill(number(y + 0.01 * rng.normal(size=n)), goal) == pytest.approx(0.99, abs=0.01)
    assert skill(number(rng.normal(size=n)), goal) < 0.1


def test_the_interval_covers_nothing_told() -> None:
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        goal = Goal(values=rng.integers(0, 3, 200).astype(float), classes=("a", "b", "c"))
        column = number(rng.normal(size=200))
        power = power_of(told_by(column, goal, folds_of(200, None, seed)), goal, None)
        covered += power.low <= 0 <= power.high
    assert covered >= 54  # of 60: P(fewer than 54 at 95 %) is 4 %, at 90 % it is a half; seeds are fixed


def test_clusters_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(40), 20)
    goal = Goal(values=rng.integers(0, 2, 40)[group].astype(float), classes=TWO)
    predicted = rng.integers(0, 2, 40)[group].astype(float)
    alone, together = power_of(predicted, goal, None), power_of(predicted, goal, group)
    assert together.high - together.low > 3 * (alone.high - alone.low)


# Recodings


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


# Missing values


def test_gaps_count_classes_and_states() -> None:
    y = np.array([0] * 50 + [1] * 50)
    values = np.where(np.arange(100) < 40, np.nan, 1.0)
    best = min(telling_gaps(number(values), Goal(values=y.astype(float), classes=TWO)), key=lambda gaps: gaps.p_value)
    assert (best.label, best.missing, best.n, best.n_right) == ("no", True, 40, 40)
    assert best.purity == 1
    assert best.coverage == pytest.approx(0.8)
    assert best.youden == pytest.approx(0.8)


def test_copies_count_once_among_gaps() -> None:
    y = np.array([0] * 50 + [1] * 50)
    values = np.where(y == 0, np.nan, 1.0)
    goal = Goal(values=y.astype(float), classes=TWO)
    alone = telling_gaps(number(values), goal)[0]
    copied = telling_gaps(number(values), goal, np.arange(100) // 10)[0]
    assert copied.p_value > alone.p_value
    assert copied.design_effect == pytest.approx(10)


# Names of rows


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("case_id", np.random.default_rng(0).permutation(10**7)[:100], True),
        ("Unnamed: 0", np.arange(100), True),
        ("x", np.arange(100), True),
        ("income", np.random.default_rng(0).permutation(10**7)[:100], False),
        ("paid", np.random.default_rng(0).permutation(10**7)[:100], False),
        ("id", np.random.default_rng(0).normal(size=100), False),
        ("id", np.zeros(100), False),
    ],
)
def test_row_numbers_are_told_from_quantities(name: str, values: NDArray[np.float64], expected: bool) -> None:
    assert names_rows(number(values, name)) is expected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_never_lowers_a_p_value_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert (adjusted >= np.array(p_values) - 1e-12).all()
    assert (adjusted <= 1).all()
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(adjusted[order]) >= -1e-12).all()
    assert adjusted.min() == pytest.approx(min(1.0, min(p_values) * len(p_values)))


# Copies with errors


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


def test_the_design_effect_is_1_for_scattered_and_the_size_for_whole_clusters() -> None:
    clusters = np.repeat(np.arange(50), 4)
    rng = np.random.default_rng(0)
    whole = np.repeat(rng.choice([-1.0, 1.0], 50), 4)
    assert design_effect(whole, clusters) == pytest.approx(4)
    assert design_effect(np.tile([1.0, -1.0], 100), clusters) == 1
    assert design_effect(whole, None) == 1
    assert design_effect(np.zeros(200), clusters) == pytest.approx(4)


# Single values


def test_a_value_that_half_of_a_class_has_is_counted_and_one_by_its_size_is_marked() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    mark = np.where((y == 1) & (rng.random(400) < 0.5), 0.0, rng.normal(size=400))
    goal = Goal(values=y.astype(float), classes=TWO)
    best = min(telling_gaps(number(mark), goal), key=lambda gaps: gaps.p_value)
    assert (best.value, best.label, best.by_size, best.purity) == ("0", "yes", False, 1)
    assert best.n == int((mark == 0).sum())
    petal = np.where(y == 1, rng.choice([0.1, 0.2, 0.3], 400), rng.choice([1.0, 1.1, 1.2], 400))
    assert all(gaps.by_size for gaps in telling_gaps(number(petal), goal) if gaps.youden > 0.1)


def test_bins_tell_about_as_much_as_trees() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    goal, folds = Goal(values=y.astype(float), classes=TWO), folds_of(600, None, 0)
    for shift in (0.0, 1.0, 4.0):
        column = number(shift * y + rng.normal(size=600))
        coarse = power_of(told_by_bins(column, goal, folds), goal, None).skill
        assert coarse == pytest.approx(power_of(told_by(column, goal, folds), goal, None).skill, abs=0.15)


def test_a_wide_gap_between_classes_is_told_without_error() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 900)
    assert skill(number(y + 0.1 * rng.normal(size=900)), Goal(values=y.astype(float), classes=TWO)) == 1

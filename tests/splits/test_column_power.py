"""How much columns tell of the label."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.splits.column_power import folds_of, power_of, told_by, told_by_bins
from dataguard.splits.columns import Column, Goal

TWO = ("no", "yes")


def number(values: NDArray[np.float64], name: str = "x") -> Column:
    return Column(name=name, kind="number", values=values.astype(np.float64))


def skill(column: Column, goal: Goal) -> float:
    return power_of(told_by(column, goal, folds_of(len(goal.values), None, 0)), goal, None).skill


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


@pytest.mark.slow
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

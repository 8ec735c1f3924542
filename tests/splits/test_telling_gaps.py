"""Gaps and values that know the label."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.splits.columns import Column, Goal
from dataguard.splits.telling_gaps import design_effect, telling_gaps

TWO = ("no", "yes")


def number(values: NDArray[np.float64], name: str = "x") -> Column:
    return Column(name=name, kind="number", values=values.astype(np.float64))


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


def test_the_design_effect_is_1_for_scattered_and_the_size_for_whole_clusters() -> None:
    clusters = np.repeat(np.arange(50), 4)
    rng = np.random.default_rng(0)
    whole = np.repeat(rng.choice([-1.0, 1.0], 50), 4)
    assert design_effect(whole, clusters) == pytest.approx(4)
    assert design_effect(np.tile([1.0, -1.0], 100), clusters) == 1
    assert design_effect(whole, None) == 1
    assert design_effect(np.zeros(200), clusters) == pytest.approx(4)


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

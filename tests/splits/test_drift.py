"""Two splits are told apart where they differ, and only there; groups and copies do not count as many."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.splits.columns import Column
from dataguard.splits.drift import LABEL, TwoSample, column_drifts, told_apart

pytestmark = pytest.mark.slow


Floats = NDArray[np.float64]


def normals(n: int = 400, d: int = 4, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)).astype(np.float32), rng.random(n) < 0.4


def compared(x: NDArray[np.float32], second: NDArray[np.bool_], clusters: NDArray[np.intp] | None = None) -> TwoSample:
    made = told_apart(x, second, clusters, seed=0)
    assert isinstance(made, TwoSample), made
    return made


def number(values: Floats, name: str = "x") -> Column:
    return Column(name=name, kind="number", values=values.astype(np.float64))


def test_a_shifted_split_is_told_apart_by_about_its_shift() -> None:
    x, second = normals(2000)
    x[second, 0] += 1
    made = compared(x, second)
    assert made.p_value < 1e-12
    assert made.low < 0.76 < made.high + 0.03  # Φ(1/√2) = 0.760 is the best that there is
    assert made.auc > 0.7


def test_equal_splits_are_not_told_apart_more_often_than_said() -> None:
    p_values = []
    for seed in range(20):
        x, second = normals(150, seed=seed)
        p_values.append(compared(x, second).p_value)
    assert sum(p <= 0.05 for p in p_values) <= 3  # of 20 at 5 %; seeds are fixed


def test_copies_on_both_sides_are_no_drift() -> None:
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 100, 600)
    x = rng.normal(size=(100, 4))[clusters].astype(np.float32)
    made = compared(x, rng.random(600) < 0.4, clusters)
    assert made.p_value > 0.01
    assert made.n_clusters == 100


def test_whole_groups_in_a_split_do_not_count_by_rows() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(40), 30)
    values = rng.normal(size=40)[group] + 0.1 * rng.normal(size=1200)
    second = group % 3 == 0
    (by_rows,) = column_drifts([number(values)], second, None)
    (by_groups,) = column_drifts([number(values)], second, group)
    assert by_rows.effect == by_groups.effect
    assert by_rows.p_value < 1e-3 < by_groups.p_value
    assert by_groups.n < 60


def test_a_second_split_of_too_few_rows_or_groups_is_not_tested() -> None:
    x, _ = normals()
    assert "1 samples" in str(told_apart(x, np.arange(400) == 0, None, seed=0))
    assert "groups of a split are too few" in str(told_apart(x, np.arange(400) < 100, np.arange(400) // 50, seed=0))
    assert column_drifts([number(x[:, 0].astype(np.float64))], np.arange(400) == 0, None) == ()


def test_missing_values_constant_columns_and_many_columns_are_taken() -> None:
    x, second = normals(300, 100)
    x[:, 0], x[:, 1] = np.nan, 5
    x[second, 2:40] += 1
    made = compared(x, second)
    assert made.auc > 0.9
    assert "principal components" in made.note
    x[:] = np.nan
    assert compared(x[:, :5], second).auc == 0.5


def test_the_drawn_part_is_said() -> None:
    x, second = normals(1000)
    made = told_apart(x, second, None, seed=0, max_per_split=100)
    assert isinstance(made, TwoSample)
    assert made.n_first == made.n_second == 100
    assert "100 of" in made.note


def test_columns_are_tested_by_what_they_are_and_corrected_together() -> None:
    rng = np.random.default_rng(0)
    second = np.arange(600) >= 400
    shifted = rng.normal(size=600) + second
    category = np.where(second, rng.choice([0, 1], 600, p=[0.2, 0.8]), rng.choice([0, 1], 600, p=[0.8, 0.2]))
    gaps = np.where(second & (rng.random(600) < 0.5), np.nan, rng.normal(size=600))
    columns = [
        number(shifted, "shifted"),
        Column(name="category", kind="category", values=category.astype(float), categories=("a", "b")),
        number(gaps, "gaps"),
        *(number(rng.normal(size=600), f"noise {k}") for k in range(10)),
    ]
    made = {(item.name, item.test): item for item in column_drifts(columns, second, None)}
    assert made["shifted", "Kolmogorov–Smirnov"].effect == pytest.approx(0.38, abs=0.06)  # 2Φ(1/2) − 1
    assert made["category", "chi-square"].effect == pytest.approx(0.6, abs=0.1)
    assert made["category", "chi-square"].said.startswith("share of")
    assert made["gaps", "missing values"].effect == pytest.approx(0.5, abs=0.1)
    for (name, test), item in made.items():
        is_planted = (name, test) in {
            ("shifted", "Kolmogorov–Smirnov"),
            ("category", "chi-square"),
            ("gaps", "missing values"),
        }
        assert (item.adjusted <= 0.01) == is_planted
        assert item.adjusted >= item.p_value


def test_a_tail_of_rare_categories_is_no_drift() -> None:
    rng = np.random.default_rng(0)
    codes = rng.zipf(1.3, 2000) % 700
    categories = tuple(str(code) for code in range(700))
    column = Column(name="name", kind="category", values=codes.astype(float), categories=categories)
    (made,) = column_drifts([column], rng.random(2000) < 0.3, None)
    assert made.p_value > 0.01
    assert made.effect < 0.1


def test_an_unlabelled_test_split_is_no_drift_of_the_label() -> None:
    values = np.where(np.arange(200) < 150, np.arange(200) % 2, np.nan)
    assert column_drifts([number(values, LABEL)], np.arange(200) >= 150, None) == ()

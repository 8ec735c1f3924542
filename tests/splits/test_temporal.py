from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.splits.temporal import TimeDependence, period, share_later, time_dependence

START = np.datetime64("2024-01-01", "us")


def days(numbers: list[int | None]) -> NDArray[np.datetime64]:
    return np.array(
        [np.datetime64("NaT") if at is None else START + at * np.timedelta64(1, "D") for at in numbers],
        dtype="datetime64[us]",
    )


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=15),
    st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=15),
)
def test_the_share_is_that_of_all_pairs(train: list[int | None], test: list[int | None]) -> None:
    training = np.array([True] * len(train) + [False] * len(test), dtype=bool)
    found = share_later(days([*train, *test]), training, ~training)
    pairs = [(a > b) + 0.5 * (a == b) for a in train for b in test if a is not None and b is not None]
    assert found == (pytest.approx(np.mean(pairs)) if pairs else None)


def test_a_period_counts_what_is_known() -> None:
    found = period(days([3, None, 1, 2, 9]), np.array([True, True, True, True, False]), "train")
    assert found is not None
    assert (found.n, found.missing) == (3, 1)
    assert [str(at)[:10] for at in (found.first, found.median, found.last)] == [
        "2024-01-02",
        "2024-01-03",
        "2024-01-04",
    ]
    assert period(days([None, 1]), np.array([True, False]), "train") is None


def dependence(features: NDArray[np.floating] | None, label: NDArray[np.intp], seed: int = 0) -> TimeDependence:
    n = len(label)
    return time_dependence(
        None if features is None else features.astype(np.float32), None, label, days(list(range(n))), seed=seed
    )


@pytest.mark.slow
def test_what_is_exchangeable_has_uniform_p_values() -> None:
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(100, 3))
        found.append(dependence(features, (features[:, 0] > 0).astype(np.intp), seed).p_value)
    assert sum(p <= 0.05 for p in found) <= 8
    assert sum(p <= 0.5 for p in found) >= 12


def test_drift_of_features_labels_and_their_relation_is_seen() -> None:
    rng = np.random.default_rng(0)
    n = 400
    at = np.linspace(-1, 1, n)
    features, coin = rng.normal(size=(n, 3)), rng.integers(0, 2, n)
    assert dependence(features + at[:, None], coin).drift == 0.001
    assert dependence(features, (rng.random(n) < 0.5 + 0.4 * at).astype(np.intp)).drift == 0.001
    assert dependence(None, (rng.random(n) < 0.5 + 0.4 * at).astype(np.intp)).p_value <= 0.01
    turning = (features[:, 0] * at + 0.2 * rng.normal(size=n) > 0).astype(np.intp)
    assert dependence(features, turning).drift == 0.001


def test_what_is_near_in_time_and_alike_is_seen_without_a_trend() -> None:
    rng = np.random.default_rng(0)
    sessions = rng.normal(size=(80, 6))[np.arange(480) // 6] + 0.3 * rng.normal(size=(480, 6))
    assert dependence(sessions, rng.integers(0, 2, 480)).nearness == 0.001


@pytest.mark.parametrize("n", [0, 1, 3])
def test_hardly_any_sample_depends_on_nothing(n: int) -> None:
    assert dependence(np.zeros((n, 2)), np.zeros(n, dtype=np.intp)).p_value == 1.0


def test_constant_columns_and_equal_times_depend_on_nothing() -> None:
    found = time_dependence(np.ones((60, 2), dtype=np.float32), None, np.arange(60) % 2, days([5] * 60), seed=0)
    assert found.p_value == 1.0
    target = np.where(np.arange(60) % 7 == 0, np.nan, np.arange(60) % 5)
    found = time_dependence(None, target, np.zeros(60, dtype=np.intp), days(list(range(60))), seed=0)
    assert found.n == 51

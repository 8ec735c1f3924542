from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.splits.exchange import Exchange, exchange, narrowed, nearest_in_stratum, slots


def near(
    features: NDArray[np.float32], order: NDArray[np.int64], strata: NDArray[np.intp], *, window: int, seed: int = 0
) -> Exchange:
    rng = np.random.default_rng(seed)
    neighbours = nearest_in_stratum(features, strata, most=10_000, rng=rng)

    def together(first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.array([np.mean(np.abs(first - second) <= 1), np.mean(np.abs(first - second) <= 3)])

    windows = np.full(int(strata.max()) + 1, window)
    return exchange(neighbours, slots(order, strata), strata, together, windows=windows, rng=rng, permutations=199)


def test_the_nearest_is_the_one_of_brute_force_and_of_the_same_stratum() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 3)).astype(np.float32)
    strata = rng.integers(-1, 3, 80)
    found = nearest_in_stratum(features, strata, most=1000, rng=rng)
    assert sorted(found.samples.tolist()) == np.flatnonzero(strata >= 0).tolist()
    for row, its in zip(found.samples, found.nearest, strict=True):
        others = [other for other in np.flatnonzero(strata == strata[row]) if other != row]
        assert its == min(others, key=lambda other: float(np.sum((features[row] - features[other]) ** 2)))


def test_equal_rows_find_one_another_at_random_and_not_by_their_place() -> None:
    found = nearest_in_stratum(
        np.zeros((400, 2), dtype=np.float32), np.zeros(400, dtype=np.intp), most=1000, rng=np.random.default_rng(0)
    )
    lags = np.abs(found.samples - found.nearest)
    assert (lags > 0).all()
    assert np.mean(lags <= 10) < 0.12  # 0.05 by chance


def test_of_many_samples_only_so_many_are_asked() -> None:
    rng = np.random.default_rng(0)
    strata = np.repeat([0, 1], [900, 100])
    found = nearest_in_stratum(rng.normal(size=(1000, 2)).astype(np.float32), strata, most=100, rng=rng)
    assert len(found.samples) == 100
    assert np.bincount(strata[found.samples]).tolist() == [90, 10]


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=40), st.integers(0, 2**32 - 1))
def test_slots_put_strata_one_after_another_each_in_order(strata: list[int], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(strata))
    place = slots(order, np.array(strata))
    used = [row for row in range(len(strata)) if strata[row] >= 0]
    assert sorted(used, key=lambda row: (strata[row], order[row])) == sorted(used, key=lambda row: place[row])
    assert sorted(place[used].tolist()) == list(range(len(used)))
    assert all(place[row] == -1 for row in range(len(strata)) if strata[row] < 0)


def test_an_exchangeable_order_has_uniform_p_values() -> None:
    p_values = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(120, 2)).astype(np.float32)
        p_values.append(near(features, np.arange(120), rng.integers(0, 2, 120), window=20, seed=seed).p_value)
    assert sum(p <= 0.05 for p in p_values) <= 9
    assert sum(p <= 0.5 for p in p_values) >= 18


def test_pairs_that_lie_together_are_found_within_windows_and_between_are_not() -> None:
    rng = np.random.default_rng(3)
    pairs = np.repeat(rng.normal(size=(60, 4)), 2, axis=0) + 0.1 * rng.normal(size=(120, 4))
    strata = np.zeros(120, dtype=np.intp)
    found = near(pairs.astype(np.float32), np.arange(120), strata, window=20)
    assert found.p_value == pytest.approx(1 / 200)
    assert found.observed[0] > 0.9 > 0.3 > found.expected[0]
    # A slow change is the same within a window: it is not taken for groups.
    slow = np.repeat(np.arange(6), 20)[:, None] * 10 + rng.normal(size=(120, 2))
    assert near(slow.astype(np.float32), np.arange(120), strata, window=10).p_value > 0.05


def test_wide_features_keep_their_distances() -> None:
    rng = np.random.default_rng(0)
    wide = (rng.normal(size=(50, 5)) @ rng.normal(size=(5, 200))).astype(np.float32)
    made: NDArray[Any] = narrowed(wide)
    assert made.shape == (50, 64)
    expected = np.linalg.norm(wide[:, None] - wide[None], axis=2)
    assert np.allclose(np.linalg.norm(made[:, None] - made[None], axis=2), expected, rtol=1e-3, atol=1e-2)
    assert narrowed(wide[:, :7]) is not made
    assert np.array_equal(narrowed(wide[:, :7]), wide[:, :7])

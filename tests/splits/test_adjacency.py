from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.core.finding import Inconclusive
from dataguard.splits.adjacency import Adjacency, adjacency, smooth_in, sort_keys, without_trend


def found_in(
    features: NDArray[np.floating], order: NDArray[np.int64] | None = None, strata: NDArray[np.intp] | None = None
) -> Adjacency:
    order = np.arange(len(features)) if order is None else order
    found = adjacency(features.astype(np.float32), order, strata, seed=0, permutations=499)
    assert isinstance(found, Adjacency), found
    return found


def in_groups(n_groups: int, size: int, d: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.repeat(rng.normal(size=(n_groups, d)), size, axis=0) + rng.normal(size=(n_groups * size, d))


def test_the_writers_of_the_digits_are_found() -> None:
    from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    found = found_in(pixels, strata=digits)
    assert found.p_value == 1 / 500
    assert found.share > 2 * found.expected
    assert found.score > 15
    shuffled = np.random.default_rng(0).permutation(len(digits))
    assert found_in(pixels, order=shuffled, strata=digits).p_value > 0.05
    by_class = np.argsort(np.lexsort((shuffled, digits)))
    assert found_in(pixels, order=by_class, strata=digits).p_value > 0.01
    kept = np.argsort(np.lexsort((np.arange(len(digits)), digits)))
    assert found_in(pixels, order=kept, strata=digits).p_value == 1 / 500


def test_groups_in_the_order_are_found_with_their_reach() -> None:
    rng = np.random.default_rng(1)
    found = found_in(in_groups(40, 15, 6, rng), strata=rng.integers(0, 2, 600))
    assert found.p_value == 1 / 500
    assert found.ratio > 2
    assert 1 <= found.reach <= 8
    assert found.reach <= found.rows <= 3 * found.reach


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", ["column", "two columns", "label and column", "drift", "ties", "curve"])
def test_sorted_files_and_drift_are_no_groups(case: str, seed: int) -> None:
    rng = np.random.default_rng([seed, 5])
    n = 500
    features = rng.normal(size=(n, 4))
    features[:, 1] += 2 * features[:, 0]
    label = (features[:, 2] + rng.normal(size=n) > 0).astype(np.intp)
    city = rng.integers(0, 6, n)
    if case == "column":
        order = np.argsort(features[:, 0])
    elif case == "two columns":
        features = np.hstack([features, np.eye(6)[city]])
        order = np.lexsort((features[:, 0], city))
    elif case == "label and column":
        order = np.lexsort((features[:, 0], label))
    elif case == "drift":
        features += np.sin(np.linspace(0, 6, n))[:, None] * [2.0, -1.0, 0.5, 3.0]
        order = np.arange(n)
    elif case == "ties":
        features = np.round(features).clip(-1, 1)
        order = np.lexsort(features.T)
    else:
        features[:, 3] = np.sin(5 * features[:, 0])
        order = np.argsort(features[:, 0])
    found = adjacency(features[order].astype(np.float32), np.arange(n), label[order], seed=0, permutations=499)
    if case == "ties":  # every column is one that the file is sorted by
        assert isinstance(found, Inconclusive)
    else:
        assert isinstance(found, Adjacency)
        assert found.p_value > 0.004


def test_groups_are_found_below_drift_and_sorting() -> None:
    rng = np.random.default_rng(2)
    features = in_groups(50, 12, 6, rng)
    features += 5 * np.linspace(0, 1, 600)[:, None]
    assert found_in(features).p_value == 1 / 500
    # An ascending number of the row or the group is left out, not believed.
    numbered = np.column_stack([features, np.arange(600) // 12])
    found = found_in(numbered)
    assert found.keys == (6,)
    assert found.p_value == 1 / 500


def test_keys_are_columns_that_the_file_is_sorted_by() -> None:
    rng = np.random.default_rng(0)
    n = 400
    city, year = rng.integers(0, 3, n), rng.integers(0, 8, n)
    size = rng.normal(size=n)
    order = np.lexsort((-size, year, city))
    group = np.repeat(rng.normal(size=n // 10), 10)  # constant within groups: steps both ways
    features = np.column_stack([city[order], year[order], size[order], group, rng.normal(size=n), np.ones(n)])
    assert sort_keys(features.astype(np.float32), np.arange(n)) == [0, 1, 2]
    assert sort_keys(features.astype(np.float32), rng.permutation(n)) == []


def test_without_trend_takes_out_what_is_smooth_and_leaves_the_rest() -> None:
    rng = np.random.default_rng(0)
    at = np.linspace(0, 1, 300)
    noise = rng.normal(size=300)
    features = np.column_stack([at**3, noise, noise + 20 * at**2, np.full(300, 4.0)]).astype(np.float32)
    left = without_trend(features, features[:, :0], np.arange(300), rng)
    assert left.shape == (300, 2)  # the curve and the constant are gone
    assert np.corrcoef(left[:, 0], noise)[0, 1] > 0.98
    assert np.corrcoef(left[:, 1], noise)[0, 1] > 0.85  # ranks bend it
    keyed = without_trend(features[:, 1:2], features[:, 1:2], np.arange(300), rng)
    assert keyed.shape == (300, 0)


def test_curves_are_told_from_groups() -> None:
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(50), 6)
    effect = rng.normal(size=50)[ids]
    features = np.column_stack([np.cos(ids / 9), effect, rng.normal(size=300)]).astype(np.float32)
    assert smooth_in(features, ids, np.zeros(300, dtype=np.intp)).tolist() == [True, False, False]


@pytest.mark.parametrize("n", [0, 1, 49])
def test_few_samples_are_inconclusive(n: int) -> None:
    found = adjacency(np.ones((n, 2), dtype=np.float32), np.arange(n), None, seed=0)
    assert isinstance(found, Inconclusive)
    assert "too few" in found.reason


def test_constant_features_are_inconclusive() -> None:
    found = adjacency(np.ones((100, 2), dtype=np.float32), np.arange(100), None, seed=0)
    assert isinstance(found, Inconclusive)
    assert "no feature varies" in found.reason


@pytest.mark.slow
def test_many_samples_are_looked_at_in_stretches() -> None:
    rng = np.random.default_rng(0)
    features = in_groups(2500, 10, 5, rng)
    found = adjacency(features.astype(np.float32), np.arange(25_000), None, seed=0, permutations=19)
    assert isinstance(found, Adjacency)
    assert found.n <= 4000
    assert found.p_value == 1 / 20

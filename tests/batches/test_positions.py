from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.batches.matches import agreement, matches_log_moments, matches_moments
from dataguard.batches.positions import batch_nearness, nearness, successor_log_moments, successors, trend
from dataguard.batches.significance import OrderTest
from dataguard.core.finding import Inconclusive


def decided(result: OrderTest | Inconclusive) -> OrderTest:
    assert isinstance(result, OrderTest), result
    return result


TESTS: dict[str, Callable[[np.ndarray], OrderTest | Inconclusive]] = {
    "successors": lambda order: successors(order, len(order)),
    "trend": trend,
    "nearness": nearness,
    "batch nearness": lambda order: batch_nearness(order, np.full(len(order) // 16, 16)),
}


@pytest.mark.parametrize(("n", "size"), [(4, 6), (5, 5), (2, 7)])
def test_moments_of_successors_equal_enumeration(n: int, size: int) -> None:
    orders = np.array(list(itertools.permutations(range(size), n)))
    count = (np.diff(orders, axis=1) == 1).sum(axis=1)
    exact = [np.mean([math.comb(value, j) for value in count.tolist()]) for j in range(n)]
    assert np.exp(successor_log_moments(n, size, n - 1)) == pytest.approx(exact)


def test_moments_of_the_rank_ratio_equal_enumeration() -> None:
    orders = np.array(list(itertools.permutations(range(7))))
    ratios = (np.diff(orders, axis=1) ** 2).sum(axis=1) / (7 * 48 / 12)
    found = decided(nearness(np.arange(10)))
    assert ratios.mean() == pytest.approx(2)
    assert found.expected == 2
    n = 7
    assert ratios.var() == pytest.approx(4 * (n - 2) * (5 * n * n - 2 * n - 9) / (5 * n * (n + 1) * (n - 1) ** 2))


@pytest.mark.parametrize("name", TESTS)
def test_file_order_is_found_and_a_shuffle_is_not(name: str) -> None:
    assert decided(TESTS[name](np.arange(640))).p_value < 1e-4
    rng = np.random.default_rng(0)
    p = [decided(TESTS[name](rng.permutation(640))).p_value for _ in range(300)]
    assert sum(value <= 0.05 for value in p) <= 30


@pytest.mark.parametrize("name", ["successors", "trend"])
def test_reversed_file_order_is_found(name: str) -> None:
    assert decided(TESTS[name](np.arange(640)[::-1])).p_value < 1e-4


def test_shuffled_files_that_are_read_whole_are_near_though_without_a_trend() -> None:
    rng = np.random.default_rng(1)
    files = rng.permutation(np.arange(2000).reshape(50, 40))
    order = rng.permuted(files, axis=1).ravel()
    assert decided(nearness(order)).p_value < 1e-20
    assert decided(trend(order)).p_value > 1e-4


def test_batches_cut_from_the_source_and_shuffled_are_found() -> None:
    rng = np.random.default_rng(0)
    order = rng.permuted(rng.permutation(np.arange(1600).reshape(50, 32)), axis=1).ravel()
    assert decided(batch_nearness(order, np.full(50, 32))).p_value < 1e-4


def test_a_prefix_of_the_source_in_order_is_found() -> None:
    assert decided(successors(np.arange(100), 100_000)).p_value < 1e-100


def test_unknown_positions_are_left_out() -> None:
    order = np.arange(400)
    order[::7] = -1
    assert decided(trend(order)).n == 342
    assert decided(successors(order, 400)).statistic == 285
    assert isinstance(trend(np.full(50, -1)), Inconclusive)


@pytest.mark.parametrize("name", TESTS)
def test_few_samples_are_judged_by_permutations(name: str) -> None:
    found = decided(TESTS[name](np.arange(48)))
    assert found.p_value < 1e-3
    assert found.method in ("bound", "Monte Carlo")


@pytest.mark.parametrize(("first", "second"), [([0, 0, 1, 1, 2], [0, 1, 1, 2, 2]), ([0, 0, 0, 1], [3, 0, 0, 1])])
def test_moments_of_matches_equal_enumeration(first: list[int], second: list[int]) -> None:
    orders = np.array(list(itertools.permutations(second)))
    count = (orders == np.array(first)).sum(axis=1)
    one, other, n = np.bincount(first, minlength=4), np.bincount(second, minlength=4), len(first)
    assert matches_moments(one, other, n) == pytest.approx((count.mean(), count.var()))
    exact = [np.mean([math.comb(value, j) for value in count.tolist()]) for j in range(4)]
    assert np.exp(matches_log_moments(one, other, n, 3)) == pytest.approx(exact, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=60), st.permutations(range(5)))
@settings(max_examples=40, deadline=None)
def test_agreement_is_symmetric_and_blind_to_names(pairs: list[tuple[int, int]], names: list[int]) -> None:
    one, other = np.array(pairs).T
    left, right = agreement(one, other, name="x"), agreement(other, one, name="x")
    renamed = agreement(np.array(names)[one], np.array(names)[other], name="x")
    if isinstance(left, Inconclusive):
        assert left == right == renamed
    else:
        assert decided(right).p_value == pytest.approx(left.p_value)
        assert decided(renamed).p_value == pytest.approx(left.p_value)


def test_agreement_of_shuffled_sequences_is_no_alarm() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 3, 200)
    p = [decided(agreement(values, rng.permutation(values), name="x")).p_value for _ in range(300)]
    assert sum(value <= 0.05 for value in p) <= 25


def test_sequences_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="the same length, got 2 and 3"):
        agreement(np.arange(2), np.arange(3), name="x")

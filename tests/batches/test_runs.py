from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.batches.runs import (
    SIZE_BIAS,
    Period,
    Run,
    alternation,
    canonical,
    clustering,
    joins_log_moments,
    joins_moments,
    longest_run,
    period,
)
from dataguard.batches.significance import OrderTest
from dataguard.core.finding import Inconclusive

SMALL = [(2, 3), (3, 2, 2), (1, 1, 4), (4, 2, 1), (1, 1, 1, 1), (5, 1)]
STREAMS = st.lists(st.integers(0, 6), min_size=4, max_size=120).filter(lambda codes: len(set(codes)) > 1)


def permutations(counts: tuple[int, ...]) -> np.ndarray:
    codes = np.repeat(np.arange(len(counts)), counts)
    return np.array(list(itertools.permutations(codes.tolist())))


def decided(result: OrderTest | Inconclusive) -> OrderTest:
    assert isinstance(result, OrderTest), result
    return result


@pytest.mark.parametrize("counts", SMALL)
@pytest.mark.parametrize("lag", [1, 2, 3])
def test_moments_of_joins_equal_enumeration(counts: tuple[int, ...], lag: int) -> None:
    orders = permutations(counts)
    joins = (orders[:, lag:] == orders[:, :-lag]).sum(axis=1)
    assert joins_moments(np.array(counts), orders.shape[1], lag) == pytest.approx((joins.mean(), joins.var()))


@pytest.mark.parametrize("counts", SMALL)
def test_binomial_moments_of_joins_equal_enumeration(counts: tuple[int, ...]) -> None:
    orders = permutations(counts)
    joins = (orders[:, 1:] == orders[:, :-1]).sum(axis=1)
    exact = [np.mean([math.comb(count, j) for count in joins.tolist()]) for j in range(6)]
    assert np.exp(joins_log_moments(np.array(counts), orders.shape[1], 5)) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("counts", SMALL)
@pytest.mark.parametrize("test", ["clustering", "longest_run", "period"])
def test_bounds_are_p_values_over_all_permutations(counts: tuple[int, ...], test: str) -> None:
    def p_value(order: np.ndarray) -> float:
        result: OrderTest | Run | Period | Inconclusive
        if test == "clustering":
            result = clustering(order)
        else:
            result = longest_run(order) if test == "longest_run" else period(order)
        if isinstance(result, Inconclusive):
            return 1.0
        return (result if isinstance(result, OrderTest) else result.test).p_value

    orders, weights = np.unique(permutations(counts), axis=0, return_counts=True)
    p = np.array([p_value(order) for order in orders])
    for level in np.unique(p):
        assert weights[p <= level].sum() / weights.sum() <= level + 1e-9


@pytest.mark.parametrize("counts", SMALL)
def test_the_bound_of_too_few_joins_is_above_their_chance(counts: tuple[int, ...]) -> None:
    orders = permutations(counts)
    joins = (orders[:, 1:] == orders[:, :-1]).sum(axis=1)
    mean, _ = joins_moments(np.array(counts), orders.shape[1])
    for few in range(math.ceil(mean)):
        assert math.exp(-((mean - few) ** 2) / (2 * SIZE_BIAS * mean)) >= (joins <= few).mean()


@pytest.mark.parametrize("classes", [8, 40])
def test_too_few_joins_are_as_rare_as_said(classes: int) -> None:
    rng = np.random.default_rng(0)
    codes = np.arange(400) % classes
    p = [decided(alternation(rng.permutation(codes), seed=number)).p_value for number in range(400)]
    assert sum(value <= 0.05 for value in p) <= 38


@given(STREAMS, st.permutations(range(7)))
@settings(max_examples=50, deadline=None)
def test_relabelling_changes_nothing(codes: list[int], names: list[int]) -> None:
    one, other = np.array(codes), np.array(names)[codes]
    for test in (clustering, alternation):
        assert test(one) == test(other)
    pairs: list[tuple[Run | Period | Inconclusive, Run | Period | Inconclusive]] = [
        (longest_run(one), longest_run(other)),
        (period(one), period(other)),
    ]
    for left, right in pairs:
        if isinstance(left, Inconclusive):
            assert left == right
        else:
            assert isinstance(right, Run | Period)
            assert left.test == right.test


@given(STREAMS)
@settings(max_examples=30, deadline=None)
def test_a_stream_is_as_clustered_backwards(codes: list[int]) -> None:
    forward, backward = decided(clustering(np.array(codes))), decided(clustering(np.array(codes)[::-1]))
    assert forward.p_value == backward.p_value


@pytest.mark.parametrize("classes", [2, 10, 100, 1000])
def test_sorted_is_clustered_and_not_alternating(classes: int) -> None:
    codes = np.repeat(np.arange(classes), 3200 // classes)
    assert decided(clustering(codes)).p_value < 1e-100
    assert decided(alternation(codes)).p_value > 0.5
    found = period(codes)
    assert isinstance(found, Period)
    assert found.test.p_value == 1


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_round_robin_has_its_period(classes: int) -> None:
    codes = np.tile(np.arange(classes), 3200 // classes)
    found = period(codes)
    assert isinstance(found, Period)
    assert (found.lag, found.share) == (classes, 1.0)
    assert found.test.p_value < 1e-20
    assert decided(alternation(codes)).p_value < 1e-4
    assert decided(clustering(codes)).p_value == 1


def test_rare_classes_do_not_cry_wolf() -> None:
    rng = np.random.default_rng(0)
    codes = np.r_[np.ones(32, dtype=int), np.zeros(3168, dtype=int)]
    p = [decided(clustering(rng.permutation(codes))).p_value for _ in range(400)]
    assert sum(value <= 0.01 for value in p) <= 10


def test_rare_classes_that_stand_together_are_found() -> None:
    codes = np.zeros(3200, dtype=int)
    codes[100:132] = 1
    assert decided(clustering(codes)).p_value < 1e-30


def test_the_longest_run_is_where_it_was_put() -> None:
    codes = np.random.default_rng(0).integers(0, 10, 1000) * 3
    codes[300:340] = 21
    codes[[299, 340]] = 0
    run = longest_run(codes)
    assert isinstance(run, Run)
    assert (run.code, run.start, run.length) == (21, 300, 40)


@pytest.mark.parametrize("codes", [[], [1], [0, 1, 0], [2, 2, 2, 2, 2]])
def test_nothing_is_said_of_too_few_labels_or_one_class(codes: list[int]) -> None:
    for test in (clustering, alternation, period, longest_run):
        assert isinstance(test(np.array(codes, dtype=int)), Inconclusive)


def test_a_missing_label_is_refused() -> None:
    with pytest.raises(ValueError, match="leave out samples without a class"):
        clustering(np.array([0, 1, -1, 0, 1]))


def test_canonical_numbers_by_first_appearance() -> None:
    assert canonical(np.array([7, 7, 3, 9, 3])).tolist() == [0, 0, 1, 2, 1]


@pytest.mark.parametrize("classes", [2, 7])
def test_long_streams_keep_valid_bounds(classes: int) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, classes, 200_000)
    assert decided(clustering(codes)).p_value > 1e-3
    half = np.where(rng.random(200_000) < 0.05, np.roll(codes, 1), codes)
    assert decided(clustering(half)).p_value < 1e-6

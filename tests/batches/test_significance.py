from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.batches.significance import (
    EXCEEDANCES,
    binomial_moments,
    cantelli,
    decide,
    moment_bound,
    monte_carlo,
    shuffles,
)
from dataguard.core.multiple_tests import holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(P_VALUES)
def test_holm_is_between_the_raw_value_and_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    raw = np.array(p_values)
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(raw * len(raw), 1) + 1e-12).all()


@given(P_VALUES, st.randoms())
def test_holm_does_not_depend_on_the_order(p_values: list[float], random: Random) -> None:
    places = list(range(len(p_values)))
    random.shuffle(places)
    shuffled = holm([p_values[place] for place in places])
    assert np.array_equal(shuffled, holm(p_values)[places])


def test_holm_stops_at_the_first_that_is_not_significant() -> None:
    assert holm([0.001, 0.03, 0.04, 0.9]).tolist() == pytest.approx([0.004, 0.09, 0.09, 0.9])


def test_holm_leaves_out_tests_that_were_not_made() -> None:
    adjusted = holm([0.01, math.nan, 0.02])
    assert adjusted[[0, 2]].tolist() == [0.02, 0.02]
    assert math.isnan(adjusted[1])


def test_holm_of_no_test_is_empty() -> None:
    assert holm([]).shape == (0,)


@pytest.mark.parametrize("p_values", [[-0.1], [1.5], [[0.1]]])
def test_holm_refuses_what_is_no_p_value(p_values: list[float]) -> None:
    with pytest.raises(ValueError, match="p_values: expected"):
        holm(p_values)


def test_binomial_moments_multiply_polynomials() -> None:
    # (1 + 2x + 3x²)² (1 + x)
    factors = {0: [1.0, 2.0, 3.0], 1: [1.0, 1.0]}

    def terms(group: int, degree: int) -> np.ndarray:
        padded = np.zeros(degree + 1)
        padded[: len(factors[group])] = factors[group]
        with np.errstate(divide="ignore"):
            return np.log(padded)

    logs = binomial_moments(terms, [(0, 2), (1, 1)], 5, math.log(5))
    assert np.exp(logs) == pytest.approx(np.polynomial.polynomial.polymul([1, 4, 10, 12, 9], [1, 1]))


@given(st.floats(0.01, 40), st.integers(1, 90))
@settings(deadline=None)
def test_the_moment_bound_is_above_poissons_tail_and_close_to_it(mean: float, count: int) -> None:
    from scipy.special import gammaln
    from scipy.stats import poisson

    j = np.arange(300)
    bound = moment_bound(j * math.log(mean) - gammaln(j + 1), count)
    tail = float(poisson.sf(count - 1, mean))
    assert bound >= tail * (1 - 1e-9)
    if count > mean and tail > 1e-250:
        assert bound <= 12 * math.sqrt(count) * tail


def test_moments_that_are_not_known_are_not_taken_for_zero() -> None:
    assert moment_bound(np.array([0.0, math.log(2.0), -math.inf]), 4) == pytest.approx(0.5)


def test_monte_carlo_stops_early_and_is_exact() -> None:
    p, drawn, exceeded = monte_carlo(0.5, lambda rng, m: rng.random(m), tail="upper", seed=0)
    assert exceeded == EXCEEDANCES
    assert p == EXCEEDANCES / drawn
    assert 0.3 < p < 0.8
    p, drawn, exceeded = monte_carlo(2.0, lambda rng, m: rng.random(m), tail="upper", limit=999, seed=0)
    assert (p, drawn, exceeded) == (1 / 1000, 999, 0)


def test_monte_carlo_p_values_are_uniform() -> None:
    rng = np.random.default_rng(0)
    p = np.array(
        [
            monte_carlo(u, lambda rng, m: rng.random(m), tail="lower", limit=499, seed=i)[0]
            for i, u in enumerate(rng.random(1500))
        ]
    )
    for level in (0.05, 0.2, 0.5):
        assert (p <= level).mean() < level + 4 * math.sqrt(level * (1 - level) / len(p))
        assert (p <= level).mean() > level - 4 * math.sqrt(level * (1 - level) / len(p)) - 0.02


def test_permutations_veto_a_wrong_asymptotic_p_value() -> None:
    def never(rng: np.random.Generator, m: int) -> np.ndarray:
        return rng.random(m)

    vetoed = decide(0.9, tail="upper", asymptotic=1e-9, simulate=never, draws=1, seed=0)
    assert vetoed.method == "Monte Carlo"
    assert 0.03 < vetoed.p_value < 0.3
    believed = decide(0.9, tail="upper", asymptotic=1e-9, trusted=True, simulate=never, draws=1, seed=0)
    assert (believed.method, believed.p_value) == ("asymptotic", 1e-9)
    settled = decide(0.9, tail="upper", asymptotic=1.0, bound=1e-20, simulate=never, draws=1, seed=0)
    assert (settled.method, settled.p_value) == ("bound", 1e-20)


def test_without_a_veto_the_p_value_is_no_smaller_than_permutations_can_show() -> None:
    found = decide(2.0, tail="upper", asymptotic=1e-9, simulate=lambda rng, m: rng.random(m), draws=1, seed=3)
    assert (found.p_value, found.permutations, found.seed) == (1e-4, 9_999, 3)


def test_where_permutations_are_too_dear_a_bound_stands_in() -> None:
    def never(rng: np.random.Generator, m: int) -> np.ndarray:
        raise AssertionError("nothing should be drawn")

    found = decide(2.0, tail="upper", asymptotic=1e-9, bound=0.02, simulate=never, draws=10**6, seed=0)
    assert (found.method, found.p_value, found.permutations) == ("bound", 0.02, 0)


def test_cantelli_says_nothing_below_the_mean() -> None:
    assert cantelli(-3) == 1
    assert cantelli(3) == pytest.approx(0.1)


@pytest.mark.parametrize("values", [[0, 0, 1, 2], [-1, -1, 3], list(range(40)), [0] * 5])
def test_shuffles_keep_the_values(values: list[int]) -> None:
    orders = shuffles(np.random.default_rng(0), np.array(values, dtype=np.int32), 200)
    assert (np.sort(orders, axis=1) == np.sort(values)).all()


@pytest.mark.parametrize("top", [3, 2**23])
def test_shuffles_reach_every_order_alike(top: int) -> None:
    # With codes of 24 bits, equal keys are common enough to show a preference; the fallback must have none either.
    values = np.array([0, 1, top], dtype=np.int32)
    orders = shuffles(np.random.default_rng(0), values, 12_000)
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    assert ((counts - 2000) ** 2 / 2000).sum() < 25  # χ² with 5 degrees of freedom: p = 1e-4

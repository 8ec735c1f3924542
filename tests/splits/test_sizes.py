from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.splits.sizes import half_width, larger_than_by_chance, least_samples


@given(st.integers(1, 10**7), st.floats(0, 1))
def test_the_interval_is_widest_at_one_half_and_shrinks(n: int, rate: float) -> None:
    assert 0 < half_width(n, rate) <= half_width(n) + 1e-15
    assert half_width(n + 1) < half_width(n) < 0.5


@given(st.floats(0.001, 0.49))
def test_so_many_samples_are_needed_and_no_fewer(width: float) -> None:
    n = least_samples(width)
    assert half_width(n) <= width + 1e-9
    assert n == 0 or half_width(n - 1) > width - 1e-9


@pytest.mark.parametrize("n", [1, 7, 50, 400])
def test_the_interval_is_scipys(n: int) -> None:
    from scipy import stats

    for hits in {0, n // 3, n}:
        interval = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
        assert half_width(n, hits / n) == pytest.approx((interval.high - interval.low) / 2)


@pytest.mark.parametrize(("n", "rate"), [(-1, 0.5), (3, 1.5), (3, math.nan)])
def test_no_share_and_no_count_are_refused(n: int, rate: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        half_width(n, rate)


@pytest.mark.parametrize("width", [0.0, -1.0, 0.6, math.nan])
def test_a_width_out_of_range_is_refused(width: float) -> None:
    with pytest.raises(ValueError, match="out of range"):
        least_samples(width)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_at_most_one_of_two_is_larger(n: int, other: int) -> None:
    assert not (larger_than_by_chance(n, other) and larger_than_by_chance(other, n))

"""Histograms whose bins depend on the numbers alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.versions.bins import Bins, binned, coarsened, median_of, side_by_side

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(finite, max_size=60), st.integers(1, 20))
def test_every_number_is_in_one_bin_and_bins_ascend(values: list[float], most: int) -> None:
    made = binned(np.array(values, dtype=np.float64), max(most, 2))
    assert made.total == len(values)
    assert list(made.starts) == sorted(set(made.starts))
    assert len(made.counts) <= max(most, 2)
    assert all(np.isfinite(made.starts))


@given(st.lists(finite, min_size=1, max_size=60), st.integers(2, 20))
def test_a_bin_counts_the_numbers_from_its_start_to_the_next(values: list[float], most: int) -> None:
    made = binned(np.array(values, dtype=np.float64), most)
    edges = [*made.starts[1:], np.inf]
    for place, (start, end) in enumerate(zip(made.starts, edges, strict=True)):
        inside = sum((start <= value or place == 0) and value < end for value in values)
        assert inside == made.counts[place]


@given(st.lists(finite, max_size=40), st.integers(0, 63), st.integers(0, 63))
def test_coarsening_in_steps_is_coarsening_at_once(values: list[float], one: int, other: int) -> None:
    fine = binned(np.array(values, dtype=np.float64), 1_000)
    low, high = sorted((one, other))
    assert coarsened(coarsened(fine, low), high) == coarsened(fine, high)


@settings(deadline=None)
@given(st.lists(finite, min_size=1, max_size=40), st.lists(finite, min_size=1, max_size=40))
def test_the_distance_of_histograms_is_at_most_that_of_the_numbers(one: list[float], other: list[float]) -> None:
    _, table = side_by_side(*(binned(np.array(side, dtype=np.float64), 4) for side in (one, other)))
    shares = np.cumsum(table, axis=1) / table.sum(axis=1, keepdims=True)
    both = np.sort([*one, *other])
    exact = [np.searchsorted(np.sort(side), both, side="right") / len(side) for side in (one, other)]
    assert np.abs(shares[1] - shares[0]).max() <= np.abs(exact[1] - exact[0]).max() + 1e-12


def test_few_distinct_numbers_keep_a_bin_each_and_minus_zero_is_zero() -> None:
    assert binned(np.array([0.0, -0.0, 3.0])) == Bins(dropped_bits=0, starts=(0.0, 3.0), counts=(2, 1))


def test_times_of_one_day_are_told_apart_although_they_are_large() -> None:
    seconds = 1.7e9 + np.linspace(0, 86_400, 10_000)
    made = binned(seconds)
    assert 100 < len(made.counts) <= 256


def test_bins_cannot_be_made_narrower() -> None:
    with pytest.raises(ValueError, match="cannot be told apart"):
        coarsened(Bins(dropped_bits=10, starts=(0.0,), counts=(1,)), 9)


def test_the_median_is_that_of_the_numbers_where_bins_are_exact() -> None:
    assert median_of(binned(np.array([1.0, 2.0, 9.0]))) == 2.0
    assert np.isnan(median_of(binned(np.array([]))))

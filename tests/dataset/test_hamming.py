from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.dataset.hamming import close_pairs, collision_rates

Hashes = NDArray[np.uint64]


def clustered(seed: int, n: int, flips: int) -> Hashes:
    """Hashes around a few centres, so that every distance occurs."""
    generator = np.random.default_rng(seed)
    hashes = generator.integers(0, 2**64, max(1, n // 8), dtype=np.uint64)[generator.integers(0, max(1, n // 8), n)]
    for _ in range(flips):
        hashes = hashes ^ (np.uint64(1) << generator.integers(0, 64, n).astype(np.uint64))
    return hashes


def by_comparing_all(hashes: Hashes, others: Hashes, distance: int) -> set[tuple[int, int]]:
    near = np.bitwise_count(hashes[:, None] ^ others[None, :]) <= distance
    return {(int(min(i, j)), int(max(i, j))) for i, j in zip(*np.nonzero(near), strict=True) if i != j}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(0, 120), flips=st.integers(0, 6), distance=st.integers(0, 7))
def test_finds_exactly_the_pairs_within_the_distance(seed: int, n: int, flips: int, distance: int) -> None:
    hashes = clustered(seed, n, flips)
    found = close_pairs(hashes, max_distance=distance)
    assert set(zip(found.left.tolist(), found.right.tolist(), strict=True)) == by_comparing_all(
        hashes, hashes, distance
    )
    assert (np.bitwise_count(hashes[found.left] ^ hashes[found.right]) == found.distance).all()
    assert found.max_distance == distance
    assert not found.truncated


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 100), flips=st.integers(0, 6), distance=st.integers(0, 7))
def test_finds_exactly_the_pairs_with_a_second_hash(seed: int, n: int, flips: int, distance: int) -> None:
    hashes = clustered(seed, n, flips)
    others = hashes[np.random.default_rng(seed).permutation(n)]
    found = close_pairs(hashes, others, max_distance=distance)
    assert set(zip(found.left.tolist(), found.right.tolist(), strict=True)) == by_comparing_all(
        hashes, others, distance
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 100), n_groups=st.integers(1, 4), second=st.booleans())
def test_finds_exactly_the_pairs_across_groups(seed: int, n: int, n_groups: int, second: bool) -> None:
    hashes = clustered(seed, n, 3)
    generator = np.random.default_rng(seed)
    others = hashes[generator.permutation(n)] if second else None
    # The last group may be empty.
    groups = generator.integers(0, n_groups, n)
    found = close_pairs(hashes, others, groups=groups)
    everything = by_comparing_all(hashes, hashes if others is None else others, 7)
    assert set(zip(found.left.tolist(), found.right.tolist(), strict=True)) == {
        (i, j) for i, j in everything if groups[i] != groups[j]
    }
    assert len(found.left) == len(set(zip(found.left.tolist(), found.right.tolist(), strict=True)))


def test_pairs_within_groups_cost_nothing() -> None:
    hashes = clustered(5, 2_000, 6)
    groups = (np.arange(2_000) < 1_600).astype(np.int64)
    assert close_pairs(hashes, groups=groups).n_compared < 0.5 * close_pairs(hashes).n_compared


def test_lowers_the_distance_until_the_pairs_fit() -> None:
    hashes = clustered(3, 400, 3)
    everything = close_pairs(hashes)
    few = close_pairs(hashes, max_pairs=len(everything.left) // 2)
    assert few.max_distance < 7
    assert not few.truncated
    assert set(zip(few.left.tolist(), few.right.tolist(), strict=True)) == by_comparing_all(
        hashes, hashes, few.max_distance
    )


def test_lowers_the_distance_until_the_work_fits() -> None:
    hashes = clustered(3, 400, 1)
    cheap = close_pairs(hashes, max_work=close_pairs(hashes, max_distance=3).n_compared)
    assert cheap.max_distance == 3
    assert not cheap.truncated


@pytest.mark.slow
def test_says_that_it_is_truncated_where_all_hashes_are_equal() -> None:
    found = close_pairs(np.zeros(3_000, dtype=np.uint64), max_pairs=1_000)
    assert found.truncated
    assert found.max_distance == 0
    assert len(found.left) == 1_000


def test_compares_far_fewer_than_all_pairs() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 20_000, dtype=np.uint64)
    assert close_pairs(hashes).n_compared < 0.002 * len(hashes) ** 2 / 2


def test_rejects_a_distance_that_it_cannot_find_all_pairs_of() -> None:
    with pytest.raises(ValueError, match="expected 0 to 7"):
        close_pairs(np.zeros(2, dtype=np.uint64), max_distance=8)


def test_collision_rates_of_random_hashes_are_binomial() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 5_000, dtype=np.uint64)
    rates = collision_rates(hashes, n_pairs=200_000)
    assert rates[31] == pytest.approx(0.450, abs=0.01)
    assert rates[64] == 1
    assert (np.diff(rates) >= 0).all()

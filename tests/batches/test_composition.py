from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.batches.composition import (
    SingleLabel,
    batch_index,
    chi_square_moments,
    composition,
    drift,
    prefix,
    rank_sum_moments,
    single_label,
    single_label_log_moments,
    strip,
)
from dataguard.batches.significance import OrderTest
from dataguard.core.finding import Inconclusive

TABLES = [((3, 2, 2), (3, 3, 1)), ((4, 3), (2, 2, 3)), ((1, 2, 3), (2, 2, 2)), ((6, 1), (4, 3))]


def permutations(counts: tuple[int, ...]) -> np.ndarray:
    codes = np.repeat(np.arange(len(counts)), counts)
    return np.array(list(itertools.permutations(codes.tolist())))


def decided(result: OrderTest | Inconclusive) -> OrderTest:
    assert isinstance(result, OrderTest), result
    return result


def found(result: SingleLabel | Inconclusive) -> SingleLabel:
    assert isinstance(result, SingleLabel), result
    return result


@pytest.mark.parametrize(("counts", "sizes"), TABLES)
def test_moments_of_chi_square_equal_enumeration(counts: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    orders = permutations(counts)
    batch, n = batch_index(np.array(sizes), orders.shape[1]), orders.shape[1]
    expected = np.outer(sizes, counts) / n
    values = []
    for order in orders:
        table = np.zeros(expected.shape)
        np.add.at(table, (batch, order), 1)
        values.append(((table - expected) ** 2 / expected).sum())
    assert chi_square_moments(np.array(sizes), np.array(counts)) == pytest.approx((np.mean(values), np.var(values)))


@pytest.mark.parametrize("counts", [(3, 2, 2), (4, 3), (1, 2, 4), (1, 1, 5)])
def test_moments_of_rank_sums_equal_enumeration(counts: tuple[int, ...]) -> None:
    from scipy.stats import kruskal

    orders = np.unique(permutations(counts), axis=0)
    values = [kruskal(*(np.flatnonzero(order == code) for code in range(len(counts)))).statistic for order in orders]
    assert rank_sum_moments(np.array(counts)) == pytest.approx((np.mean(values), np.var(values)))


@pytest.mark.parametrize("counts", [(3, 2, 2), (4, 3), (1, 2, 4), (5, 2)])
@pytest.mark.parametrize("size", [2, 3])
def test_moments_of_single_label_batches_equal_enumeration(counts: tuple[int, ...], size: int) -> None:
    orders = permutations(counts)
    batches = orders.shape[1] // size
    parts = orders[:, : batches * size].reshape(len(orders), batches, size)
    pure = (parts == parts[..., :1]).all(axis=2).sum(axis=1)
    exact = [np.mean([math.comb(count, j) for count in pure.tolist()]) for j in range(batches + 1)]
    moments = np.exp(single_label_log_moments(np.array(counts), batches, size, batches))
    assert moments == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("tail", ["upper", "lower"])
def test_sorted_is_uneven_and_stratified_is_too_even(tail: str) -> None:
    sizes = np.full(100, 32)
    codes = np.repeat(np.arange(10), 320)
    even = np.concatenate([np.random.default_rng(k).permutation(codes[k::100]) for k in range(100)])
    uneven_p = decided(composition(codes, sizes, tail="upper" if tail == "upper" else "lower")).p_value
    even_p = decided(composition(even, sizes, tail="upper" if tail == "upper" else "lower")).p_value
    assert (uneven_p < 1e-4, even_p > 0.99) == (tail == "upper",) * 2
    assert (even_p < 1e-20, uneven_p > 0.99) == (tail == "lower",) * 2


@given(st.lists(st.integers(0, 5), min_size=8, max_size=90), st.permutations(range(6)), st.integers(2, 9))
@settings(max_examples=40, deadline=None)
def test_relabelling_changes_nothing(codes: list[int], names: list[int], size: int) -> None:
    one, other = np.array(codes), np.array(names)[codes]
    sizes = np.diff(np.append(np.arange(0, len(codes), size), len(codes)))
    assert composition(one, sizes, tail="upper") == composition(other, sizes, tail="upper")
    assert composition(one, sizes, tail="lower") == composition(other, sizes, tail="lower")
    assert drift(one) == drift(other)
    left, right = single_label(one, sizes), single_label(other, sizes)
    if isinstance(left, SingleLabel):
        assert left.test == found(right).test
        assert left.batches.tolist() == found(right).batches.tolist()
    dataset = np.array([30, 20, 10, 40, 25, 35]) * 4
    seen = np.bincount(one, minlength=6)
    order = np.argsort(names)
    mixed, again = prefix(seen, dataset), prefix(seen[order], dataset[order])
    assert decided(mixed).p_value == pytest.approx(decided(again).p_value)


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "ratio", "size"), [(2, 99, 8), (5, 10, 4), (30, 1, 16), (30, 1, 2)])
def test_false_alarms_stay_below_the_level(classes: int, ratio: float, size: int) -> None:
    rng = np.random.default_rng(classes)
    weights = np.geomspace(ratio, 1, classes)
    codes = np.searchsorted(np.cumsum(weights / weights.sum()), (np.arange(size * 40) + 0.5) / (size * 40))
    sizes = np.full(40, size)
    p = np.array(
        [
            [
                decided(composition(order, sizes, tail="upper", seed=number)).p_value,
                decided(composition(order, sizes, tail="lower", seed=number)).p_value,
                decided(drift(order, seed=number)).p_value,
                found(single_label(order, sizes)).test.p_value,
            ]
            for number in range(250)
            for order in [rng.permutation(codes)]
        ]
    )
    assert ((p <= 0.05).sum(axis=0) <= 250 * 0.05 + 4 * math.sqrt(250 * 0.05)).all()


def test_nearly_pure_data_has_no_single_label_alarm() -> None:
    codes = np.random.default_rng(0).permutation(np.r_[np.ones(32, dtype=int), np.zeros(3168, dtype=int)])
    result = found(single_label(codes, np.full(400, 8)))
    assert result.test.statistic > 360
    assert result.test.expected == pytest.approx(369, abs=1)
    assert result.test.p_value > 0.05


def test_single_label_batches_are_listed_whatever_their_size() -> None:
    codes = np.array([0, 0, 0, 1, 2, 2, 1])
    result = found(single_label(codes, np.array([3, 2, 1, 1])))
    assert result.batches.tolist() == [0]
    assert result.considered == 2


def test_a_prefix_of_one_class_is_held_against_the_dataset() -> None:
    codes = np.zeros(640, dtype=int)
    sizes = np.full(20, 32)
    assert isinstance(single_label(codes, sizes), Inconclusive)
    dataset = np.full(10, 1000)
    assert found(single_label(codes, sizes, dataset=dataset)).test.p_value < 1e-100
    assert decided(prefix(np.bincount(codes, minlength=10), dataset)).p_value < 1e-100


def test_a_random_prefix_passes_and_a_sorted_one_does_not() -> None:
    rng = np.random.default_rng(0)
    dataset = np.array([500, 300, 150, 40, 10])
    labels = np.repeat(np.arange(5), dataset)
    p = [decided(prefix(np.bincount(rng.permutation(labels)[:200], minlength=5), dataset)).p_value for _ in range(200)]
    assert sum(value <= 0.05 for value in p) <= 24
    assert decided(prefix(np.bincount(labels[:200], minlength=5), dataset)).p_value < 1e-10


def test_a_prefix_that_cannot_be_compared_says_why() -> None:
    whole = prefix(np.array([5, 5]), np.array([5, 5]))
    more = prefix(np.array([6, 1]), np.array([5, 50]))
    one = prefix(np.array([5]), np.array([9]))
    assert isinstance(whole, Inconclusive)
    assert "whole dataset" in whole.reason
    assert isinstance(more, Inconclusive)
    assert "more samples of a class" in more.reason
    assert isinstance(one, Inconclusive)
    with pytest.raises(ValueError, match="same shape"):
        prefix(np.array([1, 2]), np.array([1, 2, 3]))


def test_batches_of_one_sample_say_nothing_of_composition() -> None:
    codes, sizes = np.arange(10) % 2, np.ones(10, dtype=int)
    assert isinstance(composition(codes, sizes, tail="upper"), Inconclusive)
    assert isinstance(single_label(codes, sizes), Inconclusive)


def test_large_tables_are_counted_without_their_empty_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, sizes = np.random.default_rng(0).integers(0, 40, 600), np.full(60, 10)
    whole = decided(composition(codes, sizes, tail="upper"))
    monkeypatch.setattr("dataguard.batches.composition.MAX_CELLS", 100)
    assert decided(composition(codes, sizes, tail="upper")).statistic == pytest.approx(whole.statistic)


def test_sizes_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to 7, for 8 samples"):
        composition(np.arange(8) % 2, np.array([4, 3]), tail="upper")


def test_a_strip_counts_every_sample() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 50, 1000)
    shown = strip(codes, np.full(125, 8), tuple(map(str, range(50))), max_columns=40, max_classes=10)
    assert shown.counts.shape == (32, 10)
    assert shown.batches_per_column == 4
    assert shown.counts.sum() == 1000
    assert (shown.counts.sum(axis=1)[:-1] == 32).all()
    assert (shown.others, shown.classes[-1]) == (41, "41 others")
    assert shown.counts[:, 0].sum() == np.bincount(codes).max()
    assert not shown.counts.flags.writeable


def test_a_strip_refuses_a_code_without_a_name() -> None:
    with pytest.raises(ValueError, match="expected 0 to 1, got 0 to 2"):
        strip(np.array([0, 2]), np.array([2]), ("a", "b"))

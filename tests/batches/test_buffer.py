from __future__ import annotations

import itertools

import numpy as np
import pytest

from dataguard.batches.buffer import ShuffleBuffer, buffer_from_labels, buffer_from_positions, late_classes
from dataguard.batches.significance import OrderTest
from dataguard.core.finding import Inconclusive

pytestmark = pytest.mark.slow


def buffered(n: int, size: int, seed: int) -> np.ndarray:
    """Source positions in the order in which they leave a shuffle buffer."""
    rng = np.random.default_rng(seed)
    held = list(range(size))
    out = []
    for position in range(size, n):
        place = rng.integers(size)
        out.append(held[place])
        held[place] = position
    return np.array(out + rng.permutation(held).tolist())


def estimated(result: ShuffleBuffer | Inconclusive) -> ShuffleBuffer:
    assert isinstance(result, ShuffleBuffer), result
    return result


def test_the_p_value_of_the_lead_equals_enumeration() -> None:
    orders = np.array(list(itertools.permutations(range(6))))
    leads = np.maximum((orders - np.arange(6)).max(axis=1) + 1, 1)
    for order in orders[::37]:
        found = estimated(buffer_from_positions(order, 6))
        assert found.size == max((order - np.arange(6)).max() + 1, 1)
        assert found.test.p_value == pytest.approx((leads <= found.size).mean())


def test_the_p_value_of_a_prefix_equals_enumeration() -> None:
    orders = np.array(list(itertools.permutations(range(7), 5)))
    leads = np.maximum((orders - np.arange(5)).max(axis=1) + 1, 1)
    for order in orders[::211]:
        found = estimated(buffer_from_positions(order, 7))
        assert found.test.p_value == pytest.approx((leads <= found.size).mean())


@pytest.mark.parametrize("size", [1, 16, 100, 320])
def test_the_size_is_found_from_positions(size: int) -> None:
    found = [estimated(buffer_from_positions(buffered(1600, size, seed), 1600)) for seed in range(20)]
    assert sum(each.low <= size <= each.high for each in found) >= 17
    assert max(each.high - each.low for each in found) <= 3
    assert all(each.test.p_value < 1e-10 for each in found)


@pytest.mark.parametrize("classes", [2, 10, 100, 800])
@pytest.mark.parametrize("size", [16, 160, 640])
def test_the_size_is_found_from_labels(classes: int, size: int) -> None:
    labels = np.arange(3200) * classes // 3200
    found = [estimated(buffer_from_labels(labels[buffered(3200, size, seed)])) for seed in range(12)]
    assert sum(each.low <= size <= each.high for each in found) >= 10
    assert np.median([each.size for each in found]) == pytest.approx(size, rel=0.15, abs=3)
    assert all(each.test.p_value < 1e-3 for each in found)


def test_a_full_shuffle_is_no_buffer() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 100)
    for _ in range(20):
        order = rng.permutation(1000)
        by_position, by_label = (
            estimated(buffer_from_positions(order, 1000)),
            estimated(buffer_from_labels(labels[order])),
        )
        assert by_position.test.p_value > 1e-3
        assert by_label.test.p_value > 1e-3
        assert by_position.share > 0.8


def test_a_part_of_an_epoch_shows_the_buffer_too() -> None:
    labels = np.arange(6400) // 640
    order = buffered(6400, 200, 0)[:3000]
    assert estimated(buffer_from_positions(order, 6400)).size in range(190, 202)
    found = estimated(buffer_from_labels(labels[order], np.full(10, 640)))
    assert found.low <= 200 <= found.high


def test_the_names_of_classes_do_not_matter() -> None:
    labels = (np.arange(1000) // 100)[buffered(1000, 50, 0)]
    assert buffer_from_labels(labels) == buffer_from_labels(np.array([3, 9, 1, 0, 2, 8, 7, 4, 6, 5])[labels])


def test_a_class_that_begins_late_has_an_exact_chance() -> None:
    orders = np.array(list(itertools.permutations([0, 0, 1, 1, 1, 1])))
    p = []
    for order in orders:
        found = late_classes(order)
        assert isinstance(found, OrderTest)
        p.append(found.p_value)
    for level in np.unique(p):
        assert (np.array(p) <= level).mean() <= level + 1e-9
    sorted_labels = late_classes(np.repeat([0, 1], 50))
    assert isinstance(sorted_labels, OrderTest)
    assert sorted_labels.p_value < 1e-20


@pytest.mark.parametrize("codes", [[], [0, 1], [0] * 30])
def test_nothing_is_said_of_too_little(codes: list[int]) -> None:
    assert isinstance(buffer_from_labels(np.array(codes, dtype=int)), Inconclusive)
    assert isinstance(buffer_from_positions(np.full(30, -1), 30), Inconclusive)
    assert isinstance(buffer_from_positions(np.arange(3), 30), Inconclusive)

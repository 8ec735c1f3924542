from __future__ import annotations

import itertools

import numpy as np
import pytest

from dataguard.batches.epochs import (
    EpochComparison,
    RepeatedBatches,
    _pairs_moments,
    compare_epochs,
    compare_label_epochs,
    overlap,
    repeated_batches,
)
from dataguard.batches.significance import OrderTest
from dataguard.core.finding import Inconclusive

BATCHES, SIZE = 60, 16
SIZES = np.full(BATCHES, SIZE)
RNG = np.random.default_rng(0)
FIRST = RNG.permutation(BATCHES * SIZE)
LABELS = RNG.integers(0, 10, BATCHES * SIZE)
IN_BATCHES = FIRST.reshape(BATCHES, SIZE)
OTHER_BATCHES = IN_BATCHES[RNG.permutation(BATCHES)]
KEPT = np.sort(RNG.permutation(len(FIRST))[: len(FIRST) // 4])
PARTLY = RNG.permutation(np.setdiff1d(FIRST, FIRST[KEPT]))
ORDERS = {
    "the same order": FIRST,
    "the same order, rotated": np.roll(FIRST, 77),
    "the same order, reversed": FIRST[::-1],
    "the same batches in another order": OTHER_BATCHES.ravel(),
    "the same batches, shuffled within": RNG.permuted(OTHER_BATCHES, axis=1).ravel(),
    "partly the same order": np.r_[FIRST[:200], RNG.permutation(FIRST[200:])],
    "batches of mostly the same samples": np.concatenate(
        [RNG.permutation(part) for part in np.roll(IN_BATCHES, 1, axis=0).reshape(BATCHES // 2, 2 * SIZE)]
    ),
    "reshuffled": RNG.permutation(FIRST),
}


def compared(result: EpochComparison | Inconclusive) -> EpochComparison:
    assert isinstance(result, EpochComparison), result
    return result


@pytest.mark.parametrize("kind", sorted(set(ORDERS) - {"batches of mostly the same samples"}))
def test_epochs_are_named_by_ids(kind: str) -> None:
    found = compared(compare_epochs(FIRST, SIZES, ORDERS[kind], SIZES))
    assert found.kind == kind
    assert (min(test.p_value for test in found.tests) < 1e-4) == (kind != "reshuffled")


def test_epochs_whose_batches_are_drawn_from_the_same_places_are_found() -> None:
    found = compared(compare_epochs(FIRST, SIZES, ORDERS["batches of mostly the same samples"], SIZES))
    assert found.kind in ("batches of mostly the same samples", "partly the same order")
    assert found.tests[1].p_value < 1e-4


def test_a_rotation_has_its_offset() -> None:
    assert compared(compare_epochs(FIRST, SIZES, np.roll(FIRST, 77), SIZES)).offset == 77
    assert compared(compare_label_epochs(LABELS, np.roll(LABELS, 77), SIZES)).offset == 77


@pytest.mark.parametrize(
    "kind",
    ["the same order", "the same order, rotated", "the same order, reversed", "the same batches in another order"],
)
def test_epochs_are_named_by_labels_alone(kind: str) -> None:
    found = compared(compare_label_epochs(LABELS[FIRST], LABELS[ORDERS[kind]], SIZES))
    assert found.kind == kind


def test_reshuffled_epochs_are_no_alarm() -> None:
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(150):
        second = rng.permutation(FIRST)
        by_id = compared(compare_epochs(FIRST, SIZES, second, SIZES))
        by_label = compared(compare_label_epochs(LABELS[FIRST], LABELS[second], SIZES))
        assert (by_id.kind, by_label.kind) == ("reshuffled", "reshuffled")
        alarms += min(test.p_value for test in (*by_id.tests, *by_label.tests)) <= 0.05
    assert alarms <= 25


def test_moments_of_batch_mates_equal_enumeration() -> None:
    rows, columns = np.array([3, 2, 2]), np.array([4, 2, 1])
    batch = np.repeat(range(3), rows)
    orders = np.array(list(itertools.permutations(np.repeat(range(3), columns).tolist())))
    left, right = np.triu_indices(7, 1)
    pairs = ((orders[:, left] == orders[:, right]) & (batch[left] == batch[right])).sum(axis=1)
    assert _pairs_moments(rows * 1.0, columns * 1.0, 7) == pytest.approx((pairs.mean(), pairs.std()))


def test_samples_that_come_twice_are_left_out_of_the_comparison() -> None:
    first = np.r_[FIRST, FIRST[:30]]
    sizes = np.append(SIZES, 30)
    assert compared(compare_epochs(first, sizes, FIRST, SIZES)).common == len(FIRST) - 30


def test_epochs_without_a_common_sample_cannot_be_compared() -> None:
    found = compare_epochs(np.arange(64), np.full(4, 16), np.arange(64) + 64, np.full(4, 16))
    assert isinstance(found, Inconclusive)
    assert "augmented" in found.reason


def test_labels_of_one_class_or_other_lengths_cannot_be_compared() -> None:
    assert isinstance(compare_label_epochs(np.zeros(32), np.zeros(32), np.full(2, 16)), Inconclusive)
    assert isinstance(compare_label_epochs(LABELS, LABELS[:-1], SIZES), Inconclusive)


def test_a_sorted_epoch_of_two_classes_matches_its_rotation_by_no_accident() -> None:
    labels = np.tile([0, 1], 100)
    found = compared(compare_label_epochs(labels, np.roll(labels, 1), np.full(10, 20)))
    assert found.kind == "the same order, rotated"


@pytest.mark.parametrize("within", [False, True])
def test_a_repeated_batch_is_found_whatever_its_order(within: bool) -> None:
    again = IN_BATCHES.copy()
    again[50] = RNG.permutation(again[7]) if within else again[7]
    found = repeated_batches(again.ravel(), SIZES)
    assert isinstance(found, RepeatedBatches)
    assert (found.groups, found.repeats) == (((7, 50),), 1)
    assert found.test.p_value < 1e-6


def test_always_the_same_batch_is_found() -> None:
    found = repeated_batches(np.tile(np.arange(32), 20), np.full(20, 32))
    assert isinstance(found, RepeatedBatches)
    assert (found.repeats, found.batches) == (19, 20)
    assert found.test.p_value < 1e-6


def test_equal_batches_by_chance_are_no_alarm() -> None:
    rng = np.random.default_rng(0)
    p = []
    for _ in range(200):
        found = repeated_batches(rng.integers(0, 12, 200), np.full(100, 2))
        assert isinstance(found, RepeatedBatches)
        assert found.repeats > 0
        p.append(found.test.p_value)
    assert sum(value <= 0.05 for value in p) <= 10


def test_hashes_may_be_of_any_kind() -> None:
    texts = np.array([f"{number:04x}" for number in FIRST])
    assert compared(compare_epochs(texts, SIZES, texts[::-1], SIZES)).kind == "the same order, reversed"
    large = FIRST.astype(np.uint64) + np.uint64(2**63)
    assert compared(compare_epochs(large, SIZES, large, SIZES)).kind == "the same order"


def test_parts_of_epochs_that_begin_alike_are_found() -> None:
    rng = np.random.default_rng(0)
    same = overlap(rng.permutation(300), rng.permutation(300), 3000)
    assert isinstance(same, OrderTest)
    assert (same.statistic, same.expected) == (300, 30)
    assert same.p_value < 1e-100
    p = []
    for _ in range(200):
        test = overlap(rng.permutation(3000)[:300], rng.permutation(3000)[:200], 3000)
        assert isinstance(test, OrderTest)
        p.append(test.p_value)
    assert sum(value <= 0.05 for value in p) <= 20


def test_the_chance_of_an_overlap_equals_enumeration() -> None:
    parts = [np.array(part) for part in itertools.combinations(range(6), 3)]
    found = [overlap(np.array([0, 1, 2]), part, 6) for part in parts]
    for test in found:
        assert isinstance(test, OrderTest)
        chance = np.mean([isinstance(other, OrderTest) and other.statistic >= test.statistic for other in found])
        assert test.p_value == pytest.approx(chance)


def test_whole_epochs_overlap_whatever_their_order() -> None:
    assert isinstance(overlap(np.arange(10), np.arange(10), 10), Inconclusive)
    assert isinstance(overlap(np.array([1, 1]), np.array([1, 2]), 10), Inconclusive)

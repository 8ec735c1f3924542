"""What a stream's order says in all: one family of tests, sources, samplers, and buffers that fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.batches.evidence import ALONE, MAX_PASSES, OrderEvidence, corrected, family_level
from dataguard.batches.order_evidence import order_evidence
from dataguard.batches.record import record
from dataguard.batches.stream import BatchStream
from dataguard.core.multiple_tests import holm

RNG = np.random.default_rng(0)


class Shuffled:
    """A loader that shuffles anew each epoch."""

    def __init__(self, labels: NDArray[Any], seed: int = 0, size: int = 16) -> None:
        self.y, self.rng, self.size = labels, np.random.default_rng(seed), size
        self.x = self.rng.normal(size=(len(labels), 2))

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        order = self.rng.permutation(len(self.y))
        for at in range(0, len(order), self.size):
            rows = order[at : at + self.size]
            yield self.x[rows], self.y[rows]


def every_adjusted(found: OrderEvidence) -> list[float]:
    values = [p for order in found.epochs for p in order.adjusted.values()]
    values += [item.adjusted for item in found.repeats if not np.isnan(item.adjusted)]
    return values + [p for pair in found.pairs for p in pair.adjusted]


@settings(max_examples=20, deadline=None)
@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=120), size=st.integers(1, 20), epochs=st.integers(1, 3))
def test_every_p_value_is_corrected_for_all(labels: list[int], size: int, epochs: int) -> None:
    found = order_evidence(record(Shuffled(np.array(labels), size=size), epochs=epochs))
    assert sorted(every_adjusted(found)) == pytest.approx(
        sorted(holm([*found.p_values, *[1.0] * found.later])[: len(found.p_values)].tolist())
    )
    assert all(p >= raw for p, raw in zip(sorted(every_adjusted(found)), sorted(found.p_values), strict=True))


def test_further_tests_take_the_places_kept_for_them() -> None:
    found = order_evidence(record(Shuffled(np.repeat(np.arange(5), 64))))
    assert found.n_tests == len(found.p_values) + 7, "five of randomness, one of labels, one of the epoch"
    assert corrected(found, [1e-6]) == pytest.approx((1e-6 * found.n_tests,))
    assert corrected(found, [1e-6] * 2)[1] == corrected(found, [1e-6])[0]
    assert corrected(found, []) == ()
    assert corrected(None, [1e-4]) == pytest.approx((1e-4 * ALONE,))
    assert family_level(found, 0.01) == pytest.approx(0.01 / found.n_tests)


@given(
    known=st.lists(st.floats(0, 1), min_size=1, max_size=30),
    own=st.lists(st.floats(0, 1), min_size=1, max_size=6),
)
def test_what_was_corrected_before_later_tests_is_never_too_small(known: list[float], own: list[float]) -> None:
    before = holm([*known, *[1.0] * len(own)])[: len(known)]
    assert (holm([*known, *own])[: len(known)] <= before + 1e-12).all()


def test_the_same_stream_gives_the_same_evidence() -> None:
    stream = record(Shuffled(np.repeat(np.arange(5), 64)), epochs=2)
    assert order_evidence(stream).p_values == order_evidence(stream).p_values


def test_only_the_first_passes_are_tested() -> None:
    found = order_evidence(record(Shuffled(np.repeat(np.arange(5), 20)), epochs=MAX_PASSES + 3))
    assert [order.item.epoch for order in found.epochs] == list(range(MAX_PASSES))
    assert len(found.pairs) == MAX_PASSES - 1


def test_ranks_are_compared_with_themselves() -> None:
    labels = np.repeat(np.arange(5), 20)
    ranks = [record(Shuffled(labels, seed=rank), epochs=2, rank=rank) for rank in (0, 1)]
    found = order_evidence(BatchStream.merge(ranks))
    assert [(pair.before.rank, pair.item.rank) for pair in found.pairs] == [(0, 0), (1, 1)]
    assert [order.where for order in found.epochs[:2]] == ["epoch 0 of rank 0", "epoch 0 of rank 1"]


def with_ids(order: NDArray[np.intp], **options: Any) -> OrderEvidence:
    batches = [
        {"x": RNG.normal(size=(32, 2)), "label": RNG.integers(0, 4, 32), "id": np.char.add("s", part.astype(str))}
        for part in order.reshape(-1, 32)
    ]
    return order_evidence(record(batches), **options)


def test_positions_come_from_the_source_where_it_is_known() -> None:
    source = RNG.permutation(320)
    known = with_ids(source, source_ids=[f"s{at}" for at in source])
    assert known.epochs[0].sequential()
    assert known.epochs[0].position_origin == "place in the dataset"
    other = with_ids(source, source_ids=["t1", "t2"])
    assert not other.epochs[0].sequential()
    assert other.epochs[0].position_origin == "place among the sorted ids"


def test_ids_are_sorted_by_their_numbers() -> None:
    assert with_ids(np.arange(320)).epochs[0].sequential()


def test_ids_that_come_twice_are_no_positions() -> None:
    assert with_ids(np.tile(np.arange(160), 2)).epochs[0].positions is None


def test_a_buffer_must_fit_the_order() -> None:
    def buffer_of(labels: NDArray[Any]) -> Any:
        return order_evidence(record([(RNG.normal(size=(len(labels), 2)), labels)])).epochs[0]

    labels = np.repeat(np.arange(10), 200)
    leaves = np.argsort(np.maximum(np.arange(2000) - 150, 0) + RNG.exponential(150, 2000))
    assert buffer_of(labels[leaves]).buffered()
    assert not buffer_of(labels).buffered()
    assert not buffer_of(labels.reshape(-1, 50)[RNG.permutation(40)].reshape(-1)).buffered()
    assert not buffer_of(np.tile(np.arange(10), 200)).buffered()
    assert not buffer_of(RNG.permutation(labels)).buffered()


def test_one_batch_over_and_over_is_certain_however_small_it_is() -> None:
    batch = (RNG.normal(size=(4, 2)), np.arange(4))
    (repeats,) = order_evidence(record([batch] * 100)).repeats
    assert repeats.adjusted < 1e-20


def test_draws_with_replacement_from_few_samples_do_not_repeat_a_batch_more_than_by_chance() -> None:
    x = RNG.normal(size=(3, 2))
    batches = [(x[rows], rows) for rows in RNG.integers(0, 3, size=(100, 2))]
    (repeats,) = order_evidence(record(batches)).repeats
    assert repeats.adjusted > 0.01

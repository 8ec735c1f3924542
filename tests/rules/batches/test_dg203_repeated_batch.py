from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from dataguard.batches import sketch
from dataguard.batches.order_evidence import order_evidence
from dataguard.batches.record import record
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Severity
from dataguard.rules.batches.dg203_repeated_batch import repeated_batch

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(640, 3)), RNG.integers(0, 10, 640)


def batches(size: int = 32) -> list[tuple[Any, Any]]:
    return [(X[at : at + size], Y[at : at + size]) for at in range(0, 640, size)]


def run(stream: BatchStream, **options: Any) -> list[Any]:
    return list(repeated_batch(order_evidence(stream), **options))


@pytest.mark.parametrize("size", [2, 8, 32])
def test_fires_on_the_same_batch_over_and_over(size: int) -> None:
    (finding,) = run(record(batches(size)[:1] * 50))
    assert finding.severity is Severity.ERROR
    assert finding.confidence is Confidence.HIGH
    assert finding.message.startswith("49 of 50 batches hold the same samples as an earlier one of their epoch")


def test_fires_on_one_batch_that_comes_twice_in_another_order() -> None:
    x, y = batches()[3]
    (finding,) = run(record([*batches(), (x[::-1].copy(), y[::-1].copy())]))
    assert finding.message.startswith("1 of 21 batches")
    assert finding.locations[0].note == "epoch 0: batches 3, 20 are equal"


def test_fires_by_id_where_augmentation_changes_every_sample() -> None:
    ids = np.array([f"s{at}" for at in range(32)])
    made = [{"x": RNG.normal(size=(32, 3)), "label": Y[:32], "id": ids} for _ in range(20)]
    (finding,) = run(record(made))
    assert "known by sample ids" in finding.message


def test_silent_on_different_batches() -> None:
    (outcome,) = run(record(batches()))
    assert isinstance(outcome, Observation)
    assert outcome.message.startswith("0 of 20 batches")


def test_silent_on_epochs_that_repeat_each_other() -> None:
    outcomes = run(record(batches(), epochs=3))
    assert not any(isinstance(item, Finding) for item in outcomes)


def test_silent_on_batches_of_constant_samples_which_are_equal_by_nature() -> None:
    black = [(np.zeros((16, 4)), RNG.integers(0, 10, 16)) for _ in range(30)]
    assert not any(isinstance(item, Finding) for item in run(record(black)))


def test_silent_on_equal_sketches_of_samples_that_are_known_by_index() -> None:
    # What `guard` hashes is part of a sample: pictures with one background look the same to it.
    stream = record(
        [{"x": np.zeros((16, 4)), "label": Y[:16], "id": np.arange(at, at + 16)} for at in range(0, 480, 16)]
    )
    first = np.arange(len(stream.hashes), dtype=np.uint64) % np.uint64(16)
    sketched = dataclasses.replace(stream, hashes=first, hash_method=sketch.HASH_METHOD)
    assert not any(isinstance(item, Finding) for item in run(sketched))


def test_edge_sketches_alone_give_medium_confidence() -> None:
    stream = dataclasses.replace(record(batches()[:1] * 20), hash_method=sketch.HASH_METHOD)
    (finding,) = run(stream)
    assert finding.confidence is Confidence.MEDIUM
    assert "256 bytes of each sample" in finding.message


def test_edge_single_batches_and_single_samples_are_inconclusive() -> None:
    for few in (batches()[:1], [(X[:1], Y[:1])] * 30):
        (outcome,) = run(record(few))
        assert isinstance(outcome, Inconclusive)

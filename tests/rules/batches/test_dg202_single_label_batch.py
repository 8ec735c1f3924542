from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.batches.evidence import OrderEvidence
from dataguard.batches.order_evidence import order_evidence
from dataguard.batches.record import record
from dataguard.core.finding import Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.rules.batches.dg202_single_label_batch import single_label_batch

RNG = np.random.default_rng(0)


def evidence(labels: NDArray[Any], size: int = 32, **options: Any) -> OrderEvidence:
    """The evidence of a stream of these labels."""
    x = np.random.default_rng(1).normal(size=(len(labels), 3))
    batches = [(x[at : at + size], labels[at : at + size]) for at in range(0, len(labels), size)]
    return order_evidence(record(batches, **options))


def test_fires_on_sorted_labels_and_lists_the_batches() -> None:
    (finding,) = single_label_batch(evidence(np.repeat(np.arange(4), 80)))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith("8 of 10 batches of 32 hold a single label")
    assert [(place.label, place.note) for place in finding.locations[:3]] == [
        ("0", "epoch 0, batch 0"),
        ("0", "epoch 0, batch 1"),
        ("1", "epoch 0, batch 3"),
    ]


def test_fires_on_a_few_such_batches_among_many() -> None:
    labels = RNG.permutation(np.repeat(np.arange(10), 640))
    labels[320:352] = 7
    labels[640:672] = 3
    (finding,) = single_label_batch(evidence(labels))
    assert isinstance(finding, Finding)
    assert [place.note for place in finding.locations] == ["epoch 0, batch 10", "epoch 0, batch 20"]


@pytest.mark.parametrize("size", [2, 8, 32])
def test_silent_on_shuffled_99_to_1(size: int) -> None:
    for seed in range(5):
        labels = np.random.default_rng(seed).permutation(np.repeat([0, 1], [1584, 16]))
        (outcome,) = single_label_batch(evidence(labels, size))
        assert isinstance(outcome, Observation)


def test_silent_on_shuffled_balanced_labels() -> None:
    (outcome,) = single_label_batch(evidence(RNG.permutation(np.repeat(np.arange(10), 64))))
    assert isinstance(outcome, Observation)
    assert "0 of 20 batches" in outcome.message


def test_edge_batches_of_one_and_one_class_are_inconclusive() -> None:
    (alone,) = single_label_batch(evidence(RNG.integers(0, 3, 100), 1))
    assert isinstance(alone, Inconclusive)
    assert "no batch has more than one sample" in alone.reason
    (one,) = single_label_batch(evidence(np.zeros(100, dtype=int), 10))
    assert isinstance(one, Inconclusive)
    assert "only one class" in one.reason


def test_edge_labels_that_name_no_class_are_skipped() -> None:
    (outcome,) = single_label_batch(evidence(RNG.normal(size=320)))
    assert isinstance(outcome, Skipped)


def test_edge_batches_without_a_label_between_others_keep_their_numbers() -> None:
    labels = np.repeat(np.arange(4), 80).astype(object)
    labels[:32] = None
    (finding,) = single_label_batch(evidence(labels))
    assert isinstance(finding, Finding)
    assert finding.locations[0].note == "epoch 0, batch 1"

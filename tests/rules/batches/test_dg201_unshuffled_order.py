from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.batches.evidence import OrderEvidence
from dataguard.batches.order_evidence import order_evidence
from dataguard.batches.record import record
from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.rules.batches.dg201_unshuffled_order import unshuffled_order

RNG = np.random.default_rng(0)


def evidence(labels: NDArray[Any] | list[Any], size: int = 32, epochs: int = 1, **options: Any) -> OrderEvidence:
    """The evidence of a stream of these labels, with samples that all differ."""
    y = np.asarray(labels)
    x = np.random.default_rng(1).normal(size=(len(y), 3))
    batches = [(x[at : at + size], y[at : at + size]) for at in range(0, len(y), size)]
    return order_evidence(record(batches, epochs=epochs), **options)


def with_ids(order: NDArray[np.intp], labels: NDArray[Any], size: int = 32) -> OrderEvidence:
    """The evidence of samples that come in an order, with their ids."""
    x = np.random.default_rng(1).normal(size=(len(order), 3))[order]
    ids = np.array([f"sample{at}" for at in order])
    batches = [
        {"x": x[at : at + size], "label": labels[order][at : at + size], "id": ids[at : at + size]}
        for at in range(0, len(order), size)
    ]
    return order_evidence(record(batches))


def only_finding(found: OrderEvidence, **options: Any) -> Finding:
    (finding,) = [item for item in unshuffled_order(found, **options) if isinstance(item, Finding)]
    return finding


def test_fires_on_sorted_labels_and_names_the_run() -> None:
    finding = only_finding(evidence(np.repeat(["cat", "dog"], [1000, 600])))
    assert finding.severity is Severity.ERROR
    assert finding.confidence is Confidence.HIGH
    assert "samples 0 to 999 are all of class 'cat'" in finding.message
    p = finding.measurements[0]
    assert isinstance(p.value, float)
    assert p.value < 1e-100
    assert p.threshold == 0.01


def test_fires_on_blocks_in_random_order() -> None:
    blocks = np.repeat(RNG.permutation(np.repeat(np.arange(10), 8)), 20)
    finding = only_finding(evidence(blocks))
    assert "follow one of their own class" in finding.message


def test_fires_with_a_warning_on_the_order_on_disk_that_no_label_shows() -> None:
    finding = only_finding(with_ids(np.arange(640), RNG.integers(0, 10, 640)))
    assert finding.severity is Severity.WARNING
    assert "639 of 639 samples are followed by the next one of the source" in finding.message
    assert "place among the sorted ids" in finding.message


def test_fires_once_for_two_epochs() -> None:
    finding = only_finding(evidence(np.repeat(np.arange(10), 64), epochs=2))
    assert "in both epochs" in finding.message
    assert [place.note for place in finding.locations] == ["epoch 0", "epoch 1"]


def test_fires_on_sorted_data_whose_batches_look_like_p_classes_of_k_samples() -> None:
    # 40 classes of 16 in batches of 32: every batch has 2 classes with 16 samples each, and the order is sorted.
    assert "all of class" in only_finding(evidence(np.repeat(np.arange(40), 16))).message


def test_fires_on_samples_without_a_label_among_sorted_ones() -> None:
    labels = np.repeat(np.arange(10), 64).astype(object)
    labels[::7] = None
    assert only_finding(evidence(labels)).severity is Severity.ERROR


def test_silent_on_shuffled_labels_with_its_figures() -> None:
    (outcome,) = unshuffled_order(evidence(RNG.permutation(np.repeat(np.arange(10), 64))))
    assert isinstance(outcome, Observation)
    assert outcome.measurements[0].threshold == 0.01


@pytest.mark.parametrize("rare", [1, 3, 30])
def test_silent_on_shuffled_skewed_labels(rare: int) -> None:
    for seed in range(5):
        labels = np.random.default_rng(seed).permutation(np.repeat([0, 1], [1000 - rare, rare]))
        assert not any(isinstance(item, Finding) for item in unshuffled_order(evidence(labels, 8)))


def test_silent_on_a_shuffle_buffer_which_dg205_reports() -> None:
    labels = np.repeat(np.arange(10), 200)
    leaves = np.argsort(np.maximum(np.arange(2000) - 100, 0) + RNG.exponential(100, 2000))
    outcomes = unshuffled_order(evidence(labels[leaves]))
    assert [type(item) for item in outcomes] == [Observation]
    assert "DG205" in outcomes[0].message  # type: ignore[union-attr]


def test_silent_on_a_class_balanced_sampler_and_names_it() -> None:
    batch = np.repeat(np.arange(4), 8)
    outcomes = unshuffled_order(evidence(np.concatenate([RNG.permutation(batch) for _ in range(40)])))
    assert [type(item) for item in outcomes] == [Observation]
    assert "class-balanced batches" in outcomes[0].message  # type: ignore[union-attr]


def test_silent_on_p_classes_of_k_samples() -> None:
    def batch() -> NDArray[np.intp]:
        return np.repeat(RNG.choice(20, size=8, replace=False), 4)

    outcomes = unshuffled_order(evidence(np.concatenate([batch() for _ in range(40)])))
    assert not any(isinstance(item, Finding) for item in outcomes)
    assert "P classes × K samples" in str(outcomes)


def test_edge_alpha_is_the_level() -> None:
    found = evidence(np.repeat(np.arange(10), 64))
    assert not any(isinstance(item, Finding) for item in unshuffled_order(found, alpha=0.0))


def test_edge_no_labels_is_skipped_with_the_reason() -> None:
    (outcome,) = unshuffled_order(order_evidence(record([np.ones((32, 3))] * 5)))
    assert isinstance(outcome, Skipped)
    assert outcome.reason == "the batches hold no labels"


def test_edge_continuous_labels_are_skipped_with_the_reason() -> None:
    (outcome,) = unshuffled_order(evidence(RNG.normal(size=640)))
    assert isinstance(outcome, Skipped)
    assert outcome.reason == "the labels are continuous, not classes"


def test_edge_one_class_and_few_samples_are_inconclusive() -> None:
    for labels in (np.zeros(640, dtype=int), np.repeat([0, 1], 8)):
        (outcome,) = unshuffled_order(evidence(labels))
        assert isinstance(outcome, Inconclusive)


def test_edge_a_part_of_one_class_is_held_against_the_source() -> None:
    whole = evidence(np.zeros(640, dtype=int), source_classes={"0": 700, "1": 700})
    assert "prefix" not in whole.epochs[0].tests  # of a pass that ended by itself it is not known what it is a part of
    stream = record([(np.ones((32, 3)), np.zeros(32, dtype=int))] * 30, batches=20)
    finding = only_finding(order_evidence(stream, source_classes={"0": 700, "1": 700}))
    assert "a class of 50.0% of the dataset makes up 0.0% of the first 640 samples" in finding.message

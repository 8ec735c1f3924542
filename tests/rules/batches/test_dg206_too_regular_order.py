from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.batches.evidence import OrderEvidence
from dataguard.batches.order_evidence import order_evidence
from dataguard.batches.record import record
from dataguard.core.finding import Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.rules.batches.dg206_too_regular_order import too_regular_order

RNG = np.random.default_rng(0)


def evidence(labels: NDArray[Any], size: int = 32) -> OrderEvidence:
    x = np.random.default_rng(1).normal(size=(len(labels), 3))
    return order_evidence(record([(x[at : at + size], labels[at : at + size]) for at in range(0, len(labels), size)]))


def messages(found: OrderEvidence) -> list[str]:
    outcomes = too_regular_order(found)
    assert all(isinstance(item, Observation) for item in outcomes)
    return [item.message for item in outcomes if isinstance(item, Observation)]


@pytest.mark.parametrize("classes", [2, 10, 50])
def test_fires_on_round_robin(classes: int) -> None:
    (finding,) = too_regular_order(evidence(np.tile(np.arange(classes), 1600 // classes)))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert finding.measurements[0].name == "samples until the classes come round"
    assert finding.measurements[0].value == classes
    assert f"the one {classes} before" in finding.message


def test_fires_on_interleaved_classes_of_unequal_size() -> None:
    sizes = RNG.integers(50, 150, 10)
    labels = np.repeat(np.arange(10), sizes)
    turn = np.concatenate([np.arange(size) for size in sizes])
    assert any(isinstance(item, Finding) for item in too_regular_order(evidence(labels[np.lexsort((labels, turn))])))


def test_silent_on_shuffled_labels() -> None:
    (said,) = messages(evidence(RNG.permutation(np.repeat(np.arange(10), 64))))
    assert "None of 3 tests" in said


def test_silent_on_balanced_and_stratified_samplers_which_are_named() -> None:
    balanced = np.concatenate([RNG.permutation(np.repeat(np.arange(4), 8)) for _ in range(40)])
    assert "class-balanced batches" in messages(evidence(balanced))[0]
    stratified = np.concatenate([RNG.permutation(np.repeat([0, 1], [24, 8])) for _ in range(40)])
    assert "is a choice, not a fault" in messages(evidence(stratified))[0]


def test_silent_on_a_repeated_batch_which_dg203_reports() -> None:
    x, y = RNG.normal(size=(32, 3)), RNG.integers(0, 10, 32)
    assert "DG203" in messages(order_evidence(record([(x, y)] * 50)))[0]


def test_silent_on_sorted_data() -> None:
    assert messages(evidence(np.repeat(np.arange(10), 64)))


def test_edge_labels_absent_are_skipped_and_one_class_is_inconclusive() -> None:
    (absent,) = too_regular_order(order_evidence(record([np.ones((32, 3))] * 5)))
    assert isinstance(absent, Skipped)
    (one,) = too_regular_order(evidence(np.zeros(320, dtype=int)))
    assert isinstance(one, Inconclusive)

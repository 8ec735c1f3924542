from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from dataguard.batches.record import record
from dataguard.batches.reference import ReferencePictures
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.rules.batches.dg212_broken_input_label_association import broken_input_label_association

pytest.importorskip("torch", reason="torch is not installed")

import torch
from torch.utils.data import DataLoader, Dataset

pytestmark = pytest.mark.slow

DIGITS, LABELS = load_digits(return_X_y=True)
PICTURES: NDArray[np.float32] = (DIGITS[:600] / 16).reshape(-1, 1, 8, 8).astype(np.float32)


class Digits(Dataset[Any]):
    """Digits whose ``targets`` are the source, and whose samples carry the labels of `fed`."""

    def __init__(self, fed: NDArray[Any], *, noise: float = 0.0) -> None:
        self.targets, self.fed, self.noise = LABELS[:600], fed, noise
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return 600

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        x = PICTURES[index]
        if self.noise:
            x = x + self.rng.normal(0, self.noise, x.shape).astype(np.float32)
        return torch.from_numpy(x), int(self.fed[index])


def fed(labels: NDArray[Any], *, noise: float = 0.1, epochs: int = 1, thumbnails: int = 600) -> BatchStream:
    return record(DataLoader(Digits(labels, noise=noise), 32, shuffle=True), epochs=epochs, thumbnails=thumbnails)


def permuted(share: float) -> NDArray[Any]:
    rng = np.random.default_rng(1)
    labels: NDArray[Any] = LABELS[:600].copy()
    rows = rng.permutation(600)[: int(600 * share)]
    labels[rows] = labels[rng.permutation(rows)]
    return labels


def test_fires_on_labels_shuffled_apart() -> None:
    (finding,) = broken_input_label_association(fed(permuted(1.0)))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.key == ("broken",)
    assert "no more than chance" in finding.message
    assert finding.exhibits


@pytest.mark.parametrize(("share", "severity"), [(0.02, Severity.WARNING), (0.3, Severity.ERROR)])
def test_fires_on_some_wrong_labels_and_names_each(share: float, severity: Severity) -> None:
    labels = permuted(share)
    (finding,) = broken_input_label_association(fed(labels))
    assert isinstance(finding, Finding)
    assert finding.severity is severity
    wrong = {f"[{row}]" for row in np.flatnonzero(labels != LABELS[:600])}
    assert {place.sample_id for place in finding.locations} == wrong


def test_silent_on_labels_of_their_own() -> None:
    outcomes = broken_input_label_association(fed(LABELS[:600], epochs=2))
    assert outcomes
    assert all(isinstance(item, Observation) for item in outcomes)


def test_silent_on_classes_by_another_name() -> None:
    (outcome,) = broken_input_label_association(fed((LABELS[:600] + 3) % 10))
    assert isinstance(outcome, Observation)
    assert "another name" in outcome.message


class Apart:
    """Shuffles inputs and labels by two permutations, anew in every epoch."""

    def __init__(self, *, apart: bool, ids: bool) -> None:
        self.apart, self.ids, self.rng = apart, ids, np.random.default_rng(0)

    def __iter__(self) -> Iterator[Any]:
        rows = self.rng.permutation(400)
        labels = LABELS[self.rng.permutation(400) if self.apart else rows]
        for at in range(0, 400, 40):
            part = slice(at, at + 40)
            batch = {"image": PICTURES[rows[part]], "label": labels[part]}
            yield {**batch, "id": rows[part]} if self.ids else batch


@pytest.mark.parametrize("ids", [True, False])
def test_fires_by_a_second_epoch_without_any_source(ids: bool) -> None:
    (finding,) = broken_input_label_association(record(Apart(apart=True, ids=ids), epochs=2))
    assert isinstance(finding, Finding)
    assert finding.key == ("broken",)
    (outcome,) = broken_input_label_association(record(Apart(apart=False, ids=ids), epochs=2))
    assert isinstance(outcome, Observation)


def reference() -> ReferencePictures:
    plain = record([(PICTURES[at : at + 50], LABELS[at : at + 50]) for at in range(0, 600, 50)], thumbnails=600)
    return ReferencePictures.of_stream(plain)


def test_fires_by_content_in_a_recording_without_augmentation() -> None:
    stream = dataclasses.replace(record(Apart(apart=True, ids=False)), source_index=None)
    (finding,) = broken_input_label_association(stream, reference())
    assert isinstance(finding, Finding)
    assert finding.confidence is Confidence.HIGH


def anonymous(labels: NDArray[Any], *, noise: float) -> BatchStream:
    return dataclasses.replace(fed(labels, noise=noise), source_codes=None, source_index=None)


def test_fires_by_a_classifier_where_samples_are_augmented_and_nameless() -> None:
    (finding,) = broken_input_label_association(anonymous(permuted(1.0), noise=0.1), reference())
    assert isinstance(finding, Finding)
    assert finding.confidence is Confidence.MEDIUM


def test_silent_by_a_classifier_on_labels_of_their_own() -> None:
    (outcome,) = broken_input_label_association(anonymous(LABELS[:600], noise=0.1), reference())
    assert isinstance(outcome, Observation)


def test_edge_pictures_that_show_nothing_are_not_blamed_on_labels() -> None:
    (outcome,) = broken_input_label_association(anonymous(LABELS[:600], noise=30.0), reference())
    assert isinstance(outcome, Inconclusive)
    assert "DG215" in outcome.reason


def test_edge_mixed_labels_are_not_judged() -> None:
    rng = np.random.default_rng(0)

    class Mixup:
        def __iter__(self) -> Iterator[Any]:
            rows, partners = rng.permutation(400), rng.permutation(400)
            weight = rng.random((400, 1))
            soft = weight * np.eye(10)[LABELS[rows]] + (1 - weight) * np.eye(10)[LABELS[partners]]
            yield {"image": PICTURES[rows], "label": soft, "id": rows}

    (outcome,) = broken_input_label_association(record(Mixup(), epochs=2))
    assert isinstance(outcome, Inconclusive)


def test_edge_without_anything_to_hold_against_it_is_skipped() -> None:
    batch = (PICTURES[:40], LABELS[:40])
    assert isinstance(broken_input_label_association(record([batch]))[0], Skipped)
    assert isinstance(broken_input_label_association(record([(PICTURES[:40], np.linspace(0, 1, 40))]))[0], Skipped)

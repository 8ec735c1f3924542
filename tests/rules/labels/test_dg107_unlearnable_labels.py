from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from dataguard.core.exhibit import Gallery, Listing
from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Severity
from dataguard.labels.control import permute_labels
from dataguard.labels.permutations import LabelPermutations
from dataguard.rules.labels.dg107_unlearnable_labels import unlearnable_labels


def control(*, n: int = 1200, shift: int = 0, kind: Any = "image", noise: float = 0.0, **changes: Any) -> Any:
    """Three clusters with their labels, of which a share is drawn anew, moved by some rows."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, n)
    features = (3 * np.eye(3)[codes] + rng.standard_normal((n, 3))).astype(np.float32)
    given = np.where(rng.random(n) < noise, rng.permutation(codes), codes)
    return permute_labels(
        sample_ids=[f"{row:05}" for row in range(n)],
        paths=[f"{row:05}.png" for row in range(n)],
        labels=np.roll(np.array(["cat", "dog", "emu"], dtype=object)[given], shift),
        features=features,
        kind=kind,
        **changes,
    )


@pytest.fixture(scope="module")
def shifted() -> LabelPermutations:
    made = control(shift=1)
    assert isinstance(made, LabelPermutations)
    return made


def test_fires_on_labels_shifted_by_one_row(shifted: LabelPermutations) -> None:
    (finding,) = unlearnable_labels(shifted)
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.confidence is Confidence.MEDIUM
    assert "No relation between the labels and the pictures" in finding.message
    assert "1,200 samples, 3 classes" in finding.message
    told, weakest = finding.measurements[:2]
    assert told.p_value == shifted.p_value
    assert isinstance(told.value, float)
    assert isinstance(told.threshold, float)
    assert told.value < told.threshold
    assert weakest.value == shifted.detectable
    assert weakest.threshold == 0.03
    named = {measured.name for measured in finding.measurements}
    assert {"permutations", "seed of the control", "samples of the control", "accuracy out of sample"} <= named


def test_fires_with_samples_to_look_at(shifted: LabelPermutations) -> None:
    (finding,) = unlearnable_labels(shifted)
    assert isinstance(finding, Finding)
    gallery, classes = finding.exhibits
    assert isinstance(gallery, Gallery)
    assert gallery.total == 1200
    assert [(shown.sample_id, shown.path) for shown in gallery.pictures] == list(
        zip(shifted.sample_ids[:24], shifted.paths[:24], strict=True)
    )
    assert gallery.pictures[0].given == shifted.classes[shifted.codes[0]]
    assert isinstance(classes, Listing)
    assert sorted(row[:2] for row in classes.rows) == list(zip(shifted.classes, shifted.counts.tolist(), strict=True))
    bare = dataclasses.replace(shifted, paths=(None,) * 1200)
    (finding,) = unlearnable_labels(bare)
    assert isinstance(finding, Finding)
    assert [type(shown) for shown in finding.exhibits] == [Listing]


@pytest.mark.parametrize(
    ("kind", "inputs", "confidence"),
    [
        ("table", "the other columns", Confidence.MEDIUM),
        ("text", "the texts", Confidence.MEDIUM),
        ("features", "the given features", Confidence.HIGH),
        ("probabilities", "the given probabilities", Confidence.HIGH),
    ],
)
def test_fires_in_the_words_of_its_input(
    shifted: LabelPermutations, kind: Any, inputs: str, confidence: Confidence
) -> None:
    (finding,) = unlearnable_labels(dataclasses.replace(shifted, kind=kind))
    assert isinstance(finding, Finding)
    assert f"labels and {inputs}: " in finding.message
    assert finding.confidence is confidence
    assert ("order of the samples" in finding.remedy) == (confidence is Confidence.HIGH)


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_silent_where_the_labels_can_be_learned(noise: float) -> None:
    (outcome,) = unlearnable_labels(control(n=300, noise=noise))
    assert isinstance(outcome, Observation)
    assert outcome.message.startswith("The pictures tell the labels better than chance (p = 0.005)")
    assert "no better than chance:" not in outcome.message


def test_silent_but_names_the_classes_that_are_not_recognised() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, 400)
    # Classes 2 and 3 are alike, so that half of each is taken for the other: both above the rest, neither at chance.
    centre = np.array([[4, 0], [0, 4], [0, 0], [0, 0]])[codes]
    labels = np.array(["a", "b", "c", "d"], dtype=object)[codes]
    labels[rng.permutation(400)[:30]] = "noise"
    made = permute_labels(
        sample_ids=[str(row) for row in range(400)],
        paths=[None] * 400,
        labels=labels,
        features=(centre + rng.standard_normal((400, 2))).astype(np.float32),
        kind="table",
    )
    (outcome,) = unlearnable_labels(made)  # type: ignore[arg-type]
    assert isinstance(outcome, Observation)
    assert outcome.message.endswith("1 class is recognised no better than chance: 'noise' (30 samples).")


def test_edge_too_few_samples_are_inconclusive() -> None:
    made = control(n=90, shift=1)
    assert made.p_value > 0.05
    (outcome,) = unlearnable_labels(made)
    assert isinstance(outcome, Inconclusive)
    assert "90 samples are too few to rule out a weak one" in outcome.reason
    assert "may have been missed" in outcome.reason
    assert outcome.measurements


def test_edge_nothing_planted_is_found(shifted: LabelPermutations) -> None:
    (outcome,) = unlearnable_labels(dataclasses.replace(shifted, found={0.01: 0.2, 0.5: 0.9}))
    assert isinstance(outcome, Inconclusive)
    assert "none would have been found" in outcome.reason


def test_edge_the_option_is_the_weakest_relation_that_must_be_detectable(shifted: LabelPermutations) -> None:
    at = dataclasses.replace(shifted, found={0.01: 0.5, 0.05: 0.95})
    assert [type(outcome) for outcome in unlearnable_labels(at)] == [Inconclusive]
    assert [type(outcome) for outcome in unlearnable_labels(at, weakest_relation=0.05)] == [Finding]


def test_edge_the_level_itself_is_significant(shifted: LabelPermutations) -> None:
    null = np.zeros(199)
    null[:9] = 1.0
    at = dataclasses.replace(shifted, observed=0.5, null=null, found={})
    assert at.p_value == 0.05
    assert [type(outcome) for outcome in unlearnable_labels(at)] == [Observation]

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from dataguard.batches.record import record
from dataguard.batches.reference import ReferencePictures
from dataguard.batches.stream import BatchStream
from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.rules.batches.dg215_augmentation_too_strong import augmentation_too_strong

pytestmark = pytest.mark.slow

DIGITS, LABELS = load_digits(return_X_y=True)
N = 500
PICTURES: NDArray[Any] = (DIGITS[:N] / 16).reshape(-1, 1, 8, 8)
Augment = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]


def fed(x: NDArray[Any], labels: NDArray[Any] = LABELS[:N], *, ids: bool = True) -> BatchStream:
    n = len(x)
    parts = [slice(at, min(at + 50, n)) for at in range(0, n, 50)]
    batches = [{"image": x[part], "label": labels[part], "id": np.arange(n)[part]} for part in parts]
    return record([batch if ids else (batch["image"], batch["label"]) for batch in batches], thumbnails=n)


REFERENCE = ReferencePictures.of_stream(fed(PICTURES))


def augmented(augment: Augment) -> NDArray[Any]:
    rng = np.random.default_rng(0)
    return np.stack([augment(x, rng) for x in PICTURES])


def light(x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    return x * rng.uniform(0.7, 1.3) + rng.normal(0, 0.05, x.shape)


def erased(x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    return np.where(rng.random(x.shape) < 0.95, rng.random(x.shape), x)


def inverted(x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    return 1 - x if rng.random() < 0.5 else x


def corner(x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    top, left = rng.integers(0, 7, 2)
    large: NDArray[Any] = np.kron(x[:, top : top + 2, left : left + 2], np.ones((1, 4, 4)))
    return np.rot90(large, int(rng.integers(4)), axes=(1, 2))


@pytest.mark.parametrize("augment", [erased, corner])
def test_fires_where_nothing_is_left_of_the_class(augment: Augment) -> None:
    (finding,) = augmentation_too_strong(fed(augmented(augment)), REFERENCE)
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert finding.confidence is Confidence.MEDIUM
    kept = finding.measurements[0]
    assert kept.high is not None
    assert kept.value < kept.high < 0.5  # type: ignore[operator]


@pytest.mark.parametrize("augment", [light, inverted, lambda x, _: x[..., ::-1]])
@pytest.mark.parametrize("ids", [True, False])
def test_silent_on_augmentation_that_keeps_the_class(augment: Augment, ids: bool) -> None:
    (outcome,) = augmentation_too_strong(fed(augmented(augment), ids=ids), REFERENCE)
    assert isinstance(outcome, Observation)
    assert "of recognition is kept" in outcome.message


def test_silent_on_another_normalization() -> None:
    standardized = (PICTURES - PICTURES.mean()) / PICTURES.std() + np.random.default_rng(0).normal(
        0, 0.05, (N, 1, 8, 8)
    )
    (outcome,) = augmentation_too_strong(fed(standardized), REFERENCE)
    assert isinstance(outcome, Observation)
    assert outcome.measurements[0].value > 0.95  # type: ignore[operator]


def test_silent_on_pictures_as_they_are() -> None:
    (outcome,) = augmentation_too_strong(fed(PICTURES), REFERENCE)
    assert isinstance(outcome, Observation)
    assert "without augmentation" in outcome.message


def test_edge_permuted_labels_are_left_to_their_own_rule() -> None:
    labels = np.random.default_rng(0).permutation(LABELS[:N])
    (outcome,) = augmentation_too_strong(fed(augmented(light), labels), REFERENCE)
    assert isinstance(outcome, Inconclusive)
    assert "DG212" in outcome.reason


def test_edge_without_a_reference_or_pictures_or_classes_it_is_skipped() -> None:
    assert isinstance(augmentation_too_strong(fed(PICTURES))[0], Skipped)
    rows = record([(np.ones((60, 5)), np.arange(60) % 2)])
    assert isinstance(augmentation_too_strong(rows, REFERENCE)[0], Skipped)
    soft = record([(PICTURES[:60], np.full((60, 10), 0.1))], thumbnails=60)
    assert isinstance(augmentation_too_strong(soft, REFERENCE)[0], Skipped)


def test_edge_few_pictures_and_plain_ones_that_say_nothing_are_inconclusive() -> None:
    few = fed(augmented(light)[:40])
    assert isinstance(augmentation_too_strong(few, REFERENCE)[0], Inconclusive)
    noise = np.random.default_rng(0).random((2, N, 1, 8, 8))
    (outcome,) = augmentation_too_strong(fed(noise[0]), ReferencePictures.of_stream(fed(noise[1])))
    assert isinstance(outcome, Inconclusive)
    assert "too little to lose" in outcome.reason


def test_edge_a_reference_needs_pictures_and_labels() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        ReferencePictures.of_stream(record([(np.ones((4, 3)), [0, 1, 0, 1])]))
    with pytest.raises(ValueError, match="no labels"):
        ReferencePictures.of_stream(record([PICTURES[:4]]))

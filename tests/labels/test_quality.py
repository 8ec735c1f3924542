from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.labels import lapse
from dataguard.labels.quality import assess


def overlapping(
    n: int, classes: int, sharpness: float, rate: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Given labels, true labels and calibrated probabilities of classes that overlap, with uniform noise."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.normal(size=(n, classes))
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    truth = (probs.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)
    other = (truth + rng.integers(1, classes, n)) % classes
    return np.where(rng.random(n) < rate, other, truth), truth, probs.astype(np.float32)


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("classes", [2, 5])
def test_rate_lies_in_its_interval_and_near_the_truth(rate: float, classes: int) -> None:
    labels, truth, probs = overlapping(2000, classes, 6.0, rate, seed=3)
    quality = assess(labels, probs)
    planted = float(np.mean(labels != truth))
    assert quality.low <= planted <= quality.high
    assert quality.noise_rate == pytest.approx(planted, abs=0.02)


def test_overlap_of_classes_is_not_noise() -> None:
    labels, _, probs = overlapping(2000, 3, 1.5, 0.0, seed=1)
    assert np.mean(probs.argmax(axis=1) != labels) > 0.2
    assert assess(labels, probs).low < 0.01


def test_overconfident_probabilities_are_calibrated_first() -> None:
    labels, _, probs = overlapping(2000, 4, 4.0, 0.05, seed=2)
    sharpened = probs.astype(np.float64) ** 4
    sharpened /= sharpened.sum(axis=1, keepdims=True)
    honest, overconfident = assess(labels, probs), assess(labels, sharpened)
    assert overconfident.noise_rate == pytest.approx(honest.noise_rate, abs=0.005)
    assert overconfident.calibration.temperature == pytest.approx(4 * honest.calibration.temperature, rel=0.2)


def test_errors_between_two_classes_are_found_as_such() -> None:
    labels, truth, probs = overlapping(3000, 5, 6.0, 0.0, seed=4)
    rng = np.random.default_rng(0)
    labels = np.where((truth == 1) & (rng.random(3000) < 0.3), 2, labels)
    quality = assess(labels, probs)
    assert quality.free_pairs == 1
    assert quality.transition[1, 2] == pytest.approx(0.3, abs=0.06)
    assert quality.class_rates.argmax() == 2
    assert quality.noise_rate == pytest.approx(np.mean(labels != truth), abs=0.01)


def test_perfect_confident_probabilities_give_rate_zero() -> None:
    labels = np.arange(200) % 4
    quality = assess(labels, np.eye(4, dtype=np.float32)[labels])
    assert quality.noise_rate == 0
    assert not quality.is_error.any()
    assert quality.high < 0.03


def test_confident_contradictions_are_all_flagged() -> None:
    truth = np.arange(300) % 3
    labels = truth.copy()
    labels[:30] = (labels[:30] + 1) % 3
    quality = assess(labels, (0.997 * np.eye(3)[truth] + 0.001).astype(np.float32))
    assert quality.is_error.nonzero()[0].tolist() == list(range(30))
    assert (quality.suggested == truth).all()
    assert quality.noise_rate == pytest.approx(0.1, abs=0.01)


def test_uninformative_probabilities_accuse_nobody() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 300)
    quality = assess(labels, np.full((300, 3), 1 / 3, dtype=np.float32))
    assert not quality.is_error.any()
    assert quality.low == 0


def test_joint_and_transition_are_distributions() -> None:
    labels, _, probs = overlapping(500, 4, 4.0, 0.1, seed=5)
    quality = assess(labels, probs)
    assert quality.joint.sum() == pytest.approx(1)
    np.testing.assert_allclose(quality.joint.sum(axis=0), np.bincount(labels, minlength=4) / 500)
    np.testing.assert_allclose(quality.transition.sum(axis=1), 1)
    assert ((quality.transition >= 0) & (quality.transition <= 1)).all()
    np.testing.assert_allclose(quality.score + quality.posterior, 1)


def test_a_class_that_no_sample_is_given_has_no_rate() -> None:
    labels, _, probs = overlapping(300, 3, 4.0, 0.0, seed=6)
    padded = np.hstack([probs, np.full((300, 1), 1e-6, dtype=np.float32)])
    quality = assess(labels, padded)
    assert np.isnan(quality.class_rates[3])
    assert np.isfinite(quality.noise_rate)


@pytest.mark.parametrize(
    ("labels", "shape"), [([0, 1], (3, 2)), ([0, 2], (2, 2)), ([-1, 0], (2, 2)), ([], (0, 2)), ([0, 0], (2, 1))]
)
def test_what_does_not_fit_is_refused(labels: list[int], shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"fit|classes"):
        assess(np.array(labels, dtype=np.int32), np.full(shape, 1 / shape[1], dtype=np.float32))


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from([2, 4]), st.sampled_from([0.0, 0.15]))
def test_permuting_samples_permutes_the_answer(seed: int, classes: int, rate: float) -> None:
    labels, _, probs = overlapping(300, classes, 4.0, rate, seed)
    shuffled = np.random.default_rng(seed).permutation(300)
    plain, permuted = assess(labels, probs), assess(labels[shuffled], probs[shuffled])
    assert permuted.noise_rate == pytest.approx(plain.noise_rate, abs=1e-3)
    np.testing.assert_allclose(permuted.posterior, plain.posterior[shuffled], atol=1e-2)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from([0.0, 0.15]))
def test_renaming_classes_renames_the_answer(seed: int, rate: float) -> None:
    labels, _, probs = overlapping(300, 4, 4.0, rate, seed)
    renamed = np.random.default_rng(seed).permutation(4)
    plain, other = assess(labels, probs), assess(renamed[labels], probs[:, np.argsort(renamed)])
    assert other.noise_rate == pytest.approx(plain.noise_rate, abs=1e-3)
    np.testing.assert_allclose(other.posterior, plain.posterior, atol=1e-2)
    np.testing.assert_allclose(other.class_rates[renamed], plain.class_rates, atol=1e-2)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**16))
def test_the_same_input_gives_the_same_bits(seed: int) -> None:
    labels, _, probs = overlapping(200, 3, 4.0, 0.1, seed)
    assert assess(labels, probs).posterior.tobytes() == assess(labels, probs).posterior.tobytes()


def test_gradient_of_the_likelihood_is_right() -> None:
    from scipy.optimize import check_grad

    labels, _, probs = overlapping(60, 3, 2.0, 0.1, seed=7)
    pattern = np.array([[0, 0.3, 0.9], [1.2, 0, 0.1], [0.2, 0.4, 0]])
    surface = lapse.LapseLikelihood(lapse.margins(probs), labels, pattern)
    point = np.array([0.2, -0.3, 0.2])

    def value(x: np.ndarray) -> float:
        return surface.value(*x)[0]

    def gradient(x: np.ndarray) -> np.ndarray:
        return surface.value(*x)[1]

    assert check_grad(value, gradient, point) < 1e-6

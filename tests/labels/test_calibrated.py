from __future__ import annotations

import numpy as np
import pytest

from dataguard.labels import lapse
from dataguard.labels.quality import assess

pytestmark = pytest.mark.slow


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
    quality = assess(labels, probs, calibrated=True)
    planted = float(np.mean(labels != truth))
    assert quality.low <= planted <= quality.high
    assert quality.noise_rate == pytest.approx(planted, abs=0.02)


def test_overlap_of_classes_is_not_noise() -> None:
    labels, _, probs = overlapping(2000, 3, 1.5, 0.0, seed=1)
    assert np.mean(probs.argmax(axis=1) != labels) > 0.2
    assert assess(labels, probs, calibrated=True).low < 0.01


def test_overconfident_probabilities_are_calibrated_first() -> None:
    labels, _, probs = overlapping(2000, 4, 4.0, 0.05, seed=2)
    sharpened = probs.astype(np.float64) ** 4
    sharpened /= sharpened.sum(axis=1, keepdims=True)
    honest, overconfident = assess(labels, probs, calibrated=True), assess(labels, sharpened, calibrated=True)
    assert overconfident.noise_rate == pytest.approx(honest.noise_rate, abs=0.005)
    assert overconfident.calibration.temperature == pytest.approx(4 * honest.calibration.temperature, rel=0.2)


def test_errors_between_two_classes_are_found_as_such() -> None:
    labels, truth, probs = overlapping(3000, 5, 6.0, 0.0, seed=4)
    rng = np.random.default_rng(0)
    labels = np.where((truth == 1) & (rng.random(3000) < 0.3), 2, labels)
    quality = assess(labels, probs, calibrated=True)
    assert quality.free_pairs == 1
    assert quality.transition[1, 2] == pytest.approx(0.3, abs=0.06)
    assert quality.class_rates.argmax() == 2
    assert quality.noise_rate == pytest.approx(np.mean(labels != truth), abs=0.01)


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

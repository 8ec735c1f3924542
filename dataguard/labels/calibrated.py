"""Label noise from probabilities that were calibrated with the noise in mind: overlap of classes told from errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.labels import lapse
from dataguard.labels.threads import limited

if TYPE_CHECKING:
    from numpy.typing import NDArray

EM_STEPS = 30
EM_TOLERANCE = 1e-6
STARTING_RATES = (0.03, 0.2)
"""Rates that the search for class pairs with many errors starts from; the likelihood decides between what they find."""
SHAPING_ROUNDS = 3
EXCESS = 3.0
"""Poisson deviations above the uniform share from which a class pair is set free: about 1 in 1,000 pairs by chance."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CalibratedFit:
    """Label noise as the calibrated reading of probabilities has it."""

    rate: float
    low: float
    high: float
    transition: NDArray[np.float64]
    joint: NDArray[np.float64]
    score: NDArray[np.float64]
    suggested: NDArray[np.int32]
    free_pairs: int
    calibration: lapse.Calibration


def fit(
    codes: NDArray[np.intp] | NDArray[np.int32], pred_probs: NDArray[np.floating], *, level: float | None
) -> CalibratedFit:
    """Estimate how many labels are wrong, and which, from probabilities of the true class.

    The model: the margin d_k of class k below the likeliest one gives the probability of the true class, p_k ∝
    exp(−(d_k/τ)^γ); a given label is the true one, replaced by another with the probabilities of a transition matrix.
    Temperature τ, power γ and noise rate are fitted together by maximum likelihood (with weak
    normal priors on log τ and log γ, `lapse.TEMPERATURE_SPREAD` and `lapse.POWER_SPREAD`), so that overlap of classes
    (labels that disagree where the model is unsure, less and less as it grows surer) is told from noise (labels that
    disagree however sure the model is: what psychophysics calls a lapse). Errors fall on all other classes alike,
    unless expectation maximization (Dawid & Skene 1979) finds class pairs that stand out and whose own rates are worth
    their cost in likelihood (Schwarz 1978). The interval is the profile likelihood's over both, widened to the
    Clopper–Pearson interval of as many errors among n. A sample's posterior probability of error follows from Bayes'
    rule.

    Args:
        codes: Index of each given label, shape (n,), 0 … classes − 1.
        pred_probs: Out-of-sample probabilities, shape (n, classes), classes ≥ 2.
        level: Coverage of the interval; None where nobody asks for one.
    """
    classes = pred_probs.shape[1]
    codes = codes.astype(np.intp)

    distance = lapse.margins(pred_probs)
    surfaces = [lapse.LapseLikelihood(distance, codes, lapse.uniform_pattern(classes))]
    with limited(1):
        for rate in STARTING_RATES:
            shaped = _shaped(surfaces[0], codes, rate)
            if shaped is not None:
                surfaces.append(shaped)
        fitted = lapse.fit(surfaces, level=level)
    pattern = surfaces[fitted.surface].pattern
    probs = lapse.calibrated(distance, fitted.calibration)
    transition = lapse.transition(fitted.rate, pattern)
    weights = probs * transition.T[codes]
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    rows = np.arange(len(codes))
    score = weights[rows, codes]
    joint = np.zeros((classes, classes))
    np.add.at(joint.T, codes, weights)
    return CalibratedFit(
        rate=fitted.rate,
        low=fitted.low,
        high=fitted.high,
        transition=transition,
        joint=joint / len(codes),
        score=np.clip(score, 0.0, 1.0),
        suggested=weights.argmax(axis=1).astype(np.int32),
        free_pairs=surfaces[fitted.surface].free_pairs,
        calibration=fitted.calibration,
    )


def _shaped(uniform: lapse.LapseLikelihood, codes: NDArray[np.intp], rate: float) -> lapse.LapseLikelihood | None:
    """The likelihood with the class pairs set free between which errors are more frequent than elsewhere.

    Expectation maximization from uniform errors at `rate`; then a pair stays free where its expected errors exceed
    the uniform share by `EXCESS` Poisson deviations, the others share what is left. Each free pair costs ½·log n
    (Schwarz 1978). None where no pair stands out.
    """
    distance, surface, free = uniform.distance, uniform, np.zeros(uniform.pattern.shape, dtype=bool)
    start = lapse.transition(rate, uniform.pattern)
    for _ in range(SHAPING_ROUNDS):
        _, point = lapse.search(surface, rate=rate)
        probs = lapse.calibrated(
            distance, lapse.Calibration(temperature=float(np.exp(point[1])), power=float(np.exp(point[2])))
        )
        errors = _expected_errors(probs, codes, start)
        if errors.sum() <= 0:
            return None
        rate = float(errors.sum() / len(codes))
        sizes = probs.sum(axis=0)
        even = rate * sizes[:, None] / (len(sizes) - 1)
        free = errors > even + EXCESS * np.sqrt(even + 1)
        np.fill_diagonal(free, False)
        if not free.any():
            return None
        rest = ~free & ~np.eye(len(sizes), dtype=bool)
        left = float(errors[rest].sum() / np.maximum((sizes[:, None] * rest).sum(), 1e-300))
        pattern = np.where(free, errors / np.maximum(sizes[:, None], 1), np.where(rest, left, 0.0))
        pattern /= float(sizes @ pattern.sum(axis=1) / len(codes))
        rate = min(rate, 0.9 * lapse.MAX_RATE / max(1.0, float(pattern.sum(axis=1).max())))
        surface = lapse.LapseLikelihood(distance, codes, pattern, free_pairs=int(free.sum()))
        start = lapse.transition(rate, pattern)
    return surface


def _expected_errors(
    probs: NDArray[np.float64], codes: NDArray[np.intp], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How many samples of true class k are labelled j ≠ k, by expectation maximization of the transition matrix.

    One pseudo-sample for every cell, spread as `start`, keeps rare classes from extreme rates.
    """
    classes = probs.shape[1]
    transition = start
    counts = np.zeros((classes, classes))
    for _ in range(EM_STEPS):
        weights = probs * transition.T[codes]
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
        counts = np.zeros((classes, classes))
        np.add.at(counts.T, codes, weights)
        smoothed = counts + classes * start
        updated = smoothed / smoothed.sum(axis=1, keepdims=True)
        change = float(np.abs(updated - transition).max())
        transition = updated
        if change < EM_TOLERANCE:
            break
    np.fill_diagonal(counts, 0)
    return counts

"""How overconfident probabilities are, told from which class is given where it is not the likeliest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

from dataguard.labels.asymptote import peak
from dataguard.labels.ensemble import Combined
from dataguard.labels.lapse import TEMPERATURE_SPREAD
from dataguard.labels.leading import Leading

if TYPE_CHECKING:
    pass

TEMPERATURES = np.geomspace(0.25, 8.0, 16)
CELLS = 100_000
"""Probabilities that are looked at; of 100 classes those of 1,000 samples."""
LEAST_SAMPLES = 20
STEPS = 30
TOLERANCE = 1e-3
LEAST_SHARE = 0.02
"""Least share of errors that are taken not to follow the probabilities, so that one stray label decides nothing."""
PSEUDO = 2.0
FLOOR = np.float32(-25)


@dataclass(frozen=True, kw_only=True, slots=True)
class Confusion:
    """What the labels that are not the likeliest class say of the probabilities."""

    temperature: float
    """p^(1/temperature) are the chances of the other classes to be given: above 1 the model is overconfident."""
    pattern_share: float
    """Share of these labels that the class alone explains, not the sample: errors that are typical of a class."""
    n: int
    """How many such labels were looked at."""


def confusion(pred_probs: Combined, leading: Leading) -> Confusion | None:
    """Fit which class is given, where it is not the likeliest one, by temperature and by class-wise errors.

    How often the likeliest class is given cannot tell an overconfident model from wrong labels. Which of the others is
    given can: labels that a model merely fails to foresee are drawn as its probabilities say, at the right temperature;
    wrong labels follow the habits of the class. The mixture of both is fitted by expectation maximization over a grid
    of temperatures, with the weak prior of `dataguard.labels.lapse` on their logarithm.

    Args:
        pred_probs: One or more models' probabilities, n rows.
        leading: Of the same samples.

    Returns:
        None for two classes, where there is no other choice, and where fewer than `LEAST_SAMPLES` labels differ.
    """
    k = leading.n_classes
    rows, n = leading.chosen(~leading.agrees, max(CELLS // k, LEAST_SAMPLES))
    if k == 2 or n < LEAST_SAMPLES or len(rows) == 0:
        return None
    n = len(rows)
    here = np.arange(n)
    top, given = leading.top[rows], leading.given[rows]
    probs = pred_probs.take(rows).astype(np.float32)
    probs[here, top] = 0
    with np.errstate(divide="ignore"):
        logs = np.log(probs)
    highest = logs.max(axis=1, keepdims=True)
    # Where all the others are impossible, they are all alike.
    known = np.isfinite(highest)
    logs = np.where(known, np.maximum(logs - np.where(known, highest, np.float32(0)), FLOOR), np.float32(0))
    of_given = logs[here, given]
    logs[here, top] = -np.inf
    pairs, place = np.unique(top.astype(np.int64) * k + given, return_inverse=True)
    true = pairs // k
    found: list[tuple[float, float, float]] = []
    share = 0.3
    for temperature in TEMPERATURES:
        follows = np.exp(of_given / np.float32(temperature)) / np.exp(logs / np.float32(temperature)).sum(axis=1)
        pattern = np.full(len(pairs), 1 / (k - 1))
        share = max(share, LEAST_SHARE)
        for _ in range(STEPS):
            by_class = share * pattern[place]
            weight = by_class / np.maximum(by_class + (1 - share) * follows, 1e-300)
            counts = np.bincount(place, weight, len(pairs))
            sizes = np.bincount(true, counts, k)
            pattern = (counts + PSEUDO / (k - 1)) / (sizes[true] + PSEUDO)
            before, share = share, max(float(weight.mean()), LEAST_SHARE)
            if abs(share - before) < TOLERANCE:
                break
        likelihood = np.log(np.maximum(share * pattern[place] + (1 - share) * follows, 1e-300)).sum()
        penalty = (np.log(temperature) / TEMPERATURE_SPREAD) ** 2 / 2
        found.append((float(likelihood - penalty), float(temperature), share))
    heights, grid, shares = np.array(found).T
    return Confusion(
        temperature=float(np.exp(peak(np.log(grid), heights))), pattern_share=float(shares[heights.argmax()]), n=n
    )


def given_temperature(probs: NDArray[np.float32], given: NDArray[np.int32]) -> tuple[float, float]:
    """The temperature at which the probabilities foresee the given labels best (Guo et al. 2017).

    Below 1 the model is underconfident about them, as label smoothing, mixup and averaging make it. By maximum
    likelihood, with golden section search.

    Args:
        probs: Shape (n, classes).
        given: Given labels, shape (n,).

    Returns:
        The temperature, and by how many nats a label the probabilities at it are better than the class shares: not
        above 0 where they say nothing of the labels.
    """
    logs = np.log(np.maximum(probs, np.float32(1e-7)))
    logs -= logs.max(axis=1, keepdims=True)
    mean_of_given = float(logs[np.arange(len(logs)), given].mean())

    def loss(log_temperature: float) -> float:
        scale = float(np.exp(-log_temperature))
        return float(np.log(np.exp(logs * np.float32(scale)).sum(axis=1)).mean()) - scale * mean_of_given

    golden = (np.sqrt(5) - 1) / 2
    low, high = float(np.log(TEMPERATURES[0])), float(np.log(TEMPERATURES[-1]))
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(9):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = loss(right)
    counts = np.bincount(given)
    shares = counts[counts > 0] / len(given)
    return float(np.exp((low + high) / 2)), -float(shares @ np.log(shares)) - min(at_left, at_right)

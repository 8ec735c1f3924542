"""How many labels are wrong however sure the model is: the share of disagreement that does not go away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.labels.lapse import POWER_SPREAD, TEMPERATURE_SPREAD
from dataguard.labels.leading import Leading

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 128
WIDTH = 0.2
"""Width of a bin in nats: a fifth of the scale on which a curve of temperature 1 changes."""
INDIFFERENT = 0.01
RATES = np.concatenate([[0.0], np.geomspace(0.001, 0.9, 30)])
LOG_TEMPERATURES = np.linspace(-2.8, 2.8, 25)
LOG_POWERS = np.linspace(-0.9, 0.9, 5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asymptote:
    """The rate of disagreement that is left where the model is surest, with its profile-likelihood interval."""

    rate: float
    low: float
    high: float
    temperature: float
    """Temperature of the likeliest curve: above 1 the probabilities are overconfident about the given labels."""


def asymptote(leading: Leading, *, level: float = 0.95) -> Asymptote:
    """Fit agreement with the given labels as a function of the top probability: a curve that ends below 1 by the rate.

    What psychophysics calls a lapse rate (Wichmann & Hill 2001): the odds of the likeliest class are (odds/prior
    odds)^… with temperature τ and power γ as in `dataguard.labels.lapse`, and with the rate r a label is any class
    but the true one. Fitted by maximum likelihood over a grid, on bins of the log-odds, so that it costs
    the same for any number of samples. Only errors that are as frequent where the model is sure as elsewhere show in
    it: a lower bound where people err on what is hard for models too.

    Args:
        leading: The samples, all with labels.
        level: Coverage of the interval.
    """
    from scipy import special

    k = leading.n_classes
    evidence, agreed, counts = _bins(leading)
    scaled = np.log(np.maximum(evidence, 1e-6))
    exponent = np.exp(LOG_POWERS)[:, None, None] * (scaled[None, None, :] - LOG_TEMPERATURES[None, :, None])
    sure = 1 / (1 + (k - 1) * np.exp(-np.exp(np.minimum(exponent, 4.5))))
    chance = (1 - sure) / (k - 1)
    prior = (LOG_TEMPERATURES[None, :] / TEMPERATURE_SPREAD) ** 2 / 2 + (LOG_POWERS[:, None] / POWER_SPREAD) ** 2 / 2
    values = np.empty((len(RATES), *prior.shape))
    for index, rate in enumerate(RATES):
        agree = np.clip((1 - rate) * sure + rate * chance, 1e-9, 1 - 1e-9)
        values[index] = np.log(agree) @ agreed + np.log1p(-agree) @ (counts - agreed) - prior
    profile = values.max(axis=(1, 2))
    # Where the curve says nothing of the rate, all rates are equally likely: the lowest is claimed.
    top = int(np.flatnonzero(profile > profile.max() - INDIFFERENT)[0])
    kept = np.flatnonzero(profile > profile[top] - float(special.chdtri(1, 1 - level)) / 2)
    return Asymptote(
        rate=float(RATES[top]),
        low=float(RATES[kept[0]]),
        high=float(RATES[kept[-1]]),
        temperature=float(np.exp(peak(LOG_TEMPERATURES, values[top].max(axis=0)))),
    )


def peak(grid: NDArray[np.float64], heights: NDArray[np.float64]) -> float:
    """Where a curve is highest that is known on an even grid: the top of the parabola through the three highest."""
    top = int(heights.argmax())
    if top in (0, len(grid) - 1):
        return float(grid[top])
    left, middle, right = heights[top - 1 : top + 2]
    bend = left - 2 * middle + right
    shift = (left - right) / (2 * bend) if bend < 0 else 0.0
    return float(grid[top] + shift * (grid[1] - grid[0]))


def _bins(leading: Leading) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Evidence for the likeliest class (log-odds above those of chance), how many agree, how many there are; by bin."""
    top = leading.p_top.astype(np.float32)
    odds = np.log(top) - np.log(np.maximum(1 - top, np.float32(1e-7))) + np.float32(np.log(leading.n_classes - 1))
    place = np.clip(odds / WIDTH, 0, BINS - 1).astype(np.intp)
    counts = np.bincount(place, minlength=BINS).astype(np.float64)
    agreed = np.bincount(place, leading.agrees, BINS)
    mean = np.bincount(place, odds, BINS) / np.maximum(counts, 1)
    used = counts > 0
    return np.maximum(mean[used], 0.0), agreed[used].astype(np.float64), counts[used]

"""The model of label noise: a calibrated classifier's labels, some of them replaced by another class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOG_FLOOR = -30.0
"""Least log probability that is told apart; about the least that float32 softmax outputs keep meaningful."""
TEMPERATURE_SPREAD = 0.7
"""Standard deviation of the normal prior on the log of the temperature: probabilities are taken at their word within
a factor of two, unless the labels say otherwise. It decides where all margins are alike, so that the likelihood cannot
tell wrong labels from a need of caution."""
POWER_SPREAD = 0.35
"""Standard deviation of the normal prior on the log of the power: a factor of two either way is two deviations."""
MAX_RATE = 0.9
SAME_PLACE = 1e-3
"""Calibrations whose logarithms of temperature and power differ by less are one maximum."""
_CELLS = 40_000
"""Probabilities that the likelihood is computed of at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """How margins become probabilities: softmax(−(d/temperature)^power), d the margin below the best class."""

    temperature: float
    power: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LapseFit:
    """Most likely noise rate with its profile-likelihood interval."""

    rate: float
    low: float
    high: float
    calibration: Calibration
    surface: int
    """Which of the surfaces holds the peak."""


def margins(pred_probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """How far each class lies below the likeliest, in nats: shape (n, classes), 0 for the likeliest."""
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(pred_probs.astype(np.float64)), LOG_FLOOR)
    below: NDArray[np.float64] = logs.max(axis=1, keepdims=True) - logs
    return below


def calibrated(distance: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """Probabilities of the true class, shape (n, classes)."""
    energies: NDArray[np.float64] = np.exp(-((distance / calibration.temperature) ** calibration.power))
    energies /= energies.sum(axis=1, keepdims=True)
    return energies


class LapseLikelihood:
    """log Π_i Σ_k p_k(x_i)·T_k,ỹ_i with T = I − rate·(diag(r) − R), as a function of rate and calibration.

    R holds the pattern of the errors: R_kj is proportional to how often class k is labelled j, its rows sum to r_k,
    and Σ π_k r_k = 1 over the class shares, so that `rate` is the share of wrong labels in all. Every class pair that
    has a value of its own in it costs ½·log n (Schwarz 1978).
    """

    def __init__(
        self,
        distance: NDArray[np.float64],
        codes: NDArray[np.intp],
        pattern: NDArray[np.float64],
        *,
        free_pairs: int = 0,
    ) -> None:
        self.n = len(codes)
        self.free_pairs = free_pairs
        self.penalty = 0.5 * np.log(self.n) * free_pairs
        self.distance = distance
        self.codes = codes
        self.pattern = pattern
        row_sums = pattern.sum(axis=1)
        self.top = min(MAX_RATE, 0.99 / float(row_sums.max())) if row_sums.max() > 0 else MAX_RATE
        # Column ỹ_i of (R − diag(r)): what one unit of noise adds to the likelihood of the label given x's true class.
        self.gain = np.ascontiguousarray((pattern - np.diag(row_sums)).T)[codes]
        self.log_distance = np.log(np.maximum(distance, 1e-12))

    def value(self, rate: float, log_temperature: float, log_power: float) -> tuple[float, NDArray[np.float64]]:
        """Penalised mean log likelihood and its gradient by (rate, log temperature, log power)."""
        power = np.exp(log_power)
        total, gradient = 0.0, np.zeros(3)
        # In place, and so many rows at a time that they stay in the processor's cache: half the time.
        size = max(1, _CELLS // self.distance.shape[1])
        for start in range(0, self.n, size):
            part = slice(start, start + size)
            log_u = self.log_distance[part] - log_temperature
            log_u *= power
            u = np.minimum(log_u, 6.5)
            np.exp(u, out=u)
            q = np.negative(u)
            np.exp(q, out=q)
            q /= q.sum(axis=1, keepdims=True)
            given = np.arange(len(q)), self.codes[part]
            indicator = q[given]
            weighted = q * self.gain[part]
            noise = weighted.sum(axis=1)
            known = indicator + rate * noise
            likelihood = np.maximum(known, 1e-300)
            # The label's probability changes by this times the slope of each class's exponent: −power·u by the log of
            # the temperature, u·log u by that of the power, both taken from 0.
            weighted *= rate
            weighted[given] += indicator
            q *= known[:, None]
            weighted -= q
            weighted *= u
            weighted /= likelihood[:, None]
            total += float(np.log(likelihood).sum())
            gradient[0] += float((noise / likelihood).sum())
            gradient[1] += power * float(weighted.sum())
            gradient[2] -= float(np.einsum("ij,ij->", weighted, log_u))
        gradient /= self.n
        penalty = ((log_temperature / TEMPERATURE_SPREAD) ** 2 + (log_power / POWER_SPREAD) ** 2) / 2 / self.n
        gradient[1] -= log_temperature / TEMPERATURE_SPREAD**2 / self.n
        gradient[2] -= log_power / POWER_SPREAD**2 / self.n
        return total / self.n - penalty, gradient

    def best(self, start: NDArray[np.float64], *, rate: float | None = None) -> tuple[float, NDArray[np.float64]]:
        """The greatest penalised log likelihood and where it is; with the rate fixed where one is given."""
        from scipy import optimize

        free = slice(0, 3) if rate is None else slice(1, 3)
        bounds = [(0.0, self.top), (np.log(1e-3), np.log(1e3)), (np.log(0.2), np.log(5.0))][free]

        def objective(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            point = np.concatenate([[rate], x]) if rate is not None else x
            value, gradient = self.value(*point)
            return -value, -gradient[free]

        found = optimize.minimize(
            objective, start[free], jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-8}
        )
        point = found.x if rate is None else np.concatenate([[rate], found.x])
        return -float(found.fun) * self.n - self.penalty, point


def search(
    surface: LapseLikelihood, *extra: NDArray[np.float64], rate: float | None = None
) -> tuple[float, NDArray[np.float64]]:
    """The highest of the maxima climbed to from the better corners of the plausible range, and from `extra` points.

    Args:
        surface: What to climb.
        extra: Points (rate, log temperature, log power) to start from as well.
        rate: Holds the rate fixed where it is given.
    """
    positive = surface.distance[surface.distance > 0]
    scale = np.log(max(float(np.median(positive)) / 3, 1e-3)) if len(positive) else 0.0
    rates = (0.02, 0.2) if rate is None else (rate,)
    corners = [np.array([start, scale + shift, 0.0]) for start in rates for shift in (-1.0, 0.0, 1.0)]
    corners.sort(key=lambda corner: -surface.value(*corner)[0])
    return max((surface.best(start, rate=rate) for start in (*extra, *corners[:2])), key=lambda found: found[0])


def fit(surfaces: Sequence[LapseLikelihood], *, level: float | None = 0.95) -> LapseFit:
    """The most likely rate and calibration over all surfaces, and the profile-likelihood interval of the rate.

    The interval holds every rate that some surface, at its best calibration, makes likely enough against the peak:
    the doubt about where errors go is in it.

    Args:
        surfaces: Likelihoods of the same labels under different patterns.
        level: Coverage of the interval, from the χ² distribution with one degree of freedom. None where nobody asks
            for one, which is most of the work: it is the rate alone then.
    """
    from scipy import optimize, stats

    peaks = [search(surface) for surface in surfaces]
    chosen = max(range(len(surfaces)), key=lambda index: peaks[index][0])
    peak, point = peaks[chosen]
    floor = np.inf if level is None else peak - float(stats.chi2.ppf(level, 1)) / 2

    def end(surface: LapseLikelihood, top: NDArray[np.float64], limit: float) -> float:
        # The profile can have two ridges; following each from its own end keeps the interval from stopping at a dip.
        at_limit = search(surface, top, rate=limit)
        if at_limit[0] > floor:
            return limit
        warm = [top, at_limit[1]]

        def excess(rate: float) -> float:
            found = [surface.best(start, rate=rate) for start in warm]
            warm[:] = [place for _, place in found]
            # Where both have come to one place they would go on together.
            if len(warm) == 2 and np.abs(warm[0] - warm[1]).max() < SAME_PLACE:
                del warm[1]
            return max(value for value, _ in found) - floor

        return float(optimize.brentq(excess, float(top[0]), limit, xtol=1e-4))

    ends = [float(point[0])]
    for surface, (height, top) in zip(surfaces, peaks, strict=True):
        if height > floor:
            ends.append(end(surface, top, 0.0) if top[0] > 0 else 0.0)
            ends.append(end(surface, top, surface.top) if top[0] < surface.top else surface.top)
    return LapseFit(
        rate=float(point[0]),
        low=min(ends),
        high=max(ends),
        calibration=Calibration(temperature=float(np.exp(point[1])), power=float(np.exp(point[2]))),
        surface=chosen,
    )


def uniform_pattern(classes: int) -> NDArray[np.float64]:
    """Errors that fall on all other classes alike, and are as frequent in each class."""
    pattern = np.full((classes, classes), 1 / (classes - 1))
    np.fill_diagonal(pattern, 0)
    return pattern


def transition(rate: float, pattern: NDArray[np.float64]) -> NDArray[np.float64]:
    """T[k, j], the probability that class k is labelled j; rows sum to 1."""
    return np.eye(len(pattern)) + rate * (pattern - np.diag(pattern.sum(axis=1)))

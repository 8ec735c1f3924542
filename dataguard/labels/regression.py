"""Which targets of a regression are wrong, and how many, from out-of-sample predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

MIN_SAMPLES = 20
"""Fewer residuals say nothing of the tail of their own distribution; every score is 1 then."""
DEGREES = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, np.inf)
"""Degrees of freedom of the core that are tried: from tails heavier than any variance to the normal law."""
LIGHTER = 3.5
"""Factor by which the tails of right targets may be lighter, in degrees of freedom, than those that fit best, for the
upper end of the interval: no distribution of residuals is Student's exactly, and a fit to the heaviest of them takes
wrong targets for its tail."""
RATES = 24
"""Contamination rates that are tried, evenly spaced in their logarithm."""
MAX_RATE = 0.6
FIT_SAMPLES = 5_000
"""Above this the mixture is fitted to so many samples, evenly spaced in the order of their predictions, and applied to
all: a rate of 5 % is then known to 0.3 points at best, which its interval says, and the time is bounded at seconds."""
CLEAN_PSEUDO_SAMPLES = 9.0
"""Weight of the prior (1 − rate)^9. It decides only where the predictions say nothing of the targets, so that the
residuals and wrong targets have the same distribution and the likelihood is flat in the rate."""
WINDOW = 50
"""Least number of neighbours, by prediction, that a local centre and scale are the medians of."""
LOCALITY = 0.75
"""Power of the local scale: medians of windows vary by themselves, and this takes that part out. Measured: of 0.5, 0.75
and 1, it ranks planted errors best (benchmarks/targets.py)."""
STEPS = 20
TOLERANCE = 1e-3
"""Relative change of σ below which it is settled: it moves the log likelihood by about n·1e-6."""
WIDE = 2.0
"""Half width of the Cauchy distribution of slips, in robust standard deviations of the targets."""
SWAPS = (0.0, 0.5)
"""Shares of the wrong targets that are other samples' targets. A share fitted to the data would let swaps stand in for
a core whose shape changes with the prediction."""
MOSTLY_SWAPS = 0.95
"""The share for the upper end of the interval: where nearly all wrong targets are other samples', more of them lie near
the prediction, and are taken for right ones with even odds."""
NORMAL_QUARTILE = 0.6744897501960817
"""Median of |z| of a standard normal z."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TargetQuality:
    """What the given targets are worth."""

    noise_rate: float
    """Estimated share of wrong targets among those that were judged, 0–1."""
    low: float
    """Lower end of the interval around ``noise_rate``."""
    high: float
    level: float
    """Coverage of the interval, for example 0.95."""
    n: int
    """How many targets were judged: those that are finite, with a finite prediction."""
    score: NDArray[np.float64]
    """Probability that the target is right, 0–1: lower is worse. NaN where the target is missing, 0 where it is
    infinite. Shape (n_samples,), read-only."""
    posterior: NDArray[np.float64]
    """Probability that the target is wrong, 1 − score. Shape (n_samples,), read-only."""
    is_error: NDArray[np.bool_]
    """Whether the target is more likely wrong than right, with a local scale and with one scale for all; shape
    (n_samples,), read-only."""
    suggested: NDArray[np.float64]
    """The target that the predictions expect, in the target's unit; shape (n_samples,), read-only."""
    scale: NDArray[np.float64]
    """Local scale of the residuals of right targets (a standard deviation where they are normal), in the target's
    unit; shape (n_samples,), read-only."""
    residual: NDArray[np.float64]
    """(target − suggested)/scale, shape (n_samples,), read-only."""
    degrees: float
    """Degrees of freedom of the Student t distribution that fits the residuals of right targets; inf for normal."""


def assess_targets(
    targets: ArrayLike,
    predictions: ArrayLike | Sequence[ArrayLike],
    *,
    scale: ArrayLike | None = None,
    level: float = 0.95,
) -> TargetQuality:
    """Estimate how many targets are wrong, and which, from out-of-sample predictions.

    The model: a right target is the prediction plus σ·s·t, with t from Student's distribution of ν degrees of freedom
    and s the local scale of the residuals; a wrong one is another sample's target (a swap), or lies anywhere around
    the prediction by a Cauchy distribution as wide as all targets (a slip), with even odds. Rate, σ and ν are fitted
    together by maximum likelihood (Lange, Little & Taylor 1989 for the t core; Aitkin & Wilson 1980 for the mixture),
    so that heavy tails of right targets, which thin out with distance, are told from wrong targets, which do not. The
    probability that a target is wrong follows from Bayes' rule, averaged over rate and ν with the weight that the
    likelihood gives them. The interval of the rate is that of its profile likelihood, no narrower than Clopper and
    Pearson's (1934) for as many errors among n. Wrong targets near the prediction pass for a heavy tail of right ones,
    which the likelihood cannot tell; so its upper end is the greatest of those under tails that are up to `LIGHTER`
    times lighter, and with nearly all wrong targets exchanged ones (`MOSTLY_SWAPS`).

    All of it is done twice, with a local scale and with one scale for all: which of them holds decides on where wrong
    targets begin, and the data seldom tell. Score and rate are the means of both, the interval covers both, and an
    error is what both call one.

    The interval holds as far as the model does. Where the predictions explain little of the targets, other samples'
    targets look right, and the rate comes out too low rather than too high (`benchmarks/targets.py`).

    Args:
        targets: The given targets, shape (n,), any real dtype. NaN means missing and is not judged.
        predictions: Out-of-sample predictions: those of one model, shape (n,), or of m models, shape (n, m) or a list
            of m arrays (n,). Several are weighed by how well each predicts; where they disagree the scale is larger.
            A sample with a NaN prediction is not judged.
        scale: How large the errors of right targets are expected to be relative to one another, shape (n,), positive,
            made without the sample's own target; for example by a model of |residual|. The scale as a function of the
            prediction is estimated in any case.
        level: Coverage of the interval.

    Raises:
        ValueError: the shapes do not fit together, `level` is not between 0 and 1, a prediction is infinite, or
            `scale` is not positive.
    """
    given, columns, expected_scale = _checked(targets, predictions, scale, level)
    n = len(given)
    usable = np.isfinite(given) & np.isfinite(columns).all(axis=1)
    prediction = columns.mean(axis=1)
    spread = np.full(n, np.nan)
    score = np.where(np.isnan(given) | ~np.isfinite(columns).all(axis=1), np.nan, 1.0)
    score[np.isinf(given)] = 0.0
    wrong = np.isinf(given)
    rate, low, high, degrees = 0.0, 0.0, 1.0, np.inf
    y = given[usable]
    if len(y):
        unit = _unit(y)
        middle = float(np.median(y))
        parts = (columns[usable] - middle) / unit
        z = (y - middle) / unit
        weights = _stacked(z, parts)
        combined = parts @ weights
        prediction = columns @ weights
        covariates = [combined]
        if parts.shape[1] > 1:
            covariates.append(np.sqrt(np.maximum((parts - combined[:, None]) ** 2 @ weights, 0)))
        if expected_scale is not None:
            covariates.append(np.log(expected_scale[usable]))
        centre, local = _centre_and_scale(z, combined, covariates)
        prediction[usable] = middle + unit * centre
        spread[usable] = unit * local
        if len(y) >= MIN_SAMPLES and float(np.ptp(y)) > 0:
            widths = (local, np.full(len(z), float(np.median(local))))
            fits = [_fit(z, centre, width, swaps, level) for width in widths for swaps in SWAPS]
            score[usable] = np.mean([fitted.right for fitted in fits], axis=0)
            wrong[usable] = np.all([fitted.right < 0.5 for fitted in fits], axis=0)
            rate = float(np.mean([fitted.rate for fitted in fits]))
            low, high = min(fitted.low for fitted in fits), max(fitted.high for fitted in fits)
            high = max(high, *(_fit(z, centre, width, MOSTLY_SWAPS, level).high for width in widths))
            degrees = fits[0].degrees
            spread[usable] *= fits[0].sigma
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = (given - prediction) / spread
    posterior = 1 - score
    return TargetQuality(
        noise_rate=rate,
        low=low,
        high=high,
        level=level,
        n=int(usable.sum()),
        score=_frozen(score),
        posterior=_frozen(posterior),
        is_error=_frozen(wrong),
        suggested=_frozen(prediction),
        scale=_frozen(spread),
        residual=_frozen(residual),
        degrees=degrees,
    )


def _checked(
    targets: ArrayLike, predictions: ArrayLike | Sequence[ArrayLike], scale: ArrayLike | None, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    given = np.asarray(targets, dtype=np.float64)
    if given.ndim != 1:
        raise ValueError(f"targets of shape {given.shape}: expected (n,)")
    if not 0 < level < 1:
        raise ValueError(f"level {level!r}: expected a number between 0 and 1")
    columns = np.asarray(predictions, dtype=np.float64)
    if isinstance(predictions, list | tuple) and columns.ndim == 2:
        columns = columns.T
    if columns.ndim == 1:
        columns = columns[:, None]
    if columns.ndim != 2 or len(columns) != len(given) or columns.shape[1] == 0:
        raise ValueError(
            f"predictions of shape {columns.shape} for {len(given)} targets: expected (n,), (n, m), or a list "
            "of arrays (n,)"
        )
    if np.isinf(columns).any():
        raise ValueError("predictions hold infinite values")
    expected = None
    if scale is not None:
        expected = np.asarray(scale, dtype=np.float64)
        if expected.shape != given.shape or not (np.isfinite(expected) & (expected > 0)).all():
            raise ValueError(f"scale of shape {expected.shape}: expected ({len(given)},) positive numbers")
    return given, columns, expected


def _unit(y: NDArray[np.float64]) -> float:
    """A robust spread of the targets; 1 where they are constant."""
    first, third = np.percentile(y, [25, 75])
    return float(third - first) / (2 * NORMAL_QUARTILE) or float(np.abs(y - np.median(y)).mean()) or 1.0


def _stacked(z: NDArray[np.float64], parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights ≥ 0 that sum to 1, of least Huber loss: far residuals count by their size alone, not by its square."""
    m = parts.shape[1]
    weights = np.full(m, 1 / m)
    if m == 1 or len(z) <= m:
        return weights
    from scipy import optimize

    for _ in range(5):
        residual = z - parts @ weights
        width = 1.345 * max(float(np.median(np.abs(residual))) / NORMAL_QUARTILE, 1e-9)
        root = np.sqrt(np.minimum(1, width / np.maximum(np.abs(residual), 1e-300)))
        # A heavy last row makes the weights sum to 1.
        heavy = 1e3 * np.sqrt(len(z))
        rows = np.vstack([parts * root[:, None], np.full((1, m), heavy)])
        found, _ = optimize.nnls(rows, np.append(z * root, heavy))
        total = float(found.sum())
        weights = found / total if total > 0 else weights
    return weights


def _centre_and_scale(
    z: NDArray[np.float64], prediction: NDArray[np.float64], covariates: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The expected target, and the scale of its residual as a product of functions of the covariates.

    Medians of windows along each covariate, interpolated: half of a window may be wrong before it breaks. Along the
    prediction, residuals above and below the expected target have each a scale of their own: targets that have a least
    or greatest value are skewed near it, to one side here and to the other there.
    """
    centre = prediction + _running_median(z - prediction, prediction)
    size = np.abs(z - centre)
    whole = float(np.median(size)) or float(size.mean())
    if whole == 0:
        return centre, np.full(len(z), 1e-9)
    # Rounded targets cannot be predicted better than to their resolution.
    steps = np.diff(np.unique(z))
    resolution = float(steps.min()) / np.sqrt(12) * NORMAL_QUARTILE if len(steps) else 0.0
    floor = max(0.05 * whole, resolution)
    scale = np.full(len(z), whole)
    for covariate in (*covariates[1:], *covariates) if len(covariates) > 1 else covariates:
        ratio = _running_median(size / scale, covariate)
        scale = np.maximum(scale * np.maximum(ratio, 1e-3), floor)
    above = z > centre
    for side in (above, ~above):
        if side.sum() > 2 * WINDOW:
            ratio = _running_median((size / scale)[side], prediction[side])
            scale[side] = np.maximum(scale[side] * np.maximum(ratio, 1e-3), floor)
    shrunk = float(np.median(scale)) ** (1 - LOCALITY) * scale**LOCALITY
    return centre, np.asarray(shrunk / NORMAL_QUARTILE)


def _running_median(values: NDArray[np.float64], along: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of `values` among neighbours along a covariate, as a piecewise linear function of it."""
    n = len(values)
    width = max(2 * WINDOW, round(0.7 * n**0.85))
    if n <= width or along.min() == along.max():
        return np.full(n, float(np.median(values)))
    order = np.argsort(along, kind="stable")
    starts = np.unique(np.linspace(0, n - width, max(2, 2 * n // width)).astype(np.intp))
    windows = [order[start : start + width] for start in starts]
    at = np.array([np.median(along[window]) for window in windows])
    medians = np.array([np.median(values[window]) for window in windows])
    return np.asarray(np.interp(along, at, medians))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Fit:
    rate: float
    low: float
    high: float
    sigma: float
    degrees: float
    right: NDArray[np.float64]


def _fit(
    z: NDArray[np.float64], centre: NDArray[np.float64], local: NDArray[np.float64], swaps: float, level: float
) -> _Fit:
    """The mixture of a Student t core with wrong targets of any value."""
    from scipy import interpolate, special

    n = len(z)
    slip = 1 / (np.pi * WIDE * (1 + ((z - centre) / WIDE) ** 2))
    data = _Residuals(
        square=((z - centre) / local) ** 2,
        log_local=np.log(local),
        log_wrong=np.log(swaps * _others(z) + (1 - swaps) * slip),
    )
    part = data
    if n > FIT_SAMPLES:
        part = data.take(np.argsort(centre, kind="stable")[np.linspace(0, n - 1, FIT_SAMPLES).astype(np.intp)])
    rates = np.concatenate([[0.0], np.geomspace(min(0.1 / len(part.square), 0.01), MAX_RATE, RATES)])
    likelihood = np.empty((len(DEGREES), len(rates)))
    sigmas = np.empty_like(likelihood)
    sigma = np.ones(len(rates))
    for row in reversed(range(len(DEGREES))):
        sigma, likelihood[row] = _climb(part, rates, DEGREES[row], sigma)
        sigmas[row] = sigma

    # Bayes: log-uniform in the rate, times the prior for clean data.
    weight = likelihood[:, 1:] + CLEAN_PSEUDO_SAMPLES * np.log1p(-rates[1:])
    weight = np.exp(weight - weight.max())
    weight[weight < 1e-4] = 0
    weight /= weight.sum()
    right = np.zeros(n)
    for row, column in zip(*np.nonzero(weight), strict=True):
        core = data.log_right(sigmas[row, column + 1 : column + 2], DEGREES[row])[0]
        odds = special.logit(rates[column + 1]) + data.log_wrong - core
        right += weight[row, column] * special.expit(-odds)

    fine = np.append(0.0, np.geomspace(rates[1], MAX_RATE, 2000))

    def interval(profile: NDArray[np.float64]) -> tuple[float, float, float]:
        """The likeliest rate, and the ends of its profile-likelihood interval."""
        curve = interpolate.PchipInterpolator(np.log(rates[1:]), profile[1:])(np.log(fine[1:]))
        penalised = np.append(profile[0], curve) + CLEAN_PSEUDO_SAMPLES * np.log1p(-fine)
        peak = int(penalised.argmax())
        inside = fine[penalised >= penalised[peak] - special.chdtri(1, 1 - level) / 2]
        return float(fine[peak]), float(inside.min()), float(inside.max())

    rate, low, high = interval(likelihood.max(axis=0))
    exact_low, exact_high = _clopper_pearson(rate * n, n, level)
    best = np.unravel_index(int(likelihood.argmax()), likelihood.shape)
    # Wrong targets that lie near look like a heavy tail of right ones, and there the likelihood cannot tell.
    fitted = DEGREES[best[0]]
    for row, degrees in enumerate(DEGREES):
        if fitted < degrees <= LIGHTER * fitted:
            high = max(high, interval(likelihood[row])[2])
    return _Fit(
        rate=rate,
        low=min(low, exact_low),
        high=max(high, exact_high),
        sigma=float(sigmas[best]),
        degrees=float(DEGREES[best[0]]),
        right=np.clip(right, 0.0, 1.0),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Residuals:
    """What the mixture is fitted to; each of shape (n,)."""

    square: NDArray[np.float64]
    """Squares of the residuals in local scales."""
    log_local: NDArray[np.float64]
    log_wrong: NDArray[np.float64]
    """Log density of a wrong target."""

    def take(self, rows: NDArray[np.intp]) -> _Residuals:
        return _Residuals(square=self.square[rows], log_local=self.log_local[rows], log_wrong=self.log_wrong[rows])

    def log_right(self, sigma: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
        """Log density of a right target for every scale, shape (scales, n)."""
        from scipy import special

        column = sigma[:, None]
        square = self.square / column**2
        base = -np.log(column) - self.log_local
        if np.isinf(degrees):
            return np.asarray(base - 0.5 * (square + np.log(2 * np.pi)))
        constant = special.gammaln((degrees + 1) / 2) - special.gammaln(degrees / 2) - 0.5 * np.log(degrees * np.pi)
        return np.asarray(base + constant - (degrees + 1) / 2 * np.log1p(square / degrees))


def _climb(
    data: _Residuals, rates: NDArray[np.float64], degrees: float, sigma: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The likeliest σ for every rate, and the log likelihood there, by expectation maximization."""
    from scipy import special

    with np.errstate(divide="ignore"):
        prior = special.logit(rates)[:, None]
        log_rate, log_rest = np.log(rates)[:, None], np.log1p(-rates)[:, None]
    for _ in range(STEPS):
        right = special.expit(data.log_right(sigma, degrees) - data.log_wrong - prior)
        influence = right
        if not np.isinf(degrees):
            influence = right * (degrees + 1) / (degrees + data.square / sigma[:, None] ** 2)
        before = sigma
        sigma = np.clip(np.sqrt((influence @ data.square) / np.maximum(right.sum(axis=1), 1e-300)), 1e-3, 1e3)
        if np.abs(np.log(sigma / before)).max() < TOLERANCE:
            break
    mixed = np.logaddexp(log_rest + data.log_right(sigma, degrees), log_rate + data.log_wrong)
    return sigma, mixed.sum(axis=1)


def _others(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Density of the other samples' targets at each target: a kernel estimate without the target itself.

    Silverman's bandwidth; z is in units of the targets' spread.
    """
    n = len(z)
    width = 0.9 * min(float(z.std()) or 1.0, 1.0) * n**-0.2
    edge = np.clip(z, -20.0, 20.0)
    step = width / 4
    low = edge.min() - 5 * width
    bins = int(np.ceil((edge.max() + 5 * width - low) / step)) + 1
    counts = np.bincount(((edge - low) / step + 0.5).astype(np.intp), minlength=bins).astype(np.float64)
    reach = np.arange(-20, 21) * step / width
    kernel = np.exp(-0.5 * reach**2) / np.sqrt(2 * np.pi) / width
    smooth = np.convolve(counts, kernel, mode="same")
    others = (np.interp(edge, low + np.arange(bins) * step, smooth) - kernel.max()) / max(n - 1, 1)
    return np.asarray(np.where(np.abs(z) < 20, np.maximum(others, 0), 0), dtype=np.float64)


def _clopper_pearson(errors: float, n: int, level: float) -> tuple[float, float]:
    from scipy import special

    tail = (1 - level) / 2
    low = float(special.betaincinv(errors, n - errors + 1, tail)) if errors > 0 else 0.0
    high = float(special.betaincinv(errors + 1, n - errors, 1 - tail)) if errors < n else 1.0
    return low, high


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.setflags(write=False)
    return array

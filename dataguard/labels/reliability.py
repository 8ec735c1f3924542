"""Whether predicted probabilities are right: how often the likeliest class is the given label, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

BINS = 15
"""Most bins: as many as Guo et al. 2017 use."""
MIN_PER_BIN = 30
"""Samples that a bin has at least: its interval is then ±18 points at worst, and fewer show noise alone."""
MIN_WIDTH = 0.01
"""Bins whose edges lie closer are merged: of a sure model most would lie on one another at the right end of a plot."""
_CHUNK = 1 << 22
"""Probabilities that are taken at once, 32 MB of them as float64."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReliabilityCurve:
    """How sure predictions were, and how often they held; one entry a bin, from the least sure to the surest."""

    predicted: NDArray[np.float64]
    """Mean probability of the likeliest class, shape (bins,), read-only."""
    observed: NDArray[np.float64]
    """Share whose given label is the likeliest class, shape (bins,), read-only."""
    low: NDArray[np.float64]
    """Lower ends of the Wilson intervals around ``observed``, shape (bins,), read-only."""
    high: NDArray[np.float64]
    """Upper ends, shape (bins,), read-only."""
    expected: NDArray[np.float64] | None
    """Share that would agree if the probabilities were right and the labels as noisy as the transition matrix says;
    shape (bins,), read-only. None without a transition matrix."""
    n: NDArray[np.int64]
    """How many samples, shape (bins,), read-only."""
    level: float
    """Coverage of the intervals."""
    error: float
    """Expected calibration error, Σ n_b/n·|observed_b − predicted_b| (Naeini et al. 2015)."""
    error_by_chance: float
    """What that error is on average where every probability is right: Σ n_b/n·√(2/π)·σ_b, with σ_b² the variance of
    ``observed``, since a normal deviation is √(2/π) of its standard deviation on average."""


def reliability(
    codes: NDArray[np.integer],
    pred_probs: NDArray[np.floating],
    *,
    bins: int = BINS,
    level: float = 0.95,
    transition: NDArray[np.floating] | None = None,
) -> ReliabilityCurve:
    """Compare the probability of the likeliest class with how often it is the given label.

    Bins hold about equally many samples (Nixon et al. 2019: equally wide ones leave most bins nearly empty, and the
    error depends on their number more), at least `MIN_PER_BIN`, and are merged where their edges are closer than
    `MIN_WIDTH`. Samples of one probability stay in one bin, so that the order of the samples does not matter.
    Intervals are Wilson's (1927), which Brown, Cai & DasGupta (2001) recommend. The expected calibration error is that
    of Naeini, Cooper & Hauskrecht (2015). It is above 0 for labels drawn from the very probabilities too, the more the
    smaller the bins; `error_by_chance` says how much.

    Wrong labels limit the agreement: who predicts the true class with certainty still disagrees with each of them. With
    a `transition` matrix T the curve says what agreement right probabilities would have: the mean of Σ_k p_k·T[k, top].

    Time and memory grow with n·classes and n; a million samples of ten classes take about half a second.

    Args:
        codes: Index of each given label, shape (n,), 0 … classes − 1.
        pred_probs: Out-of-sample probabilities, shape (n, classes), classes ≥ 2, rows sum to 1.
        bins: Most bins.
        level: Coverage of the intervals, between 0 and 1.
        transition: T[k, j], the probability that a sample of true class k is labelled j; shape (classes, classes).

    Raises:
        ValueError: the shapes do not fit together, a label is out of range, or there are no bins.
    """
    if pred_probs.ndim != 2 or codes.shape != pred_probs.shape[:1] or not len(codes) or pred_probs.shape[1] < 2:
        raise ValueError(f"labels of shape {codes.shape} and probabilities of shape {pred_probs.shape} do not fit")
    n, classes = pred_probs.shape
    if codes.min() < 0 or codes.max() >= classes:
        raise ValueError(f"labels from {codes.min()} to {codes.max()} for {classes} classes")
    if transition is not None and transition.shape != (classes, classes):
        raise ValueError(f"a transition matrix of shape {transition.shape} for {classes} classes")
    if bins < 1 or not 0 < level < 1:
        raise ValueError(f"{bins} bins and a level of {level}; expected at least 1, and between 0 and 1")

    top = pred_probs.argmax(axis=1)
    sure = np.take_along_axis(pred_probs, top[:, None], axis=1)[:, 0].astype(np.float64)
    bin_of = _bins(sure, min(bins, max(1, n // MIN_PER_BIN)))
    counts = np.bincount(bin_of)
    predicted = np.bincount(bin_of, sure) / counts
    agreeing = np.bincount(bin_of[top == codes], minlength=len(counts))
    observed = agreeing / counts
    low, high = wilson(agreeing, counts, level)
    variance = np.bincount(bin_of, sure * (1 - sure)) / counts**2
    expected = None
    if transition is not None:
        expected = _frozen(np.bincount(bin_of, _agreement(pred_probs, top, transition)) / counts)
    return ReliabilityCurve(
        predicted=_frozen(predicted),
        observed=_frozen(observed),
        low=_frozen(low),
        high=_frozen(high),
        expected=expected,
        n=_frozen(counts.astype(np.int64)),
        level=level,
        error=float(np.abs(observed - predicted) @ counts / n),
        error_by_chance=float(np.sqrt(2 / np.pi * np.maximum(variance, 0)) @ counts / n),
    )


def wilson(
    successes: NDArray[np.integer] | NDArray[np.floating], n: NDArray[np.integer], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's score interval (1927) of a share.

    Args:
        successes: Of `n`, any shape.
        n: At least 1, the same shape.
        level: Coverage, between 0 and 1.
    """
    from scipy import special

    z = float(special.ndtri((1 + level) / 2))
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # Exactly 0 and 1 at the ends, where rounding would leave 1e-17.
    low = np.where(successes <= 0, 0.0, np.maximum(middle - half, 0.0))
    high = np.where(successes >= n, 1.0, np.minimum(middle + half, 1.0))
    return low, high


def _bins(values: NDArray[np.float64], n_bins: int) -> NDArray[np.intp]:
    """The bin of each value, 0 … at most n_bins − 1, none empty; equal values share one."""
    ranks = (np.arange(1, n_bins) * len(values)) // n_bins
    edges: list[float] = []
    for edge in np.partition(values, ranks)[ranks].tolist() if n_bins > 1 else ():
        if not edges or edge >= edges[-1] + MIN_WIDTH:
            edges.append(edge)
    bin_of = np.searchsorted(edges, values, side="right")
    # An edge that is the least value leaves the first bin empty.
    return np.unique(bin_of, return_inverse=True)[1].reshape(-1)


def _agreement(
    pred_probs: NDArray[np.floating], top: NDArray[np.intp], transition: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Probability that the given label is the likeliest class, shape (n,)."""
    into = np.ascontiguousarray(transition.T, dtype=np.float64)
    made = np.empty(len(top))
    step = max(1, _CHUNK // pred_probs.shape[1])
    for start in range(0, len(top), step):
        part = slice(start, start + step)
        made[part] = np.einsum("ij,ij->i", pred_probs[part], into[top[part]])
    return made


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.setflags(write=False)
    return array

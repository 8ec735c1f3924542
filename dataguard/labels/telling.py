"""How well inputs tell labels, out of sample, for many sets of labels of the same inputs at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.labels.kernel import square_distances
from dataguard.labels.permutations import Codes
from dataguard.labels.planted import unit_spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

LANDMARKS = 256
"""Of Nyström's approximation. Whether there is a relation takes fewer than predicting every label does."""

WIDTHS = (0.25, 1.0, 4.0)
"""Gaussian kernel widths: exp(−w·d²/median d²); 1 is the median heuristic, from which relations are planted."""

MAX_ADDITIVE = 64
"""Columns up to which each has a kernel of its own; of more the sum takes too long."""

RIDGES = tuple(10.0**power for power in np.arange(-2.0, 3.1, 0.5))
MAX_WEIGHT = 0.999
"""Of the model against the class shares, so that no label is ever impossible."""

BATCH_NUMBERS = 2_000_000
"""Indicators (samples × classes × permutations) worked on at a time: 8 MB."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Measured:
    """How well one labelling is told, sample by sample."""

    gain: float
    class_scores: NDArray[np.float64]
    accuracy: float


class _Smoother:
    """One kernel's features, centred and orthogonal, so that a ridge regression on them is a matrix product."""

    def __init__(self, name: str, kernel: NDArray[np.float64], landmarks: NDArray[np.float64]) -> None:
        self.name = name
        values, vectors = _eigen(landmarks)
        kept = values > max(float(values[-1]), 1e-300) * 1e-8
        phi = kernel @ (vectors[:, kept] / np.sqrt(values[kept]))
        phi -= phi.mean(axis=0)
        spectrum, basis = _eigen(phi.T @ phi)
        kept = spectrum > max(float(spectrum[-1]), 1e-300) * 1e-8
        self.spectrum = spectrum[kept]
        psi = phi @ basis[:, kept]
        self.psi: NDArray[np.float32] = psi.astype(np.float32)
        n = len(psi)
        # The intercept is free, and so has the leverage 1/n.
        self.shrinkage = 1 / (self.spectrum[:, None] + np.array(RIDGES))
        self.left_over = np.maximum(1 - 1 / n - (psi**2) @ self.shrinkage, 1e-3)
        self.freedom = 1 + self.spectrum @ self.shrinkage

    def criterion(self, weights: NDArray[np.float64], total: float, n: int) -> NDArray[np.float64]:
        """Generalized cross-validation (Golub, Heath & Wahba 1979), shape (labellings, ridges)."""
        squares = (weights**2).sum(axis=2)
        residual = total - squares @ (2 * self.shrinkage - self.spectrum[:, None] * self.shrinkage**2)
        values: NDArray[np.float64] = residual / np.maximum(1 - self.freedom / n, 1e-3) ** 2
        return values


class Model:
    """Kernel ridge regression that is refitted, kernel and ridge chosen anew, for each labelling."""

    compared = "label variance explained out of sample"

    def __init__(self, features: NDArray[np.float32], *, additive: bool) -> None:
        centred = features - features.mean(axis=0, dtype=np.float64).astype(np.float32)
        marks = centred[:LANDMARKS]
        self.landmarks = len(marks)
        far, near = square_distances(centred, marks), square_distances(marks, marks)
        upper = near[np.triu_indices(len(near), 1)]
        median = float(np.median(upper)) or float(upper.mean()) or 1.0
        self.smoothers = [
            _Smoother(
                f"Gaussian ({width:g}/median squared distance)",
                np.exp(-width / median * far.astype(np.float64)),
                np.exp(-width / median * near.astype(np.float64)),
            )
            for width in WIDTHS
        ]
        self.prior = self.smoothers[WIDTHS.index(1.0)]
        spread = float(np.einsum("ij,ij->", centred, centred, dtype=np.float64)) / len(centred) or 1.0
        self.smoothers.append(
            _Smoother(
                "linear", (centred @ marks.T).astype(np.float64) / spread, (marks @ marks.T).astype(np.float64) / spread
            )
        )
        if additive and 1 < centred.shape[1] <= MAX_ADDITIVE:
            self.smoothers.append(_Smoother("additive Gaussian", _additive(centred, marks), _additive(marks, marks)))

    def run(
        self, labellings: NDArray[np.int32], k: int, *, measured: int = 0
    ) -> tuple[NDArray[np.float64], list[Measured]]:
        """The statistic of each labelling, shape (labellings,), and the first of them scored sample by sample.

        The statistic is 1 − the least criterion over that of the class shares alone; scores are the exact leave-one-out
        of the model with the least criterion.
        """
        statistics, best, weights = self._fitted(labellings, k)
        scored = []
        for index, codes in enumerate(labellings[:measured]):
            which, ridge = divmod(int(best[index]), len(RIDGES))
            smoother = self.smoothers[which]
            coefficients = (weights[which][index] * smoother.shrinkage[:, ridge, None]).astype(np.float32)
            truth = np.zeros((len(codes), k))
            truth[np.arange(len(codes)), codes] = 1
            shares = truth.mean(axis=0)
            # y − e/(1 − h): what the model says of a sample that it has not seen.
            residual = truth - shares - smoother.psi @ coefficients
            scored.append(_measured(truth - residual / smoother.left_over[:, ridge, None], codes, shares))
        return statistics, scored

    def functions(self, k: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """A smooth random function of the features a class, shape (n, k): a draw from the model's own prior."""
        return unit_spread(self.prior.psi @ rng.standard_normal((self.prior.psi.shape[1], k)).astype(np.float32))

    def _fitted(
        self, labellings: NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.float64], NDArray[np.intp], list[NDArray[np.float64]]]:
        """The statistic, the place of the least criterion (kernel, ridge), and each kernel's products."""
        size, n = labellings.shape
        indicators = np.zeros((n, size * k), dtype=np.float32)
        indicators[np.arange(n)[:, None], labellings.T + np.arange(size) * k] = 1
        shares = np.stack([np.bincount(codes, minlength=k) for codes in labellings]) / n
        total = n * (1 - (shares**2).sum(axis=1, keepdims=True))
        weights, criteria = [], []
        for smoother in self.smoothers:
            product = (smoother.psi.T @ indicators).astype(np.float64).reshape(-1, size, k).transpose(1, 0, 2)
            weights.append(product)
            criteria.append(smoother.criterion(product, total, n))
        values = np.stack(criteria, axis=1).reshape(size, -1)
        best = values.argmin(axis=1)
        alone = total[:, 0] / (1 - 1 / n) ** 2
        return 1 - values[np.arange(size), best] / alone, best, weights


class Given:
    """Probabilities that stay as they are."""

    compared = "probability of the given label over its class share, less 1"

    def __init__(self, probs: NDArray[np.float64]) -> None:
        self.probs = probs

    def run(
        self, labellings: NDArray[np.int32], k: int, *, measured: int = 0
    ) -> tuple[NDArray[np.float64], list[Measured]]:
        """The statistic of each labelling, shape (labellings,), and the first of them scored sample by sample.

        The statistic is the mean of p/π − 1, p the probability of the given label and π its share: the slope, at
        a = 0, of the likelihood of the mixture a·p + (1 − a)·π, and so the score test of a = 0.
        """
        shares = np.bincount(labellings[0], minlength=k) / labellings.shape[1]
        ratio = self.probs / shares
        statistics = np.take_along_axis(ratio, labellings.T, axis=1).mean(axis=0) - 1
        return statistics, [_measured(self.probs, codes, shares) for codes in labellings[:measured]]

    def functions(self, k: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Log probabilities over their means, shape (n, k); nothing is drawn."""
        del k, rng
        return unit_spread(np.log(self.probs / self.probs.mean(axis=0)))


def _measured(scores: NDArray[np.float64], codes: Codes, shares: NDArray[np.float64]) -> Measured:
    """Bits gained, each class's score in its own samples less that in the others, and the accuracy.

    The gain is the mean of log2(1 + a(p/π − 1)), p the clipped score of the given label and π its share, with the
    weight a of the model, from 0 to `MAX_WEIGHT`, that makes it largest: a mixture of the model and the class shares.
    """
    n, k = scores.shape
    counts = np.bincount(codes, minlength=k)
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate(([0], np.cumsum(counts[:-1]))).astype(np.intp)
    summed = np.add.reduceat(scores[order], starts, axis=0)
    own = np.diagonal(summed)
    with np.errstate(invalid="ignore", divide="ignore"):
        separation = own / counts - (summed.sum(axis=0) - own) / (n - counts)
    clipped = np.maximum(scores, 0)
    ratio = clipped[np.arange(n), codes] / clipped.sum(axis=1) / shares[codes] - 1
    low, high = 0.0, MAX_WEIGHT
    if ratio.mean() <= 0:
        gain = 0.0
    else:
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if np.mean(ratio / (1 + middle * ratio)) > 0 else (low, middle)
        gain = float(np.mean(np.log2(1 + low * ratio)))
    return Measured(gain=gain, class_scores=separation, accuracy=float(np.mean(scores.argmax(axis=1) == codes)))


def _additive(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean of one Gaussian kernel a column, each with the column's own variance for its width."""
    kernel: NDArray[np.float64] = np.zeros((len(a), len(b)))
    for column in range(a.shape[1]):
        scale = float(b[:, column].std()) or 1.0
        difference = (a[:, column, None] - b[None, :, column]) / np.float32(scale)
        kernel += np.exp(-(difference**2))
    kernel /= a.shape[1]
    return kernel


def _eigen(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy import linalg

    values, vectors = linalg.eigh(matrix, driver="evd", check_finite=False)
    return values, vectors

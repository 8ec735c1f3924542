"""Kernel ridge regression on class indicators, with closed-form leave-one-out scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.progress import Progress, silent
from dataguard.labels.threads import limited

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_LIMIT = 2000
"""Up to this many samples every sample is a landmark; above, so many are, and the method is Nyström's. Bounds the cost
at one eigendecomposition of this size (about 2 s on two cores) and the memory at n × this × 4 bytes a chunk."""
WIDTHS = (1.0, 2.0, 4.0)
"""Kernel widths tried: exp(−w·d²/median d²). Around 1, the usual median heuristic."""
RIDGES = tuple(10.0**power for power in np.arange(-2.0, 2.1, 0.5))
SEARCH_SAMPLES = 800
CHUNK = 512
"""Samples at a time; each takes some 70 kB."""
WELL_CONDITIONED = 1e-6
"""Least share of the largest eigenvalue of the kernel among landmarks that the smallest one has where Gram matrices are
computed the cheap way: rounding then reaches 1e-10 of a ridge."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class KernelScores:
    """Leave-one-out scores of kernel ridge regression."""

    scores: NDArray[np.float64]
    """Shape (n, classes): regression of the class indicators; about 1 for a clear member, not a probability."""
    width: float
    ridge: float
    landmarks: int
    error: float
    """Mean squared leave-one-out error, summed over classes: what width and ridge were chosen by."""


def leave_one_out(
    features: NDArray[np.float32],
    codes: NDArray[np.int32],
    n_classes: int,
    group: NDArray[np.intp],
    order: NDArray[np.intp],
    *,
    progress: Progress = silent,
) -> KernelScores:
    """Scores of each sample by a model that has not seen it, nor any copy of it.

    With the hat matrix H of a linear smoother and the residual e = y − Hy, leaving out the b copies of one sample
    (equal features, so equal entries h in H) changes their predictions to y_i − e_i − h·Σe/(1 − b·h): exact, without
    one refit. For b = 1 this is the well known y_i − e_i/(1 − h).

    Args:
        features: Shape (n, d), finite.
        codes: Given labels, shape (n,).
        n_classes: How many classes there are.
        group: Which samples are copies of one another, shape (n,), 0 … groups − 1. Copies have equal features.
        order: A permutation that does not depend on the order of the samples; its first samples of distinct groups
            become the landmarks.
        progress: Told of every stage.
    """
    _, first = np.unique(group[order], return_index=True)
    candidates = order[np.sort(first)]
    landmarks = candidates[:EXACT_LIMIT]
    search = np.sort(candidates[:SEARCH_SAMPLES])
    bandwidth = _median_square_distance(features[search])
    best_width, best_error = WIDTHS[0], np.inf
    for done, width in enumerate(WIDTHS):
        progress("choosing the kernel", done, len(WIDTHS))
        fitted = _fit(
            features[search], codes[search], n_classes, np.arange(len(search)), features[search], width / bandwidth
        )
        if fitted[2] < best_error:
            best_width, best_error = width, fitted[2]
    scores, ridge, error = _fit(
        features, codes, n_classes, group, features[np.sort(landmarks)], best_width / bandwidth, progress
    )
    return KernelScores(scores=scores, width=best_width, ridge=ridge, landmarks=len(landmarks), error=error)


def _median_square_distance(features: NDArray[np.float32]) -> float:
    distances = square_distances(features, features)
    upper = distances[np.triu_indices(len(features), 1)]
    median = float(np.median(upper)) if len(upper) else 1.0
    return median if median > 0 else float(upper.mean()) or 1.0


def square_distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squared Euclidean distances, shape (len(a), len(b))."""
    distances: NDArray[np.float32] = a @ b.T
    distances *= -2
    distances += np.einsum("ij,ij->i", a, a)[:, None]
    distances += np.einsum("ij,ij->i", b, b)[None, :]
    np.maximum(distances, 0, out=distances)
    return distances


def _kernel(a: NDArray[np.float32], b: NDArray[np.float32], rate: float) -> NDArray[np.float64]:
    exponents = square_distances(a, b)
    exponents *= np.float32(-rate)
    # The distances are no better than single precision, in which the exponential takes a tenth of the time.
    kernel = np.exp(exponents, out=exponents).astype(np.float64)
    # The added 1 is the intercept: a constant feature, so that leaving out stays exact.
    kernel += 1.0
    return kernel


def _fit(
    features: NDArray[np.float32],
    codes: NDArray[np.int32],
    n_classes: int,
    group: NDArray[np.intp],
    landmarks: NDArray[np.float32],
    rate: float,
    progress: Progress = silent,
) -> tuple[NDArray[np.float64], float, float]:
    """Leave-one-out scores with the ridge of least squared error, that ridge, and that error.

    Nyström: K ≈ C W⁺ Cᵀ with C the kernel between samples and landmarks, W that among landmarks; so features
    φ = C W^(−1/2), and ridge regression on φ. With all samples as landmarks it is exact.

    The samples are gone through three times, and nothing is kept of them but their scores: for the Gram matrix, for the
    error with each ridge, and for the scores with the best one.
    """
    n = len(features)
    values, vectors = _eigen(_kernel(landmarks, landmarks, rate))
    kept = values > values[-1] * 1e-10
    root = vectors[:, kept] / np.sqrt(values[kept])
    del vectors
    exact = len(landmarks) == n
    starts = range(0, n, CHUNK)

    def blocks(number: int) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        for start in starts:
            progress("predicting labels", number * n + start, 3 * n)
            part = slice(start, min(start + CHUNK, n))
            yield part, _kernel(features[part], landmarks, rate)

    # φᵀφ costs half as much by way of CᵀC, and is as good where W^(−1/2) does not blow up what was rounded.
    plain = exact or bool(values[kept][0] > values[-1] * WELL_CONDITIONED)
    width = len(landmarks) if plain else root.shape[1]
    gram, weights = np.zeros((width, width)), np.zeros((width, n_classes))
    for part, block in blocks(0):
        phi = block if plain else block @ root
        if not exact:
            gram += phi.T @ phi
        weights += phi.T @ _indicators(codes[part], n_classes)
    if plain:
        weights = root.T @ weights
    if exact:
        # Then the features are K's own eigenvectors, and their Gram matrix is diagonal already.
        spectrum, rotation = values[kept], root
    else:
        spectrum, basis = _eigen(root.T @ gram @ root if plain else gram)
        spectrum = np.maximum(spectrum, 0)
        rotation, weights = root @ basis, basis.T @ weights
        del basis
    del gram, root
    shrinkage = 1 / (spectrum[:, None] + np.array(RIDGES))

    copies = np.bincount(group)[group]
    errors = np.zeros(len(RIDGES))
    leverages = np.empty((n, len(RIDGES)))
    for part, block in blocks(1):
        psi = block @ rotation
        wanted = _indicators(codes[part], n_classes)
        leverages[part] = np.square(psi) @ shrinkage
        left_over = _left_over(leverages[part], copies[part][:, None])
        for index in range(len(RIDGES)):
            residual = wanted - psi @ (weights * shrinkage[:, index, None])
            # Exact where all copies have the same label; good enough to choose a ridge by.
            residual /= left_over[:, index, None]
            errors[index] += np.einsum("ij,ij->", residual, residual)
    best = int(errors.argmin())
    coefficients = rotation @ (weights * shrinkage[:, best, None])
    residuals = np.empty((n, n_classes))
    for part, block in blocks(2):
        residuals[part] = _indicators(codes[part], n_classes) - block @ coefficients
    leverage = leverages[:, best]
    summed = np.zeros((int(group.max()) + 1, n_classes))
    np.add.at(summed, group, residuals)
    residuals += (leverage / _left_over(leverage, copies))[:, None] * summed[group]
    error = float(np.einsum("ij,ij->", residuals, residuals) / n)
    scores = np.negative(residuals, out=residuals)
    scores[np.arange(n), codes] += 1
    return scores, RIDGES[best], error


def _eigen(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy import linalg

    # At these sizes a second thread gains little, and on a busy machine waiting for it takes ten times as long.
    with limited(1):
        values, vectors = linalg.eigh(matrix, driver="evd", overwrite_a=True, check_finite=False)
    return values, vectors


def _indicators(codes: NDArray[np.int32], n_classes: int) -> NDArray[np.float64]:
    matrix = np.zeros((len(codes), n_classes))
    matrix[np.arange(len(codes)), codes] = 1
    return matrix


def _left_over(leverages: NDArray[np.float64], copies: NDArray[np.intp]) -> NDArray[np.float64]:
    # 1 − b·h is positive in exact arithmetic; rounding can take the last of it.
    return np.maximum(1 - copies * leverages, 1e-9)

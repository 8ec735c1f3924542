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
CHUNK = 4096
KEPT_BYTES = 2**28
"""Projections up to this size are kept between the passes over the samples; larger ones are computed anew."""


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
    progress("predicting labels", 0, None)
    scores, ridge, error = _fit(features, codes, n_classes, group, features[np.sort(landmarks)], best_width / bandwidth)
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
    # The added 1 is the intercept: a constant feature, so that leaving out stays exact.
    return np.exp(-rate * square_distances(a, b).astype(np.float64)) + 1.0


def _fit(
    features: NDArray[np.float32],
    codes: NDArray[np.int32],
    n_classes: int,
    group: NDArray[np.intp],
    landmarks: NDArray[np.float32],
    rate: float,
) -> tuple[NDArray[np.float64], float, float]:
    """Leave-one-out scores with the ridge of least squared error, that ridge, and that error.

    Nyström: K ≈ C W⁺ Cᵀ with C the kernel between samples and landmarks, W that among landmarks; so features
    φ = C W^(−1/2), and ridge regression on φ. With all samples as landmarks it is exact.
    """
    n = len(features)
    values, vectors = _eigen(_kernel(landmarks, landmarks, rate))
    kept = values > values[-1] * 1e-10
    root = vectors[:, kept] / np.sqrt(values[kept])
    parts = [slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
    if len(landmarks) == n:
        # Then the features are K's own eigenvectors, and their Gram matrix is diagonal already.
        spectrum, rotation = values[kept], root
    else:
        gram = np.zeros((root.shape[1], root.shape[1]))
        for part in parts:
            phi = _kernel(features[part], landmarks, rate) @ root
            gram += phi.T @ phi
        spectrum, basis = _eigen(gram)
        spectrum = np.maximum(spectrum, 0)
        rotation = root @ basis

    def projected(part: slice) -> NDArray[np.float64]:
        block: NDArray[np.float64] = _kernel(features[part], landmarks, rate) @ rotation
        return block

    kept_blocks = [projected(part) for part in parts] if n * len(spectrum) * 8 <= KEPT_BYTES else None

    def blocks() -> Iterator[tuple[slice, NDArray[np.float64]]]:
        return zip(parts, kept_blocks or map(projected, parts), strict=True)

    weights = np.zeros((len(spectrum), n_classes))
    for part, psi in blocks():
        weights += psi.T @ _indicators(codes[part], n_classes)
    copies = np.bincount(group)[group]
    shrinkage = 1 / (spectrum[:, None] + np.array(RIDGES))

    errors = np.zeros(len(RIDGES))
    for part, psi in blocks():
        leverage = (psi**2) @ shrinkage
        for index in range(len(RIDGES)):
            residual = _indicators(codes[part], n_classes) - psi @ (weights * shrinkage[:, index, None])
            # Exact where all copies have the same label; good enough to choose a ridge by.
            residual /= _left_over(leverage[:, index], copies[part])[:, None]
            errors[index] += np.einsum("ij,ij->", residual, residual)
    best = int(errors.argmin())

    residuals = np.empty((n, n_classes))
    leverages = np.empty(n)
    for part, psi in blocks():
        residuals[part] = _indicators(codes[part], n_classes) - psi @ (weights * shrinkage[:, best, None])
        leverages[part] = (psi**2) @ shrinkage[:, best]
    summed = np.zeros((int(group.max()) + 1, n_classes))
    np.add.at(summed, group, residuals)
    residuals += (leverages / _left_over(leverages, copies))[:, None] * summed[group]
    return (
        _indicators(codes, n_classes) - residuals,
        RIDGES[best],
        float(np.einsum("ij,ij->", residuals, residuals) / n),
    )


def _eigen(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy import linalg

    # At these sizes a second thread gains little, and on a busy machine waiting for it takes ten times as long.
    with limited(1):
        values, vectors = linalg.eigh(matrix, driver="evd", check_finite=False)
    return values, vectors


def _indicators(codes: NDArray[np.int32], n_classes: int) -> NDArray[np.float64]:
    matrix = np.zeros((len(codes), n_classes))
    matrix[np.arange(len(codes)), codes] = 1
    return matrix


def _left_over(leverages: NDArray[np.float64], copies: NDArray[np.intp]) -> NDArray[np.float64]:
    # 1 − b·h is positive in exact arithmetic; rounding can take the last of it.
    return np.maximum(1 - copies * leverages, 1e-9)

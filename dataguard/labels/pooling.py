"""One set of class probabilities out of several models' scores, with label noise in the model of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataguard.labels.threads import limited

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pool(
    scores: Sequence[NDArray[np.float64]], codes: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.float64], float]:
    """softmax(Σ a_m·z_m), the weights a_m ≥ 0 fitted by maximum likelihood to out-of-sample scores z_m.

    A label is taken to be drawn from these probabilities and then, with a rate fitted alongside, replaced by any other
    class; without that, wrong labels would pass for a need of caution and blur every probability. The log-linear pool
    of one model is temperature scaling (Guo et al. 2017); of several it weighs them by what they add.

    Args:
        scores: One array (n, classes) a model: log probabilities or regression scores.
        codes: Given labels, shape (n,).

    Returns:
        Probabilities of the true class, shape (n, classes), float32; the weights; and the fitted rate.
    """
    from scipy import optimize

    n, n_classes = scores[0].shape
    rows = np.arange(n), codes
    scale = np.array([float(np.mean(z.max(axis=1) - z.mean(axis=1))) or 1.0 for z in scores])
    units = [z / s for z, s in zip(scores, scale, strict=True)]

    def objective(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        rate = point[0]
        q = _softmax(sum(a * z for a, z in zip(point[1:], units, strict=True)))
        given = q[rows]
        likelihood = np.maximum((1 - rate) * given + rate * (1 - given) / (n_classes - 1), 1e-300)
        slope = (1 - rate - rate / (n_classes - 1)) / likelihood * given
        gradient = [np.mean((-given + (1 - given) / (n_classes - 1)) / likelihood)]
        gradient += [np.mean(slope * (z[rows] - np.einsum("ij,ij->i", q, z))) for z in units]
        return -float(np.mean(np.log(likelihood))), -np.array(gradient)

    top = 0.99 * (n_classes - 1) / n_classes
    with limited(1):
        found = [
            optimize.minimize(
                objective,
                np.array([rate, *([strength / len(scores)] * len(scores))]),
                jac=True,
                method="L-BFGS-B",
                bounds=[(0.0, top), *([(0.0, 200.0)] * len(scores))],
            )
            for rate in (0.02, 0.2)
            for strength in (3.0, 10.0)
        ]
    best = min(found, key=lambda result: float(result.fun))
    weights = best.x[1:] / scale
    probabilities = _softmax(sum(a * z for a, z in zip(weights, scores, strict=True)))
    return probabilities.astype(np.float32), weights, float(best.x[0])


def _softmax(z: NDArray[np.float64]) -> NDArray[np.float64]:
    energies: NDArray[np.float64] = np.exp(z - z.max(axis=1, keepdims=True))
    energies /= energies.sum(axis=1, keepdims=True)
    return energies

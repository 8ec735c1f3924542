"""Relations of a known strength between inputs and labels, planted to see whether they would be found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.labels.permutations import Codes, entropy_in_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

INTERCEPT_ROUNDS = 5
SCALE_ROUNDS = 5
MAX_SCALE = 100.0
"""Of planted relations: standard deviation of the log odds, beyond which labels are as good as certain."""


def unit_spread(functions: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Functions with a standard deviation of 1."""
    spread = float(functions.std())
    return functions.astype(np.float64) / (spread or 1.0)


def _planted_probs(counts: NDArray[np.int64], functions: NDArray[np.float64]) -> NDArray[np.float64]:
    """softmax(a + functions), the intercepts a such that the mean is the class shares."""
    shares = counts / counts.sum()
    energies: NDArray[np.float64] = np.exp(functions - functions.max(axis=1, keepdims=True)) * shares
    for _ in range(INTERCEPT_ROUNDS):
        energies /= energies.sum(axis=1, keepdims=True)
        energies *= shares / np.maximum(energies.mean(axis=0), 1e-300)
    energies /= energies.sum(axis=1, keepdims=True)
    return energies


def scale_for(counts: NDArray[np.int64], functions: NDArray[np.float64], strength: float) -> float | None:
    """What to multiply functions with so that they explain that share of the label entropy; None where none does."""
    entropy = entropy_in_bits(counts / counts.sum())
    # What is explained grows with the square of a small scale, so that a few rounds find it.
    scale = float(np.sqrt(2 * np.log(2) * strength * entropy))
    for _ in range(SCALE_ROUNDS):
        probs = _planted_probs(counts, scale * functions)
        told = 1 + float(np.sum(probs * np.log2(np.maximum(probs, 1e-300)))) / len(probs) / entropy
        scale *= float(np.sqrt(strength / max(told, strength / 100)))
        if scale > MAX_SCALE:
            return None
    return scale


def drawn_labels(counts: NDArray[np.int64], functions: NDArray[np.float64], rng: np.random.Generator) -> Codes:
    """Labels drawn from `_planted_probs`, as many of each class as there are.

    The few samples that a draw has too many of a class, chosen at random, take the labels that it has too few of, so
    that these labels are held against permutations of just as many of each.
    """
    n = len(functions)
    cumulative = _planted_probs(counts, functions).cumsum(axis=1)
    codes: Codes = (rng.random((n, 1)) * cumulative[:, -1:] > cumulative).sum(axis=1).astype(np.int32)
    surplus = np.bincount(codes, minlength=len(counts)) - counts
    free = np.concatenate(
        [
            rng.choice(np.flatnonzero(codes == code), surplus[code], replace=False)
            for code in np.flatnonzero(surplus > 0)
        ]
        or [np.empty(0, dtype=np.intp)]
    )
    codes[rng.permutation(free)] = np.repeat(np.arange(len(counts)), np.maximum(-surplus, 0))
    return codes

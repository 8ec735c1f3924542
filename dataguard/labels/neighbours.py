"""Class shares among nearest neighbours: the model-free second opinion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataguard.labels.kernel import square_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 10
"""Enough votes to outnumber the wrong ones at 30 % noise (P = 0.95), few enough to stay near."""
REFERENCES = 10_000
"""At most so many samples are looked among, which bounds the cost at this many distances a sample."""
CHUNK = 256


def neighbour_shares(
    features: NDArray[np.float32],
    codes: NDArray[np.int32],
    n_classes: int,
    group: NDArray[np.intp],
    order: NDArray[np.intp],
) -> NDArray[np.float32]:
    """Shares of the classes among each sample's nearest neighbours, copies of the sample left out.

    Half a vote for every class (Jeffreys' prior) keeps a class without a vote from being impossible.

    Args:
        features: Shape (n, d).
        codes: Given labels, shape (n,).
        n_classes: How many classes there are.
        group: Which samples are copies of one another, shape (n,).
        order: A permutation of the samples; the first `REFERENCES` are looked among.

    Returns:
        Shape (n, classes), rows sum to 1.
    """
    references = np.sort(order[:REFERENCES])
    k = min(NEIGHBOURS, max(1, len(references) - int(np.bincount(group[references]).max())))
    shares = np.empty((len(features), n_classes), dtype=np.float32)
    for start in range(0, len(features), CHUNK):
        part = slice(start, min(start + CHUNK, len(features)))
        distances = square_distances(features[part], features[references])
        distances[group[part][:, None] == group[references][None, :]] = np.inf
        nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
        rows = np.arange(len(nearest))
        votes = np.bincount(
            (rows[:, None] * n_classes + codes[references][nearest]).ravel(), minlength=len(rows) * n_classes
        )
        counted = votes.reshape(len(rows), n_classes) + 0.5
        shares[part] = counted / counted.sum(axis=1, keepdims=True)
    return shares

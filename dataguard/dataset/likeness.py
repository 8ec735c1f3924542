"""How alike two pictures are, and how alike unrelated pictures of the same dataset are.

Two pictures count as one picture where a tone curve turns the one into the other. The measure is the *residual*: the
share of one picture's variance that the best quadratic function of the other leaves unexplained. Gain, offset, gamma
and the loss of colour leave it near 0, and unrelated pictures near 1.

How small it must be is a question to the dataset. In digits or products on white, unrelated pictures leave little
too. So each pair is held against the neighbours of its own two pictures, as in a BLAST search: the *expected number
of chance pairs* in the whole dataset that would be at least as alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from dataguard.dataset.table import THUMBNAIL_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""ITU-R BT.601, as JPEG and the 'gray' of image libraries have it."""
REFERENCES = 2_048
"""Pictures that stand for the dataset."""
LEAST_REFERENCES = 12
"""Fewer pictures say nothing of how alike unrelated ones are."""
RESIDUAL_FLOOR = 1e-6
"""Residuals below it are rounding of float32."""


def gray(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The luma of RGB pictures, flattened.

    Args:
        pictures: Shape (n, height, width, 3), uint8.

    Returns:
        Shape (n, height·width), 0 to 255.
    """
    n = len(pictures)
    values: NDArray[np.float32] = (pictures.reshape(n, -1, 3).astype(np.float32) @ LUMA).reshape(n, -1)
    return values


def reduced(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Flattened thumbnails at another height and width, up to their own: means over equal areas.

    Args:
        values: Shape (n, 32·32).
        size: Height and width, at most 32.
    """
    if size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE):
        return values
    rows, columns = (_area_means(side) for side in size)
    squares = values.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    made: NDArray[np.float32] = np.asarray(rows @ squares @ columns.T, dtype=np.float32)
    return made.reshape(len(values), -1)


@cache
def _area_means(side: int) -> NDArray[np.float32]:
    edges = np.arange(side + 1) * (THUMBNAIL_SIDE / side)
    cells = np.arange(THUMBNAIL_SIDE)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    weights: NDArray[np.float32] = (np.maximum(overlap, 0) * (side / THUMBNAIL_SIDE)).astype(np.float32)
    weights.setflags(write=False)
    return weights


def tone_basis(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """An orthonormal basis of each picture's linear and quadratic tone curves, the constant left out.

    Args:
        values: Shape (n, pixels).

    Returns:
        The standardized pictures, and their squares made orthogonal to them and to the constant; both of shape
        (n, pixels) with rows of norm 1, or 0 where there is nothing: a constant picture, or one of two levels.
    """
    linear = _normalized(values - values.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32), 0.0)
    square = linear * linear
    scale = np.linalg.norm(square, axis=1, keepdims=True)
    square -= square.mean(axis=1, keepdims=True)
    square -= (square * linear).sum(axis=1, keepdims=True) * linear
    return linear, _normalized(square, scale)


def residuals(
    basis: tuple[NDArray[np.float32], NDArray[np.float32]], others: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The share of variance of each of `others` that each picture's tone curves leave unexplained.

    Args:
        basis: Of n pictures, from `tone_basis`.
        others: Standardized pictures, shape (m, pixels).

    Returns:
        Shape (n, m), from 0 to 1; 1 where the pictures are correlated negatively.
    """
    return _unexplained(basis[0] @ others.T, basis[1] @ others.T)


def paired_residuals(
    basis: tuple[NDArray[np.float32], NDArray[np.float32]], others: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Like `residuals`, row by row: shape (n,)."""
    return _unexplained(np.einsum("ij,ij->i", basis[0], others), np.einsum("ij,ij->i", basis[1], others))


def _unexplained(linear: NDArray[np.float32], quadratic: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = np.where(linear > 0, 1 - linear * linear - quadratic * quadratic, np.float32(1))
    return np.clip(result, RESIDUAL_FLOOR, 1)


def _normalized(values: NDArray[np.float32], scale: NDArray[np.float32] | float) -> NDArray[np.float32]:
    norm = np.linalg.norm(values, axis=1, keepdims=True)
    # What is left of a square that the rest explains is rounding, and must not be blown up.
    keep = norm > np.maximum(1e-4 * np.asarray(scale), 1e-6)
    result: NDArray[np.float32] = np.where(keep, values / np.where(keep, norm, 1), 0).astype(np.float32)
    return result


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Background:
    """How alike unrelated pictures of a dataset are.

    Around a picture, the number of others within a distance δ grows as δ^d, with d the intrinsic dimension of the
    data. d is estimated from the ratios of neighbours' distances (Levina and Bickel 2004), with δ = √residual.
    """

    references: NDArray[np.float32]
    """Standardized gray thumbnails, shape (m, pixels), read-only."""
    indices: NDArray[np.int64]
    """Which samples these are, ascending, shape (m,), read-only."""
    n_samples: int
    rank: int
    """The neighbour k whose distance is the yardstick."""
    dimension: float
    """Lower end of the interval of ±2 standard errors, so that chance pairs are over- rather than underestimated."""
    typical_residual: float
    """The median residual between a reference and its first neighbour among the references."""

    @classmethod
    def estimate(cls, values: NDArray[np.float32], indices: NDArray[np.int64], n_samples: int) -> Background:
        """The background of a dataset.

        Args:
            values: Gray thumbnails of the references, shape (m, pixels), m at least `LEAST_REFERENCES`.
            indices: Which samples these are, ascending.
            n_samples: How many samples the references were drawn from.
        """
        basis = tone_basis(values)
        m = len(values)
        rank = min(max(5, m // 50), m // 2)
        asked = np.linspace(0, m - 1, min(m, 512)).astype(np.int64)
        measured = residuals((basis[0][asked], basis[1][asked]), basis[0])
        measured[np.arange(len(asked)), asked] = 2
        nearest = np.sort(np.partition(measured, rank - 1, axis=1)[:, :rank], axis=1)
        half = rank // 2
        dimension = float(np.median(_local_dimensions(nearest)))
        error = dimension / math.sqrt(max(1.0, len(asked) * (rank - half) / rank))
        for array in (basis[0], indices):
            array.setflags(write=False)
        return cls(
            references=basis[0],
            indices=indices,
            n_samples=n_samples,
            rank=rank,
            dimension=max(1.0, dimension - 2 * error),
            typical_residual=float(np.median(nearest[:, 0])),
        )

    def yardsticks(
        self, values: NDArray[np.float32], own: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """What is usual around each picture.

        Args:
            values: Gray thumbnails, shape (n, pixels).
            own: Which samples these are, shape (n,).

        Returns:
            The residual of its k-th neighbour among the references, itself left out, and the dimension there, at most
            that of the dataset; both of shape (n,).
        """
        found = np.empty(len(values), dtype=np.float32)
        local = np.empty(len(values))
        for start in range(0, len(values), 1_024):
            part = slice(start, start + 1_024)
            measured = residuals(tone_basis(values[part]), self.references)
            position = np.searchsorted(self.indices, own[part])
            position[position == len(self.indices)] = 0
            itself = np.flatnonzero(self.indices[position] == own[part])
            measured[itself, position[itself]] = 2
            nearest = np.sort(np.partition(measured, self.rank - 1, axis=1)[:, : self.rank], axis=1)
            found[part] = nearest[:, -1]
            local[part] = _local_dimensions(nearest)
        # Two standard errors of so few neighbours in favour of the dataset's own dimension.
        spread = 1 + 2 / math.sqrt(max(1, self.rank - self.rank // 2))
        return found, np.clip(local * spread, 1.0, self.dimension)

    def chance_pairs(
        self,
        residual: NDArray[np.float32],
        yardstick: NDArray[np.float32],
        dimension: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """How many pairs of unrelated pictures in the dataset are expected to be at least as alike.

        Args:
            residual: Of each pair.
            yardstick: Of a picture of the pair.
            dimension: There.
        """
        ratio = np.minimum(1.0, residual.astype(np.float64) / yardstick)
        neighbours = self.n_samples * self.rank / len(self.references) * ratio ** (dimension / 2)
        result: NDArray[np.float64] = self.n_samples / 2 * neighbours
        return result


def _local_dimensions(nearest: NDArray[np.float32]) -> NDArray[np.float64]:
    """The dimension around each picture, from the ascending residuals of its neighbours, shape (n, k).

    Copies among the references take the first places: it rests on the farther half.
    """
    rank = nearest.shape[1]
    half = rank // 2
    logs = 0.5 * np.log(nearest[:, -1:] / nearest[:, half:-1])
    local = np.maximum(logs.mean(axis=1, dtype=np.float64), 1e-3)
    # (δ_j/δ_k)^d is the j-th smallest of k−1 uniform numbers, whose mean logarithm is known.
    expected = np.mean([_log_uniform(j + 1, rank - 1) for j in range(half, rank - 1)])
    result: NDArray[np.float64] = expected / local
    return result


def _log_uniform(j: int, n: int) -> float:
    """−E log of the j-th smallest of n uniform numbers: ψ(n + 1) − ψ(j)."""
    return sum(1 / i for i in range(j, n + 1))

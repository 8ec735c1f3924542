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
LEAST_CHROMA = 3.0
"""Root mean square of the deviations from the mean colour, in levels of 255, below which a picture is gray: rounding
and the chroma quantization of JPEG stay below it."""
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
        # Copies among the references take the first places: the dimension rests on the farther half.
        half = rank // 2
        logs = 0.5 * np.log(nearest[:, -1:] / nearest[:, half:-1])
        local = np.maximum(logs.mean(axis=1), 1e-3)
        # (δ_j/δ_k)^d is the j-th smallest of k−1 uniform numbers, whose mean logarithm is known.
        expected = np.mean([_log_uniform(j + 1, rank - 1) for j in range(half, rank - 1)])
        dimension = float(np.median(expected / local))
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

    def yardsticks(self, values: NDArray[np.float32], own: NDArray[np.int64]) -> NDArray[np.float32]:
        """The residual of each picture's k-th neighbour among the references, itself left out.

        Args:
            values: Gray thumbnails, shape (n, pixels).
            own: Which samples these are, shape (n,).

        Returns:
            Shape (n,).
        """
        found = np.empty(len(values), dtype=np.float32)
        for start in range(0, len(values), 1_024):
            part = slice(start, start + 1_024)
            measured = residuals(tone_basis(values[part]), self.references)
            position = np.searchsorted(self.indices, own[part])
            position[position == len(self.indices)] = 0
            itself = np.flatnonzero(self.indices[position] == own[part])
            measured[itself, position[itself]] = 2
            found[part] = np.partition(measured, self.rank - 1, axis=1)[:, self.rank - 1]
        return found

    def chance_pairs(self, residual: NDArray[np.float32], yardstick: NDArray[np.float32]) -> NDArray[np.float64]:
        """How many pairs of unrelated pictures in the dataset are expected to be at least as alike.

        Args:
            residual: Of each pair.
            yardstick: Of a picture of the pair.
        """
        ratio = np.minimum(1.0, residual.astype(np.float64) / yardstick)
        neighbours = self.n_samples * self.rank / len(self.references) * ratio ** (self.dimension / 2)
        result: NDArray[np.float64] = self.n_samples / 2 * neighbours
        return result


def _log_uniform(j: int, n: int) -> float:
    """−E log of the j-th smallest of n uniform numbers: ψ(n + 1) − ψ(j)."""
    return sum(1 / i for i in range(j, n + 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class SecondLook:
    """What two pictures show at their common resolution."""

    residual: float
    """The larger of both directions."""
    detail: float | None
    """Correlation of the fine detail that a thumbnail does not hold; None where a picture is no larger than that."""
    chroma: float | None
    """Correlation of the colours, brightness left out; None where one of them is gray."""


def second_look(left: NDArray[np.uint8], right: NDArray[np.uint8], *, side: int) -> SecondLook:
    """Compare two pictures at their common resolution.

    Args:
        left: RGB, shape (height, width, 3).
        right: Of any size.
        side: The longest side that is compared, in pixels.
    """
    import cv2

    height = min(left.shape[0], right.shape[0])
    width = min(left.shape[1], right.shape[1])
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = [
        np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8) for picture in (left, right)
    ]
    bases = [tone_basis(gray(picture[None])) for picture in resized]
    residual = max(float(paired_residuals(bases[0], bases[1][0])[0]), float(paired_residuals(bases[1], bases[0][0])[0]))
    return SecondLook(
        residual=residual,
        detail=_detail(bases[0], bases[1][0], size),
        chroma=_chroma([np.asarray(picture, dtype=np.float32) for picture in resized]),
    )


def _detail(
    basis: tuple[NDArray[np.float32], NDArray[np.float32]], target: NDArray[np.float32], size: tuple[int, int]
) -> float | None:
    import cv2

    if min(size) <= THUMBNAIL_SIDE:
        return None
    # The picture as the other's tone curve gives it, so that a tone curve does not bend the detail.
    predicted = sum(part * float((part * target).sum()) for part in basis)
    sigma = max(size) / THUMBNAIL_SIDE / 2
    fine = []
    for plane in (predicted, target):
        picture = np.asarray(plane, dtype=np.float32).reshape(size[::-1])
        blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.float32)
        fine.append((picture - blurred).ravel())
    return _correlation(fine[0], fine[1], least=1e-6)


def _chroma(pictures: list[NDArray[np.float32]]) -> float | None:
    import cv2

    colours = []
    for picture in pictures:
        small = np.asarray(
            cv2.resize(picture, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA), dtype=np.float32
        )
        colours.append(small - (small @ LUMA)[..., None])
    deviations = [(colour - colour.mean(axis=(0, 1))).ravel() for colour in colours]
    return _correlation(deviations[0], deviations[1], least=LEAST_CHROMA * math.sqrt(deviations[0].size))


def _correlation(left: NDArray[np.float32], right: NDArray[np.float32], *, least: float) -> float | None:
    """None where one has a norm below `least`."""
    norms = float(np.linalg.norm(left)), float(np.linalg.norm(right))
    return None if min(norms) < least else float(left @ right) / (norms[0] * norms[1])

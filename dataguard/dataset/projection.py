"""A short vector of a picture in which its copies, crops too, lie close together and other pictures do not.

The lowest frequencies of the thumbnail, scaled to norm 1, projected on the directions in which the pictures of this
dataset differ most in comparison with what an edit changes: Fisher's linear discriminant, where the scatter within a
class is that of pictures of the dataset and their simulated crops, tones, recompressions and reductions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.dataset.perceptual_hash import coefficients
from dataguard.dataset.registration import warped
from dataguard.dataset.table import THUMBNAIL_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIMENSIONS = 24
"""Numbers in a vector: more gain little, and cost in proportion."""
LARGEST_CROP = 0.06
"""The largest share that is cut off a side in simulated crops: a little more than the 5 % that are looked for."""
TONES: tuple[Callable[[NDArray[np.float32]], NDArray[np.float32]], ...] = (
    lambda grays: grays + np.float32(40),
    lambda grays: grays * np.float32(1.3),
    lambda grays: np.float32(255) * (grays / np.float32(255)) ** np.float32(0.6),
    lambda grays: np.float32(255) * (grays / np.float32(255)) ** np.float32(1.6),
)
"""Changes of brightness and gamma that are simulated; what they push over the edge is clipped."""
_SIMULATED = 4
"""Edits that are simulated of each reference."""
_FRACTION = 0.995
"""Share of the simulated edits that lie within the radius."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Projection:
    """From thumbnails to vectors."""

    directions: NDArray[np.float32]
    """Shape (64, d), read-only."""
    radius: float
    """The distance that 99.5 % of simulated edits stay within."""

    @classmethod
    def fit(cls, grays: NDArray[np.float32], size: tuple[int, int], *, seed: int) -> Projection:
        """The projection for a dataset.

        Args:
            grays: Gray thumbnails of some of its pictures, shape (m, 32, 32).
            size: Their usual height and width in pixels; where that is below a thumbnail's, edits are made at it.
            seed: Of the simulated crops.
        """
        generator = np.random.default_rng(seed)
        plain = unit(coefficients(grays))
        differences = []
        for _ in range(_SIMULATED):
            edges = generator.uniform(0, LARGEST_CROP, (len(grays), 4)).astype(np.float32)
            windows = np.stack(
                [
                    1 - edges[:, 0] - edges[:, 1],
                    edges[:, 0] - edges[:, 1],
                    1 - edges[:, 2] - edges[:, 3],
                    edges[:, 2] - edges[:, 3],
                ],
                axis=1,
            )
            differences.append(unit(coefficients(warped(grays, windows)[0])) - plain)
        differences += [unit(coefficients(np.clip(curve(grays), 0, 255))) - plain for curve in TONES]
        if min(size) <= THUMBNAIL_SIDE:
            for quality, factor in ((50, 1.0), (75, 1.0), (95, 0.5)):
                differences.append(unit(coefficients(_edited(grays, size, quality, factor))) - plain)
        scatter = np.concatenate(differences).astype(np.float64)
        within = scatter.T @ scatter / len(scatter)
        within += np.eye(64) * (1e-4 + 0.05 * np.trace(within) / 64)
        values, vectors = np.linalg.eigh(within)
        whitening = vectors / np.sqrt(values)
        spread = plain.astype(np.float64) - plain.mean(axis=0)
        _, turned = np.linalg.eigh(whitening.T @ (spread.T @ spread) @ whitening)
        directions = (whitening @ turned[:, ::-1][:, :DIMENSIONS]).astype(np.float32)
        directions.setflags(write=False)
        distances = np.linalg.norm(scatter.astype(np.float32) @ directions, axis=1)
        return cls(directions=directions, radius=float(np.quantile(distances, _FRACTION)))

    def vectors(self, spectra: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vectors of pictures with those coefficients, shape (n, 64)."""
        made: NDArray[np.float32] = unit(spectra) @ self.directions
        return made


def unit(spectra: NDArray[np.float32]) -> NDArray[np.float32]:
    """Coefficients without the constant one, scaled to norm 1; 0 where there is no texture."""
    texture = spectra.copy()
    texture[:, 0] = 0
    norm = np.sqrt(np.einsum("ij,ij->i", texture, texture))[:, None]
    result: NDArray[np.float32] = texture / np.maximum(norm, 1e-3)
    return result


def _edited(grays: NDArray[np.float32], size: tuple[int, int], quality: int, factor: float) -> NDArray[np.float32]:
    """Thumbnails of the pictures saved again at their own size, or a part of it."""
    import cv2

    height, width = (max(2, round(min(side, THUMBNAIL_SIDE) * factor)) for side in size)
    result = np.empty_like(grays)
    for index, picture in enumerate(grays):
        small = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
        levels = np.clip(np.rint(small), 0, 255).astype(np.uint8)
        _, data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        again = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        # Enlarging by whole pixels is what a thumbnail of so small a picture is.
        result[index] = cv2.resize(
            np.asarray(again, dtype=np.float32), (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_NEAREST
        )
    return result

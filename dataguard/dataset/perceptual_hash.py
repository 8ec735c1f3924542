"""A 64-bit perceptual hash of a thumbnail, from its discrete cosine transform.

The 8×8 lowest frequencies of the 32×32 gray thumbnail, each bit telling whether a coefficient is above the median of
all but the constant one (Zauner, *Implementation and benchmarking of perceptual image hash functions*, 2010, section
3.2.1). pHash takes rows and columns 1 to 8; this takes 0 to 7, as imagehash does, because a picture of 8×8 pixels has
nothing at frequency 8, and a horizontal or vertical stripe has everything at 0. The constant one's own bit is 0.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from dataguard.dataset.table import THUMBNAIL_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_ENERGY = (16 + 1) * 63 / 12
"""The least sum of squares of the 63 coefficients that a hash is made of.

A thumbnail is rounded to integers, which gives every coefficient of the orthonormal transform an error of variance 1/12
at most. Bits of two versions of a picture whose coefficients have correlation ρ differ with probability arccos(ρ)/π;
7 of 64 bits, the distance at which pictures are still called near duplicates, is ρ = 0.941, and that is a signal of 16
times the rounding's variance. Below it, and so in every flat picture, the hash is mostly noise.
"""

_AT_A_TIME = 256
"""Thumbnails whose values are held as floats: what fits into a processor's cache."""
GRAY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601 luma


@cache
def lowest_frequencies() -> NDArray[np.float32]:
    """The 8 lowest frequencies of the orthonormal transform, shape (8, 32)."""
    side = THUMBNAIL_SIDE
    frequency = np.arange(8)[:, None]
    position = np.arange(side)[None, :] + 0.5
    basis: NDArray[np.float32] = (np.sqrt(2 / side) * np.cos(np.pi * frequency * position / side)).astype(np.float32)
    basis[0] /= np.float32(np.sqrt(2))
    basis.setflags(write=False)
    return basis


def coefficients(grays: NDArray[np.float32]) -> NDArray[np.float32]:
    """The 8×8 lowest frequencies of gray thumbnails.

    Args:
        grays: Shape (n, 32, 32).

    Returns:
        Shape (n, 64), row by row, vertical frequency first; the constant one first of all.
    """
    basis = lowest_frequencies()
    lowest: NDArray[np.float32] = np.asarray(basis @ grays @ basis.T, dtype=np.float32).reshape(-1, 64)
    return lowest


def picture_coefficients(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The same of thumbnails in colour, of which the luma is taken on the way: for a million in a few seconds.

    Args:
        thumbnails: Shape (n, 32, 32, 3), uint8 RGB.

    Returns:
        Shape (n, 64).
    """
    basis = lowest_frequencies()
    # Luma and the transform along each row are one product.
    along = (basis.T[:, None, :] * GRAY[None, :, None]).reshape(3 * THUMBNAIL_SIDE, 8)
    found = np.empty((len(thumbnails), 64), dtype=np.float32)
    for start in range(0, len(thumbnails), _AT_A_TIME):
        part = thumbnails[start : start + _AT_A_TIME]
        rows = part.reshape(-1, 3 * THUMBNAIL_SIDE).astype(np.float32) @ along
        found[start : start + len(part)] = (basis @ rows.reshape(-1, THUMBNAIL_SIDE, 8)).reshape(-1, 64)
    return found


@cache
def _windowed_basis(scale: float, shift: float) -> NDArray[np.float32]:
    """The basis of a window of the side, by linear interpolation."""
    at = scale * ((np.arange(THUMBNAIL_SIDE) + 0.5) * (2 / THUMBNAIL_SIDE) - 1) + shift
    position = np.clip((at + 1) * (THUMBNAIL_SIDE / 2) - 0.5, 0, THUMBNAIL_SIDE - 1)
    weights = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(THUMBNAIL_SIDE)))
    basis: NDArray[np.float32] = np.asarray(lowest_frequencies() @ weights.astype(np.float32), dtype=np.float32)
    basis.setflags(write=False)
    return basis


def windowed_coefficients(grays: NDArray[np.float32], window: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """The 8×8 lowest frequencies of a window of gray thumbnails.

    Args:
        grays: Shape (n, 32, 32).
        window: Its width and middle, height and middle, where the picture goes from −1 to 1.

    Returns:
        Shape (n, 64).
    """
    across, down = _windowed_basis(*window[:2]), _windowed_basis(*window[2:])
    lowest: NDArray[np.float32] = (down @ (grays @ across.T)).reshape(-1, 64)
    return lowest


def hashes_of(spectra: NDArray[np.float32]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The perceptual hashes of pictures with those coefficients, shape (n, 64); see `perceptual_hashes`."""
    bits = spectra > np.median(spectra[:, 1:], axis=1, keepdims=True)
    bits[:, 0] = False
    hashes = np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)
    texture = spectra[:, 1:]
    return hashes, np.einsum("ij,ij->i", texture, texture) >= LEAST_ENERGY


def mirrored_coefficients(spectra: NDArray[np.float32]) -> NDArray[np.float32]:
    """The coefficients of the pictures with left and right exchanged: the odd horizontal frequencies change sign."""
    turned: NDArray[np.float32] = spectra * np.tile(np.array([1, -1], dtype=np.float32), 32)
    return turned


def perceptual_hashes(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The perceptual hashes of some thumbnails.

    Args:
        thumbnails: Shape (n, 32, 32, 3), uint8 RGB.

    Returns:
        The hashes, shape (n,), uint64, the bit of the lowest frequency highest; and whether each means anything,
        shape (n,): False for a picture without texture.
    """
    return hashes_of(coefficients(thumbnails.astype(np.float32) @ GRAY))


def perceptual_hash(thumbnail: NDArray[np.uint8]) -> int | None:
    """The perceptual hash of one thumbnail, shape (32, 32, 3), uint8 RGB; None for a picture without texture."""
    hashes, valid = perceptual_hashes(thumbnail[None])
    return int(hashes[0]) if valid[0] else None

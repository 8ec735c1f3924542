"""Exact sums and the thumbnail of decoded pixels, in a few passes that release the GIL."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dataguard.dataset.table import THUMBNAIL_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGE = 4 * THUMBNAIL_SIDE
"""Planes whose sides are both at least this long are halved by 2×2 means; a cell keeps 2 pixels a side or more."""

_STRIP = 1 << 22
"""How many pixels of a large picture are split into planes at a time."""

_LONGEST = 1 << 15
"""The longest side of a halved plane. A cell's sum, in 1/1024, must stay below 2^31: 4 × 2^10 × 255 × 2^10 does."""

_FRACTION = 32
"""Cells' edges are kept to 1/32 of a pixel: exact where nothing was halved."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Measured:
    """What `measure` finds."""

    sums: tuple[int, ...]
    squares: tuple[int, ...]
    thumbnail: NDArray[np.uint8]
    """Shape (32, 32, 3), RGB."""


class _Buffers(threading.local):
    """Memory that a thread keeps from image to image."""

    def __init__(self) -> None:
        self.bytes = np.empty(0, dtype=np.uint8)

    def planes(self, count: int, height: int, width: int) -> NDArray[np.uint8]:
        """Shape (count, height, width), not initialized."""
        size = count * height * width
        if self.bytes.size < size:
            self.bytes = np.empty(size, dtype=np.uint8)
        return self.bytes[:size].reshape(count, height, width)


_buffers = _Buffers()


def measure(pixels: NDArray[np.uint8 | np.uint16], order: tuple[int, ...]) -> Measured:
    """Sums, sums of squares and the thumbnail of a picture.

    Cells of the thumbnail are means over equal areas; a pixel that straddles an edge counts for both cells by its area
    in each. Planes of 128 pixels and more on both sides are halved by 2×2 means first, as often as that holds, which
    is where nearly all the time goes and costs one gray level at most.

    Args:
        pixels: Shape (height, width) or (height, width, channels), uint8 or uint16, C-contiguous.
        order: The channels to report, by index, colour before alpha; gray is one channel.

    Returns:
        Exact integers by channel in that order, and the thumbnail: 32×32×3 RGB, 16-bit values scaled by 1/257.
    """
    import cv2

    if pixels.dtype == np.uint16:
        sums, squares = _sums_16(pixels, order)
        eight = cv2.convertScaleAbs(pixels, alpha=1 / 257)
        planes, _, _ = _planes(eight, order)
    else:
        planes, sums, squares = _planes(pixels, order)
    return Measured(sums=sums, squares=squares, thumbnail=_thumbnail(planes, pixels.shape[0], pixels.shape[1]))


def _planes(
    pixels: NDArray[np.uint8], order: tuple[int, ...]
) -> tuple[NDArray[np.uint8], tuple[int, ...], tuple[int, ...]]:
    """The colour planes, shape (colours, height, width), halved once where they are large, and every channel's sums."""
    import cv2

    height, width = pixels.shape[:2]
    colours = 1 if len(order) < 3 else 3
    large = min(height, width) >= _LARGE
    rows = max(2, _STRIP // width // 2 * 2) if large else height
    sums, squares = [0] * len(order), [0] * len(order)
    # Where each stored channel goes: those asked for first, in their order. Gray with alpha comes as BGRA.
    stored = 1 if pixels.ndim == 2 else pixels.shape[2]
    ranked = (*order, *(channel for channel in range(stored) if channel not in order))
    places = [ranked.index(channel) for channel in range(stored)]
    pieces = []
    for top in range(0, height, rows):
        strip = pixels[top : top + rows]
        n = strip.shape[0]
        buffer = _buffers.planes(len(places), n + n % 2 * large, width + width % 2 * large)
        planes = buffer[:, :n, :width]
        if pixels.ndim == 2:
            planes[0] = strip
        else:
            cv2.split(strip, [planes[place] for place in places])
        for index in range(len(order)):
            mean, deviation = cv2.meanStdDev(planes[index])
            m, s = mean.item(), deviation.item()
            # Both come from exact integers below 2^39, so that 53 bits give the integers back.
            sums[index] += round(m * n * width)
            squares[index] += round((s * s + m * m) * n * width)
        pieces.append(_halved(buffer[:colours], n, width) if large else planes[:colours])
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1), tuple(sums), tuple(squares)


def _halved(padded: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The 2×2 means of planes of that size in an array of even sides; the last row or column of an odd one counts twice.

    Planes are stacked, since a call costs as much as a small plane does.
    """
    import cv2

    planes, rows, columns = padded.shape
    padded[:, height:] = padded[:, height - 1 : height]
    padded[:, :, width:] = padded[:, :, width - 1 : width]
    # Sides that are exactly twice as long are the one case that OpenCV has vector code for.
    halved = cv2.resize(
        padded.reshape(planes * rows, columns), (columns // 2, planes * rows // 2), interpolation=cv2.INTER_AREA
    )
    return halved.reshape(planes, rows // 2, columns // 2)


def _sums_16(pixels: NDArray[np.uint16], order: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    import cv2

    height, width = pixels.shape[:2]
    sums, squares = [0] * len(order), [0] * len(order)
    # Squares of 2^20 values add up to less than 2^52, which a double holds exactly.
    rows = max(1, (1 << 20) // width)
    for top in range(0, height, rows):
        strip = pixels[top : top + rows]
        planes = [strip] if strip.ndim == 2 else cv2.split(strip)
        for index, channel in enumerate(order):
            sums[index] += round(cv2.norm(planes[channel], cv2.NORM_L1))
            squares[index] += round(cv2.norm(planes[channel], cv2.NORM_L2SQR))
    return tuple(sums), tuple(squares)


def _thumbnail(planes: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """The thumbnail of a picture of so many rows and columns, from its planes or their halves."""
    import cv2

    count, height, width = planes.shape
    halvings = int(height < rows)
    while min(height, width) >= _LARGE:
        if height % 2 or width % 2:
            planes = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)))
        planes = _halved(planes, height, width)
        height, width, halvings = *planes.shape[1:], halvings + 1
    size = (rows / 2**halvings, columns / 2**halvings)
    if max(height, width) > _LONGEST:
        height, width = min(height, _LONGEST), min(width, _LONGEST)
        planes = np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in planes])
        size = (float(height), float(width))
    stacked = np.ascontiguousarray(planes).reshape(count * height, width)
    integral = cv2.integral(stacked, sdepth=cv2.CV_32S)
    corners, weights, scale = _grid(size, (height, width), count)
    # 32-bit arithmetic wraps around, and the differences that cells are come out right nevertheless.
    at_edges = np.add.reduce(integral.reshape(-1).take(corners) * weights, axis=0, dtype=np.int32)
    at_edges = at_edges[:, 1:] - at_edges[:, :-1]
    cells = (at_edges[:, :, 1:] - at_edges[:, :, :-1]) * scale
    cells += np.float32(0.5)
    thumbnail = np.empty((THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3), dtype=np.uint8)
    # One plane is broadcast to the three channels.
    thumbnail[...] = cells.transpose(1, 2, 0)
    return thumbnail


@lru_cache(maxsize=256)
def _grid(
    size: tuple[float, float], stored: tuple[int, int], planes: int
) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]:
    """Where to look into the integral of stacked planes for the corners of cells, and what to multiply with.

    The integral of a picture of square pixels is bilinear between the pixels' corners, so that interpolating it there
    is exact.

    Args:
        size: Height and width of the picture in pixels of the plane: an odd side makes half a pixel when halved.
        stored: Height and width of the plane.
        planes: How many there are.

    Returns:
        Indices, shape (4, planes, 33, 33): the pixel corners around each corner of a cell; weights, shape
        (4, 1, 33, 33), in 1/1024; and one over 1,024 times each cell's area, shape (32, 32).
    """
    (rows, row_weights, heights), (columns, column_weights, widths) = map(_edges, size, stored)
    plane = stored[0] * (stored[1] + 1)
    corners = [
        np.arange(planes)[:, None, None] * plane + (row * (stored[1] + 1))[:, None] + column
        for row in rows
        for column in columns
    ]
    weights = [np.outer(row, column)[None] for row in row_weights for column in column_weights]
    return (
        np.stack(corners),
        np.stack(weights).astype(np.int32),
        (1 / np.outer(heights, widths)).astype(np.float32),
    )


def _edges(
    size: float, stored: int
) -> tuple[tuple[NDArray[np.intp], ...], tuple[NDArray[np.int64], ...], NDArray[np.int64]]:
    """Along one side: the pixel edges before and after each edge of a cell, their weights, and the cells' lengths."""
    edges = np.rint(np.arange(THUMBNAIL_SIDE + 1) * (size * _FRACTION / THUMBNAIL_SIDE)).astype(np.int64)
    before = np.minimum(edges // _FRACTION, stored - 1)
    after_weight = edges - before * _FRACTION
    return (before, before + 1), (_FRACTION - after_weight, after_weight), np.diff(edges)

"""Exact sums and the thumbnail of decoded pixels, in a few passes that release the GIL.

What is here is the law of what is found, and `measure.c` does the same faster for nearly all pictures of 8 bits.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dataguard.dataset.native_measure import native_measure
from dataguard.dataset.table import THUMBNAIL_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Planes: TypeAlias = NDArray[np.uint8]

_LARGE = 4 * THUMBNAIL_SIDE
"""Planes whose sides are both at least this long are halved by 2×2 means; a cell keeps 2 pixels a side or more."""

_STRIP = 1 << 22
"""How many pixels of a large picture are split into planes at a time."""

_LONGEST = 1 << 15
"""The longest side of a halved plane. A cell's sum, in 1/1024, must stay below 2^31: 4 × 2^10 × 255 × 2^10 does."""

_FRACTION = 32
"""Cells' edges are kept to 1/32 of a pixel: exact where nothing was halved."""

_HALF = np.float32(0.5)


_TOGETHER = 8
"""Pictures whose cells are gathered in one go: numpy's calls cost as much as what they do for one, and the integrals
of more do not fit into a processor's cache."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Measured:
    """What `measure` finds."""

    sums: tuple[int, ...]
    squares: tuple[int, ...]
    thumbnail: NDArray[np.uint8]
    """Shape (32, 32, 3), RGB."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Reduced:
    """A picture of which the sums are known and so much is left as its thumbnail takes; see `reduced`."""

    sums: tuple[int, ...]
    squares: tuple[int, ...]
    planes: Planes
    """Shape (colours × height, width), one below the other."""
    shape: _Shape
    """Pictures with the same one can be made thumbnails of together."""


_Shape: TypeAlias = tuple[int, int, int, int, int, int]
"""Rows and columns of the picture, how often it was halved, height and width of a plane, and how many there are."""


def measure(pixels: NDArray[Any], order: tuple[int, ...]) -> Measured:
    """Sums, sums of squares and the thumbnail of a picture: `reduced` and `thumbnails` in one.

    Args:
        pixels: Shape (height, width) or (height, width, channels), uint8 or uint16, C-contiguous.
        order: The channels to report, by index, colour before alpha; gray is one channel.

    Returns:
        Exact integers by channel in that order, and the thumbnail: 32×32×3 RGB, 16-bit values scaled by 1/257.
    """
    left = reduced(pixels, order)
    return Measured(sums=left.sums, squares=left.squares, thumbnail=thumbnails([left])[0])


def reduced(pixels: NDArray[Any], order: tuple[int, ...]) -> Reduced | Measured:
    """Sums, sums of squares, and what is left of a picture to make its thumbnail of; or that already.

    Cells of the thumbnail are means over equal areas; a pixel that straddles an edge counts for both cells by its area
    in each. Planes of 128 pixels and more on both sides are halved by 2×2 means first, as often as that holds, which
    is where nearly all the time goes and costs one gray level on average.

    Args:
        pixels: Shape (height, width) or (height, width, channels), uint8 or uint16, C-contiguous.
        order: The channels to report, by index, colour before alpha; gray is one channel.
    """
    if pixels.dtype == np.uint8 and _short(*pixels.shape[:2]):
        found = native_measure(pixels, order)
        if found is not None:
            return Measured(
                sums=found[0],
                squares=found[1],
                thumbnail=np.frombuffer(found[2], dtype=np.uint8).reshape(THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3),
            )
    return _reduced(pixels, order)


def _short(height: int, width: int) -> bool:
    """Whether no side is left longer than `_LONGEST` after halving."""
    while height >= _LARGE <= width and max(height, width) > _LONGEST:
        height, width = (height + 1) // 2, (width + 1) // 2
    return max(height, width) <= _LONGEST


def _reduced(pixels: NDArray[Any], order: tuple[int, ...]) -> Reduced:
    import cv2

    if pixels.dtype == np.uint16:
        sums, squares = _sums_16(pixels, order)
        eight: NDArray[Any] = cv2.convertScaleAbs(pixels, alpha=1 / 257)
        planes, _, _ = _planes(eight, order)
    else:
        planes, sums, squares = _planes(pixels, order)
    small, shape = _small(planes, pixels.shape[0], pixels.shape[1])
    return Reduced(sums=sums, squares=squares, planes=small, shape=shape)


def thumbnails(pictures: Sequence[Reduced | Measured]) -> NDArray[np.uint8]:
    """The thumbnails of some pictures, shape (n, 32, 32, 3), RGB."""
    found = np.empty((len(pictures), THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3), dtype=np.uint8)
    of_shape: dict[_Shape, list[int]] = {}
    planes: dict[int, Planes] = {}
    for index, picture in enumerate(pictures):
        if isinstance(picture, Measured):
            found[index] = picture.thumbnail
        else:
            of_shape.setdefault(picture.shape, []).append(index)
            planes[index] = picture.planes
    for shape, indices in of_shape.items():
        for start in range(0, len(indices), _TOGETHER):
            part = indices[start : start + _TOGETHER]
            found[part] = _cells([planes[index] for index in part], shape)
    return found


class _Buffer(threading.local):
    """The planes of one thread's picture, kept for the next of the same shape."""

    def __init__(self) -> None:
        self.key: tuple[int, ...] = ()
        self.whole: Planes = np.empty((0, 0, 0), dtype=np.uint8)
        self.planes: list[Planes] = []

    def prepare(self, count: int, height: int, width: int, padded: bool) -> tuple[Planes, list[Planes]]:
        """Room for planes of that size, with sides made even where it is to be `padded`; and each plane in it."""
        key = (count, height, width, padded)
        if key != self.key:
            shape = (count, height + height % 2 * padded, width + width % 2 * padded)
            self.whole = np.empty(shape, dtype=np.uint8)
            self.planes = list(self.whole[:, :height, :width])
            self.key = key
        return self.whole, self.planes


_buffer = _Buffer()


def _planes(pixels: NDArray[Any], order: tuple[int, ...]) -> tuple[Planes, tuple[int, ...], tuple[int, ...]]:
    """The colour planes, shape (colours, height, width), halved once where they are large, and every channel's sums."""
    import cv2

    height, width = pixels.shape[:2]
    stored = 1 if pixels.ndim == 2 else pixels.shape[2]
    colours = 1 if len(order) < 3 else 3
    large = height >= _LARGE <= width
    rows = max(2, _STRIP // width // 2 * 2) if large else height
    sums, squares = [0] * len(order), [0] * len(order)
    pieces = []
    for top in range(0, height, rows):
        strip = pixels if rows >= height else pixels[top : top + rows]
        n = len(strip)
        whole, planes = _buffer.prepare(stored, n, width, large)
        if stored == 1:
            planes[0][...] = strip.reshape(n, width)
        else:
            cv2.split(strip, [planes[place] for place in _places(order, stored)])
        for index in range(len(order)):
            # Both are integers below 2^39; the second comes as the square of a rounded root, off by an ulp or two.
            sums[index] += int(cv2.sumElems(planes[index])[0])
            squares[index] += round(cv2.norm(planes[index], cv2.NORM_L2SQR))
        pieces.append(_halved(whole[:colours], n, width) if large else whole[:colours])
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1), tuple(sums), tuple(squares)


@lru_cache(maxsize=32)
def _places(order: tuple[int, ...], stored: int) -> tuple[int, ...]:
    """Where each stored channel goes: those asked for first, in their order. Gray with alpha comes as BGRA."""
    ranked = (*order, *(channel for channel in range(stored) if channel not in order))
    return tuple(ranked.index(channel) for channel in range(stored))


def _halved(padded: Planes, height: int, width: int) -> Planes:
    """The 2×2 means of planes of that size in an array of even sides.

    The last row or column of an odd side counts twice. Planes are stacked, since a call costs as much as a small plane.
    """
    import cv2

    planes, rows, columns = padded.shape
    if rows > height:
        padded[:, height:] = padded[:, height - 1 : height]
    if columns > width:
        padded[:, :, width:] = padded[:, :, width - 1 : width]
    # Sides that are exactly twice as long are the one case that OpenCV has vector code for.
    halved: NDArray[Any] = cv2.resize(
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


def _small(planes: Planes, rows: int, columns: int) -> tuple[Planes, _Shape]:
    """The planes of a picture of so many rows and columns, or their halves, halved on until one side is short."""
    import cv2

    count, height, width = planes.shape
    halvings = int(height < rows)
    while height >= _LARGE <= width:
        if height % 2 or width % 2:
            planes = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)))
        planes = _halved(planes, height, width)
        _, height, width = planes.shape
        halvings += 1
    if max(height, width) > _LONGEST:
        height, width = min(height, _LONGEST), min(width, _LONGEST)
        planes = np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in planes])
        rows, columns, halvings = height, width, 0
    stacked = planes.reshape(count * height, width)
    # What was not halved lies in the buffer of the next picture.
    return stacked.copy() if halvings == 0 else stacked, (rows, columns, halvings, height, width, count)


def _cells(pictures: Sequence[Planes], shape: _Shape) -> NDArray[np.uint8]:
    """The thumbnails of pictures of one shape, shape (n, 32, 32, 3)."""
    import cv2

    count = shape[-1]
    height, width = pictures[0].shape
    corners, weights, scale = _grid(*shape)
    integrals = np.empty((len(pictures), height + 1, width + 1), dtype=np.int32)
    for planes, integral in zip(pictures, integrals, strict=True):
        cv2.integral(planes, integral, sdepth=cv2.CV_32S)
    # 32-bit arithmetic wraps around, and the differences that cells are come out right nevertheless.
    around = integrals.reshape(len(pictures), -1).take(corners, axis=1, mode="wrap")
    around *= weights
    at_edges = np.add.reduce(around, axis=1, dtype=np.int32)
    at_edges = at_edges[:, 1:] - at_edges[:, :-1]
    cells = (at_edges[..., count:] - at_edges[..., :-count]) * scale
    cells += _HALF
    shaped: NDArray[np.uint8] = cells.astype(np.uint8).reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE, count)
    return shaped if count == 3 else shaped.repeat(3, axis=3)


@lru_cache(maxsize=256)
def _grid(
    rows: int, columns: int, halvings: int, height: int, width: int, planes: int
) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]:
    """Where to look into the integral of stacked planes for the corners of cells, and what to multiply with.

    The integral of a picture of square pixels is bilinear between the pixels' corners, so that interpolating it there
    is exact.

    Args:
        rows: Of the picture; in pixels of the planes it has ``rows / 2**halvings``, which may be half a pixel less
            than their `height`.
        columns: Of the picture.
        halvings: How often it was halved.
        height: Of a plane.
        width: Of a plane.
        planes: How many there are.

    Returns:
        Indices, shape (4, 33, 33 × planes), planes innermost: the pixel corners around each corner of a cell; weights
        of that shape, in 1/1024; and one over 1,024 times each cell's area, shape (32, 32 × planes).
    """
    along_rows, row_weights, heights = _edges(rows / 2**halvings, height)
    along_columns, column_weights, widths = _edges(columns / 2**halvings, width)
    stride = width + 1
    plane = np.arange(planes) * (height * stride)
    corners = [
        ((row * stride)[:, None, None] + column[:, None] + plane).reshape(THUMBNAIL_SIDE + 1, -1)
        for row in along_rows
        for column in along_columns
    ]
    weights = [np.outer(row, column).repeat(planes, axis=1) for row in row_weights for column in column_weights]
    areas = np.outer(heights, widths).repeat(planes, axis=1)
    return np.stack(corners), np.stack(weights).astype(np.int32), (1 / areas).astype(np.float32)


def _edges(
    size: float, stored: int
) -> tuple[tuple[NDArray[np.int64], ...], tuple[NDArray[np.int64], ...], NDArray[np.int64]]:
    """Along one side: the pixel edges before and after each edge of a cell, their weights, and the cells' lengths."""
    edges = np.rint(np.arange(THUMBNAIL_SIDE + 1) * (size * _FRACTION / THUMBNAIL_SIDE)).astype(np.int64)
    before = np.minimum(edges // _FRACTION, stored - 1)
    after_weight = edges - before * _FRACTION
    return (before, before + 1), (_FRACTION - after_weight, after_weight), np.diff(edges)

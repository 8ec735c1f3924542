"""A cheap look at every sample of a batch: 256 bytes of each, hashed and summed up a block of batches at a time.

What it can miss: of a sample larger than 256 bytes it sees 2 pieces of 128 bytes, in the middle of each half, always at
the same places: each is on another page of memory, and fetching these is what the time goes into. Two samples that
differ elsewhere only get one hash; a NaN elsewhere is not seen; minimum and maximum are those of the pieces. The first
batch of a guarded loader is looked at in full, as are batches of at most 64 KB for what is not finite;
`dataguard.record` looks at everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.batches.measure import Moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECES = 2
PIECE_BYTES = 128
SKETCH_BYTES = PIECES * PIECE_BYTES
MOMENT_VALUES = 64
"""Of one-byte and two-byte values every fourth or second is summed up, so that all types cost the same."""
HASH_METHOD = "64-bit multilinear over 256 bytes of the main input: all, or 2 pieces of 128 at even distances"
"""Of text and of ragged batches the hash is that of `record`."""
MOMENTS_METHOD = "at most 127 values of the main input, from the 256 bytes that are hashed"

_WORDS = SKETCH_BYTES // 8
# Fixed, so that streams of different processes can be compared; odd, so that each multiplication is a bijection.
_KEYS: NDArray[np.uint64] = np.random.Generator(np.random.PCG64(20261121)).integers(
    1, 2**63, size=(2, _WORDS), dtype=np.uint64
) * np.uint64(2) + np.uint64(1)
_HALF = np.uint64(32)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sketch:
    """What was seen of b batches of n samples."""

    hashes: NDArray[np.uint64]
    """Shape (b, n)."""
    moments: Moments
    """Of b·n samples."""


class SketchBlock:
    """Sketches of up to `capacity` batches of one type and shape.

    Args:
        dtype: Of the main input: booleans, integers or floating point of at most 8 bytes.
        shape: Of a batch of the main input, (n, …).
        capacity: How many batches it holds.
    """

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...], capacity: int) -> None:
        self.dtype, self.shape, self.capacity = dtype, shape, capacity
        self.size = 0
        self._n = shape[0]
        self._width = int(np.prod(shape[1:], dtype=np.int64))
        item = dtype.itemsize
        self._whole = self._width * item <= SKETCH_BYTES
        self._used = self._width if self._whole else SKETCH_BYTES // item
        piece = PIECE_BYTES // item
        # In the middle of each half, since edges are often padding; on whole cache lines where samples begin at one.
        self._first, step = places(self._width, piece)
        self._buffer = np.zeros((capacity, self._n, SKETCH_BYTES // item), dtype=dtype)
        self._pieces = self._buffer.reshape(capacity, self._n, PIECES, piece)
        self._view_shape = (self._n, PIECES, piece)
        self._view_strides = (self._width * item, step * item, item)
        self._cuts = grid(shape[1:], SKETCH_BYTES // item)

    def add(self, array: NDArray[Any]) -> None:
        """Take what is wanted of a batch; the type and shape must be those of the block."""
        if self._whole:
            np.copyto(self._buffer[self.size, :, : self._width], array.reshape(self._n, self._width))
        elif array.flags.c_contiguous:
            pieces: NDArray[Any] = np.ndarray(
                self._view_shape, self.dtype, array, self._first * self.dtype.itemsize, self._view_strides
            )
            np.copyto(self._pieces[self.size], pieces)
        else:
            # A grid over the axes, because pieces of memory would need a copy of the whole.
            grid = array[self._cuts].reshape(self._n, -1)
            self._buffer[self.size, :, : grid.shape[1]] = grid
            self._buffer[self.size, :, grid.shape[1] :] = grid[:, :1]
        self.size += 1

    def finish(self) -> Sketch:
        """What was seen; the block is empty afterwards."""
        rows = self._buffer[: self.size].reshape(self.size * self._n, -1)
        sketch = Sketch(
            hashes=_hashes(rows.view(np.uint64)).reshape(self.size, self._n),
            moments=_moments(rows[:, : self._used : max(1, self._used // MOMENT_VALUES)]),
        )
        self.size = 0
        return sketch


def places(width: int, piece: int) -> tuple[int, int]:
    """Where the first piece of a sample begins, and how far apart they are, in values.

    >>> places(150528, 32)
    (37600, 75264)
    >>> places(65, 32)
    (0, 32)
    """
    step = width // PIECES
    first = max(0, (step - piece) // 2)
    return first // piece * piece, max(step // piece * piece, 1)


def grid(shape: tuple[int, ...], limit: int) -> tuple[slice, ...]:
    """Slices that take at most `limit` values of a sample, as evenly over its axes as their lengths allow."""
    steps: dict[int, int] = {}
    left = limit
    for place, axis in enumerate(sorted(range(len(shape)), key=lambda axis: shape[axis])):
        most = max(1, int(left ** (1 / (len(shape) - place)) + 1e-9))
        count = max(1, min(shape[axis], most))
        steps[axis] = -(-shape[axis] // count)
        left //= -(-shape[axis] // steps[axis])
    return (slice(None), *(slice(None, None, steps[axis]) for axis in range(len(shape))))


def _hashes(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Σ k₂·(x ⊕ x≫32), x = k₁·word, modulo 2⁶⁴: never equal for rows that differ in one word only.

    The shift brings the high bits down, since floating-point numbers tend to differ in these alone, and a sum of
    multiples of 2⁵² has few values.
    """
    mixed = words * _KEYS[0]
    mixed ^= mixed >> _HALF
    mixed *= _KEYS[1]
    found: NDArray[np.uint64] = np.add.reduce(mixed, axis=1)
    return found


def _moments(rows: NDArray[Any]) -> Moments:
    n, width = rows.shape
    if not width:
        nothing = np.full(n, np.nan)
        zeros = np.zeros(n, dtype=np.int64)
        return Moments(minimum=nothing, maximum=nothing, mean=nothing, std=nothing, n_nan=zeros, n_inf=zeros)
    # One row a value and one column a sample: sums over the first axis run side by side.
    wide = np.empty((width, n), dtype=np.float64)
    np.copyto(wide, rows.T, casting="unsafe")
    with np.errstate(invalid="ignore", over="ignore"):
        mean = np.add.reduce(wide, axis=0)
    mean /= width
    n_nan = n_inf = np.zeros(n, dtype=np.int64)
    if not np.isfinite(mean).all():
        nan, inf = np.isnan(wide), np.isinf(wide)
        n_nan, n_inf = nan.sum(axis=0), inf.sum(axis=0)
        wide = np.ma.masked_array(wide, mask=nan | inf)
        low, high, mean, std = (
            np.ma.filled(found, np.nan)
            for found in (wide.min(axis=0), wide.max(axis=0), wide.mean(axis=0), wide.std(axis=0))
        )
        return Moments(minimum=low, maximum=high, mean=mean, std=std, n_nan=n_nan, n_inf=n_inf)
    low, high = np.minimum.reduce(wide, axis=0), np.maximum.reduce(wide, axis=0)
    wide -= mean
    std = np.sqrt(np.einsum("ij,ij->j", wide, wide) / width)
    return Moments(minimum=low, maximum=high, mean=mean, std=std, n_nan=n_nan, n_inf=n_inf)

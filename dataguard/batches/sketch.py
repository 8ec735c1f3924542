"""A cheap look at a sample of a batch: 256 bytes of it, hashed and summed up a block of batches at a time.

What it can miss: of a sample larger than 256 bytes it sees those in the middle, half way along every axis, always at
the same place: one page of memory, and fetching that is what the time goes into. Two samples that differ elsewhere only
get one hash; a NaN elsewhere is not seen; minimum and maximum are those of the piece. The first batch of a guarded
loader is looked at in full, as are batches of at most 64 KB for what is not finite; `dataguard.record` looks at
everything.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.batches.measure import Moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

SKETCH_BYTES = 256
WHOLE_BYTES = 1 << 16
"""Batches up to this size are searched whole for values that are not finite; it takes a few microseconds."""
CHUNK = 512
"""Samples that are computed with together: a block of 16 batches of 32."""
MOMENT_VALUES = 64
"""Of one-byte and two-byte values every fourth or second is summed up, so that all types cost the same."""
HASH_METHOD = "64-bit multilinear over 256 bytes of the main input: all, or those in its middle"
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


class Scratch:
    """Memory to compute in, which is kept because the system takes its time to hand out so much anew."""

    def __init__(self) -> None:
        self.words = np.empty((2, CHUNK, _WORDS), dtype=np.uint64)
        self.values = np.empty(CHUNK * 2 * MOMENT_VALUES)


class SketchBlock:
    """Sketches of up to `capacity` batches of one type and shape.

    Args:
        dtype: Of the main input: booleans, integers or floating point of at most 8 bytes.
        shape: Of a batch of the main input, (n, …).
        capacity: How many batches it holds.
        scratch: Memory to compute in, if there is some already; blocks that share it are not for different threads.
    """

    def __init__(
        self, dtype: np.dtype[Any], shape: tuple[int, ...], capacity: int, scratch: Scratch | None = None
    ) -> None:
        self._scratch = Scratch() if scratch is None else scratch
        self.dtype, self.shape, self.capacity = dtype, shape, capacity
        self.size = 0
        self._n = shape[0]
        self._width = int(np.prod(shape[1:], dtype=np.int64))
        item = dtype.itemsize
        self._whole = self._width * item <= SKETCH_BYTES
        piece = SKETCH_BYTES // item
        self._used = self._width if self._whole else piece
        self._offset = 0 if self._whole else middle(shape[1:], piece) * item
        self._buffer = np.zeros((capacity, self._n, piece), dtype=dtype)
        self._view_shape = (self._n, piece)
        self._view_strides = (self._width * item, item)
        self._cuts = grid(shape[1:], piece)
        self._memory = ctypes.c_char * (self._n * self._width * item)

    def add(self, array: NDArray[Any]) -> None:
        """Take what is wanted of a batch; the type and shape must be those of the block."""
        if self._whole:
            np.copyto(self._buffer[self.size, :, : self._width], array.reshape(self._n, self._width))
        elif array.flags.c_contiguous:
            pieces: NDArray[Any] = np.ndarray(self._view_shape, self.dtype, array, self._offset, self._view_strides)
            np.copyto(self._buffer[self.size], pieces)
        else:
            # A grid over the axes, because pieces of memory would need a copy of the whole.
            grid = array[self._cuts].reshape(self._n, -1)
            self._buffer[self.size, :, : grid.shape[1]] = grid
            self._buffer[self.size, :, grid.shape[1] :] = grid[:, :1]
        self.size += 1

    def add_tensor(self, tensor: Any) -> None:
        """The same of a dense contiguous torch tensor on the CPU.

        ``Tensor.numpy`` alone takes 50 µs where the processor's caches are cold, and this half as much in all.
        """
        memory: Any = self._memory.from_address(tensor.data_ptr())
        self.add(np.ndarray(self.shape, self.dtype, memory))

    def finish(self) -> Sketch:
        """What was seen; the block is empty afterwards."""
        rows = self._buffer[: self.size].reshape(self.size * self._n, -1)
        words, values = rows.view(np.uint64), rows[:, : self._used : max(1, self._used // MOMENT_VALUES)]
        hashes = np.empty(len(rows), dtype=np.uint64)
        columns = np.full((4, len(rows)), np.nan)
        bad = np.zeros((2, len(rows)), dtype=np.int64)
        for start in range(0, len(rows), CHUNK):
            part = slice(start, start + CHUNK)
            _hashes(words[part], hashes[part], self._scratch)
            if self._used:
                _moments(values[part], columns[:, part], bad[:, part], self._scratch)
        sketch = Sketch(
            hashes=hashes.reshape(self.size, self._n),
            moments=Moments(
                minimum=columns[0],
                maximum=columns[1],
                mean=columns[2],
                std=columns[3],
                n_nan=bad[0],
                n_inf=bad[1],
            ),
        )
        self.size = 0
        return sketch


def middle(shape: tuple[int, ...], piece: int) -> int:
    """Where a piece in the middle of a sample begins, in values: about half way along every axis.

    Half way through the memory alone would be at the edge of a picture whose channels come first. It is a multiple of
    `piece`, so that where samples begin on whole pieces no piece lies on two pages of memory.

    >>> middle((3, 224, 224), 64), 224 * 224 + 224 * 112 + 112
    (75328, 75376)
    >>> middle((65,), 64)
    0
    """
    place = 0
    for side in shape:
        place = place * side + side // 2
    return min(place // piece * piece, math.prod(shape) - piece)


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


def sketchable(array: NDArray[Any]) -> bool:
    """Whether a `SketchBlock` takes arrays like this."""
    return array.dtype.kind in "biuf" and array.dtype.itemsize <= 8 and array.ndim >= 1 and array.size > 0


def torch_pieces(x: Any) -> Any:
    """64 values of each sample of a torch tensor, or all where there are no more, set aside on its own device."""
    n, shape = int(x.shape[0]), tuple(int(side) for side in x.shape[1:])
    width, piece = math.prod(shape), SKETCH_BYTES // max(4, x.element_size())
    if width <= piece:
        return x.reshape(n, width).clone()
    if x.is_contiguous():
        return x.as_strided((n, piece), (width, 1), x.storage_offset() + middle(shape, piece)).clone()
    return x[grid(shape, piece)].clone().reshape(n, -1)


def _hashes(words: NDArray[np.uint64], out: NDArray[np.uint64], scratch: Scratch) -> None:
    """Σ k₂·(x ⊕ x≫32), x = k₁·word, modulo 2⁶⁴: never equal for rows that differ in one word only.

    The shift brings the high bits down, since floating-point numbers tend to differ in these alone, and a sum of
    multiples of 2⁵² has few values.
    """
    mixed, shifted = scratch.words[0, : len(words)], scratch.words[1, : len(words)]
    np.multiply(words, _KEYS[0], out=mixed)
    np.right_shift(mixed, _HALF, out=shifted)
    np.bitwise_xor(mixed, shifted, out=mixed)
    np.multiply(mixed, _KEYS[1], out=mixed)
    np.add.reduce(mixed, axis=1, out=out)


def _moments(rows: NDArray[Any], columns: NDArray[np.float64], bad: NDArray[np.int64], scratch: Scratch) -> None:
    """Minimum, maximum, mean and deviation, and how many values are NaN or infinite."""
    n, width = rows.shape
    # One row a value and one column a sample: sums over the first axis run side by side.
    wide = scratch.values[: width * n].reshape(width, n)
    np.copyto(wide, rows.T, casting="unsafe")
    low, high, mean, std = columns
    with np.errstate(invalid="ignore", over="ignore"):
        np.add.reduce(wide, axis=0, out=mean)
    mean /= width
    if not np.isfinite(mean).all():
        nan, inf = np.isnan(wide), np.isinf(wide)
        bad[0], bad[1] = nan.sum(axis=0), inf.sum(axis=0)
        finite = np.ma.masked_array(wide, mask=nan | inf)
        for column, found in zip(
            columns, (finite.min(axis=0), finite.max(axis=0), finite.mean(axis=0), finite.std(axis=0)), strict=True
        ):
            column[:] = np.ma.filled(found, np.nan)
        return
    np.minimum.reduce(wide, axis=0, out=low)
    np.maximum.reduce(wide, axis=0, out=high)
    wide -= mean
    np.sqrt(np.einsum("ij,ij->j", wide, wide) / width, out=std)

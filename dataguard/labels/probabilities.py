"""Given labels and class probabilities as the label methods take them: checked block by block, never copied whole."""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dataguard.labels.codes import first_names
from dataguard.labels.given import SUM_TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

Task = TypeVar("Task")
Result = TypeVar("Result")
BLOCK_BYTES = 2 * 1024 * 1024
"""A block and what is computed from it stay in the third-level cache, and the calls that it takes are long beside
handing the interpreter from thread to thread: 0.5 MB cost a fifth more with two threads, and no less with one."""

SPAN_BYTES = 16 * 1024 * 1024
"""What a thread takes at a time, and the most of a memory map that it keeps resident."""

PIECE = 1 << 17
"""Samples whose labels are counted at a time."""

SCATTERED = 1000
"""Scattered values read from a memory map before its pages are let go of; each may bring 64 KiB with it."""

NEGATIVE_TOLERANCE = 1e-6
"""Most that float error takes a probability below 0: a softmax never does, one minus a float32 sum by some 1e-7."""


class UnsoundError(Exception):
    """Some row is no distribution; which, `refuse` says."""


def checked(pred_probs: Any, *, rows: int | None = None) -> NDArray[Any]:
    """The probabilities as a two-dimensional array of real numbers, not copied where they are an array already.

    Only shape and type are looked at; the values are when the blocks are read.

    Args:
        pred_probs: Shape (n, classes), classes ≥ 2: array of float16, float32, float64 or whole numbers, of any strides
            and byte order, in memory or a memory map; or lists of lists.
        rows: How many labels there are.

    Raises:
        ValueError: it is no such array, or has another number of rows.
    """
    array = pred_probs if isinstance(pred_probs, np.ndarray) else np.asarray(pred_probs)
    if array.ndim != 2 or array.shape[1] < 2:
        raise ValueError(
            f"probabilities of shape {array.shape}; (samples, classes) with two classes or more is needed"
            + ("; the probability p of one class out of two is np.stack([1 - p, p], axis=1)" if array.size else "")
        )
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise ValueError(f"probabilities of type {array.dtype}; float16, float32 or float64 is needed")
    if rows is not None and len(array) != rows:
        raise ValueError(f"{rows} labels for {len(array)} rows of probabilities")
    return array


def working_type(array: NDArray[Any]) -> type[np.float32 | np.float64]:
    """The type that blocks of the array have: float64 for float64, float32 for all smaller ones, all values exact."""
    return np.float64 if array.dtype.itemsize == 8 else np.float32


def block_rows(array: NDArray[Any]) -> int:
    """How many rows make a block."""
    return max(1, BLOCK_BYTES // int(array.shape[1] * np.dtype(working_type(array)).itemsize))


def blocks(pred_probs: Any, *, validate: bool = True) -> Iterator[tuple[int, NDArray[Any]]]:
    """The rows in order, about half a megabyte at a time.

    Yields:
        The number of the block's first row, and the block: shape (rows, classes), C-contiguous, float32 (float64 where
        the array is); not to be written to, and valid until the next one is taken. Pages of a memory map are let go of.

    Raises:
        ValueError: a row is not a probability distribution, see `refuse`; raised after 16 blocks at the latest.
    """
    array = checked(pred_probs)
    reader = _Reader(array)
    try:
        for start, stop in _spans(array):
            yield from reader.read(start, stop, validate)
    except UnsoundError:
        refuse(array)


def map_spans(
    pred_probs: Any,
    work: Callable[[int, int, Iterator[tuple[int, NDArray[Any]]]], Result],
    *,
    jobs: int | None = None,
    validate: bool = True,
    signs: bool = True,
) -> list[Result]:
    """What `work` makes of each span of about 8 MB, in order; several threads work on spans at a time.

    NumPy lets go of the interpreter in all that takes long, so threads share one array where processes would copy it.

    Args:
        pred_probs: See `checked`.
        work: Given the number of the first row, that of the row after the last, and the blocks in between as from
            `blocks`. It may write to arrays of its own at its own rows. The values of a span are sound when the last
            block has been taken.
        jobs: Threads; None for as many as there are cores.
        validate: Whether to look at the values.
        signs: Whether that includes a search for negative ones; without it, `work` raises `UnsoundError` at these.

    Raises:
        ValueError: a row is not a probability distribution, see `refuse`.
    """
    array = checked(pred_probs)
    spans = list(_spans(array))
    local = threading.local()

    def one(span: tuple[int, int]) -> Result:
        if not hasattr(local, "reader"):
            local.reader = _Reader(array)
        return work(*span, local.reader.read(*span, validate, signs))

    try:
        return threaded(one, spans, jobs=jobs)
    except UnsoundError:
        refuse(array)
        raise


def map_blocks(
    pred_probs: Any, work: Callable[[int, NDArray[Any]], Result], *, jobs: int | None = None, validate: bool = True
) -> list[Result]:
    """What `work` makes of each block, in order. See `map_spans`; `work` is given a row number and a block.

    A bad row may come to `work` before it is found out.
    """

    def all_of(start: int, stop: int, span: Iterator[tuple[int, NDArray[Any]]]) -> list[Result]:  # noqa: ARG001
        return [work(first, block) for first, block in span]

    parts = map_spans(pred_probs, all_of, jobs=jobs, validate=validate)
    return [result for part in parts for result in part]


def threaded(work: Callable[[Task], Result], tasks: Sequence[Task], *, jobs: int | None = None) -> list[Result]:
    """`work` of every task, in order, by so many threads; None for as many as there are cores."""
    threads = min(cores() if jobs is None else max(1, jobs), len(tasks))
    if threads <= 1:
        return [work(task) for task in tasks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, tasks))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gathered(pred_probs: NDArray[Any], codes: NDArray[np.int32], *, jobs: int | None = None) -> NDArray[Any]:
    """Each sample's probability of its given label, in the array's own type; 0 where the label is missing.

    Args:
        pred_probs: See `checked`.
        codes: Column numbers, shape (n,); negative for missing.
        jobs: See `map_blocks`.

    Returns:
        Shape (n,).
    """
    native = pred_probs.dtype.newbyteorder("=")
    found = np.empty(len(pred_probs), dtype=native)
    reader = _Reader(pred_probs)
    flat = pred_probs.reshape(-1) if pred_probs.flags.c_contiguous else None

    def one(span: tuple[int, int]) -> None:
        start, stop = span
        columns = np.maximum(codes[start:stop], 0)
        if flat is None:
            found[start:stop] = pred_probs[np.arange(start, stop), columns]
        else:
            places = np.arange(start, stop, dtype=np.intp)
            places *= pred_probs.shape[1]
            places += columns
            found[start:stop] = flat.take(places)
        reader.release(start, stop)

    threaded(one, list(_spans(pred_probs)), jobs=jobs)
    if codes.min(initial=0) < 0:
        found[codes < 0] = 0
    return found


def class_sums(
    codes: NDArray[np.int32],
    classes: int,
    *,
    weights: NDArray[Any] | None = None,
    where: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """How many samples each class has, or the sum of their weights; piece by piece, for bincount copies what it reads.

    Args:
        codes: Column numbers, shape (n,); a negative one is left out.
        classes: How many there are.
        weights: Shape (n,); None for 1 each.
        where: Which samples are counted, shape (n,); None for all.

    Returns:
        Shape (classes,).
    """
    sums = np.zeros(classes)
    for start in range(0, len(codes), PIECE):
        part = slice(start, start + PIECE)
        own = codes[part]
        kept = own >= 0 if where is None else where[part] & (own >= 0)
        sums += np.bincount(own[kept], None if weights is None else weights[part][kept], classes)
    return sums


def picked(pred_probs: NDArray[Any], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[Any]:
    """Single probabilities, in the array's own type; pages of a memory map are let go of on the way."""
    reader = _Reader(pred_probs)
    if reader.map is None and pred_probs.flags.c_contiguous:
        flat: NDArray[Any] = pred_probs.reshape(-1)
        values: NDArray[Any] = flat.take(rows * pred_probs.shape[1] + columns)
        return values
    step = len(rows) if reader.map is None else SCATTERED
    found = np.empty(len(rows), dtype=pred_probs.dtype.newbyteorder("="))
    for start in range(0, len(rows), max(1, step)):
        found[start : start + step] = pred_probs[rows[start : start + step], columns[start : start + step]]
        reader.release(0, len(pred_probs))
    return found


def taken(pred_probs: NDArray[Any], rows: NDArray[np.intp], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Some rows, in the array's own type; pages of a memory map are let go of on the way.

    Args:
        pred_probs: See `checked`.
        rows: Increasing.
        out: Where to put them, in the working type.
    """
    if _memory_map(pred_probs)[0] is None:
        if out is None:
            return pred_probs.take(rows, axis=0)
        if out.dtype == pred_probs.dtype and pred_probs.dtype.isnative:
            # With "raise", the default, take copies once more; no row is out of range.
            return pred_probs.take(rows, axis=0, out=out, mode="clip")
        out[...] = pred_probs.take(rows, axis=0)
        return out
    made = np.empty((len(rows), pred_probs.shape[1]), dtype=pred_probs.dtype) if out is None else out
    reader = _Reader(pred_probs)
    step = block_rows(pred_probs) * (SPAN_BYTES // BLOCK_BYTES)
    low = 0
    while low < len(rows):
        start = int(rows[low])
        high = int(np.searchsorted(rows, start + step))
        made[low:high] = pred_probs[start : start + step][rows[low:high] - start]
        reader.release(start, min(start + step, len(pred_probs)))
        low = high
    return made


def refuse(pred_probs: NDArray[Any]) -> None:
    """Say what is wrong with the values, where any are.

    A row is accepted whose probabilities are ≥ −1e-6 and sum to 1 within `SUM_TOLERANCE`.

    Raises:
        ValueError: naming the first five bad rows and how many there are, and what may be the matter.
    """
    bad: dict[str, list[NDArray[np.intp]]] = {"not finite": [], "negative": [], "off": []}
    total = 0
    lowest, low_sum, high_sum, ones = 0.0, np.inf, -np.inf, True
    for first, block in blocks(pred_probs, validate=False):
        finite = np.isfinite(block).all(axis=1)
        negative = finite & (block.min(axis=1) < -NEGATIVE_TOLERANCE)
        sums = np.where(finite[:, None], block, 0).sum(axis=1, dtype=np.float64)
        off = finite & ~negative & (np.abs(sums - 1) > SUM_TOLERANCE)
        for kind, mask in (("not finite", ~finite), ("negative", negative), ("off", off)):
            bad[kind].append(np.flatnonzero(mask) + first)
        total += len(block)
        if negative.any():
            lowest = min(lowest, float(block[negative].min()))
        if off.any():
            low_sum, high_sum = min(low_sum, float(sums[off].min())), max(high_sum, float(sums[off].max()))
            ones &= bool(block[off].max() <= 1)
    hints = {
        "not finite": ("NaN or infinite probabilities", "leave such samples out, or see what the model made of them"),
        "negative": (f"negative probabilities (down to {lowest:.3g})", "are these logits? apply softmax"),
        "off": (
            f"probabilities that sum to {low_sum:.4g} … {high_sum:.4g} instead of 1",
            "several labels a sample need a method for multi-label data; scores need softmax"
            if ones
            else "are these logits or percentages? apply softmax, or divide each row by its sum",
        ),
    }
    for kind, (what, hint) in hints.items():
        rows = np.concatenate(bad[kind]) if bad[kind] else np.zeros(0, dtype=np.intp)
        if len(rows):
            raise ValueError(f"{what} in {len(rows)} of {total} rows: {first_names(rows.tolist())}\n  hint: {hint}")


def _spans(array: NDArray[Any]) -> Iterator[tuple[int, int]]:
    rows = block_rows(array) * (SPAN_BYTES // BLOCK_BYTES)
    for start in range(0, len(array), rows):
        yield start, min(start + rows, len(array))


class _Reader:
    """Blocks of one array for one thread."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        self.type = working_type(array)
        self.rows = block_rows(array)
        self.map, self.address = _memory_map(array)
        plain = array.dtype == self.type and array.dtype.isnative and array.flags.c_contiguous
        self.buffer = None if plain else np.empty((min(self.rows, len(array)), array.shape[1]), dtype=self.type)

    def read(self, start: int, stop: int, validate: bool, signs: bool = True) -> Iterator[tuple[int, NDArray[Any]]]:
        sums = np.empty(stop - start, dtype=self.type) if validate else None
        bits = np.uint32 if self.type is np.float32 else np.uint64
        least = 0.0
        for first in range(start, stop, self.rows):
            block = np.asarray(self.array[first : min(first + self.rows, stop)])
            if self.buffer is not None:
                converted = self.buffer[: len(block)]
                converted[...] = block
                block = converted
            if sums is not None:
                # einsum adds a row in one go, without BLAS and threads of its own; sums carry NaN and infinities.
                np.einsum("ij->i", block, out=sums[first - start : first - start + len(block)])
                # As whole numbers without a sign, negative floats lie above all others, which is found faster.
                if signs and block.view(bits).max() >= bits(1 << 8 * self.type().itemsize - 1):
                    least = min(least, float(block.min()))
            yield first, block
        self.release(start, stop)
        if sums is not None:
            sums -= 1
            if not (np.abs(sums, out=sums).max() <= SUM_TOLERANCE and least >= -NEGATIVE_TOLERANCE):
                raise UnsoundError

    def release(self, start: int, stop: int) -> None:
        """Let go of the pages of a memory map that hold these rows; they stay in the system's cache."""
        if self.map is None or start == stop:
            return
        low, high = np.lib.array_utils.byte_bounds(self.array[start:stop])
        low = max(0, low - self.address) // mmap.PAGESIZE * mmap.PAGESIZE
        self.map.madvise(mmap.MADV_DONTNEED, low, min(high - self.address, len(self.map)) - low)


def _memory_map(array: NDArray[Any]) -> tuple[mmap.mmap | None, int]:
    """The map that the array lies in, where letting go of its pages loses nothing; and its address."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if isinstance(owner, np.memmap) and owner.mode == "c":
            return None, 0
        owner = owner.base
    if not isinstance(owner, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
        return None, 0
    return owner, int(np.frombuffer(owner, dtype=np.uint8).__array_interface__["data"][0])

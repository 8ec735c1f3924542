"""Hash and moments of every sample of an input, and small pictures of the first ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.batches.kinds import ArrayKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.batches.content import Leaf

HASH_METHOD = "first 64 bits of BLAKE3 over type, shape and all bytes of every input"
MOMENTS_METHOD = "all finite values of the main input, in float64"
THUMBNAIL_SIDE = 32
MAX_CHANNELS = 4
"""An axis of 1, 3 or 4 is one of colours; a longer one of features, whose range says nothing of normalization."""
_CHUNK = 1 << 19
"""Values that are converted to float64 at a time: 4 MB, which the caches hold."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moments:
    """Of each of n samples; see `BatchStream`."""

    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    n_nan: NDArray[np.int64]
    n_inf: NDArray[np.int64]


def layout_of(shape: Sequence[int]) -> str:
    """A guess at the axes of a batch whose samples have this shape.

    >>> layout_of((3, 224, 224)), layout_of((224, 224, 3)), layout_of((28, 28)), layout_of((30,)), layout_of(())
    ('NCHW', 'NHWC', 'NHW', 'NF', 'N')
    >>> layout_of((3, 64, 3)), layout_of((8, 3, 112, 112))
    ('NDDD', 'NDDDD')
    """
    if len(shape) == 3:
        first, last = shape[0] in (1, 3, 4), shape[2] in (1, 3, 4)
        if first != last:
            return "NCHW" if first else "NHWC"
        return "NDDD"
    if len(shape) == 2:
        return "NHW" if min(shape) >= 4 else "NDD"
    return {0: "N", 1: "NF"}.get(len(shape), "N" + "D" * len(shape))


def kind_of(leaf: Leaf, row: Any) -> ArrayKind:
    """Type and form of one row of a leaf."""
    if isinstance(row, str | bytes):
        return ArrayKind(dtype=type(row).__name__, shape=(), layout="N")
    shape = tuple(int(side) for side in row.shape)
    return ArrayKind(dtype=leaf.dtype or str(row.dtype), shape=shape, layout=layout_of(shape))


def kinds_of(leaf: Leaf, n: int) -> list[ArrayKind]:
    """Type and form of each row of a leaf."""
    if isinstance(leaf.rows, np.ndarray):
        shape = tuple(int(side) for side in leaf.rows.shape[1:])
        kind = ArrayKind(dtype=leaf.dtype or str(leaf.rows.dtype), shape=shape, layout=layout_of(shape))
        return [kind] * n
    return [kind_of(leaf, row) for row in leaf.rows]


def hashes(leaves: Sequence[Leaf], n: int) -> NDArray[np.uint64]:
    """The hash of each of n samples over all its inputs, shape (n,).

    Two samples are taken for equal where type, shape and every byte of every input are: 0.0 and −0.0 differ.
    """
    from blake3 import blake3

    columns = [_byte_rows(leaf, n) for leaf in leaves]
    digests = bytearray()
    for row in range(n):
        hasher = blake3()
        for header, rows in columns:
            content = rows[row]
            if header is None:
                head, content = content
                hasher.update(head)
            else:
                hasher.update(header)
            hasher.update(content)
        digests += hasher.digest(length=8)
    return np.frombuffer(bytes(digests), dtype="<u8").astype(np.uint64)


def _byte_rows(leaf: Leaf, n: int) -> tuple[bytes | None, Any]:
    """A header that all rows share and their bytes; without one, pairs of both."""
    if isinstance(leaf.rows, np.ndarray):
        array = np.ascontiguousarray(leaf.rows)
        header = _header(str(array.dtype), array.shape[1:])
        if array.size == 0:
            return header, [b""] * n
        return header, array.reshape(n, -1).view(np.uint8)
    pairs = []
    for row in leaf.rows:
        if isinstance(row, str | bytes):
            content: Any = row.encode("utf-8", "surrogatepass") if isinstance(row, str) else row
            pairs.append((_header(type(row).__name__, (len(content),)), content))
        else:
            array = np.ascontiguousarray(row)
            content = array.reshape(-1).view(np.uint8) if array.size else b""
            pairs.append((_header(str(array.dtype), array.shape), content))
    return None, pairs


def _header(dtype: str, shape: Sequence[int]) -> bytes:
    return f"{dtype}{tuple(shape)};".encode()


def moments(leaves: Sequence[Leaf], n: int) -> Moments:
    """Moments of each sample of the first leaf, and NaNs and infinities of all, each of shape (n,)."""
    values = np.full((4, n), np.nan)
    counts = np.zeros((2, n), dtype=np.int64)
    for number, leaf in enumerate(leaves):
        rows = leaf.rows
        if isinstance(rows, np.ndarray):
            _of_array(rows, values if number == 0 else None, counts)
            continue
        for place, row in enumerate(rows):
            if isinstance(row, np.ndarray):
                part = values[:, place : place + 1] if number == 0 else None
                _of_array(row[None], part, counts[:, place : place + 1])
    return Moments(
        minimum=values[0], maximum=values[1], mean=values[2], std=values[3], n_nan=counts[0], n_inf=counts[1]
    )


def _of_array(array: NDArray[Any], values: NDArray[np.float64] | None, counts: NDArray[np.int64]) -> None:
    n = len(array)
    if array.size == 0 or array.dtype.kind not in "biufc":
        return
    if values is None and array.dtype.kind in "biu":
        return
    width = array.size // n
    flat = array.reshape(n, width)
    step = max(1, _CHUNK // width)
    for start in range(0, n, step):
        part = slice(start, start + step)
        _of_chunk(flat[part], None if values is None else values[:, part], counts[:, part])


def _of_chunk(flat: NDArray[Any], values: NDArray[np.float64] | None, counts: NDArray[np.int64]) -> None:
    if flat.dtype.kind == "c":
        flat = np.abs(flat)
    wide = flat.astype(np.float64)
    finite = np.isfinite(wide) if flat.dtype.kind in "fc" else None
    if finite is None or finite.all():
        if values is None:
            return
        values[0], values[1] = wide.min(axis=1), wide.max(axis=1)
        values[2] = wide.mean(axis=1)
        wide -= values[2][:, None]
        values[3] = np.sqrt(np.einsum("ij,ij->i", wide, wide) / wide.shape[1])
        return
    nan = np.isnan(wide)
    counts[0] += nan.sum(axis=1)
    counts[1] += (~finite & ~nan).sum(axis=1)
    if values is None:
        return
    for row, kept in enumerate(finite):
        if kept.any():
            some = wide[row, kept]
            values[:, row] = some.min(), some.max(), some.mean(), some.std()


def channel_moments(leaf: Leaf) -> NDArray[np.float64] | None:
    """Minimum, maximum, mean and standard deviation of each channel of a batch, shape (c, 4); None without channels."""
    rows = leaf.rows
    if not isinstance(rows, np.ndarray) or rows.size == 0 or rows.dtype.kind not in "biuf":
        return None
    layout = layout_of(rows.shape[1:])
    if layout not in ("NCHW", "NHWC"):
        return None
    axis = 1 if layout == "NCHW" else 3
    found = np.full((rows.shape[axis], 4), np.nan)
    for channel in range(rows.shape[axis]):
        plane = rows[:, channel] if axis == 1 else rows[..., channel]
        if plane.dtype.kind == "f" and not np.isfinite(plane).all():
            plane = plane[np.isfinite(plane)]
            if not plane.size:
                continue
        mean = plane.mean(dtype=np.float64)
        # One image at a time, so that no second copy of the batch is made.
        squares = sum(float(np.square(part - mean, dtype=np.float64).sum()) for part in np.atleast_2d(plane))
        found[channel] = plane.min(), plane.max(), mean, np.sqrt(squares / plane.size)
    return found


def picture_range(rows: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """The values to show as black and white: 0–255 or 0–1 where all values lie there, or else the extremes."""
    finite = [row[np.isfinite(row)] for row in rows]
    finite = [row for row in finite if row.size]
    if not finite:
        return 0.0, 1.0
    low, high = float(min(row.min() for row in finite)), float(max(row.max() for row in finite))
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if low >= 0 and high <= 255 and (rows[0].dtype == np.uint8 or high > 64):
        return 0.0, 255.0
    return low, high if high > low else low + 1.0


def thumbnails(
    leaf: Leaf, limit: int, span: tuple[float, float] | None
) -> tuple[NDArray[np.uint8], tuple[float, float]] | None:
    """Pictures of 32×32 of the first samples of a batch, shape (t, 32, 32, 1 or 3), and their range of values.

    Args:
        leaf: The main input.
        limit: The most pictures.
        span: The values that become 0 and 255; None to choose by these.

    Returns:
        None where the samples are no pictures.
    """
    planes = [_plane(row) for row in leaf.rows[:limit]]
    pictures = [plane for plane in planes if plane is not None]
    if not pictures or len(pictures) < len(planes):
        return None
    low, high = span or picture_range(pictures)
    depth = 3 if any(picture.shape[2] == 3 for picture in pictures) else 1
    made = np.zeros((len(pictures), THUMBNAIL_SIDE, THUMBNAIL_SIDE, depth), dtype=np.uint8)
    for place, picture in enumerate(pictures):
        wide = np.nan_to_num(picture.astype(np.float32), nan=low, posinf=high, neginf=low)
        scaled = np.clip((_resized(_resized(wide, 0), 1) - low) * (255.0 / (high - low)), 0, 255)
        made[place] = np.rint(scaled).astype(np.uint8)
    return made, (low, high)


def _resized(picture: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """A picture with 32 values along one axis: means of equal parts, or each value repeated where it has fewer."""
    size = picture.shape[axis]
    edges = np.arange(THUMBNAIL_SIDE + 1) * size // THUMBNAIL_SIDE
    if size <= THUMBNAIL_SIDE:
        repeated: NDArray[np.float32] = np.take(picture, edges[:-1], axis=axis)
        return repeated
    widths = np.diff(edges).astype(np.float32)
    sums: NDArray[np.float32] = np.add.reduceat(picture, edges[:-1], axis=axis)
    sums /= widths.reshape([-1 if place == axis else 1 for place in range(picture.ndim)])
    return sums


def _plane(row: Any) -> NDArray[Any] | None:
    """A sample as a picture of shape (height, width, 1 or 3); None where it is none."""
    if not isinstance(row, np.ndarray) or row.dtype.kind not in "biuf" or not row.size:
        return None
    layout = layout_of(row.shape)
    if layout == "NHW":
        return row[..., None]
    if layout not in ("NCHW", "NHWC"):
        return None
    picture = row.transpose(1, 2, 0) if layout == "NCHW" else row
    return picture[..., :3]

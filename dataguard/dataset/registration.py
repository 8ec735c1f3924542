"""Which part of one picture another shows: the window that a crop has left, found from the pixels.

A window has four numbers: along each side, where its middle lies and how long it is. Gauss-Newton steps find them
together with gain and offset, as in Lucas and Kanade (1981) and, for changes of light, Evangelidis and Psarakis (2008):
each step is one linear least-squares problem of six unknowns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Window: TypeAlias = tuple[float, float, float, float]
"""(width, middle, height, middle), from −1 to 1 along each side."""
WHOLE: Window = (1.0, 0.0, 1.0, 0.0)
"""The window that is the whole picture."""
LARGEST_SCALE = 1.18
"""The largest change of scale and its inverse: 5 % off every side is 1.11."""
LARGEST_SHIFT = 0.12
"""The largest shift of the middle, in halves of a side."""


def as_window(numbers: Iterable[float]) -> Window:
    """Four numbers, as of an array or of JSON, as a window."""
    width, across, height, along = map(float, numbers)
    return width, across, height, along


def inverse(window: Window) -> Window:
    """What the left picture shows of the right one, for what the right one shows of the left one."""
    width, across, height, along = window
    return 1 / width, -across / width, 1 / height, -along / height


def cut_off(window: Window) -> float:
    """The largest share of a side that one of two pictures lacks, for what the right one shows of the left one."""
    width, across, height, along = window
    ends = (
        (1 - width - across, width),
        (1 - width + across, width),
        (1 - height - along, height),
        (1 - height + along, height),
    )
    return max(0.0, *(end / 2 if end > 0 else -end / 2 / length for end, length in ends))


def warped(
    pictures: NDArray[np.float32], windows: NDArray[np.float32], size: tuple[int, int] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The windows of pictures, by bilinear interpolation.

    Args:
        pictures: Shape (n, height, width).
        windows: Shape (n, 4), as `WHOLE`.
        size: Height and width of the result; that of the pictures where it is None.

    Returns:
        Shape (n, *size); and which pixels lie in the picture.
    """
    height, width = pictures.shape[1:]
    rows, columns = size or (height, width)
    along_y, inside_y = _weights(windows[:, 2], windows[:, 3], rows, height)
    along_x, inside_x = _weights(windows[:, 0], windows[:, 1], columns, width)
    values: NDArray[np.float32] = np.asarray(along_y @ pictures @ along_x.transpose(0, 2, 1), dtype=np.float32)
    return values, inside_y[:, :, None] & inside_x[:, None, :]


def _weights(
    scale: NDArray[np.float32], shift: NDArray[np.float32], wanted: int, given: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The weight of each given pixel in each one wanted, shape (n, wanted, given), and which lie inside."""
    at = scale[:, None] * _middles(wanted)[None] + shift[:, None]
    position = (at + 1) * (given / 2) - 0.5
    clipped = np.clip(position, 0, given - 1)
    weights = np.maximum(0, 1 - np.abs(clipped[:, :, None] - np.arange(given, dtype=np.float32)))
    return weights.astype(np.float32), np.abs(at) <= 1


def _middles(count: int) -> NDArray[np.float32]:
    return ((np.arange(count, dtype=np.float32) + 0.5) * (2 / count) - 1).astype(np.float32)


def register(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    windows: NDArray[np.float32] | None = None,
    *,
    steps: int = 8,
) -> NDArray[np.float32]:
    """The window of each left picture that looks most like the right one, up to gain and offset.

    Args:
        left: Gray pictures, shape (n, height, width).
        right: Of the same shape.
        windows: Where to begin, shape (n, 4); the whole picture where it is None.
        steps: Gauss-Newton steps.

    Returns:
        Shape (n, 4), as `WHOLE`. Where the right picture shows more than the left, it reaches beyond ±1.
    """
    n, height, width = left.shape
    found = np.tile(np.array(WHOLE, dtype=np.float32), (n, 1)) if windows is None else windows.copy()
    x, y = _middles(width), _middles(height)
    design = np.empty((n, 6, height, width), dtype=np.float32)
    ridge = np.diag([0, 0, 1, 1, 1, 1]).astype(np.float32)
    for _ in range(steps):
        values, inside = warped(left, found)
        design[:, 0] = 1
        design[:, 1] = values
        design[:, 3] = np.gradient(values, 2 / width, axis=2)
        design[:, 2] = design[:, 3] * x
        design[:, 5] = np.gradient(values, 2 / height, axis=1)
        design[:, 4] = design[:, 5] * y[:, None]
        design *= inside[:, None]
        flat = design.reshape(n, 6, -1)
        normal = flat @ flat.transpose(0, 2, 1)
        aim = (flat @ (right * inside).reshape(n, -1, 1))[..., 0]
        # A picture without gradients in some direction stays where it is in that direction.
        load = 1e-3 * np.einsum("nii->n", normal[:, 2:, 2:]) / 4 + 1e-3
        solved = np.linalg.solve(
            normal + load[:, None, None] * ridge + 1e-3 * np.eye(6, dtype=np.float32), aim[..., None]
        )
        gain = solved[:, 1, 0]
        step = solved[:, 2:, 0] / np.where(np.abs(gain) > 1e-3, gain, 1)[:, None]
        # Where `values` is seen through the old window, a shift in it is as long as that window says.
        step[:, :2] *= found[:, :1]
        step[:, 2:] *= found[:, 2:3]
        found += np.where((gain > 0)[:, None], np.clip(step, -0.08, 0.08), 0)
        found[:, ::2] = np.clip(found[:, ::2], 1 / LARGEST_SCALE, LARGEST_SCALE)
        found[:, 1::2] = np.clip(found[:, 1::2], -LARGEST_SHIFT, LARGEST_SHIFT)
    return found


def window_residuals(
    left: NDArray[np.float32], right: NDArray[np.float32], windows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What the tone curves of the windows leave unexplained of the right pictures, and these of them; the larger.

    Args:
        left: Gray pictures, shape (n, height, width).
        right: Of the same shape.
        windows: Shape (n, 4).

    Returns:
        Shape (n,), from 0 to 1.
    """
    values, inside = warped(left, windows)
    n = len(left)
    mask = inside.reshape(n, -1).astype(np.float32)
    one, other = values.reshape(n, -1), right.reshape(n, -1)
    return np.maximum(_unexplained(one, other, mask), _unexplained(other, one, mask))


def _unexplained(
    source: NDArray[np.float32], target: NDArray[np.float32], mask: NDArray[np.float32]
) -> NDArray[np.float32]:
    weight = np.maximum(mask.sum(axis=1, keepdims=True), 1)
    linear = _unit((source - (source * mask).sum(axis=1, keepdims=True) / weight) * mask)
    aim = _unit((target - (target * mask).sum(axis=1, keepdims=True) / weight) * mask)
    square = linear * linear
    square = (square - (square * mask).sum(axis=1, keepdims=True) / weight) * mask
    before = np.sqrt(np.einsum("ij,ij->i", square, square))
    square -= np.einsum("ij,ij->i", square, linear)[:, None] * linear
    norm = np.sqrt(np.einsum("ij,ij->i", square, square))
    usable = norm > np.maximum(1e-4 * before, 1e-6)
    straight = np.einsum("ij,ij->i", linear, aim)
    bent = np.where(usable, np.einsum("ij,ij->i", square, aim) / np.where(usable, norm, 1), 0)
    result: NDArray[np.float32] = np.where(straight > 0, 1 - straight**2 - bent**2, 1)
    return np.clip(result, 1e-6, 1).astype(np.float32)


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    norm = np.sqrt(np.einsum("ij,ij->i", values, values))[:, None]
    result: NDArray[np.float32] = np.where(norm > 1e-4, values / np.maximum(norm, 1e-4), 0).astype(np.float32)
    return result

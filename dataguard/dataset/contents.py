"""What the content of a sample is, so that the same sample has the same digest wherever it is stored.

* A picture: BLAKE3 of its encoded bytes, whether they lie in a file, a tar, a row or a tensor of bytes.
* An array: `array_digest`, of its kind of numbers, its shape and its values, however it is laid out in memory.
* A row: BLAKE3 of its values as `dataguard.dataset.sources.table` writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3

from dataguard.dataset.sources import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KINDS = "biuf"
"""Truth values, whole numbers and binary fractions, as numpy calls them."""


def array_digest(array: NDArray[Any]) -> bytes:
    """The content of an array: 32 bytes that are equal for arrays of one type and shape with the same values.

    BLAKE3 of ``array <kind><bytes a number> <shape>``, a newline, and the values in C order, the least byte first.

    >>> fortran = np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3))
    >>> array_digest(fortran) == array_digest(np.arange(6, dtype="<i4").reshape(2, 3))
    True

    Raises:
        ValueError: it does not hold numbers.
    """
    if array.dtype.kind not in _KINDS:
        raise ValueError(f"an array of {array.dtype}, not of numbers")
    head = f"array {array.dtype.kind}{array.dtype.itemsize} {'x'.join(map(str, array.shape))}\n"
    values = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return blake3(head.encode() + values.tobytes()).digest()


def is_picture(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether an array is a picture as cameras and files have it: (H, W), or (H, W, 1, 3 or 4), of 8 or 16 bits.

    >>> is_picture((32, 32, 3), np.dtype(np.uint8)), is_picture((3, 32, 32), np.dtype(np.float32))
    (True, False)
    """
    if dtype.kind != "u" or dtype.itemsize > 2 or 0 in shape:
        return False
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))


def picture_of(array: NDArray[Any]) -> Picture:
    """A picture that is stored as an array, gray, RGB or RGBA, encoded without loss for the scan.

    Raises:
        ValueError: it is no picture; see `is_picture`.
    """
    import cv2

    if not is_picture(array.shape, array.dtype):
        raise ValueError(f"an array of {array.dtype} with shape {array.shape} is no picture")
    digest = array_digest(array)
    pixels = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    if pixels.ndim == 3:
        pixels = pixels[..., {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[pixels.shape[2]]]
    # Level 0 stores: deflating would cost more than all the rest of the scan.
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(pixels), [cv2.IMWRITE_PNG_COMPRESSION, 0])
    if not done:
        raise ValueError(f"an array with shape {array.shape} cannot be encoded")
    return Picture(data=encoded.tobytes(), digest=digest, n_bytes=array.nbytes)

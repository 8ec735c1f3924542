"""`measure.c` as Python calls it, where it was compiled; without it, numpy and OpenCV find the same bits.

`hatch_build.py` compiles it when dataguard is installed, wherever there is a C compiler.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dataguard.dataset.table import THUMBNAIL_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIBRARY = Path(__file__).with_name("libmeasure.so")
VERSION = 2
"""Of what is passed and found, as in measure.c: an editable install may have left a library of another."""

_CHANNELS = 4
_SUMS = struct.Struct(f"={2 * _CHANNELS}Q")
_Found: TypeAlias = ctypes.Array[ctypes.c_char]
_FOUND = ctypes.c_char * (_SUMS.size + THUMBNAIL_SIDE * THUMBNAIL_SIDE * 3)
_Call: TypeAlias = Callable[[int, int, int, int, bytes, _Found], int]


def native_measure(
    pixels: NDArray[np.uint8], order: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], bytes] | None:
    """Sums and sums of squares in that order, and the thumbnail's 3,072 bytes; None where nothing was compiled.

    Args:
        pixels: Shape (height, width) or (height, width, channels), C-contiguous, 1 to 4 channels, no side of 0.
        order: The channels to report, by index, colour before alpha; gray is one channel.

    Raises:
        MemoryError: there is no room for a quarter of the picture.
    """
    call = _compiled(LIBRARY)
    if call is None:
        return None
    height, width = pixels.shape[:2]
    found = _FOUND()
    colours = bytes(order[:3] if len(order) >= 3 else order[:1] * 3)
    code = call(pixels.ctypes.data, height, width, 1 if pixels.ndim == 2 else pixels.shape[2], colours, found)
    if code:
        raise MemoryError
    raw = bytes(found)
    numbers = _SUMS.unpack_from(raw)
    sums = tuple([numbers[channel] for channel in order])
    squares = tuple([numbers[_CHANNELS + channel] for channel in order])
    return sums, squares, raw[_SUMS.size :]


@cache
def _compiled(path: Path) -> _Call | None:
    try:
        library = ctypes.CDLL(str(path))
        if library.dataguard_measure_version() != VERSION:
            return None
        function: Any = library.dataguard_measure
    except (OSError, AttributeError):
        return None
    size = ctypes.c_size_t
    function.argtypes = (ctypes.c_void_p, size, size, size, ctypes.c_char_p, _FOUND)
    function.restype = ctypes.c_int
    found: _Call = function
    return found

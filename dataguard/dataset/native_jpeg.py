"""Ordinary JPEG files decoded and measured in one call of `measure.c`, a few rows at a time.

Rows are measured while they are in a processor's first cache, no picture is held whole, and other threads run
meanwhile. The decoder is the libjpeg-turbo that comes with Pillow's wheels: what it finds is what OpenCV's finds, bit
for bit, which is tried with a few pictures before it is relied on. Where there is none, or another, OpenCV decodes.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dataguard.dataset import native_measure
from dataguard.dataset.perceptual_hash import GRAY, LEAST_ENERGY, lowest_frequencies
from dataguard.dataset.table import THUMBNAIL_SIDE

_FUNCTIONS = (
    "jpeg_std_error",
    "jpeg_CreateDecompress",
    "jpeg_mem_src",
    "jpeg_read_header",
    "jpeg_start_decompress",
    "jpeg_read_scanlines",
    "jpeg_finish_decompress",
    "jpeg_destroy_decompress",
)
"""In the order of `Library` of decode_jpeg.h."""

_ABI = "6.2"
_SHAPE = struct.Struct("=3I4xI4xQ")
_SUMS = struct.Struct("=8Q")
_THUMBNAIL = THUMBNAIL_SIDE * THUMBNAIL_SIDE * 3
_FOUND = ctypes.c_char * (_SUMS.size + _THUMBNAIL)
_SHAPED = ctypes.c_char * _SHAPE.size
HASH_TOLD = 2
_Call: TypeAlias = Callable[[bytes, int], "NativeJpeg | None"]


class NativeJpeg(NamedTuple):
    """What a JPEG comes to."""

    height: int
    width: int
    mode: str
    sums: tuple[int, ...]
    squares: tuple[int, ...]
    thumbnail: bytes
    told: int
    """Of the hash: 0 where nothing is, 1 where there is none for want of texture, `HASH_TOLD` where one is."""
    perceptual_hash: int


def native_jpeg(data: bytes, max_pixels: int) -> NativeJpeg | None:
    """An ordinary JPEG, decoded and measured; None where something else has to look at it.

    That is so for other formats, rare kinds of JPEG, files that are damaged or that the decoder warns of, pictures of
    more than `max_pixels`, and everywhere without `measure.c` or its decoder.
    """
    call = _ready(native_measure.LIBRARY)
    return None if call is None else call(data, max_pixels)


@cache
def _ready(path: Path) -> _Call | None:
    """What decodes, where it finds what OpenCV finds."""
    decoder = _decoder()
    call = None if decoder is None else _compiled(path, decoder)
    return call if call is not None and _finds_the_same(call) else None


def _decoder() -> Path | None:
    """The libjpeg-turbo of Pillow's wheel; None for one of another make."""
    import PIL
    from PIL import features

    try:
        if features.version("jpg") != _ABI or not features.check_feature("libjpeg_turbo"):
            return None
    except (ImportError, ValueError):
        return None
    found = sorted((Path(PIL.__file__).parents[1] / "pillow.libs").glob("libjpeg-*.so.62*"))
    return found[0] if len(found) == 1 else None


def _compiled(path: Path, decoder: Path) -> _Call | None:
    try:
        library = ctypes.CDLL(str(path))
        if library.dataguard_measure_version() != native_measure.VERSION:
            return None
        function: Any = library.dataguard_measure_jpeg
        jpeg = ctypes.CDLL(str(decoder))
        addresses = [ctypes.cast(getattr(jpeg, name), ctypes.c_void_p).value for name in _FUNCTIONS]
    except (OSError, AttributeError):
        return None
    functions = (ctypes.c_void_p * len(addresses))(*addresses)
    weights = np.concatenate([lowest_frequencies().ravel(), GRAY, [LEAST_ENERGY**0.5]]).astype(np.float32)
    how = (ctypes.c_float * len(weights))(*weights.tolist())
    function.argtypes = (
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint64,
        _SHAPED,
        _FOUND,
    )
    function.restype = ctypes.c_int

    def call(data: bytes, max_pixels: int) -> NativeJpeg | None:
        shaped, found = _SHAPED(), _FOUND()
        if function(functions, how, data, len(data), max_pixels, shaped, found):
            return None
        height, width, channels, told, value = _SHAPE.unpack(shaped)
        numbers = _SUMS.unpack_from(found)
        sums, squares = numbers[:channels], numbers[4 : 4 + channels]
        mode = "RGB" if channels == 3 else "L"
        return NativeJpeg(height, width, mode, sums, squares, found.raw[_SUMS.size :], told, value)

    return call


def _finds_the_same(call: _Call) -> bool:
    """Whether a few pictures come to what they come to by OpenCV: with all ways of sampling, and sides that are odd."""
    import cv2

    noise = np.random.default_rng(0).integers(0, 256, (133, 131, 3), dtype=np.uint8)
    # Colours that lie between those of the corners too, where upsampling and rounding tell.
    smooth = cv2.resize(noise[:9, :9], (131, 133), interpolation=cv2.INTER_LINEAR)
    samplings = (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    )
    for pixels, sampling in ((noise[..., 0], None), *((one, way) for one in (noise, smooth) for way in samplings)):
        options = [] if sampling is None else [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        data = cv2.imencode(".jpg", pixels, options)[1].tobytes()
        law: Any = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
        order = (0,) if law.ndim == 2 else (2, 1, 0)
        found = call(data, law.size)
        if found is None or found[3:6] != native_measure.native_measure(law, order):
            return False
    return True

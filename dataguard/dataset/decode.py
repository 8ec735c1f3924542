"""An image file's bytes to facts: size, exact sums, thumbnail, perceptual hash, or why it cannot be decoded."""

from __future__ import annotations

import ctypes
import io
import re
import struct
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.freezing import frozen
from dataguard.dataset import decoder_messages
from dataguard.dataset.image_header import ImageHeader, image_format, read_header
from dataguard.dataset.measure import Measured, Reduced, reduced, thumbnails
from dataguard.dataset.native_jpeg import HASH_TOLD, native_jpeg

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

MAX_PIXELS = 178_956_970
"""Twice Pillow's ``Image.MAX_IMAGE_PIXELS``: from there on Pillow refuses, as a decompression bomb."""

FACTS_VERSION = 1
"""Counts up whenever the same bytes and the same decoders give other facts."""

# Of libjpeg's warnings (jerror.h), those after which pixels are made up or displaced.
_PIXELS_LOST = re.compile(
    r"Corrupt JPEG data: (?:premature end of data segment|bad Huffman code|bad arithmetic code|found marker \S+ instead"
    r" of RST\d+)|Premature end of JPEG file|Inconsistent progression sequence[^\n]*"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFacts:
    """What the sample table says of an image's content; see `dataguard.dataset.table.COLUMNS`."""

    format: str | None = None
    width: int | None = None
    height: int | None = None
    mode: str | None = None
    channel_sums: tuple[int, ...] | None = None
    channel_square_sums: tuple[int, ...] | None = None
    thumbnail: bytes | None = None
    decode_error: str | None = None


@cache
def decoder_id() -> str:
    """What facts depend on besides the file: this code's version and the decoding libraries'."""
    # Here, for the processes of a scan do without it, and it is a tenth of what they import.
    import importlib.metadata

    found = []
    for names in (("opencv-python-headless", "opencv-python", "opencv-contrib-python"), ("pillow",)):
        for name in names:
            try:
                found.append(f"{name} {importlib.metadata.version(name)}")
                break
            except importlib.metadata.PackageNotFoundError:
                continue
    return f"facts {FACTS_VERSION}, " + ", ".join(found)


# Parameters of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT = 32 << 20

_SWITCH_INTERVAL = 2e-4
"""Seconds."""


def _keep_freed_memory() -> None:
    """Let the C library keep what a decoded image lay in, for the next image.

    By default glibc gives blocks of that size back at once, and the kernel clears every page anew: 0.4 ms for a
    picture that is decoded in 0.7. The largest value that glibc takes, and the one that it would arrive at by itself.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_MMAP_THRESHOLD, _KEPT)
        library.mallopt(_M_TRIM_THRESHOLD, 2 * _KEPT)


_lock = threading.Lock()
_users = 0
_in_force = ExitStack()


@contextmanager
def decoding() -> Iterator[None]:
    """Settings of the decoders for as long as images are decoded in many threads.

    They belong to the process. Whoever comes first makes them, and whoever leaves last restores what was before.
    """
    global _users  # noqa: PLW0603
    with _lock:
        if _users == 0:
            _in_force.enter_context(_settings())
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _in_force.close()


@contextmanager
def _settings() -> Iterator[None]:
    import cv2
    from PIL import Image

    _keep_freed_memory()
    interval = sys.getswitchinterval()
    threads, limit, level = cv2.getNumThreads(), Image.MAX_IMAGE_PIXELS, cv2.utils.logging.getLogLevel()
    # What has been imported stays, and need not be looked through for garbage again and again.
    with decoder_messages.caught(), warnings.catch_warnings(), frozen():
        # Pillow warns of odd metadata; the pixels are what counts here.
        warnings.simplefilter("ignore")
        cv2.setNumThreads(1)
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        # Our own limit is checked before anything is decoded.
        Image.MAX_IMAGE_PIXELS = None
        # A thread that has decoded a picture needs the GIL for some 20 µs; by default it would
        # wait 5 ms, in which six others are decoded, for one that is busy with Python.
        sys.setswitchinterval(min(interval, _SWITCH_INTERVAL))
        try:
            yield
        finally:
            sys.setswitchinterval(interval)
            cv2.setNumThreads(threads)
            cv2.utils.logging.setLogLevel(level)
            Image.MAX_IMAGE_PIXELS = limit


@dataclass(slots=True)
class Decoded:
    """A picture that has been decoded, and of which no more is kept than its thumbnail takes."""

    format: str | None
    width: int
    height: int
    mode: str
    rest: Reduced | Measured


@dataclass(frozen=True, slots=True)
class Hashed:
    """Facts of a picture whose perceptual hash is known as well; None where it has no texture."""

    facts: ImageFacts
    perceptual_hash: int | None


def image_facts(data: bytes, *, max_pixels: int = MAX_PIXELS) -> ImageFacts:
    """The facts of one image file; call it within `decoding`.

    OpenCV decodes JPEG and PNG, Pillow what OpenCV cannot. Of animations the first picture counts. EXIF rotation is
    not applied.

    Args:
        data: The file's bytes.
        max_pixels: Pictures with more pixels than that are not decoded.
    """
    return completed([decoded(data, max_pixels=max_pixels)])[0]


def completed(found: Sequence[ImageFacts | Decoded | Hashed]) -> list[ImageFacts]:
    """The facts of some files: `decoded` for each, and this for many, make `image_facts`."""
    pictures = [one for one in found if isinstance(one, Decoded)]
    drawn = iter(thumbnails([picture.rest for picture in pictures]))
    return [
        ImageFacts(
            format=one.format,
            width=one.width,
            height=one.height,
            mode=one.mode,
            channel_sums=one.rest.sums,
            channel_square_sums=one.rest.squares,
            thumbnail=next(drawn).tobytes(),
        )
        if isinstance(one, Decoded)
        else one.facts
        if isinstance(one, Hashed)
        else one
        for one in found
    ]


def decoded(data: bytes, *, max_pixels: int = MAX_PIXELS) -> ImageFacts | Decoded | Hashed:
    """One image file, decoded and measured; or its facts, where all is known or there is no picture to be had."""
    found = native_jpeg(data, max_pixels)
    if found is not None:
        height, width, mode, sums, squares, thumbnail, told, perceptual_hash = found
        known = ImageFacts(
            format="jpeg",
            width=width,
            height=height,
            mode=mode,
            channel_sums=sums,
            channel_square_sums=squares,
            thumbnail=thumbnail,
        )
        return known if not told else Hashed(known, perceptual_hash if told == HASH_TOLD else None)
    header = read_header(data)
    if header is not None:
        error = header.damage or _too_large(header.width, header.height, max_pixels)
        if error:
            return ImageFacts(format=header.format, width=header.width, height=header.height, decode_error=error)
        if _for_opencv(header):
            facts = _with_opencv(data, header)
            if facts is not None:
                return facts
    return _with_pillow(data, image_format(data), max_pixels)


def _too_large(width: int, height: int, max_pixels: int) -> str:
    if width * height <= max_pixels:
        return ""
    return (
        f"the header says {width:,}×{height:,} = {width * height:,} pixels, above the limit of {max_pixels:,}:"
        " a decompression bomb, or raise max-pixels"
    )


def _for_opencv(header: ImageHeader) -> bool:
    if not header.complete:
        return False
    if header.format == "jpeg":
        return header.bits == 8 and header.channels in (1, 3)
    return not header.transparent


def _with_opencv(data: bytes, header: ImageHeader) -> ImageFacts | Decoded | None:
    import cv2

    decoder_messages.take()
    try:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    said = decoder_messages.take()
    if pixels is None or pixels.shape[:2] != (header.height, header.width):
        return None
    if said and (lost := _PIXELS_LOST.search(said)):
        return ImageFacts(
            format=header.format,
            width=header.width,
            height=header.height,
            decode_error=f"part of the picture is lost: {lost[0]}",
        )
    mode, order = _channels(pixels, header)
    return _picture(pixels, order, mode, header.format)


def _channels(pixels: NDArray[Any], header: ImageHeader) -> tuple[str, tuple[int, ...]]:
    """The mode, and the channels of OpenCV's BGR(A) in its order."""
    order: tuple[int, ...]
    if pixels.ndim == 2:
        mode, order = "L", (0,)
    elif header.channels == 2:
        # Gray with alpha comes as BGRA.
        mode, order = "LA", (0, 3)
    elif pixels.shape[2] == 4:
        mode, order = "RGBA", (2, 1, 0, 3)
    else:
        mode, order = "RGB", (2, 1, 0)
    return mode + (";16" if pixels.dtype == np.uint16 else ""), order


def _with_pillow(data: bytes, kind: str | None, max_pixels: int) -> ImageFacts | Decoded:
    from PIL import Image, UnidentifiedImageError

    facts = ImageFacts(format=kind)
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            facts = replace(facts, format=kind or (image.format or "").lower() or None, width=width, height=height)
            if error := _too_large(width, height, max_pixels):
                return replace(facts, decode_error=error)
            image.load()
            pixels, mode = _as_stored(image)
    except UnidentifiedImageError:
        return replace(facts, decode_error=_not_an_image(data, kind))
    except MemoryError:
        return replace(facts, decode_error="there is not enough memory to decode it")
    except Exception as error:  # noqa: BLE001 - Pillow's plugins raise whatever a broken file makes them stumble over
        return replace(facts, decode_error=_broken(error))
    if pixels is None:
        return replace(facts, mode=mode)
    order = tuple(range(1 if pixels.ndim == 2 else pixels.shape[2]))
    return _picture(pixels, order, mode, facts.format)


def _as_stored(image: Image.Image) -> tuple[NDArray[Any] | None, str]:
    """A decoded picture in one of the sample table's modes; None where its numbers fit none of them."""
    mode = image.mode
    if mode == "F":
        return None, mode
    if mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            return None, mode
        return np.ascontiguousarray(values, dtype=np.uint16), "L;16"
    if mode in ("P", "PA"):
        wanted = "RGBA" if mode == "PA" or "transparency" in image.info else "RGB"
    else:
        wanted = {"1": "L", "L": "L", "La": "LA", "LA": "LA", "RGBA": "RGBA", "RGBa": "RGBA"}.get(mode, "RGB")
    converted = image if mode == wanted else image.convert(wanted)
    return np.ascontiguousarray(np.asarray(converted)), wanted


def _picture(pixels: NDArray[Any], order: tuple[int, ...], mode: str, kind: str | None) -> Decoded:
    return Decoded(kind, pixels.shape[1], pixels.shape[0], mode, reduced(pixels, order))


def _not_an_image(data: bytes, kind: str | None) -> str:
    if not data:
        return "the file is empty"
    if kind is not None:
        return f"it begins as a {kind.upper()} file does, and is none"
    if data.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer: the file itself has not been fetched"
    head = data[:512]
    if not head.strip(b"\x00"):
        return "not an image: it begins with zeros"
    try:
        head.decode("utf-8")
    except UnicodeDecodeError:
        return "not an image in any known format"
    words = "HTML" if head.lstrip()[:5].lower() in (b"<!doc", b"<html") else "text"
    return f"not an image: the file holds {words}"


def _broken(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    if "truncated" in text.lower() or isinstance(error, EOFError | struct.error):
        return f"the image is truncated: {text}"
    return f"the image is broken: {text}"

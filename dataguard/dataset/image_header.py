"""What a JPEG's or PNG's structure says, read before anything is decoded."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
)
"""The first bytes of image files; WebP and AVIF are told by `image_format`."""

_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# SOF markers; C4, C8 and CC in that range are Huffman tables, reserved, and arithmetic conditioning.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageHeader:
    """What decides how a JPEG or PNG is decoded."""

    format: str
    width: int
    height: int
    channels: int
    """As stored: 1 for a palette."""
    bits: int
    """Of one channel, or of a palette index."""
    transparent: bool = False
    """Whether a PNG has a tRNS chunk."""
    complete: bool = True
    """Whether the file ends as its format wants: EOI for JPEG, IEND for PNG."""
    damage: str = ""
    """What is broken, in words, where that is certain."""


def image_format(data: bytes | memoryview) -> str | None:
    """The format by the first bytes; None where they are those of no image.

    >>> image_format(b"GIF89a..."), image_format(b"hello")
    ('gif', None)
    """
    head = bytes(data[:16])
    for signature, name in SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "avif"
    return None


def has_image_signature(path: str) -> bool:
    """Whether a file begins as an image does; False where it cannot be read."""
    try:
        # A named pipe would block for ever without O_NONBLOCK.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = image_format(os.read(descriptor, 16))
        finally:
            os.close(descriptor)
    except OSError:
        return False
    # Two letters say too little without a suffix to go with them.
    return found is not None and found != "bmp"


def read_header(data: bytes) -> ImageHeader | None:
    """The header of a JPEG or a PNG; None for another format, or where it cannot be read."""
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(data)
    except (struct.error, IndexError):
        return None
    return None


def _jpeg(data: bytes) -> ImageHeader | None:
    # ITU T.81, B.1.1 and B.2.2: segments of a marker and a length, up to the frame header.
    position = 2
    while True:
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _JPEG_FRAMES:
            bits, height, width, channels = struct.unpack_from(">BHHB", data, position + 4)
            return ImageHeader(
                format="jpeg",
                width=width,
                height=height,
                channels=channels,
                bits=bits,
                complete=data.endswith(b"\xff\xd9"),
            )
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            position += 2
            continue
        if marker in (0xD9, 0xDA):
            return None
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]


def _png(data: bytes) -> ImageHeader:
    width, height, bits, color = struct.unpack_from(">IIBB", data, 16)
    damage, transparent, complete = "", False, False
    view = memoryview(data)
    position, end = 8, len(data)
    while position + 12 <= end:
        (length,) = struct.unpack_from(">I", data, position)
        stop = position + 8 + length
        if stop + 4 > end:
            break
        kind = data[position + 4 : position + 8]
        if zlib.crc32(view[position + 4 : stop]) != struct.unpack_from(">I", data, stop)[0]:
            name = kind.decode("ascii", "backslashreplace")
            damage = f"the {name} chunk at byte {position:,} of the PNG fails its checksum"
            break
        if kind == b"tRNS":
            transparent = True
        if kind == b"IEND":
            complete = True
            break
        position = stop + 4
    return ImageHeader(
        format="png",
        width=width,
        height=height,
        channels=_PNG_CHANNELS.get(color, 0),
        bits=bits,
        transparent=transparent,
        complete=complete,
        damage=damage,
    )

"""File names as text: any name that the file system allows, in valid UTF-8, reversibly."""

from __future__ import annotations

import os
import re

_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")


def encode_path(name: str) -> str:
    r"""A file name as the operating system gave it, in valid UTF-8.

    A byte that is not UTF-8 becomes ``\xNN``. So does a backslash, which makes it reversible.

    >>> encode_path("caf\udce9.png")
    'caf\\xe9.png'
    >>> encode_path("a/ü.png")
    'a/ü.png'
    """
    if name.isascii() and "\\" not in name:
        return name
    return "".join(
        f"\\x{ord(char) & 0xFF:02x}" if char == "\\" or "\udc80" <= char <= "\udcff" else char for char in name
    )


def decode_path(text: str) -> str:
    r"""What `encode_path` was given: the name to open the file by.

    >>> decode_path(encode_path("caf\udce9\\.png")) == "caf\udce9\\.png"
    True
    """
    if "\\" not in text:
        return text
    pieces = _ESCAPE.split(text)
    return "".join(os.fsdecode(bytes([int(piece, 16)])) if index % 2 else piece for index, piece in enumerate(pieces))

"""What the C libraries under OpenCV would print on stderr, caught in the thread that decodes.

libjpeg fills what it cannot decode with gray and says so in one line on stderr and nowhere else. OpenCV hands neither
the line nor a flag on. So for as long as images are decoded, the C library's ``stderr`` (the stream, not the file
descriptor that Python and everyone else writes to) is one whose writes call back here, in the thread whose decoder
wrote them. Where the C library is not glibc nothing is caught, and the lines go where they always did.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_UNBUFFERED = 2  # _IONBF of stdio.h
_Write = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class _Functions(ctypes.Structure):
    """cookie_io_functions_t of fopencookie(3)."""

    _fields_ = (("read", ctypes.c_void_p), ("write", _Write), ("seek", ctypes.c_void_p), ("close", ctypes.c_void_p))


_caught = threading.local()


def _keep(_cookie: int | None, text: int, length: int) -> int:
    _caught.text = getattr(_caught, "text", b"") + ctypes.string_at(text, length)
    return length


# Referenced for as long as the module lives: the stream is made once and never closed.
_KEEP = _Write(_keep)


def take() -> str:
    """What this thread's decoders have said since the last call."""
    text: bytes = getattr(_caught, "text", b"")
    if not text:
        return ""
    _caught.text = b""
    return text.decode("utf-8", "replace")


@contextmanager
def caught() -> Iterator[None]:
    """Catch the messages of all threads. Not to be nested: `dataguard.dataset.decode.decoding` sees to that."""
    before = _swap(_stream())
    try:
        yield
    finally:
        _swap(before)


@cache
def _stream() -> int | None:
    """The C library's handle of a stream that calls `_keep`; None where it has no such streams. Never closed."""
    library: Any = ctypes.CDLL(None)
    try:
        fopencookie, setvbuf = library.fopencookie, library.setvbuf
    except AttributeError:
        return None
    fopencookie.restype = ctypes.c_void_p
    fopencookie.argtypes = (ctypes.c_void_p, ctypes.c_char_p, _Functions)
    setvbuf.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    stream: int | None = fopencookie(None, b"w", _Functions(None, _KEEP, None, None))
    if stream:
        setvbuf(stream, None, _UNBUFFERED, 0)
    return stream


def _swap(stream: int | None) -> int | None:
    """Make `stream` the C library's stderr; returns the one before."""
    if not stream:
        return None
    variable = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stderr")
    before = variable.value
    variable.value = stream
    return before

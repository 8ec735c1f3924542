"""Reading one file of a dataset, with every obstacle in plain words."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from dataguard.dataset.cache import Stamp

_WORDS = {
    errno.ENOENT: "there is no such file",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EISDIR: "a folder, not a file",
    errno.ELOOP: "the link leads in a circle",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EIO: "the disk cannot read it",
    errno.ENXIO: "not a regular file",
}


class UnreadableFileError(Exception):
    """A file's bytes cannot be had; the message says why."""


def stamp_of(path: str) -> Stamp | None:
    """The stat of a regular file; None where there is none, or it may not be looked at."""
    try:
        info = os.stat(path)  # noqa: PTH116 - for every file, and pathlib would be ten times slower
    except (OSError, ValueError):
        return None
    return Stamp.of(info) if stat.S_ISREG(info.st_mode) else None


def read_file(path: str, *, max_bytes: int) -> tuple[bytes, Stamp]:
    """A file's bytes, and its stat from before they were read.

    Raises:
        UnreadableFileError: it is missing, forbidden, no regular file, or larger than `max_bytes`.
    """
    try:
        # A named pipe would block for ever without O_NONBLOCK.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                raise UnreadableFileError(
                    "a folder, not a file" if stat.S_ISDIR(info.st_mode) else "not a regular file"
                )
            if info.st_size > max_bytes:
                raise UnreadableFileError(f"{info.st_size:,} bytes, more than any picture within the pixel limit has")
            stamp = Stamp.of(info)
            return _read(descriptor, info.st_size), stamp
        finally:
            os.close(descriptor)
    except OSError as error:
        words = _WORDS.get(error.errno or 0) or error.strerror or str(error)
        if error.errno == errno.ENOENT and Path(path).is_symlink():
            words = "the link points to nothing"
        raise UnreadableFileError(words) from error
    except ValueError as error:
        raise UnreadableFileError(f"no file can have this name: {error}") from error


def _read(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size + 1)
    if len(data) == size:
        return data
    # It grew, shrank, or is larger than one read returns.
    pieces = [data]
    while piece := os.read(descriptor, 1 << 24):
        pieces.append(piece)
    return b"".join(pieces)

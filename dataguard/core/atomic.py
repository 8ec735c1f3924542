"""Writing a file so that there is always either the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from dataguard.core.errors import OutputError

_HINTS = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "your quota is used up: free some space, or write to another disk",
    errno.EFBIG: "the file is larger than this system or its limits (ulimit -f) allow",
    errno.ENOENT: "create the folder first",
    errno.ENOTDIR: "part of the path is a file, not a folder",
    errno.EISDIR: "name a file, not a folder",
    errno.EACCES: "you may not write there: choose another place",
    errno.EPERM: "you may not write there: choose another place",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def write_atomically(path: str | Path, content: str | bytes) -> None:
    """Write a file under a temporary name in the same folder and rename it over `path`.

    A reader sees the old content or the new, never part of one; a failure leaves what was there untouched and no
    temporary file behind. A symbolic link keeps pointing where it did, and an existing file keeps its permissions.
    Devices and pipes, as ``/dev/stdout``, are written to directly, since renaming would replace them.

    Args:
        path: The file to write.
        content: Bytes, or text, which is written as UTF-8; a lone surrogate becomes an escape.

    Raises:
        OutputError: it could not be written: full disk, no permission, missing folder.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        target = Path(os.path.realpath(path))
        mode = _mode(target)
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if mode is not None and not stat.S_ISREG(mode):
            with target.open("wb", buffering=0) as device:
                _write_all(device.fileno(), data)
            return
        _replace(target, data, mode)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        hint = _HINTS.get(error.errno or 0)
        raise OutputError(f"cannot be written: {reason}", where=Path(path).absolute(), hint=hint) from error


def _mode(target: Path) -> int | None:
    try:
        return target.stat().st_mode
    except FileNotFoundError:
        return None


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    temporary = target.parent / f".dataguard-{secrets.token_hex(8)}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            if mode is not None:
                os.fchmod(descriptor, stat.S_IMODE(mode))
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(target)
    except BaseException:
        # Ctrl-C too: nobody would ever clean the temporary file up.
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    # So that the rename survives a power cut; some file systems cannot sync a folder, and the file is there anyway.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

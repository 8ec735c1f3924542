"""The members of a tar file, as far as they can be read, and their bytes. Nothing is extracted to a path."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import tempfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from dataguard.dataset.files import UnreadableFileError
from dataguard.dataset.sources import Picture

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MOST_UNPACKED = 1 << 36
"""Bytes of an unpacked shard that are taken: 64 GiB."""
_OPEN_AT_A_TIME = 16
_BLOCK = 512
_COPIED = 1 << 16


class Member(NamedTuple):
    """A file in a tar."""

    name: str
    offset: int
    """Of its bytes, in the unpacked tar."""
    size: int


class DamagedTarError(Exception):
    """The rest of a tar cannot be read; the message says why."""


def is_tar(name: str) -> bool:
    """Whether a name is that of a tar file, packed or not."""
    return name.lower().endswith(SUFFIXES)


def open_shard(path: Path) -> IO[bytes]:
    """A tar file's bytes, unpacked; a packed one in a file without a name.

    Raises:
        DamagedTarError: it is not there, or cannot be unpacked.
    """
    try:
        if not path.is_file():
            raise DamagedTarError("not a regular file" if path.exists() else "there is no such shard")
        return path.open("rb") if path.name.lower().endswith(".tar") else _unpacked(path)
    except OSError as error:
        raise DamagedTarError(error.strerror or str(error)) from error


def _unpacked(path: Path) -> IO[bytes]:
    name = path.name.lower()
    opener: Any = bz2.open if name.endswith("bz2") else lzma.open if name.endswith("xz") else gzip.open
    target = tempfile.TemporaryFile(prefix="dataguard-shard-")  # noqa: SIM115 - whoever asks for it closes it
    try:
        with opener(path, "rb") as packed:
            while piece := packed.read1(_COPIED):
                target.write(piece)
                if target.tell() > MOST_UNPACKED:
                    raise DamagedTarError(f"more than {MOST_UNPACKED >> 30} GiB unpacked")
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        # What came before the damage is listed; the tar's own end is then found to be missing.
        if not target.tell():
            target.close()
            raise DamagedTarError(f"it cannot be unpacked: {error}") from error
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return target


def members(file: IO[bytes]) -> Iterator[Member]:
    """The regular files of a tar, in its order.

    Raises:
        DamagedTarError: after the last one that is whole, where the tar does not end as it should.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if not size:
        raise DamagedTarError("the shard is empty")
    try:
        # Closing the tar object leaves the file alone.
        archive = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise DamagedTarError(f"not a tar file: {error}") from error
    while True:
        try:
            entry = archive.next()
        except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
            raise DamagedTarError(f"the shard is truncated or broken at byte {archive.offset:,}: {error}") from error
        if entry is None:
            break
        # Else the archive remembers every member that it has seen.
        archive.members = []  # type: ignore[attr-defined]
        if entry.isreg() and entry.sparse is None:
            if entry.offset_data + entry.size > size:
                raise DamagedTarError(
                    f"the shard is truncated: {entry.name!r} would end at byte {entry.offset_data + entry.size:,}, and"
                    f" the shard has {size:,}"
                )
            yield Member(entry.name, entry.offset_data, entry.size)
    file.seek(archive.offset)
    mark = file.read(_BLOCK)
    if len(mark) < _BLOCK:
        raise DamagedTarError("the shard is truncated: its end mark is missing")
    if mark.strip(b"\0"):
        raise DamagedTarError(f"the header at byte {archive.offset:,} is broken; what follows is lost")


@dataclass(eq=False)
class TarPictures:
    """Reads members of shards.

    Attributes:
        shards: The tar files; a place names one by its number.
    """

    shards: tuple[Path, ...]
    _open: OrderedDict[int, IO[bytes]] = field(default_factory=OrderedDict)
    _lock: Any = field(default_factory=threading.Lock)

    def __getstate__(self) -> dict[str, Any]:
        return {"shards": self.shards}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __del__(self) -> None:
        for file in self._open.values():
            file.close()

    def read(self, place: str, *, max_bytes: int) -> Picture:
        """The member at ``shard offset size``.

        Raises:
            UnreadableFileError: it cannot be had, or is larger than `max_bytes`.
        """
        number, offset, size = map(int, place.split())
        if size > max_bytes:
            raise UnreadableFileError(f"{size:,} bytes, more than any picture within the pixel limit has")
        try:
            with self._lock:
                # A number of its own, so that nobody else's eviction closes it while it is read.
                descriptor = os.dup(self._shard(number).fileno())
            try:
                data = os.pread(descriptor, size, offset)
                while len(data) < size and (more := os.pread(descriptor, size - len(data), offset + len(data))):
                    data += more
            finally:
                os.close(descriptor)
        except (DamagedTarError, OSError) as error:
            raise UnreadableFileError(str(error)) from error
        if len(data) < size:
            raise UnreadableFileError("the shard is shorter than it was")
        return Picture(data=data)

    def _shard(self, number: int) -> IO[bytes]:
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        found = open_shard(self.shards[number])
        self._open[number] = found
        while len(self._open) > _OPEN_AT_A_TIME:
            _, oldest = self._open.popitem(last=False)
            oldest.close()
        return found

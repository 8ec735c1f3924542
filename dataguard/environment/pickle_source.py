"""Bytes of files that may be pickles or archives of them, read where they are asked for and not beyond."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MOST_LINE = 16 * 1024 * 1024
"""Bytes of one line."""
BUFFER = 64 * 1024
"""Bytes that are read at a time."""


class EndOfPickleError(Exception):
    """It cannot be read on: malformed, truncated, or a limit is reached."""

    def __init__(self, reason: str, *, limit: bool = False) -> None:
        super().__init__(reason)
        self.limit = limit


class ByteWindow:
    """A window of a file, or bytes, read in order."""

    def __init__(self, read_at: Callable[[int, int], bytes], start: int, end: int) -> None:
        self._read_at = read_at
        self._buffer = b""
        self._buffer_at = start
        self.start = start
        self.at = start
        self.end = end

    def take(self, n: int) -> bytes:
        """The next `n` bytes."""
        if n < 0 or self.at + n > self.end:
            raise EndOfPickleError("truncated")
        data = self.peek(n)
        if len(data) < n:
            raise EndOfPickleError("truncated")
        self.at += n
        return data

    def peek(self, n: int) -> bytes:
        """The next `n` bytes or what there is of them."""
        offset = self.at - self._buffer_at
        if offset < 0 or offset + n > len(self._buffer):
            length = min(max(n, BUFFER), self.end - self.at)
            self._buffer, self._buffer_at, offset = self._read_at(self.at, max(length, 0)), self.at, 0
        return self._buffer[offset : offset + n]

    def line(self) -> bytes:
        """What stands before the next newline."""
        size = 256
        while True:
            data = self.peek(size)
            at = data.find(b"\n")
            if at >= 0:
                self.at += at + 1
                return data[:at]
            if len(data) < size or size > MOST_LINE:
                raise EndOfPickleError("a line without an end")
            size *= 4

    def skip(self, n: int) -> None:
        """Go on without reading."""
        if n < 0 or self.at + n > self.end:
            raise EndOfPickleError("truncated")
        self.at += n

    def window(self, start: int, end: int) -> ByteWindow:
        """Another view of the same file."""
        return ByteWindow(self._read_at, start, min(end, self.end))


def in_memory(data: bytes) -> ByteWindow:
    """Bytes that are at hand already."""
    return ByteWindow(lambda at, n: data[at : at + n], 0, len(data))


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One entry of an archive's central directory."""

    name: str
    method: int
    stored: int
    offset: int


def central_directory(source: ByteWindow) -> tuple[int, int, int] | None:
    """Offset and size of the central directory, and what all offsets are short by; None where there is none."""
    length = min(source.end - source.start, 22 + 65535)
    tail = source.window(source.end - length, source.end)
    data = tail.peek(length)
    at = data.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > len(data):
        return None
    size, offset = struct.unpack_from("<2I", data, at + 12)
    record_at = source.end - length + at
    ends = record_at
    # torch writes the larger form of the record whether or not it is needed.
    locator = source.window(max(record_at - 20, 0), record_at).peek(20)
    if len(locator) == 20 and locator.startswith(b"PK\x06\x07"):
        # Where it says, counted from the file's or the archive's beginning, or right in front.
        (said,) = struct.unpack_from("<Q", locator, 8)
        for where in (said, source.start + said, record_at - 76):
            record = source.window(where, where + 56).peek(56) if source.start <= where < source.end else b""
            if len(record) == 56 and record.startswith(b"PK\x06\x06"):
                size, offset = struct.unpack_from("<2Q", record, 40)
                ends = where
                break
    # An archive behind other bytes counts its offsets from its own beginning.
    shift = ends - size - offset
    return (offset + shift, size, shift) if shift >= 0 and size else None


def members(source: ByteWindow) -> Iterator[Member]:
    """The entries of an archive's central directory, as far as it can be read."""
    place = central_directory(source)
    if place is None:
        return
    offset, size, shift = place
    directory = source.window(offset, offset + size)
    while directory.at + 46 <= directory.end:
        try:
            entry = directory.take(46)
            if entry[:4] != b"PK\x01\x02":
                return
            method = struct.unpack_from("<H", entry, 10)[0]
            stored, plain = struct.unpack_from("<2I", entry, 20)
            name_size, extra_size, comment_size = struct.unpack_from("<3H", entry, 28)
            (at,) = struct.unpack_from("<I", entry, 42)
            name = directory.take(name_size).decode("utf-8", "replace")
            extra = directory.take(extra_size)
            directory.skip(comment_size)
        except EndOfPickleError:
            return
        stored, at = _of_zip64(extra, plain, stored, at)
        yield Member(name=name, method=method, stored=stored, offset=at + shift)


def _of_zip64(extra: bytes, plain: int, stored: int, at: int) -> tuple[int, int]:
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind == 1:
            values = [value for (value,) in struct.iter_unpack("<Q", extra[place + 4 : place + 4 + length // 8 * 8])]
            if plain == 0xFFFFFFFF and values:
                values.pop(0)
            if stored == 0xFFFFFFFF and values:
                stored = values.pop(0)
            if at == 0xFFFFFFFF and values:
                at = values.pop(0)
        place += 4 + length
    return stored, at

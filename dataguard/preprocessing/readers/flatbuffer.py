"""FlatBuffers, as far as a reader of a few fields needs them: tables, vectors, texts, with every offset checked.

Source: flatbuffers.dev, "FlatBuffers internals".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dataguard.preprocessing.errors import DeclarationError

MOST = 100_000
"""More elements than any vector has that is read here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table: a place in the bytes."""

    data: bytes
    at: int

    @classmethod
    def root(cls, data: bytes) -> Table:
        """The table that the first offset points at.

        Raises:
            DeclarationError: the offset points outside.
        """
        return cls(data=data, at=_unsigned(data, 0))

    def _field(self, index: int) -> int | None:
        table = self.at - _signed(self.data, self.at)
        size = _short(self.data, table)
        place = 4 + 2 * index
        if place + 2 > size:
            return None
        offset = _short(self.data, table + place)
        return self.at + offset if offset else None

    def table(self, index: int) -> Table | None:
        """A field that is a table."""
        at = self._field(index)
        return None if at is None else Table(data=self.data, at=at + _unsigned(self.data, at))

    def _vector(self, index: int) -> tuple[int, int]:
        at = self._field(index)
        if at is None:
            return 0, 0
        start = at + _unsigned(self.data, at)
        count = _unsigned(self.data, start)
        return start + 4, count

    def tables(self, index: int) -> list[Table]:
        """A field that is a vector of tables."""
        start, count = self._vector(index)
        places = range(start, start + 4 * min(count, MOST), 4)
        return [Table(data=self.data, at=at + _unsigned(self.data, at)) for at in places]

    def numbers(self, index: int, form: str) -> tuple[float, ...]:
        """A field that is a vector of numbers; `form` as of `struct`: 'f', 'i', 'q'."""
        start, count = self._vector(index)
        width = struct.calcsize(form) * min(count, MOST)
        content = self.data[start : start + width]
        if len(content) != width:
            raise _broken(start)
        return struct.unpack(f"<{min(count, MOST)}{form}", content)

    def content(self, index: int) -> bytes:
        """A field that is a vector of bytes, or a text."""
        start, count = self._vector(index)
        if start + count > len(self.data):
            raise _broken(start)
        return self.data[start : start + count]

    def byte(self, index: int, default: int = 0) -> int:
        """A field of one byte."""
        at = self._field(index)
        if at is None:
            return default
        if not 0 <= at < len(self.data):
            raise _broken(at)
        return self.data[at]

    def unsigned(self, index: int, default: int = 0) -> int:
        """A field of four bytes."""
        at = self._field(index)
        return default if at is None else _unsigned(self.data, at)


def _take(data: bytes, at: int, form: str) -> int:
    try:
        if at < 0:
            raise _broken(at)
        found: int = struct.unpack_from(form, data, at)[0]
    except struct.error as error:
        raise _broken(at) from error
    return found


def _unsigned(data: bytes, at: int) -> int:
    return _take(data, at, "<I")


def _signed(data: bytes, at: int) -> int:
    return _take(data, at, "<i")


def _short(data: bytes, at: int) -> int:
    return _take(data, at, "<H")


def _broken(at: int) -> DeclarationError:
    return DeclarationError(f"not a FlatBuffer: it breaks at byte {at}")

"""The wire format of Protocol Buffers, as far as a reader of a few fields needs it.

Every length is checked against its message, and every loop goes forward: hostile bytes end in an error, not in a hang.
Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from dataguard.preprocessing.errors import DeclarationError

MOST_FIELDS = 2_000_000


class Bytes(Protocol):
    """Bytes, or a file that is mapped into memory."""

    def __getitem__(self, key: slice, /) -> bytes: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message: a range of a file's bytes."""

    data: Bytes
    start: int
    end: int

    def fields(self) -> Iterator[tuple[int, int | Message]]:
        """Number and value of every field: an integer, or a range of bytes.

        Raises:
            DeclarationError: the bytes are no message.
        """
        at = self.start
        for _ in range(MOST_FIELDS):
            if at == self.end:
                return
            key, at = _varint(self.data, at, self.end)
            number, kind = key >> 3, key & 7
            if number == 0:
                raise _broken(at)
            if kind == 0:
                value, at = _varint(self.data, at, self.end)
                yield number, value
            elif kind in (1, 5):
                width = 8 if kind == 1 else 4
                if at + width > self.end:
                    raise _broken(at)
                yield number, Message(data=self.data, start=at, end=at + width)
                at += width
            elif kind == 2:
                length, at = _varint(self.data, at, self.end)
                if at + length > self.end:
                    raise _broken(at)
                yield number, Message(data=self.data, start=at, end=at + length)
                at += length
            else:
                raise _broken(at)
        raise DeclarationError(f"more than {MOST_FIELDS} fields in one message")

    def messages(self, wanted: int) -> Iterator[Message]:
        """The ranges of one number."""
        for number, value in self.fields():
            if number == wanted and isinstance(value, Message):
                yield value

    def integers(self, wanted: int) -> list[int]:
        """The integers of one number, packed or not; signed in 64 bits."""
        found: list[int] = []
        for number, value in self.fields():
            if number != wanted:
                continue
            if isinstance(value, int):
                found.append(_signed(value))
                continue
            at = value.start
            while at < value.end:
                one, at = _varint(self.data, at, value.end)
                found.append(_signed(one))
        return found

    def floats(self, wanted: int) -> list[float]:
        """The 32-bit floats of one number, packed or not."""
        found: list[float] = []
        for value in self.messages(wanted):
            content = value.content()
            found += struct.unpack(f"<{len(content) // 4}f", content[: len(content) // 4 * 4])
        return found

    def integer(self, wanted: int, default: int = 0) -> int:
        """The last integer of one number."""
        found = self.integers(wanted)
        return found[-1] if found else default

    def text(self, wanted: int) -> str:
        """The last text of one number."""
        found = ""
        for value in self.messages(wanted):
            found = value.content(100_000).decode("utf-8", errors="replace")
        return found

    def texts(self, wanted: int) -> list[str]:
        """Every text of one number."""
        return [value.content(100_000).decode("utf-8", errors="replace") for value in self.messages(wanted)]

    def content(self, most: int = 1 << 20) -> bytes:
        """The bytes themselves, at most so many."""
        return self.data[self.start : min(self.end, self.start + most)]


def _varint(data: Bytes, at: int, end: int) -> tuple[int, int]:
    content = data[at : min(end, at + 10)]
    value = 0
    for index, byte in enumerate(content):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at + index + 1
    raise _broken(at)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _broken(at: int) -> DeclarationError:
    return DeclarationError(f"not a message of Protocol Buffers: it breaks at byte {at}")

"""The lists in an object of a JSON file, an item at a time: annotations of a million objects are 500 MB as text."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

_BLOCK = 1 << 20
_BLANK = re.compile(r"[ \t\n\r]*")
_AT_THE_END = 16
"""So near to the end of what has been read a mistake may be one of cutting: no word or escape is longer."""


def read_lists(file: Path, takers: Mapping[str, Callable[[Any], None]]) -> frozenset[str]:
    """Hand each item of some lists to whoever takes it, and let go of it.

    Args:
        file: Holds an object of JSON, in UTF-8, 16 or 32.
        takers: What takes the items, by the key of the list. Other members of the object are read, and dropped.

    Returns:
        The keys of `takers` under which there is a list.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no JSON, or cut short; it says where. There is no object, or one key twice.
        RecursionError: values are nested too deeply.
    """
    with file.open("rb") as stream:
        text = _Text(stream)
        found: set[str] = set()
        text.expect("{")
        more = text.peek() != "}"
        while more:
            if text.peek() != '"':
                text.fail("a key is expected")
            key = text.value()
            text.expect(":")
            taker = takers.get(key)
            if key in found:
                text.fail(f"the key {key!r} is there twice")
            if taker is None or text.peek() != "[":
                text.value()
            else:
                found.add(key)
                text.items(taker)
            more = text.goes_on("}")
        text.expect("}")
        if text.peek():
            text.fail("there is more behind the object")
    return frozenset(found)


class _Text:
    """The text of a file, of which a part is in memory."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        head = stream.peek(4)[:4] if hasattr(stream, "peek") else b""
        self._decoder = codecs.getincrementaldecoder(json.detect_encoding(head))("surrogatepass")
        self._decode = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._before = 0
        self._ended = False

    def peek(self) -> str:
        """The next character that is not blank; '' at the end."""
        while True:
            match = _BLANK.match(self._text, self._at)
            self._at = self._at if match is None else match.end()
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._read_on()

    def expect(self, char: str) -> None:
        """Go behind a character."""
        if self.peek() != char:
            self.fail(f"{char!r} is expected")
        self._at += 1

    def goes_on(self, end: str) -> bool:
        """Whether a comma comes next, which is passed, and not the end."""
        if self.peek() == end:
            return False
        self.expect(",")
        return True

    def items(self, taker: Callable[[Any], None]) -> None:
        """Hand over the items of the list that comes next."""
        self.expect("[")
        more = self.peek() != "]"
        while more:
            taker(self.value())
            more = self.goes_on("]")
        self.expect("]")

    def value(self) -> Any:
        """The value that comes next."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _AT_THE_END
                if self._ended or not cut:
                    self.fail(error.msg, error.pos)
            else:
                # A number may go on in what has not been read, as 1 in 1e+5.
                if end + 2 < len(self._text) or self._ended:
                    self._at = end
                    return value
            self._read_on()

    def fail(self, what: str, at: int | None = None) -> None:
        """Say what is wrong, and where.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"{what}, at character {self._before + (self._at if at is None else at) + 1:,}")

    def _read_on(self) -> None:
        # As much again as there is: a long value is not gone through time and again.
        data = self._stream.read(max(_BLOCK, len(self._text) - self._at))
        self._ended = not data
        self._before += self._at
        self._text = self._text[self._at :] + self._decoder.decode(data, final=self._ended)
        self._at = 0

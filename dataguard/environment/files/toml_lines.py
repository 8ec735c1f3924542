"""TOML with the line of every key and element, which the standard library's parser does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, TypeAlias

Key: TypeAlias = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_PLAIN = re.compile(r"[^,\]}\s#]+(?:[ ][0-9:.+Zz-]+)?")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL),
    re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def parse_toml(text: str) -> tuple[dict[str, Any], Mapping[Key, int]]:
    r"""The values, and the line of each by its keys and indexes.

    >>> data, lines = parse_toml('[project]\ndependencies = [\n  "torch",\n  "numpy>=2",\n]\n')
    >>> data["project"]["dependencies"][1], lines["project", "dependencies", 1]
    ('numpy>=2', 4)

    Raises:
        tomllib.TOMLDecodeError: it is no TOML.
    """
    text = text.removeprefix("\ufeff")
    try:
        data = tomllib.loads(text)
    except RecursionError as error:
        raise tomllib.TOMLDecodeError("nested too deeply") from error
    return data, _Scanner(text).lines


class _Scanner:
    """Goes through a text that is known to be valid."""

    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.line = 1
        self.counted = 0
        self.lines: dict[Key, int] = {}
        self._document()

    def _here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()

    def _document(self) -> None:
        table: Key = ()
        counts: dict[Key, int] = {}
        while True:
            self._skip(_SPACE)
            if self.at >= len(self.text):
                return
            start = self._here()
            if self.text.startswith("[[", self.at):
                self.at += 2
                plain = self._resolved(self._key(), counts)
                self.at += 2
                counts[plain] = counts.get(plain, -1) + 1
                table = (*plain, counts[plain])
                self.lines[table] = start
            elif self.text[self.at] == "[":
                self.at += 1
                table = self._resolved(self._key(), counts)
                self.at += 1
                self.lines.setdefault(table, start)
            else:
                self._pair(table)

    def _resolved(self, key: Key, counts: Mapping[Key, int]) -> Key:
        """A header's key with the indexes of the arrays of tables that it goes through."""
        found: Key = ()
        for part in key[:-1]:
            found = (*found, part)
            if found in counts:
                found = (*found, counts[found])
        return (*found, *key[-1:])

    def _pair(self, table: Key) -> None:
        start = self._here()
        key = (*table, *self._key())
        for length in range(len(table) + 1, len(key) + 1):
            self.lines.setdefault(key[:length], start)
        self._skip(_BLANK)
        self.at += 1  # =
        self._skip(_BLANK)
        self._value(key)

    def _key(self) -> Key:
        parts: list[str | int] = []
        while True:
            self._skip(_BLANK)
            bare = _BARE.match(self.text, self.at)
            if bare is not None:
                parts.append(bare[0])
                self.at = bare.end()
            else:
                start = self.at
                self._string()
                quoted = self.text[start : self.at]
                parts.append(str(tomllib.loads(f"x = {quoted}")["x"]))
            self._skip(_BLANK)
            if self.at < len(self.text) and self.text[self.at] == ".":
                self.at += 1
                continue
            return tuple(parts)

    def _string(self) -> None:
        for pattern in _STRINGS:
            match = pattern.match(self.text, self.at)
            if match is not None:
                self.at = match.end()
                return
        self.at += 1

    def _value(self, key: Key) -> None:
        character = self.text[self.at]
        if character in "\"'":
            self._string()
        elif character == "[":
            self.at += 1
            index = 0
            while True:
                self._skip(_SPACE)
                if self.text[self.at] == "]":
                    break
                if self.text[self.at] == ",":
                    self.at += 1
                    continue
                self.lines[*key, index] = self._here()
                self._value((*key, index))
                index += 1
            self.at += 1
        elif character == "{":
            self.at += 1
            while True:
                self._skip(_SPACE)
                if self.text[self.at] == "}":
                    break
                if self.text[self.at] == ",":
                    self.at += 1
                    continue
                self._pair(key)
            self.at += 1
        else:
            self._skip(_PLAIN)

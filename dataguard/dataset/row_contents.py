"""What the content of a row is, by its columns: the bytes whose SHA-256 it is, told in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

HEAD_BYTES = 16
"""Of the hash of the columns' names."""


class Kind(StrEnum):
    """How a value is written; the letters are those of `row_hashes.c`."""

    WHOLE = "n"
    """A whole number of 64 bits with sign: its digits, and ';'."""
    TRUTH = "b"
    """'true;' or 'false;'."""
    FRACTION = "d"
    """'d' and the eight bytes of a number in double precision, the highest first; nothing ends it."""
    TEXT = "s"
    """Its length in bytes, ':', itself and ';'."""
    TIME = "t"
    """'t', the digits of a number of microseconds since 1970, and ';'."""
    WRITTEN = "w"
    """A short text that begins with what its type is, and ends where that says; and ';'."""
    OTHER = "o"
    """The same of a text that may be long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowContents:
    """The columns that the content of a row is made of.

    The content is SHA-256 of `head` and of all values, as `Kind` writes them, one after the other; of one that is NULL
    there is ';' alone. `sql` is the law, and `row_hashes.c` finds the same bits where it was compiled.
    """

    head: bytes
    """`HEAD_BYTES` bytes that begin every content."""
    values: tuple[tuple[Kind, str], ...]
    """Of each column the kind, and SQL for the value: BIGINT (also of a time), BOOLEAN, DOUBLE or VARCHAR."""

    @property
    def sql(self) -> str:
        """SQL for the content of a row, as 64 hexadecimal digits."""
        head = "".join(f"\\x{byte:02X}" for byte in self.head)
        parts, texts = [f"'{head}'::BLOB"], list[str]()
        for kind, value in self.values:
            if kind is not Kind.FRACTION:
                texts += [_text(kind, value), "';'"]
                continue
            parts += _joined(texts)
            texts = []
            # NaN is written as one that has no sign, and -0.0 as 0.0.
            number = f"CASE WHEN isnan({value}) THEN 'nan'::DOUBLE ELSE {value} + 0.0::DOUBLE END"
            parts.append(f"coalesce('d'::BLOB || CAST(CAST({number} AS BIT) AS BLOB), ';'::BLOB)")
        return f"sha256({' || '.join((*parts, *_joined(texts)))})"


def _text(kind: Kind, value: str) -> str:
    """SQL for a value as an argument of concat, to which NULL is nothing."""
    if kind is Kind.TEXT:
        return f"strlen({value}) || ':' || {value}"
    return f"'t' || CAST({value} AS VARCHAR)" if kind is Kind.TIME else f"CAST({value} AS VARCHAR)"


def _joined(texts: Sequence[str]) -> list[str]:
    return [f"encode(concat({', '.join(texts)}))"] if texts else []

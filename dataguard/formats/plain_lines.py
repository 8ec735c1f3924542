"""Text and columns in plain lines, as rich lays them out without colours, in a tenth of the time.

It is for characters of the width of one; whatever else there is, rich has to measure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_NARROW = re.compile(r"[ -~¡-¬®-ÿ–—‘’“”…→−≤≥≈]*")
_WORD = re.compile(r"\s*\S+\s*")


def is_narrow(text: str) -> bool:
    """Whether each character of a text takes one column of a terminal."""
    return _NARROW.fullmatch(text) is not None


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most `width` characters and the spaces behind them; only what is longer is cut.

    >>> wrapped("a long way", 6), wrapped("abcdefgh i", 6)
    (['a long ', 'way'], ['abcdef', 'gh i'])
    """
    if len(text) <= width:
        return [text]
    breaks: list[int] = []
    at = 0
    for match in _WORD.finditer(text):
        start, word = match.start(), match[0]
        length = len(word.rstrip())
        if length <= width - at:
            at += len(word)
        elif length > width:
            cuts = range(start, start + len(word), width)
            breaks += [one for one in cuts if one]
            at = start + len(word) - cuts[-1]
        elif at and start:
            breaks.append(start)
            at = len(word)
    return [text[begin:end] for begin, end in zip([0, *breaks], [*breaks, len(text)], strict=True)]


def columns(rows: Sequence[Sequence[str]], width: int, *, gap: int, right: Sequence[int] = ()) -> list[str] | None:
    """Rows of cells in aligned columns, of which the last one wraps; None where there is too little room for that.

    Args:
        rows: At least one; all of as many cells, two or more.
        width: Of a line.
        gap: Spaces between columns.
        right: Columns that are aligned on the right.

    >>> columns([("a", "one two"), ("b", "three")], 8, gap=1)
    ['a one ', '  two', 'b three']
    """
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    before = sum(widths[:-1]) + gap * (len(widths) - 1)
    room = width - before
    if room < widths[-1] and room <= widths[0] + gap:
        return None
    made: list[str] = []
    for *cells, last in rows:
        first = "".join(
            (cell.rstrip().rjust(size) if index in right else cell.ljust(size)) + " " * gap
            for index, (cell, size) in enumerate(zip(cells, widths, strict=False))
        )
        lines = wrapped(last, max(room, 1))
        if len(widths) - 1 in right:
            lines = [line.rstrip().rjust(min(room, widths[-1])) for line in lines]
        made.append(first + lines[0])
        made += [" " * before + line for line in lines[1:]]
    return made

"""Exhibits about code as lines of text: paths with what differs marked, and lines of files with their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dataguard.core.exhibit import Contrast, Excerpt
from dataguard.core.text import printable

Styled = list[tuple[str, str]]
"""A line as (text, style) pairs."""

MARK = "!"
"""What stands before a cell that differs; a colour alone would not reach a log."""
_GAP = 2
_LEAST = 5
_MARKED_STYLE = "bold yellow"


def contrast_lines(shown: Contrast, width: int) -> Iterator[Styled]:
    """A table with a row for each thing, its cells wrapped so that no line is wider than `width`.

    Lines of a row stand under one another; a cell that differs has `MARK` before it.
    """
    rows = [
        [
            _words(row.name, row.place),
            *([f"{MARK} {cell}" if marked else cell] for cell, marked in zip(row.cells, row.marked, strict=True)),
        ]
        for row in shown.rows
    ]
    columns = len(shown.columns) + 1
    wanted = [
        max([len(name), *(len(line) for row in rows for line in row[at])])
        for at, name in enumerate(("", *shown.columns))
    ]
    least = [
        max(
            [
                _LEAST,
                len(name),
                *(
                    len(word)
                    for row in rows
                    for line in row[at]
                    for word in line.replace("/", "/ ").replace("_", "_ ").split()
                ),
            ]
        )
        for at, name in enumerate(("", *shown.columns))
    ]
    sizes = _fitted(wanted, least, width - _GAP * (columns - 1))
    yield _joined([("", "")] + [(name, "dim") for name in shown.columns], sizes)
    for row, written in zip(shown.rows, rows, strict=True):
        cells = [
            [line for text in cell for line in wrapped(text, size)] for cell, size in zip(written, sizes, strict=True)
        ]
        styles = ["bold", *(_MARKED_STYLE if marked else "" for marked in row.marked)]
        for at in range(max(map(len, cells))):
            yield _joined(
                [
                    (cell[at] if at < len(cell) else "", style if column or not at else "dim")
                    for column, (cell, style) in enumerate(zip(cells, styles, strict=True))
                ],
                sizes,
            )


def _words(name: str, place: str) -> list[str]:
    return [name, place] if place and place != name else [name]


def _fitted(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths of columns: as wanted where there is room, else the widest are cut first, down to their longest word."""
    sizes = list(wanted)
    while sum(sizes) > room:
        able = [at for at in range(len(sizes)) if sizes[at] > least[at]]
        # Where not even the longest words fit they are broken.
        able = able or [at for at in range(len(sizes)) if sizes[at] > _LEAST]
        if not able:
            break
        widest = max(able, key=lambda at: sizes[at])
        sizes[widest] -= 1
    return sizes


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most `width`, broken at spaces, after slashes and underscores, and within longer words.

    >>> wrapped("tools/serve/app.py:120", 12)
    ['tools/serve/', 'app.py:120']
    """
    pieces = printable(text).replace("/", "/\0").replace("_", "_\0").replace(" ", " \0").split("\0")
    lines = [""]
    for piece in pieces:
        if len((lines[-1] + piece).rstrip()) > width and lines[-1]:
            lines.append("")
        rest = piece
        while len((lines[-1] + rest).rstrip()) > width:
            lines[-1], rest = lines[-1] + rest[:width], rest[width:]
            lines.append("")
        lines[-1] += rest
    return [line.rstrip() for line in lines]


def _joined(cells: Sequence[tuple[str, str]], sizes: Sequence[int]) -> Styled:
    line: Styled = []
    for (text, style), size in zip(cells, sizes, strict=True):
        if line:
            line.append((" " * _GAP, ""))
        line += [(text, style), (" " * (size - len(text)), "")]
    return line


def excerpt_lines(shown: Excerpt, width: int) -> Iterator[Styled]:
    """Lines of a file with their numbers; those that it is about have a '>' before them. Long ones are cut."""
    digits = len(str(shown.start + len(shown.lines)))
    yield [(f"{shown.path}:{shown.marked[0] if shown.marked else shown.start}", "dim")]
    room = max(width - digits - 5, 10)
    for number, text in enumerate(shown.lines, shown.start):
        marked = number in shown.marked
        written = printable(text.expandtabs(4))
        if len(written) > room:
            written = written[: room - 3] + "..."
        yield [
            (f"{'>' if marked else ' '} ", "bold red" if marked else ""),
            (f"{number:>{digits}} | ", "dim"),
            (written, "bold" if marked else ""),
        ]

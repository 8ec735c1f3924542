"""Python source as it is found: scripts and notebooks, read into syntax trees with true places. Nothing is run.

What people share seldom parses as it is: IPython's magics and shell lines, Python 2's ``print x``, a cell that was left
half-written, a tab among spaces. Each is mended or left out by itself, and what was left out is listed, so that one bad
line loses neither the other cells nor the reader's trust.
"""

from __future__ import annotations

import ast
import bisect
import io
import json
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from dataguard.core.errors import SourceError
from dataguard.core.python_dialects import continued_rows
from dataguard.core.python_mending import Lost, mended
from dataguard.core.python_rows import parsed

MAX_CODE = 2_000_000
"""Characters of code that are parsed; CPython's largest module has 0.3 million, generated files have more."""
MAX_NOTEBOOK = 128 * 2**20
"""Bytes of a notebook that are read, pictures and other outputs included."""

_MAGIC = re.compile(r"^(?P<indent>\s*)(?P<rest>[%!?].*|[\w.]+\?{1,2}\s*|get_ipython\(\)\s*$)")
_ASSIGNED = re.compile(r"^(?P<head>\s*[\w.,\s\[\]'\"]+=\s*)(?P<mark>[%!])(?P<rest>\S.*)$")
_TIMED = re.compile(r"^(?P<indent>\s*)%(?:time|timeit|prun|memit)\s+(?:-\S+\s+)*(?P<code>[A-Za-z_(\[].*)$")
_PYTHON_CELL = frozenset(
    {"time", "timeit", "capture", "prun", "memit", "python3", "python", "snakeviz", "heat", "wandb"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where something is, in the words that a reader can go by."""

    line: int | None
    """The line of the file, from 1; None where a notebook is not written one source line a line."""
    cell: int | None
    """The cell of a notebook, from 1 and over code cells only; None in a script."""
    cell_line: int | None
    """The line within that cell, from 1; None in a script."""
    text: str
    """The line itself, without surrounding space."""

    def __str__(self) -> str:
        if self.cell is not None:
            return f"cell {self.cell}, line {self.cell_line}"
        return f"line {self.line}"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One piece of code that is parsed by itself, when it is first asked for: a notebook's cell, or a whole script."""

    number: int | None
    """From 1, over the code cells of a notebook; None in a script."""
    text: str
    """The code as it stands in the file."""
    start: int
    """Number of lines of code before it, so that its first line is ``start + 1``."""
    file_lines: tuple[int, ...]
    """The line of the file that each line of the code stands on; empty where that is not known."""

    @cached_property
    def _read(self) -> tuple[ast.Module, tuple[Lost, ...]]:
        return _tolerant(self.text, self.start)

    @property
    def is_read(self) -> bool:
        """Whether it was parsed before, so that its tree costs nothing."""
        return "_read" in self.__dict__

    @property
    def tree(self) -> ast.Module:
        """What could be parsed, with lines counted from ``start``."""
        return self._read[0]

    @property
    def lost(self) -> tuple[Lost, ...]:
        """What could not."""
        return self._read[1]

    @property
    def parsed(self) -> bool:
        """Whether all of it could be parsed."""
        return not self.lost


@dataclass(frozen=True, kw_only=True)
class PythonSource:
    """A script or a notebook, parsed as far as it can be.

    Lines are counted through all cells; `place` turns such a number into a line of the file, or of a cell.
    """

    path: str
    """As it was given."""
    kind: Literal["script", "notebook"]
    """What it is."""
    cells: tuple[Cell, ...]
    """In the order of the file."""

    @cached_property
    def tree(self) -> ast.Module:
        """All cells in order, as one module."""
        return ast.Module(body=[node for cell in self.cells for node in cell.tree.body], type_ignores=[])

    @property
    def is_read(self) -> bool:
        """Whether all of it was parsed before, so that its tree costs nothing."""
        return all(cell.is_read for cell in self.cells)

    @cached_property
    def text(self) -> str:
        """All code: its `lines`, with a newline between two."""
        return "\n".join(_with_newlines(cell.text) for cell in self.cells)

    @property
    def n_lines(self) -> int:
        """How many `lines` there are."""
        return self.text.count("\n") + 1 if self.cells else 0

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """Every line of code."""
        return tuple(line for cell in self.cells for line in split_lines(cell.text))

    @cached_property
    def _starts(self) -> list[int]:
        return [cell.start for cell in self.cells]

    @property
    def lost(self) -> tuple[Lost, ...]:
        """Everything that could not be parsed."""
        return tuple(item for cell in self.cells for item in cell.lost)

    @property
    def n_unparsed(self) -> int:
        """How many cells could not be parsed as a whole."""
        return sum(not cell.parsed for cell in self.cells)

    def place(self, line: int) -> Place:
        """Where a line is.

        Args:
            line: From 1, through all cells, as the nodes of `tree` have it.
        """
        text = self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""
        if self.kind == "script":
            return Place(line=line, cell=None, cell_line=None, text=text)
        cell = self.cells[max(bisect.bisect_left(self._starts, line) - 1, 0)] if self.cells else None
        if cell is None:
            return Place(line=None, cell=None, cell_line=None, text=text)
        within = line - cell.start
        known = 0 < within <= len(cell.file_lines)
        return Place(line=cell.file_lines[within - 1] if known else None, cell=cell.number, cell_line=within, text=text)


def read_python(path: Path, *, name: str | None = None, data: bytes | None = None) -> PythonSource:
    """Read and parse a script or a notebook; nothing of it is run.

    Args:
        path: A ``.ipynb`` is read as a notebook, everything else as a script.
        name: What to call it; by default the path.
        data: Its bytes, where they are at hand.

    Raises:
        SourceError: it cannot be read, is too large, or is no notebook.
    """
    limit = MAX_NOTEBOOK if path.suffix.lower() == ".ipynb" else 4 * MAX_CODE
    if data is None:
        try:
            with path.open("rb") as file:
                data = file.read(limit + 1)
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror}", where=path) from error
    if len(data) > limit:
        raise SourceError(f"larger than {limit:,} bytes", where=path, hint="leave it out with code.exclude")
    if path.suffix.lower() == ".ipynb":
        return parse_notebook(data, name=name or str(path))
    return parse_script(decode(data), name=name or str(path))


def decode(data: bytes) -> str:
    r"""Bytes of a Python file as text, by its byte order mark or coding line; Latin-1 where both mislead.

    >>> decode(b"# -*- coding: latin-1 -*-\nx = '\xe9'\n").splitlines()[1]
    "x = 'é'"
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (SyntaxError, LookupError, UnicodeDecodeError, ValueError):
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode("latin-1")


def split_lines(text: str) -> list[str]:
    """The lines of a text as the parser counts them: form feeds and the like end none."""
    return _with_newlines(text).split("\n")


def _with_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_script(text: str, *, name: str = "<script>") -> PythonSource:
    r"""Parse the text of a script.

    >>> source = parse_script("import os\n%matplotlib inline\nprint 'old', os\n")
    >>> [type(node).__name__ for node in source.tree.body], source.lost
    (['Import', 'Pass', 'Expr'], ())

    Raises:
        SourceError: it is too large.
    """
    if len(text) > MAX_CODE:
        raise SourceError(f"more than {MAX_CODE:,} characters of code", where=name, hint="leave it out of the check")
    return PythonSource(path=name, kind="script", cells=(Cell(number=None, text=text, start=0, file_lines=()),))


def parse_notebook(data: bytes | str, *, name: str = "<notebook>") -> PythonSource:
    """Parse a notebook, nbformat 2 to 4; its code cells in order.

    Cells of another language (``%%bash``, ``%%html`` and the like) are read and left empty.

    Raises:
        SourceError: it is no notebook, or holds too much code.
    """
    text = data if isinstance(data, str) else decode(data)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"not a notebook: {error}", where=name, hint="a notebook is a JSON file") from error
    cells: list[Cell] = []
    start, position, total = 0, 0, 0
    lines_of = _FileLines(text)
    for pieces in _code_cells(content, name):
        code = "".join(pieces)
        total += len(code)
        if total > MAX_CODE:
            raise SourceError(f"more than {MAX_CODE:,} characters of code", where=name, hint="leave it out")
        file_lines, position = lines_of.find(pieces, position)
        cells.append(Cell(number=len(cells) + 1, text=code, start=start, file_lines=file_lines))
        start += len(split_lines(code))
    return PythonSource(path=name, kind="notebook", cells=tuple(cells))


def _code_cells(content: Any, name: str) -> Iterator[list[str]]:
    if not isinstance(content, dict):
        raise SourceError("not a notebook: no object at the top", where=name)
    sheets = content.get("worksheets")
    groups = [content] if not isinstance(sheets, list) else sheets
    if "cells" not in content and not isinstance(sheets, list):
        raise SourceError("not a notebook: it has no cells", where=name)
    for group in groups:
        cells = group.get("cells") if isinstance(group, dict) else None
        for cell in cells if isinstance(cells, list) else ():
            if not isinstance(cell, dict) or cell.get("cell_type") != "code":
                continue
            source = cell.get("source", cell.get("input", ""))
            pieces = source if isinstance(source, list) else [source]
            yield [piece for piece in pieces if isinstance(piece, str)]


class _FileLines:
    """Finds the lines of a notebook's file that its cells' lines stand on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ends = [match.start() for match in re.finditer("\n", text)]

    def find(self, pieces: Sequence[str], position: int) -> tuple[tuple[int, ...], int]:
        """The lines of a cell written one line a string, and where it ends; () where it is written otherwise."""
        if not pieces or any("\n" in piece[:-1] for piece in pieces):
            return (), position
        for ascii_only in (False, True):
            quoted = [json.dumps(piece, ensure_ascii=ascii_only) for piece in pieces]
            start = self.text.find(quoted[0], position)
            for _ in range(50):
                if start < 0:
                    break
                found = self._follow(quoted, start)
                if found is not None:
                    return found
                start = self.text.find(quoted[0], start + 1)
        return (), position

    def _follow(self, quoted: Sequence[str], start: int) -> tuple[tuple[int, ...], int] | None:
        lines, at = [], start
        for number, piece in enumerate(quoted):
            if number:
                match = re.compile(r"\s*,\s*").match(self.text, at)
                if match is None:
                    return None
                at = match.end()
            if not self.text.startswith(piece, at):
                return None
            lines.append(bisect.bisect_left(self.ends, at) + 1)
            at += len(piece)
        return tuple(lines), at


def _tolerant(text: str, start: int) -> tuple[ast.Module, tuple[Lost, ...]]:
    """As much of a text as parses, its lines counted from `start`, and what does not."""
    text = _with_newlines(text.replace("\x00", " ").lstrip("\ufeff"))
    tree = parsed(text)
    lost: list[Lost] = []
    if not isinstance(tree, ast.Module):
        tree, lost = _from_ipython(text)
    if start:
        ast.increment_lineno(tree, start)
    return tree, tuple(Lost(line=item.line + start, n_lines=item.n_lines, reason=item.reason) for item in lost)


def _from_ipython(text: str) -> tuple[ast.Module, list[Lost]]:
    """Code with IPython's own lines, of which tree-sitter's grammar knows nothing."""
    first = next((line.strip() for line in text.split("\n") if line.strip()), "")
    if first.startswith("%%"):
        word = re.match(r"%%(\w*)", first)
        if word is None or word[1] not in _PYTHON_CELL:
            return ast.Module(body=[], type_ignores=[]), []  # another language
    lines = text.split("\n")
    magic = {number: new for number, line in enumerate(lines) if (new := _without_magic(line)) != line}
    if magic:
        # A string's line may look like one, and so may one that goes on with "% x".
        for number in magic.keys() - continued_rows(text):
            lines[number] = magic[number]
        text = "\n".join(lines)
        tree = parsed(text)
        if isinstance(tree, ast.Module):
            return tree, []
    return mended(text)


def _without_magic(line: str) -> str:
    timed = _TIMED.match(line)
    if timed is not None:
        return timed["indent"] + timed["code"]
    if _MAGIC.match(line):
        return line[: len(line) - len(line.lstrip())] + "pass"
    assigned = _ASSIGNED.match(line)
    if assigned is None:
        return line
    if assigned["mark"] == "%":
        timed = _TIMED.match("%" + assigned["rest"])
        if timed is not None:
            return assigned["head"] + timed["code"]
    return assigned["head"] + "[]"

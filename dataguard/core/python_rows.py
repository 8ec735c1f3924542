"""Lines of Python looked at one by one, for what does not parse: where they stand, and what they begin and end with.

Tree-sitter has no trees for lines whose block is broken; what is seen here needs none.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

MOST_WORK = 40
"""How often each character may be parsed, on average, before what is left counts as lost."""

LEADING = frozenset({"if", "for", "while", "try", "with", "def", "class", "match", "async"})
"""Words that a statement with a block begins with."""
JOINED = {"elif": ("if",), "else": ("if", "for", "while", "try", "async"), "except": ("try",), "finally": ("try",)}
"""Words that go on one, and which."""
STARTING = frozenset(
    [
        *("while", "try", "with", "def", "class"),
        *("return", "import", "raise", "assert", "del", "pass", "break", "continue", "global", "nonlocal"),
    ]
)
"""Words that no line within brackets begins with, as it may with ``if`` and ``for``."""

Chunk = tuple[int, int]
"""First row, and the row after the last."""

_WORD = re.compile(r"\s*(async\s+)?(\w+)")


def parsed(text: str) -> ast.Module | SyntaxError:
    """A text's tree, or why there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxError(str(error) or type(error).__name__)


def expanded(row: str) -> str:
    """A row with its leading tabs as Python 2 and tree-sitter count them."""
    size = len(row) - len(row.lstrip(" \t\f"))
    return row[:size].replace("\f", "").expandtabs(8) + row[size:] if "\t" in row[:size] or "\f" in row[:size] else row


def indented(row: str) -> int:
    """How many spaces a row begins with."""
    return len(row) - len(row.lstrip(" "))


def first_word(row: str) -> str:
    """The word that a row begins with, 'async' with what it goes with; '' where it begins with none."""
    match = _WORD.match(row)
    return "" if match is None else "async" if match[1] else match[2]


def context(text: str) -> tuple[str, str]:
    """What makes rows parse where they are indented, or go on another statement: before them, and after."""
    row = text[: text.find("\n") + 1] or text
    indent = " " * indented(row)
    word = first_word(row)
    before, after = "", "\n"
    if indent:
        before = ("match _:" if word == "case" else "if 1:") + "\n"
    if word in ("elif", "else"):
        before += f"{indent}if 1: pass\n"
    elif word in ("except", "finally"):
        before += f"{indent}try: pass\n"
    elif word == "try":
        after = f"\n{indent}finally: pass\n"
    elif row.lstrip().startswith("@"):
        after = f"\n{indent}def _(): pass\n"
    return before, after


def trial_body(text: str) -> str:
    """A block to try a head with."""
    row = text[: text.find("\n") + 1] or text
    return "\n" + " " * (indented(row) + 1) + ("case _: pass" if first_word(row) == "match" else "pass")


def n_opened(row: str) -> int:
    """How many brackets a row opens beyond those that it closes, as far as that is seen without its strings."""
    return sum(row.count(mark) for mark in "([{") - sum(row.count(mark) for mark in ")]}")


def closes(row: str) -> bool:
    """Whether a row begins with a bracket that closes one."""
    return row.lstrip()[:1] in (")", "]", "}")


def left_open(row: str) -> str:
    """The last bracket that a row leaves open; '' where there is none."""
    depth = 0
    for mark in reversed(row):
        depth += (mark in ")]}") - (mark in "([{")
        if depth < 0:
            return mark
    return ""


def ends_in_colon(row: str) -> bool:
    """Whether a row ends like a head."""
    return row.partition("#")[0].rstrip().endswith(":")


class Rows:
    """The lines of a text that does not parse, which are left out and moved until it does.

    Args:
        rows: The lines, tabs expanded.
        continued: Those, from 0, that begin within a string or in the middle of a statement.
    """

    def __init__(self, rows: list[str], continued: frozenset[int]) -> None:
        self.rows = list(rows)
        self.continued = continued
        self.lost: dict[int, str] = {}
        """Why a line is left out."""
        self.left = MOST_WORK * sum(len(row) + 1 for row in rows) + 100_000
        """Characters that may still be parsed."""
        self.reason = "invalid syntax"
        """What the parser said last."""

    def lose(self, first: int, last: int, reason: str = "", stand_in: str = "") -> None:
        """Leave rows out; what takes their place stands on the first."""
        indent = " " * indented(self.rows[first])
        for number in range(first, last):
            if self.rows[number].strip():
                self.lost.setdefault(number, reason or self.reason)
            self.rows[number] = ""
        if stand_in:
            self.rows[first] = indent + stand_in

    def is_blank(self, number: int) -> bool:
        """Whether a row says nothing."""
        row = self.rows[number].lstrip()
        return not row or (row[0] == "#" and number not in self.continued)

    def shift(self, first: int, last: int, by: int) -> None:
        """Move rows to the right, or to the left as far as they go."""
        for number in range(first, last) if by else ():
            row = self.rows[number]
            if row.strip() and number not in self.continued:
                self.rows[number] = " " * (indented(row) + by) + row.lstrip(" ")

    def parses(self, text: str) -> bool:
        """Whether a text parses, and may still be tried; `reason` says why it does not."""
        self.left -= len(text)
        if self.left < 0:
            self.reason = "too much of the file does not parse"
            return False
        tree = parsed(text)
        if isinstance(tree, SyntaxError):
            self.reason = str(tree.msg or tree)
        return isinstance(tree, ast.Module)

    def stands(self, text: str) -> bool:
        """Whether rows parse as what may stand within a block, or go on one."""
        before, after = context(text)
        return self.parses(before + text + after)

    def accept(self, first: int, text: str) -> bool:
        """Take rows as they would be, if they parse."""
        if not self.stands(text):
            return False
        rows = text.split("\n")
        self.rows[first : first + len(rows)] = rows
        return True

    def text(self, first: int, last: int) -> str:
        """Rows as one text."""
        return "\n".join(self.rows[first:last])

    def chunks(self, first: int, last: int) -> list[Chunk]:
        """Split rows where one is indented no further than the statement that goes on."""
        starts: list[int] = []
        width = 0
        for number in range(first, last):
            if self.is_blank(number) or (number in self.continued and starts):
                continue
            row = self.rows[number]
            if starts and (closes(row) or self.rows[number - 1].endswith("\\")):
                continue
            if not starts or indented(row) <= width:
                starts.append(number)
                width = indented(row)
        return list(zip(starts, [*starts[1:], last], strict=False))

    def inner(self, chunk: Chunk) -> int | None:
        """The first row within a chunk that says something; None where it is all on one row."""
        return next((number for number in range(chunk[0] + 1, chunk[1]) if not self.is_blank(number)), None)

    def extent(self, chunk: Chunk) -> int:
        """The row after those that the first statement of a chunk goes on for, as far as brackets and strings say."""
        start, end = chunk
        depth, last = n_opened(self.rows[start]), start + 1
        for number in range(start + 1, end):
            row = self.rows[number]
            if self.is_blank(number):
                continue
            goes_on = depth > 0 and first_word(row) not in STARTING and not row.lstrip().startswith("@")
            if not (goes_on or number in self.continued or self.rows[number - 1].endswith("\\") or closes(row)):
                break
            depth += n_opened(row)
            last = number + 1
        return last

    def is_leading(self, number: int) -> bool:
        """Whether a row begins or goes on a statement with a block."""
        return first_word(self.rows[number]) in (LEADING | set(JOINED))


def groups(rows: list[str], chunks: list[Chunk]) -> Iterator[list[Chunk]]:
    """Chunks with the else and the like that go on them, and decorators with what they decorate."""
    group: list[Chunk] = []
    for chunk in chunks:
        row = rows[chunk[0]]
        goes_on = group and (first_word(row) in JOINED or rows[group[-1][0]].lstrip().startswith("@"))
        if group and not goes_on:
            yield group
            group = []
        group.append(chunk)
    if group:
        yield group

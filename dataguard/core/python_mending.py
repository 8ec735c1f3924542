"""Python that does not parse, mended as far as it goes: what is broken is left out by itself, and said.

Tree-sitter says what is written in the manner of another version, where strings and sound statements go on, and which
lines of a statement are wrong. What it does not say is how the rest would read: its trees join ``b = (2`` with the line
after it, drop a method whose colon is missing, and nest by the brackets rather than by the margin. So blocks are taken
apart here by their indentation, as a reader would, and each piece is held against Python's own parser.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from dataguard.core import python_dialects

MOST_WORK = 40
"""How often each character may be parsed, on average, before what is left counts as lost."""
DEEPEST = 100
"""Levels of indentation, as Python has it."""
LONGEST_HEADER = 20
"""Lines that ``def f(`` and its like are looked for their end in."""
MOST_ERRORS = 100
"""Wrong places in one statement before the whole statement is lost."""

_CONFLICT = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$")
_WORD = re.compile(r"\s*(async\s+)?(\w+)")
_NAME = re.compile(r"\s*(?P<kind>(?:async\s+)?def|class)\s+(?P<name>\w+)")
_LEADING = frozenset({"if", "for", "while", "try", "with", "def", "class", "match", "async"})
_STARTING = _LEADING | frozenset(
    {"return", "import", "raise", "assert", "del", "pass", "break", "continue", "global", "nonlocal"}
)
_JOINED = {"elif": ("if",), "else": ("if", "for", "while", "try", "async"), "except": ("try",), "finally": ("try",)}
_STAND_IN = {"try": "try:", "elif": "elif True:", "else": "else:", "except": "except:", "finally": "finally:"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """Code that no analysis sees, because it could not be parsed."""

    line: int
    """Its first line, counted as `PythonSource.place` counts."""
    n_lines: int
    """How many lines."""
    reason: str
    """What the parser said."""


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


def mended(text: str) -> tuple[ast.Module, list[Lost]]:
    r"""As much of a text as parses, each statement on its own line, and what does not.

    >>> tree, lost = mended("import os\nx = [1,\n  2 3,\n  4]\nprint 'old'\ny = 1 +\n")
    >>> [(node.lineno, type(node).__name__) for node in tree.body]
    [(1, 'Import'), (2, 'Assign'), (5, 'Expr'), (6, 'Pass')]
    >>> [(item.line, item.n_lines, item.reason) for item in lost]
    [(3, 1, 'invalid syntax. Perhaps you forgot a comma?'), (6, 1, 'invalid syntax')]

    Args:
        text: Lines end in ``\n`` alone.
    """
    text = python_dialects.modernised(text)
    tree = parsed(text)
    if isinstance(tree, ast.Module):
        return tree, []
    continued = python_dialects.continued_rows(text)
    rows = [row if number in continued else _expanded(row) for number, row in enumerate(text.split("\n"))]
    tree = parsed("\n".join(rows))
    if isinstance(tree, ast.Module):
        return tree, []
    found = _Mender(rows, continued).result()
    if found[1] and continued:
        # One quotation mark too many turns every string inside out: without them it may go better.
        found = min(found, _Mender(rows, frozenset()).result(), key=lambda one: sum(item.n_lines for item in one[1]))
    return found


def _expanded(row: str) -> str:
    """A row with its leading tabs as Python 2 and tree-sitter count them."""
    size = len(row) - len(row.lstrip(" \t\f"))
    return row[:size].replace("\f", "").expandtabs(8) + row[size:] if "\t" in row[:size] or "\f" in row[:size] else row


def _width(row: str) -> int:
    return len(row) - len(row.lstrip(" "))


def _word(row: str) -> str:
    match = _WORD.match(row)
    return "" if match is None else "async" if match[1] else match[2]


Chunk = tuple[int, int]
"""First row, and the row after the last."""


class _Mender:
    """Takes rows apart by indentation and makes each piece one that parses."""

    def __init__(self, rows: list[str], continued: frozenset[int]) -> None:
        self.rows = list(rows)
        self.continued = continued
        self.lost: dict[int, str] = {}
        self.left = MOST_WORK * sum(len(row) + 1 for row in rows) + 100_000
        self.reason = "invalid syntax"

    def result(self) -> tuple[ast.Module, list[Lost]]:
        for number, row in enumerate(self.rows):
            if _CONFLICT.match(row) and number not in self.continued:
                self._lose(number, number + 1, "merge conflict marker")
        self._block(0, len(self.rows), 0)
        tree = parsed("\n".join(self.rows))
        if not isinstance(tree, ast.Module):
            tree = self._separately()
        return tree, self._runs()

    def _runs(self) -> list[Lost]:
        found: list[Lost] = []
        for number, reason in sorted(self.lost.items()):
            if found and (found[-1].line + found[-1].n_lines, found[-1].reason) == (number + 1, reason):
                found[-1] = Lost(line=found[-1].line, n_lines=found[-1].n_lines + 1, reason=reason)
            else:
                found.append(Lost(line=number + 1, n_lines=1, reason=reason))
        return found

    def _separately(self) -> ast.Module:
        """What stands at the margin, each by itself: for what is only wrong together."""
        body: list[ast.stmt] = []
        for group in _groups(self.rows, self._chunks(0, len(self.rows))):
            first, last = group[0][0], group[-1][1]
            tree = parsed("\n".join(self.rows[first:last]))
            if isinstance(tree, ast.Module):
                ast.increment_lineno(tree, first)
                body += tree.body
            else:
                self._lose(first, last, str(tree.msg))
        return ast.Module(body=body, type_ignores=[])

    # Rows.

    def _lose(self, first: int, last: int, reason: str = "", stand_in: str = "") -> None:
        """Leave rows out; what takes their place stands on the first."""
        indent = " " * _width(self.rows[first])
        for number in range(first, last):
            if self.rows[number].strip():
                self.lost.setdefault(number, reason or self.reason)
            self.rows[number] = ""
        if stand_in:
            self.rows[first] = indent + stand_in

    def _is_blank(self, number: int) -> bool:
        row = self.rows[number].lstrip()
        return not row or (row[0] == "#" and number not in self.continued)

    def _shift(self, first: int, last: int, by: int) -> None:
        """Move rows to the right, or to the left as far as they go."""
        for number in range(first, last) if by else ():
            row = self.rows[number]
            if row.strip() and number not in self.continued:
                self.rows[number] = " " * (_width(row) + by) + row.lstrip(" ")

    # What parses.

    def _parses(self, text: str) -> bool:
        self.left -= len(text)
        if self.left < 0:
            self.reason = "too much of the file does not parse"
            return False
        tree = parsed(text)
        if isinstance(tree, SyntaxError):
            self.reason = str(tree.msg or tree)
        return isinstance(tree, ast.Module)

    def _stands(self, text: str) -> bool:
        """Whether rows parse as what may stand within a block, or go on one."""
        before, after = _around(text)
        return self._parses(before + text + after)

    def _accept(self, first: int, text: str) -> bool:
        """Take rows as they would be, if they parse."""
        if not self._stands(text):
            return False
        rows = text.split("\n")
        self.rows[first : first + len(rows)] = rows
        return True

    # Blocks.

    def _block(self, first: int, last: int, depth: int, *, cases: bool = False) -> None:
        """Make rows a block that parses, at the indentation of its first statement."""
        if depth > DEEPEST:
            self._lose(first, last, "too many levels of indentation")
            return
        groups = list(_groups(self.rows, self._rejoined(self._chunks(first, last))))
        margin = _width(self.rows[groups[0][0][0]]) if groups and depth else 0
        for group in groups:
            start, end = group[0][0], group[-1][1]
            for chunk in group:
                self._shift(*chunk, margin - _width(self.rows[chunk[0]]))
            if cases or _word(self.rows[start]) == "case":
                self._case(group[0], cases=cases)
            words = [_word(self.rows[chunk[0]]) for chunk in group]
            alone = words[-1] == "try" or words[0] in _JOINED  # what stands only in the context that it is tried in
            if alone or not self._stands(self._text(start, end)):
                self._group(group, depth)

    def _text(self, first: int, last: int) -> str:
        return "\n".join(self.rows[first:last])

    def _chunks(self, first: int, last: int) -> list[Chunk]:
        """Split rows where one is indented no further than the statement that goes on."""
        starts: list[int] = []
        width = 0
        for number in range(first, last):
            if self._is_blank(number) or (number in self.continued and starts):
                continue
            row = self.rows[number]
            if starts and (_closes(row) or self.rows[number - 1].endswith("\\")):
                continue
            if not starts or _width(row) <= width:
                starts.append(number)
                width = _width(row)
        return list(zip(starts, [*starts[1:], last], strict=False))

    def _inner(self, chunk: Chunk) -> int | None:
        """The first row within a chunk that says something; None where it is all on one row."""
        return next((number for number in range(chunk[0] + 1, chunk[1]) if not self._is_blank(number)), None)

    def _extent(self, chunk: Chunk) -> int:
        """The row after those that the first statement of a chunk goes on for, as far as brackets and strings say."""
        start, end = chunk
        depth, last = _open(self.rows[start]), start + 1
        for number in range(start + 1, end):
            row = self.rows[number]
            if self._is_blank(number):
                continue
            goes_on = depth > 0 and _word(row) not in _STARTING and not row.lstrip().startswith("@")
            if not (goes_on or number in self.continued or self.rows[number - 1].endswith("\\") or _closes(row)):
                break
            depth += _open(row)
            last = number + 1
        return last

    def _rejoined(self, chunks: list[Chunk]) -> list[Chunk]:
        """Chunks, with those put together that a statement at the wrong margin tears apart."""
        found: list[Chunk] = []
        for chunk in chunks:
            if found and self._inner(found[-1]) is not None and self._is_leading(found[-1][0]):
                inner = self._stray(chunk)
                if inner is not None:
                    self._shift(chunk[0], inner, _width(self.rows[inner]) - _width(self.rows[chunk[0]]))
                    found[-1] = (found[-1][0], chunk[1])
                    continue
            found.append(chunk)
        return found

    def _is_leading(self, number: int) -> bool:
        return _word(self.rows[number]) in (_LEADING | set(_JOINED))

    def _stray(self, chunk: Chunk) -> int | None:
        """The first row that is indented below a statement that is no head; None where there is none."""
        start, end = chunk
        if self._inner(chunk) is None or self._is_leading(start) or self.rows[start].lstrip()[0] == "@":
            return None
        last = self._extent(chunk)
        if any(":" in row for row in (self.rows[start], self.rows[last - 1])):
            return None
        return self._inner((last - 1, end))

    def _group(self, group: list[Chunk], depth: int) -> None:
        """A statement with its else and the like, of which something is wrong."""
        leader = ""
        decorators: list[Chunk] = []
        for chunk in group:
            start = chunk[0]
            word = _word(self.rows[start])
            if self.rows[start].lstrip().startswith("@"):
                decorators.append(chunk)
                if not self._stands(self._text(*chunk)) and not self._dialect(chunk):
                    self._lose(*chunk)
                continue
            if word in _JOINED and leader not in _JOINED[word]:
                self._orphaned(start, word)
                word = "if"
            if not self._stands(self._text(*chunk)):
                self._statement(chunk, depth)
            if word not in _JOINED:
                leader = _word(self.rows[start])
            elif word in ("else", "finally"):
                leader = "try" if word == "else" and leader == "try" else ""
        self._undecorated(decorators, group)
        first = next((chunk[0] for chunk in group if _word(self.rows[chunk[0]]) == "try"), None)
        if first is not None and not any(_word(self.rows[start]) in ("except", "finally") for start, _ in group):
            self.lost.setdefault(first, "expected 'except' or 'finally' block")
            self.rows[first] = self.rows[first].replace("try", "if True", 1)

    def _undecorated(self, decorators: list[Chunk], group: list[Chunk]) -> None:
        if decorators and not _NAME.match(self.rows[group[-1][0]]):
            for chunk in decorators:
                self._lose(*chunk, "nothing to decorate")

    def _case(self, chunk: Chunk, *, cases: bool) -> None:
        """See that all in a match are cases, and nothing else is one."""
        row = self.rows[chunk[0]]
        if cases == (_word(row) == "case"):
            return
        if not cases and self._parses(("if 1:\n" if row[0] == " " else "") + self._text(*chunk)):
            return
        head = chunk[0] + 1
        stand_in = ("case _:" if cases else "if True:") + ("" if self._inner(chunk) is not None else " pass")
        self._lose(chunk[0], head, "a case outside of a match" if not cases else "no case", stand_in)

    def _orphaned(self, start: int, word: str) -> None:
        """An else or the like that belongs to nothing."""
        row = self.rows[start]
        if word == "elif":
            self.rows[start] = row.replace("elif", "if", 1)
            return
        self.lost.setdefault(start, f"{word!r} belongs to nothing")
        colon = row.find(":")
        self.rows[start] = " " * _width(row) + "if True:" + (row[colon + 1 :] if colon >= 0 else "")

    # Statements.

    def _dialect(self, chunk: Chunk, body: str = "") -> bool:
        """Try it as another version's, by itself: around what is broken that may not have been seen."""
        text = self._text(*chunk) + body
        before, after = _around(text)
        old = before + text + after
        new = python_dialects.modernised(old)
        self.left -= len(old)
        if new == old or not self._parses(new):
            return False
        skipped = before.count("\n")
        self.rows[chunk[0] : chunk[1]] = new.split("\n")[skipped : skipped + chunk[1] - chunk[0]]
        return True

    def _statement(self, chunk: Chunk, depth: int) -> None:
        """One that does not parse as it is."""
        start, end = chunk
        inner = self._inner(chunk)
        row = self.rows[start]
        if _word(row) in _LEADING or _word(row) in _JOINED or (inner is not None and _ends_in_colon(row)):
            if inner is not None or not self._dialect(chunk):
                self._compound(chunk, depth)
            return
        if _word(row) == "case" and inner is not None:
            self._compound(chunk, depth)
            return
        if self._dialect(chunk):
            return
        reason = self.reason
        last = self._extent(chunk)
        following = self._inner((last - 1, end))
        if following is not None:
            # What comes after it is indented for no reason.
            if not self._stands(self._text(start, last)):
                self._simple((start, last), self.reason)
            self._block(last, end, depth + 1)
            self._shift(last, end, _width(row) - _width(self.rows[following]))
        else:
            self._simple(chunk, reason)

    def _simple(self, chunk: Chunk, reason: str) -> None:
        """A statement without a block."""
        start, end = chunk
        if self._inner(chunk) is not None:
            if not (self._without_tail(chunk) or self._with_commas(chunk) or self._without_items(chunk, reason)):
                self._lose(start, end, reason, "pass")
        # What the grammar takes for an item of something called print.
        elif _word(self.rows[start]) != "print" or not self._accept(
            start, self._text(*chunk).replace("print", "print,", 1)
        ):
            self._lose(start, end, reason, "pass")

    def _without_tail(self, chunk: Chunk) -> bool:
        """Try it without brackets that close nothing."""
        start, end = chunk
        while end > start + 1 and (self._is_blank(end - 1) or _closes(self.rows[end - 1])):
            end -= 1
        if end == chunk[1] or not self._stands(self._text(start, end)):
            return False
        self._lose(end, chunk[1])
        return True

    def _with_commas(self, chunk: Chunk) -> bool:
        """Try it with commas where a line within begins with what the grammar finds wrong."""
        text = self._text(*chunk)
        self.left -= len(text)
        rows = text.split("\n")
        for number, column in python_dialects.errors(text, MOST_ERRORS):
            if number and column == _width(rows[number]):
                rows[number] = " " * column + ", " + rows[number].lstrip(" ")
        new = "\n".join(rows)
        return new != text and self._accept(chunk[0], new)

    def _without_items(self, chunk: Chunk, reason: str) -> bool:
        """Try it without the lines between its brackets that are no items of a call, a list or a dictionary."""
        start, end = chunk
        kind = _opened(self.rows[start])
        while end > start + 1 and (self._is_blank(end - 1) or _closes(self.rows[end - 1])):
            end -= 1
        items = self._chunks(start + 1, end)
        if end == chunk[1]:  # the last has the closing bracket, so that it cannot go
            items = items[:-1]
        before, after = {"(": "_(\n)", "[": "[\n]", "{": "{\n}"}.get(kind, "\n").split("\n")
        wrong = [item for item in items if not self._parses(f"{before}\n{self._text(*item)}\n{after}")] if kind else []
        rows = self.rows[start : chunk[1]]
        # Something unknown takes their place, so that what is left out is not taken for absent.
        for stand_in in ("**...,", "...,") if kind == "{" else ("...,", "**...,"):
            without = list(rows)
            for first, last in wrong:
                indent = " " * _width(self.rows[first])
                without[first - start : last - start] = [indent + stand_in, *[""] * (last - first - 1)]
            if wrong and self._accept(start, "\n".join(without)):
                lines = [number for item in wrong for number in range(*item)]
                self.lost |= {number: reason for number in lines if rows[number - start].strip()}
                return True
        return False

    def _compound(self, chunk: Chunk, depth: int) -> None:
        """A statement with a block: its head and what is in the block are looked at each by itself."""
        start, end = chunk
        head = self._head(chunk)
        if head is None:
            head = self._stand_in(chunk)
            if head is None:
                return
        body = self._inner((head - 1, end))
        if body is None:
            self._filled(start, head)
            return
        width = _width(self.rows[start])
        if _width(self.rows[body]) <= width:
            self._shift(body, end, width + 1 - _width(self.rows[body]))
        self._block(head, end, depth + 1, cases=_word(self.rows[start]) == "match")
        if not any(self.rows[number].strip() and not self._is_blank(number) for number in range(head, end)):
            self._filled(start, head)

    def _head(self, chunk: Chunk) -> int | None:
        """The row after a head that parses, mended where it can be; None where it cannot."""
        start, end = chunk
        reason = ""
        whole = self._bracketed(chunk)
        soon = (last for last in range(start + 1, min(start + LONGEST_HEADER, end) + 1) if ":" in self.rows[last - 1])
        for last in dict.fromkeys((whole, *soon)):
            text = self._text(start, last)
            if self._stands(text + _body(text)):
                return last
            reason = reason or self.reason
            if self._dialect((start, last), _body(text)):
                return last
        text = self._text(start, whole)
        for code in dict.fromkeys((text.rstrip(), text.rpartition("#")[0].rstrip())):
            if code and self._stands(code + ":" + _body(code)):
                self.rows[start:whole] = (code + ":").split("\n")
                return whole
        self.reason = reason or self.reason
        return None

    def _bracketed(self, chunk: Chunk) -> int:
        """The row after those that the brackets of a head hold together, as far as they are closed."""
        start, end = chunk
        last, depth = start + 1, _open(self.rows[start])
        while depth > 0 and last < end and (_closes(self.rows[last]) or _word(self.rows[last]) not in _STARTING):
            depth += _open(self.rows[last])
            last += 1
        return last if depth <= 0 else start + 1

    def _stand_in(self, chunk: Chunk) -> int | None:
        """Put something in the place of a broken head, and say where it ended; None where nothing is left of it."""
        start, end = chunk
        head = self._bracketed(chunk)
        row = self.rows[start]
        word = _word(row)
        name = _NAME.match(row)
        if self._inner((head - 1, end)) is None and word not in _JOINED and word != "try":
            self._lose(start, end, stand_in="pass")
            return None
        if name is not None:
            stand_in = f"{name['kind']} {name['name']}" + (":" if name["kind"] == "class" else "(*_, **__):")
            if not name["name"].isidentifier() or not self._stands(stand_in + " pass"):
                stand_in = "if True:"
        else:
            stand_in = "case _:" if word == "case" else _STAND_IN.get(word, "if True:")
        self._lose(start, head, stand_in=stand_in)
        return head

    def _filled(self, first: int, last: int) -> None:
        """Give a head without a block one."""
        text = self._text(first, last)
        ends = [match.end() for match in re.finditer(":", text)]
        for at in reversed(ends[-LONGEST_HEADER:]):
            if self._accept(first, text[:at] + " pass" + text[at:]):
                return
        self._lose(first, last, stand_in="pass")


def _around(text: str) -> tuple[str, str]:
    """What makes rows parse where they are indented, or go on another statement: before them, and after."""
    row = text[: text.find("\n") + 1] or text
    indent = " " * _width(row)
    word = _word(row)
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


def _body(text: str) -> str:
    """A block to try a head with."""
    row = text[: text.find("\n") + 1] or text
    return "\n" + " " * (_width(row) + 1) + ("case _: pass" if _word(row) == "match" else "pass")


def _open(row: str) -> int:
    """How many brackets a row opens beyond those that it closes, as far as that is seen without its strings."""
    return sum(row.count(mark) for mark in "([{") - sum(row.count(mark) for mark in ")]}")


def _closes(row: str) -> bool:
    return row.lstrip()[:1] in (")", "]", "}")


def _opened(row: str) -> str:
    """The last bracket that a row leaves open; '' where there is none."""
    depth = 0
    for mark in reversed(row):
        depth += (mark in ")]}") - (mark in "([{")
        if depth < 0:
            return mark
    return ""


def _ends_in_colon(row: str) -> bool:
    return row.partition("#")[0].rstrip().endswith(":")


def _groups(rows: list[str], chunks: list[Chunk]) -> Iterator[list[Chunk]]:
    """Chunks with the else and the like that go on them, and decorators with what they decorate."""
    group: list[Chunk] = []
    for chunk in chunks:
        row = rows[chunk[0]]
        goes_on = group and (_word(row) in _JOINED or rows[group[-1][0]].lstrip().startswith("@"))
        if group and not goes_on:
            yield group
            group = []
        group.append(chunk)
    if group:
        yield group

"""Python that does not parse, mended as far as it goes: what is broken is left out by itself, and said.

Tree-sitter says what is written in the manner of another version, where strings and sound statements go on, and which
lines of a statement are wrong. What it does not say is how the rest would read: its trees join ``b = (2`` with the line
after it, drop a method whose colon is missing, and nest by the brackets rather than by the margin. So blocks are taken
apart here by their indentation, as a reader would, and each piece is held against Python's own parser.
"""

from __future__ import annotations

import ast
import keyword
import re
from dataclasses import dataclass

from dataguard.core import python_dialects
from dataguard.core.python_rows import (
    JOINED,
    LEADING,
    STARTING,
    Chunk,
    Rows,
    closes,
    context,
    ends_in_colon,
    expanded,
    first_word,
    groups,
    indented,
    left_open,
    n_opened,
    parsed,
    trial_body,
)

MOST_TRIES = 300
"""Statements of one file that the grammar looks at once more, each by itself."""
MOST_ROUNDS = 20
"""How often the whole is parsed, with one more line left out each time."""
DEEPEST = 100
"""Levels of indentation, as Python has it."""
UNKNOWN = "unparsed"
"""The function that stands for what was done in a statement that is left out."""
MOST_NAMES = 20
"""Names of a broken statement that what it sets may depend on."""
LONGEST_HEADER = 20
"""Lines that ``def f(`` and its like are looked for their end in."""
MOST_ERRORS = 100
"""Wrong places in one statement before the whole statement is lost."""

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_CONFLICT = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$")
_NAMES = re.compile(r"(?<![\w.\"'])[^\W\d]\w*(?![\w\"'=]| =)")
_TARGET = re.compile(r"\s*(?P<names>[^\W\d][\w.]*(?:\s*,\s*[^\W\d][\w.]*)*)\s*[-+*/%&|^@<>]{0,2}=(?!=)")
_NAME = re.compile(r"\s*(?P<kind>(?:async\s+)?def|class)\s+(?P<name>\w+)")
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


def mended(text: str) -> tuple[ast.Module, list[Lost]]:
    r"""As much of a text as parses, each statement on its own line, and what does not.

    >>> tree, lost = mended("import os\nx = [1,\n  2 3,\n  4]\nprint 'old'\ny = 1 +\n")
    >>> [(node.lineno, type(node).__name__) for node in tree.body]
    [(1, 'Import'), (2, 'Assign'), (5, 'Expr'), (6, 'Assign')]
    >>> [(item.line, item.n_lines, item.reason) for item in lost]
    [(3, 1, 'invalid syntax. Perhaps you forgot a comma?'), (6, 1, 'invalid syntax')]

    Args:
        text: Lines end in ``\n`` alone.
    """
    if len(_CONTROL.findall(text)) > 10 + len(text) // 100:
        lines = [Lost(line=1, n_lines=text.count("\n") + 1, reason="binary data, and no text")]
        return ast.Module(body=[], type_ignores=[]), lines
    text = python_dialects.modernised(text)
    tree = parsed(text)
    if isinstance(tree, ast.Module):
        return tree, []
    continued = python_dialects.continued_rows(text)
    rows = [row if number in continued else expanded(row) for number, row in enumerate(text.split("\n"))]
    tree = parsed("\n".join(rows))
    if isinstance(tree, ast.Module):
        return tree, []
    found = _Mender(rows, continued).result()
    if found[1] and continued:
        # One quotation mark too many turns every string inside out: without them it may go better.
        found = min(found, _Mender(rows, frozenset()).result(), key=lambda one: sum(item.n_lines for item in one[1]))
    return found


class _Mender(Rows):
    """Takes rows apart by indentation and makes each piece one that parses."""

    def __init__(self, rows: list[str], continued: frozenset[int]) -> None:
        super().__init__(rows, continued)
        self.tries = MOST_TRIES

    def result(self) -> tuple[ast.Module, list[Lost]]:
        for number, row in enumerate(self.rows):
            if _CONFLICT.match(row) and number not in self.continued:
                self.lose(number, number + 1, "merge conflict marker")
        self._block(0, len(self.rows), 0)
        rows, lost = list(self.rows), dict(self.lost)
        for _ in range(MOST_ROUNDS):
            tree = parsed("\n".join(self.rows))
            if isinstance(tree, ast.Module):
                return tree, self._runs()
            number = min(tree.lineno or 1, len(self.rows)) - 1
            if self.is_blank(number) or number in self.lost:
                break
            # Pieces that are sound may not go together.
            stand_in = "if True:" if ends_in_colon(self.rows[number]) else "pass"
            self.lose(number, number + 1, str(tree.msg or tree), stand_in)
        self.rows, self.lost = rows, lost
        return self._separately(), self._runs()

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
        for group in groups(self.rows, self.chunks(0, len(self.rows))):
            first, last = group[0][0], group[-1][1]
            tree = parsed("\n".join(self.rows[first:last]))
            if isinstance(tree, ast.Module):
                ast.increment_lineno(tree, first)
                body += tree.body
            else:
                self.lose(first, last, str(tree.msg))
        return ast.Module(body=body, type_ignores=[])

    def _block(self, first: int, last: int, depth: int, *, cases: bool = False) -> None:
        """Make rows a block that parses, at the indentation of its first statement."""
        if depth > DEEPEST:
            self.lose(first, last, "too many levels of indentation")
            return
        statements = list(groups(self.rows, self._rejoined(self.chunks(first, last))))
        margin = indented(self.rows[statements[0][0][0]]) if statements and depth else 0
        for group in statements:
            start, end = group[0][0], group[-1][1]
            for chunk in group:
                self.shift(*chunk, margin - indented(self.rows[chunk[0]]))
            if cases or first_word(self.rows[start]) == "case":
                self._case(group[0], cases=cases)
            words = [first_word(self.rows[chunk[0]]) for chunk in group]
            # What stands only in the context that it is tried in.
            alone = words[-1] == "try" or words[0] in JOINED or self.rows[group[-1][0]].lstrip()[0] == "@"
            if alone or not self.stands(self.text(start, end)):
                self._group(group, depth)

    def _rejoined(self, chunks: list[Chunk]) -> list[Chunk]:
        """Chunks, with those put together that a statement at the wrong margin tears apart."""
        found: list[Chunk] = []
        for chunk in chunks:
            if found and self.inner(found[-1]) is not None and self.is_leading(found[-1][0]):
                inner = self._stray(chunk)
                if inner is not None:
                    self.shift(chunk[0], inner, indented(self.rows[inner]) - indented(self.rows[chunk[0]]))
                    found[-1] = (found[-1][0], chunk[1])
                    continue
            found.append(chunk)
        return found

    def _stray(self, chunk: Chunk) -> int | None:
        """The first row that is indented below a statement that is no head; None where there is none."""
        start, end = chunk
        if self.inner(chunk) is None or self.is_leading(start) or self.rows[start].lstrip()[0] == "@":
            return None
        last = self.extent(chunk)
        if any(":" in row for row in (self.rows[start], self.rows[last - 1])):
            return None
        return self.inner((last - 1, end))

    def _group(self, group: list[Chunk], depth: int) -> None:
        """A statement with its else and the like, of which something is wrong."""
        leader = ""
        decorators: list[Chunk] = []
        for chunk in group:
            start = chunk[0]
            word = first_word(self.rows[start])
            if self.rows[start].lstrip().startswith("@"):
                last = self.extent(chunk)
                sound = self.stands(self.text(start, last)) or self._dialect((start, last))
                reason = "nothing to decorate" if sound else self.reason
                if self._following(last, chunk, depth):
                    for other in (*decorators, (start, last)):
                        self.lose(*other, reason)
                    decorators = []
                elif not sound:
                    self.lose(start, last, reason)
                else:
                    decorators.append(chunk)
                continue
            if word in JOINED and leader not in JOINED[word]:
                self._orphaned(start, word)
                word = "if"
            if not self.stands(self.text(*chunk)):
                self._statement(chunk, depth)
            if word not in JOINED:
                leader = first_word(self.rows[start])
            elif word in ("else", "finally"):
                leader = "try" if word == "else" and leader == "try" else ""
        self._undecorated(decorators, group)
        first = next((chunk[0] for chunk in group if first_word(self.rows[chunk[0]]) == "try"), None)
        if first is not None and not any(first_word(self.rows[start]) in ("except", "finally") for start, _ in group):
            self.lost.setdefault(first, "expected 'except' or 'finally' block")
            self.rows[first] = self.rows[first].replace("try", "if True", 1)

    def _undecorated(self, decorators: list[Chunk], group: list[Chunk]) -> None:
        if decorators and not _NAME.match(self.rows[group[-1][0]]):
            for chunk in decorators:
                self.lose(*chunk, "nothing to decorate")

    def _case(self, chunk: Chunk, *, cases: bool) -> None:
        """See that all in a match are cases, and nothing else is one."""
        row = self.rows[chunk[0]]
        if cases == (first_word(row) == "case"):
            return
        if not cases and self.parses(("if 1:\n" if row[0] == " " else "") + self.text(*chunk)):
            return
        head = chunk[0] + 1
        stand_in = ("case _:" if cases else "if True:") + ("" if self.inner(chunk) is not None else " pass")
        self.lose(chunk[0], head, "a case outside of a match" if not cases else "no case", stand_in)

    def _orphaned(self, start: int, word: str) -> None:
        """An else or the like that belongs to nothing."""
        row = self.rows[start]
        if word == "elif":
            self.rows[start] = row.replace("elif", "if", 1)
            return
        self.lost.setdefault(start, f"{word!r} belongs to nothing")
        colon = row.find(":")
        self.rows[start] = " " * indented(row) + "if True:" + (row[colon + 1 :] if colon >= 0 else "")

    def _dialect(self, chunk: Chunk, body: str = "") -> bool:
        """Try it as another version's, by itself: around what is broken that may not have been seen."""
        self.tries -= 1
        if self.tries < 0:
            return False
        text = self.text(*chunk) + body
        before, after = context(text)
        old = before + text + after
        new = python_dialects.modernised(old)
        if new == old or not self.parses(new):
            return False
        skipped = before.count("\n")
        self.rows[chunk[0] : chunk[1]] = new.split("\n")[skipped : skipped + chunk[1] - chunk[0]]
        return True

    def _statement(self, chunk: Chunk, depth: int) -> None:
        """One that does not parse as it is."""
        start, end = chunk
        inner = self.inner(chunk)
        row = self.rows[start]
        if first_word(row) in LEADING or first_word(row) in JOINED or (inner is not None and ends_in_colon(row)):
            if inner is not None or not self._dialect(chunk):
                self._compound(chunk, depth)
            return
        if first_word(row) == "case" and inner is not None:
            self._compound(chunk, depth)
            return
        if self._dialect(chunk):
            return
        reason = self.reason
        last = self.extent(chunk)
        if self.inner((last - 1, end)) is None:
            self._simple(chunk, reason)
            return
        if left_open(row) and self._patched(chunk, reason):
            return
        if not self.stands(self.text(start, last)):
            self._simple((start, last), self.reason)
        self._following(last, chunk, depth)

    def _following(self, last: int, chunk: Chunk, depth: int) -> bool:
        """Move what is indented for no reason to where the statement before it stands; whether there is any."""
        first = self.inner((last - 1, chunk[1]))
        if first is None:
            return False
        self._block(last, chunk[1], depth + 1)
        self.shift(last, chunk[1], indented(self.rows[chunk[0]]) - indented(self.rows[first]))
        return True

    def _simple(self, chunk: Chunk, reason: str) -> None:
        """A statement without a block."""
        start, end = chunk
        # `exec a % b` is to the grammar what is done with something of that name.
        is_exec = first_word(self.rows[start]) == "exec"
        if is_exec and self.accept(start, self.text(*chunk).replace("exec", "exec,", 1)):
            return
        if self.inner(chunk) is not None and (self._without_tail(chunk) or self._patched(chunk, reason)):
            return
        self.lose(start, end, reason, self._unknown(self.text(*chunk)))

    def _unknown(self, text: str) -> str:
        """What stands for a broken statement: what it would have set is unknown, and not what it was before."""
        target = _TARGET.match(text)
        if first_word(text) != "return" and target is None:
            return "pass"
        before, after = (target["names"] + " = ", text[target.end() :]) if target is not None else ("return ", text)
        words = [word for word in dict.fromkeys(_NAMES.findall(after)) if not keyword.iskeyword(word)]
        unknown = f"{before}{UNKNOWN}({', '.join(words[:MOST_NAMES])})"
        return unknown if self.stands(unknown) else "pass"

    def _without_tail(self, chunk: Chunk) -> bool:
        """Try it without brackets that close nothing."""
        start, end = chunk
        while end > start + 1 and (self.is_blank(end - 1) or closes(self.rows[end - 1])):
            end -= 1
        if end == chunk[1] or not self.stands(self.text(start, end)):
            return False
        self.lose(end, chunk[1])
        return True

    def _patched(self, chunk: Chunk, reason: str) -> bool:
        """Mend a statement within: put in commas that lack, or leave out what is between its brackets and wrong."""
        start, end = chunk
        rows = self.rows[start:end]
        self.tries -= 1
        wrong = python_dialects.errors("\n".join(rows), MOST_ERRORS) if self.tries >= 0 else []
        commas = list(rows)
        for first, column, _ in wrong:
            if first and column == indented(rows[first]):
                commas[first] = " " * column + ", " + rows[first].lstrip(" ")
        if commas != rows and self.accept(start, "\n".join(commas)):
            return True
        kind = left_open(rows[0])
        runs = [(first, last + 1) for first, _, last in wrong if first and last < len(rows) - 1]
        choices = [_merged(runs), self._wrong_items(chunk, kind)]
        for gone in sorted((choice for choice in choices if choice), key=lambda runs: sum(b - a for a, b in runs)):
            # Something unknown takes their place, so that what is left out is not taken for absent.
            for stand_in in ("**...,", "...,", "") if kind == "{" else ("...,", "**...,", ""):
                without = list(rows)
                for first, last in gone:
                    indent = " " * indented(rows[first])
                    without[first:last] = [indent + stand_in, *[""] * (last - first - 1)]
                if self.accept(start, "\n".join(without)):
                    lines = [number for run in gone for number in range(*run) if rows[number].strip()]
                    self.lost |= {start + number: reason for number in lines}
                    return True
        return False

    def _wrong_items(self, chunk: Chunk, kind: str) -> list[Chunk]:
        """Rows of a statement that are no items of what its first row opens, be it a call, a list or a dictionary."""
        start, end = chunk
        if not kind:
            return []
        while end > start + 1 and (self.is_blank(end - 1) or closes(self.rows[end - 1])):
            end -= 1
        items = self.chunks(start + 1, end)
        if end == chunk[1]:  # the last has the closing bracket, so that it cannot go
            items = items[:-1]
        before, after = {"(": ("_(", ")"), "[": ("[", "]"), "{": ("{", "}")}[kind]
        wrong = [item for item in items if not self.parses(f"{before}\n{self.text(*item)}\n{after}")]
        return [(first - start, last - start) for first, last in wrong]

    def _compound(self, chunk: Chunk, depth: int) -> None:
        """A statement with a block: its head and what is in the block are looked at each by itself."""
        start, end = chunk
        head = self._head(chunk)
        if head is None:
            head = self._stand_in(chunk)
            if head is None:
                return
        body = self.inner((head - 1, end))
        if body is None:
            self._filled(start, head)
            return
        width = indented(self.rows[start])
        if indented(self.rows[body]) <= width:
            self.shift(body, end, width + 1 - indented(self.rows[body]))
        self._block(head, end, depth + 1, cases=first_word(self.rows[start]) == "match")
        if not any(self.rows[number].strip() and not self.is_blank(number) for number in range(head, end)):
            self._filled(start, head)

    def _head(self, chunk: Chunk) -> int | None:
        """The row after a head that parses, mended where it can be; None where it cannot."""
        start, end = chunk
        reason = ""
        whole = self._bracketed(chunk)
        soon = (last for last in range(start + 1, min(start + LONGEST_HEADER, end) + 1) if ":" in self.rows[last - 1])
        for last in dict.fromkeys((whole, *soon)):
            text = self.text(start, last)
            if self.stands(text + trial_body(text)):
                return last
            reason = reason or self.reason
        if self._dialect((start, whole), trial_body(self.text(start, whole))):
            return whole
        text = self.text(start, whole)
        for code in dict.fromkeys((text.rstrip(), text.rpartition("#")[0].rstrip())):
            if code and self.stands(code + ":" + trial_body(code)):
                self.rows[start:whole] = (code + ":").split("\n")
                return whole
        self.reason = reason or self.reason
        return None

    def _bracketed(self, chunk: Chunk) -> int:
        """The row after those that the brackets of a head hold together, as far as they are closed."""
        start, end = chunk
        last, depth = start + 1, n_opened(self.rows[start])
        while depth > 0 and last < end and (closes(self.rows[last]) or first_word(self.rows[last]) not in STARTING):
            depth += n_opened(self.rows[last])
            last += 1
        return last if depth <= 0 else start + 1

    def _stand_in(self, chunk: Chunk) -> int | None:
        """Put something in the place of a broken head, and say where it ended; None where nothing is left of it."""
        start, end = chunk
        head = self._bracketed(chunk)
        row = self.rows[start]
        word = first_word(row)
        name = _NAME.match(row)
        if self.inner((head - 1, end)) is None and word not in JOINED and word != "try":
            self.lose(start, end, stand_in="pass")
            return None
        if name is not None:
            stand_in = f"{name['kind']} {name['name']}" + (":" if name["kind"] == "class" else "(*_, **__):")
            if not name["name"].isidentifier() or not self.stands(stand_in + " pass"):
                stand_in = "if True:"
        else:
            stand_in = "case _:" if word == "case" else _STAND_IN.get(word, "if True:")
        self.lose(start, head, stand_in=stand_in)
        return head

    def _filled(self, first: int, last: int) -> None:
        """Give a head without a block one."""
        text = self.text(first, last)
        ends = [match.end() for match in re.finditer(":", text)]
        for at in reversed(ends[-LONGEST_HEADER:]):
            if self.accept(first, text[:at] + " pass" + text[at:]):
                return
        self.lose(first, last, stand_in="pass")


def _merged(runs: list[Chunk]) -> list[Chunk]:
    """Runs of rows, with those put together that touch."""
    found: list[Chunk] = []
    for first, last in sorted(runs):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found

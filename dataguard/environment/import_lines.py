"""Imports of a script by its lines alone, some ten times as fast as by its syntax tree, where the lines leave no doubt.

Texts and comments are blanked; what then begins with ``import`` or ``from`` is a statement, and the lines above it that
are less indented say what it stands in. Where a line could mean something else, there is no answer, and the script has
to be parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from dataguard.core.python_texts import TEXTS

PARTED = frozenset({"google", "azure", "ruamel", "nvidia", "google.cloud", "torch.utils", "torch.utils.tensorboard"})
"""Modules of which ``from`` takes what other distributions give."""

_WITHIN_LINES = re.compile(r"[^\n]+")
_NAME = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_STARTS = re.compile(r"^([ \t]*)(import|from)\b[ \t]*(.*)$", re.MULTILINE)
_FROM = re.compile(rf"({_NAME})[ \t]+import\b")
_RELATIVE = re.compile(r"\.")
_IMPORT = re.compile(rf"{_NAME}(?:[ \t]+as[ \t]+\w+)?(?:[ \t]*,[ \t]*{_NAME}(?:[ \t]+as[ \t]+\w+)?)*[ \t]*")
_HEADER = re.compile(r"((?:async[ \t]+)?(?:def|for|with)|class|if|elif|else|try|except|finally|while)\b.*:$")
_HEADER_BEGINS = re.compile(r"((?:async[ \t]+)?(?:def|for|with)|class|if|elif|while)\b.*[(,]$")
_TYPING = re.compile(r"if (?:typing\.|t\.)?TYPE_CHECKING:")
_GOES_ON = re.compile(r"\\\r?$", re.MULTILINE)
_WITHIN = re.compile(r"[:;][ \t]*(?:import|from)\b")
_ALONE = re.compile(r"\r(?!\n)")
_OTHER_FROM = re.compile(r"^[ \t]*from\b(?![ \t]*[\w.]+[ \t]+import\b)(?![ \t]*\.[ \t]*import\b)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportLine:
    """One module that a statement imports."""

    module: str
    line: int
    """From 1."""
    in_function: bool
    """Whether it is imported only as something is called."""
    typing: bool
    """Whether it is imported only for type checkers."""


def import_lines(text: str, matters: Callable[[str], bool]) -> tuple[ImportLine, ...] | None:
    r"""The imports of a script, in the order of its lines; None where only parsing tells.

    >>> script = "import a, b.c\ndef f():\n    from d import e\n    '''\n    import g'''\n"
    >>> [(item.module, item.line, item.in_function) for item in import_lines(script, lambda module: True)]
    [('a', 1, False), ('b.c', 1, False), ('d', 3, True)]

    Args:
        text: The script.
        matters: Whether a module is of interest; others are left out, and no doubt about them counts.
    """
    plain = TEXTS.sub(_blank, text)
    # A quote that is left never closes.
    if '"' in plain or "'" in plain or _is_unsure(plain):
        return None
    found: list[ImportLine] = []
    lines: list[str] = []
    for match in _STARTS.finditer(plain):
        if match[2] == "from" and _RELATIVE.match(match[3]):
            continue
        modules = _modules(match[2], match[3].rstrip())
        if modules is None:
            return None
        modules = [module for module in modules if matters(module)]
        if not modules:
            continue
        number = plain.count("\n", 0, match.start()) + 1
        in_function = typing = False
        if match[1]:
            lines = lines or plain.split("\n")
            around = _around(lines, number - 1, match[1])
            if around is None:
                return None
            in_function, typing = around
        found += [ImportLine(module=module, line=number, in_function=in_function, typing=typing) for module in modules]
    return tuple(found)


def names_modules(text: str) -> bool:
    """Whether modules may be imported by names that are made up as the code runs."""
    return "import_module" in text or "__import__" in text


def _is_unsure(plain: str) -> bool:
    # One character is looked for a hundred times as fast as a pattern.
    return (
        names_modules(plain)
        or ("\\" in plain and _GOES_ON.search(plain) is not None)
        or _WITHIN.search(plain) is not None
        or "\x0c" in plain
        or ("\r" in plain and _ALONE.search(plain) is not None)
        or _OTHER_FROM.search(plain) is not None
    )


def _blank(match: re.Match[str]) -> str:
    text = match[0]
    if text[0] == "#":
        return ""
    # A text stands for a value; one that goes over lines keeps their ends, so that numbers of lines stay.
    return "0" if "\n" not in text else "0" + _WITHIN_LINES.sub("", text)


def _modules(word: str, rest: str) -> list[str] | None:
    if word == "import":
        return [part.split()[0] for part in rest.split(",")] if _IMPORT.fullmatch(rest) else None
    taken = _FROM.match(rest)
    # Of the parted ones it depends on the names, which may go on in further lines.
    return None if taken is None or taken[1] in PARTED else [taken[1]]


def _around(lines: list[str], at: int, indent: str) -> tuple[bool, bool] | None:
    """Whether a line stands in a function, and in what only type checkers read.

    None where it stands in `try`, or where a line above it is not what it seems.
    """
    in_function = typing = False
    ends = False  # the header that was met goes over lines, and its first one is looked for
    for number in range(at - 1, -1, -1):
        line = lines[number].rstrip()
        inner = line.lstrip(" \t")
        if not inner or inner == "0":
            continue
        here = line[: len(line) - len(inner)]
        if not indent.startswith(here):
            if len(here.expandtabs()) <= len(indent.expandtabs()):
                return None  # tabs and spaces in turn
            continue
        if here == indent and not ends:
            continue
        if here != indent and ends:
            return None
        if not ends and inner.startswith(")") and inner.endswith(":"):
            ends, indent = True, here
            continue
        header = (_HEADER_BEGINS if ends else _HEADER).match(inner)
        # No header: the end of a bracket, or of a header that is written in another way.
        if header is None or header[1] in ("try", "except"):
            return None
        if "TYPE_CHECKING" in inner:
            if not _TYPING.fullmatch(inner):
                return None
            typing = True
        in_function |= header[1].endswith("def")
        ends, indent = False, here
        if not indent:
            return in_function, typing
    return None

"""Lines of audited files: shown with findings, and read for the comments that take a finding back."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dataguard.core.errors import SourceError
from dataguard.core.exhibit import Excerpt
from dataguard.core.finding import Finding, Location
from dataguard.core.paths import decode_path, encode_path
from dataguard.core.project_files import walk

MOST_EXCERPTS = 4
"""Places of a finding that are shown with their lines."""
MOST_OF_A_FILE = 4 * 2**20
"""Bytes of a file that are read for its lines; longer ones are not written by people."""
AROUND = 2
"""Lines before and after."""
_LONGEST = 400

_COMMENTED = (".py", ".ipynb", ".txt", ".toml", ".cfg", ".yaml", ".yml")
_COMMENT = re.compile(r"#\s*dataguard:\s*ignore\[([^\]]*)\]\s*(.*)")


class Lines:
    """The lines of the files of a folder, each file read once and never beyond the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.of = lru_cache(maxsize=256)(self._of)

    def _of(self, path: str) -> tuple[str, ...]:
        """The lines of a text file, without what ends them; () where it cannot be read as one.

        A notebook's are those of its file, as editors and code hosts number them, as the code that they stand for.
        """
        try:
            file = (self.folder / decode_path(path)).resolve()
            if not file.is_relative_to(self.folder.resolve()) or not file.is_file():
                return ()
            if file.stat().st_size > MOST_OF_A_FILE:
                return ()
            content = file.read_bytes()
        except (OSError, ValueError, SourceError):
            return ()
        if b"\0" in content[:8192]:
            return ()
        lines = re.split(r"\r\n|\r|\n", content.decode("utf-8", "replace"))
        return tuple(map(_code, lines) if path.endswith(".ipynb") else lines)


def _mentions(path: Path, word: bytes) -> bool:
    """Whether a file has a word, as far as files are read."""
    try:
        return path.stat().st_size <= MOST_OF_A_FILE and word in path.read_bytes()
    except OSError:
        return False


def _code(line: str) -> str:
    r"""The code that a line of a notebook's file stands for; another line as it is.

    >>> _code('    "x = 1\\n",')
    'x = 1'
    """
    text = line.strip().removesuffix(",")
    if not text.startswith('"'):
        return line
    try:
        found = json.loads(text)
    except ValueError:
        return line
    return str(found).rstrip("\r\n")


def with_excerpts(finding: Finding, lines: Lines) -> Finding:
    """A finding with the lines of code that its places name, those first."""
    shown: list[Excerpt] = []
    for place in _apart(finding.locations):
        text = lines.of(place.path or "")
        line = place.line or 0
        if 0 < line <= len(text):
            first, last = max(1, line - AROUND), min(len(text), line + AROUND)
            shown.append(
                Excerpt(
                    title=f"{place.path}:{line}",
                    path=str(place.path),
                    start=first,
                    lines=tuple(item[:_LONGEST] for item in text[first - 1 : last]),
                    marked=(line,),
                )
            )
        if len(shown) == MOST_EXCERPTS:
            break
    return dataclasses.replace(finding, exhibits=(*shown, *finding.exhibits)) if shown else finding


def _apart(places: tuple[Location, ...]) -> Iterator[Location]:
    seen: set[tuple[str, int]] = set()
    for place in places:
        if place.path is not None and place.line is not None and (place.path, place.line) not in seen:
            seen.add((place.path, place.line))
            yield place


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """A comment that takes a finding back, or would if it said why."""

    path: str
    line: int
    named: frozenset[str]
    """Codes and names of rules, in small letters."""
    reason: str
    """'' where none is given: then the comment has no effect."""

    def names(self, code: str, name: str) -> bool:
        """Whether it means a rule."""
        return not self.named.isdisjoint({code.lower(), name.lower()})


def ignored(finding: Finding, lines: Lines) -> Comment | None:
    """The comment ``# dataguard: ignore[CODE] why`` at one of a finding's lines, if there is one.

    It stands at the end of the line, or alone on the line above. Several codes or names are separated by commas. One
    that gives no reason is returned without one, and takes nothing back.
    """
    found: Comment | None = None
    for place in _apart(finding.locations):
        text = lines.of(place.path or "")
        line = place.line or 0
        for at in (line, line - 1):
            if not 0 < at <= len(text) or (at != line and not text[at - 1].lstrip().startswith("#")):
                continue
            comment = _comment(str(place.path), at, text[at - 1])
            if comment is not None and comment.names(finding.code, finding.name):
                found = comment
                if found.reason:
                    return found
    return found


def _comment(path: str, line: int, text: str) -> Comment | None:
    found = _COMMENT.search(text)
    if found is None:
        return None
    named = frozenset(word.strip().lower() for word in found[1].split(","))
    return Comment(path=path, line=line, named=named, reason=found[2].strip())


def comments(folder: Path, lines: Lines) -> Iterator[Comment]:
    """Every such comment in the scripts, notebooks and texts of a folder."""
    for parent, names in walk(folder):
        for name in names:
            if not name.endswith(_COMMENTED) or not _mentions(parent / name, b"dataguard:"):
                continue
            path = encode_path((parent / name).relative_to(folder).as_posix())
            for number, text in enumerate(lines.of(path), 1):
                comment = _comment(path, number, text)
                if comment is not None:
                    yield comment

"""Making the changes that findings propose, or showing them as a diff."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dataguard.core.atomic import write_atomically
from dataguard.core.finding import Edit

_MOST_BYTES = 16 * 1024 * 1024
_PART_OF_A_NAME = r"[\w.\-\[\]=<>!~]"


@dataclass(frozen=True, kw_only=True, slots=True)
class EditedFile:
    """One file as it is and as it would be."""

    path: str
    """As the edits name it."""
    before: str | None
    """Its text; None where there is no such file."""
    after: str

    @property
    def diff(self) -> str:
        """The change as `git apply` and `patch -p1` take it."""
        import difflib

        old, new = (_diff_lines(text) for text in (self.before or "", self.after))
        source = "/dev/null" if self.before is None else f"a/{self.path}"
        lines = list(difflib.unified_diff(old, new, source, f"b/{self.path}"))
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class NotMade:
    """An edit that was not made."""

    edit: Edit
    reason: str


def _diff_lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+$", text)


def edited(edits: Iterable[Edit], root: str | Path) -> tuple[tuple[EditedFile, ...], tuple[NotMade, ...]]:
    r"""What files become by some edits; nothing is written.

    A file changes in those places alone: its encoding mark, its line ends and all else stay. An edit whose text does
    not stand where it says, or stands there twice, is not made.

    Args:
        edits: The edits; those that are equal are made once.
        root: The folder that their paths are relative to; nothing outside it is touched.
    """
    by_path: dict[str, list[Edit]] = {}
    for edit in dict.fromkeys(edits):
        by_path.setdefault(edit.path, []).append(edit)
    files, refused = [], list[NotMade]()
    for path, wanted in by_path.items():
        before, problem = _text(Path(root), path)
        if problem:
            refused += [NotMade(edit=edit, reason=problem) for edit in wanted]
            continue
        after = before or ""
        # From the last line to the first, so that the lines of the others stay where they are.
        for edit in sorted(wanted, key=lambda item: item.line if item.old else 0, reverse=True):
            changed = _changed(after, edit, is_new=before is None)
            if changed is None:
                refused.append(NotMade(edit=edit, reason=f"line {edit.line} does not read {edit.old!r}, or twice"))
            else:
                after = changed
        if after != (before or ""):
            files.append(EditedFile(path=path, before=before, after=after))
    return tuple(files), tuple(refused)


def write_edited(files: Iterable[EditedFile], root: str | Path) -> Iterator[str]:
    """Write changed files, each whole or not at all; their paths, as each is written.

    Raises:
        OutputError: one cannot be written; those before it were.
    """
    for file in files:
        write_atomically(Path(root, file.path), file.after.encode("utf-8", "surrogateescape"))
        yield file.path


def _text(root: Path, path: str) -> tuple[str | None, str]:
    """A file's text, None where there is no file; or why it is not touched."""
    target = Path(root, path)
    whole = os.path.realpath(target)
    if os.path.commonpath([whole, os.path.realpath(root)]) != os.path.realpath(root):
        return None, "it lies outside of the project"
    if not target.exists():
        return None, ""
    try:
        if target.stat().st_size > _MOST_BYTES or not target.is_file():
            return None, "it is no file of text"
        return target.read_bytes().decode("utf-8"), ""
    except UnicodeDecodeError:
        return None, "it is not in UTF-8"
    except OSError as error:
        return None, f"it cannot be read: {error.strerror}"


def _changed(text: str, edit: Edit, *, is_new: bool) -> str | None:
    end = "\r\n" if "\r\n" in text else "\n"
    new = edit.new.replace("\n", end)
    if not edit.old:
        if is_new or not text or text.endswith("\n"):
            return f"{text}{new}{end}"
        return f"{text}{end}{new}{end}"
    starts = [0, *(match.end() for match in re.finditer(r"\n", text))]
    if not 1 <= edit.line <= len(starts):
        return None
    begin = starts[edit.line - 1]
    stop = starts[edit.line] if edit.line < len(starts) else len(text)
    # Words may be parted by other spaces than in `old`, and by a line that goes on.
    words = r"(?:[^\S\n]|\\\r?\n)+".join(map(re.escape, edit.old.split()))
    pattern = re.compile(f"(?<!{_PART_OF_A_NAME}){words}(?!{_PART_OF_A_NAME})")
    found = [match for match in pattern.finditer(text, begin) if match.start() < stop]
    if len(found) != 1:
        return None
    return text[: found[0].start()] + new + text[found[0].end() :]

"""Reading a file that someone else wrote: size, encoding and failures, the same for every format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dataguard.environment.declared import DeclaredFile, Problem, Role

MAX_BYTES = 64 * 2**20
"""The largest file that is read; lock files of very large projects have a few megabytes."""


class UnreadableFile(Exception):
    """A file that gives nothing; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


def read_text(path: Path, name: str) -> str:
    """The file as text: UTF-8, or UTF-16 where its mark says so; Latin-1 where it is neither.

    Args:
        path: The file.
        name: What a problem calls it.

    Raises:
        UnreadableFile: it cannot be opened, or is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise unreadable(name, f"cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_BYTES:
        raise unreadable(name, f"larger than {MAX_BYTES:,} bytes")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def unreadable(name: str, reason: str, line: int = 1) -> UnreadableFile:
    """The error of a file that gives nothing."""
    return UnreadableFile(Problem(path=name, line=line, reason=reason))


def read_declared(
    parse: Callable[[str, str], DeclaredFile], path: Path, name: str, *, kind: str, role: Role
) -> DeclaredFile:
    """A file by its parser; where it gives nothing, a record of what is the matter.

    Args:
        parse: From its text and its name to what it declares; may raise `UnreadableFile`.
        path: The file.
        name: What its records call it.
        kind: Of the record where it gives nothing.
        role: Likewise.
    """
    try:
        return parse(read_text(path, name), name)
    except UnreadableFile as error:
        return DeclaredFile(path=name, kind=kind, role=role, problems=(error.problem,))

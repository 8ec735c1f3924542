"""Standard output and standard error in a job of GitHub Actions: what is printed there is read, never run."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from dataguard.core.workflow_commands import in_github_log, inert


class InertStream:
    """A stream whose lines a job of GitHub Actions does not take for commands.

    A line is held until it ends or the stream is flushed: a command may come in pieces.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._held = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text; commands in it are shown, and do not act."""
        whole, newline, self._held = (self._held + text).rpartition("\n")
        if newline:
            self._stream.write(inert(whole) + newline)
        return len(text)

    def flush(self) -> None:
        """Write what is held of a line."""
        self._stream.write(inert(self._held))
        self._held = ""
        self._stream.flush()

    def write_report(self, text: str, kind: str) -> None:
        """Write a report in one of the formats; the annotations of 'github' are commands, and meant."""
        self.flush()
        self._stream.write(text if kind == "github" else inert(text, kind))


@contextlib.contextmanager
def inert_streams() -> Iterator[None]:
    """Have nothing that is printed act on the job, while the block runs in one of GitHub Actions."""
    if not in_github_log():
        yield
        return
    out, err = InertStream(sys.stdout), InertStream(sys.stderr)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield
    finally:
        err.flush()
        with contextlib.suppress(BrokenPipeError):
            out.flush()


def print_report(text: str, kind: str) -> None:
    """Print a report in one of the formats."""
    if isinstance(sys.stdout, InertStream):
        sys.stdout.write_report(text, kind)
    else:
        sys.stdout.write(text)

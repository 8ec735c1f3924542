"""The changes that a report's findings propose: shown as a diff, or made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataguard.core.edits import NotMade
    from dataguard.core.finding import Edit
    from dataguard.core.report import Report


def show_diff(report: Report) -> None:
    """Print what `make_changes` would do, as `git apply` takes it; what it would leave out goes to standard error."""
    from dataguard.core.edits import edited

    files, refused = edited(_edits(report), report.subject.root)
    for file in files:
        sys.stdout.write(file.diff)
    _tell(refused)
    if not files:
        print("dataguard: nothing can be changed without a person's decision", file=sys.stderr)


def make_changes(report: Report) -> None:
    """Make the changes and say which files they were in.

    Raises:
        OutputError: a file cannot be written.
    """
    from dataguard.core.edits import edited, write_edited
    from dataguard.core.text import printable

    files, refused = edited(_edits(report), report.subject.root)
    n = len(dict.fromkeys(_edits(report))) - len(refused)
    for path in write_edited(files, report.subject.root):
        print(f"changed: {printable(path)}")
    _tell(refused)
    print(f"{n} {'change' if n == 1 else 'changes'} made; the report above is of before: check again")


def _edits(report: Report) -> Iterator[Edit]:
    for finding in report.findings:
        yield from finding.edits


def _tell(refused: tuple[NotMade, ...]) -> None:
    from dataguard.core.text import printable

    for item in refused:
        print(f"dataguard: not changed: {printable(item.edit.path)}: {printable(item.reason)}", file=sys.stderr)

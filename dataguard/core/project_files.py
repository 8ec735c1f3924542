"""The files of a project, without other people's code."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

SKIPPED_FOLDERS = frozenset(
    {"__pycache__", "node_modules", "site-packages", "dist-packages", "venv", "env", "build", "dist"}
)
"""Folders that hold other people's files, beside those whose name begins with a dot or ends with ``.egg-info``."""
PYTHON_SUFFIXES = (".py", ".ipynb")
"""What is taken for code in a folder."""


def find_python(root: Path, exclude: Sequence[str] = ()) -> Iterator[Path]:
    """The scripts and notebooks below a folder, by their paths, `SKIPPED_FOLDERS` left out.

    Args:
        root: The folder.
        exclude: Globs of what to leave out, as `is_excluded` takes them.
    """
    for parent, folders, files in os.walk(root):
        within = Path(parent).relative_to(root)
        folders[:] = sorted(
            name
            for name in folders
            if name not in SKIPPED_FOLDERS
            and not name.startswith(".")
            and not name.endswith(".egg-info")
            and not is_excluded(within / name, exclude)
        )
        for name in sorted(files):
            if name.endswith(PYTHON_SUFFIXES) and not is_excluded(within / name, exclude):
                yield Path(parent) / name


def is_excluded(path: Path, patterns: Sequence[str]) -> bool:
    """Whether a glob matches a path, relative to the project, or its last part.

    >>> [is_excluded(Path("old/train_test.py"), [pattern]) for pattern in ("*_test.py", "old/*", "train")]
    [True, True, False]
    """
    return any(fnmatch.fnmatch(path.name, pattern) or fnmatch.fnmatch(path.as_posix(), pattern) for pattern in patterns)

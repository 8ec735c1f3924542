"""The files of a project, without other people's code."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Container, Iterator, Sequence
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
    for parent, files in walk(root, exclude):
        within = parent.relative_to(root)
        for name in files:
            if name.endswith(PYTHON_SUFFIXES) and not is_excluded(within / name, exclude):
                yield parent / name


def walk(root: Path, exclude: Sequence[str] = (), keep: Container[str] = ()) -> Iterator[tuple[Path, list[str]]]:
    """The folders of a project with the names of their files, in order; links to folders are not followed.

    Args:
        root: The folder.
        exclude: Globs of folders to leave out, as `is_excluded` takes them.
        keep: Names of folders to go through although they are other people's.
    """
    for parent, folders, files in os.walk(root):
        within = Path(parent).relative_to(root)
        folders[:] = sorted(
            name
            for name in folders
            if (name in keep or not is_foreign(name)) and not is_excluded(within / name, exclude)
        )
        yield Path(parent), sorted(files)


def is_foreign(folder: str) -> bool:
    """Whether a folder of that name holds other people's files, or what tools leave.

    >>> [is_foreign(name) for name in ("venv", ".git", "model.egg-info", "src")]
    [True, True, True, False]
    """
    return folder in SKIPPED_FOLDERS or folder.startswith(".") or folder.endswith(".egg-info")


def is_excluded(path: Path, patterns: Sequence[str]) -> bool:
    """Whether a glob matches a path, relative to the project, or its last part.

    >>> [is_excluded(Path("old/train_test.py"), [pattern]) for pattern in ("*_test.py", "old/*", "train")]
    [True, True, False]
    """
    return any(fnmatch.fnmatch(path.name, pattern) or fnmatch.fnmatch(path.as_posix(), pattern) for pattern in patterns)

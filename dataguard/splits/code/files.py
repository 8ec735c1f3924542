"""Find and analyse the code of a project."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataguard.core.errors import SourceError
from dataguard.core.python_source import read_python
from dataguard.splits.code.analysis import CodeAnalysis, analyse

SUFFIXES = (".py", ".ipynb")
"""What is taken for code in a folder."""
SKIPPED_FOLDERS = frozenset(
    {"__pycache__", "node_modules", "site-packages", "dist-packages", "venv", "env", "build", "dist", "egg-info"}
)
"""Folders that hold other people's code, beside those whose name begins with a dot."""
MAX_FILES = 20_000
"""Files of a folder that are analysed."""


@dataclass(frozen=True, kw_only=True)
class CodeFiles:
    """The analysed scripts and notebooks of a project."""

    analyses: tuple[CodeAnalysis, ...]
    """One a file, in the order of their names."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """Files that could not be read, with the reason."""
    root: str = ""
    """The absolute folder that the files' names are relative to; '' where they are absolute."""


def find_code(paths: Sequence[Path], exclude: Sequence[str] = ()) -> Iterator[Path]:
    """The scripts and notebooks that paths name, each once.

    Args:
        paths: Files, taken whatever their suffix, and folders, looked through for `SUFFIXES`.
        exclude: Globs; what matches one, by its name or its path from the folder, is left out.

    Raises:
        SourceError: there is nothing at a path, or a folder holds too many files.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.is_file():
            if path not in seen:
                seen.add(path)
                yield path
            continue
        if not path.is_dir():
            raise SourceError(
                "no such file or folder", where=path, hint="code.paths names scripts, notebooks or folders"
            )
        for found in _of_folder(path, exclude):
            if found not in seen:
                seen.add(found)
                if len(seen) > MAX_FILES:
                    raise SourceError(f"more than {MAX_FILES:,} files", where=path, hint="name fewer folders")
                yield found


def _of_folder(folder: Path, exclude: Sequence[str]) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        within = Path(parent).relative_to(folder)
        folders[:] = sorted(
            name
            for name in folders
            if name not in SKIPPED_FOLDERS
            and not name.startswith(".")
            and not name.endswith(".egg-info")
            and not _matches(within / name, exclude)
        )
        for name in sorted(files):
            if name.endswith(SUFFIXES) and not _matches(within / name, exclude):
                yield Path(parent) / name


def _matches(path: Path, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(path.name, pattern) or fnmatch.fnmatch(path.as_posix(), pattern) for pattern in patterns)


def analyse_files(
    paths: Sequence[Path],
    *,
    exclude: Sequence[str] = (),
    root: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> CodeFiles:
    """Analyse every script and notebook that paths name; nothing is run.

    Args:
        paths: Files and folders.
        exclude: Globs of what to leave out of the folders.
        root: What names are given relative to, where they lie below it.
        progress: Told how far it is.

    Raises:
        SourceError: there is nothing at a path.
    """
    analyses: list[CodeAnalysis] = []
    unreadable: list[tuple[str, str]] = []
    found = list(find_code(paths, exclude))
    for number, path in enumerate(found):
        if progress is not None:
            progress("reading the code", number, len(found))
        name = _name(path, root)
        try:
            analyses.append(analyse(read_python(path, name=name)))
        except SourceError as error:
            unreadable.append((name, error.message))
    return CodeFiles(
        analyses=tuple(analyses), unreadable=tuple(unreadable), root="" if root is None else str(root.absolute())
    )


def _name(path: Path, root: Path | None) -> str:
    if root is None:
        return path.as_posix()
    try:
        return path.absolute().relative_to(root.absolute()).as_posix()
    except ValueError:
        return path.absolute().as_posix()

"""Find and analyse the code of a project."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataguard.core.errors import SourceError
from dataguard.core.project_files import find_python
from dataguard.core.python_files import PythonFiles, uncollected
from dataguard.splits.code.analysis import CodeAnalysis, analyse
from dataguard.splits.code.own_modules import OwnModules

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
        paths: Files, taken whatever their suffix, and folders, looked through for scripts and notebooks.
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
        for found in find_python(path, exclude):
            if found not in seen:
                seen.add(found)
                if len(seen) > MAX_FILES:
                    raise SourceError(f"more than {MAX_FILES:,} files", where=path, hint="name fewer folders")
                yield found


def analyse_files(
    paths: Sequence[Path],
    *,
    exclude: Sequence[str] = (),
    root: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    files: PythonFiles | None = None,
) -> CodeFiles:
    """Analyse every script and notebook that paths name; nothing is run.

    Args:
        paths: Files and folders.
        exclude: Globs of what to leave out of the folders.
        root: What names are given relative to, where they lie below it.
        progress: Told how far it is.
        files: Reads the files, each once; by default made for this.

    Raises:
        SourceError: there is nothing at a path.
    """
    analyses: list[CodeAnalysis] = []
    unreadable: list[tuple[str, str]] = []
    found = list(find_code(paths, exclude))
    folders = [path for path in (*paths, *(() if root is None else (root,))) if path.is_dir()]
    files = files or PythonFiles()
    modules = OwnModules(folders, lambda module: _name(module, root), files)
    with uncollected():
        for number, path in enumerate(found):
            if progress is not None:
                progress("reading the code", number, len(found))
            name = _name(path, root)
            try:
                analyses.append(analyse(files.read(path, name=name), path=path, modules=modules))
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

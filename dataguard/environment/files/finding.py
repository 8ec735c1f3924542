"""Find and read every file of a project that says what it needs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dataguard.core.errors import SourceError
from dataguard.core.project_files import is_excluded, walk
from dataguard.environment.declared import (
    DeclaredEnvironment,
    DeclaredFile,
    Problem,
    PythonVersion,
    Role,
    of_development,
)
from dataguard.environment.files.conda import read_conda
from dataguard.environment.files.dockerfile import read_dockerfile
from dataguard.environment.files.pipfile import read_pipfile, read_pipfile_lock
from dataguard.environment.files.poetry_lock import read_poetry_lock
from dataguard.environment.files.pylock import read_pylock
from dataguard.environment.files.pyproject import read_pyproject
from dataguard.environment.files.requirements_txt import Include, RequirementsText, read_file
from dataguard.environment.files.setup_cfg import read_setup_cfg
from dataguard.environment.files.setup_py import read_setup_py
from dataguard.environment.files.text_file import UnreadableFile, read_text
from dataguard.environment.files.uv_lock import read_uv_lock
from dataguard.environment.requirement import Pin, Requirement

MAX_FOLDERS = 20_000
"""Folders that are looked through."""
MAX_DECLARING = 1_000
"""Files that are read."""

_EXACT: Mapping[str, Callable[[Path, str], DeclaredFile]] = {
    "pyproject.toml": read_pyproject,
    "setup.cfg": read_setup_cfg,
    "setup.py": read_setup_py,
    "Pipfile": read_pipfile,
    "Pipfile.lock": read_pipfile_lock,
    "poetry.lock": read_poetry_lock,
    "uv.lock": read_uv_lock,
}
_PYLOCK = re.compile(r"pylock(?:\.[^.]+)?\.toml")
_DOCKER = re.compile(r"(?:Dockerfile|Containerfile)(?:[._-][\w.-]+)?|[\w.-]+\.(?:[Dd]ockerfile|Containerfile)")
_CONDA = re.compile(
    r"(?:[\w.-]*environment[\w.-]*|conda[\w.-]*|[\w.-]*conda-lock)\.ya?ml|conda[\w.-]*\.lock|explicit[\w.-]*\.lock",
    re.IGNORECASE,
)
_REQUIREMENTS = re.compile(r"[\w.-]*(?:requirement|constraint)s?[\w.-]*\.(?:txt|in|lock|pip)", re.IGNORECASE)


def find_files(root: Path, exclude: Sequence[str] = ()) -> Iterator[Path]:
    """Every file below a folder that says what the project needs, in the order of their paths, nearest first.

    Args:
        root: A folder.
        exclude: Globs; what matches one, by its name or its path from the folder, is left out.
    """
    for count, (parent, files) in enumerate(walk(root, exclude, keep=(".devcontainer",))):
        if count >= MAX_FOLDERS:
            return
        within = parent.relative_to(root)
        for name in files:
            if is_declaring(within / name) and not is_excluded(within / name, exclude):
                yield parent / name


def is_declaring(path: Path) -> bool:
    """Whether a file of that name says what a project needs.

    >>> [is_declaring(Path(name)) for name in ("requirements/dev.txt", "Dockerfile.gpu", "notes.txt")]
    [True, True, False]
    """
    name = path.name
    return (
        name in _EXACT
        or name in (".python-version", "runtime.txt")
        or any(pattern.fullmatch(name) for pattern in (_PYLOCK, _REQUIREMENTS, _CONDA, _DOCKER))
        or (path.parent.name in ("requirements", "reqs") and path.suffix in (".txt", ".in"))
    )


def read_environment_files(
    path: Path,
    *,
    exclude: Sequence[str] = (),
    prefix: str = "",
    progress: Callable[[str, int, int], None] | None = None,
) -> DeclaredEnvironment:
    """Read everything that says what a project needs; nothing is run and no address is opened.

    Args:
        path: The project's folder, or one of its files, which is then read with what it includes.
        exclude: Globs of what to leave out.
        prefix: What the report puts before paths.
        progress: Told how far it is.

    Raises:
        SourceError: there is no such file or folder.
    """
    if not path.exists():
        raise SourceError("no such file or folder", where=path, hint="environment.path names a project's folder")
    root = path if path.is_dir() else path.parent
    paths = list(find_files(root, exclude)) if path.is_dir() else [path]
    collection = _Collection(root)
    for number, found in enumerate(paths[:MAX_DECLARING]):
        if progress is not None:
            progress("reading requirements", number, len(paths))
        collection.add(found.relative_to(root).as_posix())
    files = collection.finished()
    return DeclaredEnvironment(
        root=str(root.absolute()),
        files=files,
        prefix=prefix,
        local_names=frozenset(file.provides for file in files if file.provides),
    )


class _Collection:
    """The files read so far, with what they include."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, DeclaredFile] = {}
        self.as_constraints: set[str] = set()
        self.edges: dict[str, list[tuple[str, int]]] = {}

    def add(self, name: str, *, constraint: bool = False) -> None:
        pending = [(name, constraint)]
        while pending:
            current, as_constraint = pending.pop()
            if as_constraint:
                self.as_constraints.add(current)
            if current in self.files or len(self.files) >= MAX_DECLARING:
                continue
            read = _reader(Path(current))
            if read is not None:
                self.files[current] = read(self.root / current, current)
                continue
            text = read_file(self.root / current, name=current, root=self.root)
            file, included = self._requirements(text)
            self.files[current] = file
            pending += included

    def _requirements(self, text: RequirementsText) -> tuple[DeclaredFile, list[tuple[str, bool]]]:
        problems: list[Problem] = []
        found: list[tuple[str, bool]] = []
        folder = text.path.rpartition("/")[0]
        for entry in text.entries:
            if isinstance(entry, Problem):
                problems.append(entry)
            elif isinstance(entry, Include):
                target = os.path.normpath(f"{folder}/{entry.target}" if folder else entry.target)
                target = target.replace(os.sep, "/")
                reason = self._not_followed(target, entry.target)
                if reason:
                    fatal = reason == "there is no such file"
                    problems.append(
                        Problem(path=text.path, line=entry.line, reason=reason, text=entry.target[:120], fatal=fatal)
                    )
                else:
                    found.append((target, entry.constraint))
                    self.edges.setdefault(text.path, []).append((target, entry.line))
        requirements = tuple(entry for entry in text.entries if isinstance(entry, Requirement))
        file = DeclaredFile(
            path=text.path,
            kind="requirements.txt",
            role=_role(text, requirements),
            requirements=requirements,
            includes=tuple(target for target, constraint in found if not constraint),
            constraints=tuple(target for target, constraint in found if constraint),
            inputs=tuple(os.path.normpath(f"{folder}/{name}" if folder else name) for name in text.inputs),
            problems=tuple(problems),
            require_hashes=text.require_hashes,
        )
        return file, found

    def _not_followed(self, target: str, written: str) -> str:
        if re.match(r"(?:https?|file):", written, re.IGNORECASE):
            return "names an address, which is not opened"
        if target.startswith(("../", "/")) or target == "..":
            return "lies outside the project and is not opened"
        try:
            # A link may lead out, too.
            inside = (self.root / target).resolve().is_relative_to(self.root.resolve())
            there = (self.root / target).is_file()
        except (OSError, ValueError, RuntimeError):
            return "there is no such file"
        if not there:
            return "there is no such file"
        return "" if inside else "lies outside the project and is not opened"

    def finished(self) -> tuple[DeclaredFile, ...]:
        for path, line, target in self._circles():
            file = self.files[path]
            problem = Problem(path=path, line=line, reason="the file includes itself", text=target)
            self.files[path] = replace(file, problems=(*file.problems, problem))
        for path in self.as_constraints & self.files.keys():
            file = self.files[path]
            if file.role in (Role.APPLICATION, Role.DEVELOPMENT):
                marked = tuple(replace(item, constraint=True) for item in file.requirements)
                self.files[path] = replace(file, role=Role.CONSTRAINTS, requirements=marked)
        return tuple(sorted(self.files.values(), key=lambda file: (file.path.count("/"), file.path)))

    def _circles(self) -> Iterator[tuple[str, int, str]]:
        """The lines that lead back to a file that is being read."""
        done: set[str] = set()
        for start in self.edges:
            if start in done:
                continue
            above = [start]
            pending = [iter(self.edges[start])]
            while pending:
                step = next(pending[-1], None)
                if step is None:
                    pending.pop()
                    done.add(above.pop())
                elif step[0] in above:
                    yield above[-1], step[1], step[0]
                elif step[0] not in done and step[0] in self.edges:
                    above.append(step[0])
                    pending.append(iter(self.edges[step[0]]))


def _reader(path: Path) -> Callable[[Path, str], DeclaredFile] | None:
    """What reads a file; None for what pip reads."""
    if path.name in _EXACT:
        return _EXACT[path.name]
    if path.name in (".python-version", "runtime.txt"):
        return read_python_version
    for pattern, read in ((_PYLOCK, read_pylock), (_CONDA, read_conda), (_DOCKER, read_dockerfile)):
        if pattern.fullmatch(path.name):
            return read
    return None


def read_python_version(path: Path, name: str) -> DeclaredFile:
    """Read ``.python-version`` (pyenv, uv) or ``runtime.txt`` (Heroku and its like).

    Args:
        path: The file.
        name: What its records call it.
    """
    try:
        text = read_text(path, name)
    except UnreadableFile as error:
        return DeclaredFile(path=name, kind="python-version", role=Role.APPLICATION, problems=(error.problem,))
    for number, line in enumerate(text.splitlines(), start=1):
        match = re.fullmatch(r"\s*(?:python-?|cpython-?)?(\d+(?:\.\d+){1,2})\s*", line)
        if match is not None:
            specifier = f"=={match[1]}" if match[1].count(".") == 2 else f"=={match[1]}.*"
            python = PythonVersion(specifier=specifier, written=line.strip(), path=name, line=number)
            return DeclaredFile(path=name, kind="python-version", role=Role.APPLICATION, python=(python,))
    return DeclaredFile(path=name, kind="python-version", role=Role.APPLICATION)


def _role(text: RequirementsText, requirements: tuple[Requirement, ...]) -> Role:
    name = text.path.rpartition("/")[2].lower()
    if name.endswith(".in"):
        return Role.INPUT
    exact = bool(requirements) and all(item.pin in (Pin.EXACT, Pin.LOCAL) for item in requirements)
    hashed = any(item.hashes for item in requirements)
    if text.compiled or (exact and hashed) or name.endswith(".lock"):
        return Role.LOCK
    if name.startswith("constraint"):
        return Role.CONSTRAINTS
    return Role.DEVELOPMENT if of_development(text.path) else Role.APPLICATION

"""Everything that a project's files say it needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from dataguard.environment.requirement import Requirement

_OF_DEVELOPMENT = re.compile(
    r"(?:^|[-_./])(?:dev|develop|development|test|tests|testing|doc|docs|lint|ci|build|style|typing|notebooks?)"
    r"(?:$|[-_./])",
    re.IGNORECASE,
)


def of_development(path: str) -> bool:
    """Whether a file's path says that it is of tests, tools or documentation.

    >>> of_development("requirements-dev.txt"), of_development("requirements.txt")
    (True, False)
    """
    return _OF_DEVELOPMENT.search(re.sub(r"\.\w+$", "", path)) is not None


class Role(Enum):
    """What a file is for, which decides what is expected of it."""

    APPLICATION = "application"
    """What is installed to run the project, as ``requirements.txt``: versions belong in it, or in a lock beside it."""
    LIBRARY = "library"
    """Metadata of a package that others install (``pyproject.toml``, ``setup.py``): ranges are right here."""
    INPUT = "input"
    """What a lock is compiled from, as ``requirements.in``."""
    LOCK = "lock"
    """Everything, transitive packages included, with one version each."""
    CONSTRAINTS = "constraints"
    """Versions only; it asks for nothing."""
    DEVELOPMENT = "development"
    """Tools, tests and documentation: nothing that a result depends on."""
    IMAGE = "image"
    """A Dockerfile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A line that cannot be read, or that installs nothing."""

    path: str
    line: int
    reason: str
    """What is the matter, in words."""
    text: str = ""
    """The line, cut to 120 characters."""
    fatal: bool = True
    """Whether the installer stops at it, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonVersion:
    """What a file says of the version of Python."""

    specifier: str
    """PEP 440, as ``>=3.8`` or ``==3.11.*``."""
    written: str
    path: str
    line: int

    @property
    def fixed(self) -> bool:
        """Whether it names one minor version at least: ``3.11`` or ``3.11.4``, not ``>=3.8``."""
        text = self.specifier.removeprefix("===").removeprefix("==").removesuffix(".*")
        return self.specifier.startswith("==") and "," not in text and text.count(".") >= 1


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseImage:
    """A ``FROM`` line of a Dockerfile."""

    written: str
    """As it stands there, from ``FROM`` on."""
    image: str
    """The name with variables filled in, without tag and digest."""
    tag: str
    """'' where none is given, which means ``latest``."""
    digest: str
    """``sha256:…``; '' where none is given."""
    unresolved: bool
    """It holds a variable that only the build knows."""
    path: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemPackage:
    """A package that a Dockerfile installs through the system's package manager."""

    name: str
    version: str
    """'' where it is left open."""
    manager: str
    """'apt', 'apk', 'yum' or 'conda'."""
    written: str
    path: str
    line: int
    snapshot: bool = False
    """The package archive is one of a fixed day (``snapshot.debian.org``)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredFile:
    """One file that says what the project needs."""

    path: str
    """From the root, with forward slashes."""
    kind: str
    """The format: 'requirements.txt', 'pyproject.toml', 'setup.cfg', 'setup.py', 'Pipfile', 'Pipfile.lock',
    'poetry.lock', 'uv.lock', 'pylock.toml', 'environment.yml', 'conda-lock', 'Dockerfile', 'python-version'."""
    role: Role
    requirements: tuple[Requirement, ...] = ()
    """Those written in this file; what it includes has a file of its own."""
    includes: tuple[str, ...] = ()
    """Files that it takes in as requirements (``-r``), from the root."""
    constraints: tuple[str, ...] = ()
    """Files that it takes versions from (``-c``)."""
    inputs: tuple[str, ...] = ()
    """What it says that it was compiled from, from the root."""
    python: tuple[PythonVersion, ...] = ()
    images: tuple[BaseImage, ...] = ()
    system_packages: tuple[SystemPackage, ...] = ()
    problems: tuple[Problem, ...] = ()
    provides: str = ""
    """The normalized name of the distribution that it describes."""
    dynamic: tuple[str, ...] = ()
    """Fields that only running something would tell, as ``install_requires`` of a ``setup.py`` that computes it."""
    require_hashes: bool = False

    @property
    def folder(self) -> str:
        """Its folder from the root; '' for the root."""
        return self.path.rpartition("/")[0]

    @property
    def for_development(self) -> bool:
        """Whether it is of tests, tools or documentation, as its name or its folder says."""
        return self.role is Role.DEVELOPMENT or (self.role in (Role.INPUT, Role.LOCK) and of_development(self.path))

    @property
    def installed_exactly(self) -> bool:
        """Whether it says of everything which version, and there is something."""
        from dataguard.environment.requirement import Pin

        asked = [item for item in self.requirements if not item.constraint]
        return bool(asked) and all(item.pin in (Pin.EXACT, Pin.LOCAL) for item in asked)


@dataclass(frozen=True, kw_only=True)
class DeclaredEnvironment:
    """All files of a project that say what it needs.

    ``root`` is absolute; every path of a record is relative to ``root``. `shown` is what a report calls it.
    """

    root: str
    files: tuple[DeclaredFile, ...] = ()
    """By path; nearest the root first."""
    prefix: str = ""
    """What to put before a path so that it is relative to the report's root; '' where they are the same."""
    local_names: frozenset[str] = field(default_factory=frozenset)
    """Normalized names of distributions that the project itself provides."""

    def shown(self, path: str) -> str:
        """A file's path as the report names it."""
        return f"{self.prefix}{path}"

    def of(self, *roles: Role) -> tuple[DeclaredFile, ...]:
        """The files of these roles."""
        return tuple(file for file in self.files if file.role in roles)

    @cached_property
    def by_path(self) -> Mapping[str, DeclaredFile]:
        """Every file by its path."""
        return {file.path: file for file in self.files}

    @property
    def locks(self) -> tuple[DeclaredFile, ...]:
        """The lock files."""
        return self.of(Role.LOCK)

    def requirements(self, *roles: Role) -> Iterator[Requirement]:
        """The requirements of all files, or of those of some roles; constraints left out."""
        for file in self.files:
            if not roles or file.role in roles:
                yield from (item for item in file.requirements if not item.constraint)

    @cached_property
    def pinned(self) -> Mapping[str, tuple[Requirement, ...]]:
        """What has exactly one version somewhere, by normalized name: from locks first, then from other files."""
        found: dict[str, list[Requirement]] = {}
        for file in (*self.locks, *(file for file in self.files if file.role is not Role.LOCK)):
            for item in file.requirements:
                if item.name and item.version is not None and item.ecosystem == "pypi":
                    found.setdefault(item.name, []).append(item)
        return {name: tuple(items) for name, items in found.items()}

    @property
    def python(self) -> tuple[PythonVersion, ...]:
        """What the files say of the version of Python."""
        return tuple(version for file in self.files for version in file.python)

    def facts(self) -> dict[str, int]:
        """Figures worth showing."""
        asked = [item for item in self.requirements() if item.path]
        return {
            "files": len(self.files),
            "requirements": len(asked),
            "pinned": sum(item.version is not None for item in asked),
        }

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be read."""
        return tuple(problem for file in self.files for problem in file.problems)

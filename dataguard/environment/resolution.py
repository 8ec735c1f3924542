"""Whether a resolver finds versions that fit all requirements of a file; asked only when somebody says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dataguard.core.errors import DataguardError
from dataguard.environment.declared import DeclaredEnvironment, Role

if TYPE_CHECKING:
    from dataguard.environment.pinning.index import PackageIndex
    from dataguard.environment.pinning.wanted import LeftOut


@dataclass(frozen=True, kw_only=True, slots=True)
class FileResolution:
    """What came of one file with all that it includes."""

    path: str
    n_asked: int
    """Requirements that the resolver was asked about."""
    n_packages: int | None
    """How many packages fit them; None where there is no solution, or none was found in time."""
    unresolved: tuple[LeftOut, ...]
    """Requirements that cannot be met, whatever the others are."""
    failure: str
    """What the resolver says; '' where there is a solution."""
    unknown: str
    """Why nothing is known, in words; '' where there is an answer."""
    tool: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """What a resolver says of a project's files."""

    files: tuple[FileResolution, ...]
    python: str
    """The version that it was asked for."""
    note: str
    """What to say of that choice."""
    problem: str = ""
    """Why the rest was not resolved; '' where all was."""


_MOST_FILES = 8


def resolve(
    declared: DeclaredEnvironment,
    *,
    index: PackageIndex | None = None,
    deadline: float = 120.0,
    timeout: float = 10.0,
) -> Resolution:
    """Ask uv, or pip-tools where it is not installed, about every file of what is installed to run the project.

    Nothing is installed or built. An index that does not answer ends it: what is not known by then is left open.

    Args:
        declared: The project's files.
        index: The index to ask; by default the one that pip is set to.
        deadline: Seconds for each file.
        timeout: Seconds that the index may be silent.
    """
    from dataguard.environment.pinning.explain import SOURCE_ONLY
    from dataguard.environment.pinning.index import PackageIndex, configured_index
    from dataguard.environment.pinning.pin import pin, python_for
    from dataguard.environment.pinning.wanted import wanted

    results: list[FileResolution] = []
    python = note = ""
    try:
        interpreter, note = python_for(declared, as_of=None)
        python = interpreter.version
        if index is None:
            address, cafile = configured_index()
            index = PackageIndex(address, timeout=timeout, cafile=cafile)
        for path in _paths(declared):
            asked = wanted(declared, chosen=[path])
            if not asked.requirements:
                continue
            found = pin(asked, index=index, python=interpreter, command="", only_binary=True, deadline=deadline)
            if found.unresolved and all(item.reason.startswith(SOURCE_ONLY) for item in found.unresolved):
                # The rest can still be asked about.
                found = replace(
                    pin(
                        asked,
                        index=index,
                        python=interpreter,
                        command="",
                        only_binary=True,
                        leave_out=True,
                        deadline=deadline,
                    ),
                    unresolved=(),
                )
            results.append(
                FileResolution(
                    path=path,
                    n_asked=len(asked.lines),
                    n_packages=None if found.lock is None else len(found.lock.packages),
                    unresolved=found.unresolved,
                    failure=found.failure,
                    unknown=found.failure
                    if found.interrupted
                    else f"{found.without_wheel} would have to be built"
                    if found.without_wheel
                    else "",
                    tool=found.tool,
                )
            )
    except DataguardError as error:
        return Resolution(files=tuple(results), python=python, note=note, problem=str(error).replace("\n", " "))
    return Resolution(files=tuple(results), python=python, note=note)


def _paths(declared: DeclaredEnvironment) -> Iterator[str]:
    included = {path for file in declared.files for path in (*file.includes, *file.constraints)}
    files = [
        file.path
        for file in declared.of(Role.APPLICATION, Role.INPUT, Role.LOCK)
        if file.kind == "requirements.txt" and file.requirements and file.path not in included
    ]
    yield from files[:_MOST_FILES]

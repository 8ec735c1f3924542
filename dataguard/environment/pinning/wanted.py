"""What a project asks for, as lines that a resolver takes; and what of it a lock with hashes cannot hold, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Parsed

from dataguard.environment.declared import DeclaredEnvironment, DeclaredFile, Role
from dataguard.environment.imports import Need, ProjectImports
from dataguard.environment.installed_sets import compiled_from
from dataguard.environment.requirement import Requirement
from dataguard.environment.undeclared import Standing, judged


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """Something that is asked for and not locked."""

    text: str
    """As it is written."""
    place: str
    """The file and line; '' where there is none."""
    reason: str
    """Why, in words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a lock is made from."""

    requirements: tuple[Requirement, ...]
    """What is asked for."""
    constraints: tuple[Requirement, ...]
    """What only says which version."""
    sources: tuple[str, ...]
    """The files that say so, from the project's root; empty where it is the imports."""
    left_out: tuple[LeftOut, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The requirements as PEP 508 writes them, each once."""
        return tuple(dict.fromkeys(map(line_of, self.requirements)))

    @property
    def constraint_lines(self) -> tuple[str, ...]:
        """The constraints, likewise."""
        return tuple(dict.fromkeys(map(line_of, self.constraints)))


def line_of(item: Requirement) -> str:
    """A requirement as PEP 508 writes it.

    >>> line_of(Requirement(name="x", written="", path="r.txt", line=1, extras=("a",), specifier=">=1", marker="m"))
    'x[a]>=1 ; m'
    """
    extras = f"[{','.join(item.extras)}]" if item.extras else ""
    return f"{item.name}{extras}{item.specifier}" + (f" ; {item.marker}" if item.marker else "")


def wanted(declared: DeclaredEnvironment, *, chosen: Iterable[str] = (), extras: Iterable[str] = ()) -> Wanted:
    """What the files of a project ask for.

    Of an input and the lock that was made from it, the input counts; files for development count where they are chosen.

    Args:
        declared: The project's files.
        chosen: Paths of the files that count; by default those of what is installed to run the project.
        extras: Extras and dependency groups that count as well.
    """
    groups = {"", *extras}
    names = list(chosen)
    files = [declared.by_path[name] for name in names if name in declared.by_path] if names else _running(declared)
    pending, seen = [(file, False) for file in files], dict[str, bool]()
    while pending:
        file, constrains = pending.pop(0)
        # What is included in one place and constrains in another is asked for.
        if seen.get(file.path, True) and seen.get(file.path) != constrains:
            seen[file.path] = constrains
            for paths, only in ((file.includes, constrains), (file.constraints, True)):
                pending += [(declared.by_path[path], only) for path in paths if path in declared.by_path]
    asked, constraints, left_out = [], [], []
    for file, constrains in ((declared.by_path[path], only) for path, only in seen.items()):
        left_out += [
            LeftOut(text=problem.text, place=f"{file.path}:{problem.line}", reason=problem.reason)
            for problem in file.problems
        ]
        left_out += [
            LeftOut(text=field, place=file.path, reason="only running the file would tell what is in it")
            for field in file.dynamic
        ]
        for item in file.requirements:
            if item.group not in groups or item.name in declared.local_names:
                continue
            reason = _cannot_be_locked(item)
            if reason:
                left_out.append(LeftOut(text=item.written, place=f"{item.path}:{item.line}", reason=reason))
            elif item.constraint or constrains:
                constraints.append(item)
            else:
                asked.append(item)
    return Wanted(
        requirements=tuple(asked),
        constraints=tuple(constraints),
        sources=tuple(file.path for file in files),
        left_out=tuple(left_out),
    )


def _running(declared: DeclaredEnvironment) -> list[DeclaredFile]:
    """The files of what is installed to run the project, the root's before those of other folders."""
    made = {lock.path for lock in declared.locks if compiled_from(declared, lock)}
    included = {path for file in declared.files for path in (*file.includes, *file.constraints)}
    for roles in ((Role.INPUT,), (Role.APPLICATION, Role.LOCK), (Role.LIBRARY,)):
        files = [
            file
            for file in declared.of(*roles)
            if file.requirements and file.path not in made and file.path not in included and not file.for_development
        ]
        # A lock beside an input is what the last run wrote.
        plain = [
            file
            for file in files
            if file.kind
            in ("requirements.txt", "pyproject.toml", "setup.cfg", "setup.py", "Pipfile", "environment.yml")
        ]
        if plain:
            folder = min((file.folder for file in plain), key=lambda name: (name.count("/") + bool(name), name))
            return [file for file in plain if file.folder == folder]
    return []


def _cannot_be_locked(item: Requirement) -> str:
    if item.ecosystem != "pypi":
        return "of conda, which pip does not install"
    if item.vcs is not None:
        return "a repository has no hash that pip checks: install it by itself at a full commit (--no-deps)"
    if item.editable or (item.url is not None and "://" not in item.url):
        return "a folder of this machine: install it by itself (--no-deps)"
    if item.url is not None:
        return "an address beside the index: download it and check its hash by hand"
    try:
        Parsed(line_of(item))
    except InvalidRequirement as error:
        return f"not a requirement: {str(error).splitlines()[0]}"
    return ""


def wanted_by_imports(imports: ProjectImports) -> Wanted:
    """What the code of a project that declares nothing imports; what is optional or of tests is left out."""
    found = judged(DeclaredEnvironment(root=""), imports)
    asked, left_out = [], []
    for item in found:
        first = min(item.imports, key=lambda one: (-one.need, one.path, one.line or 0))
        place = f"{first.path}:{first.line}" if first.line else first.path
        if item.standing is Standing.DECLARED:
            continue
        if item.of_tests or item.need <= Need.OPTIONAL:
            reason = "only tests import it" if item.of_tests else "the code goes on without it"
            left_out.append(LeftOut(text=item.names[0], place=place, reason=reason))
        else:
            asked.append(Requirement(name=item.names[0], written=item.names[0], path=first.path, line=first.line or 1))
    return Wanted(requirements=tuple(asked), constraints=(), sources=(), left_out=tuple(left_out))

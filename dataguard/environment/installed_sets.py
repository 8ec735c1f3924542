"""What is installed together: a file with all that it includes."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.environment.declared import DeclaredEnvironment, DeclaredFile, Role
from dataguard.environment.requirement import Pin, Requirement


def installed_together(declared: DeclaredEnvironment, file: DeclaredFile) -> tuple[Requirement, ...]:
    """The requirements of a file and of what it includes, constraints among them, each once."""
    seen: set[str] = set()
    found: list[Requirement] = []
    pending = [file.path]
    while pending:
        path = pending.pop()
        if path in seen or path not in declared.by_path:
            continue
        seen.add(path)
        current = declared.by_path[path]
        found += current.requirements
        pending += [*current.includes, *current.constraints]
    return tuple(found)


def constrained(declared: DeclaredEnvironment, file: DeclaredFile) -> dict[str, Requirement]:
    """What the constraints of a file pin, by name."""
    return {
        item.name: item
        for item in installed_together(declared, file)
        if item.constraint and item.name and item.pin is Pin.EXACT
    }


def covering_locks(declared: DeclaredEnvironment, file: DeclaredFile) -> Iterator[DeclaredFile]:
    """The locks that hold for a file: those of its folder, and of the folders above it."""
    for lock in declared.locks:
        folder = lock.folder
        if lock.path != file.path and (file.folder == folder or not folder or file.folder.startswith(f"{folder}/")):
            yield lock


def compiled_from(declared: DeclaredEnvironment, lock: DeclaredFile) -> tuple[DeclaredFile, ...]:
    """The files that a lock was made from: what it names, or else what its name and folder say."""
    named = [declared.by_path[path] for path in lock.inputs if path in declared.by_path]
    if named:
        return tuple(named)
    folder, _, name = lock.path.rpartition("/")
    stem = name.rpartition(".")[0]
    guesses = {
        "requirements.txt": [f"{stem}.in"],
        "pylock.toml": ["pyproject.toml"],
        "conda-lock": ["environment.yml", "environment.yaml"],
        "Pipfile.lock": ["Pipfile"],
    }.get(lock.kind, [])
    paths = [f"{folder}/{guess}" if folder else guess for guess in guesses]
    return tuple(declared.by_path[path] for path in paths if path in declared.by_path)


def packaged(declared: DeclaredEnvironment) -> frozenset[str]:
    """Requirements files that a ``setup.py`` reads: metadata of a package, so that ranges are right in them."""
    return frozenset(
        path.removeprefix("./") if not file.folder else f"{file.folder}/{path}"
        for file in declared.of(Role.LIBRARY)
        for path in file.includes
    )

"""``pylock.toml`` and ``pylock.NAME.toml`` (PEP 751)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataguard.environment.declared import DeclaredFile, Role
from dataguard.environment.files.text_file import read_declared
from dataguard.environment.files.toml_lock import hashes_of, loads_lock, packages, pythons
from dataguard.environment.requirement import Requirement, normalized


def read_pylock(path: Path, name: str) -> DeclaredFile:
    """Read a ``pylock.toml``.

    Args:
        path: The file.
        name: What its records call it.
    """
    return read_declared(parse_pylock, path, name, kind="pylock.toml", role=Role.LOCK)


def parse_pylock(text: str, name: str) -> DeclaredFile:
    """Read the text of a ``pylock.toml``.

    Raises:
        UnreadableFile: it is no TOML.
    """
    data = loads_lock(text, name)
    requirements = [
        _requirement(table, line, name) for table, line in packages(text, data) if isinstance(table.get("name"), str)
    ]
    return DeclaredFile(
        path=name,
        kind="pylock.toml",
        role=Role.LOCK,
        requirements=tuple(requirements),
        python=pythons(text, data, name),
    )


def _requirement(table: dict[str, Any], line: int, path: str) -> Requirement:
    name, version = str(table["name"]), table.get("version")
    url = vcs = None
    repository, archive, folder = (table.get(key) for key in ("vcs", "archive", "directory"))
    if isinstance(repository, dict):
        vcs = str(repository.get("type", "git"))
        url = f"{vcs}+{repository.get('url') or repository.get('path')}@{repository.get('commit-id', '')}"
    elif isinstance(archive, dict):
        url = str(archive.get("url") or archive.get("path"))
    elif isinstance(folder, dict):
        url = str(folder.get("path", "."))
    hashes = {*hashes_of(table.get("wheels")), *hashes_of(table.get("sdist")), *hashes_of(archive)}
    marker = table.get("marker")
    return Requirement(
        name=normalized(name),
        written=f"{name}=={version}" if isinstance(version, str) else name,
        path=path,
        line=line,
        specifier=f"=={version}" if isinstance(version, str) else "",
        marker=marker if isinstance(marker, str) else "",
        url=url,
        vcs=vcs,
        editable=isinstance(folder, dict) and folder.get("editable") is True,
        hashes=tuple(sorted(hashes)),
    )

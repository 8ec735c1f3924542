"""``poetry.lock``, versions 1 to 2.1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataguard.environment.declared import DeclaredFile, PythonVersion, Role
from dataguard.environment.files.text_file import read_declared
from dataguard.environment.files.toml_lock import hashes_of, loads_lock, packages
from dataguard.environment.files.version_ranges import from_poetry
from dataguard.environment.requirement import Requirement, normalized


def read_poetry_lock(path: Path, name: str) -> DeclaredFile:
    """Read a ``poetry.lock``.

    Args:
        path: The file.
        name: What its records call it.
    """
    return read_declared(parse_poetry_lock, path, name, kind="poetry.lock", role=Role.LOCK)


def parse_poetry_lock(text: str, name: str) -> DeclaredFile:
    """Read the text of a ``poetry.lock``.

    Raises:
        UnreadableFile: it is no TOML.
    """
    data = loads_lock(text, name)
    found = list(packages(text, data))
    via: dict[str, list[str]] = {}
    for table, _ in found:
        needs = table.get("dependencies")
        for needed in needs if isinstance(needs, dict) else ():
            via.setdefault(normalized(needed), []).append(normalized(str(table.get("name", ""))))
    metadata = data.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    # Before version 2 hashes stood in a table of their own.
    files = metadata.get("files", metadata.get("hashes"))
    requirements = [
        _requirement(table, line, name, files if isinstance(files, dict) else {}, via)
        for table, line in found
        if isinstance(table.get("name"), str)
    ]
    python = metadata.get("python-versions")
    line = next((at for at, row in enumerate(text.splitlines(), 1) if row.startswith("python-versions")), 1)
    return DeclaredFile(
        path=name,
        kind="poetry.lock",
        role=Role.LOCK,
        requirements=tuple(requirements),
        inputs=(f"{name.rpartition('/')[0]}/pyproject.toml".lstrip("/"),),
        python=(PythonVersion(specifier=from_poetry(python), written=python, path=name, line=line),)
        if isinstance(python, str)
        else (),
    )


def _requirement(
    table: dict[str, Any], line: int, path: str, files: dict[str, Any], via: dict[str, list[str]]
) -> Requirement:
    name = str(table["name"])
    version = table.get("version")
    source = table.get("source")
    source = source if isinstance(source, dict) else {}
    kind, address = source.get("type"), source.get("url")
    reference = source.get("resolved_reference") or source.get("reference")
    url = vcs = None
    if kind == "git":
        url, vcs = f"git+{address}@{reference}", "git"
    elif kind in ("url", "directory", "file"):
        url = str(address)
    old = files.get(name)
    bare = [item for item in old if isinstance(item, str)] if isinstance(old, list) else []
    group = table.get("category")
    groups = table.get("groups")
    if isinstance(groups, list) and groups and "main" not in groups:
        group = str(groups[0])
    return Requirement(
        name=normalized(name),
        written=f"{name}=={version}",
        path=path,
        line=line,
        specifier=f"=={version}" if isinstance(version, str) else "",
        url=url,
        vcs=vcs,
        hashes=hashes_of(table.get("files")) or hashes_of(old) or tuple(sorted(f"sha256:{item}" for item in bare)),
        group="" if group in (None, "main") else f"group:{group}",
        via=tuple(sorted(via.get(normalized(name), ()))),
    )

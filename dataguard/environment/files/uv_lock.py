"""``uv.lock``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataguard.environment.declared import DeclaredFile, Role
from dataguard.environment.files.text_file import read_declared
from dataguard.environment.files.toml_lock import hashes_of, loads_lock, packages, pythons
from dataguard.environment.requirement import Requirement, normalized


def read_uv_lock(path: Path, name: str) -> DeclaredFile:
    """Read a ``uv.lock``.

    Args:
        path: The file.
        name: What its records call it.
    """
    return read_declared(parse_uv_lock, path, name, kind="uv.lock", role=Role.LOCK)


def parse_uv_lock(text: str, name: str) -> DeclaredFile:
    """Read the text of a ``uv.lock``; the project itself is left out.

    Raises:
        UnreadableFile: it is no TOML.
    """
    data = loads_lock(text, name)
    found = [item for item in packages(text, data) if isinstance(item[0].get("name"), str)]
    via: dict[str, list[str]] = {}
    for table, _ in found:
        for needed in _dependencies(table):
            via.setdefault(normalized(needed), []).append(normalized(table["name"]))
    requirements = [
        _requirement(table, line, name, via) for table, line in found if not _is_project(table.get("source"))
    ]
    return DeclaredFile(
        path=name,
        kind="uv.lock",
        role=Role.LOCK,
        requirements=tuple(requirements),
        inputs=(f"{name.rpartition('/')[0]}/pyproject.toml".lstrip("/"),),
        python=pythons(text, data, name),
    )


def _dependencies(table: dict[str, Any]) -> set[str]:
    lists = [table.get("dependencies")]
    for key in ("optional-dependencies", "dev-dependencies"):
        groups = table.get(key)
        lists += list(groups.values()) if isinstance(groups, dict) else []
    return {
        item["name"]
        for items in lists
        if isinstance(items, list)
        for item in items
        if isinstance(item, dict) and isinstance(item.get("name"), str)
    }


def _is_project(source: object) -> bool:
    return isinstance(source, dict) and ("." in (source.get("editable"), source.get("virtual")))


def _requirement(table: dict[str, Any], line: int, path: str, via: dict[str, list[str]]) -> Requirement:
    name, version = str(table["name"]), table.get("version")
    source = table.get("source")
    source = source if isinstance(source, dict) else {}
    url = vcs = None
    if isinstance(source.get("git"), str):
        # uv writes the commit behind '#'.
        address, _, commit = source["git"].partition("#")
        url, vcs = f"git+{address}@{commit}", "git"
    else:
        url = next(
            (str(source[key]) for key in ("url", "path", "directory", "editable", "virtual") if key in source), None
        )
    return Requirement(
        name=normalized(name),
        written=f"{name}=={version}" if isinstance(version, str) else name,
        path=path,
        line=line,
        specifier=f"=={version}" if isinstance(version, str) else "",
        url=url,
        vcs=vcs,
        editable="editable" in source,
        hashes=tuple(sorted({*hashes_of(table.get("wheels")), *hashes_of(table.get("sdist"))})),
        via=tuple(sorted(via.get(normalized(name), ()))),
    )

"""Files that are shipped beside the code: schemas and templates, installed or in a checkout."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from dataguard.core.errors import DataguardError, did_you_mean


def schema_path(name: str) -> Path:
    """The file of a shipped schema, as ``sample_table.yaml``.

    Raises:
        DataguardError: there is no such schema, or the package is imported from an archive; `read_schema` reads
            that too.
    """
    found = _find("schemas", name)
    if not isinstance(found, Path):
        raise DataguardError("not a file of its own", where=str(found), hint="read it with read_schema")
    return found


def read_schema(name: str) -> str:
    """The text of a shipped schema.

    Raises:
        DataguardError: there is no such schema.
    """
    return _find("schemas", name).read_text(encoding="utf-8")


def read_template(name: str) -> str:
    """The text of a shipped template of ``docker/``, as ``Dockerfile.reproduce``.

    Raises:
        DataguardError: there is no such template.
    """
    return _find("docker", name).read_text(encoding="utf-8")


def _find(folder: str, name: str) -> Traversable:
    # A wheel holds the folders inside the package; an editable install finds them beside it. A folder of that name
    # beside an installed package would be somebody else's, hence the look for the project file.
    package = resources.files("dataguard")
    places: list[Traversable] = [package / folder]
    if isinstance(package, Path) and (package.parent / "pyproject.toml").is_file():
        places.append(package.parent / folder)
    for place in places:
        candidate = place / name
        if candidate.is_file():
            return candidate
    names = [entry.name for place in places if place.is_dir() for entry in place.iterdir()]
    raise DataguardError(
        f"no such file is shipped: {folder}/{name}",
        where=str(package),
        hint=did_you_mean(name, names) if names else "the installation is incomplete; install dataguard again",
    )

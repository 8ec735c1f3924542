"""What lock files in TOML have in common: one table ``[[package]]`` or ``[[packages]]`` a package."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from dataguard.environment.declared import PythonVersion
from dataguard.environment.files.pyproject import toml_problem
from dataguard.environment.files.text_file import UnreadableFile
from dataguard.environment.files.version_ranges import as_set

_PACKAGE = re.compile(r"^\[\[packages?\]\]", re.MULTILINE)


def loads_lock(text: str, name: str) -> dict[str, Any]:
    """The values of a lock.

    Raises:
        UnreadableFile: it is no TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UnreadableFile(toml_problem(error, text, name)) from error
    except RecursionError as error:
        raise UnreadableFile(toml_problem(tomllib.TOMLDecodeError("nested too deeply"), text, name)) from error


def packages(text: str, data: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
    """Every package with the line of its name; the order of tables is that of the file."""
    found = data.get("package", data.get("packages"))
    tables = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    line, at = 1, 0
    starts = []
    for match in _PACKAGE.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        starts.append(line)
    for index, table in enumerate(tables):
        yield table, starts[index] + 1 if index < len(starts) else 1


def hashes_of(files: object) -> tuple[str, ...]:
    """The hashes of a list of tables that have ``hash`` or ``hashes``."""
    found: set[str] = set()
    for item in files if isinstance(files, list) else [files]:
        if not isinstance(item, dict):
            continue
        if isinstance(item.get("hash"), str):
            found.add(item["hash"])
        hashes = item.get("hashes")
        if isinstance(hashes, dict):
            found.update(f"{algorithm}:{value}" for algorithm, value in hashes.items())
    return tuple(sorted(found))


def pythons(text: str, data: dict[str, Any], name: str) -> tuple[PythonVersion, ...]:
    """The Python that a lock says it is for, with its line."""
    written = data.get("requires-python")
    if not isinstance(written, str):
        return ()
    line = next((at for at, row in enumerate(text.splitlines(), 1) if row.startswith("requires-python")), 1)
    return (PythonVersion(specifier=as_set(written), written=written, path=name, line=line),)

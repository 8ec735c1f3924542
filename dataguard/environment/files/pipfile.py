"""``Pipfile`` and ``Pipfile.lock``."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataguard.environment.declared import DeclaredFile, Problem, PythonVersion, Role
from dataguard.environment.files.pyproject import table_requirement, toml_problem
from dataguard.environment.files.text_file import read_declared
from dataguard.environment.files.toml_lines import parse_toml
from dataguard.environment.requirement import Requirement

_SETTINGS = frozenset({"source", "requires", "scripts", "pipenv", "_meta"})


def read_pipfile(path: Path, name: str) -> DeclaredFile:
    """Read a ``Pipfile``; it is what ``Pipfile.lock`` is made from.

    Args:
        path: The file.
        name: What its records call it.
    """
    return read_declared(parse_pipfile, path, name, kind="Pipfile", role=Role.INPUT)


def parse_pipfile(text: str, name: str) -> DeclaredFile:
    r"""Read the text of a ``Pipfile``.

    >>> file = parse_pipfile('[packages]\ntorch = "==2.1"\nnumpy = "*"\n', "Pipfile")
    >>> [(item.name, item.specifier, item.line) for item in file.requirements]
    [('torch', '==2.1', 2), ('numpy', '', 3)]
    """
    try:
        data, lines = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        return DeclaredFile(path=name, kind="Pipfile", role=Role.INPUT, problems=(toml_problem(error, text, name),))
    requirements: list[Requirement] = []
    problems: list[Problem] = []
    for section, table in data.items():
        if section in _SETTINGS or not isinstance(table, dict):
            continue
        group = {"packages": "", "dev-packages": "group:dev"}.get(section, f"group:{section}")
        for package, value in table.items():
            line = lines.get((section, package), 1)
            found = table_requirement(package, value, path=name, line=line, group=group)
            if found is None:
                problems.append(Problem(path=name, line=line, reason="neither a version nor a table", text=str(value)))
            else:
                requirements.append(found)
    python = []
    requires = data.get("requires")
    for key in ("python_full_version", "python_version"):
        value = requires.get(key) if isinstance(requires, dict) else None
        if isinstance(value, str):
            specifier = f"=={value}" if key == "python_full_version" else f"=={value}.*"
            line = lines.get(("requires", key), 1)
            python.append(PythonVersion(specifier=specifier, written=value, path=name, line=line))
    return DeclaredFile(
        path=name,
        kind="Pipfile",
        role=Role.INPUT,
        requirements=tuple(requirements),
        problems=tuple(problems),
        python=tuple(python),
    )


def read_pipfile_lock(path: Path, name: str) -> DeclaredFile:
    """Read a ``Pipfile.lock``.

    Args:
        path: The file.
        name: What its records call it.
    """
    return read_declared(parse_pipfile_lock, path, name, kind="Pipfile.lock", role=Role.LOCK)


def parse_pipfile_lock(text: str, name: str) -> DeclaredFile:
    """Read the text of a ``Pipfile.lock``."""
    problem = None
    data: Mapping[str, Any] = {}
    try:
        loaded = json.loads(text)
        data = loaded if isinstance(loaded, dict) else {}
        if not data:
            problem = Problem(path=name, line=1, reason="no object of JSON")
    except (ValueError, RecursionError) as error:
        conflict = re.search(r"^<{7} ", text, re.MULTILINE)
        line = text.count("\n", 0, conflict.start()) + 1 if conflict else getattr(error, "lineno", 1)
        reason = "a merge conflict was left in the file" if conflict else f"no JSON: {error}"
        problem = Problem(path=name, line=line, reason=reason)
    lines = _lines(text)
    requirements = []
    for section, group in (("default", ""), ("develop", "group:dev")):
        table = data.get(section)
        for package, value in (table if isinstance(table, dict) else {}).items():
            found = table_requirement(package, value, path=name, line=lines.get((section, package), 1), group=group)
            if found is not None:
                requirements.append(found)
    return DeclaredFile(
        path=name,
        kind="Pipfile.lock",
        role=Role.LOCK,
        requirements=tuple(requirements),
        inputs=(f"{name.removesuffix('.lock')}",),
        problems=() if problem is None else (problem,),
    )


def _lines(text: str) -> dict[tuple[str, str], int]:
    """The line of each package, by section: the keys of the second level, as pipenv indents them."""
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        match = re.match(r'^( +)"([^"]+)": \{', line)
        if match is None:
            continue
        if len(match[1]) == 4:
            section = match[2]
        elif len(match[1]) == 8:
            found.setdefault((section, match[2]), number)
    return found

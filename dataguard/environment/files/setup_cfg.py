"""``setup.cfg``: ``[options]`` and ``[options.extras_require]``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dataguard.environment.declared import DeclaredFile, Problem, PythonVersion, Role
from dataguard.environment.files.requirement_text import UnreadableRequirement, parse_requirement
from dataguard.environment.files.text_file import read_declared
from dataguard.environment.files.version_ranges import as_set
from dataguard.environment.requirement import Requirement, normalized

_SECTION = re.compile(r"^\[([^\]]+)\]")
_KEY = re.compile(r"^([^\s#;=:\[][^=:]*?)\s*[=:]\s*(.*)$")


def read_setup_cfg(path: Path, name: str) -> DeclaredFile:
    """Read a ``setup.cfg``.

    Args:
        path: The file.
        name: What its records call it.
    """
    return read_declared(parse_setup_cfg, path, name, kind="setup.cfg", role=Role.LIBRARY)


def parse_setup_cfg(text: str, name: str) -> DeclaredFile:
    r"""Read the text of a ``setup.cfg``.

    >>> file = parse_setup_cfg("[options]\ninstall_requires =\n    torch>=2\n    numpy\n", "setup.cfg")
    >>> [(item.name, item.line) for item in file.requirements]
    [('torch', 3), ('numpy', 4)]
    """
    requirements: list[Requirement] = []
    problems: list[Problem] = []
    python: list[PythonVersion] = []
    dynamic: list[str] = []
    provides = ""
    for section, key, line, value in _values(text):
        group = _group(section, key)
        if section == "metadata" and key == "name":
            provides = normalized(value)
        elif section == "options" and key == "python_requires":
            python.append(PythonVersion(specifier=as_set(value), written=value, path=name, line=line))
        elif group is None:
            continue
        elif value.startswith(("file:", "attr:")):
            dynamic.append(f"{key} = {value}")
        else:
            for item in [value]:
                try:
                    parts = parse_requirement(item)
                except UnreadableRequirement as error:
                    problems.append(Problem(path=name, line=line, reason=error.reason, text=item[:120]))
                    continue
                requirements.append(
                    parts.requirement(
                        written=item,
                        path=name,
                        line=line,
                        group=group,
                    )
                )
    return DeclaredFile(
        path=name,
        kind="setup.cfg",
        role=Role.LIBRARY,
        requirements=tuple(requirements),
        python=tuple(python),
        problems=tuple(problems),
        provides=provides,
        dynamic=tuple(dynamic),
    )


def _group(section: str, key: str) -> str | None:
    """The group of a key that holds requirements; None for every other."""
    if section == "options":
        return {"install_requires": "", "setup_requires": "group:build", "tests_require": "group:test"}.get(key)
    return normalized(key) if section == "options.extras_require" else None


def _values(text: str) -> Iterator[tuple[str, str, int, str]]:
    """Section, key, line and one line of its value; comments left out."""
    section = key = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(?:^|\s)[#;]\s.*$|^\s*[#;].*$", "", raw) if "#" in raw or raw.lstrip()[:1] == ";" else raw
        if not line.strip():
            continue
        header = _SECTION.match(line)
        if header is not None:
            section, key = header[1].strip(), ""
            continue
        found = None if line[0].isspace() else _KEY.match(line)
        if found is not None:
            key = found[1].strip().replace("-", "_") if section != "options.extras_require" else found[1].strip()
            line = found[2]
        if section and key and line.strip():
            yield section, key, number, line.strip()

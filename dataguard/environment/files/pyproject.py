"""``pyproject.toml``: ``[project]``, ``[dependency-groups]`` and Poetry's tables."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dataguard.environment.declared import DeclaredFile, Problem, PythonVersion, Role
from dataguard.environment.files.requirement_text import UnreadableRequirement, parse_requirement
from dataguard.environment.files.text_file import read_declared
from dataguard.environment.files.toml_lines import Key, parse_toml
from dataguard.environment.files.version_ranges import as_set, from_poetry
from dataguard.environment.requirement import Requirement, normalized


def read_pyproject(path: Path, name: str) -> DeclaredFile:
    """Read a ``pyproject.toml``; ranges in it are those of a library, unless it says that it is no package.

    Args:
        path: The file.
        name: What its records call it.
    """
    return read_declared(parse_pyproject, path, name, kind="pyproject.toml", role=Role.LIBRARY)


def parse_pyproject(text: str, name: str) -> DeclaredFile:
    r"""Read the text of a ``pyproject.toml``.

    >>> file = parse_pyproject('[project]\nname = "x"\ndependencies = ["torch>=2"]\n', "pyproject.toml")
    >>> [(item.name, item.specifier, item.line) for item in file.requirements]
    [('torch', '>=2', 3)]
    """
    try:
        data, lines = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        return DeclaredFile(
            path=name, kind="pyproject.toml", role=Role.LIBRARY, problems=(toml_problem(error, text, name),)
        )
    return _Reader(data, lines, name).file()


def toml_problem(error: tomllib.TOMLDecodeError, text: str, name: str) -> Problem:
    """What is the matter with a file that is no TOML, a merge conflict told apart."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(("<<<<<<< ", ">>>>>>> ")):
            return Problem(path=name, line=number, reason="a merge conflict was left in the file", text=line[:120])
    line_number = getattr(error, "lineno", None)
    if line_number is None:
        match = re.search(r"at line (\d+)", str(error))
        line_number = int(match[1]) if match else 1
    return Problem(path=name, line=line_number, reason=f"no TOML: {error}")


class _Reader:
    def __init__(self, data: Mapping[str, Any], lines: Mapping[Key, int], name: str) -> None:
        self.data, self.lines, self.name = data, lines, name
        self.requirements: list[Requirement] = []
        self.problems: list[Problem] = []
        self.python: list[PythonVersion] = []

    def file(self) -> DeclaredFile:
        project, tool = _table(self.data, "project"), _table(self.data, "tool")
        poetry = _table(tool, "poetry")
        self._project(project)
        self._groups(_table(self.data, "dependency-groups"))
        self._poetry(poetry)
        self._strings(("tool", "uv", "dev-dependencies"), _table(tool, "uv").get("dev-dependencies"), "dev")
        no_package = poetry.get("package-mode") is False or _table(tool, "uv").get("package") is False
        provides = project.get("name") or poetry.get("name")
        dynamic = project.get("dynamic")
        return DeclaredFile(
            path=self.name,
            kind="pyproject.toml",
            role=Role.INPUT if no_package else Role.LIBRARY,
            requirements=tuple(self.requirements),
            python=tuple(self.python),
            problems=tuple(self.problems),
            provides=normalized(provides) if isinstance(provides, str) else "",
            dynamic=tuple(item for item in dynamic if isinstance(item, str)) if isinstance(dynamic, list) else (),
        )

    def _project(self, project: Mapping[str, Any]) -> None:
        self._strings(("project", "dependencies"), project.get("dependencies"), "")
        for extra, items in _table(project, "optional-dependencies").items():
            self._strings(("project", "optional-dependencies", extra), items, normalized(extra))
        self._requires_python(("project", "requires-python"), project.get("requires-python"), as_set)

    def _requires_python(self, key: Key, value: object, convert: Any) -> None:
        if isinstance(value, str):
            version = PythonVersion(specifier=convert(value), written=value, path=self.name, line=self._line(key))
            self.python.append(version)

    def _groups(self, groups: Mapping[str, Any]) -> None:
        named = {normalized(group): group for group in groups}
        for group in groups:
            for key, item in self._expanded(groups, named, group, ()):
                self._string(key, item, f"group:{normalized(group)}")

    def _expanded(
        self, groups: Mapping[str, Any], named: Mapping[str, str], group: str, above: tuple[str, ...]
    ) -> Iterator[tuple[Key, str]]:
        """A group's requirements, those of the groups that it includes among them."""
        items = groups.get(group)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            key: Key = ("dependency-groups", group, index)
            included = item.get("include-group") if isinstance(item, dict) else None
            if isinstance(item, str):
                if not above:
                    yield key, item
            elif isinstance(included, str):
                target = named.get(normalized(included))
                if target is None:
                    self._problem(key, f"there is no group {included!r}", str(included))
                elif target in (*above, group):
                    self._problem(key, f"the group {included!r} includes itself", str(included))
                else:
                    yield from self._expanded(groups, named, target, (*above, group))
            else:
                self._problem(key, "neither a requirement nor an included group", str(item))

    def _strings(self, key: Key, items: object, group: str) -> None:
        if items is None:
            return
        if not isinstance(items, list):
            self._problem(key, "expected a list of requirements", str(items))
            return
        for index, item in enumerate(items):
            self._string((*key, index), item, group)

    def _string(self, key: Key, item: object, group: str) -> None:
        if not isinstance(item, str):
            self._problem(key, "expected a requirement in quotes", str(item))
            return
        try:
            parts = parse_requirement(item)
        except UnreadableRequirement as error:
            self._problem(key, error.reason, item)
            return
        self.requirements.append(
            parts.requirement(
                written=item,
                path=self.name,
                line=self._line(key),
                group=group,
            )
        )

    def _poetry(self, poetry: Mapping[str, Any]) -> None:
        base: Key = ("tool", "poetry")
        self._poetry_table((*base, "dependencies"), _table(poetry, "dependencies"), "")
        self._poetry_table((*base, "dev-dependencies"), _table(poetry, "dev-dependencies"), "group:dev")
        for group, table in _table(poetry, "group").items():
            if isinstance(table, dict):
                key = (*base, "group", group, "dependencies")
                self._poetry_table(key, _table(table, "dependencies"), f"group:{normalized(group)}")

    def _poetry_table(self, key: Key, table: Mapping[str, Any], group: str) -> None:
        for name, value in table.items():
            if name.lower() == "python":
                self._requires_python((*key, name), value, from_poetry)
                continue
            for item in value if isinstance(value, list) else [value]:
                found = table_requirement(name, item, path=self.name, line=self._line((*key, name)), group=group)
                if found is None:
                    self._problem((*key, name), "neither a version nor a table", str(item))
                else:
                    self.requirements.append(found)

    def _line(self, key: Key) -> int:
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def _problem(self, key: Key, reason: str, text: str) -> None:
        self.problems.append(Problem(path=self.name, line=self._line(key), reason=reason, text=text[:120]))


def table_requirement(name: str, value: object, *, path: str, line: int, group: str) -> Requirement | None:
    """A requirement as Poetry and Pipenv write it: a version, or a table with version, git, path, url and extras.

    >>> table_requirement("Torch", {"version": "^2.1"}, path="pyproject.toml", line=3, group="").specifier
    '<3,>=2.1'
    """
    if isinstance(value, str):
        return Requirement(
            name=normalized(name),
            written=f'{name} = "{value}"',
            path=path,
            line=line,
            specifier=from_poetry(value),
            group=group,
        )
    if not isinstance(value, dict):
        return None
    url, vcs = None, None
    for tool in ("git", "hg", "svn"):
        if isinstance(value.get(tool), str):
            revision = value.get("rev") or value.get("ref") or value.get("tag") or value.get("branch")
            url = f"{tool}+{value[tool]}" + (f"@{revision}" if revision else "")
            vcs = tool
    if url is None:
        url = next((str(value[key]) for key in ("url", "file", "path") if isinstance(value.get(key), str)), None)
    version = value.get("version")
    extras = value.get("extras")
    hashes = value.get("hashes")
    marker = value.get("markers")
    return Requirement(
        name=normalized(name),
        written=f"{name} = {_inline(value)}",
        path=path,
        line=line,
        extras=tuple(sorted(str(item) for item in extras)) if isinstance(extras, list) else (),
        specifier=from_poetry(version) if isinstance(version, str) else "",
        marker=marker if isinstance(marker, str) else "",
        url=url,
        vcs=vcs,
        editable=bool(value.get("editable") or value.get("develop")),
        hashes=tuple(sorted(str(item) for item in hashes)) if isinstance(hashes, list) else (),
        group=group,
    )


def _inline(value: Mapping[str, Any]) -> str:
    items = (f'{key} = "{item}"' for key, item in value.items() if isinstance(item, str))
    return "{ " + ", ".join(items) + " }"


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}

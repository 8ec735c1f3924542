"""Conda: ``environment.yml``, ``conda-lock.yml`` and explicit lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from dataguard.core.nesting import is_too_deep
from dataguard.environment.declared import DeclaredFile, Problem, PythonVersion, Role
from dataguard.environment.files.requirements_txt import Include, parse_text
from dataguard.environment.files.text_file import UnreadableFile, read_text
from dataguard.environment.files.version_ranges import from_conda
from dataguard.environment.requirement import Requirement, normalized

MAX_NODES = 2_000_000
"""Nodes of YAML that are looked at; aliases can make very many of very few lines."""

_NAME = re.compile(r"(?:[^\s:\[\]]+::)?([A-Za-z0-9_][\w.-]*)")
_EQUAL = re.compile(r"(==?)([^=<>!~,\s]+)(?:=(\S+))?")
_KEYS = re.compile(r"(\w+)\s*=\s*['\"]?([^'\",\]]+)")
_EXPLICIT = re.compile(r"^(?:https?|file)://\S+/([^/\s]+)-([^-/\s]+)-([^-/\s]+)\.(?:conda|tar\.bz2)(?:#([0-9a-f]+))?$")


def read_conda(path: Path, name: str) -> DeclaredFile:
    """Read any of conda's formats, told apart by what is in them.

    Args:
        path: The file.
        name: What its records call it.
    """
    role = Role.LOCK if "lock" in path.name else Role.APPLICATION
    try:
        return parse_conda(read_text(path, name), name, folders=(path.parent,))
    except UnreadableFile as error:
        kind = "conda-lock" if role is Role.LOCK else "environment.yml"
        return DeclaredFile(path=name, kind=kind, role=role, problems=(error.problem,))


def parse_conda(text: str, name: str, *, folders: tuple[Path, ...] = ()) -> DeclaredFile:
    r"""Read the text of one of conda's files.

    Args:
        text: What is in it.
        name: What its records call it.
        folders: What a relative path among the requirements for pip may be relative to.

    >>> file = parse_conda("dependencies:\n- python=3.8\n- numpy=1.21.2\n- pip:\n  - torch==1.9\n", "environment.yml")
    >>> [(item.name, item.specifier, item.ecosystem, item.line) for item in file.requirements]
    [('numpy', '==1.21.2', 'conda', 3), ('torch', '==1.9', 'pypi', 5)]
    """
    if re.search(r"^@EXPLICIT\s*$", text, re.MULTILINE):
        return _explicit(text, name)
    return _Yaml(text, name, folders).file()


def spec_requirement(text: str, *, path: str, line: int, group: str = "") -> Requirement | None:
    """One of conda's match specifications as a requirement.

    ``numpy=1.21`` is taken for 1.21 and its patch releases, as conda does; with three numbers it leaves nothing open
    that matters.

    >>> spec_requirement("conda-forge::numpy=1.21.2=py38h_0", path="e.yml", line=1).conda_build
    'py38h_0'
    """
    plain, _, bracket = text.partition("#")[0].strip().partition("[")
    match = _NAME.match(plain)
    if match is None:
        return None
    keys = dict(_KEYS.findall(bracket))
    rest = plain[match.end() :].strip()
    equal = _EQUAL.fullmatch(rest)
    if equal is not None:
        version, build = f"{equal[1]}{equal[2]}", equal[3] or ""
    elif rest[:1] in tuple("<>!~="):
        version, build = rest, ""
    else:
        version, build = [*rest.split(), "", ""][:2]
    version, build = version or keys.get("version", ""), build or keys.get("build", "")
    specifier = from_conda(version)
    fuzzy = re.fullmatch(r"==([^*]+)\.\*", specifier)
    if fuzzy is not None and (build or fuzzy[1].count(".") >= 2):
        specifier = f"=={fuzzy[1]}"
    return Requirement(
        name=normalized(match[1]),
        written=text,
        path=path,
        line=line,
        specifier=specifier,
        ecosystem="conda",
        group=group,
        conda_build=build,
    )


def _explicit(text: str, name: str) -> DeclaredFile:
    requirements, problems = [], []
    for number, row in enumerate(text.splitlines(), start=1):
        line = row.strip()
        if not line or line.startswith(("#", "@")):
            continue
        match = _EXPLICIT.match(line)
        if match is None:
            problems.append(Problem(path=name, line=number, reason="no address of a conda package", text=line[:120]))
            continue
        digest = f"{'md5' if len(match[4]) == 32 else 'sha256'}:{match[4]}" if match[4] else ""
        requirements.append(
            Requirement(
                name=normalized(match[1]),
                written=f"{match[1]}={match[2]}={match[3]}",
                path=name,
                line=number,
                specifier=f"=={match[2]}",
                hashes=(digest,) if digest else (),
                ecosystem="conda",
                conda_build=match[3],
            )
        )
    return DeclaredFile(
        path=name, kind="conda-lock", role=Role.LOCK, requirements=tuple(requirements), problems=tuple(problems)
    )


class _Yaml:
    def __init__(self, text: str, name: str, folders: tuple[Path, ...]) -> None:
        self.text, self.name, self.folders = text, name, folders
        self.requirements: list[Requirement] = []
        self.problems: list[Problem] = []
        self.python: list[PythonVersion] = []
        self.includes: list[str] = []
        self.constraints: list[str] = []
        self.visited = 0

    def file(self) -> DeclaredFile:
        root = self._root()
        top = dict(self._pairs(root))
        packages = top.get("package")
        is_lock = packages is not None and packages.id == "sequence"
        if is_lock:
            self._lock(packages)
        elif "dependencies" in top:
            self._dependencies(top["dependencies"], "")
        return DeclaredFile(
            path=self.name,
            kind="conda-lock" if is_lock else "environment.yml",
            role=Role.LOCK if is_lock else Role.APPLICATION,
            requirements=tuple(self.requirements),
            includes=tuple(self.includes),
            constraints=tuple(self.constraints),
            python=tuple(self.python),
            problems=tuple(self.problems),
        )

    def _root(self) -> Any:
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            if not is_too_deep(yaml.parse(self.text, Loader=loader)):
                return yaml.compose(self.text, Loader=loader)
            self.problems.append(Problem(path=self.name, line=1, reason="no YAML: it is nested too deep"))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = 1 if mark is None else mark.line + 1
            conflict = re.search(r"^<{7} ", self.text, re.MULTILINE)
            if conflict is not None:
                line = self.text.count("\n", 0, conflict.start()) + 1
            what = (
                "a merge conflict was left in the file" if conflict else f"no YAML: {getattr(error, 'problem', error)}"
            )
            self.problems.append(Problem(path=self.name, line=line, reason=what))
        except (ValueError, RecursionError) as error:
            self.problems.append(Problem(path=self.name, line=1, reason=f"no YAML: {error}"))
        return None

    def _pairs(self, node: Any) -> Iterator[tuple[str, Any]]:
        if node is not None and node.id == "mapping":
            for key, value in node.value:
                self.visited += 1
                if self.visited > MAX_NODES:
                    return
                if key.id == "scalar":
                    yield str(key.value), value

    def _items(self, node: Any) -> Iterator[Any]:
        if node is not None and node.id == "sequence":
            for item in node.value:
                self.visited += 1
                if self.visited > MAX_NODES:
                    return
                yield item

    def _dependencies(self, node: Any, group: str) -> None:
        for item in self._items(node):
            line = item.start_mark.line + 1
            if item.id == "scalar":
                self._spec(str(item.value), line, group)
            for key, value in self._pairs(item):
                if key == "pip":
                    for requirement in self._items(value):
                        if requirement.id == "scalar":
                            self._pip(str(requirement.value), requirement.start_mark.line + 1)

    def _spec(self, text: str, line: int, group: str) -> None:
        found = spec_requirement(text, path=self.name, line=line, group=group)
        if found is None:
            self.problems.append(
                Problem(path=self.name, line=line, reason="no specification of conda's", text=text[:120])
            )
        elif found.name == "python":
            self.python.append(PythonVersion(specifier=found.specifier, written=text, path=self.name, line=line))
        else:
            self.requirements.append(found)

    def _pip(self, text: str, line: int) -> None:
        for entry in parse_text(text, path=self.name, folders=self.folders).entries:
            if isinstance(entry, Requirement):
                self.requirements.append(replace(entry, line=line))
            elif isinstance(entry, Include):
                (self.constraints if entry.constraint else self.includes).append(entry.target)
            else:
                self.problems.append(Problem(path=self.name, line=line, reason=entry.reason, text=entry.text))

    def _lock(self, packages: Any) -> None:
        for item in self._items(packages):
            table = dict(self._pairs(item))
            text = {key: str(value.value) for key, value in table.items() if value.id == "scalar"}
            name, version = text.get("name"), text.get("version")
            if not name or not version:
                continue
            line = item.start_mark.line + 1
            if name == "python":
                self.python.append(PythonVersion(specifier=f"=={version}", written=version, path=self.name, line=line))
                continue
            hashes = tuple(sorted(f"{key}:{value.value}" for key, value in self._pairs(table.get("hash"))))
            category = text.get("category", "main")
            self.requirements.append(
                Requirement(
                    name=normalized(name),
                    written=f"{name}={version}",
                    path=self.name,
                    line=line,
                    specifier=f"=={version}",
                    hashes=hashes,
                    group="" if category == "main" else f"group:{category}",
                    ecosystem="pypi" if text.get("manager") == "pip" else "conda",
                    conda_build=text.get("build", ""),
                )
            )

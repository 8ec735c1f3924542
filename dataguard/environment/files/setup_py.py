"""``setup.py``, read and never run: literals are taken, simple variables followed, and the rest is named as unknown."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from dataguard.core.errors import SourceError
from dataguard.core.python_source import parse_script
from dataguard.environment.declared import DeclaredFile, Problem, PythonVersion, Role
from dataguard.environment.files.requirement_text import UnreadableRequirement, parse_requirement
from dataguard.environment.files.text_file import read_declared
from dataguard.environment.files.version_ranges import as_set
from dataguard.environment.requirement import Requirement, normalized

_FIELDS = {"install_requires": "", "setup_requires": "group:build", "tests_require": "group:test", "requires": ""}
_FILE = re.compile(r"[\w./-]*requirements[\w./-]*\.(?:txt|in)")


def read_setup_py(path: Path, name: str) -> DeclaredFile:
    """Read a ``setup.py`` without running it.

    Args:
        path: The file.
        name: What its records call it.
    """
    return read_declared(parse_setup_py, path, name, kind="setup.py", role=Role.LIBRARY)


def parse_setup_py(text: str, name: str) -> DeclaredFile:
    r"""Read the text of a ``setup.py``.

    >>> file = parse_setup_py("REQ = ['torch']\nsetup(install_requires=REQ + [\n  'numpy>=1.20'])\n", "setup.py")
    >>> [(item.name, item.line) for item in file.requirements]
    [('torch', 1), ('numpy', 3)]
    """
    try:
        source = parse_script(text, name=name)
    except SourceError as error:
        problem = Problem(path=name, line=1, reason=error.message)
        return DeclaredFile(path=name, kind="setup.py", role=Role.LIBRARY, problems=(problem,))
    return _Reader(source.tree, name).file()


class _Reader:
    def __init__(self, tree: ast.Module, name: str) -> None:
        self.name = name
        self.assigned: dict[str, ast.expr] = {}
        self.calls: list[ast.Call] = []
        self.requirements: list[Requirement] = []
        self.problems: list[Problem] = []
        self.python: list[PythonVersion] = []
        self.dynamic: list[str] = []
        self.files: list[str] = []
        self.provides = ""
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                self.assigned.update({target.id: node.value for target in node.targets if isinstance(target, ast.Name)})
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                self.assigned[node.target.id] = node.value
            elif isinstance(node, ast.Call) and _called(node) == "setup":
                self.calls.append(node)

    def file(self) -> DeclaredFile:
        for call in self.calls:
            for keyword, value in self._keywords(call):
                self._field(keyword, value)
        return DeclaredFile(
            path=self.name,
            kind="setup.py",
            role=Role.LIBRARY,
            requirements=tuple(self.requirements),
            includes=tuple(dict.fromkeys(self.files)),
            python=tuple(self.python),
            problems=tuple(self.problems),
            provides=self.provides,
            dynamic=tuple(self.dynamic),
        )

    def _keywords(self, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
        for keyword in call.keywords:
            if keyword.arg is not None:
                yield keyword.arg, keyword.value
                continue
            table = self._followed(keyword.value)
            if isinstance(table, ast.Dict):
                yield from _items(table)
            elif isinstance(table, ast.Call) and _called(table) == "dict":
                yield from ((item.arg, item.value) for item in table.keywords if item.arg is not None)

    def _field(self, keyword: str, value: ast.expr) -> None:
        if keyword in _FIELDS:
            self._list(value, _FIELDS[keyword], keyword)
        elif keyword == "extras_require":
            table = self._followed(value)
            if isinstance(table, ast.Dict):
                for extra, items in _items(table):
                    self._list(items, normalized(extra), keyword)
            else:
                self.dynamic.append(keyword)
        elif keyword == "python_requires":
            text = self._followed(value)
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                version = PythonVersion(
                    specifier=as_set(text.value), written=text.value, path=self.name, line=text.lineno
                )
                self.python.append(version)
        elif keyword == "name":
            text = self._followed(value)
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                self.provides = normalized(text.value)

    def _followed(self, value: ast.expr) -> ast.expr:
        """What a name was last given, a few steps far."""
        for _ in range(10):
            if not isinstance(value, ast.Name) or value.id not in self.assigned:
                return value
            value = self.assigned[value.id]
        return value

    def _list(self, value: ast.expr, group: str, keyword: str, depth: int = 0) -> None:
        value = self._followed(value)
        if depth > 20:
            return
        if isinstance(value, ast.List | ast.Tuple | ast.Set):
            for item in value.elts:
                self._list(item.value if isinstance(item, ast.Starred) else item, group, keyword, depth + 1)
        elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
            self._list(value.left, group, keyword, depth + 1)
            self._list(value.right, group, keyword, depth + 1)
        elif isinstance(value, ast.Constant) and isinstance(value.value, str):
            for offset, line in enumerate(value.value.splitlines()):
                if line.strip() and not line.lstrip().startswith("#"):
                    self._requirement(line.strip(), value.lineno + offset, group)
        elif isinstance(value, ast.JoinedStr):
            text = "".join(str(part.value) for part in value.values if isinstance(part, ast.Constant))
            match = re.match(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:[<>=!~\[;@]|$)", text)
            if match is not None:
                self._requirement(match[1].rstrip("._-"), value.lineno, group)
        else:
            # Often the lines of requirements.txt, read by code; the file is read for itself.
            files = [file for node in ast.walk(value) for file in self._named_files(node)]
            self.files += files
            if not files or group:
                self.dynamic.append(keyword)

    def _named_files(self, node: ast.AST) -> list[str]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return _FILE.findall(node.value)
        return []

    def _requirement(self, text: str, line: int, group: str) -> None:
        try:
            parts = parse_requirement(text)
        except UnreadableRequirement as error:
            self.problems.append(Problem(path=self.name, line=line, reason=error.reason, text=text[:120]))
            return
        self.requirements.append(
            parts.requirement(
                written=text,
                path=self.name,
                line=line,
                group=group,
            )
        )


def _called(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _items(table: ast.Dict) -> Iterator[tuple[str, ast.expr]]:
    for key, value in zip(table.keys, table.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value, value

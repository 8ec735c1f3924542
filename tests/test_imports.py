"""The import direction of the design: what may know what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

import dataguard

ROOT = Path(dataguard.__file__).parent

# Level by level, inner first; a package may import what stands on a lower level. Those on one level do not know each
# other. The names are the first part below `dataguard`.
LEVELS = (
    {"core"},
    {"dataset", "labels", "batches", "splits", "preprocessing", "environment", "training", "formats"},
    {"reproduction"},
    {"versions"},
    {"rules"},
    {"config"},
    {"inputs"},
    {"engine", "starter"},
    {"cli", "demo", "pytest_plugin"},
    {"__main__"},
)
LEVEL_OF = {name: level for level, names in enumerate(LEVELS) for name in names}
MAY_NEVER = {
    # Formats render a report and know nothing of what it is about.
    "formats": set(LEVEL_OF) - {"core", "formats"},
    "config": {"dataset", "labels", "batches", "splits", "preprocessing", "environment", "training", "formats"},
}
FORMATS_USERS = {"cli", "demo", "pytest_plugin", "__main__"}
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
CORE_MAY_IMPORT = {"numpy", "dataguard"}
# Old and broken Python is read by a grammar that is in no standard library: in one module, and not before it is needed.
CORE_MAY_ALSO_IMPORT = {"dataguard.core.python_dialects": {"tree_sitter", "tree_sitter_python"}}
HEAVY = {
    "PIL",
    "blake3",
    "cv2",
    "duckdb",
    "narwhals",
    "numpy",
    "pandas",
    "pandera",
    "rich",
    "scipy",
    "sklearn",
    "torch",
    "tree_sitter",
    "tree_sitter_python",
    "yaml",
}
MAY_PRINT_AND_EXIT = {"cli", "demo", "__main__"}
PRINTS_OR_EXITS = re.compile(r"\b(?:print|_?exit|quit)\)*\s*\(|\bSystemExit\b")
NAMES_WITHIN = re.compile(r"\bdataguard\s*\.\s*(\w+)|\bfrom\s*\.|\bfrom\s+dataguard\s+import\b")


@dataclass(frozen=True, kw_only=True)
class Module:
    """One module with its source."""

    name: str
    text: str
    is_package: bool = False

    @property
    def tree(self) -> ast.Module:
        """Not kept: the trees of all modules are millions of objects."""
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> tuple[tuple[int, str], ...]:
        return tuple(imports(self.tree))

    @property
    def area(self) -> str:
        """The first part of the name below `dataguard`; '' for the package itself."""
        return area_of(self.name)


def area_of(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def all_modules(root: Path = ROOT) -> list[Module]:
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = [root.name, *path.relative_to(root).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found.append(Module(name=name, text=path.read_text(encoding="utf-8"), is_package=is_package))
    return found


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that is imported, at any depth; relative imports as '.…'."""
    # An import is a statement: expressions, which are most of a tree, hold none.
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            held = getattr(node, block, ())
            pending += held if isinstance(held, list) else ()


def runtime_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What is imported as soon as the module is: not in functions, and not under TYPE_CHECKING."""
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending += [child for child in ast.walk(node) if isinstance(child, ast.stmt) and child is not node]


def names_only_what_it_may(module: Module) -> bool:
    """Whether no name in the text, imported or not, is one that the module may not know: then it need not be parsed."""
    areas = {match[1] for match in NAMES_WITHIN.finditer(module.text)}
    return module.area in LEVEL_OF and all(area in LEVEL_OF and not forbidden(module.area, area) for area in areas)


def forbidden(source: str, target: str) -> str:
    """Why one area may not import another; empty where it may."""
    if target == source:
        return ""
    if LEVEL_OF[target] >= LEVEL_OF[source] or target in MAY_NEVER.get(source, ()):
        return f"{source} may not know {target}"
    return "only the command line renders" if target == "formats" and source not in FORMATS_USERS else ""


def direction_violations(module: Module) -> list[str]:
    """Imports that point outward, sideways or are relative."""
    found: list[str] = []
    if names_only_what_it_may(module):
        return found
    for line, name in module.imports:
        if name.startswith("."):
            found.append(f"{module.name}:{line} imports {name}: relative")
            continue
        if name.split(".")[0] != "dataguard" or not module.area:
            continue
        source, target = module.area, area_of(name)
        if target in ("", source, "__version__"):
            continue
        if target not in LEVEL_OF or source not in LEVEL_OF:
            found.append(f"{module.name}:{line} imports {name}: {target!r} or {source!r} has no level")
        elif why := forbidden(source, target):
            found.append(f"{module.name}:{line} imports {name}: {why}")
    return found


def foreign_to_core(module: Module) -> list[str]:
    """What a module of core imports beside numpy and the standard library."""
    if module.area != "core":
        return []
    names = {name.split(".")[0] for _, name in module.imports}
    return sorted(names - CORE_MAY_IMPORT - CORE_MAY_ALSO_IMPORT.get(module.name, set()) - set(sys.stdlib_module_names))


def prints_or_exits(module: Module) -> list[str]:
    """Calls of print, exit, quit, sys.exit and os._exit."""
    if module.area in MAY_PRINT_AND_EXIT or not PRINTS_OR_EXITS.search(module.text):
        return []
    tree = module.tree
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [name for name in calls if isinstance(name, ast.Name | ast.Attribute)]
    banned = {"print", "exit", "quit", "sys.exit", "os._exit", "builtins.print"}  # PRINTS_OR_EXITS finds each
    last = {name.rpartition(".")[2] for name in banned}
    found = [
        f"{module.name}:{name.lineno} {ast.unparse(name)}"
        for name in names
        if (name.id if isinstance(name, ast.Name) else name.attr) in last and ast.unparse(name) in banned
    ]
    raises = [node for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None]
    return found + [f"{module.name}:{node.lineno} SystemExit" for node in raises if "SystemExit" in ast.unparse(node)]


def reachable(start: str, modules: dict[str, Module]) -> set[str]:
    """Every module of dataguard that importing `start` imports."""
    seen: set[str] = set()
    pending = [start]
    while pending:
        name = pending.pop()
        if name in seen or name not in modules:
            continue
        seen.add(name)
        parts = name.split(".")
        pending += [".".join(parts[:length]) for length in range(1, len(parts))]
        for _, imported in runtime_imports(modules[name].tree):
            pending += [imported, imported.rpartition(".")[0]]
    return seen


MODULES = {module.name: module for module in all_modules()}


def test_there_are_modules_to_check() -> None:
    assert {"dataguard.core.rule", "dataguard.rules", "dataguard.engine", "dataguard.cli"} <= set(MODULES)


# One test for all modules: a test each would take longer to set up than to run, and a violation names its module.


def test_imports_point_inward() -> None:
    assert [violation for module in MODULES.values() for violation in direction_violations(module)] == []


def test_core_imports_numpy_and_the_standard_library_only() -> None:
    assert any(module.area == "core" for module in MODULES.values())
    assert {name: foreign for name, module in MODULES.items() if (foreign := foreign_to_core(module))} == {}


def test_only_the_command_line_prints_or_exits() -> None:
    assert [violation for module in MODULES.values() for violation in prints_or_exits(module)] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [name for name in MODULES if set(name.split(".")) & EMPTY_NAMES] == []


def test_importing_the_command_line_imports_nothing_heavy() -> None:
    chain = reachable("dataguard.cli", MODULES) | reachable("dataguard.__main__", MODULES)
    heavy = {
        f"{name}:{line} {imported}"
        for name in chain
        for line, imported in runtime_imports(MODULES[name].tree)
        if imported.split(".")[0] in HEAVY
    }
    assert heavy == set()


@pytest.mark.slow
def test_the_command_line_really_loads_nothing_heavy() -> None:
    code = "import sys, dataguard, dataguard.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)


# The checker can fail.


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("dataguard.core.x", "from dataguard.dataset.table import SampleTable", "core may not know dataset"),
        ("dataguard.core.x", "def f():\n    import dataguard.engine", "core may not know engine"),
        ("dataguard.dataset.x", "from dataguard.labels import spelling", "dataset may not know labels"),
        ("dataguard.labels.x", "from dataguard import rules", "labels may not know rules"),
        ("dataguard.formats.x", "import dataguard.dataset.table", "formats may not know dataset"),
        ("dataguard.rules.x", "from dataguard.config import Config", "rules may not know config"),
        ("dataguard.rules.x", "from dataguard.formats import json", "only the command line renders"),
        ("dataguard.config", "from dataguard.dataset import table", "config may not know dataset"),
        ("dataguard.core.x", "from . import rule", "relative"),
        ("dataguard.core.x", "from ..rules import all_rules", "relative"),
        ("dataguard.novelty.x", "from dataguard.core import rule", "has no level"),
        ("dataguard.core.x", "if TYPE_CHECKING:\n    from dataguard.rules import all_rules", "core may not know rules"),
    ],
)
def test_the_checker_finds_a_wrong_import(name: str, text: str, expected: str) -> None:
    (violation,) = direction_violations(Module(name=name, text=text))
    assert expected in violation


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dataguard.engine", "from dataguard.config import Config\nfrom dataguard.rules import all_rules"),
        ("dataguard.rules.labels.x", "from dataguard.dataset.table import SampleTable\nimport dataguard.core.rule"),
        ("dataguard.config", "from dataguard.core.rule import Rule\nfrom dataguard.rules import all_rules"),
        ("dataguard.core.x", "import numpy\nfrom dataguard.core import errors"),
        ("dataguard.cli.x", "from dataguard.formats import html\nfrom dataguard import __version__"),
    ],
)
def test_the_checker_lets_a_right_import_pass(name: str, text: str) -> None:
    assert direction_violations(Module(name=name, text=text)) == []


def test_the_checker_finds_foreign_imports_of_core() -> None:
    assert foreign_to_core(Module(name="dataguard.core.x", text="import json, numpy\nimport pandas as pd")) == [
        "pandas"
    ]
    grammar = "def f():\n    import tree_sitter"
    assert foreign_to_core(Module(name="dataguard.core.python_dialects", text=grammar)) == []
    assert foreign_to_core(Module(name="dataguard.core.python_source", text=grammar)) == ["tree_sitter"]


@pytest.mark.parametrize(
    "text",
    [
        "print(1)",
        "import os\nos._exit(1)",
        "quit ()",
        "import sys\nsys.exit(1)",
        "def f():\n    raise SystemExit",
        "exit()",
        "raise SystemExit(2)",
    ],
)
def test_the_checker_finds_printing_and_exiting(text: str) -> None:
    assert len(prints_or_exits(Module(name="dataguard.rules.x", text=text))) == 1
    assert prints_or_exits(Module(name="dataguard.cli.x", text=text)) == []


def test_the_checker_follows_imports_and_leaves_lazy_ones_out() -> None:
    texts = {
        "dataguard": "",
        "dataguard.cli": "from dataguard.core import errors\ndef f():\n    import dataguard.engine",
        "dataguard.core": "",
        "dataguard.core.errors": "try:\n    import pandas\nfinally:\n    pass",
        "dataguard.engine": "import cv2",
    }
    modules = {name: Module(name=name, text=text) for name, text in texts.items()}
    assert reachable("dataguard.cli", modules) == set(texts) - {"dataguard.engine"}
    assert [name for _, name in runtime_imports(modules["dataguard.core.errors"].tree)] == ["pandas"]
    guarded = ast.parse("if TYPE_CHECKING:\n    import pandas\nelse:\n    import json")
    assert [name for _, name in runtime_imports(guarded)] == ["json"]


def test_an_audit_imports_nothing_for_the_network_nor_makes_pictures_without_need(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("print(1)\n", encoding="utf-8")
    code = (
        "import sys, dataguard.cli\n"
        f"sys.argv = ['dataguard', 'audit', {str(tmp_path)!r}]\n"
        "dataguard.cli.main()\n"
        "print(*sorted({'ssl', 'http.client', 'urllib.request', 'numpy.fft', 'numpy.random'} & {*sys.modules}), 'end')"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "end"

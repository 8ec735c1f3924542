"""What the Python files of a project import that neither Python nor the project itself gives."""

from __future__ import annotations

import ast
import bisect
import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property, partial
from pathlib import Path

from dataguard.core.errors import SourceError
from dataguard.core.project_files import find_python
from dataguard.core.python_files import PythonFiles
from dataguard.core.python_source import PythonSource
from dataguard.environment.import_lines import PARTED, ImportLine, import_lines, names_modules
from dataguard.environment.import_names import DISTRIBUTIONS, STANDARD_LIBRARY, distributions_of

MAX_FILES = 20_000
"""Files of a project that are read."""

_OF_TESTS = re.compile(
    r"(?:^|/)(?:tests?|testing|docs?|examples?|benchmarks?|\.?ci|scripts?/ci)/|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest|"
    r"setup|noxfile|fabfile|tasks|versioneer)\.py$"
)
_GUARDS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException", "RuntimeError", "OSError"})

_CONTINUED = re.compile(r"(?:import|from)(?:[ \t]*|[ \t]+[\w., \t]*)\\\r?\n")
_EXTENSION = re.compile(r"\w*Extension\(\s*(?:name\s*=\s*)?[\"']([\w.]+)[\"']")
# A word that begins with its own letters is searched for several times as fast as one that begins with a boundary.
_STATEMENT = re.compile(
    r"(?:import(?<!\wimport)|from(?<!\wfrom))[ \t]+"
    r"([\w.]+(?:[ \t]+as[ \t]+\w+)?(?:[ \t]*,[ \t]*[\w.]+(?:[ \t]+as[ \t]+\w+)?)*)"
)
_QUOTED = re.compile(r"[\"']([^\"'\n]{1,200})[\"']")
_WORD = re.compile(r"[A-Za-z][\w.-]+")


class Need(IntEnum):
    """How much a project needs an import."""

    TYPING = 0
    """Under ``TYPE_CHECKING``: never at run time."""
    OPTIONAL = 1
    """Where it is missing, the code goes on: ``try: … except ImportError``."""
    LAZY = 2
    """Inside a function: only what calls that needs it."""
    ALWAYS = 3
    """As soon as the file is run or imported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """One import statement of something foreign."""

    module: str
    """The dotted name."""
    path: str
    """The file, from the project's root."""
    line: int | None
    """None where a notebook's line is not known."""
    note: str
    """The statement, with the cell where it is a notebook's."""
    need: Need
    of_tests: bool
    """The file belongs to tests, documentation, examples or the build."""

    @property
    def top(self) -> str:
        """The first part of the name."""
        return self.module.partition(".")[0]


@dataclass(frozen=True, kw_only=True)
class ProjectImports:
    """All foreign imports of a project."""

    imports: tuple[Import, ...]
    """In the order of files and lines."""
    n_files: int
    """How many scripts and notebooks were read."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """Files that could not be read, and why."""
    own: frozenset[str] = frozenset()
    """First parts of the names that the code imports from the project itself, or so it seems."""
    texts: tuple[str, ...] = field(default=(), repr=False)
    """The code itself."""
    installed: Mapping[str, Sequence[str]] | None = None
    """Distributions by module, where a project's environment is at hand."""

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word in strings of the code, in small letters and with hyphens, as distributions are called.

        What is only named, as a backend or a plugin, is found here.
        """
        return frozenset(word.lower().replace("_", "-") for text in self.texts for word in _quoted_words(text))

    @cached_property
    def distributions(self) -> Mapping[tuple[str, ...], tuple[Import, ...]]:
        """Imports by the distributions that would give them."""
        found: dict[tuple[str, ...], list[Import]] = {}
        for item in self.imports:
            found.setdefault(distributions_of(item.module, self.installed), []).append(item)
        return {names: tuple(items) for names, items in found.items()}


def project_imports(
    root: Path,
    *,
    exclude: Sequence[str] = (),
    installed: Mapping[str, Sequence[str]] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    files: PythonFiles | None = None,
) -> ProjectImports:
    """Read the imports of all Python files of a project; nothing is run.

    A module counts as the project's own where a file or folder of that name lies beside the importing file, above it,
    in the root or in ``src``; a name that no well-known distribution has, anywhere in the project, and in a submodule.

    Args:
        root: The project's folder.
        exclude: Globs of what to leave out.
        installed: Distributions by module, as ``importlib.metadata.packages_distributions`` tells it.
        progress: Told how far it is.
        files: Reads the files, each once; by default made for this.
    """
    files = files or PythonFiles()
    paths = []
    for path in find_python(root, exclude):
        paths.append(path)
        if len(paths) == MAX_FILES:
            break
    own = _Own(root, paths)
    imports: list[Import] = []
    unreadable: list[tuple[str, str]] = []
    texts: list[str] = []
    shared: set[str] = set()
    for number, path in enumerate(paths):
        if progress is not None:
            progress("reading imports", number, len(paths))
        name = path.relative_to(root).as_posix()
        text = files.text(path, name=name) if path.suffix == ".py" else None
        if text is not None:
            texts.append(text)
            tops = _imported(text)
            shared |= {top for top in tops if own.has(top, name)}
            if not _names_foreign(tops, text, own, name):
                continue
            parsed = files.read(path, name=name).is_read
            quick = None if parsed else import_lines(text, partial(own.foreign, importing=name))
            if quick is not None:
                lines = text.split("\n")
                imports += [_of_line(item, name, lines) for item in quick]
                continue
        try:
            source = files.read(path, name=name)
        except SourceError as error:
            unreadable.append((name, error.message))
            continue
        code = "\n".join(source.lines)
        if text is None:
            texts.append(code)
        visitor = _Visitor(expressions=names_modules(code))
        visitor.visit_all(source.tree, source.lines)
        for module, line, need in visitor.found:
            if own.foreign(module, name):
                imports.append(_import(source, name, module, line, need))
    return ProjectImports(
        imports=tuple(imports),
        n_files=len(paths),
        unreadable=tuple(unreadable),
        own=frozenset(shared),
        texts=tuple(texts),
        installed=installed,
    )


def _quoted_words(text: str) -> set[str]:
    return set(_WORD.findall("\n".join(_QUOTED.findall(text))))


def _imported(text: str) -> set[str]:
    """First parts of names that a script may import; more of them than it does, never fewer."""
    return {
        module.strip().partition(" ")[0].partition(".")[0]
        for names in _STATEMENT.findall(text)
        for module in names.split(",")
    }


def _names_foreign(tops: set[str], text: str, own: _Own, name: str) -> bool:
    """Whether a script may import something foreign; more often than not where it does not, never the other way."""
    if names_modules(text) or ("\\" in text and _CONTINUED.search(text)):
        return True
    return any(top and own.foreign(top, name) for top in tops)


def _of_line(item: ImportLine, name: str, lines: list[str]) -> Import:
    return Import(
        module=item.module,
        path=name,
        line=item.line,
        note=lines[item.line - 1].strip()[:160],
        need=Need.TYPING if item.typing else Need.LAZY if item.in_function else Need.ALWAYS,
        of_tests=bool(_OF_TESTS.search(name)),
    )


def _import(source: PythonSource, name: str, module: str, line: int, need: Need) -> Import:
    place = source.place(line)
    note = place.text if place.cell is None else f"{place}: {place.text}"
    return Import(
        module=module, path=name, line=place.line, note=note[:160], need=need, of_tests=bool(_OF_TESTS.search(name))
    )


class _Own:
    """Modules that the project itself gives."""

    def __init__(self, root: Path, paths: Sequence[Path]) -> None:
        self.places: dict[str, set[str]] = {}
        for path in paths:
            parts = path.relative_to(root).parts
            if path.suffix == ".py":
                self._add(path.stem, "/".join(parts[:-1]))
            for index in range(len(parts) - 1):
                self._add(parts[index], "/".join(parts[:index]))
        for folder, stem in _compiled(root, {path.parent for path in paths}):
            self._add(stem, folder)
        self.submodules = _submodules(root)

    def _add(self, name: str, folder: str) -> None:
        self.places.setdefault(name, set()).add(folder)

    def foreign(self, module: str, importing: str) -> bool:
        """Whether neither Python nor the project gives a module to a file."""
        top = module.partition(".")[0]
        return top not in STANDARD_LIBRARY and not top.startswith("__") and not self.has(top, importing)

    def has(self, top: str, importing: str) -> bool:
        if top in self.submodules:
            return True
        places = self.places.get(top)
        if places is None:
            return False
        folder = importing.rpartition("/")[0]
        above = {"", "src", "lib", "python"}
        while folder:
            above.add(folder)
            folder = folder.rpartition("/")[0]
        return bool(places & above) or top not in DISTRIBUTIONS


def _compiled(root: Path, folders: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Modules of Cython and of C that lie beside scripts, or that a ``setup.py`` builds: folder and name."""
    for folder in folders:
        within = folder.relative_to(root).as_posix()
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                if path.name == "setup.py":
                    text = path.read_text(encoding="utf-8", errors="replace")
                    for module in _EXTENSION.findall(text):
                        yield "" if within == "." else within, module.partition(".")[0]
                if path.suffix in (".pyx", ".so", ".pyd"):
                    yield "" if within == "." else within, path.name.partition(".")[0]


def _submodules(root: Path) -> frozenset[str]:
    """The names of folders that git fills in later."""
    try:
        text = (root / ".gitmodules").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    paths = re.findall(r"^\s*path\s*=\s*(\S+)", text, re.MULTILINE)
    return frozenset(part for path in paths for part in path.split("/"))


class _Visitor:
    """Walks a syntax tree and says of every import how much it is needed. No recursion: code may be nested deeply."""

    def __init__(self, *, expressions: bool) -> None:
        self.found: list[tuple[str, int, Need]] = []
        self.expressions = expressions

    def visit_all(self, tree: ast.Module, lines: Sequence[str]) -> None:
        children = self._children if self.expressions else _statements
        # What no such line lies in imports nothing, by a statement or by a call.
        marked = [number for number, line in enumerate(lines, start=1) if "import" in line]
        pending: list[tuple[ast.AST, Need]] = [(tree, Need.ALWAYS)]
        while pending:
            node, need = pending.pop()
            if not _holds_one_of(node, marked):
                continue
            if isinstance(node, ast.Import):
                self.found += [(alias.name, node.lineno, need) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                if node.level == 0 and node.module:
                    self.found += self._from(node, need)
            else:
                if isinstance(node, ast.Call):
                    self._call(node, need)
                pending += children(node, need)
        self.found.sort(key=lambda item: item[1])

    def _from(self, node: ast.ImportFrom, need: Need) -> list[tuple[str, int, Need]]:
        module = node.module or ""
        if module in PARTED and not module.startswith("torch"):
            return [(f"{module}.{alias.name}", node.lineno, need) for alias in node.names]
        found = [(module, node.lineno, need)]
        if module == "torch.utils.tensorboard" or (
            module == "torch.utils" and any(alias.name == "tensorboard" for alias in node.names)
        ):
            found.append(("tensorboard", node.lineno, need))
        return found

    def _call(self, node: ast.Call, need: Need) -> None:
        """``importlib.import_module("x")`` and ``__import__("x")``."""
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in ("import_module", "__import__") and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                module = first.value
                if re.fullmatch(r"[A-Za-z_]\w*(?:\.\w+)*", module):
                    self.found.append((module, node.lineno, min(need, Need.LAZY)))

    def _children(self, node: ast.AST, need: Need) -> list[tuple[ast.AST, Need]]:
        parts = _parts(node, need)
        if parts is not None:
            return [(child, held) for children, held in parts for child in children]
        inner = min(need, Need.LAZY) if isinstance(node, _FUNCTIONS) else need
        return [(child, inner) for child in ast.iter_child_nodes(node)]


def _holds_one_of(node: ast.AST, marked: Sequence[int]) -> bool:
    """Whether a line of a node is among those, which are in order; so it is taken of a node that has no lines."""
    if not isinstance(node, ast.stmt | ast.expr):
        return True
    decorators = getattr(node, "decorator_list", None)
    first = min((node.lineno, *(item.lineno for item in decorators))) if decorators else node.lineno
    at = bisect.bisect_left(marked, first)
    return at < len(marked) and (node.end_lineno is None or marked[at] <= node.end_lineno)


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_BODIES = ("body", "handlers", "orelse", "finalbody", "cases")
_WITHOUT_STATEMENTS = frozenset(
    {ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Raise, ast.Assert, ast.Delete, ast.Pass}
)


def _statements(node: ast.AST, need: Need) -> list[tuple[ast.AST, Need]]:
    """The children of a statement without expressions, in a tenth of the time: most of a tree is expressions."""
    parts = _parts(node, need)
    if parts is None:
        inner = min(need, Need.LAZY) if isinstance(node, _FUNCTIONS) else need
        parts = [(getattr(node, name, ()), inner) for name in _BODIES]
    return [(child, held) for children, held in parts for child in children if type(child) not in _WITHOUT_STATEMENTS]


def _parts(node: ast.AST, need: Need) -> list[tuple[Sequence[ast.AST], Need]] | None:
    """The children of a statement that changes what those in it are needed for; None where it changes nothing."""
    if isinstance(node, ast.Try) and any(map(_guards, node.handlers)):
        optional = min(need, Need.OPTIONAL)
        # One of the two is there: neither alone is asked for.
        return [(node.body, optional), (node.handlers, optional), (node.orelse, need), (node.finalbody, need)]
    if isinstance(node, ast.If) and _is_type_checking(node.test):
        return [(node.body, Need.TYPING), (node.orelse, need)]
    return None


def _guards(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    named = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "") for node in named}
    return bool(names & _GUARDS)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"

"""Where in the user's code a layer, a parameter or a loss is: the file and the line."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.finding import Location
from dataguard.core.paths import encode_path

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Places:
    """Finds lines of the user's code; libraries' are left out."""

    model: nn.Module
    root: Path
    """What paths are relative to."""
    made_by: Any = None
    """The user's function that made everything: where nothing closer is known."""

    def location(self, name: str, note: str = "") -> Location:
        """A layer or parameter by name; its note begins with the name and the layer's class."""
        parts = [] if not name else name.split(".")
        path: str | None = None
        line: int | None = None
        # The innermost class of the user's that holds it says where it is made.
        for depth in range(len(parts), -1, -1):
            holder = _module(self.model, parts[:depth])
            if holder is None:
                continue
            found = _source(type(holder))
            if found is None:
                continue
            path, text, start = found
            line = _assigned(text, start, parts[depth]) if depth < len(parts) else start
            break
        else:
            own = _source(self.made_by)
            if own is not None:
                path, _, line = own
        module = _module(self.model, parts)
        said = f"{name} ({type(module).__name__})" if module is not None and name else name or type(self.model).__name__
        return Location(path=self._relative(path), line=line, note=f"{said}: {note}" if note else said)

    def of_object(self, value: Any, note: str) -> Location:
        """The line that defines a function or the class of an object."""
        found = _source(value if inspect.isroutine(value) or isinstance(value, type) else type(value))
        if found is None:
            found = _source(self.made_by)
        if found is None:
            return Location(note=note)
        return Location(path=self._relative(found[0]), line=found[2], note=note)

    def _relative(self, path: str | None) -> str | None:
        if path is None:
            return None
        try:
            return encode_path(str(Path(path).resolve().relative_to(self.root.resolve())))
        except ValueError:
            return encode_path(path)


def _module(model: nn.Module, parts: list[str]) -> nn.Module | None:
    found: Any = model
    for part in parts:
        found = found._modules.get(part) if hasattr(found, "_modules") else None
        if found is None:
            return None
    return found  # type: ignore[no-any-return]


def _source(thing: Any) -> tuple[str, str, int] | None:
    """File, text and first line of a definition that is no library's."""
    thing = inspect.unwrap(thing) if inspect.isroutine(thing) else thing
    if thing is None or not (inspect.isroutine(thing) or isinstance(thing, type)):
        return None
    if isinstance(thing, type) and (found := _class_source(thing)) is not None:
        return found
    try:
        path = inspect.getsourcefile(thing)
        # Not its lines first: to find a class, all of a library's module is parsed.
        if path is None or "site-packages" in path or path.startswith("<"):
            return None
        lines, start = inspect.getsourcelines(thing)
    except (OSError, TypeError):
        return None
    return path, "".join(lines), max(start, 1)


def _class_source(thing: type) -> tuple[str, str, int] | None:
    """A class by the code of its own functions, which knows its file also where another module has its name."""
    codes = [item.__code__ for item in vars(thing).values() if inspect.isfunction(item)]
    if not codes:
        return None
    path, line = codes[0].co_filename, codes[0].co_firstlineno
    if "site-packages" in path or path.startswith("<"):
        return None
    linecache.checkcache(path)
    lines = linecache.getlines(path)
    holding = [
        (start, end) for name, start, end in _classes("".join(lines)) if name == thing.__name__ and start <= line <= end
    ]
    if not holding:
        return None
    start, end = max(holding)
    return path, "".join(lines[start - 1 : end]), start


@functools.lru_cache(maxsize=4)
def _classes(text: str) -> tuple[tuple[str, int, int], ...]:
    """Name, first and last line of each class of a file, which many layers are asked about one after another."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return ()
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return tuple((node.name, node.lineno, node.end_lineno or 0) for node in nodes)


def _assigned(text: str, start: int, attribute: str) -> int:
    """The line that sets an attribute, or else the definition's first."""
    pattern = re.compile(rf"(self\.{re.escape(attribute)}\b\s*[:=]|[\"']{re.escape(attribute)}[\"'])")
    for at, line in enumerate(text.splitlines()):
        if pattern.search(line):
            return start + at
    return start

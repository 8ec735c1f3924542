"""The project's own modules: what a script imports that lies beside it, and not in a library."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dataguard.core.errors import SourceError
from dataguard.core.python_files import PythonFiles
from dataguard.core.python_source import PythonSource
from dataguard.splits.code.telling import Telling

FIRST_LINE = 100_000_000
"""Lines of modules are counted from here on, one module after another, so that no two lines have one number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnModule:
    """One module of the project."""

    path: Path
    source: PythonSource
    start: int
    """How many lines are counted before its first."""


class OwnModules:
    """Finds and reads the modules that files of a project import, each once.

    A module is looked for as Python does that runs the file: in its folder; and, for packages, in the folders above it
    up to the project's own, and in a folder ``src`` of these. Nothing else is a module of the project.

    Args:
        folders: The project's own; nothing above them is looked at.
        name: What a report calls a file.
        files: Reads them.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        name: Callable[[Path], str] = Path.as_posix,
        files: PythonFiles | None = None,
    ) -> None:
        self._folders = {folder.absolute() for folder in folders}
        self._name = name
        self._files = files or PythonFiles()
        self._found: dict[Path, dict[tuple[str, int], Path | None]] = {}
        """By folder of the importing file, and what is imported."""
        self._found_from: dict[Path, dict[tuple[str, int], Path | None]] = {}
        """The same by the importing file: the folder of a path is a new object each time, which takes a while."""
        self._bases_of: dict[Path, tuple[str, ...]] = {}
        self._read: dict[Path, OwnModule | None] = {}
        self._telling: dict[Path, Telling] = {}
        self._next = FIRST_LINE

    def find(self, name: str, level: int, importer: Path) -> OwnModule | None:
        """A module; None where the project has none of that name, or it cannot be read.

        Args:
            name: Its dotted name; '' for ``from . import``.
            level: Dots before it.
            importer: The file that imports it, absolute.
        """
        found = self._found_from.get(importer)
        if found is None:
            found = self._found_from[importer] = self._found.setdefault(importer.parent, {})
        key = name, level
        if key not in found:
            found[key] = next(self._candidates(name, level, importer), None)
        path = found[key]
        if path is None or path == importer:
            return None
        if path not in self._read:
            self._read[path] = self._module(path)
        return self._read[path]

    def telling(self, module: OwnModule) -> Telling:
        """What in a module comes to something that tells, in that module or in others."""
        if module.path not in self._telling:
            self._telling[module.path] = Telling(module.source.tree, partial(self.told, importer=module.path))
        return self._telling[module.path]

    def told(self, name: str, level: int, importer: Path) -> Telling | None:
        """The same for a module that a file imports; None where the project has none of that name."""
        module = self.find(name, level, importer)
        return None if module is None else self.telling(module)

    def _candidates(self, name: str, level: int, importer: Path) -> Iterator[Path]:
        parts = name.split(".") if name else []
        bases = tuple(map(str, importer.parents[level - 1 : level])) if level else self._bases(importer.parent)
        for base in bases:
            # As texts: to put paths together and take them apart takes longer than to look whether a file is there.
            stem = "/".join((base.rstrip("/"), *parts))
            for candidate in (f"{stem}.py", f"{stem}/__init__.py")[not parts :]:
                if os.path.isfile(candidate):  # noqa: PTH113
                    yield Path(candidate)

    def _bases(self, folder: Path) -> tuple[str, ...]:
        """Where the modules are looked for that a file in a folder imports by their whole names."""
        if folder not in self._bases_of:
            bases: list[str] = []
            for place, above in enumerate((folder, *folder.parents)):
                if place and not any(above == own or own in above.parents for own in self._folders):
                    break
                bases += [str(above), str(above / "src")]
            self._bases_of[folder] = tuple(bases)
        return self._bases_of[folder]

    def _module(self, path: Path) -> OwnModule | None:
        try:
            source = self._files.read(path, name=self._name(path))
        except SourceError:
            return None
        start, self._next = self._next, self._next + source.n_lines
        return OwnModule(path=path, source=source, start=start)

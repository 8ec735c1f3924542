"""The scripts and notebooks of a project, read and parsed once however many look at them."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path

from dataguard.core.errors import SourceError
from dataguard.core.freezing import count_as_old
from dataguard.core.python_source import PythonSource, read_python

MOST_KEPT = 16 * 2**20
"""Characters of code that are kept: with their syntax trees they take up to 600 MB. Files after that are read anew."""

FEW = 10_000
"""Objects that are looked through in a millisecond."""


class PythonFiles:
    """Reads files and keeps what it read.

    >>> files = PythonFiles()
    >>> files.read(Path(__file__)) is files.read(Path(__file__))
    True
    """

    def __init__(self) -> None:
        self._sources: dict[tuple[Path, str], PythonSource] = {}
        self._kept = 0

    def read(self, path: Path, *, name: str | None = None, data: bytes | None = None) -> PythonSource:
        """Read a script or a notebook, to be parsed when its tree is first asked for; nothing of it is run.

        Args:
            path: A ``.ipynb`` is read as a notebook, everything else as a script.
            name: What to call it; by default the path.
            data: The file's bytes, where they are at hand.

        Raises:
            SourceError: it cannot be read, is too large, or is no notebook.
        """
        shown = name or str(path)
        key = (path.absolute(), shown)
        if key not in self._sources:
            source = read_python(path, name=shown, data=data)
            size = sum(len(cell.text) for cell in source.cells)
            if self._kept + size > MOST_KEPT:
                return source
            self._kept += size
            self._sources[key] = source
        return self._sources[key]

    def text(self, path: Path, *, name: str | None = None) -> str | None:
        """A script's text; None for a notebook, and for what cannot be read."""
        try:
            source = self.read(path, name=name)
        except SourceError:
            return None
        return source.cells[0].text if source.kind == "script" else None


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Put off the search for cycles among objects.

    Syntax trees are many objects that all stay: parsing takes four times as long where Python looks through them again
    and again, and finds nothing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if gc.get_count()[0] > FEW:
                count_as_old()
            gc.enable()

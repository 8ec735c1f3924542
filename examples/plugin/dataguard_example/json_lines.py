"""A source: a ``.jsonl`` file with ``{"file": …, "label": …, "split": …}`` in each line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from dataguard.core.errors import NothingToCheckError, SourceError
from dataguard.dataset.kinds import Opening, SourceKind
from dataguard.dataset.sources import Identity, Pictures, Reference


class JsonLinesSource:
    """Pictures in files that the lines of a file name."""

    kind = "jsonlines"
    pictures: Pictures | None = None

    def __init__(self, path: Path) -> None:
        self.path, self.root = path, path.parent
        self.notes: list[str] = []

    def references(self) -> Iterator[Reference]:
        """Every line."""
        found = False
        with self.path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                found = True
                try:
                    said = json.loads(line)
                    name = said["file"]
                except (ValueError, KeyError, TypeError):
                    raise SourceError(f"line {number} names no file", where=self.path) from None
                yield Reference(sample_id=name, path=name, split=said.get("split"), label=said.get("label"))
        if not found:
            raise NothingToCheckError("the file is empty", where=self.path)

    def identity(self) -> Identity | None:
        """None: only the files can tell."""
        return None


def _recognizes(opening: Opening) -> bool:
    return opening.path.suffix == ".jsonl" and opening.path.is_file()


SOURCE = SourceKind(
    name="jsonlines",
    words="a file of JSON lines",
    summary="pictures that the lines of a .jsonl file name",
    keys=(),
    open=lambda opening: JsonLinesSource(opening.path),
    recognizes=_recognizes,
)

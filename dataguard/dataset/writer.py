"""Rows to Parquet, a part at a time, so that memory holds no more than one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.errors import OutputError, SourceError
from dataguard.dataset.table import COLUMNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.dataset.sample import Sample

_BYTES_IN_A_PART = 1 << 22
_ROW_BYTES = 400
_CHANNELS = 4


class TableWriter:
    """Writes a sample table as Parquet files in a folder, ordered by ``sample_id``.

    Raises:
        OutputError: from any method: the disk is full, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        import duckdb

        self.folder = folder
        self._connection = duckdb.connect()
        self._connection.execute("SET threads = 1")
        self._rows: list[Sample] = []
        self._bytes = 0
        self._parts = 0
        self._last = ""
        self._sorted = True

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, samples: Sequence[Sample]) -> None:
        """Write some rows."""
        for sample in samples:
            sample_id = sample.reference.sample_id
            self._sorted = self._sorted and self._last < sample_id
            self._last = sample_id
            self._bytes += _ROW_BYTES + len(sample.facts.thumbnail or b"")
        self._rows += samples
        if self._bytes >= _BYTES_IN_A_PART:
            self._flush()

    def finish(self) -> None:
        """Write what is left, and put everything in order where it did not come in order.

        Raises:
            SourceError: two samples have one id.
        """
        if self._rows or not self._parts:
            self._flush()
        if self._sorted:
            return
        unordered = sorted(self.folder.glob("*.parquet"))
        query = f"read_parquet({[str(path) for path in unordered]})"
        twice = self._execute(
            f"SELECT sample_id, count(*) FROM {query} GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 3"
        )
        if twice:
            names = ", ".join(f"{name!r} ({count} times)" for name, count in twice)
            raise SourceError(f"sample ids are not unique: {names}")
        self._execute(f"COPY (FROM {query} ORDER BY sample_id) TO {_text(self.folder / 'sorted.parquet')} ({_OPTIONS})")
        for path in unordered:
            path.unlink()

    def _flush(self) -> None:
        batch = _columns(self._rows)
        self._rows, self._bytes = [], 0
        expressions = {
            "channel_sums": _list("sum"),
            "channel_square_sums": _list("square"),
        }
        selected = ", ".join(
            f'CAST({expressions.get(name, name)} AS {kind}) AS "{name}"' for name, kind in COLUMNS.items()
        )
        self._connection.register("batch", batch)
        target = self.folder / f"{self._parts:06d}.parquet"
        self._execute(f"COPY (SELECT {selected} FROM batch) TO {_text(target)} ({_OPTIONS})")
        self._connection.unregister("batch")
        self._parts += 1

    def _execute(self, statement: str) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self._connection.execute(statement).fetchall()
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            reason = str(error).splitlines()[0]
            raise OutputError(
                f"the sample table cannot be written: {reason}",
                where=self.folder,
                hint="free some space there, or name another cache folder",
            ) from error


# Thumbnails and hashes do not compress; looking for repeats among them costs more than all else.
_OPTIONS = "FORMAT parquet, COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1"


def _columns(samples: Sequence[Sample]) -> dict[str, NDArray[Any]]:
    references = [sample.reference for sample in samples]
    facts = [sample.facts for sample in samples]
    columns: dict[str, NDArray[Any]] = {
        "sample_id": _objects([reference.sample_id for reference in references]),
        "split": _objects([reference.split for reference in references]),
        "label": _objects([reference.label for reference in references]),
        "group_id": _objects([reference.group_id for reference in references]),
        "time": np.array([reference.time for reference in references], dtype="datetime64[us]"),
        "path": _objects([reference.path for reference in references]),
        "row": _integers([reference.row for reference in references]),
        "bytes": _integers([sample.bytes for sample in samples]),
        "format": _objects([found.format for found in facts]),
        "content_hash": _objects([None if sample.content is None else sample.content.hex() for sample in samples]),
        "perceptual_hash": _integers([sample.perceptual_hash for sample in samples], np.uint64),
        "width": _integers([found.width for found in facts]),
        "height": _integers([found.height for found in facts]),
        "mode": _objects([found.mode for found in facts]),
        "thumbnail": _objects([found.thumbnail for found in facts]),
        "decode_error": _objects([found.decode_error for found in facts]),
        "channels": np.array([len(found.channel_sums or ()) for found in facts], dtype=np.int64),
    }
    for index in range(_CHANNELS):
        for name, chosen in (
            ("sum", [found.channel_sums for found in facts]),
            ("square", [found.channel_square_sums for found in facts]),
        ):
            columns[f"{name}{index}"] = np.array(
                [values[index] if values is not None and index < len(values) else 0 for values in chosen],
                dtype=np.int64,
            )
    return columns

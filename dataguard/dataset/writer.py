"""Rows to Parquet, a part at a time, so that memory holds no more than one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from operator import attrgetter, lt
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dataguard.core.errors import SourceError
from dataguard.core.progress import Progress
from dataguard.core.sql import literal
from dataguard.dataset.memory import WRITER_SHARE, connect
from dataguard.dataset.parquet import parquet_sql, parts_of
from dataguard.dataset.row_scan import cannot_write, copy_rows, is_ascending
from dataguard.dataset.table import COLUMNS

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

    from dataguard.dataset.manifest import Manifest
    from dataguard.dataset.sample import Sample
    from dataguard.dataset.sources import RowQuery

_SMALLEST_PART, _LARGEST_PART = 1 << 22, 1 << 24
_PARTS = 64
"""A part is a 64th of what has been written so far: memory hardly grows with the number of pictures, and a large table
is not in crumbs. To begin a part takes as long as 1,000 rows of it."""

_ROW_BYTES = 400
_CHANNELS = 4
_NUMBERS = ("row", "bytes", "width", "height")
_ABSENT = -1
_NOTHING = (0,) * _CHANNELS
_OF_REFERENCES = ("sample_id", "split", "label", "group_id", "path", "place", "row")
_OF_FACTS = ("format", "mode", "thumbnail", "decode_error", "width", "height")

# Thumbnails and hashes do not compress, and looking for repeats among them costs more than all the rest.
_OPTIONS = "FORMAT parquet, COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1"


class TableWriter:
    """Writes a sample table as Parquet files in a folder, ordered by ``sample_id``, or by ``row`` where that is it.

    Raises:
        OutputError: from any method: the disk is full, or the folder cannot be written.
    """

    def __init__(self, folder: Path, *, where: Path) -> None:
        self.folder = folder
        self.where = where
        self._rows: list[Sample] = []
        self._bytes = 0
        self._written = 0
        self._parts = 0
        self._last = ""
        self._sorted = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "_connection" in self.__dict__:
            self._connection.close()

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        # Made when the first part is written, while other threads decode.
        connection = connect(WRITER_SHARE)
        connection.execute("SET threads = 1")
        connection.execute(f"SET temp_directory = {literal(self.folder / 'spilled')}")
        # The type of a column of objects is to follow from all of them, not from a sample.
        connection.execute("SET pandas_analyze_sample = 1000000000")
        return connection

    def add(self, samples: Sequence[Sample]) -> None:
        """Write some rows."""
        if not samples:
            return
        ids = [sample.reference.sample_id for sample in samples]
        self._sorted = self._sorted and self._last < ids[0] and all(map(lt, ids, ids[1:]))
        self._last = ids[-1]
        self._bytes += _ROW_BYTES * len(samples) + sum(len(sample.facts.thumbnail or b"") for sample in samples)
        self._rows += samples
        if self._bytes >= min(_LARGEST_PART, max(_SMALLEST_PART, self._written // _PARTS)):
            self._flush()

    def copy_rows(
        self, query: RowQuery, manifest: Manifest, details: Manifest, progress: Progress, jobs: int | None = None
    ) -> None:
        """Write and enter all rows of a table. Those that are called by their numbers stay in the order of these.

        Raises:
            SourceError: the table is broken.
        """
        written = copy_rows(query, self.folder, manifest, details, progress, jobs)
        self._parts += 1
        self._sorted = query.ids_are_numbers or is_ascending(self._connection, parquet_sql(written))

    def finish(self) -> None:
        """Write what is left, and put everything in order where it did not come in order.

        Raises:
            SourceError: two samples have one id.
        """
        if self._rows or not self._parts:
            self._flush()
        if self._sorted:
            return
        unordered = parts_of(self.folder)
        query = parquet_sql(*unordered)
        twice = self._execute(
            f"SELECT sample_id, count(*) FROM {query} GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 3"
        )
        if twice:
            names = ", ".join(f"{name!r} ({count} times)" for name, count in twice)
            raise SourceError(
                f"sample ids are not unique: {names}",
                where=self.where,
                hint='dataset.id names what tells samples apart; of shards, "__url__" puts the shard\'s name in front',
            )
        self._execute(
            f"COPY (FROM {query} ORDER BY sample_id) TO {literal(self.folder / 'sorted.parquet')} ({_OPTIONS})"
        )
        for path in unordered:
            path.unlink()

    def _flush(self) -> None:
        batch = _columns(self._rows)
        self._written += self._bytes
        self._rows, self._bytes = [], 0
        selected = ", ".join(f'CAST({_expression(name)} AS {kind}) AS "{name}"' for name, kind in COLUMNS.items())
        self._connection.register("batch", batch)
        target = self.folder / f"{self._parts:06d}.parquet"
        self._execute(f"COPY (SELECT {selected} FROM batch) TO {literal(target)} ({_OPTIONS})")
        self._connection.unregister("batch")
        self._parts += 1

    def _execute(self, statement: str) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self._connection.execute(statement).fetchall()
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise cannot_write(error, self.folder) from error


def _expression(column: str) -> str:
    if column == "perceptual_hash":
        return "CASE WHEN has_perceptual_hash THEN perceptual_hash END"
    if column in _NUMBERS:
        return f"nullif({column}, {_ABSENT})"
    if column in ("channel_sums", "channel_square_sums"):
        places = ", ".join(f"{column}_{index}" for index in range(_CHANNELS))
        return f"CASE WHEN channels > 0 THEN list_slice([{places}], 1, channels) END"
    return f'"{column}"'


def _columns(samples: Sequence[Sample]) -> dict[str, NDArray[Any]]:
    """The rows as arrays that DuckDB reads; what is NULL is None, or `_ABSENT` in a column of numbers."""
    columns: dict[str, NDArray[Any]] = {}
    references, facts = [sample.reference for sample in samples], [sample.facts for sample in samples]
    for names, records in ((_OF_REFERENCES, references), (_OF_FACTS, facts)):
        rows = list(map(attrgetter(*names), records))
        for place, name in enumerate(names):
            values = [row[place] for row in rows]
            columns[name] = _numbers(values) if name in _NUMBERS else _objects(values)
    columns["content_hash"] = _objects([sample.content and sample.content.hex() for sample in samples])
    columns["time"] = np.array([reference.time for reference in references], dtype="datetime64[us]")
    columns["bytes"] = _numbers([sample.n_bytes for sample in samples])
    hashes = [sample.perceptual_hash for sample in samples]
    columns["has_perceptual_hash"] = np.array([value is not None for value in hashes], dtype=np.bool_)
    columns["perceptual_hash"] = np.array([value or 0 for value in hashes], dtype=np.uint64)
    columns["channels"] = np.array([len(found.channel_sums or ()) for found in facts], dtype=np.int64)
    for name in ("channel_sums", "channel_square_sums"):
        padded = np.array([_padded(getattr(found, name)) for found in facts], dtype=np.int64).reshape(-1, _CHANNELS)
        columns.update({f"{name}_{index}": padded[:, index].copy() for index in range(_CHANNELS)})
    return columns


def _padded(values: tuple[int, ...] | None) -> tuple[int, ...]:
    return _NOTHING if values is None else values + _NOTHING[len(values) :]


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _numbers(values: Sequence[int | None]) -> NDArray[np.int64]:
    return np.array([_ABSENT if value is None else value for value in values], dtype=np.int64)

"""Pictures that lie in the rows of a table, read a block of rows at a time."""

from __future__ import annotations

import os
import posixpath
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import DataguardError
from dataguard.core.paths import encode_path
from dataguard.core.sql import literal, quoted
from dataguard.dataset.files import UnreadableFileError
from dataguard.dataset.image_header import image_format
from dataguard.dataset.memory import SOURCE_SHARE, connect
from dataguard.dataset.sources import Picture

if TYPE_CHECKING:
    import duckdb

    from dataguard.dataset.sources.table_part import Part

_PROBED = 16
"""Rows whose sizes say how many are read at a time."""
_BLOCK_BYTES = 1 << 24
_FEWEST, _MOST = 16, 1_024
"""Rows of a block: a Parquet file is unpacked by row groups, which small blocks would make it do again and again."""
_BLOCKS = 4
"""Blocks that are kept for each reader: threads ask for neighbouring ones in turn."""
_LOOKED_AT = 20
"""Values of a column of bytes that are looked at to see whether they are pictures."""
_PICTURE_STRUCT = re.compile(r"STRUCT\((bytes BLOB, path [\w\"]+|path [\w\"]+, bytes BLOB)\)")


@dataclass(eq=False)
class RowPictures:
    """Reads a column of pictures.

    Attributes:
        column: Its name.
        files: The Parquet file of each part that lies in one.
        shards: The Arrow files of each part that is made of these.
        tables: The table of pyarrow or pandas of each other part; of Arrow files, where they are open.
        in_struct: Whether the column of the files holds structs of ``bytes`` and ``path``.
    """

    column: str
    files: Mapping[int, Path]
    tables: dict[int, Any] = field(default_factory=dict)
    shards: Mapping[int, tuple[Path, ...]] = field(default_factory=dict)
    in_struct: bool = False
    _sizes: dict[int, int] = field(default_factory=dict)
    _blocks: OrderedDict[tuple[int, int], Sequence[Any]] = field(default_factory=OrderedDict)
    _lock: Any = field(default_factory=threading.Lock)
    _connection: Any = None

    def __getstate__(self) -> dict[str, Any]:
        # Files are opened again where this goes to: their rows would be as large as the dataset.
        tables = {part: table for part, table in self.tables.items() if part not in self.shards}
        return {
            "column": self.column,
            "files": self.files,
            "shards": self.shards,
            "tables": tables,
            "in_struct": self.in_struct,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def read(self, place: str, *, max_bytes: int) -> Picture:
        """The picture at ``part row``.

        Raises:
            UnreadableFileError: it cannot be had.
        """
        part, row = map(int, place.split())
        if part not in self.files:
            values, at = self._from_memory(self._table(part), row), 0
        else:
            size = self._rows_of_a_block(part)
            values, at = self._block(part, row // size, size), row % size
        if at >= len(values):
            raise UnreadableFileError("the table has fewer rows than it had")
        value = values[at]
        if isinstance(value, dict):
            value = value.get("bytes")
        if value is None:
            raise UnreadableFileError("the row holds no picture")
        if len(value) > max_bytes:
            raise UnreadableFileError(f"{len(value):,} bytes, more than any picture within the pixel limit has")
        return Picture(data=bytes(value))

    def _rows_of_a_block(self, part: int) -> int:
        with self._lock:
            if part not in self._sizes:
                probed = [len(value) for value in self._from_parquet(self.files[part], 0, _PROBED) if value is not None]
                mean = max(1, sum(probed) // max(1, len(probed)))
                self._sizes[part] = max(_FEWEST, min(_MOST, _BLOCK_BYTES // mean))
            return self._sizes[part]

    def _block(self, part: int, number: int, size: int) -> Sequence[Any]:
        key = (part, number)
        # One thread reads what the others are about to ask for as well.
        with self._lock:
            if key not in self._blocks:
                self._blocks[key] = self._from_parquet(self.files[part], number * size, size)
                while len(self._blocks) > _BLOCKS:
                    self._blocks.popitem(last=False)
            self._blocks.move_to_end(key)
            return self._blocks[key]

    def _table(self, part: int) -> Any:
        if part not in self.tables:
            from dataguard.dataset.sources.table_arrow import read_shards

            shards = self.shards[part]
            try:
                table, _ = read_shards(shards, shards[0].parent, names={})
            except DataguardError as error:
                raise UnreadableFileError(error.message) from error
            self.tables[part] = table.select([self.column])
        return self.tables[part]

    def _from_memory(self, table: Any, row: int) -> Sequence[Any]:
        if hasattr(table, "iloc"):
            return list(table[self.column].iloc[row : row + 1])
        found: list[Any] = table.column(self.column).slice(row, 1).to_pylist()
        return found

    def _from_parquet(self, path: Path, start: int, size: int) -> Sequence[Any]:
        import duckdb

        from dataguard.dataset.sources.table_part import broken

        data = f"struct_extract({quoted(self.column)}, 'bytes')" if self.in_struct else quoted(self.column)
        try:
            found = (
                self._cursor()
                .execute(
                    f"SELECT {data} FROM read_parquet({literal(path)}, file_row_number = true)"
                    f" WHERE file_row_number >= {start} AND file_row_number < {start + size} ORDER BY file_row_number"
                )
                .fetchall()
            )
        except duckdb.Error as error:
            raise UnreadableFileError(broken(error, path).message) from error
        return [value for (value,) in found]

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = connect(SOURCE_SHARE)
            # The scan has threads of its own.
            self._connection.execute("SET threads = 1")
        connection: duckdb.DuckDBPyConnection = self._connection
        return connection


def picture_columns(
    parts: Sequence[Part], types: Mapping[str, str], query: Callable[[str], list[tuple[Any, ...]]], table: str
) -> tuple[str, ...]:
    """The columns that hold pictures themselves, in the table's order.

    Args:
        parts: The files.
        types: DuckDB's type of each column.
        query: Runs SQL.
        table: SQL to select from.
    """
    found = []
    for name, kind in types.items():
        if any(name in part.pictures for part in parts):
            found.append(name)
            continue
        if kind != "BLOB" and not is_picture_struct(kind):
            continue
        data = quoted(name) if kind == "BLOB" else f"struct_extract({quoted(name)}, 'bytes')"
        rows = query(f"SELECT {data} FROM {table} WHERE {data} IS NOT NULL LIMIT {_LOOKED_AT}")
        if any(image_format(bytes(value[:64])) is not None for (value,) in rows):
            found.append(name)
    return tuple(found)


def is_picture_struct(kind: str) -> bool:
    """Whether a type of DuckDB's is a struct of ``bytes`` and ``path``; paths that are all NULL have no type of text.

    >>> is_picture_struct("STRUCT(bytes BLOB, path VARCHAR)"), is_picture_struct("STRUCT(bytes BLOB)")
    (True, False)
    """
    return _PICTURE_STRUCT.fullmatch(kind) is not None


def picture_sql(image: str | None, types: Mapping[str, str], pictures: Sequence[str]) -> tuple[str, str]:
    """SQL for the file that a row names, and for whether it holds the picture itself."""
    if image is None:
        return "NULL", "false"
    name = quoted(image)
    if image not in pictures:
        return f"coalesce({name}, '')", "false"
    if types[image] == "BLOB":
        return "''", f"{name} IS NOT NULL"
    if 'path "NULL"' in types[image]:
        # No row names a file, and DuckDB 2.0 cannot cast that type.
        return "''", f"struct_extract({name}, 'bytes') IS NOT NULL"
    file = f"coalesce(CAST(struct_extract({name}, 'path') AS VARCHAR), '')"
    if is_picture_struct(types[image]):
        return file, f"struct_extract({name}, 'bytes') IS NOT NULL"
    return file, f"coalesce(struct_extract({name}, 'stored'), false)"


def relative_path(root: Path, file: str) -> str:
    """A picture's path as a row has it, relative to the table's folder where it lies within, encoded."""
    if not file:
        return ""
    path = posixpath.normpath(file)
    if path.startswith("/") and os.path.commonpath([str(root), path]) == str(root):
        path = posixpath.relpath(path, str(root))
    return encode_path(path)

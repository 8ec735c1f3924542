"""Pictures that lie in the rows of a table, read a block of rows at a time."""

from __future__ import annotations

import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.dataset.image_header import image_format
from dataguard.dataset.sources import Picture

if TYPE_CHECKING:
    import duckdb

    from dataguard.dataset.sources.table_part import Part

_ROWS = 64
"""Rows that are read at a time: what a chunk of the scan asks for."""
_BLOCKS = 8
"""Blocks that are kept for each reader: threads ask for neighbouring ones in turn."""
_PICTURE_STRUCT = re.compile(r"STRUCT\((bytes BLOB, path [\w\"]+|path [\w\"]+, bytes BLOB)\)")
_LOOKED_AT = 20
"""Values of a column of bytes that are looked at to see whether they are pictures."""


@dataclass(eq=False)
class RowPictures:
    """Reads a column of pictures.

    Attributes:
        column: Its name.
        files: The Parquet file of each part that lies in one.
        tables: The pyarrow table of each part that lies in none, or the pandas one.
        in_struct: Whether the column of the files holds structs of ``bytes`` and ``path``.
    """

    column: str
    files: Mapping[int, Path]
    tables: Mapping[int, Any] = field(default_factory=dict)
    in_struct: bool = False
    _blocks: OrderedDict[tuple[int, int], Sequence[Any]] = field(default_factory=OrderedDict)
    _lock: Any = field(default_factory=threading.Lock)
    _connection: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"column": self.column, "files": self.files, "tables": self.tables, "in_struct": self.in_struct}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def read(self, place: str, *, max_bytes: int) -> Picture:
        """The picture at ``part row``.

        Raises:
            UnreadableFileError: it cannot be had.
        """
        from dataguard.dataset.files import UnreadableFileError

        part, row = map(int, place.split())
        values = self._block(part, row // _ROWS)
        if row % _ROWS >= len(values):
            raise UnreadableFileError("the table has fewer rows than it had")
        value = values[row % _ROWS]
        if isinstance(value, dict):
            value = value.get("bytes")
        if value is None:
            raise UnreadableFileError("the row holds no picture")
        if len(value) > max_bytes:
            raise UnreadableFileError(f"{len(value):,} bytes, more than any picture within the pixel limit has")
        return Picture(data=bytes(value))

    def _block(self, part: int, number: int) -> Sequence[Any]:
        key = (part, number)
        with self._lock:
            if key in self._blocks:
                self._blocks.move_to_end(key)
                return self._blocks[key]
        values = self._fetched(part, number * _ROWS)
        with self._lock:
            self._blocks[key] = values
            while len(self._blocks) > _BLOCKS:
                self._blocks.popitem(last=False)
        return values

    def _fetched(self, part: int, start: int) -> Sequence[Any]:
        if part in self.tables:
            table = self.tables[part]
            if hasattr(table, "iloc"):
                return list(table[self.column].iloc[start : start + _ROWS])
            found: list[Any] = table.column(self.column).slice(start, _ROWS).to_pylist()
            return found
        return self._from_parquet(self.files[part], start)

    def _from_parquet(self, path: Path, start: int) -> Sequence[Any]:
        import duckdb

        from dataguard.dataset.files import UnreadableFileError
        from dataguard.dataset.sources.table_part import broken, literal, quoted

        data = f"struct_extract({quoted(self.column)}, 'bytes')" if self.in_struct else quoted(self.column)
        try:
            found = (
                self._cursor()
                .execute(
                    f"SELECT {data} FROM read_parquet({literal(str(path))}, file_row_number = true)"
                    f" WHERE file_row_number >= {start} AND file_row_number < {start + _ROWS} ORDER BY file_row_number"
                )
                .fetchall()
            )
        except duckdb.Error as error:
            raise UnreadableFileError(broken(error, path).message) from error
        return [value for (value,) in found]

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        from dataguard.dataset.sources.table_part import literal

        with self._lock:
            if self._connection is None:
                self._connection = duckdb.connect()
                # The scan has threads of its own.
                self._connection.execute("SET threads = 1")
                self._connection.execute(f"SET temp_directory = {literal(tempfile.gettempdir())}")
            connection: duckdb.DuckDBPyConnection = self._connection.cursor()
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
    from dataguard.dataset.sources.table_part import quoted

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
    from dataguard.dataset.sources.table_part import quoted

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

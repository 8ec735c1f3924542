"""One file of a table, or a table in memory, opened in DuckDB."""

from __future__ import annotations

import csv
import gzip
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import NothingToCheckError, SourceError, did_you_mean
from dataguard.core.paths import encode_path
from dataguard.core.sql import literal, quoted
from dataguard.dataset.memory import SOURCE_SHARE, connect
from dataguard.dataset.sources.table_files import ARROW_SUFFIXES, TableFile

if TYPE_CHECKING:
    import duckdb

    from dataguard.dataset.engines.parts import Draw

_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One file, open."""

    path: Path
    name: str
    split: str | None
    table: str
    """SQL to select from."""
    row: str
    """SQL for the number of the row, from 0."""
    types: Mapping[str, str]
    """DuckDB's type of each column."""
    csv: bool
    """Whether the types were told from the values."""
    changed_at: tuple[int, ...]
    pictures: frozenset[str] = frozenset()
    """Columns of pictures, which DuckDB has as STRUCT(path VARCHAR, stored BOOLEAN), without the bytes."""
    arrow: Any = None
    """The pyarrow table, memory-mapped, that the rows were taken from."""
    damage: Mapping[str, str] = field(default_factory=dict)
    """Shards that could not be read, and why."""
    files: tuple[Path, ...] = ()
    """What the rows are read from; none for a table in memory."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What codes stand for that were read as words."""
    n_all: int | None = None
    """Of how many rows these were drawn at random; None where they are all."""


class Database:
    """A DuckDB database in memory that files are opened in."""

    def __init__(self) -> None:
        self.connection: duckdb.DuckDBPyConnection = connect(SOURCE_SHARE)
        self.connection.execute("SET TimeZone = 'UTC'")

    def open(self, file: TableFile, number: int, text_columns: Sequence[str] = ()) -> Part:
        """Open a file.

        Args:
            file: Which.
            number: Its place among the files, to tell their tables apart.
            text_columns: Columns that are read as text whatever they hold.

        Raises:
            SourceError: there is no such file, or it is broken.
            NothingToCheckError: it is empty.
        """
        import duckdb

        path = file.path
        if file.shards or path.name.lower().endswith(ARROW_SUFFIXES):
            return self._open_arrow(file, number)
        if not path.exists():
            near = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
            raise SourceError(
                "no such file", where=path, hint=did_you_mean(path.name, near) if 0 < len(near) <= 20 else None
            )
        if not path.is_file():
            raise SourceError("is a folder, not a table", where=path)
        since = changed_at(path)
        is_parquet = path.name.lower().endswith(".parquet")
        try:
            name = literal(path)
            if is_parquet:
                table, row = f"read_parquet({name}, file_row_number = true)", "file_row_number"
            else:
                # The whole file decides on the types; a dialect guessed from ragged lines could swallow some.
                dialect = f"{name}, header = true, skip = 0, delim = {literal(_delimiter(path))}"
                dialect += ", quote = '\"', escape = '\"'"
                if text_columns:
                    kinds = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in text_columns)
                    dialect += f", types = {{{kinds}}}"
                table, row = f"data{number}", "rowid"
                self._load(path, dialect, table)
            described = self.connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
        except duckdb.Error as error:
            raise broken(error, path) from error
        except UnicodeEncodeError as error:
            raise SourceError("the path is not UTF-8", where=encode_path(str(path)), hint="rename it") from error
        return Part(
            path=path,
            name=file.name,
            split=file.split,
            table=table,
            row=row,
            types={name: kind for name, kind, *_ in described if name != "file_row_number"},
            csv=not is_parquet,
            changed_at=since,
            files=(path,),
        )

    def open_frame(self, frame: object, path: Path, number: int, draw: Draw | None = None) -> Part:
        """Open a table of pandas, polars or pyarrow, or of an engine, which is written to a file.

        Args:
            frame: The table.
            path: What it is called.
            number: Its place among the files, to tell their tables apart.
            draw: Which rows are wanted, if not all; of an engine's tables no others are written, if the engine can
                tell which these are, and `Part.n_all` says how many there were.

        Raises:
            SourceError: DuckDB cannot read it.
            EngineError: its engine cannot compute it.
        """
        from dataguard.dataset.engines.frames import writer_of
        from dataguard.dataset.engines.parts import SAMPLED_ROW, part_writer_of
        from dataguard.dataset.sources.table_arrow import as_arrow, without_pictures

        write, write_part = writer_of(frame), part_writer_of(frame)
        if write is not None:
            folder = Path(tempfile.mkdtemp(prefix="dataguard-table-"))
            weakref.finalize(self.connection, shutil.rmtree, folder, ignore_errors=True)
            written = folder / "table.parquet"
            n_all = None if draw is None or write_part is None else write_part(written, draw)
            if n_all is None:
                write(written)
            part = replace(
                self.open(TableFile(path=written, name=path.name, split=""), number), split=None, n_all=n_all
            )
            if SAMPLED_ROW not in part.types:
                return part
            types = {name: kind for name, kind in part.types.items() if name != SAMPLED_ROW}
            return replace(part, row=quoted(SAMPLED_ROW), types=types)
        table = as_arrow(frame, path)
        pictures: frozenset[str] = frozenset()
        if table is not None:
            frame, pictures = without_pictures(table)
        self._copy(frame, f"data{number}", path)
        kept = frame if table is None else table
        return self._copied(path, path.name, None, number, pictures=pictures, arrow=kept)

    def _open_arrow(self, file: TableFile, number: int) -> Part:
        from dataguard.dataset.sources.table_arrow import read_shards, without_pictures

        shards = file.shards or (file.path,)
        table, damage = read_shards(shards, file.path, names=file.names)
        shown, pictures = without_pictures(table)
        self._copy(shown, f"data{number}", file.path)
        part = self._copied(file.path, file.name, file.split, number, pictures=pictures, arrow=table)
        return replace(part, damage=damage, changed_at=changed_at(file.path), files=shards, names=file.names)

    def _copy(self, frame: object, table: str, path: Path) -> None:
        """Copy a table of Python's to one that every cursor sees, and that does not fill memory."""
        import duckdb

        try:
            # The type of a column of objects is to follow from all of them, not from a sample.
            self.connection.execute("SET pandas_analyze_sample = 1000000000")
            self.connection.register("given", frame)
            described = self.connection.execute("DESCRIBE SELECT * FROM given").fetchall()
            texts = [
                f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}"
                for name, kind, *_ in described
                if kind.startswith("ENUM")
            ]
            # Categories are a way to store text.
            changed = f"REPLACE ({', '.join(texts)})" if texts else ""
            self.connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * {changed} FROM given")
            self.connection.unregister("given")
        except duckdb.Error as error:
            raise broken(error, path) from error

    def _copied(
        self, path: Path, name: str, split: str | None, number: int, *, pictures: frozenset[str], arrow: object
    ) -> Part:
        described = self.connection.execute(f"DESCRIBE SELECT * FROM data{number}").fetchall()
        return Part(
            path=path,
            name=name,
            split=split,
            table=f"data{number}",
            row="rowid",
            types={name: kind for name, kind, *_ in described},
            csv=False,
            changed_at=(),
            pictures=pictures,
            arrow=arrow,
        )

    def query(self, statement: str, path: Path) -> list[tuple[Any, ...]]:
        """The rows of a statement, about the file or folder at a path.

        Raises:
            SourceError: the file is broken.
        """
        import duckdb

        try:
            return self.connection.execute(statement).fetchall()
        except duckdb.Error as error:
            raise broken(error, path) from error

    def _load(self, path: Path, dialect: str, table: str) -> None:
        import duckdb

        try:
            self.connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM read_csv({dialect}, sample_size = -1)")
        except duckdb.InvalidInputException:
            # What was wrong is only said, with the line, where there is nothing to detect.
            names = next(csv.reader([_first_line(path)], delimiter=_delimiter(path)), [])
            if names and len(set(names)) == len(names):
                types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
                plain = dialect.partition(", types = ")[0]
                self.connection.execute(
                    f"SELECT count(*) FROM read_csv({plain}, auto_detect = false, columns = {{{types}}})"
                ).fetchall()
            raise


def broken(error: Exception | str, path: Path) -> SourceError:
    """What is the matter with a file, in words of what DuckDB says."""
    text = str(error).partition("Possible fixes:")[0].partition("\nLINE ")[0]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    detail = "; ".join(lines[:4])
    hint = None
    if "nicode" in detail or "utf-8" in detail.lower():
        hint = f"convert it to UTF-8, as with iconv -f latin1 -t utf-8 {path.name}"
    return SourceError(f"the table cannot be read: {detail}", where=path, hint=hint)


def _delimiter(path: Path) -> str:
    first = _first_line(path)
    return max(_DELIMITERS, key=first.count)


def _first_line(path: Path) -> str:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            first = stream.readline(1 << 20).decode("utf-8", "replace").strip("\ufeff\r\n ")
    except (OSError, EOFError) as error:
        raise SourceError(f"cannot be read: {error}", where=path) from error
    if not first:
        raise NothingToCheckError("the table is empty", where=path)
    return first


def changed_at(path: Path) -> tuple[int, ...]:
    """What changes with a file: its size, times and number."""
    info = path.stat()
    return info.st_size, info.st_mtime_ns, info.st_ino, info.st_ctime_ns

"""A table of samples: CSV or Parquet, one row a sample."""

from __future__ import annotations

import csv
import gzip
import os
import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from dataguard.core.errors import NothingToCheckError, SourceError, did_you_mean
from dataguard.core.paths import encode_path
from dataguard.dataset.sources import Identity, Reference

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

LABEL_NAMES = ("label", "target", "class", "y")
"""Columns that are taken for the label where none is named."""

SPLIT_NAMES = ("split", "subset", "fold")

FREE_TEXT_WORDS = 8
"""A column of so many words a row on average is prose: names, addresses and titles have fewer."""

FREE_TEXT_DISTINCT = 0.5
"""Share of a column's values that differ, from which they are written row by row and not chosen from a list."""

_CATEGORIES = 32
"""Distinct texts of a column that may still group rows, if there are three rows for each."""

_ENCODING_VERSION = 1
"""Counts up whenever the digest of a row changes."""

_ROWS_AT_A_TIME = 10_000
_DELIMITERS = (",", ";", "\t", "|")
_INTEGERS = frozenset(
    sign + size for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
)
_FLOATS = frozenset(("FLOAT", "DOUBLE"))


class TableSource:
    """Samples in a CSV (``.csv``, ``.tsv``, either with ``.gz``) or Parquet file.

    The first line of a CSV names the columns; it is UTF-8, and its delimiter is whichever of ``, ; | tab`` occurs most
    in that line.

    Args:
        path: The file.
        label: The column that is to be predicted. Where it is not named, a column 'label', 'target', 'class' or 'y'
            is taken for it, unless it holds numbers that are not whole.
        split: The column that says 'train', 'val' or 'test'; or a column 'split', 'subset' or 'fold'.
        image: The column with the paths of image files, relative to the table's folder, or absolute.
        group: The column that must not straddle splits.
        time: The column that says when a row was recorded: a date, a timestamp, or ISO 8601 text.
        id: The column that names a row; the row's number where it is not given.
        text: The column of texts that the labels are judged by. Where it is not named, a column of prose is taken for
            it (`FREE_TEXT_WORDS`, `FREE_TEXT_DISTINCT`) if nothing else in the table tells classes apart.

    Attributes:
        kind: 'table'.
        root: The folder that the table lies in.
        notes: What was guessed, in words.
        prose: The column that reads most like text, where none was named.

    Raises:
        SourceError: the file is missing or broken, a named column is not there, or the label column is entirely null.
    """

    kind = "table"

    def __init__(
        self,
        path: str | Path,
        *,
        label: str | None = None,
        split: str | None = None,
        image: str | None = None,
        group: str | None = None,
        time: str | None = None,
        id: str | None = None,  # noqa: A002 - the configuration's word
        text: str | None = None,
    ) -> None:
        self.path = Path(path).absolute()
        self.root = self.path.parent
        self.notes: list[str] = []
        self._open()
        for key, name in (
            ("label", label),
            ("split", split),
            ("image", image),
            ("group", group),
            ("time", time),
            ("id", id),
            ("text", text),
        ):
            if name is not None and name not in self._types:
                raise SourceError(
                    f"no column {name!r}, which {key} names", where=self.path, hint=did_you_mean(name, self._types)
                )
        self.label = label or self._guess("label", LABEL_NAMES)
        self.split = split or self._guess("split", SPLIT_NAMES)
        self.image, self.group, self.time, self.id = image, group, time, id
        self._check()
        self.text = text
        self.prose: str | None = None
        if text is not None and self._types[text] != "VARCHAR":
            raise SourceError(f"the text column {text!r} holds {self._types[text]}, not text", where=self.path)
        if text is None and image is None and self.label is not None:
            self.text = self._guess_text()

    @property
    def column_names(self) -> tuple[str, ...]:
        """All columns, in the table's order."""
        return tuple(self._types)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns that are nothing else: neither label, split, image, group, time nor id."""
        taken = {self.label, self.split, self.image, self.group, self.time, self.id}
        return tuple(name for name in self._types if name not in taken)

    @cached_property
    def n_rows(self) -> int:
        """How many rows there are."""
        return int(self._query(f"SELECT count(*) FROM {self._table}")[0][0])

    def columns(self, names: Sequence[str] | None = None) -> pd.DataFrame:
        """Some columns, or all, in the table's order of rows.

        Raises:
            SourceError: the file is broken.
        """
        import duckdb

        selected = ", ".join(map(_name, self._types if names is None else names)) or "1"
        try:
            return self._connection.execute(f"SELECT {selected} FROM {self._table}").df()
        except duckdb.Error as error:
            raise self._broken(error) from error

    def references(self) -> Iterator[Reference]:
        """Every row, in the table's order, with the digest of its features.

        Raises:
            SourceError: the file is broken.
            NothingToCheckError: it has no row.
        """
        import duckdb

        if not self.n_rows:
            raise NothingToCheckError("the table has no row", where=self.path)
        number = f"CAST({self._row} + 1 AS BIGINT)"
        texts = [self._text(name) for name in (self.id, self.split, self.label, self.group)]
        time = "NULL" if self.time is None else f"CAST({_name(self.time)} AS TIMESTAMP)"
        image = "NULL" if self.image is None else f"coalesce({_name(self.image)}, '')"
        features = self.feature_names if self.image is None else ()
        values = f"concat({', '.join(map(self._canonical, features))})" if features else "NULL"
        # The names, so that a renamed column makes another version.
        names = "".join(f"{len(name.encode())}:{name}" for name in features).encode()
        statement = f"SELECT {', '.join([number, *texts, time, image, values])} FROM {self._table}"
        try:
            cursor = self._connection.cursor().execute(statement)
            while rows := cursor.fetchmany(_ROWS_AT_A_TIME):
                for row, sample_id, split, label, group, moment, file, encoded in rows:
                    yield Reference(
                        sample_id=str(row) if sample_id is None else sample_id,
                        path=None if file is None else self._relative(file),
                        split=split,
                        label=label,
                        group_id=group,
                        time=moment,
                        row=row,
                        digest=None if encoded is None else blake3(names + b"\n" + encoded.encode()).digest(),
                    )
        except duckdb.Error as error:
            raise self._broken(error) from error

    def identity(self) -> Identity | None:
        """The file's content and what each column means; None where the rows name files."""
        if self.image is not None:
            return None
        digest = blake3(f"rows {_ENCODING_VERSION} {self.label!r} {self.split!r} {self.group!r} {self.time!r}".encode())
        digest.update(f" {self.id!r} {self.path.suffixes!r}".encode())
        try:
            digest.update_mmap(self.path)
            unchanged = _changed_at(self.path) == self._opened_at
        except OSError:
            return None
        return Identity(digest=digest.hexdigest(), n_samples=self.n_rows) if unchanged else None

    def _open(self) -> None:
        import duckdb

        if not self.path.exists():
            near = [entry.name for entry in self.root.iterdir()] if self.root.is_dir() else []
            raise SourceError(
                "no such file",
                where=self.path,
                hint=did_you_mean(self.path.name, near) if 0 < len(near) <= 20 else None,
            )
        if not self.path.is_file():
            raise SourceError("is a folder, not a table", where=self.path)
        self._opened_at = _changed_at(self.path)
        self._connection: duckdb.DuckDBPyConnection = duckdb.connect()
        # What does not fit into memory goes there, and not into the user's working directory.
        self._connection.execute(f"SET temp_directory = {_literal(tempfile.gettempdir())}")
        self._connection.execute("SET TimeZone = 'UTC'")
        try:
            file = _literal(str(self.path))
            if self.path.name.lower().endswith(".parquet"):
                self._table, self._row = f"read_parquet({file}, file_row_number = true)", "file_row_number"
            else:
                # The whole file decides on the types; a dialect guessed from ragged lines could swallow some.
                delimiter = _literal(self._delimiter())
                dialect = f"{file}, header = true, skip = 0, delim = {delimiter}, quote = '\"', escape = '\"'"
                self._load(dialect)
                self._table, self._row = "data", "rowid"
            described = self._connection.execute(f"DESCRIBE SELECT * FROM {self._table}").fetchall()
        except duckdb.Error as error:
            raise self._broken(error) from error
        except UnicodeEncodeError as error:
            raise SourceError("the path is not UTF-8", where=encode_path(str(self.path)), hint="rename it") from error
        self._types: dict[str, str] = {name: kind for name, kind, *_ in described if name != "file_row_number"}

    def _load(self, dialect: str) -> None:
        import duckdb

        try:
            self._connection.execute(f"CREATE TABLE data AS FROM read_csv({dialect}, sample_size = -1)")
        except duckdb.InvalidInputException:
            # What was wrong is only said, with the line, where there is nothing to detect.
            names = next(csv.reader([self._first_line()], delimiter=self._delimiter()), [])
            if names and len(set(names)) == len(names):
                types = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in names)
                self._connection.execute(
                    f"SELECT count(*) FROM read_csv({dialect}, auto_detect = false, columns = {{{types}}})"
                ).fetchall()
            raise

    def _delimiter(self) -> str:
        first = self._first_line()
        return max(_DELIMITERS, key=first.count)

    def _first_line(self) -> str:
        opener = gzip.open if self.path.suffix.lower() == ".gz" else open
        try:
            with opener(self.path, "rb") as stream:
                first = stream.readline(1 << 20).decode("utf-8", "replace").strip("\ufeff\r\n ")
        except (OSError, EOFError) as error:
            raise SourceError(f"cannot be read: {error}", where=self.path) from error
        if not first:
            raise NothingToCheckError("the table is empty", where=self.path)
        return first

    def _guess(self, role: str, candidates: Sequence[str]) -> str | None:
        found = next((name for name in candidates if name in self._types), None)
        if found is None:
            return None
        if self._types[found] in _FLOATS:
            column = _name(found)
            fractions = self._query(
                f"SELECT 1 FROM {self._table} WHERE isfinite({column}) AND {column} != trunc({column}) LIMIT 1"
            )
            if fractions:
                self.notes.append(f"{found!r} is not taken for the {role} column: it holds numbers that are not whole")
                return None
        self.notes.append(f"{found!r} is taken for the {role} column, by its name")
        return found

    def _guess_text(self) -> str | None:
        names = self.feature_names
        prose = {name: words for name in names if (words := self._words(name)) is not None}
        if not prose:
            return None
        found = self.prose = max(prose, key=prose.__getitem__)
        others = [name for name in names if name not in prose and self._tells_apart(name)]
        if others:
            self.notes.append(
                f"{found!r} reads like text and is not used, for there are other columns, as {others[0]!r}; "
                f"dataset.text = {found!r} judges the labels by it instead"
            )
            return None
        self.notes.append(f"{found!r} is taken for the text column: {prose[found]:.0f} words a row on average")
        return found

    def _words(self, column: str) -> float | None:
        """Mean number of words in a row of a column of prose; None where it is none."""
        if self._types[column] != "VARCHAR":
            return None
        name = _name(column)
        (known, distinct, words), *_ = self._query(
            f"SELECT count({name}), count(DISTINCT {name}), "
            f"avg(len(string_split_regex(trim({name}), '\\s+'))) FROM {self._table}"
        )
        prose = known > 0 and distinct >= FREE_TEXT_DISTINCT * known and words >= FREE_TEXT_WORDS
        return float(words) if prose else None

    def _tells_apart(self, column: str) -> bool:
        """Whether a column may group rows: text or whole numbers with a value of their own in every row do not."""
        name, kind = _name(column), self._types[column]
        (known, distinct), *_ = self._query(f"SELECT count({name}), count(DISTINCT {name}) FROM {self._table}")
        if kind == "VARCHAR":
            return bool(1 < distinct <= min(_CATEGORIES, max(2, known // 3)))
        return bool(distinct > 1 and (kind not in _INTEGERS or distinct < known))

    def _check(self) -> None:
        if self.label is not None and self.n_rows and not self._has_value(self.label):
            raise SourceError(
                f"the label column {self.label!r} is entirely null",
                where=self.path,
                hint="name another column, or fill it in",
            )
        if self.image is not None and self._types[self.image] != "VARCHAR":
            raise SourceError(
                f"the image column {self.image!r} holds {self._types[self.image]}, not paths", where=self.path
            )
        if self.time is not None:
            self._check_time(self.time)
        if self.id is not None:
            self._check_ids(self.id)

    def _has_value(self, column: str) -> bool:
        found = self._query(f"SELECT 1 FROM {self._table} WHERE {self._text(column)} IS NOT NULL LIMIT 1")
        return bool(found)

    def _check_time(self, column: str) -> None:
        kind = self._types[column]
        if kind != "VARCHAR" and not kind.startswith(("DATE", "TIMESTAMP")):
            raise SourceError(
                f"the time column {column!r} holds {kind}, neither dates nor times",
                where=self.path,
                hint="write times as ISO 8601, as 2024-01-31T23:59:59",
            )
        bad = self._query(
            f"SELECT {self._row} + 1, {_name(column)} FROM {self._table} WHERE {_name(column)} IS NOT NULL"
            f" AND TRY_CAST({_name(column)} AS TIMESTAMP) IS NULL LIMIT 1"
        )
        if bad:
            row, value = bad[0]
            raise SourceError(
                f"column {column!r}, data row {row}: {value!r} is no date or time",
                where=self.path,
                hint="write times as ISO 8601, as 2024-01-31T23:59:59",
            )

    def _check_ids(self, column: str) -> None:
        text = self._text(column)
        nulls = self._query(f"SELECT {self._row} + 1 FROM {self._table} WHERE {text} IS NULL LIMIT 1")
        if nulls:
            raise SourceError(f"the id column {column!r} is null in data row {nulls[0][0]}", where=self.path)
        twice = self._query(
            f"SELECT {text}, count(*) FROM {self._table} GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 3"
        )
        if twice:
            names = ", ".join(f"{name!r} ({count} times)" for name, count in twice)
            raise SourceError(f"the id column {column!r} does not tell rows apart: {names}", where=self.path)

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self._connection.execute(statement).fetchall()
        except duckdb.Error as error:
            raise self._broken(error) from error

    def _text(self, column: str | None) -> str:
        """SQL for a column's values as text; NaN is NULL, as pandas writes missing labels."""
        if column is None:
            return "NULL"
        name = _name(column)
        value = f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END" if self._types[column] in _FLOATS else name
        return f"CAST({value} AS VARCHAR)"

    def _canonical(self, column: str) -> str:
        """SQL for text that two values share if and only if they are equal, and that ends where it says.

        A type's letter, the number of bytes, and the value. NaN equals NaN and -0.0 equals 0.0; numbers are written
        with as many digits as tell them apart, so that a value read from CSV and from Parquet is written alike.
        """
        name, kind = _name(column), self._types[column]
        tag, value = "x", f"CAST({name} AS VARCHAR)"
        if kind in _FLOATS:
            tag = "f"
            value = f"CASE WHEN isnan({name}) THEN 'nan' ELSE CAST({name} + CAST(0 AS {kind}) AS VARCHAR) END"
        elif kind in _INTEGERS:
            tag = "i"
        elif kind == "VARCHAR":
            tag = "s"
        elif kind == "BOOLEAN":
            tag = "b"
        elif kind.startswith(("DATE", "TIME")):
            tag = "t"
        return f"coalesce('{tag}' || strlen({value}) || ':' || {value}, 'n')"

    def _relative(self, file: str) -> str:
        if not file:
            return ""
        path = posixpath.normpath(file)
        if path.startswith("/"):
            root = str(self.root)
            if os.path.commonpath([root, path]) == root:
                path = posixpath.relpath(path, root)
        return encode_path(path)

    def _broken(self, error: Exception) -> SourceError:
        text = str(error).partition("Possible fixes:")[0].partition("\nLINE ")[0]
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        detail = "; ".join(lines[:4])
        hint = None
        if "nicode" in detail or "utf-8" in detail.lower():
            hint = f"convert it to UTF-8, as with iconv -f latin1 -t utf-8 {self.path.name}"
        return SourceError(f"the table cannot be read: {detail}", where=self.path, hint=hint)


def _changed_at(path: Path) -> tuple[int, int, int]:
    info = path.stat()
    return info.st_size, info.st_mtime_ns, info.st_ino


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

"""A table of samples, one row a sample: CSV, Parquet or Arrow, in one file or in one for each split, or in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError, NothingToCheckError, SourceError, did_you_mean
from dataguard.core.sql import literal, quoted
from dataguard.dataset.engines.parts import SAMPLED_ROW, Draw
from dataguard.dataset.kinds import COLUMNS, Opening, SourceKind
from dataguard.dataset.sources import Identity, Pictures, Reference, RowQuery
from dataguard.dataset.sources.joined_files import FILE, FILE_ROW, LABEL_NAMES, ROW, SPLIT, TABLE, JoinedFiles
from dataguard.dataset.sources.table_checks import check_ids, check_times, guessed_text
from dataguard.dataset.sources.table_columns import Columns
from dataguard.dataset.sources.table_files import FLOATS, INTEGERS, TableFile, is_table, named_tables, suffix_hint
from dataguard.dataset.sources.table_folders import holds_tables, tables_of
from dataguard.dataset.sources.table_identity import identity_of_pictures, identity_of_rows
from dataguard.dataset.sources.table_part import Database, Part, broken
from dataguard.dataset.sources.table_pictures import (
    RowPictures,
    is_picture_struct,
    picture_columns,
    picture_sql,
    relative_path,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SPLIT_NAMES = ("split", "subset", "fold")

_ENCODING_VERSION = 3
"""Counts up whenever the digest of a row changes."""

_ROWS_AT_A_TIME = 10_000
_VECTORS_AT_A_TIME = 16
"""DuckDB's vectors of 2,048 rows in a chunk."""


class TableSource:
    """Samples in a CSV (``.csv``, ``.tsv``, either with ``.gz``), Parquet or Arrow file, or in one for each split.

    The first line of a CSV names the columns; it is UTF-8, and its delimiter is whichever of ``, ; | tab`` occurs most
    in that line.

    Several files are one table: rows in the order of the files, columns matched by name, whatever their order is.
    Whole numbers beside fractions are read as fractions; numbers beside text, in CSV files, as text. A column that
    some file lacks is left out (the label: empty), and `notes` says so.

    Args:
        path: The file; or the folder that `files` lie in.
        files: The files with the split that each is, in the order of their rows.
        label: The column that is to be predicted. Where it is not named, a column 'label', 'target', 'class' or 'y'
            is taken for it, unless it holds numbers that are not whole.
        split: The column that says 'train', 'val' or 'test'; or a column 'split', 'subset' or 'fold'.
        image: The column with the paths of image files, relative to the table's folder, or absolute; or with pictures:
            encoded bytes, or structs of ``bytes`` and ``path``. A single column of pictures is taken for it.
        group: The column that must not straddle splits.
        time: The column that says when a row was recorded: a date, a timestamp, or ISO 8601 text.
        id: The column that names a row; the row's number where it is not given.
        text: The column of texts that the labels are judged by. Where it is not named, a column of prose is taken for
            it (`FREE_TEXT_WORDS`, `FREE_TEXT_DISTINCT`) if nothing else in the table tells classes apart.
        frame: A table of pandas, polars or pyarrow, or of an engine (`dataguard.dataset.engines.frames`), in place of
            files; `path` is what messages call it.
        draw: How many rows of such a table of an engine's are wanted, at random, and the seed; see `take_sample`.
        shards: The Arrow files that it is made of, where `path` is their folder.
        kind: What the source is called.

    Attributes:
        kind: 'table', or what reads its rows from a table.
        root: The folder that the table lies in, or that holds the files.
        notes: What was guessed, in words.
        prose: The column that reads most like text, where none was named.

    Raises:
        SourceError: a file is missing or broken, a named column is not there, the label column is entirely null, or
            the columns of several files do not fit together.
    """

    _table: str
    _row: str

    def __init__(
        self,
        path: str | Path,
        *,
        files: Sequence[TableFile] = (),
        label: str | None = None,
        split: str | None = None,
        image: str | None = None,
        group: str | None = None,
        time: str | None = None,
        id: str | None = None,  # noqa: A002 - the configuration's word
        text: str | None = None,
        frame: object | None = None,
        draw: tuple[int, int] | None = None,
        shards: TableFile | None = None,
        kind: str = "table",
    ) -> None:
        self.kind = kind
        self.pictures: Pictures | None = None
        self.path = Path(path).absolute()
        self.root = self.path if files or shards else self.path.parent
        self.notes: list[str] = []
        self._ids_recur = False
        self._sample = ""
        self._table: str
        self._row: str
        self._types: dict[str, str]
        roles = [name for name in (label, image, group, time, id, text) if name is not None]
        if files and split is not None:
            raise SourceError(
                f"the files tell the split, and dataset.split names the column {split!r}",
                where=self.path,
                hint="keep one of them",
            )
        chosen = None if draw is None else Draw(n=draw[0], seed=draw[1], id=id)
        by_absence = self._open(files, shards, frame, chosen, label=label, roles=roles)
        self._columns = Columns(database=self._database, table=self._table, types=self._types, path=self.path)
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
        self.label = label or by_absence or self._guess("label", LABEL_NAMES)
        self.split = split or (None if files else self._guess("split", SPLIT_NAMES))
        self.group, self.time, self.id = group, time, id
        self._picture_columns = picture_columns(self._parts, self._types, self._query, self._table)
        self.image = image or self._guess_image()
        self._check()
        if self.image in self._picture_columns:
            self.pictures = RowPictures(
                column=self.image,
                files={number: part.path for number, part in enumerate(self._parts) if part.arrow is None},
                in_struct=is_picture_struct(self._types[self.image]),
                tables={number: part.arrow for number, part in enumerate(self._parts) if part.arrow is not None},
                shards={at: part.files for at, part in enumerate(self._parts) if part.arrow is not None and part.files},
            )
        self.text = text
        self.prose: str | None = None
        if text is not None and self._types[text] != "VARCHAR":
            raise SourceError(f"the text column {text!r} holds {self._types[text]}, not text", where=self.path)
        if text is None and self.image is None and self.label is not None:
            self.text, self.prose, note = guessed_text(self._columns, self.feature_names)
            self.notes += [note] if note else []

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

    def columns(self, names: Sequence[str] | None = None, *, rows: NDArray[np.int64] | None = None) -> pd.DataFrame:
        """Some columns, or all but those of pictures, in the table's order of rows.

        Args:
            names: The columns.
            rows: Places of rows from 0, ascending; None for all of them.

        Raises:
            SourceError: the file is broken.
        """
        import duckdb
        import numpy as np

        if names is None:
            names = [name for name in self._types if name not in self._picture_columns]
        selected = ", ".join(map(quoted, names)) or "1"
        try:
            if rows is None:
                return self._database.connection.execute(f"SELECT {selected} FROM {self._table}").df()
            cursor = self._database.connection.cursor()
            if self._sample:
                # Rows have kept the numbers that they had among all.
                numbers = cursor.execute(f"SELECT {self._row} AS n FROM {self._table} ORDER BY 1").fetchnumpy()["n"]
                rows = np.asarray(numbers, dtype=np.int64)[rows]
            cursor.execute("CREATE OR REPLACE TEMP TABLE chosen AS SELECT unnest($1::BIGINT[]) AS place", [rows])
            return cursor.execute(
                f"SELECT {selected} FROM {self._table} WHERE {self._row} IN (FROM chosen) ORDER BY {self._row}"
            ).df()
        except duckdb.Error as error:
            raise broken(error, self.path) from error

    def chunks(self, names: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Some columns, a part of the rows at a time, in the table's order: for tables larger than memory.

        Raises:
            SourceError: the file is broken.
        """
        import duckdb

        try:
            cursor = self._database.connection.cursor().execute(
                f"SELECT {', '.join(map(quoted, names))} FROM {self._table}"
            )
            while len(frame := cursor.fetch_df_chunk(_VECTORS_AT_A_TIME)):
                yield frame
        except duckdb.Error as error:
            raise broken(error, self.path) from error

    def numbers(self, names: Sequence[str]) -> Iterator[tuple[str, NDArray[np.float64 | np.float32]]]:
        """Columns of numbers by split; see `Columns.numbers`."""
        return self._columns.numbers(names, self._split_text())

    @property
    def split_column(self) -> str | None:
        """The column of `chunks` that tells the split: the table's own, or one that several files get beside theirs."""
        return SPLIT if self._several else self.split

    @property
    def number_names(self) -> tuple[str, ...]:
        """The features that hold numbers: not text, truth values, dates or lists."""
        kinds = {name: self._types[name] for name in self.feature_names}
        return tuple(
            name for name, kind in kinds.items() if kind in INTEGERS or kind in FLOATS or kind.startswith("DECIMAL")
        )

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
        texts = [self._id(), self._split_text(), *(self._columns.text(name) for name in (self.label, self.group))]
        time = "NULL" if self.time is None else f"CAST({quoted(self.time)} AS TIMESTAMP)"
        image, stored = picture_sql(self.image, self._types, self._picture_columns)
        place = self._place() if self.pictures is not None else "NULL"
        content = self._columns.content_sql(self.feature_names if self.image is None else ())
        statement = f"SELECT {', '.join([number, *texts, time, image, stored, place, content])} FROM {self._table}"
        try:
            cursor = self._database.connection.cursor().execute(statement)
            while rows := cursor.fetchmany(_ROWS_AT_A_TIME):
                for row, sample_id, split, label, group, moment, file, is_stored, at, digest in rows:
                    name = str(row) if sample_id is None else sample_id
                    yield Reference(
                        sample_id=name,
                        path=name if is_stored else None if file is None else relative_path(self.root, file),
                        place=at if is_stored else None,
                        split=split,
                        label=label,
                        group_id=group,
                        time=moment,
                        row=row,
                        digest=digest and bytes.fromhex(digest),
                    )
        except duckdb.Error as error:
            raise broken(error, self.path) from error
        for part in self._parts:
            for shard, reason in part.damage.items():
                name = f"{part.name}/{shard}" if self._several else shard
                yield Reference(sample_id=name, path=name, split=part.split, damage=reason)

    def rows(self) -> RowQuery | None:
        """All rows, in the table's order; None where they name pictures, or a shard is broken."""
        if self.image is not None or any(part.damage for part in self._parts):
            return None
        if not self.n_rows:
            raise NothingToCheckError("the table has no row", where=self.path)
        numbered = self.id is None and not self._several
        number = f"CAST({self._row} + 1 AS BIGINT)"
        columns = {
            "row": number,
            "sample_id": f"CAST({number} AS VARCHAR)" if numbered else self._id(),
            "split": self._split_text(),
            "label": self._columns.text(self.label),
            "group_id": self._columns.text(self.group),
            "time": "NULL" if self.time is None else f"CAST({quoted(self.time)} AS TIMESTAMP)",
        }
        return RowQuery(
            connection=self._database.connection,
            table=self._table,
            columns={name: expression for name, expression in columns.items() if expression != "NULL"},
            contents=self._columns.contents(self.feature_names),
            n_rows=self.n_rows,
            ids_are_numbers=numbered,
            path=self.path,
        )

    def take_sample(self, n: int, seed: int) -> int:
        """Keep so many rows, at random: those whose `dataguard.dataset.sampling.rank` is least.

        Returns:
            How many there were.

        Raises:
            SourceError: the file is broken.
        """
        n_all = self._parts[0].n_all
        if n_all is not None:
            # Its engine has drawn them.
            self._sample = f" sample {n} {seed}"
            return n_all
        n_all = self.n_rows
        if n_all > n:
            name = f"coalesce({self._id()}, CAST({self._row} + 1 AS VARCHAR))"
            self._query(
                f"CREATE OR REPLACE TABLE sampled AS SELECT * FROM (SELECT *, {self._row} AS {quoted(SAMPLED_ROW)} "
                f"FROM {self._table} ORDER BY md5('{seed}:' || {name}) LIMIT {n}) ORDER BY {quoted(SAMPLED_ROW)}"
            )
            self._table, self._row = "sampled", quoted(SAMPLED_ROW)
            self._columns = replace(self._columns, table=self._table)
            self._sample = f" sample {n} {seed}"
            self.__dict__.pop("n_rows", None)
        return n_all

    def identity(self) -> Identity | None:
        """The file's content and what each column means; None where the rows name files."""
        if self.image is not None or self._in_memory or any(part.damage for part in self._parts):
            return self._identity_of_pictures()
        said = f"rows {_ENCODING_VERSION} {self.label!r} {self.split!r} {self.group!r} {self.time!r}"
        said += f" {self.id!r} {self.path.suffixes!r}{self._sample}"
        return identity_of_rows(said, self._parts, self.n_rows)

    def _identity_of_pictures(self) -> Identity | None:
        """By the files' stat, where every picture lies in them: reading them all costs as much as the scan."""
        if self.pictures is None or self._in_memory or any(part.damage for part in self._parts):
            return None
        _, stored = picture_sql(self.image, self._types, self._picture_columns)
        if self._query(f"SELECT 1 FROM {self._table} WHERE NOT coalesce({stored}, false) LIMIT 1"):
            return None
        roles = (self.kind, self.label, self.split, self.image, self.group, self.time, self.id)
        return identity_of_pictures(f"pictures {_ENCODING_VERSION} {roles!r}{self._sample}", self._parts, self.n_rows)

    def _open(
        self,
        files: Sequence[TableFile],
        shards: TableFile | None,
        frame: object | None,
        draw: Draw | None,
        *,
        label: str | None,
        roles: Sequence[str],
    ) -> str | None:
        """Open the files; and the column that is the label because some of them lack it."""
        self._database = Database()
        self._in_memory = frame is not None
        if frame is not None:
            self._parts: tuple[Part, ...] = (self._database.open_frame(frame, self.path, 0, draw),)
            part = self._parts[0]
            self._table, self._row, self._types = part.table, part.row, dict(part.types)
            return None
        if not files:
            part = self._database.open(shards or TableFile(path=self.path, name=self.path.name, split=""), 0)
            self._parts = (replace(part, split=None),)
            self._table, self._row, self._types = part.table, part.row, dict(part.types)
            return None
        joined = JoinedFiles(self._database, files, label=label, roles=roles, where=self.path)
        self.notes += joined.notes
        self._parts, self._types = joined.parts, joined.types
        self._table, self._row = TABLE, quoted(ROW)
        return joined.label_by_absence

    def _guess(self, role: str, candidates: Sequence[str]) -> str | None:
        found = next((name for name in candidates if name in self._types), None)
        if found is None:
            return None
        if self._columns.has_fractions(found):
            self.notes.append(f"{found!r} is not taken for the {role} column: it holds numbers that are not whole")
            return None
        self.notes.append(f"{found!r} is taken for the {role} column, by its name")
        return found

    def _guess_image(self) -> str | None:
        if not self._picture_columns:
            return None
        if len(self._picture_columns) > 1:
            raise SourceError(
                f"several columns hold pictures: {', '.join(map(repr, self._picture_columns))}",
                where=self.path,
                hint="say with dataset.image which one is meant",
            )
        (found,) = self._picture_columns
        self.notes.append(f"{found!r} is taken for the image column: it holds pictures")
        return found

    def _place(self) -> str:
        """SQL for where a row's picture is, as `RowPictures` reads it."""
        if not self._several:
            return f"'0 ' || CAST({self._row} AS VARCHAR)"
        numbers = " ".join(f"WHEN {literal(part.name)} THEN '{at} '" for at, part in enumerate(self._parts))
        return f"CASE {quoted(FILE)} {numbers} END || CAST({quoted(FILE_ROW)} AS VARCHAR)"

    def _check(self) -> None:
        if self.label is not None and self.n_rows and not self._columns.has_value(self.label):
            raise SourceError(
                f"the label column {self.label!r} is entirely null",
                where=self.path,
                hint="name another column, or fill it in",
            )
        if self.image is not None and self.image not in self._picture_columns and self._types[self.image] != "VARCHAR":
            raise SourceError(
                f"the image column {self.image!r} holds {self._types[self.image]}, not paths or pictures",
                where=self.path,
            )
        if self.time is not None:
            number = f"{self._row} + 1"
            if self._several:
                number = f"{quoted(FILE)} || ' ' || CAST({quoted(FILE_ROW)} + 1 AS VARCHAR)"
            check_times(self.time, self._types[self.time], number, self._table, self._query, self.path)
        if self.id is not None:
            within = [(part.table, part.row, part.path) for part in self._parts]
            if not self._several:
                within = [(self._table, self._row, part.path) for part in self._parts]
            note = check_ids(self.id, self._columns.text(self.id), within, self._table, self._query)
            self._ids_recur = bool(note)
            self.notes += [note] if note else []

    def _query(self, statement: str, path: Path | None = None) -> list[tuple[Any, ...]]:
        return self._database.query(statement, path or self.path)

    @property
    def _several(self) -> bool:
        """Whether files tell the split."""
        return self._parts[0].split is not None

    def _id(self) -> str:
        """SQL for what a row is called; NULL for the row's number."""
        if not self._several:
            return self._columns.text(self.id)
        if self.id is None:
            return f"{quoted(FILE)} || ' row ' || CAST({quoted(FILE_ROW)} + 1 AS VARCHAR)"
        return (
            f"{quoted(FILE)} || ' ' || {self._columns.text(self.id)}"
            if self._ids_recur
            else self._columns.text(self.id)
        )

    def _split_text(self) -> str:
        return quoted(SPLIT) if self._several else self._columns.text(self.split)


def _open(opening: Opening) -> TableSource:
    path = opening.path
    files: tuple[TableFile, ...] = ()
    notes: list[str] = []
    roles = opening.roles(*COLUMNS)
    if opening.splits is not None:
        if not path.is_dir():
            raise ConfigurationError(
                "dataset.splits names files, and dataset.path is no folder",
                where=opening.where,
                hint="dataset.path is the folder that they lie in",
            )
        files = named_tables(path, opening.splits, where=opening.where)
    elif path.is_dir():
        path, files = tables_of(path, notes)
    elif path.exists() and not is_table(path):
        raise SourceError("not a table", where=path, hint=suffix_hint())
    source = TableSource(path, files=files, **roles)
    source.notes[:0] = notes
    return source


def _recognizes(opening: Opening) -> bool:
    if opening.is_url:
        return False
    path = opening.path
    return is_table(path) if path.is_file() else path.is_dir() and (opening.splits is not None or holds_tables(path))


SOURCE = SourceKind(
    name="table",
    words="a table",
    summary="CSV, Parquet or Arrow, one file or one a split; rows of numbers, texts, paths of images, or images",
    keys=(*COLUMNS, "splits"),
    open=_open,
    recognizes=_recognizes,
    rank=1,
)

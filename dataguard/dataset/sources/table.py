"""A table of samples: CSV or Parquet, one row a sample, in one file or in one for each split."""

from __future__ import annotations

import csv
import gzip
import os
import posixpath
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from dataguard.core.errors import NothingToCheckError, SourceError, did_you_mean
from dataguard.core.paths import encode_path
from dataguard.dataset.sources import Identity, Reference
from dataguard.dataset.sources.table_files import FLOATS, INTEGERS, TableFile, common_type, other_spelling

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
_VECTORS_AT_A_TIME = 16
"""DuckDB's vectors of 2,048 rows in a chunk."""
_DELIMITERS = (",", ";", "\t", "|")
_ROW, _FILE, _FILE_ROW, _SPLIT = "\x01row", "\x01file", "\x01file row", "\x01split"
"""Columns that a table of several files has beside its own: the names occur in no file that a person wrote."""

_CODES = 40
"""Distinct values up to which a column of several files is looked at as a code for something."""
_ROWS_A_CODE = 5
"""Rows a distinct value from which each file should show the common ones."""
_LISTED_NOTES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
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
    changed_at: tuple[int, int, int]


class TableSource:
    """Samples in a CSV (``.csv``, ``.tsv``, either with ``.gz``) or Parquet file, or in one for each split.

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
        image: The column with the paths of image files, relative to the table's folder, or absolute.
        group: The column that must not straddle splits.
        time: The column that says when a row was recorded: a date, a timestamp, or ISO 8601 text.
        id: The column that names a row; the row's number where it is not given.
        text: The column of texts that the labels are judged by. Where it is not named, a column of prose is taken for
            it (`FREE_TEXT_WORDS`, `FREE_TEXT_DISTINCT`) if nothing else in the table tells classes apart.

    Attributes:
        kind: 'table'.
        root: The folder that the table lies in, or that holds the files.
        notes: What was guessed, in words.
        prose: The column that reads most like text, where none was named.

    Raises:
        SourceError: a file is missing or broken, a named column is not there, the label column is entirely null, or
            the columns of several files do not fit together.
    """

    kind = "table"

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
    ) -> None:
        self.path = Path(path).absolute()
        self.root = self.path if files else self.path.parent
        self.notes: list[str] = []
        self._label_by_absence: str | None = None
        self._ids_recur = False
        roles = [name for name in (label, image, group, time, id, text) if name is not None]
        if files and split is not None:
            raise SourceError(
                f"the files tell the split, and dataset.split names the column {split!r}",
                where=self.path,
                hint="keep one of them",
            )
        self._open(files, label=label, roles=roles)
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
        self.label = label or self._label_by_absence or self._guess("label", LABEL_NAMES)
        self.split = split or (None if files else self._guess("split", SPLIT_NAMES))
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
            raise _broken(error, self.path) from error

    def chunks(self, names: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Some columns, a part of the rows at a time, in the table's order: for tables larger than memory.

        Raises:
            SourceError: the file is broken.
        """
        import duckdb

        try:
            cursor = self._connection.cursor().execute(f"SELECT {', '.join(map(_name, names))} FROM {self._table}")
            while len(frame := cursor.fetch_df_chunk(_VECTORS_AT_A_TIME)):
                yield frame
        except duckdb.Error as error:
            raise _broken(error, self.path) from error

    @property
    def split_column(self) -> str | None:
        """The column of `chunks` that tells the split: the table's own, or one that several files get beside theirs."""
        return _SPLIT if self._several else self.split

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
        texts = [self._id(), self._split_text(), *(self._text(name) for name in (self.label, self.group))]
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
            raise _broken(error, self.path) from error

    def identity(self) -> Identity | None:
        """The file's content and what each column means; None where the rows name files."""
        if self.image is not None:
            return None
        digest = blake3(f"rows {_ENCODING_VERSION} {self.label!r} {self.split!r} {self.group!r} {self.time!r}".encode())
        digest.update(f" {self.id!r} {self.path.suffixes!r}".encode())
        unchanged = True
        try:
            for part in self._parts:
                if len(self._parts) > 1 or part.split is not None:
                    digest.update(blake3(f"{part.name!r} {part.split!r}".encode()).digest())
                    digest.update(bytes.fromhex(_digest(part.path)))
                else:
                    digest.update_mmap(part.path)
                unchanged = unchanged and _changed_at(part.path) == part.changed_at
        except OSError:
            return None
        return Identity(digest=digest.hexdigest(), n_samples=self.n_rows) if unchanged else None

    def _open(self, files: Sequence[TableFile], *, label: str | None, roles: Sequence[str]) -> None:
        import duckdb

        self._connection: duckdb.DuckDBPyConnection = duckdb.connect()
        # What does not fit into memory goes there, and not into the user's working directory.
        self._connection.execute(f"SET temp_directory = {_literal(tempfile.gettempdir())}")
        self._connection.execute("SET TimeZone = 'UTC'")
        if not files:
            part = self._opened(TableFile(path=self.path, name=self.path.name, split=""), 0)
            self._parts: tuple[_Part, ...] = (replace(part, split=None),)
            self._table, self._row = part.table, part.row
            self._types: dict[str, str] = dict(part.types)
            return
        self._parts = tuple(self._opened(file, number) for number, file in enumerate(files))
        for part in self._parts:
            if not self._query(f"SELECT 1 FROM {part.table} LIMIT 1", part.path):
                raise SourceError("the table has no row", where=part.path, hint="leave the file out, or fill it")
        shared = self._shared_columns(label, roles)
        self._types = self._shared_types(shared)
        self._join()
        self._compare_codes(label, roles)

    def _opened(self, file: TableFile, number: int, text_columns: Sequence[str] = ()) -> _Part:
        import duckdb

        path = file.path
        if not path.exists():
            near = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
            raise SourceError(
                "no such file", where=path, hint=did_you_mean(path.name, near) if 0 < len(near) <= 20 else None
            )
        if not path.is_file():
            raise SourceError("is a folder, not a table", where=path)
        changed_at = _changed_at(path)
        is_parquet = path.name.lower().endswith(".parquet")
        try:
            literal = _literal(str(path))
            if is_parquet:
                table, row = f"read_parquet({literal}, file_row_number = true)", "file_row_number"
            else:
                # The whole file decides on the types; a dialect guessed from ragged lines could swallow some.
                dialect = f"{literal}, header = true, skip = 0, delim = {_literal(_delimiter(path))}"
                dialect += ", quote = '\"', escape = '\"'"
                if text_columns:
                    kinds = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in text_columns)
                    dialect += f", types = {{{kinds}}}"
                table, row = f"data{number}", "rowid"
                self._load(path, dialect, table)
            described = self._connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
        except duckdb.Error as error:
            raise _broken(error, path) from error
        except UnicodeEncodeError as error:
            raise SourceError("the path is not UTF-8", where=encode_path(str(path)), hint="rename it") from error
        return _Part(
            path=path,
            name=file.name,
            split=file.split,
            table=table,
            row=row,
            types={name: kind for name, kind, *_ in described if name != "file_row_number"},
            csv=not is_parquet,
            changed_at=changed_at,
        )

    def _load(self, path: Path, dialect: str, table: str) -> None:
        import duckdb

        try:
            self._connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM read_csv({dialect}, sample_size = -1)")
        except duckdb.InvalidInputException:
            # What was wrong is only said, with the line, where there is nothing to detect.
            names = next(csv.reader([_first_line(path)], delimiter=_delimiter(path)), [])
            if names and len(set(names)) == len(names):
                types = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in names)
                plain = dialect.partition(", types = ")[0]
                self._connection.execute(
                    f"SELECT count(*) FROM read_csv({plain}, auto_detect = false, columns = {{{types}}})"
                ).fetchall()
            raise

    def _shared_columns(self, label: str | None, roles: Sequence[str]) -> list[str]:
        """The columns that every file has, and the label, in the order of the first file."""
        every = list(dict.fromkeys(name for part in self._parts for name in part.types))
        label = label or next((name for name in LABEL_NAMES if name in every), None)
        shared, left_out = [], []
        for name in every:
            lacking = [part for part in self._parts if name not in part.types]
            if not lacking:
                shared.append(name)
                continue
            part = lacking[0]
            owner = next(other for other in self._parts if name in other.types)
            surplus = [other for other in part.types if other not in owner.types]
            spelt = other_spelling(name, surplus)
            if spelt is not None:
                raise SourceError(
                    f"no column {name!r}, which {owner.name} has",
                    where=part.path,
                    hint=f"it has {spelt!r}: write the names alike in all files",
                )
            if name == label:
                # What only the rows that were never judged lack is the label, whatever numbers it holds.
                self._label_by_absence = name
                shared.append(name)
                names = ", ".join(other.name for other in lacking)
                self.notes.append(f"{names} has no column {name!r}, which is taken for the label: it has no labels")
            elif name in roles:
                raise SourceError(
                    f"no column {name!r}, which {owner.name} has and the configuration names",
                    where=part.path,
                    hint=did_you_mean(name, part.types),
                )
            else:
                left_out.append(f"{name!r} (not in {part.name})")
        first, *rest = self._parts
        if not [name for name in shared if name != label]:
            other = next((part for part in rest if not set(part.types) & set(first.types) - {label}), rest[0])
            raise SourceError(
                f"no column in common with {first.name}",
                where=other.path,
                hint=f"{first.name} has {_few(first.types)}; this file has {_few(other.types)}; "
                "is the line with the names missing?",
            )
        if left_out:
            hint = ""
            if len(left_out) == 1 and label is None:
                name = next(name for name in every if name not in shared)
                hint = f"; dataset.label = {name!r} if it is what is to be predicted"
            self.notes.append(f"left out, as not every file has it: {_few(left_out, quoted=False)}{hint}")
        return shared

    def _shared_types(self, shared: Sequence[str]) -> dict[str, str]:
        """One type for each column; files in which it is text though it is none elsewhere are read again."""
        found: dict[str, str] = {}
        texts: list[str] = []
        for name in shared:
            kinds = {part.name: part.types[name] for part in self._parts if name in part.types}
            if len(set(kinds.values())) > 1:
                # A column without any value is text to DuckDB, and says nothing.
                empty = {part.name for part in self._parts if name in part.types and self._is_empty(part, name)}
                kinds = {file: kind for file, kind in kinds.items() if file not in empty} or kinds
            kind = common_type(kinds.values())
            if kind is None:
                self._check_text(name)
                texts.append(name)
            found[name] = kind or "VARCHAR"
        for number, part in enumerate(self._parts):
            again = [name for name in texts if part.types.get(name, "VARCHAR") != "VARCHAR"]
            if again:
                file = TableFile(path=part.path, name=part.name, split=part.split or "")
                reread = self._opened(file, number, again)
                self._parts = (*self._parts[:number], reread, *self._parts[number + 1 :])
        return found

    def _is_empty(self, part: _Part, name: str) -> bool:
        return not self._query(f"SELECT 1 FROM {part.table} WHERE {_name(name)} IS NOT NULL LIMIT 1", part.path)

    def _check_text(self, name: str) -> None:
        """Say of a column that is text in one file and something else in another where that is."""
        having = [part for part in self._parts if name in part.types and not self._is_empty(part, name)]
        text = next((part for part in having if part.types[name] == "VARCHAR"), None)
        other = next(part for part in having if part.types[name] != "VARCHAR")
        if text is None:
            second = next(part for part in having if part.types[name] != other.types[name])
            raise SourceError(
                f"the column {name!r} holds {second.types[name]}, and {other.types[name]} in {other.name}",
                where=second.path,
                hint="write it with one type in all files",
            )
        column, kind = _name(name), other.types[name]
        odd = self._query(
            f"SELECT {text.row} + 1, {column} FROM {text.table} WHERE {column} IS NOT NULL"
            f" AND TRY_CAST({column} AS {kind}) IS NULL LIMIT 1",
            text.path,
        )
        example = f", as {odd[0][1]!r} in data row {odd[0][0]}" if odd else ""
        fixed = next((part for part in having if not part.csv and part.types[name] != "VARCHAR"), None)
        if fixed is not None:
            raise SourceError(
                f"the column {name!r} holds text{example}, and {fixed.types[name]} in {fixed.name}",
                where=text.path,
                hint="write it with one type in all files; a missing value is an empty cell",
            )
        self.notes.append(
            f"{name!r} holds text in {text.name}{example}, and {kind} in {other.name}: it is read as text in all files"
        )

    def _join(self) -> None:
        """Make one table of the files."""
        selects, before = [], 0
        for part in self._parts:
            columns = [
                f"CAST({_name(name) if name in part.types else 'NULL'} AS {kind}) AS {_name(name)}"
                for name, kind in self._types.items()
            ]
            columns += [
                f"CAST({part.row} + {before} AS BIGINT) AS {_name(_ROW)}",
                f"CAST({part.row} AS BIGINT) AS {_name(_FILE_ROW)}",
                f"{_literal(part.name)} AS {_name(_FILE)}",
                f"{_literal(part.split or '')} AS {_name(_SPLIT)}",
            ]
            selects.append(f"SELECT {', '.join(columns)} FROM {part.table}")
            before += int(self._query(f"SELECT count(*) FROM {part.table}", part.path)[0][0])
        self._query(f"CREATE VIEW dataset AS {' UNION ALL '.join(selects)}")
        self._table, self._row = "dataset", _name(_ROW)

    def _compare_codes(self, label: str | None, roles: Sequence[str]) -> None:
        """Note columns of few values whose values in one file are other words for those in another."""
        names = [
            name
            for name, kind in self._types.items()
            if (kind == "VARCHAR" or kind in INTEGERS) and (name not in roles or name == label)
        ]
        codes = [self._codes(part, names) for part in self._parts]
        found = []
        for name in names:
            first = next((number for number, values in enumerate(codes) if values.get(name)), None)
            for number, values in enumerate(codes):
                if first is None or number == first or not values.get(name):
                    continue
                here, there = values[name], codes[first][name]
                if "BOOLEAN" in (self._parts[number].types[name], self._parts[first].types[name]):
                    continue
                if not here & there:
                    found.append(
                        f"{name!r} has no value in common: {_few(sorted(here))} in {self._parts[number].name}, "
                        f"{_few(sorted(there))} in {self._parts[first].name}"
                    )
                    break
                plain = {" ".join(value.casefold().split()): value for value in sorted(there)}
                twins = [(value, plain.get(" ".join(value.casefold().split()))) for value in sorted(here - there)]
                twin = next(((value, other) for value, other in twins if other is not None), None)
                if twin is not None and self._types[name] == "VARCHAR":
                    found.append(
                        f"{name!r} is spelt in two ways: {twin[0]!r} in {self._parts[number].name}, {twin[1]!r} in "
                        f"{self._parts[first].name}"
                    )
                    break
        self.notes += [f"are these the same codes? {text}" for text in found[:_LISTED_NOTES]]
        if len(found) > _LISTED_NOTES:
            self.notes.append(f"{len(found) - _LISTED_NOTES} more columns have other values in another file")

    def _codes(self, part: _Part, names: Sequence[str]) -> dict[str, set[str]]:
        """The values of columns that hold few, each often enough that a file should show the common ones."""
        names = [name for name in names if name in part.types]
        if not names:
            return {}
        columns = [_name(name) for name in names]
        counted = self._query(
            f"SELECT count(*), {', '.join(f'approx_count_distinct({column})' for column in columns)} FROM {part.table}",
            part.path,
        )[0]
        few = [
            (name, column)
            for name, column, distinct in zip(names, columns, counted[1:], strict=True)
            if distinct <= _CODES and counted[0] >= _ROWS_A_CODE * distinct
        ]
        if not few:
            return {}
        listed = self._query(
            f"SELECT {', '.join(f'list(DISTINCT CAST({column} AS VARCHAR))' for _, column in few)} FROM {part.table}",
            part.path,
        )[0]
        return {
            name: {value for value in values or () if value is not None}
            for (name, _), values in zip(few, listed, strict=True)
        }

    def _guess(self, role: str, candidates: Sequence[str]) -> str | None:
        found = next((name for name in candidates if name in self._types), None)
        if found is None:
            return None
        if self._types[found] in FLOATS:
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
        return bool(distinct > 1 and (kind not in INTEGERS or distinct < known))

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
        row = f"{self._row} + 1"
        if self._several:
            row = f"{_name(_FILE)} || ' ' || CAST({_name(_FILE_ROW)} + 1 AS VARCHAR)"
        bad = self._query(
            f"SELECT {row}, {_name(column)} FROM {self._table} WHERE {_name(column)} IS NOT NULL"
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
        for part in self._parts:
            table, row = (part.table, part.row) if self._several else (self._table, self._row)
            nulls = self._query(f"SELECT {row} + 1 FROM {table} WHERE {text} IS NULL LIMIT 1")
            if nulls:
                raise SourceError(f"the id column {column!r} is null in data row {nulls[0][0]}", where=part.path)
            twice = self._query(
                f"SELECT {text}, count(*) FROM {table} GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 3"
            )
            if twice:
                names = ", ".join(f"{name!r} ({count} times)" for name, count in twice)
                raise SourceError(f"the id column {column!r} does not tell rows apart: {names}", where=part.path)
        recurring = self._query(
            f"SELECT count(*), min(id) FROM (SELECT {text} AS id FROM {self._table} GROUP BY 1 HAVING count(*) > 1)"
        )[0]
        self._ids_recur = bool(recurring[0])
        if self._ids_recur:
            self.notes.append(
                f"{recurring[0]:,} values of the id column {column!r} are in several files, as {recurring[1]!r}: "
                "rows are called by file and id"
            )

    def _query(self, statement: str, path: Path | None = None) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self._connection.execute(statement).fetchall()
        except duckdb.Error as error:
            raise _broken(error, path or self.path) from error

    @property
    def _several(self) -> bool:
        """Whether files tell the split."""
        return self._parts[0].split is not None

    def _id(self) -> str:
        """SQL for what a row is called; NULL for the row's number."""
        if not self._several:
            return self._text(self.id)
        if self.id is None:
            return f"{_name(_FILE)} || ' row ' || CAST({_name(_FILE_ROW)} + 1 AS VARCHAR)"
        return f"{_name(_FILE)} || ' ' || {self._text(self.id)}" if self._ids_recur else self._text(self.id)

    def _split_text(self) -> str:
        return _name(_SPLIT) if self._several else self._text(self.split)

    def _text(self, column: str | None) -> str:
        """SQL for a column's values as text; NaN is NULL, as pandas writes missing labels."""
        if column is None:
            return "NULL"
        name = _name(column)
        value = f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END" if self._types[column] in FLOATS else name
        return f"CAST({value} AS VARCHAR)"

    def _canonical(self, column: str) -> str:
        """SQL for text that two values share if and only if they are equal, and that ends where it says.

        A type's letter, the number of bytes, and the value. NaN equals NaN and -0.0 equals 0.0; numbers are written
        with as many digits as tell them apart, so that a value read from CSV and from Parquet is written alike.
        """
        name, kind = _name(column), self._types[column]
        tag, value = "x", f"CAST({name} AS VARCHAR)"
        if kind in FLOATS:
            tag = "f"
            value = f"CASE WHEN isnan({name}) THEN 'nan' ELSE CAST({name} + CAST(0 AS {kind}) AS VARCHAR) END"
        elif kind in INTEGERS:
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


def _broken(error: Exception, path: Path) -> SourceError:
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


def _few(names: Iterable[str], *, quoted: bool = True) -> str:
    listed = [repr(name) if quoted else name for name in names]
    return ", ".join(listed[:5]) + (f", and {len(listed) - 5} more" if len(listed) > 5 else "")


def _digest(path: Path) -> str:
    digest = blake3()
    digest.update_mmap(path)
    return digest.hexdigest()


def _changed_at(path: Path) -> tuple[int, int, int]:
    info = path.stat()
    return info.st_size, info.st_mtime_ns, info.st_ino


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

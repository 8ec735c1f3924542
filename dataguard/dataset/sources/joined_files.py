"""Several files, a split each, as one table: which columns they share, with which types, and what their codes are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from dataguard.core.errors import SourceError, did_you_mean
from dataguard.core.sql import literal, quoted
from dataguard.dataset.sources.table_files import INTEGERS, TableFile, common_type, other_spelling
from dataguard.dataset.sources.table_part import Database, Part

LABEL_NAMES = ("label", "target", "class", "y")
"""Columns that are taken for the label where none is named."""
TABLE = "dataset"
"""The view that the files make."""
ROW, FILE, FILE_ROW, SPLIT = "\x01row", "\x01file", "\x01file row", "\x01split"
"""Columns that it has beside its own: the names occur in no file that a person wrote."""
_CODES = 40
"""Distinct values up to which a column of several files is looked at as a code for something."""
_ROWS_A_CODE = 5
"""Rows a distinct value from which each file should show the common ones."""
_LISTED_NOTES = 4


class JoinedFiles:
    """Several files as the view `TABLE` of a database.

    Args:
        database: Where they are opened.
        files: The files with the split that each is, in the order of their rows.
        label: The column that is to be predicted, where it is named.
        roles: All columns that are named for something.
        where: The folder.

    Attributes:
        parts: The files, open.
        types: DuckDB's type of each column.
        notes: What was left out or read otherwise, in words.
        label_by_absence: The column that is the label because some files lack it.

    Raises:
        SourceError: a file is missing, empty or broken, or the columns do not fit together.
    """

    def __init__(
        self, database: Database, files: Sequence[TableFile], *, label: str | None, roles: Sequence[str], where: Path
    ) -> None:
        self._database = database
        self._where = where
        self.notes: list[str] = []
        self.label_by_absence: str | None = None
        self.parts: tuple[Part, ...] = tuple(database.open(file, number) for number, file in enumerate(files))
        for part in self.parts:
            if not database.query(f"SELECT 1 FROM {part.table} LIMIT 1", part.path):
                raise SourceError("the table has no row", where=part.path, hint="leave the file out, or fill it")
        self.types: dict[str, str] = self._shared_types(self._shared_columns(label, roles))
        self._join()
        self._compare_codes(label, roles)

    def _shared_columns(self, label: str | None, roles: Sequence[str]) -> list[str]:
        """The columns that every file has, and the label, in the order of the first file."""
        every = list(dict.fromkeys(name for part in self.parts for name in part.types))
        label = label or next((name for name in LABEL_NAMES if name in every), None)
        shared, left_out = [], []
        for name in every:
            lacking = [part for part in self.parts if name not in part.types]
            if not lacking:
                shared.append(name)
                continue
            part = lacking[0]
            owner = next(other for other in self.parts if name in other.types)
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
                self.label_by_absence = name
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
        first, *rest = self.parts
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
            kinds = {part.name: part.types[name] for part in self.parts if name in part.types}
            if len(set(kinds.values())) > 1:
                # A column without any value is text to DuckDB, and says nothing.
                empty = {part.name for part in self.parts if name in part.types and self._is_empty(part, name)}
                kinds = {file: kind for file, kind in kinds.items() if file not in empty} or kinds
            kind = common_type(kinds.values())
            if kind is None:
                self._check_text(name)
                texts.append(name)
            found[name] = kind or "VARCHAR"
        for number, part in enumerate(self.parts):
            again = [name for name in texts if part.types.get(name, "VARCHAR") != "VARCHAR"]
            if again:
                file = TableFile(path=part.path, name=part.name, split=part.split or "")
                reread = self._database.open(file, number, again)
                self.parts = (*self.parts[:number], reread, *self.parts[number + 1 :])
        return found

    def _is_empty(self, part: Part, name: str) -> bool:
        return not self._database.query(
            f"SELECT 1 FROM {part.table} WHERE {quoted(name)} IS NOT NULL LIMIT 1", part.path
        )

    def _check_text(self, name: str) -> None:
        """Say of a column that is text in one file and something else in another where that is."""
        having = [part for part in self.parts if name in part.types and not self._is_empty(part, name)]
        text = next((part for part in having if part.types[name] == "VARCHAR"), None)
        other = next(part for part in having if part.types[name] != "VARCHAR")
        if text is None:
            second = next(part for part in having if part.types[name] != other.types[name])
            raise SourceError(
                f"the column {name!r} holds {second.types[name]}, and {other.types[name]} in {other.name}",
                where=second.path,
                hint="write it with one type in all files",
            )
        column, kind = quoted(name), other.types[name]
        odd = self._database.query(
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
        for part in self.parts:
            columns = [
                f"CAST({quoted(name) if name in part.types else 'NULL'} AS {kind}) AS {quoted(name)}"
                for name, kind in self.types.items()
            ]
            columns += [
                f"CAST({part.row} + {before} AS BIGINT) AS {quoted(ROW)}",
                f"CAST({part.row} AS BIGINT) AS {quoted(FILE_ROW)}",
                f"{literal(part.name)} AS {quoted(FILE)}",
                f"{literal(part.split or '')} AS {quoted(SPLIT)}",
            ]
            selects.append(f"SELECT {', '.join(columns)} FROM {part.table}")
            before += int(self._database.query(f"SELECT count(*) FROM {part.table}", part.path)[0][0])
        self._database.query(f"CREATE VIEW {TABLE} AS {' UNION ALL '.join(selects)}", self._where)

    def _compare_codes(self, label: str | None, roles: Sequence[str]) -> None:
        """Note columns of few values whose values in one file are other words for those in another."""
        names = [
            name
            for name, kind in self.types.items()
            if (kind == "VARCHAR" or kind in INTEGERS) and (name not in roles or name == label)
        ]
        codes = [self._codes(part, names) for part in self.parts]
        found = []
        for name in names:
            first = next((number for number, values in enumerate(codes) if values.get(name)), None)
            for number, values in enumerate(codes):
                if first is None or number == first or not values.get(name):
                    continue
                here, there = values[name], codes[first][name]
                if "BOOLEAN" in (self.parts[number].types[name], self.parts[first].types[name]):
                    continue
                if not here & there:
                    found.append(
                        f"{name!r} has no value in common: {_few(sorted(here))} in {self.parts[number].name}, "
                        f"{_few(sorted(there))} in {self.parts[first].name}"
                    )
                    break
                plain = {" ".join(value.casefold().split()): value for value in sorted(there)}
                twins = [(value, plain.get(" ".join(value.casefold().split()))) for value in sorted(here - there)]
                twin = next(((value, other) for value, other in twins if other is not None), None)
                if twin is not None and self.types[name] == "VARCHAR":
                    found.append(
                        f"{name!r} is spelt in two ways: {twin[0]!r} in {self.parts[number].name}, {twin[1]!r} in "
                        f"{self.parts[first].name}"
                    )
                    break
        self.notes += [f"are these the same codes? {text}" for text in found[:_LISTED_NOTES]]
        if len(found) > _LISTED_NOTES:
            self.notes.append(f"{len(found) - _LISTED_NOTES} more columns have other values in another file")

    def _codes(self, part: Part, names: Sequence[str]) -> dict[str, set[str]]:
        """The values of columns that hold few, each often enough that a file should show the common ones."""
        names = [name for name in names if name in part.types]
        if not names:
            return {}
        columns = [quoted(name) for name in names]
        counted = self._database.query(
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
        listed = self._database.query(
            f"SELECT {', '.join(f'list(DISTINCT CAST({column} AS VARCHAR))' for _, column in few)} FROM {part.table}",
            part.path,
        )[0]
        return {
            name: {value for value in values or () if value is not None}
            for (name, _), values in zip(few, listed, strict=True)
        }


def _few(names: Iterable[str], *, quoted: bool = True) -> str:
    listed = [repr(name) if quoted else name for name in names]
    return ", ".join(listed[:5]) + (f", and {len(listed) - 5} more" if len(listed) > 5 else "")

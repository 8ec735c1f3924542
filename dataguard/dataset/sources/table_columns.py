"""What a table's columns hold, and SQL for their values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.sql import literal, quoted
from dataguard.dataset.row_contents import HEAD_BYTES, Kind, RowContents
from dataguard.dataset.sources.table_files import FLOATS, INTEGERS
from dataguard.dataset.sources.table_part import Database, broken

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FREE_TEXT_WORDS = 8
"""A column of so many words a row on average is prose: names, addresses and titles have fewer."""
FREE_TEXT_DISTINCT = 0.5
"""Share of a column's values that differ, from which they are written row by row and not chosen from a list."""
_CATEGORIES = 32
"""Distinct texts of a column that may still group rows, if there are three rows for each."""

_LARGE = frozenset(("UBIGINT", "HUGEINT", "UHUGEINT"))
"""Types of whole numbers that 64 bits with sign do not hold."""

_INFINITE = (1 << 63) - 1

_VECTOR, _MOST_VECTORS, _NUMBERS_AT_A_TIME = 2_048, 64, 1 << 20
"""Rows in a vector of DuckDB's; vectors and numbers at a time where there are nothing but numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The columns of a table."""

    database: Database
    table: str
    """SQL to select from."""
    types: Mapping[str, str]
    """DuckDB's type of each."""
    path: Path
    """The file, or the folder of the files."""

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.database.query(statement, self.path)

    def has_fractions(self, column: str) -> bool:
        """Whether it holds numbers that are not whole."""
        name = quoted(column)
        return self.types[column] in FLOATS and bool(
            self._query(f"SELECT 1 FROM {self.table} WHERE isfinite({name}) AND {name} != trunc({name}) LIMIT 1")
        )

    def has_value(self, column: str) -> bool:
        """Whether any row has one."""
        found = self._query(f"SELECT 1 FROM {self.table} WHERE {self.text(column)} IS NOT NULL LIMIT 1")
        return bool(found)

    def words(self, column: str) -> float | None:
        """Mean number of words in a row of a column of prose; None where it is none."""
        if self.types[column] != "VARCHAR":
            return None
        name = quoted(column)
        # So many words have a letter each, and what parts them; to count letters takes no time.
        (letters,), *_ = self._query(f"SELECT avg(strlen({name})) FROM {self.table}")
        if letters is None or letters < 2 * FREE_TEXT_WORDS - 1:
            return None
        (known, distinct, words), *_ = self._query(
            f"SELECT count({name}), count(DISTINCT {name}), "
            f"avg(len(string_split_regex(trim({name}), '\\s+'))) FROM {self.table}"
        )
        prose = known > 0 and distinct >= FREE_TEXT_DISTINCT * known and words >= FREE_TEXT_WORDS
        return float(words) if prose else None

    def tells_apart(self, column: str) -> bool:
        """Whether a column may group rows: text or whole numbers with a value of their own in every row do not."""
        name, kind = quoted(column), self.types[column]
        (known, distinct), *_ = self._query(f"SELECT count({name}), count(DISTINCT {name}) FROM {self.table}")
        if kind == "VARCHAR":
            return bool(1 < distinct <= min(_CATEGORIES, max(2, known // 3)))
        return bool(distinct > 1 and (kind not in INTEGERS or distinct < known))

    def text(self, column: str | None) -> str:
        """SQL for a column's values as text; NaN is NULL, as pandas writes missing labels."""
        if column is None:
            return "NULL"
        name = quoted(column)
        value = f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END" if self.types[column] in FLOATS else name
        return f"CAST({value} AS VARCHAR)"

    def numbers(self, names: Sequence[str], split: str) -> Iterator[tuple[str, NDArray[np.float64 | np.float32]]]:
        """Columns of numbers, a part of the rows of one split at a time, in the table's order: shape (rows, names).

        Single precision where all of them have it.

        Args:
            names: The columns.
            split: SQL for what a row's split is called.

        Raises:
            SourceError: the file is broken.
        """
        import duckdb
        import numpy as np

        text = f"coalesce({split}, '')"
        splits = [str(name) for (name,) in self._query(f"SELECT DISTINCT {text} FROM {self.table}")]
        # Texts would cost more than all the numbers.
        code = f"list_position([{', '.join(map(literal, splits))}], {text}) - 1"
        kind = np.float32 if all(self.types[name] == "FLOAT" for name in names) else np.float64
        vectors = max(1, min(_MOST_VECTORS, _NUMBERS_AT_A_TIME // (_VECTOR * len(names))))
        try:
            cursor = self.database.connection.cursor().execute(
                f"SELECT {code}, {', '.join(map(quoted, names))} FROM {self.table}"
            )
            while len(frame := cursor.fetch_df_chunk(vectors)):
                codes, values = frame.iloc[:, 0].to_numpy(), frame.iloc[:, 1:].to_numpy(dtype=kind)
                for number in np.unique(codes):
                    rows = codes == number
                    # Column by column, as they lie in memory.
                    yield splits[number], values if rows.all() else values.T[:, rows].T
        except duckdb.Error as error:
            raise broken(error, self.path) from error

    def contents(self, names: Sequence[str]) -> RowContents | None:
        """What the content of a row is made of: its features' names and values; None where there are none.

        Equal if and only if the values are: each ends where it says, and tells its type, where there is one. Of the
        names there are 16 bytes of SHA-256, so that a renamed column makes another version.
        """
        if not names:
            return None
        said = "".join(f"{len(name.encode())}:{name}" for name in names).encode()
        return RowContents(
            head=hashlib.sha256(said).digest()[:HEAD_BYTES], values=tuple(self._value(name) for name in names)
        )

    def content_sql(self, names: Sequence[str]) -> str:
        """SQL for the content of a row, or for NULL."""
        contents = self.contents(names)
        return "NULL" if contents is None else contents.sql

    def _value(self, column: str) -> tuple[Kind, str]:
        """How a column's values are written, and SQL for them.

        Whole numbers have digits alone, and fractions the bytes of double precision (NaN equals NaN, and -0.0 equals
        0.0): of single precision, those of the number that its digits say, so that 0.1 is one value in CSV and in
        Parquet. A time has 't' before its microseconds, a date or a time of another kind before its text; anything
        else has 'x' and its length.
        """
        name, kind = quoted(column), self.types[column]
        text = f"CAST({name} AS VARCHAR)"
        if kind == "DOUBLE":
            return Kind.FRACTION, name
        if kind == "FLOAT":
            return Kind.FRACTION, f"CAST({text} AS DOUBLE)"
        if kind == "VARCHAR":
            return Kind.TEXT, name
        if kind == "BOOLEAN":
            return Kind.TRUTH, name
        if kind in INTEGERS:
            return (Kind.WRITTEN, text) if kind in _LARGE else (Kind.WHOLE, f"CAST({name} AS BIGINT)")
        if kind in ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"):
            return Kind.TIME, _microseconds(name if kind == "TIMESTAMP" else f"CAST({name} AS TIMESTAMP)")
        if kind == "TIMESTAMP_NS":
            # What has no more than microseconds is the same time.
            finer = f"isfinite({name}) AND epoch_ns({name}) % 1000 != 0"
            return Kind.WRITTEN, (
                f"'t' || CASE WHEN {finer} THEN {text} ELSE CAST({_microseconds(name)} AS VARCHAR) END"
            )
        if kind.startswith(("DATE", "TIME")):
            return Kind.WRITTEN, f"'t' || {text}"
        written = Kind.WRITTEN if kind.startswith("DECIMAL") else Kind.OTHER
        return written, f"'x' || strlen({text}) || ':' || {text}"


def _microseconds(time: str) -> str:
    """SQL for a timestamp as a whole number; infinite ones are what no other is."""
    return (
        f"CASE WHEN isfinite({time}) THEN epoch_us({time}) WHEN {time} IS NULL THEN NULL "
        f"WHEN {time} > TIMESTAMP '2000-01-01' THEN {_INFINITE} ELSE -{_INFINITE} END"
    )

"""What is checked and guessed of a table's columns when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from dataguard.core.errors import SourceError
from dataguard.core.sql import quoted
from dataguard.dataset.sources.table_columns import Columns

Query: TypeAlias = Callable[[str], list[tuple[Any, ...]]]
"""Runs a statement and gives its rows."""


def check_times(column: str, kind: str, number: str, table: str, query: Query, path: Path) -> None:
    """Refuse a column of times that holds anything else.

    Args:
        column: Its name.
        kind: Its type, as DuckDB calls it.
        number: SQL for what a row is called.
        table: The table in SQL.
        query: Asks it.
        path: The file, for errors.

    Raises:
        SourceError: a value is no date or time.
    """
    hint = "write times as ISO 8601, as 2024-01-31T23:59:59"
    if kind != "VARCHAR" and not kind.startswith(("DATE", "TIMESTAMP")):
        raise SourceError(f"the time column {column!r} holds {kind}, neither dates nor times", where=path, hint=hint)
    bad = query(
        f"SELECT {number}, {quoted(column)} FROM {table} WHERE {quoted(column)} IS NOT NULL"
        f" AND TRY_CAST({quoted(column)} AS TIMESTAMP) IS NULL LIMIT 1"
    )
    if bad:
        row, value = bad[0]
        raise SourceError(f"column {column!r}, data row {row}: {value!r} is no date or time", where=path, hint=hint)


def check_ids(column: str, text: str, within: Iterable[tuple[str, str, Path]], table: str, query: Query) -> str:
    """Refuse a column of ids that does not tell the rows of a file apart.

    Args:
        column: Its name.
        text: SQL for its values as text.
        within: Of each file its table and the number of its row, in SQL, and its path.
        table: All files in SQL.
        query: Asks them.

    Returns:
        A note, where ids recur from file to file; else ''.

    Raises:
        SourceError: an id is missing, or occurs twice in a file.
    """
    for part, row, path in within:
        nulls = query(f"SELECT {row} + 1 FROM {part} WHERE {text} IS NULL LIMIT 1")
        if nulls:
            raise SourceError(f"the id column {column!r} is null in data row {nulls[0][0]}", where=path)
        twice = query(f"SELECT {text}, count(*) FROM {part} GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 3")
        if twice:
            names = ", ".join(f"{name!r} ({count} times)" for name, count in twice)
            raise SourceError(f"the id column {column!r} does not tell rows apart: {names}", where=path)
    n, example = query(
        f"SELECT count(*), min(id) FROM (SELECT {text} AS id FROM {table} GROUP BY 1 HAVING count(*) > 1)"
    )[0]
    if not n:
        return ""
    return (
        f"{n:,} values of the id column {column!r} are in several files, as {example!r}: rows are called by file and id"
    )


def guessed_text(columns: Columns, names: Sequence[str]) -> tuple[str | None, str | None, str]:
    """The column of texts that labels are judged by, the one that reads most like text, and a note of it."""
    prose = {name: words for name in names if (words := columns.words(name)) is not None}
    if not prose:
        return None, None, ""
    found = max(prose, key=prose.__getitem__)
    others = [name for name in names if name not in prose and columns.tells_apart(name)]
    if others:
        note = (
            f"{found!r} reads like text and is not used, for there are other columns, as {others[0]!r}; "
            f"dataset.text = {found!r} judges the labels by it instead"
        )
        return None, found, note
    return found, found, f"{found!r} is taken for the text column: {prose[found]:.0f} words a row on average"

"""The scan of rows: DuckDB reads the user's table and writes the sample table, and Python looks at none of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import OutputError
from dataguard.core.progress import Progress
from dataguard.dataset.manifest import Manifest, leaf_sql
from dataguard.dataset.memory import SOURCE_SHARE, WRITER_SHARE, connect, memory_share
from dataguard.dataset.sources import RowQuery
from dataguard.dataset.sources.table_part import broken, literal
from dataguard.dataset.table import COLUMNS

if TYPE_CHECKING:
    import duckdb

_OPTIONS = "FORMAT parquet, COMPRESSION snappy, DICTIONARY_SIZE_LIMIT 1000"
"""Labels and splits repeat; the rest is soon known not to."""
_LEAVES_AT_A_TIME = 245_760
"""Two of DuckDB's row groups: 16 MB of text, of which it holds some four copies."""
_LEAVES_IN_A_GROUP = 4_096
_READING = 0.8
"""Of the time of a scan, that is spent on reading and writing rows, and not on their leaves; for progress."""
_ASKED_EVERY = 0.1
"""Seconds."""


def copy_rows(query: RowQuery, folder: Path, progress: Progress, jobs: int | None = None) -> Path:
    """Write the sample table of rows, in their order, with all threads.

    Args:
        query: The rows.
        folder: Where.
        progress: Called with the stage 'scanning'.
        jobs: How many threads; None for one a CPU.

    Returns:
        The Parquet file.

    Raises:
        SourceError: the user's table is broken.
        OutputError: the sample table cannot be written.
    """
    import duckdb

    target = folder / "000000.parquet"
    selected = ", ".join(
        f'CAST({query.columns.get(name, "NULL")} AS {kind}) AS "{name}"' for name, kind in COLUMNS.items()
    )
    cursor = query.connection.cursor()
    cursor.execute(f"SET memory_limit = '{memory_share(SOURCE_SHARE + WRITER_SHARE)}B'")
    cursor.execute(f"SET threads = {jobs or len(os.sched_getaffinity(0))}")

    def report(percent: float) -> None:
        progress("scanning", int(query.n_rows * _READING * max(0.0, percent) / 100), query.n_rows)

    try:
        _watched(cursor, f"COPY (SELECT {selected} FROM {query.table}) TO {literal(str(target))} ({_OPTIONS})", report)
    except duckdb.OutOfMemoryException as error:
        raise cannot_write(error, folder) from error
    except duckdb.IOException as error:
        # What cannot be read is the user's table, and what cannot be written is this one, or what was put aside.
        if str(folder) in str(error) or "No space left" in str(error) or "rite" in str(error):
            raise cannot_write(error, folder) from error
        raise broken(error, query.path) from error
    except duckdb.Error as error:
        raise broken(error, query.path) from error
    finally:
        cursor.execute(f"SET memory_limit = '{memory_share(SOURCE_SHARE)}B'")
    return target


def enter_rows(manifest: Manifest, details: Manifest, query: RowQuery, parquet: Path, progress: Progress) -> None:
    """Add every row of a sample table that `copy_rows` wrote: its leaf, and what else there is to say of it.

    Raises:
        OutputError: it cannot be read any more.
    """
    import duckdb

    connection = connect(WRITER_SHARE)
    try:
        said = [f"coalesce(CAST({name} AS VARCHAR), '')" for name in ("group_id", "time") if name in query.columns]
        if not query.ids_are_numbers:
            said.append('"row"')
        for done, leaves, known in _leaves(connection, parquet, said, query.n_rows):
            manifest.add_leaves(leaves)
            details.add_leaves(known)
            progress("scanning", int(query.n_rows * _READING + done * (1 - _READING)), query.n_rows)
    except duckdb.Error as error:
        raise cannot_write(error, parquet.parent) from error
    finally:
        connection.close()


def is_ascending(connection: duckdb.DuckDBPyConnection, parquet: str) -> bool:
    """Whether every name comes after the one before it."""
    found = connection.execute(
        f"SELECT 1 FROM (SELECT sample_id > lag(sample_id) OVER () AS later FROM {parquet}) WHERE NOT later LIMIT 1"
    ).fetchall()
    return not found


def cannot_write(error: Exception, folder: Path) -> OutputError:
    """What is said where there is no room."""
    return OutputError(
        f"the sample table cannot be written: {str(error).splitlines()[0]}",
        where=folder,
        hint="free some space there, or name another cache folder",
    )


def _leaves(
    connection: duckdb.DuckDBPyConnection, parquet: Path, said: list[str], n_rows: int
) -> Iterator[tuple[int, bytes, bytes]]:
    """Leaves of rows and of what else is said of them, a part at a time, with how many rows that makes."""
    leaf = leaf_sql("sample_id", "content_hash", "label", "split")
    # Texts of many leaves each: one that is taken over by itself takes as long as its hash.
    wanted = [f"string_agg(sha256({leaf}), '')"]
    if said:
        wanted.append(f"string_agg(sha256(concat_ws(chr(0), sample_id, {', '.join(said)})), '')")
    for start in range(0, n_rows, _LEAVES_AT_A_TIME):
        end = min(n_rows, start + _LEAVES_AT_A_TIME)
        groups = connection.execute(
            f"SELECT {', '.join(wanted)} FROM read_parquet({literal(str(parquet))}) "
            f'WHERE "row" > {start} AND "row" <= {end} GROUP BY "row" // {_LEAVES_IN_A_GROUP}'
        ).fetchall()
        texts = ["".join(column) for column in zip(*groups, strict=True)]
        yield end, bytes.fromhex(texts[0]), bytes.fromhex(texts[1] if said else "")


def _watched(cursor: duckdb.DuckDBPyConnection, statement: str, report: Callable[[float], Any]) -> None:
    """Run a statement that takes long, and say now and then how many hundredths are done; Ctrl-C ends it."""
    cursor.execute("SET enable_progress_bar = true")
    cursor.execute("SET enable_progress_bar_print = false")
    with ThreadPoolExecutor(1, thread_name_prefix="dataguard-rows") as pool:
        future = pool.submit(cursor.execute, statement)
        try:
            while wait((future,), timeout=_ASKED_EVERY).not_done:
                report(cursor.query_progress())
        except BaseException:
            cursor.interrupt()
            raise
        future.result()

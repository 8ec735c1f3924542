"""The scan of rows: DuckDB reads the user's table and writes the sample table, and Python looks at none of them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import DataguardError, OutputError
from dataguard.core.progress import Progress
from dataguard.core.sql import literal
from dataguard.dataset.manifest import Manifest, leaf_sql
from dataguard.dataset.memory import BATCH_SHARE, SOURCE_SHARE, WRITER_SHARE, connect, memory_limit, memory_share
from dataguard.dataset.native_rows import CONTENT, DETAILS, LEAVES, NativeRows, is_compiled, plan_of
from dataguard.dataset.parquet import parquet_sql
from dataguard.dataset.row_contents import HEAD_BYTES, Kind
from dataguard.dataset.sources import RowQuery
from dataguard.dataset.sources.table_part import broken
from dataguard.dataset.table import COLUMNS, NUMBER_AS_NAME, OF_PICTURES

if TYPE_CHECKING:
    import duckdb

_OPTIONS = "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1000"
"""Labels and splits repeat; the rest is soon known not to. Numbers are kept as differences; hashes do not compress."""
_DETAILS = ("group_id", "time")
_STREAMS_SINCE = 2
"""The version of DuckDB."""
_WRITER_BYTES = 256 << 20
"""Memory for each thread that writes: rows of some batches, which are written in their order."""
_BATCH = 1 << 17
"""Rows that DuckDB has in one batch of a stream."""
_ROW_BYTES, _CELL_BYTES = 1_024, 8
"""Rows of up to so many bytes come in batches whatever the limit, and of more if that allows it."""
_LEAVES_AT_A_TIME = 245_760
"""Two of DuckDB's row groups: 16 MB of text, of which it holds some four copies."""
_LEAVES_IN_A_GROUP = 4_096
_READING = 0.8
"""Of the time of a scan, that is spent on reading and writing rows, and not on their leaves; for progress."""
_ASKED_EVERY = 0.1
"""Seconds."""


def copy_rows(
    query: RowQuery, folder: Path, manifest: Manifest, details: Manifest, progress: Progress, jobs: int | None = None
) -> Path:
    """Write the sample table of rows, in their order, with all threads, and enter each into the version id.

    Args:
        query: The rows.
        folder: Where.
        manifest: Gets their leaves.
        details: Gets the leaves of what else there is to say of each.
        progress: Called with the stage 'scanning'.
        jobs: How many threads; None for one a CPU.

    Returns:
        The Parquet file.

    Raises:
        SourceError: the user's table is broken.
        OutputError: the sample table cannot be written.
    """
    target = folder / "000000.parquet"
    jobs = jobs or len(os.sched_getaffinity(0))
    if not _copied_by_kernel(query, target, manifest, details, progress, jobs):
        _copy(query, target, progress, jobs)
        _enter(manifest, details, query, target, progress)
    return target


def _copied_by_kernel(
    query: RowQuery, target: Path, manifest: Manifest, details: Manifest, progress: Progress, jobs: int
) -> bool:
    """Do it in one pass, with hashes that `row_hashes.c` makes; False where nothing was compiled, or rows are long."""
    import duckdb

    if not is_compiled() or not _is_narrow(query):
        return False
    carried = {name: f"CAST({sql} AS {COLUMNS[name]})" for name, sql in query.columns.items()}
    if query.ids_are_numbers:
        del carried["sample_id"]
    values = () if query.contents is None else query.contents.values
    said = _said(query)
    plan = plan_of(list(carried), n_content=len(values), n_details=len(said))
    columns = [*carried.values(), *(sql for _, sql in values), *said]
    names = [*carried, *(f"value {k}" for k in range(len(values))), *(f"said {k}" for k in range(len(said)))]
    selected = ", ".join(f'{sql} AS "{name}"' for name, sql in zip(names, columns, strict=True))
    source = query.connection.cursor()
    try:
        stream = _stream(source, f"SELECT {selected} FROM {query.table}")
    except duckdb.Error as error:
        raise broken(error, query.path) from error
    if stream is None:
        return False
    head = b"\0" * HEAD_BYTES if query.contents is None else query.contents.head
    writer = connect(WRITER_SHARE)
    try:
        with NativeRows(stream, plan, [kind for kind, _ in values], head) as rows:

            def each() -> None:
                manifest.add_leaves(rows.take(LEAVES))
                details.add_leaves(rows.take(DETAILS))
                progress("scanning", rows.n_done, query.n_rows)

            made = {name: f'"{name}"' for name in carried}
            if values:
                made[CONTENT] = f'"{CONTENT}"'
            writer.register("rows", rows.capsule)
            # With less memory a thread, it puts aside what waits for its turn, which takes longer than all the rest.
            threads = min(jobs, memory_share(WRITER_SHARE) // _WRITER_BYTES)
            writer.execute(f"SET threads = {max(1, threads)}")
            try:
                _watched((writer, source), _copy_sql("rows", made, target, query, content="BLOB"), each)
                each()
            except duckdb.Error as error:
                reason = rows.source_error
                raise (_failure(error, query, target) if reason is None else broken(reason, query.path)) from error
            finally:
                writer.close()
    finally:
        writer.close()
        source.close()
    return True


def _stream(cursor: duckdb.DuckDBPyConnection, statement: str) -> object | None:
    """A capsule with the rows of a statement, some 100,000 at a time; None where it would hold all of them."""
    import duckdb

    # Texts of one batch may be longer than 2 GB together.
    cursor.execute("SET arrow_large_buffer_size = true")
    relation: Any = cursor.sql(statement)
    if int(duckdb.__version__.partition(".")[0]) >= _STREAMS_SINCE:
        stream: object = relation.__arrow_c_stream__()
        return stream
    # Before that a relation is computed as a whole for a capsule, and not for a reader of pyarrow's.
    if importlib.util.find_spec("pyarrow") is None:
        return None
    reader: object = relation.fetch_record_batch(_BATCH).__arrow_c_stream__()
    return reader


def _is_narrow(query: RowQuery) -> bool:
    """Whether so many rows as come at a time fit into memory."""
    import duckdb

    values = () if query.contents is None else query.contents.values
    texts = [sql for kind, sql in values if kind in (Kind.TEXT, Kind.OTHER)]
    most = max(_ROW_BYTES, int(memory_limit() * BATCH_SHARE) // _BATCH)
    if len(values) * _CELL_BYTES > most:
        return False
    if not texts:
        return True
    lengths = ", ".join(f"avg(strlen({sql}))" for sql in texts)
    try:
        means = query.connection.execute(f"SELECT {lengths} FROM {query.table}").fetchall()[0]
    except duckdb.Error as error:
        raise broken(error, query.path) from error
    return len(values) * _CELL_BYTES + sum(mean or 0.0 for mean in means) <= most


def _copy(query: RowQuery, target: Path, progress: Progress, jobs: int) -> None:
    import duckdb

    cursor = query.connection.cursor()
    cursor.execute(f"SET memory_limit = '{memory_share(SOURCE_SHARE + WRITER_SHARE)}B'")
    cursor.execute(f"SET threads = {jobs}")
    cursor.execute("SET enable_progress_bar = true")
    cursor.execute("SET enable_progress_bar_print = false")
    columns = dict(query.columns) | ({} if query.contents is None else {CONTENT: query.contents.sql})

    def each() -> None:
        percent = max(0.0, cursor.query_progress())
        progress("scanning", int(query.n_rows * _READING * percent / 100), query.n_rows)

    try:
        _watched((cursor,), _copy_sql(query.table, columns, target, query), each)
    except duckdb.Error as error:
        raise _failure(error, query, target) from error
    finally:
        cursor.execute(f"SET memory_limit = '{memory_share(SOURCE_SHARE)}B'")


def _copy_sql(
    table: str, columns: Mapping[str, str], target: Path, query: RowQuery, content: str = COLUMNS[CONTENT]
) -> str:
    selected = ", ".join(
        f'CAST({columns.get(name, "NULL")} AS {content if name == CONTENT else kind}) AS "{name}"'
        for name, kind in COLUMNS.items()
        if name not in OF_PICTURES and not (name == "sample_id" and query.ids_are_numbers)
    )
    return f"COPY (SELECT {selected} FROM {table}) TO {literal(target)} ({_OPTIONS})"


def _failure(error: duckdb.Error, query: RowQuery, target: Path) -> DataguardError:
    """What an error while rows were copied is to the user."""
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return cannot_write(error, target.parent)
    # What cannot be read is the user's table, and what cannot be written is this one, or what was put aside.
    said = str(error)
    if isinstance(error, duckdb.IOException) and (
        str(target.parent) in said or "No space left" in said or "rite" in said
    ):
        return cannot_write(error, target.parent)
    return broken(error, query.path)


def _said(query: RowQuery) -> list[str]:
    """SQL for texts that the leaf of a row's details is made of."""
    said = [f"coalesce(CAST({query.columns[name]} AS VARCHAR), '')" for name in _DETAILS if name in query.columns]
    return said if query.ids_are_numbers else [*said, f"CAST({query.columns['row']} AS VARCHAR)"]


def _enter(manifest: Manifest, details: Manifest, query: RowQuery, parquet: Path, progress: Progress) -> None:
    """Add every row of a sample table that was written: its leaf, and what else there is to say of it.

    Raises:
        OutputError: it cannot be read any more.
    """
    import duckdb

    connection = connect(WRITER_SHARE)
    try:
        said = [f"coalesce(CAST({name} AS VARCHAR), '')" for name in _DETAILS if name in query.columns]
        name = NUMBER_AS_NAME if query.ids_are_numbers else "sample_id"
        if not query.ids_are_numbers:
            said.append('"row"')
        for done, leaves, known in _leaves(connection, parquet, name, said, query.n_rows):
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
    connection: duckdb.DuckDBPyConnection, parquet: Path, name: str, said: list[str], n_rows: int
) -> Iterator[tuple[int, bytes, bytes]]:
    """Leaves of rows and of what else is said of them, a part at a time, with how many rows that makes."""
    leaf = leaf_sql(name, "content_hash", "label", "split")
    # Texts of many leaves each: one that is taken over by itself takes as long as its hash.
    wanted = [f"string_agg(sha256({leaf}), '')"]
    if said:
        wanted.append(f"string_agg(sha256(concat_ws(chr(0), {name}, {', '.join(said)})), '')")
    for start in range(0, n_rows, _LEAVES_AT_A_TIME):
        end = min(n_rows, start + _LEAVES_AT_A_TIME)
        groups = connection.execute(
            f"SELECT {', '.join(wanted)} FROM {parquet_sql(parquet)} "
            f'WHERE "row" > {start} AND "row" <= {end} GROUP BY "row" // {_LEAVES_IN_A_GROUP}'
        ).fetchall()
        texts = ["".join(column) for column in zip(*groups, strict=True)]
        yield end, bytes.fromhex(texts[0]), bytes.fromhex(texts[1] if said else "")


def _watched(cursors: Sequence[duckdb.DuckDBPyConnection], statement: str, each: Callable[[], None]) -> None:
    """Run a statement that takes long on the first of some connections, and call something now and then.

    Ctrl-C interrupts all of them.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="dataguard-rows") as pool:
        future = pool.submit(cursors[0].execute, statement)
        try:
            while wait((future,), timeout=_ASKED_EVERY).not_done:
                each()
        except BaseException:
            for cursor in cursors:
                cursor.interrupt()
            raise
        future.result()

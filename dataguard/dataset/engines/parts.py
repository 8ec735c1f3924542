"""A random part of a table that an engine holds: drawn where the table is, so that other rows do not leave it.

The rows are those that `dataguard.dataset.sampling` draws: whose MD5 of seed and name is least. Of tables with a column
of ids the engine takes the hashes itself; of others rows are called by their numbers, so that which ones are drawn
follows from how many there are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import EngineError
from dataguard.dataset.engines.frames import (
    native_of,
    write_batches,
    write_partitions,
    write_spark,
    written_with,
)
from dataguard.dataset.sampling import rank

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

ROW = "number of the row, of which some are kept"
"""The column of the file that is written with the numbers that rows had, from 0; none where an engine tells none."""
_DIGITS = 15
"""Of a hash, as a number: two of 10⁹ names agree in them with probability 0.4, which draws one row more."""

_PARTITIONS = 64
"""Of Dask's, whose hashes come here at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """Which rows are drawn."""

    n: int
    seed: int
    id: str | None = None
    """The column of ids, texts or whole numbers."""


def part_writer_of(frame: object) -> Callable[[Path, Draw], int | None] | None:
    """What writes a random part of a table to a Parquet file, in the order of its rows.

    Args:
        frame: As `dataguard.dataset.engines.frames.writer_of` takes it.

    Returns:
        A function that says how many rows there are in all; or None where there are no more than are to be drawn, or
        the engine cannot tell hashes of these ids, and nothing is written. None in place of it for what is no table of
        an engine's.
    """
    kind, native = native_of(frame)
    write = _WRITERS.get(kind)
    return None if write is None else functools.partial(written_with, native, write)


def _drawn(n_all: int, draw: Draw) -> NDArray[np.int64]:
    """Numbers of the rows that are drawn, from 0, ascending."""
    import numpy as np

    from dataguard.dataset.memory import SOURCE_SHARE, connect

    with connect(SOURCE_SHARE) as connection:
        found = connection.execute(
            f"SELECT i FROM range({n_all}) t(i) ORDER BY md5('{draw.seed}:' || (i + 1)) LIMIT {draw.n}"
        ).fetchnumpy()["i"]
    return np.sort(np.asarray(found, dtype=np.int64))


def _ranks(ids: Iterable[object], seed: int) -> NDArray[np.int64]:
    """The beginnings of the hashes of ids, as numbers; 0 for no id, so that it is drawn, and found missing."""
    import numpy as np

    numbers = (0 if value is None or value != value else _number(rank(str(value), seed)) for value in ids)
    return np.fromiter(numbers, dtype=np.int64)


def _number(hashed: str) -> int:
    return int(hashed[:_DIGITS], 16)


def _least(ranks: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    import numpy as np

    return ranks if len(ranks) <= n else np.partition(ranks, n - 1)[:n]


def _spark(frame: Any, path: Path, draw: Draw) -> int | None:
    n_all = int(frame.count())
    if n_all <= draw.n:
        return None
    most = None
    if draw.id is not None:
        from pyspark.sql import functions

        if dict(frame.dtypes).get(draw.id) not in ("string", "tinyint", "smallint", "int", "bigint"):
            return None
        name = functools.partial(functions.concat, functions.lit(f"{draw.seed}:"))(frame[f"`{draw.id}`"].cast("string"))
        least = frame.select(functions.md5(name).alias("rank")).where("rank IS NOT NULL").orderBy("rank").limit(draw.n)
        most = _number(least.agg(functions.max("rank")).collect()[0][0])
    counts = dict(tuple(row) for row in frame.mapInArrow(_counted, "part long, n long").collect())
    first, wanted = 0, {}
    drawn = _drawn(sum(counts.values()), draw) if most is None else None
    for part in sorted(counts):
        inside = None
        if drawn is not None:
            inside = drawn[(drawn >= first) & (drawn < first + counts[part])] - first
        wanted[part] = (first, counts[part], inside)
        first += counts[part]
    write_spark(frame, path, functools.partial(_chosen, wanted, draw, most))
    return first


def _counted(batches: Iterable[Any]) -> Iterator[Any]:
    """On a worker: the number of a partition, and how many rows it has."""
    import pyarrow as pa
    from pyspark import TaskContext

    n = sum(batch.num_rows for batch in batches)
    yield pa.RecordBatch.from_pydict(
        {"part": pa.array([_part(TaskContext)], pa.int64()), "n": pa.array([n], pa.int64())}
    )


def _part(context: Any) -> int:
    found = context.get()
    return 0 if found is None else int(found.partitionId())


def _chosen(
    wanted: Mapping[int, tuple[int, int, NDArray[np.int64] | None]],
    draw: Draw,
    most: int | None,
    batches: Iterable[Any],
) -> Iterator[Any]:
    """On a worker: the rows of a partition that are drawn, with their numbers in the whole table."""
    import pyarrow as pa
    from pyspark import TaskContext

    first, n, inside = wanted.get(_part(TaskContext), (0, 0, None))
    seen = 0
    for batch in batches:
        if inside is not None:
            here = inside[(inside >= seen) & (inside < seen + batch.num_rows)] - seen
        else:
            here = (_ranks(batch.column(draw.id).to_pylist(), draw.seed) <= (most or 0)).nonzero()[0]
        if len(here):
            yield batch.take(pa.array(here)).append_column(ROW, pa.array(here + seen + first, pa.int64()))
        seen += batch.num_rows
    if seen != n:
        raise EngineError(
            f"a partition had {n:,} rows, and then {seen:,}: the query comes to other rows each time",
            hint="sort it, or name a column of ids with dataset.id",
        )


def _dask(frame: Any, path: Path, draw: Draw) -> int | None:
    import numpy as np

    counts = [int(count) for count in frame.map_partitions(len).compute()]
    n_all = sum(counts)
    if n_all <= draw.n:
        return None
    most, drawn = None, None
    if draw.id is None:
        drawn = _drawn(n_all, draw)
    elif frame.dtypes[draw.id].kind not in "iuOT":
        return None
    else:
        hashed = frame[draw.id].map_partitions(_least_of, draw, meta=(draw.id, "int64"))
        least = np.empty(0, dtype=np.int64)
        for start in range(0, len(counts), _PARTITIONS):
            found = hashed.partitions[start : start + _PARTITIONS].compute().to_numpy()
            least = _least(np.concatenate([least, found]), draw.n)
        most = int(least.max())
    first, parts = 0, []
    meta = frame._meta.assign(**{ROW: np.empty(0, dtype=np.int64)})
    for partition, count in zip(frame.partitions, counts, strict=True):
        if drawn is None:
            parts.append(partition.map_partitions(_below, draw, most, first, meta=meta))
        elif len(here := drawn[(drawn >= first) & (drawn < first + count)] - first):
            parts.append(partition.map_partitions(_taken, here, first, meta=meta))
        first += count
    write_partitions(parts, path)
    return n_all


def _taken(frame: pd.DataFrame, inside: NDArray[np.int64], first: int) -> pd.DataFrame:
    """On a worker: the rows of a partition that are drawn, with their numbers in the whole table."""
    return frame.iloc[inside].assign(**{ROW: inside + first})


def _least_of(ids: pd.Series[Any], draw: Draw) -> pd.Series[Any]:
    """On a worker: the least ranks of a partition."""
    import pandas as pd

    return pd.Series(_least(_ranks(ids.tolist(), draw.seed), draw.n), name=ids.name)


def _below(frame: pd.DataFrame, draw: Draw, most: int, first: int) -> pd.DataFrame:
    """On a worker: the rows of a partition whose ids are drawn, with their numbers in the whole table."""
    return _taken(frame, (_ranks(frame[draw.id].tolist(), draw.seed) <= most).nonzero()[0], first)


def _ray(dataset: Any, path: Path, draw: Draw) -> int | None:
    import numpy as np
    import pyarrow as pa

    n_all = int(dataset.count())
    if n_all <= draw.n:
        return None
    # Ray does not number rows: they come here in batches, and few are kept.
    most = None
    if draw.id is not None:
        kind = dataset.schema().base_schema.field(draw.id).type
        if not (pa.types.is_integer(kind) or pa.types.is_string(kind)):
            return None
        least = np.empty(0, dtype=np.int64)
        for table in dataset.select_columns([draw.id]).iter_batches(batch_format="pyarrow"):
            found = _ranks(table.column(draw.id).to_pylist(), draw.seed)
            least = _least(np.concatenate([least, found]), draw.n)
        most = int(least.max())
    drawn = _drawn(n_all, draw) if most is None else None
    write_batches(_numbered(dataset, drawn, draw, most), path, empty=lambda: dataset.schema().base_schema)
    return n_all


def _numbered(dataset: Any, drawn: NDArray[np.int64] | None, draw: Draw, most: int | None) -> Iterator[Any]:
    import pyarrow as pa

    seen = 0
    for table in dataset.iter_batches(batch_format="pyarrow", batch_size=100_000):
        if drawn is not None:
            here = drawn[(drawn >= seen) & (drawn < seen + table.num_rows)] - seen
        else:
            here = (_ranks(table.column(draw.id).to_pylist(), draw.seed) <= (most or 0)).nonzero()[0]
        if len(here):
            yield from table.take(pa.array(here)).append_column(ROW, pa.array(here + seen, pa.int64())).to_batches()
        seen += table.num_rows


def _ibis(table: Any, path: Path, draw: Draw) -> int | None:
    import ibis

    n_all = int(table.count().execute())
    if n_all <= draw.n:
        return None
    numbered = table.mutate(**{ROW: ibis.row_number().cast("int64")})
    if draw.id is None:
        name = (numbered[ROW] + 1).cast("string")
    elif table.schema()[draw.id].is_string() or table.schema()[draw.id].is_integer():
        name = numbered[draw.id].cast("string")
    else:
        return None
    hashed = (ibis.literal(f"{draw.seed}:") + name).hexdigest("md5")
    try:
        part = numbered.order_by(hashed).limit(draw.n).order_by(ROW)
        part.to_parquet(path)
    except ibis.common.exceptions.OperationNotDefinedError:
        # Not every database that Ibis speaks to has MD5.
        return None
    return n_all


def _duckdb(relation: Any, path: Path, draw: Draw) -> int | None:
    n_all = int(relation.aggregate("count(*)").fetchall()[0][0])
    if n_all <= draw.n:
        return None
    name = "row + 1" if draw.id is None else '"' + draw.id.replace('"', '""') + '"'
    if draw.id is not None and str(dict(zip(relation.columns, relation.types, strict=True))[draw.id]) not in (
        *("VARCHAR", "TINYINT", "SMALLINT", "INTEGER", "BIGINT"),
    ):
        return None
    part = relation.query(
        "given",
        f'SELECT * EXCLUDE (row), row AS "{ROW}" FROM (SELECT * FROM (SELECT *, row_number() OVER () - 1 AS row '
        f"FROM given) ORDER BY md5('{draw.seed}:' || CAST({name} AS VARCHAR)) NULLS FIRST LIMIT {draw.n}) ORDER BY row",
    )
    part.write_parquet(str(path))
    return n_all


def _polars(frame: Any, path: Path, draw: Draw) -> int | None:
    import polars as pl

    n_all = int(frame.select(pl.len()).collect().item())
    if n_all <= draw.n:
        return None
    numbered = frame.with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64))
    if draw.id is None:
        wanted = pl.Series(_drawn(n_all, draw))
    else:
        kind = frame.collect_schema()[draw.id]
        if not (kind == pl.String or kind.is_integer()):
            return None
        # Polars has no MD5: of all rows, the ids alone are looked at here, a batch at a time.
        ids = frame.select(draw.id).collect(engine="streaming")[draw.id]
        ranks = _ranks(ids, draw.seed)
        wanted = pl.Series((ranks <= _least(ranks, draw.n).max()).nonzero()[0])
    numbered.filter(pl.col(ROW).is_in(wanted.implode())).sink_parquet(path)
    return n_all


_WRITERS: Mapping[tuple[str, str], Callable[[Any, Path, Draw], int | None]] = {
    ("pyspark", "DataFrame"): _spark,
    ("dask", "DataFrame"): _dask,
    ("ray", "Dataset"): _ray,
    ("ray", "MaterializedDataset"): _ray,
    ("ibis", "Table"): _ibis,
    ("duckdb", "DuckDBPyRelation"): _duckdb,
    ("_duckdb", "DuckDBPyRelation"): _duckdb,
    ("polars", "LazyFrame"): _polars,
}

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
from dataguard.core.sql import quoted
from dataguard.dataset.engines.frames import (
    ROWS_AT_A_TIME,
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

SAMPLED_ROW = "number of the row, of which some are kept"
"""The column with the numbers that rows had, from 0, of a table of those that were drawn."""
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
    engine, native = native_of(frame)
    return None if engine is None else functools.partial(written_with, native, _WRITERS[engine])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Drawn:
    """The rows that are drawn, told by their numbers or by their ids."""

    draw: Draw
    numbers: NDArray[np.int64] | None = None
    """From 0, ascending; None where ids decide."""
    most: int = 0
    """The greatest rank of an id that is drawn."""

    @classmethod
    def by_number(cls, draw: Draw, n_all: int) -> _Drawn:
        """Of so many rows without ids."""
        return cls(draw=draw, numbers=_drawn(n_all, draw))

    @classmethod
    def by_id(cls, draw: Draw, ranks: Iterable[NDArray[np.int64]]) -> _Drawn:
        """Of rows whose ids have these ranks, or the least of each part of them."""
        import numpy as np

        least = np.empty(0, dtype=np.int64)
        for part in ranks:
            least = _least(np.concatenate([least, part]), draw.n)
        return cls(draw=draw, most=int(least.max()))

    def among(self, ids: Iterable[object]) -> NDArray[np.int64]:
        """The places of drawn ids."""
        return (_ranks(ids, self.draw.seed) <= self.most).nonzero()[0]

    def within(self, first: int, n: int) -> NDArray[np.int64]:
        """The places of drawn rows among `n` from the number `first` on, where numbers decide."""
        if self.numbers is None:
            raise ValueError("ids decide")
        begin, end = self.numbers.searchsorted((first, first + n))
        return self.numbers[begin:end] - first

    def of_arrow(self, rows: Any, first: int) -> Any:
        """Those of a batch or table of Arrow that are drawn, with their numbers."""
        import pyarrow as pa

        if self.numbers is None:
            here = self.among(rows.column(self.draw.id).to_pylist())
        else:
            here = self.within(first, rows.num_rows)
        return rows.take(pa.array(here)).append_column(SAMPLED_ROW, pa.array(here + first, pa.int64()))


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
    drawn = None
    if draw.id is not None:
        from pyspark.sql import functions

        if dict(frame.dtypes).get(draw.id) not in ("string", "tinyint", "smallint", "int", "bigint"):
            return None
        name = functools.partial(functions.concat, functions.lit(f"{draw.seed}:"))(frame[f"`{draw.id}`"].cast("string"))
        least = frame.select(functions.md5(name).alias("rank")).where("rank IS NOT NULL").orderBy("rank").limit(draw.n)
        # Where every id is missing, every row is drawn, and found so.
        drawn = _Drawn(draw=draw, most=_number(least.agg(functions.max("rank")).collect()[0][0] or "0"))
    counts = dict(tuple(row) for row in frame.mapInArrow(_counted, "part long, n long").collect())
    n_all, parts = 0, {}
    for part in sorted(counts):
        parts[part] = (n_all, counts[part])
        n_all += counts[part]
    write_spark(frame, path, functools.partial(_chosen, parts, drawn or _Drawn.by_number(draw, n_all)))
    return n_all


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


def _chosen(parts: Mapping[int, tuple[int, int]], drawn: _Drawn, batches: Iterable[Any]) -> Iterator[Any]:
    """On a worker: the rows of a partition that are drawn, with their numbers in the whole table."""
    from pyspark import TaskContext

    first, n = parts.get(_part(TaskContext), (0, 0))
    seen = 0
    for batch in batches:
        found = drawn.of_arrow(batch, first + seen)
        if found.num_rows:
            yield found
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
    if draw.id is None:
        drawn = _Drawn.by_number(draw, n_all)
    elif frame.dtypes[draw.id].kind not in "iuOT":
        return None
    else:
        hashed = frame[draw.id].map_partitions(_least_of, draw, meta=(draw.id, "int64"))
        starts = range(0, len(counts), _PARTITIONS)
        found = (hashed.partitions[start : start + _PARTITIONS].compute().to_numpy() for start in starts)
        drawn = _Drawn.by_id(draw, found)
    first, parts = 0, []
    meta = frame._meta.assign(**{SAMPLED_ROW: np.empty(0, dtype=np.int64)})
    for partition, count in zip(frame.partitions, counts, strict=True):
        if drawn.numbers is None:
            parts.append(partition.map_partitions(_below, drawn, first, meta=meta))
        elif len(here := drawn.within(first, count)):
            parts.append(partition.map_partitions(_taken, here, first, meta=meta))
        first += count
    write_partitions(parts, path)
    return n_all


def _taken(frame: pd.DataFrame, inside: NDArray[np.int64], first: int) -> pd.DataFrame:
    """On a worker: the rows of a partition that are drawn, with their numbers in the whole table."""
    return frame.iloc[inside].assign(**{SAMPLED_ROW: inside + first})


def _least_of(ids: pd.Series[Any], draw: Draw) -> pd.Series[Any]:
    """On a worker: the least ranks of a partition."""
    import pandas as pd

    return pd.Series(_least(_ranks(ids.tolist(), draw.seed), draw.n), name=ids.name)


def _below(frame: pd.DataFrame, drawn: _Drawn, first: int) -> pd.DataFrame:
    """On a worker: the rows of a partition whose ids are drawn, with their numbers in the whole table."""
    return _taken(frame, drawn.among(frame[drawn.draw.id].tolist()), first)


def _ray(dataset: Any, path: Path, draw: Draw) -> int | None:
    import pyarrow as pa

    n_all = int(dataset.count())
    if n_all <= draw.n:
        return None
    # Ray does not number rows: they come here in batches, and few are kept.
    if draw.id is None:
        drawn = _Drawn.by_number(draw, n_all)
    else:
        kind = dataset.schema().base_schema.field(draw.id).type
        if not (pa.types.is_integer(kind) or pa.types.is_string(kind)):
            return None
        ids = dataset.select_columns([draw.id]).iter_batches(batch_format="pyarrow", batch_size=ROWS_AT_A_TIME)
        drawn = _Drawn.by_id(draw, (_ranks(table.column(draw.id).to_pylist(), draw.seed) for table in ids))
    write_batches(_of_ray(dataset, drawn), path, empty=lambda: dataset.schema().base_schema)
    return n_all


def _of_ray(dataset: Any, drawn: _Drawn) -> Iterator[Any]:
    seen = 0
    for table in dataset.iter_batches(batch_format="pyarrow", batch_size=ROWS_AT_A_TIME):
        yield from drawn.of_arrow(table, seen).to_batches()
        seen += table.num_rows


def _ibis(table: Any, path: Path, draw: Draw) -> int | None:
    import ibis

    n_all = int(table.count().execute())
    if n_all <= draw.n:
        return None
    numbered = table.mutate(**{SAMPLED_ROW: ibis.row_number().cast("int64")})
    if draw.id is None:
        name = (numbered[SAMPLED_ROW] + 1).cast("string")
    elif table.schema()[draw.id].is_string() or table.schema()[draw.id].is_integer():
        name = numbered[draw.id].cast("string")
    else:
        return None
    hashed = (ibis.literal(f"{draw.seed}:") + name).hexdigest("md5")
    try:
        part = numbered.order_by(hashed).limit(draw.n).order_by(SAMPLED_ROW)
        part.to_parquet(path)
    except ibis.common.exceptions.OperationNotDefinedError:
        # Not every database that Ibis speaks to has MD5.
        return None
    return n_all


def _duckdb(relation: Any, path: Path, draw: Draw) -> int | None:
    n_all = int(relation.aggregate("count(*)").fetchall()[0][0])
    if n_all <= draw.n:
        return None
    name = "row + 1" if draw.id is None else quoted(draw.id)
    if draw.id is not None and str(dict(zip(relation.columns, relation.types, strict=True))[draw.id]) not in (
        *("VARCHAR", "TINYINT", "SMALLINT", "INTEGER", "BIGINT"),
    ):
        return None
    part = relation.query(
        "given",
        f"SELECT * EXCLUDE (row), row AS {quoted(SAMPLED_ROW)} FROM "
        f"(SELECT * FROM (SELECT *, row_number() OVER () - 1 AS row FROM given) ORDER BY "
        f"md5('{draw.seed}:' || CAST({name} AS VARCHAR)) NULLS FIRST LIMIT {draw.n}) ORDER BY row",
    )
    part.write_parquet(str(path))
    return n_all


def _polars(frame: Any, path: Path, draw: Draw) -> int | None:
    import polars as pl

    n_all = int(frame.select(pl.len()).collect().item())
    if n_all <= draw.n:
        return None
    numbered = frame.with_row_index(SAMPLED_ROW).with_columns(pl.col(SAMPLED_ROW).cast(pl.Int64))
    if draw.id is None:
        wanted = pl.Series(_drawn(n_all, draw))
    else:
        kind = frame.collect_schema()[draw.id]
        if not (kind == pl.String or kind.is_integer()):
            return None
        # Polars has no MD5: of all rows, the ids alone are looked at here, a batch at a time.
        ids = frame.select(draw.id).collect(engine="streaming")[draw.id]
        ranks = _ranks(ids, draw.seed)
        wanted = pl.Series((ranks <= _Drawn.by_id(draw, [ranks]).most).nonzero()[0])
    numbered.filter(pl.col(SAMPLED_ROW).is_in(wanted.implode())).sink_parquet(path)
    return n_all


_WRITERS: Mapping[str, Callable[[Any, Path, Draw], int | None]] = {
    "spark": _spark,
    "dask": _dask,
    "ray": _ray,
    "ibis": _ibis,
    "duckdb": _duckdb,
    "polars": _polars,
}

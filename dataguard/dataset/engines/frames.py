"""Tables that an engine holds: written to Parquet a part at a time, so that no more than one is in memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dataguard.core.errors import EngineError
from dataguard.dataset.engines import most_telling

Made = TypeVar("Made")

ROWS_AT_A_TIME = 100_000
"""Of Ray's."""


def writer_of(frame: object) -> Callable[[Path], None] | None:
    """What writes a table to a Parquet file, in the order of its rows; None where it is no table of an engine's.

    Tables of PySpark, Dask, Ray, Ibis and DuckDB, and lazy ones of Polars, each also within a frame of narwhals.

    Args:
        frame: Anything.
    """
    engine, native = native_of(frame)
    return None if engine is None else functools.partial(written_with, native, _WRITERS[engine])


def native_of(frame: object) -> tuple[str | None, Any]:
    """The engine that holds a table, None where none does; and the table, out of a frame of narwhals."""
    native = frame.to_native() if _module(frame) == "narwhals" and hasattr(frame, "to_native") else frame
    return _ENGINES.get((_module(native), type(native).__name__)), native


def _module(frame: object) -> str:
    return type(frame).__module__.partition(".")[0]


def written_with(frame: Any, write: Callable[..., Made], path: Path, *options: Any) -> Made:
    """Write a frame.

    Raises:
        EngineError: the engine could not compute it.
    """
    try:
        return write(frame, path, *options)
    except (OSError, MemoryError, EngineError):
        raise
    except Exception as error:  # each engine has its own errors, and no base class is common to them
        kind = f"{_module(frame)}.{type(frame).__name__}"
        raise EngineError(
            f"the table of {kind} cannot be computed: {most_telling(error)}", hint="try what computes it by itself"
        ) from error


def write_spark(frame: Any, path: Path, chosen: Callable[[Iterable[Any]], Iterator[Any]] | None = None) -> None:
    """Write a frame of PySpark's, or what a function makes on the workers of each partition's batches."""
    import pyarrow as pa

    # Through Arrow in batches, and through the driver a partition at a time while the next one is computed: `toArrow`
    # would hold them all, and executors need not see this machine's files.
    packed = frame.mapInArrow(functools.partial(_packed, chosen), "batch binary").toLocalIterator(
        prefetchPartitions=True
    )
    batches = (batch for row in packed for batch in pa.ipc.open_stream(bytes(row[0])))
    write_batches(batches, path, empty=lambda: pa.Schema.from_pandas(frame.limit(0).toPandas()))


def _packed(chosen: Callable[[Iterable[Any]], Iterator[Any]] | None, batches: Iterable[Any]) -> Iterator[Any]:
    """On a worker: each batch as bytes, for rows would be taken apart value by value."""
    import pyarrow as pa

    for batch in batches if chosen is None else chosen(batches):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        data = pa.array([sink.getvalue().to_pybytes()], pa.binary())
        yield pa.RecordBatch.from_arrays([data], names=["batch"])


def write_partitions(partitions: Sequence[Any], path: Path) -> None:
    """Write frames of Dask's that have the same columns, one after the other."""
    import pyarrow as pa

    # A partition of nothing but nulls does not tell its types.
    schema = pa.Schema.from_pandas(partitions[0]._meta_nonempty, preserve_index=False)
    batches = (
        batch
        for partition in partitions
        for batch in pa.Table.from_pandas(partition.compute(), schema=schema, preserve_index=False).to_batches()
    )
    write_batches(batches, path, empty=lambda: schema)


def _ray(dataset: Any, path: Path) -> None:
    batches = (
        batch
        for table in dataset.iter_batches(batch_format="pyarrow", batch_size=ROWS_AT_A_TIME)
        for batch in table.to_batches()
    )
    write_batches(batches, path, empty=lambda: dataset.schema().base_schema)


def write_batches(batches: Iterable[Any], path: Path, *, empty: Callable[[], Any]) -> None:
    """Write batches of Arrow; `empty` gives their schema where there is none."""
    import pyarrow.parquet as pq

    writer = None
    try:
        for batch in batches:
            if writer is None:
                writer = pq.ParquetWriter(path, batch.schema)
            writer.write_batch(batch.cast(writer.schema) if batch.schema != writer.schema else batch)
        if writer is None:
            writer = pq.ParquetWriter(path, empty())
    finally:
        if writer is not None:
            writer.close()


_ENGINES: Mapping[tuple[str, str], str] = {
    ("pyspark", "DataFrame"): "spark",
    ("dask", "DataFrame"): "dask",
    ("ray", "Dataset"): "ray",
    ("ray", "MaterializedDataset"): "ray",
    ("ibis", "Table"): "ibis",
    ("duckdb", "DuckDBPyRelation"): "duckdb",
    ("_duckdb", "DuckDBPyRelation"): "duckdb",
    ("polars", "LazyFrame"): "polars",
}
"""By package and class."""

_WRITERS: Mapping[str, Callable[[Any, Path], None]] = {
    "spark": write_spark,
    "dask": lambda frame, path: write_partitions(list(frame.partitions), path),
    "ray": _ray,
    "ibis": lambda table, path: table.to_parquet(path),
    "duckdb": lambda relation, path: relation.write_parquet(str(path)),
    "polars": lambda frame, path: frame.sink_parquet(path),
}

"""Spark: the scan through ``mapInArrow``, and tables through narwhals on PySpark."""

from __future__ import annotations

import functools
import os
import pickle
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dataguard.core.errors import EngineError
from dataguard.dataset.engines import in_windows, required

if TYPE_CHECKING:
    import narwhals.stable.v2 as nw

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

_RAISED = re.compile(r"[A-Za-z_.]*(Error|Exception): ")
"""The line of a worker's traceback that says what was raised."""
_TASKS_PER_SLOT = 4
"""Chunks of a job for each core: its last ones leave the others idle for a quarter of it at most, and the next job is
under way already."""
_JOBS_AT_A_TIME = 2
_SLOTS = 64
"""Where the cluster does not tell how many cores it has, as through Spark Connect."""


class SparkEngine:
    """A session that is active, or one that is made for a master.

    Args:
        address: ``spark://host:7077``, ``local[4]``, ``yarn``, ``k8s://…``; ``sc://host`` for Spark Connect; None for
            the active session, or what ``spark-submit`` and ``spark-defaults.conf`` say.
    """

    name = "spark"

    def __init__(self, address: str | None = None) -> None:
        sql = required("pyspark.sql", engine="spark", install="'dataguard[spark]'")
        required("pyarrow", engine="spark", install="'dataguard[spark]'")
        active = sql.SparkSession.getActiveSession()
        if active is None and _on_this_machine(address):
            # By default workers run whatever ``python3`` is, which need not have dataguard.
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = sql.SparkSession.builder.appName("dataguard")
        if address is not None:
            builder = builder.remote(address) if address.startswith("sc://") else builder.master(address)
        try:
            self.session: Any = active or builder.getOrCreate()
        except Exception as error:  # what Java and gRPC say comes in many classes
            raise _failed(error) from error
        self._own = active is None

    def map_chunks(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """A job for every few chunks a core, two jobs at a time; Spark repeats what a lost worker had."""
        slots = self._slots()
        run = functools.partial(_run, function)

        def job(packed: list[tuple[bytes]]) -> list[Any]:
            frame = self.session.createDataFrame(packed, "chunk binary").repartition(min(len(packed), 2 * slots))
            return list(frame.mapInArrow(run, "result binary").collect())

        def first(under_way: deque[Future[list[Any]]]) -> Iterator[Result]:
            try:
                rows = under_way.popleft().result()
            except Exception as error:
                raise _failed(error) from error
            for row in rows:
                yield _unpacked(row[0])

        packed = ((pickle.dumps(chunk),) for chunk in chunks)
        jobs = iter(lambda: list(islice(packed, _TASKS_PER_SLOT * slots)), [])
        with ThreadPoolExecutor(_JOBS_AT_A_TIME, thread_name_prefix="dataguard-spark") as pool:
            yield from in_windows(lambda work: pool.submit(job, work), first, jobs, _JOBS_AT_A_TIME)

    def table(self, parquet: Path) -> nw.LazyFrame[Any]:
        """Read by the executors, which must see the file."""
        import narwhals.stable.v2 as nw

        parts = sorted(parquet.glob("*.parquet")) if parquet.is_dir() else [parquet]
        frame: nw.LazyFrame[Any] = nw.from_native(self.session.read.parquet(*(part.as_uri() for part in parts)))
        return frame

    def close(self) -> None:
        """Stop the session, if it was made here."""
        if self._own:
            self.session.stop()

    def _slots(self) -> int:
        try:
            return max(1, int(self.session.sparkContext.defaultParallelism))
        except Exception:  # noqa: BLE001 - Spark Connect has no context, and says so in several ways
            return _SLOTS


def _on_this_machine(address: str | None) -> bool:
    if address is not None:
        return address.startswith("local")
    return not {"MASTER", "SPARK_REMOTE", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS"} & os.environ.keys()


def _run(function: Callable[[Any], Any], batches: Iterable[Any]) -> Iterator[Any]:
    """On a worker: the chunks of a partition, one after the other."""
    import pyarrow as pa

    for batch in batches:
        for item in batch.column(0):
            result = pickle.dumps(_outcome(function, pickle.loads(item.as_py())))  # noqa: S301 - from the driver
            yield pa.RecordBatch.from_arrays([pa.array([result], pa.binary())], names=["result"])


def _outcome(function: Callable[[Any], Any], chunk: Any) -> tuple[bool, Any]:
    from dataguard.core.errors import DataguardError

    try:
        return True, function(chunk)
    except DataguardError as error:
        # As a value, for Spark would give up after repeating it, and say so in Java.
        return False, error


def _unpacked(result: bytes | bytearray) -> Any:
    succeeded, value = pickle.loads(result)  # noqa: S301 - from a worker of ours
    if not succeeded:
        raise value
    return value


def _failed(error: Exception) -> EngineError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    raised = [line for line in lines if _RAISED.match(line)]
    return EngineError(
        f"Spark failed: {(raised or lines or [type(error).__name__])[0]}",
        where="engine = 'spark'",
        hint="the workers' log says more; dataguard must be installed on every worker, in the driver's version",
    )

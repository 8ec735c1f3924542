"""Spark: the scan through ``mapInArrow``, and tables through narwhals on PySpark."""

from __future__ import annotations

import functools
import os
import pickle
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dataguard.core.errors import EngineError
from dataguard.dataset.engines import in_windows, most_telling, required
from dataguard.dataset.parquet import parts_of

if TYPE_CHECKING:
    import narwhals.stable.v2 as nw

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

_TASKS_PER_SLOT = 4
"""Chunks of a job for each core: its last ones leave the others idle for a quarter of it at most, and the next job is
under way already."""
_JOBS_AT_A_TIME = 2
_SLOTS = 64
"""Where the cluster does not tell how many cores it has, as through Spark Connect."""
_STANDALONE = "spark://"
_CONNECT_SECONDS = 20.0
"""How long a master may take to answer: one try of Spark's, which makes three and ends with a page of Java."""
_RETRY_SECONDS = 0.5
_PATIENCE = 120.0
"""Seconds without any executor after which a standalone cluster is given up, where Spark would wait for ever; as many
as Spark takes to give up an executor that is silent, by ``spark.network.timeout``."""
_LOOK_EVERY = 2.0


class SparkEngine:
    """A session that is active, or one that is made for a master.

    Args:
        address: ``spark://host:7077``, ``local[4]``, ``yarn``, ``k8s://…``; ``sc://host`` for Spark Connect; None for
            the active session, or what ``spark-submit`` and ``spark-defaults.conf`` say.
    """

    name = "spark"

    def __init__(self, address: str | None = None) -> None:
        self._where = f"engine = 'spark{'' if address is None else '=' + address}'"
        sql = required("pyspark.sql", engine="spark", install="'dataguard[spark]'")
        required("pyarrow", engine="spark", install="'dataguard[spark]'")
        active = sql.SparkSession.getActiveSession()
        if active is None and _on_this_machine(address):
            # By default workers run whatever ``python3`` is, which need not have dataguard.
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        standalone = active is None and address is not None and address.startswith(_STANDALONE)
        if standalone and address is not None:
            _require_master(address, self._where)
        builder = sql.SparkSession.builder.appName("dataguard")
        if standalone:
            # Its progress bar and ours would write over one another.
            builder = builder.config("spark.ui.showConsoleProgress", "false")
        if address is not None:
            builder = builder.remote(address) if address.startswith("sc://") else builder.master(address)
        try:
            self.session: Any = active or builder.getOrCreate()
        except Exception as error:  # what Java and gRPC say comes in many classes
            raise self._failed(error) from error
        self._own = active is None
        self._lonely: float | None = None
        self._may_be_empty = not standalone
        if standalone:
            _quieten(self.session)

    def map_chunks(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """A job for every few chunks a core, two jobs at a time; Spark repeats what a lost worker had."""
        slots = self._slots()
        run = functools.partial(_run, function)

        def job(packed: list[tuple[bytes]]) -> list[Any]:
            frame = self.session.createDataFrame(packed, "chunk binary").repartition(min(len(packed), 2 * slots))
            return list(frame.mapInArrow(run, "result binary").collect())

        def first(under_way: deque[Future[list[Any]]]) -> Iterator[Result]:
            try:
                self._watch(under_way[0])
                rows = under_way.popleft().result()
            except EngineError:
                raise
            except Exception as error:
                raise self._failed(error) from error
            for row in rows:
                yield _unpacked(row[0])

        packed = ((pickle.dumps(chunk),) for chunk in chunks)
        jobs = iter(lambda: list(islice(packed, _TASKS_PER_SLOT * slots)), [])
        with ThreadPoolExecutor(_JOBS_AT_A_TIME, thread_name_prefix="dataguard-spark") as pool:
            yield from in_windows(lambda work: pool.submit(job, work), first, jobs, _JOBS_AT_A_TIME)

    def table(self, parquet: Path) -> nw.LazyFrame[Any]:
        """Read by the executors, which must see the file."""
        import narwhals.stable.v2 as nw

        frame: nw.LazyFrame[Any] = nw.from_native(
            self.session.read.parquet(*(part.as_uri() for part in parts_of(parquet)))
        )
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

    def _watch(self, job: Future[Any]) -> None:
        """Wait for a job for as long as there is an executor that may work on it.

        Raises:
            EngineError: there has been none for a while.
        """
        if self._may_be_empty:
            return
        while not wait([job], timeout=_LOOK_EVERY).done:
            if self._n_executors() != 0:
                self._lonely = None
                continue
            self._lonely = self._lonely or time.monotonic()
            if time.monotonic() - self._lonely > _PATIENCE:
                # Jobs end with the session, and so do the threads that wait for them.
                self.close()
                raise EngineError(
                    f"the master has no worker to give: there has been no executor for {_PATIENCE:.0f} seconds",
                    where=self._where,
                    hint="the master's page says which workers are alive, and how many cores and how much memory of "
                    "theirs are free",
                )

    def _n_executors(self) -> int | None:
        """None where Spark does not tell."""
        try:
            # The driver is one of those that hold blocks.
            return int(self.session.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) - 1
        except Exception:  # noqa: BLE001 - what is no part of the public interface may go at any time
            return None

    def _failed(self, error: Exception) -> EngineError:
        return EngineError(
            f"Spark failed: {most_telling(error)}",
            where=self._where,
            hint="the workers' log says more; dataguard must be installed on every worker, in the driver's version",
        )


def _require_master(address: str, where: str) -> None:
    """Refuse an address that nobody listens at.

    Raises:
        EngineError: none of its masters does.
    """
    places = [place.rpartition(":") for place in address.removeprefix(_STANDALONE).split(",")]
    failures = [f"{''.join(place)!r} is not host:port" for place in places if not (place[0] and place[2].isdecimal())]
    deadline = time.monotonic() + _CONNECT_SECONDS
    while not failures:
        # One that is only just being started refuses for a while.
        for host, _, port in places:
            try:
                left = max(0.1, deadline - time.monotonic())
                socket.create_connection((host.strip("[]"), int(port)), timeout=left).close()
            except (OSError, OverflowError) as error:
                failures.append(f"{host}:{port}: {getattr(error, 'strerror', None) or error}")
            else:
                return
        if time.monotonic() + _RETRY_SECONDS < deadline:
            failures.clear()
            time.sleep(_RETRY_SECONDS)
    raise EngineError(
        f"no Spark master answers ({'; '.join(failures)})",
        where=where,
        hint="start it, or look at the address: the master's log and its page on port 8080 name it, as spark://host:7077",
    )


def _quieten(session: Any) -> None:
    """Leave warnings out of the terminal, unless the user's own settings say how much to log."""
    if session.sparkContext.getConf().get("spark.log.level") is None:
        session.sparkContext.setLogLevel("ERROR")


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

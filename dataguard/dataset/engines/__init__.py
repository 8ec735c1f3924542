"""Where the work of a scan is done: in threads of this process, or on a cluster that someone else schedules.

A scan is two functions, ``chunk(references) → Summary`` and ``merge(Summary, Summary) → Summary``. What a chunk comes
to does not depend on the others and merging is order-free, so that an engine need do no more than call a function on
many lists, wherever it likes and in any order.
"""

from __future__ import annotations

import importlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dataguard.core.errors import ConfigurationError, EngineError, did_you_mean
from dataguard.dataset.parquet import parts_of

if TYPE_CHECKING:
    import narwhals.stable.v2 as nw

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

GROUP = "dataguard.engines"
"""The entry points of engines that other packages bring: each a function of an address, or None, that returns an
`Engine`."""

FOR_ENGINE = 20_000_000
"""Samples from which their table is put to an engine: DuckDB takes 3 s of a core for so many, less than it takes a
cluster to begin."""
_RAISED = re.compile(r"[A-Za-z_.]*(Error|Exception): ")
"""The line of a worker's traceback that says what was raised."""
_ASKED = 64
"""Chunks that ask whether a worker sees a file: so many that each worker is likely to be asked."""

BUILT_IN: Mapping[str, str] = {
    "local": "dataguard.dataset.engines.local:LocalEngine",
    "spark": "dataguard.dataset.engines.spark:SparkEngine",
    "dask": "dataguard.dataset.engines.dask:DaskEngine",
    "ray": "dataguard.dataset.engines.ray:RayEngine",
}
"""Those that are here, by name."""


class Engine(Protocol):
    """Runs a function on many chunks, and reads a finished sample table."""

    @property
    def name(self) -> str:
        """What ``--engine`` calls it."""

    def map_chunks(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """What the function makes of each chunk, in any order, with a few under way at a time.

        Function, chunks and results can be pickled. Chunks are taken from the iterator as they are needed, so that
        neither they nor the results are ever all in memory.

        Raises:
            EngineError: a chunk was lost, or the engine went away.
        """

    def table(self, parquet: Path) -> nw.LazyFrame[Any] | None:
        """A sample table, one Parquet file or a folder of them, as a frame that the engine computes with.

        None where it has none, so that DuckDB computes with it here.
        """

    def close(self) -> None:
        """Let go of what was started here; a session that was there before stays."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineName:
    """An engine as ``--engine`` names it."""

    name: str
    address: str | None = None

    @classmethod
    def parse(cls, text: str) -> EngineName:
        """``spark``, or ``spark=spark://host:7077`` with the address of a cluster.

        >>> EngineName.parse("dask=tcp://10.0.0.7:8786")
        EngineName(name='dask', address='tcp://10.0.0.7:8786')
        """
        name, _, address = text.partition("=")
        return cls(name=name.strip().lower(), address=address.strip() or None)


def engine_names() -> tuple[str, ...]:
    """The engines that there are, those of other packages included."""
    return tuple(sorted({*BUILT_IN, *(point.name for point in metadata.entry_points(group=GROUP))}))


def open_engine(text: str) -> Engine:
    """The engine of that name.

    Args:
        text: As `EngineName.parse` reads it.

    Raises:
        ConfigurationError: there is none of that name, or what it needs is not installed.
    """
    wanted = EngineName.parse(text)
    where = f"engine = {text!r}"
    if wanted.name in BUILT_IN:
        module, _, attribute = BUILT_IN[wanted.name].partition(":")
        made: Engine = getattr(importlib.import_module(module), attribute)(wanted.address)
        return made
    points = [point for point in metadata.entry_points(group=GROUP) if point.name == wanted.name]
    if not points:
        raise ConfigurationError("no such engine", where=where, hint=did_you_mean(wanted.name, engine_names()))
    try:
        made = points[0].load()(wanted.address)
    except ImportError as error:
        raise ConfigurationError(
            f"the engine cannot be loaded: {error}", where=where, hint=f"it is {points[0].value}"
        ) from error
    return made


def on_engine(engine: Engine, parquet: Path, n_samples: int) -> nw.LazyFrame[Any] | None:
    """A sample table as an engine computes with it; None where DuckDB does that better, or alone can.

    That is where there are fewer than `FOR_ENGINE` samples, or a worker does not see the file: the cache's folder is
    on no file system that all of them share.
    """
    if n_samples < FOR_ENGINE:
        return None
    first = parts_of(parquet)[0]
    try:
        seen = engine.map_chunks(_sees, [(str(first), first.stat().st_size)] * _ASKED)
        return _with_names(engine.table(parquet)) if all(seen) else None
    except (EngineError, OSError):
        return None


def _with_names(frame: nw.LazyFrame[Any] | None) -> nw.LazyFrame[Any] | None:
    """With the names of rows, which files leave out where these are their numbers."""
    import narwhals.stable.v2 as nw

    if frame is None or "sample_id" in frame.collect_schema().names():
        return frame
    return frame.with_columns(sample_id=nw.col("row").cast(nw.String))


def _sees(file: tuple[str, int]) -> bool:
    """On a worker: whether a file is there, and the same."""
    name, size = file
    try:
        return Path(name).stat().st_size == size
    except OSError:
        return False


def required(module: str, *, engine: str, install: str) -> Any:
    """A package that an engine needs.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"needs {module.partition('.')[0]}, which cannot be imported: {error}",
            where=f"engine = {engine!r}",
            hint=f"pip install {install}",
        ) from error


def in_windows(
    submit: Callable[[Chunk], Any], take: Callable[[deque[Any]], Iterable[Result]], chunks: Iterable[Chunk], most: int
) -> Iterator[Result]:
    """Results with no more than so many chunks under way, so that neither they nor the results pile up.

    Args:
        submit: Hands a chunk to the engine and returns what stands for its result.
        take: Removes at least one of these that is done, waiting for it where need be, and returns the results.
        chunks: The work.
        most: Chunks under way at a time.
    """
    under_way: deque[Any] = deque()
    for chunk in chunks:
        under_way.append(submit(chunk))
        if len(under_way) >= most:
            yield from take(under_way)
    while under_way:
        yield from take(under_way)


def most_telling(error: Exception) -> str:
    r"""The line of an engine's error that says most: what a worker's Python raised, else the innermost cause of Java's.

    >>> most_telling(ValueError("An exception was thrown\nTraceback\nKeyError: 'x'"))
    "KeyError: 'x'"
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    raised = [line for line in lines if _RAISED.match(line)]
    causes = [line.partition(": ")[2] for line in lines if line.startswith(("Caused by: ", ": "))]
    return (raised[:1] or causes[-1:] or lines[:1] or [type(error).__name__])[0]

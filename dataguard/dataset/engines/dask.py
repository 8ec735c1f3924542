"""Dask: the scan by a ``distributed`` client, and tables through narwhals on Dask."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dataguard.core.errors import DataguardError, EngineError
from dataguard.dataset.engines import in_windows, required
from dataguard.dataset.parquet import parts_of

if TYPE_CHECKING:
    import narwhals.stable.v2 as nw

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

_INSTALL = "'dask[dataframe,distributed]'"


class DaskEngine:
    """The client that is current, or one that is made.

    Args:
        address: The scheduler's, as ``tcp://host:8786``; None for the current client, or what Dask's configuration
            says (``DASK_SCHEDULER_ADDRESS``), or a cluster of processes on this machine.
    """

    name = "dask"

    def __init__(self, address: str | None = None) -> None:
        distributed = required("distributed", engine="dask", install=_INSTALL)
        self._own = False
        try:
            if address is not None:
                raise ValueError
            self._client: Any = distributed.get_client()
        except ValueError:
            settings = required("dask.config", engine="dask", install=_INSTALL)
            place = address or settings.get("scheduler-address", None)
            options = {"address": place} if place else {"processes": True, "dashboard_address": None}
            try:
                self._client = distributed.Client(set_as_default=False, **options)
            except (OSError, ValueError) as error:
                raise EngineError(f"no scheduler answers: {error}", where=f"engine = 'dask={place}'") from error
            self._own = True

    def map_chunks(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """As they are done; Dask repeats what a lost worker had."""
        slots = sum(self._client.nthreads().values()) or 1
        shared = self._client.scatter(function, broadcast=True, hash=False)

        def submit(chunk: Chunk) -> Any:
            return self._client.submit(_call, shared, chunk, pure=False)

        def first(under_way: deque[Any]) -> Iterator[Result]:
            future = under_way.popleft()
            try:
                result: Result = future.result()
            except DataguardError:
                raise
            except Exception as error:
                raise EngineError(
                    f"Dask failed: {error}",
                    where="engine = 'dask'",
                    hint="dataguard must be installed on every worker, in the version that is installed here",
                ) from error
            yield result

        yield from in_windows(submit, first, chunks, 4 * slots)

    def table(self, parquet: Path) -> nw.LazyFrame[Any]:
        """Read by the workers, which must see the file."""
        dataframe = required("dask.dataframe", engine="dask", install=_INSTALL)
        import narwhals.stable.v2 as nw

        with warnings.catch_warnings():
            # That a later narwhals will want the package narwhals-dask.
            warnings.simplefilter("ignore", FutureWarning)
            frame: nw.LazyFrame[Any] = nw.from_native(dataframe.read_parquet([str(part) for part in parts_of(parquet)]))
        return frame

    def close(self) -> None:
        """Close the client, if it was made here."""
        if self._own:
            self._client.close()


def _call(function: Callable[[Any], Any], chunk: Any) -> Any:
    return function(chunk)

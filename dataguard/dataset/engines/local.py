"""The embedded engine: threads of this process, and DuckDB."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dataguard.core.errors import ConfigurationError
from dataguard.dataset.engines import in_windows

if TYPE_CHECKING:
    import narwhals.stable.v2 as nw

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


class LocalEngine:
    """Threads, for the decoders release the GIL.

    Args:
        address: How many threads; None for one a CPU that this process may use.
    """

    name = "local"

    def __init__(self, address: str | None = None) -> None:
        if address is not None and not (address.isdecimal() and int(address)):
            raise ConfigurationError(
                f"expected a number of threads, got {address!r}", where=f"engine = 'local={address}'"
            )
        self._jobs = int(address or len(os.sched_getaffinity(0)))

    def map_chunks(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """In the order of the chunks."""
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="dataguard-scan") as pool:

            def first(under_way: deque[Future[Result]]) -> Iterator[Result]:
                yield under_way.popleft().result()

            yield from in_windows(lambda chunk: pool.submit(function, chunk), first, chunks, 2 * self._jobs)

    def table(self, parquet: Path) -> nw.LazyFrame[Any] | None:  # noqa: ARG002 - the protocol's
        """None: DuckDB is what there is here."""
        return None

    def close(self) -> None:
        """There is nothing to let go of."""

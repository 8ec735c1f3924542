"""Ray: the scan as tasks; tables are queried by DuckDB, for Ray has no frames of its own that narwhals knows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dataguard.core.errors import DataguardError, EngineError
from dataguard.dataset.engines import in_windows, required

if TYPE_CHECKING:
    import narwhals.stable.v2 as nw

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


class RayEngine:
    """The cluster that this process is connected to, or one that it connects to or starts.

    Args:
        address: ``ray://host:10001``, or ``auto`` for the one on this machine; None for what ``RAY_ADDRESS`` says, or a
            new one on this machine.
    """

    name = "ray"

    def __init__(self, address: str | None = None) -> None:
        self._ray: Any = required("ray", engine="ray", install="ray")
        self._own = not self._ray.is_initialized()
        if self._own:
            try:
                self._ray.init(address=address, log_to_driver=False, include_dashboard=False, logging_level="ERROR")
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise EngineError(f"no cluster answers: {error}", where=f"engine = 'ray={address}'") from error

    def map_chunks(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """As they are done; Ray repeats what a lost worker had."""
        ray = self._ray
        slots = int(ray.cluster_resources().get("CPU", 1)) or 1
        shared = ray.put(function)
        task = ray.remote(_call)

        def done(under_way: deque[Any]) -> Iterator[Result]:
            ready, waiting = ray.wait(list(under_way), num_returns=1)
            under_way.clear()
            under_way.extend(waiting)
            try:
                yield from ray.get(ready)
            except ray.exceptions.RayTaskError as error:
                cause = getattr(error, "cause", None)
                if isinstance(cause, DataguardError):
                    raise cause from error
                raise _failed(error) from error
            except ray.exceptions.RayError as error:
                raise _failed(error) from error

        yield from in_windows(lambda chunk: task.remote(shared, chunk), done, chunks, 4 * slots)

    def table(self, parquet: Path) -> nw.LazyFrame[Any] | None:  # noqa: ARG002 - the protocol's
        """None: there are no narwhals' expressions on Ray."""
        return None

    def close(self) -> None:
        """Disconnect, if the connection was made here."""
        if self._own:
            self._ray.shutdown()


def _call(function: Callable[[Any], Any], chunk: Any) -> Any:
    return function(chunk)


def _failed(error: Exception) -> EngineError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return EngineError(
        f"Ray failed: {lines[-1] if lines else type(error).__name__}",
        where="engine = 'ray'",
        hint="dataguard must be installed on every node, in the version that is installed here",
    )

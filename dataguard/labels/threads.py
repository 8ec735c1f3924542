"""How many threads linear algebra may use."""

from __future__ import annotations

import contextlib


def limited(threads: int | None) -> contextlib.AbstractContextManager[object]:
    """A context in which BLAS and OpenMP use at most so many threads; None for no limit.

    One thread is right for many small problems: handing a 3×3 system to another core costs a thousand times its
    solution, and on a busy machine far more.
    """
    if threads is None:
        return contextlib.nullcontext()
    import threadpoolctl  # type: ignore[import-untyped]

    limits: contextlib.AbstractContextManager[object] = threadpoolctl.threadpool_limits(limits=threads)
    return limits

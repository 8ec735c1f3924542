"""Check data, preprocessing and reproducibility before you train on it, trust it or publish it.

>>> import dataguard
>>> report = dataguard.check("path/to/dataset")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataguard.batches.record import record as record
    from dataguard.engine import check as check
    from dataguard.engine import probe as probe
    from dataguard.rules.batches.epoch_end import guard as guard

__version__ = "0.1.0"
__all__ = ["__version__", "check", "guard", "probe", "record"]


def __getattr__(name: str) -> Any:
    # Lazy, so that `dataguard --help` pays for no numpy.
    if name == "check":
        from dataguard.engine import check

        return check
    if name == "guard":
        from dataguard.rules.batches.epoch_end import guard

        return guard
    if name == "probe":
        from dataguard.engine import probe

        return probe
    if name == "record":
        from dataguard.batches.record import record

        return record
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

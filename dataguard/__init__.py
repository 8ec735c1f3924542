"""Check data, preprocessing and reproducibility before you train on it, trust it or publish it.

>>> import dataguard
>>> report = dataguard.check("path/to/dataset")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataguard.engine import check as check

__version__ = "0.1.0"
__all__ = ["__version__", "check"]


def __getattr__(name: str) -> Any:
    # Lazy, so that `dataguard --help` pays for no numpy.
    if name == "check":
        from dataguard.engine import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

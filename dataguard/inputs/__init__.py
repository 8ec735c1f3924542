"""What rules look at, made once a run and only where a rule asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataguard.core.lazy import lazily
from dataguard.inputs.made import Inputs

if TYPE_CHECKING:
    from dataguard.inputs.loader import Loader, recorded
    from dataguard.inputs.normalization import NORMALIZATION_INPUTS
    from dataguard.inputs.source import TABLE_SUFFIXES, open_source
    from dataguard.inputs.versions import SERVING_INPUTS, VERSION_INPUTS

__all__ = [
    "NORMALIZATION_INPUTS",
    "SERVING_INPUTS",
    "TABLE_SUFFIXES",
    "VERSION_INPUTS",
    "Inputs",
    "Loader",
    "open_source",
    "recorded",
]

# So that an audit does not pay for what reads datasets and trains.
__getattr__ = lazily(
    __name__,
    {
        "NORMALIZATION_INPUTS": "normalization",
        "SERVING_INPUTS": "versions",
        "TABLE_SUFFIXES": "source",
        "VERSION_INPUTS": "versions",
        "Loader": "loader",
        "open_source": "source",
        "recorded": "loader",
    },
)

"""Check data, preprocessing and reproducibility before you train on it, trust it or publish it.

>>> import dataguard
>>> report = dataguard.check("path/to/dataset")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataguard.core import notebook
from dataguard.core.lazy import lazily

if TYPE_CHECKING:
    from dataguard.batches.record import record as record
    from dataguard.engine import audit as audit
    from dataguard.engine import bisect as bisect
    from dataguard.engine import check as check
    from dataguard.engine import compare as compare
    from dataguard.engine import diff as diff
    from dataguard.engine import lock as lock
    from dataguard.engine import probe as probe
    from dataguard.engine import probe_training as probe_training
    from dataguard.engine import reproduce as reproduce
    from dataguard.engine import snapshot as snapshot
    from dataguard.rules.batches.epoch_end import guard as guard

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "audit",
    "bisect",
    "check",
    "compare",
    "diff",
    "guard",
    "lock",
    "probe",
    "probe_training",
    "record",
    "reproduce",
    "snapshot",
]

# So that `dataguard --help` pays for no numpy.
__getattr__ = lazily(
    __name__,
    {
        "audit": "engine",
        "bisect": "engine",
        "check": "engine",
        "compare": "engine",
        "diff": "engine",
        "guard": "rules.batches.epoch_end",
        "lock": "engine",
        "probe": "engine",
        "probe_training": "engine",
        "record": "batches.record",
        "reproduce": "engine",
        "snapshot": "engine",
    },
)


def _in_a_notebook(report: Any) -> str:
    # Lazy for the same reason; and here, because a report may not know how it is rendered.
    from dataguard.formats.notebook import render

    return render(report)


notebook.show_with(_in_a_notebook)

"""Select rules, satisfy their inputs, run them, and put together the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataguard.core.lazy import lazily

if TYPE_CHECKING:
    from dataguard.engine.auditing import audit
    from dataguard.engine.checking import check
    from dataguard.engine.probing import compare, probe
    from dataguard.engine.reproducing import bisect, lock, reproduce
    from dataguard.engine.resolving import resolve_config
    from dataguard.engine.running import run
    from dataguard.engine.training import probe_training
    from dataguard.engine.versioning import diff, snapshot

__all__ = [
    "audit",
    "bisect",
    "check",
    "compare",
    "diff",
    "lock",
    "probe",
    "probe_training",
    "reproduce",
    "resolve_config",
    "run",
    "snapshot",
]

# So that an audit does not pay for what trains and reproduces.
__getattr__ = lazily(
    __name__,
    {
        "audit": "auditing",
        "bisect": "reproducing",
        "check": "checking",
        "compare": "probing",
        "diff": "versioning",
        "lock": "reproducing",
        "probe": "probing",
        "probe_training": "training",
        "reproduce": "reproducing",
        "resolve_config": "resolving",
        "run": "running",
        "snapshot": "versioning",
    },
)

"""Select rules, satisfy their inputs, run them, and put together the report."""

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

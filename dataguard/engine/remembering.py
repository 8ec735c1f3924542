"""What came of a rule, kept for as long as nothing has changed that it depends on.

Looking for near duplicates among 100,000 pictures takes minutes, and a check in CI asks the same every time. What a
rule of the dataset concludes follows from the files, the settings, dataguard's own code and the versions of the
libraries, and the outcome is kept under a digest of all these.
"""

from __future__ import annotations

import dataclasses
import io
import pickle
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from dataguard import __version__
from dataguard.config import Config
from dataguard.core.report import RuleRun, Status
from dataguard.core.rule import Rule
from dataguard.dataset.cache import Cache
from dataguard.dataset.table import SampleTable
from dataguard.engine.circumstances import versions
from dataguard.inputs import Inputs
from dataguard.inputs.made import OF_THE_DATASET

MOST_BYTES = 64 << 20
"""An outcome that is larger is not kept."""

_FILES_BESIDE = ("pred_probs", "predictions", "features", "embedding", "schema", "against", "serving", "frame")
"""Settings of ``[dataset]`` that name what is no part of it, and may change while it does not."""
_ARRAYS = frozenset(
    {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
    }
)
"""What numpy's arrays are made again by."""
_KEPT = frozenset({Status.PASSED, Status.FOUND, Status.INCONCLUSIVE, Status.SKIPPED})


class Memory:
    """What came of rules before, in the cache.

    Args:
        cache: Where it is kept.
        digest: Of all that the outcomes depend on.
        inputs: Told what was guessed on the way.
    """

    def __init__(self, cache: Cache, digest: str, inputs: Inputs) -> None:
        self._cache = cache
        self._digest = digest
        self._inputs = inputs

    @classmethod
    def of(cls, config: Config, inputs: Inputs) -> Memory | None:
        """The memory of a run; None where there is none, as where outcomes depend on more than can be told."""
        table, cache = inputs.made(SampleTable), inputs.cache
        if cache is None or not cache.usable or table is None or table.state is None or table.source != "folder":
            return None
        if any(getattr(config.dataset, name) is not None for name in _FILES_BESIDE):
            return None
        from blake3 import blake3

        parts = (table.state, repr(config), __version__, _code(), versions(resampling=False))
        return cls(cache, blake3(repr(parts).encode()).hexdigest(), inputs)

    def run(self, rule: Rule[Any], make: Callable[[], RuleRun]) -> RuleRun:
        """What came of the rule before, or comes of it now."""
        if not (
            rule.function.__module__.startswith("dataguard.rules.")
            and all(parameter.type in OF_THE_DATASET for parameter in rule.inputs)
        ):
            return make()
        key = f"run/{self._digest}/{rule.code}"
        clock = time.perf_counter()
        stored = _loaded(self._cache.get_blob(key))
        if stored is not None:
            run, guessed = stored
            self._inputs.guessed += [text for text in guessed if text not in self._inputs.guessed]
            return dataclasses.replace(run, seconds=round(time.perf_counter() - clock, 3))
        before = len(self._inputs.guessed)
        run = make()
        if run.status in _KEPT:
            data = pickle.dumps((run, tuple(self._inputs.guessed[before:])), protocol=5)
            # An outcome that cannot be read again as it was is of no use.
            if len(data) <= MOST_BYTES and _loaded(data) is not None:
                self._cache.put_blob(key, data)
        return run


class _Reader(pickle.Unpickler):
    """Makes records of a report and arrays, and nothing else, whatever somebody may have written to the cache."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ARRAYS:
            return super().find_class(module, name)
        if module.startswith("dataguard.core.") and "." not in name:
            found = getattr(import_module(module), name, None)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a report")


def _loaded(data: bytes | None) -> tuple[RuleRun, tuple[str, ...]] | None:
    if data is None:
        return None
    try:
        run, guessed = _Reader(io.BytesIO(data)).load()
    except Exception:  # noqa: BLE001 - broken bytes make a reader raise anything, and cost time alone
        return None
    return (run, guessed) if isinstance(run, RuleRun) else None


def _code() -> list[tuple[str, int, int]]:
    """The stats of dataguard's own modules: whoever changes a rule wants it run."""
    import dataguard

    root = Path(dataguard.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        info = path.stat()
        found.append((path.name, info.st_size, info.st_mtime_ns))
    return found

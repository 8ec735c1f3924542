"""What came of a rule, kept for as long as nothing has changed that it depends on.

Looking for near duplicates among 100,000 pictures takes minutes, and a check in CI asks the same every time. What a
rule of the dataset concludes follows from the files, the settings, dataguard's own code and the versions of the
libraries, and the outcome is kept under a digest of all these.
"""

from __future__ import annotations

import dataclasses
import io
import os
import pickle
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard import __version__
from dataguard.config import Config
from dataguard.core.report import RuleRun, Status
from dataguard.core.rule import Rule
from dataguard.dataset.cache import Cache
from dataguard.dataset.memory import memory_limit
from dataguard.engine.circumstances import versions

if TYPE_CHECKING:
    # What a report that is remembered as a whole is found without: most of the time that this would take.
    from dataguard.inputs import Inputs

_MOST_BYTES = 64 << 20
"""What is larger is not kept."""

FILES_BESIDE = ("pred_probs", "predictions", "features", "embedding", "schema", "against", "serving", "frame")
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
KEPT = frozenset({Status.PASSED, Status.FOUND, Status.INCONCLUSIVE, Status.SKIPPED})
"""What a rule can come to that comes of it again; it may crash for want of something that is there tomorrow."""


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
        from dataguard.dataset.table import SampleTable

        table, cache = inputs.made(SampleTable), inputs.cache
        if cache is None or not cache.usable or table is None or table.state is None or table.source != "folder":
            return None
        if any(getattr(config.dataset, name) is not None for name in FILES_BESIDE):
            return None
        from blake3 import blake3

        parts = (table.state, *depends_on(config))
        return cls(cache, blake3(repr(parts).encode()).hexdigest(), inputs)

    def run(self, rule: Rule[Any], make: Callable[[], RuleRun]) -> RuleRun:
        """What came of the rule before, or comes of it now."""
        from dataguard.inputs.made import is_of_the_dataset

        if not (
            rule.function.__module__.startswith("dataguard.rules.")
            and all(is_of_the_dataset(parameter.type) for parameter in rule.inputs)
        ):
            return make()
        key = f"run/{self._digest}/{rule.code}"
        clock = time.perf_counter()
        stored = _outcome(self._cache.get_blob(key))
        if stored is not None:
            run, guessed = stored
            self._inputs.guessed += [text for text in guessed if text not in self._inputs.guessed]
            return dataclasses.replace(run, seconds=round(time.perf_counter() - clock, 3))
        before = len(self._inputs.guessed)
        run = make()
        if run.status in KEPT:
            data = kept_bytes((run, tuple(self._inputs.guessed[before:])))
            if data is not None:
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


def kept_bytes(value: object) -> bytes | None:
    """What `loaded` makes a value of again; None where it has parts that are none of a report, or is too large."""
    data = pickle.dumps(value, protocol=5)
    return None if len(data) > _MOST_BYTES or loaded(data) is None else data


def loaded(data: bytes | None) -> object:
    """The value that `kept_bytes` was given; None where the bytes are broken, or not written by it."""
    if data is None:
        return None
    try:
        return _Reader(io.BytesIO(data)).load()
    except Exception:  # noqa: BLE001 - broken bytes make a reader raise anything, and cost time alone
        return None


def _outcome(data: bytes | None) -> tuple[RuleRun, tuple[str, ...]] | None:
    match loaded(data):
        case (RuleRun() as run, tuple() as guessed):
            return run, guessed
    return None


def depends_on(config: Config) -> tuple[object, ...]:
    """What the outcome of a rule of the dataset depends on beside the dataset."""
    return repr(config), memory_limit(), __version__, code_state(), versions(resampling=False)


def code_state() -> tuple[tuple[str, int, int], ...]:
    """The stats of dataguard's own modules: whoever changes a rule wants it run."""
    import dataguard

    found: list[tuple[str, int, int]] = []
    folders = [str(Path(dataguard.__file__).parent)]
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    info = entry.stat()
                    found.append((entry.path, info.st_size, info.st_mtime_ns))
                elif entry.is_dir() and entry.name != "__pycache__":
                    folders.append(entry.path)
    return tuple(sorted(found))

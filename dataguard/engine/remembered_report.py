"""The report of a run, kept for as long as nothing has changed that it depends on.

A check in CI asks the same of the same files every time. The answer follows from the files below the dataset's path,
the configuration, dataguard's own code and the versions of the libraries; the report is kept under a digest of all
these, so that nothing but names and stats is read where nothing has changed. Where something has, each rule is asked
what it remembers by itself (`dataguard.engine.remembering`).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dataguard.config import Config
from dataguard.core.errors import DataguardError
from dataguard.core.picture_access import offer
from dataguard.core.progress import silent
from dataguard.core.report import Report, Status
from dataguard.core.rule import Rule
from dataguard.dataset.cache import Cache
from dataguard.dataset.kinds import is_plain_path
from dataguard.dataset.sources import Source
from dataguard.dataset.sources.table import TableSource
from dataguard.dataset.tree_state import tree_state
from dataguard.engine.areas import names_other_than_dataset
from dataguard.engine.remembering import FILES_BESIDE, KEPT, MOST_BYTES, depends_on, kept_bytes, loaded
from dataguard.inputs import Inputs, open_source
from dataguard.inputs.source import cache_folder
from dataguard.rules import broken_plugins

BELOW_THEIR_PATH = frozenset({"folder", "table", "huggingface", "numpy", "webdataset"})
"""Kinds of sources that read nothing but what lies at their path or below it, unless rows name pictures elsewhere."""


class ReportMemory:
    """Where the report of one run is kept, and found by the next.

    Args:
        cache: What keeps it.
        key: Of all that the report depends on.
        config: Of the run.
    """

    def __init__(self, cache: Cache, key: str, config: Config) -> None:
        self._cache = cache
        self._key = key
        self._config = config

    @classmethod
    def of(cls, config: Config, rules: Iterable[Rule[Any]], today: dt.date) -> ReportMemory | None:
        """The memory of a run before anything has been read; None where its report depends on more than can be told."""
        path = config.dataset.path
        if path is None or config.dataset.frame is not None or not is_plain_path(path):
            return None
        beside = any(getattr(config.dataset, name) is not None for name in FILES_BESIDE)
        paths = config.preprocessing.train, config.preprocessing.declared
        if beside or any(paths) or config.engine is not None or names_other_than_dataset(config):
            return None
        if broken_plugins() or not all(rule.__module__.startswith("dataguard.rules.") for rule in rules):
            return None
        baseline = None if config.baseline is None else tree_state(config.base / config.baseline)
        if config.baseline is not None and baseline is None:
            return None
        state = tree_state(path)
        cache = None if state is None else Cache(cache_folder(config))
        if cache is None or not cache.usable:
            return None
        from blake3 import blake3

        parts = (
            state,
            # Links may lead elsewhere.
            str(Path(path).resolve()),
            baseline,
            # Ignores end on a day.
            today.isoformat() if config.ignore or config.left_out else "",
            *depends_on(config),
        )
        return cls(cache, f"report/{blake3(repr(parts).encode()).hexdigest()}", config)

    def report(self, started: dt.datetime, clock: float) -> Report | None:
        """The report of the same, as if it had been made now; None where there is none.

        Args:
            started: When the run began.
            clock: The same by `time.perf_counter`.
        """
        report = loaded(self._cache.get_blob(self._key))
        if not isinstance(report, Report):
            return None
        if report.subject.source != "folder":
            # Whoever shows pictures that are no files of their own asks for them.
            offer(report.subject.version_id, _Pictures(self._config).read)
        return dataclasses.replace(
            report,
            runs=tuple(dataclasses.replace(run, seconds=0.0) for run in report.runs),
            started_at=started.isoformat(timespec="seconds"),
            seconds=round(time.perf_counter() - clock, 3),
        )

    def keep(self, report: Report, source: Source | None, inputs: Inputs) -> None:
        """Keep the report of a run, where it came to an end and depends on nothing but what the key says."""
        if report.partial or any(run.status not in KEPT | {Status.IGNORED, Status.KNOWN} for run in report.runs):
            return
        if source is None or source.kind not in BELOW_THEIR_PATH:
            return
        # Rows may name pictures that lie anywhere: then only reading these tells.
        named = isinstance(source, TableSource) and source.image is not None
        if named and source.identity() is None:
            return
        if inputs.cache is None or inputs.cache.notes:
            return
        data = kept_bytes(report)
        if data is not None and len(data) <= MOST_BYTES:
            self._cache.put_blob(self._key, data)


class _Pictures:
    """Reads pictures of a dataset that has not been opened, and opens it for the first of them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._inputs: Inputs | None = None

    def read(self, path: str) -> bytes | None:
        """See `SampleTable.read_stored`."""
        try:
            if self._inputs is None:
                self._inputs = Inputs(self._config, open_source(self._config), use_cache=True, progress=silent)
            return self._inputs.table().read_stored(path)
        except DataguardError as error:
            raise OSError(str(error)) from error

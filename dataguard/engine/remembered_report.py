"""The report of a run, kept for as long as nothing has changed that it depends on.

A check in CI asks the same of the same files every time. The answer follows from the files below the dataset's path,
the configuration, dataguard's own code and the versions of the libraries; the report is kept under a digest of all
these, so that nothing but names and stats is read where nothing has changed. Where something has, each rule is asked
what it remembers by itself (`dataguard.engine.remembering`).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.config import Config
from dataguard.core.errors import DataguardError
from dataguard.core.picture_access import offer
from dataguard.core.report import Report, Status
from dataguard.core.rule import Rule
from dataguard.dataset.cache import Cache
from dataguard.dataset.kinds import is_plain_path
from dataguard.dataset.memory import memory_limited
from dataguard.dataset.sources import Source
from dataguard.dataset.sources.annotated_images import AnnotatedSource
from dataguard.dataset.tree_state import NOT_DATA, tree_state
from dataguard.engine.remembering import FILES_BESIDE, KEPT, depends_on, kept_bytes, loaded
from dataguard.engine.resolving import limit_of, names_other_than_dataset
from dataguard.rules import all_rules, broken_plugins, has_plugins

if TYPE_CHECKING:
    # They import nearly everything, which takes longer than all that is done here.
    from dataguard.inputs import Inputs

BELOW_THEIR_PATH = frozenset({"folder", "table", "huggingface", "numpy", "webdataset"})
"""Kinds of sources that read nothing but what lies at their path or below it, unless rows name pictures elsewhere."""
ANNOTATED = frozenset({"coco", "voc", "yolo"})
"""Kinds that read pictures and annotations below one folder, which may be another than the path says."""
_FILES = ANNOTATED | {"folder"}
"""Kinds whose pictures are files."""


class ReportMemory:
    """Where the report of one run is kept, and found by the next.

    Args:
        cache: What keeps it.
        parts: All that the report depends on, but for what lies in `folders`.
        folders: Where else the dataset lies, and the state of each.
        config: Of the run.
    """

    def __init__(
        self, cache: Cache, parts: tuple[Any, ...], folders: tuple[tuple[str, str], ...], config: Config
    ) -> None:
        self._cache = cache
        self._parts = parts
        self._folders = folders
        self._config = config

    @property
    def key(self) -> str:
        """What the cache calls the report."""
        from blake3 import blake3

        return f"report/{blake3(repr((*self._parts, *self._folders)).encode()).hexdigest()}"

    @classmethod
    def of(cls, config: Config, rules: Iterable[Rule[Any]] | None, today: dt.date) -> ReportMemory | None:
        """The memory of a run before anything has been read; None where its report depends on more than can be told.

        Args:
            config: Of the run.
            rules: Those that are chosen from; None for all that there are, of which none is imported.
            today: The day on which ignores end, or do not.
        """
        path = config.dataset.path
        if path is None or config.dataset.frame is not None or not is_plain_path(path):
            return None
        beside = any(getattr(config.dataset, name) is not None for name in FILES_BESIDE)
        paths = config.preprocessing.train, config.preprocessing.declared
        if beside or any(paths) or config.engine is not None or names_other_than_dataset(config):
            return None
        if rules is None and has_plugins():
            rules = all_rules()
        if broken_plugins() or not all(rule.__module__.startswith("dataguard.rules.") for rule in rules or ()):
            return None
        baseline = None if config.baseline is None else tree_state(config.base / config.baseline)
        if config.baseline is not None and baseline is None:
            return None
        state = tree_state(path)
        cache = None if state is None else Cache(Cache.folder_for(config.base, config.cache))
        if cache is None or not cache.usable:
            return None
        parts = (
            state,
            # Links may lead elsewhere.
            str(Path(path).resolve()),
            baseline,
            # Ignores end on a day.
            today.isoformat() if config.ignore or config.left_out else "",
            *depends_on(config),
        )
        noted = cache.get_blob(_folder_key(path))
        folders = _states(os.fsdecode(noted).split("\0") if noted else ())
        return None if folders is None else cls(cache, parts, folders, config)

    def opened(self, source: Source | None) -> ReportMemory | None:
        """The memory of the same run, once it is known where the dataset lies; None where that cannot be told.

        Call it before anything of the dataset is read.
        """
        path = self._config.dataset.path
        if path is None or not isinstance(source, AnnotatedSource):
            return self
        wanted = tuple(str(place) for place in (source.root, *source.beyond) if not _is_below(place, Path(path)))
        if wanted == tuple(folder for folder, _ in self._folders):
            return self
        folders = _states(wanted)
        return None if folders is None else ReportMemory(self._cache, self._parts, folders, self._config)

    def report(self, started: dt.datetime, clock: float) -> Report | None:
        """The report of the same, as if it had been made now; None where there is none.

        Args:
            started: When the run began.
            clock: The same by `time.perf_counter`.
        """
        report = loaded(self._cache.get_blob(self.key))
        if not isinstance(report, Report):
            return None
        if report.subject.source not in _FILES:
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
        if source is None or source.kind not in BELOW_THEIR_PATH | ANNOTATED:
            return
        # Rows may name pictures that lie anywhere: then only reading these tells.
        from dataguard.dataset.sources.table import TableSource

        named = isinstance(source, TableSource) and source.image is not None
        if named and source.identity() is None:
            return
        if isinstance(source, AnnotatedSource) and not _names_what_lies_below(source):
            return
        if inputs.cache is None or inputs.cache.notes:
            return
        data = kept_bytes(report)
        if data is None:
            return
        path = self._config.dataset.path
        if isinstance(source, AnnotatedSource) and path is not None:
            self._cache.put_blob(_folder_key(path), os.fsencode("\0".join(folder for folder, _ in self._folders)))
        self._cache.put_blob(self.key, data)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Looked:
    """What came of looking for the report of a run among those of former ones."""

    started: dt.datetime
    clock: float
    """The same by `time.perf_counter`."""
    memory: ReportMemory | None
    """Where it is to be kept; None for nowhere."""
    report: Report | None
    """None where it has to be made."""


def look(config: Config, rules: Iterable[Rule[Any]] | None, *, allowed: bool) -> Looked:
    """Look for the report of a run.

    Args:
        config: Of the run.
        rules: Those that are chosen from; None for all that there are, of which none is imported.
        allowed: Whether reports may be kept at all.

    Raises:
        ConfigurationError: the limit of memory is none.
    """
    started = dt.datetime.now(dt.UTC)
    clock = time.perf_counter()
    if not allowed:
        return Looked(started=started, clock=clock, memory=None, report=None)
    with memory_limited(limit_of(config)):
        memory = ReportMemory.of(config, rules, started.date())
        report = None if memory is None else memory.report(started, clock)
    return Looked(started=started, clock=clock, memory=memory, report=report)


def _folder_key(path: str) -> str:
    """What the cache calls the folders that a dataset lies in besides what its path names."""
    return f"folder/{Path(path).absolute()}"


def _states(folders: Iterable[str]) -> tuple[tuple[str, str], ...] | None:
    """The state of each folder, or that it is not there; None where one has none that can be told."""
    found = [(folder, tree_state(folder) if os.path.lexists(folder) else "absent") for folder in folders]
    known = tuple((folder, state) for folder, state in found if state is not None)
    return known if len(known) == len(found) else None


def _is_below(path: Path, folder: Path) -> bool:
    """Whether what lies at a path, or below it, belongs to the state of a folder."""
    return path.is_relative_to(folder) and not any(part[:1] == "." for part in path.relative_to(folder).parts)


def _names_what_lies_below(source: AnnotatedSource) -> bool:
    """Whether all pictures that a source lists lie below its root, and show in the root's state."""
    for reference in source.references():
        path = f"/{reference.path}"
        if path.startswith("//") or "/." in path or path.endswith(NOT_DATA):
            return False
    return True


class _Pictures:
    """Reads pictures of a dataset that has not been opened, and opens it for the first of them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._inputs: Inputs | None = None

    def read(self, path: str) -> bytes | None:
        """See `SampleTable.read_stored`."""
        from dataguard.core.progress import silent
        from dataguard.inputs import Inputs, open_source

        try:
            if self._inputs is None:
                self._inputs = Inputs(self._config, open_source(self._config), use_cache=True, progress=silent)
            return self._inputs.table().read_stored(path)
        except DataguardError as error:
            raise OSError(str(error)) from error

"""Read a repository and say what its preprocessing is: what ``dataguard audit`` does."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.config import CodeConfig, Config, EnvironmentConfig, check_selector
from dataguard.core.exhibit import Exhibit
from dataguard.core.paths import encode_path
from dataguard.core.progress import Progress, silent
from dataguard.core.python_files import PythonFiles, uncollected
from dataguard.core.report import Report
from dataguard.core.rule import Rule
from dataguard.engine.running import run
from dataguard.engine.taken_back import looked_up
from dataguard.environment.declared import DeclaredEnvironment
from dataguard.environment.imports import ProjectImports
from dataguard.environment.weights import WeightScans
from dataguard.preprocessing.audit.declarations import declared_paths
from dataguard.preprocessing.audit.excerpts import Lines, comments
from dataguard.preprocessing.audit.pairing import ComparedPaths, compare_paths
from dataguard.preprocessing.audit.snapshot import Snapshot, opened
from dataguard.preprocessing.audit.table import documents, path_table, undetermined
from dataguard.preprocessing.pair import DeclaredPair, PipelinePair
from dataguard.preprocessing.static.reading import RepositoryReading, read_repository
from dataguard.rules import rules_of
from dataguard.rules.dataguard.dg901_unused_ignore import unused_ignore
from dataguard.rules.preprocessing.across import AcrossDeclared, AcrossPaths
from dataguard.splits.code.files import CodeFiles

if TYPE_CHECKING:
    from dataguard.preprocessing.audit.asking import Asked

READ_ONLY: tuple[type, ...] = (
    RepositoryReading,
    ComparedPaths,
    CodeFiles,
    DeclaredEnvironment,
    ProjectImports,
    WeightScans,
)
"""Inputs that are made by reading alone."""
AUDITED = ("DG310", "DG4", "DG5", "DG901")
"""How the codes of the rules begin that may be an audit's; no others are imported, which would take a tenth of it."""
_SHOWN_SKIPPED = 3


def audit_rules() -> list[Rule[Any]]:
    """The rules of an audit: those that need nothing but what can be read; those about two paths over all of them."""
    found: list[Rule[Any]] = []
    for rule in rules_of(*AUDITED):
        kinds = [item.type for item in rule.inputs if item.required]
        if kinds == [PipelinePair]:
            found.append(AcrossPaths(rule))
        elif kinds == [DeclaredPair]:
            found.append(AcrossDeclared(rule))
        elif (kinds and all(kind in READ_ONLY for kind in kinds)) or rule == unused_ignore:
            found.append(rule)
    return found


def audit(
    path: str | Path,
    *,
    rev: str | None = None,
    probe: bool = False,
    sandbox: str | None = None,
    timeout: float | None = None,
    select: Iterable[str] = (),
    ignore: Mapping[str, str] | None = None,
    config: Config | None = None,
    pictures: bool = True,
    progress: Progress = silent,
) -> Report:
    """Read a repository and say what its training, evaluation and serving do to a picture, and where they disagree.

    Nothing of it is imported or run, unless `probe` says so.

    Args:
        path: A folder, a wheel or a zip.
        rev: A revision of the folder's git repository; by default the files as they lie there.
        probe: Whether to ask the functions of paths of which something cannot be read: this runs the repository's code.
        sandbox: A Docker image to ask them in, without network; by default a process of their own.
        timeout: Seconds that one call of theirs may take.
        select: Codes, prefixes or names of rules to run.
        ignore: Rules not to run, with the reason for each.
        config: Options of rules, over the defaults; its paths are not looked at.
        pictures: Whether to show, for the first pairs of paths that differ, what each makes of a picture. A report for
            a terminal does not show it.
        progress: Called with how far it is.

    Returns:
        The report: the table of paths is its first exhibit, every path one of its documents, and what reading cannot
        tell is in ``undetermined``.

    Raises:
        SourceError: there is nothing to read at the path.
        ConfigurationError: no rule of an audit is meant by a selector.
    """
    clock = time.perf_counter()
    rules = audit_rules()
    for selector in (*select, *(ignore or {})):
        check_selector(selector, rules, where="select or ignore")
    files = PythonFiles()
    with opened(path, rev=rev) as snapshot, uncollected():
        progress("reading the repository", 0, 3)
        reading = read_repository(snapshot.folder, progress=progress, committed=snapshot.date, files=files)
        asked: Asked | None = None
        if probe:
            from dataguard.preprocessing.audit.asking import ask_paths

            reading, asked = ask_paths(
                reading, folder=snapshot.folder, image=sandbox, timeout=timeout, progress=progress
            )
        declared = declared_paths(snapshot.folder, reading)
        reading = dataclasses.replace(reading, paths=(*reading.paths, *declared.paths))
        compared = compare_paths(reading, progress=progress)
        given = config or Config()
        settings = dataclasses.replace(
            given,
            base=snapshot.folder,
            code=CodeConfig(paths=(".",)),
            # Nothing that is installed here is the repository's.
            environment=EnvironmentConfig(path=".", installed="."),
            select=tuple(select) or given.select,
            left_out=dict(ignore or {}),
            baseline=None if given.baseline is None else str((given.base / given.baseline).absolute()),
        )
        report = run(settings, rules, use_cache=False, given=(reading, compared, declared, files), progress=progress)
        lines = Lines(snapshot.folder)
        report = looked_up(report, lines, tuple(comments(snapshot.folder, lines)), settings)
        overview = (*_overview(reading, compared, pictures=pictures), *report.overview)
    revision = {"commit": f"{snapshot.revision[:12]}, {snapshot.date or 'of no date'}"} if snapshot.revision else {}
    return dataclasses.replace(
        report,
        subject=dataclasses.replace(
            report.subject,
            path=encode_path(str(snapshot.shown)),
            root=encode_path(str(snapshot.shown)),
            source="source code, read and not run" if asked is None else "source code, and functions that were asked",
            facts={**revision, **report.subject.facts},
        ),
        configuration={**report.configuration, "audit": {"rev": rev, "probe": probe, "sandbox": sandbox}},
        overview=overview,
        documents=documents(reading),
        undetermined=undetermined(reading),
        notes=(*_notes(snapshot, reading, compared), *(() if asked is None else asked.notes), *report.notes),
        seconds=round(time.perf_counter() - clock, 3),
    )


def _overview(reading: RepositoryReading, compared: ComparedPaths, *, pictures: bool) -> Iterator[Exhibit]:
    table = path_table(reading, compared)
    if table is not None:
        yield table
    if pictures:
        from dataguard.preprocessing.audit.views import side_by_side

        yield from side_by_side(compared)


def _notes(snapshot: Snapshot, reading: RepositoryReading, compared: ComparedPaths) -> Iterator[str]:
    yield from snapshot.notes
    yield from compared.notes
    if not reading.paths:
        yield "no path from a picture to a model was found in it"
    if compared.left_out:
        yield f"{compared.left_out:,} more pairs of paths were not compared: there are too many"
    if reading.skipped:
        shown = "; ".join(f"{name}: {reason}" for name, reason in reading.skipped[:_SHOWN_SKIPPED])
        more = len(reading.skipped) - _SHOWN_SKIPPED
        yield f"not read: {shown}" + (f"; and {more:,} more files" if more > 0 else "")

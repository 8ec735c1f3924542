"""Joining the reports of jobs that share the work: by rules, by parts of the data, or by what they look at.

The order in which reports are joined, and how they are grouped, changes nothing of the result: it is a union.
"""

from __future__ import annotations

import dataclasses
import json
import os.path
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from dataguard.core.errors import DataguardError
from dataguard.core.report import Report, RuleRun, Status, Subject

T = TypeVar("T")
KIND = "jobs"
"""The kind of a subject that joins several."""
MERGED = "merged"
"""The fact that lists them, and the key of the configurations of the jobs."""
_CONFLICT = "conflict: "
_BETWEEN = " | "
_WEIGHT = {Status.NOT_RUN: 0, Status.SKIPPED: 1, Status.IGNORED: 2}
"""What gives way to what, of one rule and subject; everything else is 3: the rule ran."""
_PATHS = frozenset({"Location", "Picture", "Excerpt", "Edit", "Undetermined"})
"""Records whose ``path`` is relative to the report's root."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """One rule that said different things of one subject in different jobs."""

    code: str
    name: str
    subject: str
    """What it looked at."""
    runs: tuple[RuleRun, ...]
    """What was said; all of them are in the joined report."""

    def __str__(self) -> str:
        said = " and ".join(
            f"{run.status.value} with {len(run.findings)} {'finding' if len(run.findings) == 1 else 'findings'}"
            if run.findings
            else run.status.value
            for run in self.runs
        )
        return f"{self.code} {self.name} was run more than once on {self.subject}, and not alike: {said}"


def merged(reports: Iterable[Report]) -> Report:
    """One report of several.

    Of one rule and subject, what ran takes the place of what was skipped, ignored or not reached in another job; equal
    runs are one; what differs stays, all of it, and is a conflict. Paths become relative to the folder that all
    subjects have in common. The time is that of the longest job, and the moment that of the first.

    Raises:
        DataguardError: there is no report.
    """
    reports = list(reports)
    if not reports:
        raise DataguardError("there is no report to merge", hint="name at least one JSON report")
    root = _common_root(report.subject.root for report in reports)
    moved = [_moved(report, root) for report in reports]
    result = Report(
        subject=_subject(moved, root),
        runs=_runs(moved),
        tool_version=_joined(report.tool_version for report in moved),
        started_at=min(report.started_at for report in moved),
        seconds=max(report.seconds for report in moved),
        configuration={MERGED: _union(_configurations(report) for report in moved)},
        environment={
            key: _joined(report.environment[key] for report in moved if key in report.environment)
            for key in sorted({key for report in moved for key in report.environment})
        },
        overview=_union(report.overview for report in moved),
        documents=_union(report.documents for report in moved),
        undetermined=_union(report.undetermined for report in moved),
        partial=any(report.partial for report in moved),
        ended_by=_joined(report.ended_by for report in moved if report.ended_by),
    )
    notes = {note for report in moved for note in report.notes if not note.startswith(_CONFLICT)}
    notes |= {f"{_CONFLICT}{conflict}" for conflict in conflicts(result)}
    return dataclasses.replace(result, notes=tuple(sorted(notes)))


def conflicts(report: Report) -> tuple[Conflict, ...]:
    """The rules of a joined report that said different things of one subject."""
    groups: dict[tuple[str, str], list[RuleRun]] = {}
    for run in report.runs:
        groups.setdefault((run.code, run.subject), []).append(run)
    return tuple(
        Conflict(code=code, name=runs[0].name, subject=subject or report.subject.path, runs=tuple(runs))
        for (code, subject), runs in groups.items()
        if len(runs) > 1
    )


def _runs(reports: Iterable[Report]) -> tuple[RuleRun, ...]:
    best: dict[tuple[str, str], dict[str, RuleRun]] = {}
    for report in reports:
        for run in report.runs:
            named = dataclasses.replace(run, subject=run.subject or report.subject.path)
            _add(best.setdefault((named.code, named.subject), {}), named)
    ordered = sorted(best.items(), key=lambda item: item[0])
    return tuple(runs[key] for _, runs in ordered for key in sorted(runs))


def _add(runs: dict[str, RuleRun], run: RuleRun) -> None:
    """Add a run to those of its rule and subject, of which only the weightiest stay."""
    weight = _WEIGHT.get(run.status, 3)
    there = max((_WEIGHT.get(other.status, 3) for other in runs.values()), default=weight)
    if weight < there:
        return
    if weight > there:
        runs.clear()
    key = _text(dataclasses.replace(run, seconds=0.0))
    before = runs.get(key)
    runs[key] = run if before is None else dataclasses.replace(run, seconds=max(run.seconds, before.seconds))


def _subject(reports: list[Report], root: str) -> Subject:
    """The one subject that all have, or one that lists them."""
    parts: dict[str, Any] = {}
    for report in reports:
        subject = report.subject
        if subject.kind == KIND and MERGED in subject.facts:
            parts |= {_text(item): item for item in subject.facts[MERGED]}
        else:
            plain = {
                field.name: getattr(subject, field.name)
                for field in dataclasses.fields(subject)
                if field.name not in ("root", "facts")
            }
            parts[_text(plain)] = plain
    chosen = tuple(parts[key] for key in sorted(parts))
    if len(chosen) == 1:
        facts = min((report.subject.facts for report in reports), key=_text)
        return Subject(**chosen[0], root=root, facts=facts)
    paths = sorted({str(item["path"]) for item in chosen})
    return Subject(
        kind=KIND, path=_BETWEEN.join(paths), root=root, source="several reports, joined", facts={MERGED: chosen}
    )


def _configurations(report: Report) -> tuple[Any, ...]:
    held = report.configuration.get(MERGED)
    return tuple(held) if held is not None else (dict(report.configuration),)


def _common_root(roots: Iterable[str]) -> str:
    found = sorted(set(roots))
    if len(found) == 1:
        return found[0]
    try:
        return os.path.commonpath(found)
    except ValueError as error:
        raise DataguardError(
            f"the reports are of folders that have nothing in common: {', '.join(found)}",
            hint="merge reports of jobs on one machine, or of one checkout",
        ) from error


def _moved(report: Report, root: str) -> Report:
    """The report with its paths relative to a folder above its own."""
    if report.subject.root == root:
        return report
    prefix = os.path.relpath(report.subject.root, root)
    changed = _prefixed(report, prefix)
    return dataclasses.replace(changed, subject=report.subject)


def _prefixed(value: T, prefix: str) -> T:
    if isinstance(value, tuple):
        return type(value)(_prefixed(item, prefix) for item in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        held = getattr(value, field.name)
        if field.name == "path" and type(value).__name__ in _PATHS:
            if isinstance(held, str) and held and not held.startswith("/"):
                changes["path"] = f"{prefix}/{held}"
        elif isinstance(held, tuple) or dataclasses.is_dataclass(held):
            changed = _prefixed(held, prefix)
            if changed != held:
                changes[field.name] = changed
    return dataclasses.replace(value, **changes) if changes else value


def _union(parts: Iterable[Iterable[T]]) -> tuple[T, ...]:
    found = {_text(item): item for part in parts for item in part}
    return tuple(found[key] for key in sorted(found))


def _joined(texts: Iterable[str]) -> str:
    return _BETWEEN.join(sorted({part for text in texts for part in text.split(_BETWEEN)}))


def _text(value: Any) -> str:
    """A text that two values share where they are equal in a report."""
    return json.dumps(value, default=_plain, sort_keys=True)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            "": type(value).__name__,
            **{field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.compare},
        }
    if isinstance(value, Mapping):
        return dict(value)
    return getattr(value, "value", None) or str(value)

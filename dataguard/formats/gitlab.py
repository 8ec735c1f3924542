"""The report as GitLab Code Quality, which merge requests show at the lines that they change.

The form is that of GitLab's documentation, *Code Quality report format*: a list of objects with ``description``,
``check_name``, ``fingerprint``, ``severity``, ``location.path`` and ``location.lines.begin``.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterator
from typing import Any

from dataguard.core.finding import Finding, Severity
from dataguard.core.report import Report, Status
from dataguard.core.text import printable
from dataguard.formats import wording
from dataguard.formats.files import anchor, shown_places

SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.INFO: "info"}
"""GitLab knows 'info', 'minor', 'major', 'critical' and 'blocker'."""
MOST_PLACES = 1000
"""Lines of code of one finding that have an entry each."""


def dump(report: Report, *, repository: str | None = None) -> str:
    """The report as the text of a Code Quality report; the same report gives the same text.

    A finding at lines of code has an entry a line; any other has one, at its first file. One that is in no file of the
    repository is shown at what was checked, or at the configuration. Findings that a baseline has are left out: GitLab
    would show them as new.

    Args:
        report: What to write.
        repository: The repository's folder, absolute; by default the report's root.
    """
    base = repository or report.subject.root
    seen: set[str] = set()
    entries = []
    for entry in _entries(report, base):
        # GitLab drops an entry whose fingerprint was there already.
        number, own = 1, entry["fingerprint"]
        while entry["fingerprint"] in seen:
            number += 1
            entry["fingerprint"] = hashlib.sha256(f"{own} {number}".encode()).hexdigest()[:16]
        seen.add(entry["fingerprint"])
        entries.append(entry)
    return json.dumps(entries, indent=1) + "\n"


def _entries(report: Report, base: str) -> Iterator[dict[str, Any]]:
    told = {finding.code for finding in report.findings}
    for run in report.runs:
        if run.status is Status.CRASHED and "DG902" not in told:
            yield _entry(
                f"{run.code} {run.name} could not run: {wording.prose(run.reason)}",
                f"{run.code} {run.name}",
                hashlib.sha256(f"crashed {run.code}".encode("utf-8", "surrogatepass")).hexdigest()[:16],
                "blocker",
                _whole(report, base),
                1,
            )
    for finding in report.findings:
        yield from _finding(finding, report, base)


def _finding(finding: Finding, report: Report, base: str) -> Iterator[dict[str, Any]]:
    places = list(shown_places(finding, report, base))
    at_lines = [item for item in places if item[1] is not None][:MOST_PLACES]
    check, severity = f"{finding.code} {finding.name}", SEVERITIES[finding.severity]
    if not at_lines:
        path = places[0][0] if places else _whole(report, base)
        yield _entry(_description(finding), check, finding.fingerprint, severity, path, 1)
        return
    for number, (path, line, place) in enumerate(at_lines):
        fingerprint = finding.location_fingerprint(place) if number else finding.fingerprint
        note = f" ({place.note})" if place.note else ""
        yield _entry(f"{_description(finding)}{note}", check, fingerprint, severity, path, line or 1)


def _description(finding: Finding) -> str:
    return wording.prose(finding.message)


def _whole(report: Report, base: str) -> str:
    """What a finding about all of it is shown at; GitLab wants some path, whether or not it is there."""
    return anchor(report, base) or posixpath.basename(report.subject.path.rstrip("/")) or "dataguard.toml"


def _entry(text: str, check: str, fingerprint: str, severity: str, path: str, line: int) -> dict[str, Any]:
    return {
        "description": printable(text),
        "check_name": printable(check),
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": printable(path), "lines": {"begin": line}},
    }

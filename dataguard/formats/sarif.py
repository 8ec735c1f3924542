"""The report as SARIF 2.1.0, which code hosts and editors show beside the lines that it is about.

A result is a finding. Its first place is the result's location, and the others are related to it: SARIF's own list of
locations is for defects that are mended at all of them at once. The OASIS standard, *Static Analysis Results
Interchange Format (SARIF) Version 2.1.0*, is the source of every property.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from dataguard.core.exhibit import Excerpt
from dataguard.core.finding import Finding, Location, Severity
from dataguard.core.paths import decode_path, encode_path
from dataguard.core.report import Report, RuleRun, Status
from dataguard.core.text import printable
from dataguard.formats import wording
from dataguard.formats.files import anchor

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_PLACES = 1000
"""Places of one result; GitHub code scanning takes no more."""
MOST_RESULTS = 25_000
"""Likewise of a run; the worst come first."""
MOST_TEXT = 1024
"""Characters of a rule's description that it shows."""

_ROOT = "%SRCROOT%"
_FINGERPRINT = "dataguardFingerprint/v1"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_PROBLEMS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}
"""How GitHub orders results."""
_NOTICES = {Status.CRASHED: "error", Status.NOT_RUN: "error", Status.INCONCLUSIVE: "warning", Status.SKIPPED: "note"}


def dump(
    report: Report,
    *,
    pages: Mapping[str, str] | None = None,
    fail_on: Severity = Severity.ERROR,
    strict: bool = False,
) -> str:
    """The report as the text of a SARIF log with one run.

    Every file is named relative to ``%SRCROOT%``, the report's ``subject.root``. The same report gives the same text.

    Args:
        report: What to write.
        pages: The rules' pages in Markdown by code, which become their help.
        fail_on: The least severity that fails the run, for the exit code.
        strict: Whether a rule without a conclusion fails it.
    """
    # A report that joins several may have a rule twice.
    rules = {run.code: run for run in reversed(report.runs)}
    rules = {code: rules[code] for code in sorted(rules)}
    runs = {code: index for index, code in enumerate(rules)}
    findings = [(finding, True) for finding in report.findings] + [(finding, False) for finding in report.known]
    driver = {
        "name": "dataguard",
        "version": report.tool_version,
        "rules": [_rule(run, (pages or {}).get(run.code, "")) for run in rules.values()],
    }
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "originalUriBaseIds": {
                    _ROOT: {"uri": _folder(report.subject.root), "description": {"text": "What was checked."}}
                },
                "invocations": [_invocation(report, fail_on, strict)],
                "results": [
                    _result(finding, runs[finding.code], report, new=new) for finding, new in findings[:MOST_RESULTS]
                ],
                "columnKind": "unicodeCodePoints",
                "properties": {"subject": _text(report.subject.path), "notes": [_text(note) for note in report.notes]},
            }
        ],
    }
    return json.dumps(log, indent=2, allow_nan=False) + "\n"


def _rule(run: RuleRun, page: str) -> dict[str, Any]:
    help_ = {"text": _plain(page) or run.summary or run.name, **({"markdown": page} if page else {})}
    return {
        "id": run.code,
        "name": "".join(word.capitalize() for word in run.name.split("-")),
        "shortDescription": {"text": run.summary[:MOST_TEXT] or run.name},
        "fullDescription": {"text": run.summary[:MOST_TEXT] or run.name},
        "help": help_,
        "defaultConfiguration": {"level": _LEVELS[run.severity]},
        "properties": {"tags": [run.name], "problem.severity": _PROBLEMS[run.severity]},
    }


def _plain(page: str) -> str:
    """A page without its marks of headings, for readers that show no Markdown."""
    return "\n".join(line.lstrip("#").strip() if line.startswith("#") else line for line in page.splitlines())


def _invocation(report: Report, fail_on: Severity, strict: bool) -> dict[str, Any]:
    code, reason = wording.exit_reason(report, fail_on=fail_on, strict=strict)
    notices = [
        {
            "level": _NOTICES[run.status],
            "message": {"text": _text(f"{run.code} {run.name}: {word}: {said}")},
            "associatedRule": {"id": run.code},
        }
        for word, run, said in wording.unsettled_runs(report)
        if run.status in _NOTICES
    ]
    return {
        "executionSuccessful": not report.partial and not report.count(Status.CRASHED),
        "exitCode": int(code),
        "exitCodeDescription": _text(reason),
        **({"startTimeUtc": start} if (start := _moment(report.started_at)) else {}),
        "toolExecutionNotifications": notices,
    }


def _moment(timestamp: str) -> str:
    """A time as SARIF writes it: in UTC, ended by a Z; '' where it is none."""
    import datetime as dt

    try:
        moment = dt.datetime.fromisoformat(timestamp).astimezone(dt.UTC)
    except ValueError:
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _result(finding: Finding, index: int, report: Report, *, new: bool) -> dict[str, Any]:
    excerpts = [shown for shown in finding.exhibits if isinstance(shown, Excerpt)]
    places = [_location(place, excerpts, number) for number, place in enumerate(finding.locations[:MOST_PLACES])]
    kept = _shown([place for place in places if place is not None], report)
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": _text(finding.message + (f" {finding.remedy}" if finding.remedy else ""))},
        "locations": [{key: value for key, value in place.items() if key != "id"} for place in kept[:1]],
        # GitHub tells results apart by the second alone; where it is missing, it makes one of the file's line.
        "partialFingerprints": {
            _FINGERPRINT: finding.fingerprint,
            "primaryLocationLineHash": f"{finding.fingerprint}:1",
        },
        "properties": {
            "confidence": finding.confidence.value,
            "places": len(finding.locations),
            "measurements": {item.name: wording.number(item.value, item.unit) for item in finding.measurements},
        },
    }
    if kept[1:]:
        result["relatedLocations"] = kept[1:]
    if not new:
        result["baselineState"] = "unchanged"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": "in the baseline"}]
    return result


def _shown(places: list[dict[str, Any]], report: Report) -> list[dict[str, Any]]:
    """The places with one first that code hosts can show: in a file, at a line.

    GitHub shows no result without one. Where there is no line, the first stands for the file; where there is no file,
    what was checked, or else the configuration, stands for the whole.
    """
    first = next((place for place in places if "physicalLocation" in place), None)
    if first is not None:
        others = [place for place in places if place is not first]
    else:
        subject = _subject_place(report)
        if subject is None:
            return places
        # The class or the split that it is about stays with it.
        first, others = {**places[0], **subject} if places else subject, places[1:]
    physical = {"region": {"startLine": 1}, **first["physicalLocation"]}
    return [{**first, "physicalLocation": physical}, *others]


def _location(place: Location, excerpts: Iterable[Excerpt], number: int) -> dict[str, Any] | None:
    """A place as SARIF has it; None where it is no place in a file."""
    path = place.path or (place.sample_id if place.sample_id and "." in PurePosixPath(place.sample_id).name else None)
    said = _text(place.note or wording.place(place))
    if path is None:
        if not place.sample_id and not place.split and not place.label:
            return None
        named = place.sample_id or place.label or place.split or ""
        return {"id": number, "logicalLocations": [{"name": _text(named)}], "message": {"text": said}}
    physical: dict[str, Any] = {"artifactLocation": _artifact(path)}
    if place.line is not None and place.line >= 1:
        region: dict[str, Any] = {"startLine": place.line}
        for shown in excerpts:
            at = place.line - shown.start
            if shown.path == path and 0 <= at < len(shown.lines):
                region["snippet"] = {"text": _text(shown.lines[at])}
                physical["contextRegion"] = {
                    "startLine": shown.start,
                    "endLine": shown.start + len(shown.lines) - 1,
                    "snippet": {"text": printable("\n".join(shown.lines), keep="\n\t")},
                }
                break
        physical["region"] = region
    return {"id": number, "physicalLocation": physical, "message": {"text": said}}


def _artifact(path: str) -> dict[str, Any]:
    """A file by its address: relative to the root, or whole where it lies elsewhere."""
    if path.startswith("/"):
        return {"uri": f"file://{_quoted(path)}"}
    return {"uri": _quoted(path.removeprefix("./")), "uriBaseId": _ROOT}


def _subject_place(report: Report) -> dict[str, Any] | None:
    """What was checked, or the configuration, for a finding about all of it, where that is a file below the root."""
    found = anchor(report, decode_path(report.subject.root))
    return None if found is None else {"physicalLocation": {"artifactLocation": _artifact(encode_path(found))}}


def _folder(root: str) -> str:
    path = _quoted(root).rstrip("/")
    return f"file://{'' if path.startswith('/') else '/'}{path}/"


def _quoted(path: str) -> str:
    path = decode_path(path)
    # A colon in the first part of a relative address would make it a scheme; a name that is not UTF-8 keeps its bytes.
    return quote(path.encode("utf-8", "surrogatepass" if _lone(path) else "surrogateescape"), safe="/~!$&'()*+,;=@")


def _lone(path: str) -> bool:
    """Whether a name has surrogates that stand for no byte."""
    return any("\ud800" <= character <= "\udfff" and not "\udc80" <= character <= "\udcff" for character in path)


def _text(text: str) -> str:
    return printable(text, keep="\n\t")

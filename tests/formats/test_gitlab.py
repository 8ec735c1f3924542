"""GitLab Code Quality: the keys, words and paths that GitLab reads."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

from dataguard.core.finding import Confidence, Finding, Location, Severity
from dataguard.core.report import Report, RuleRun, Status
from dataguard.formats import gitlab


def entries(report: Report, repository: str | None = None) -> list[dict[str, Any]]:
    """The entries, after everything was checked that GitLab's documentation demands."""
    text = gitlab.dump(report, repository=repository)
    # GitLab's reader knows no byte order mark.
    assert text.startswith("[")
    found: list[dict[str, Any]] = json.loads(text)
    for entry in found:
        assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["description"]
        assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert set(entry["location"]) == {"path", "lines"}
        assert not entry["location"]["path"].startswith(("./", "/"))
        assert entry["location"]["path"]
        assert entry["location"]["lines"]["begin"] >= 1
    prints = [entry["fingerprint"] for entry in found]
    assert len(set(prints)) == len(prints)
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in prints)
    return found


def a_report(make: Callable[..., Report], *findings: Finding, **changes: Any) -> Report:
    run = RuleRun(code="DG402", name="x", summary="s", severity=Severity.ERROR, status=Status.FOUND, findings=findings)
    return make(root="/repo/data", runs=(run,), **changes)


def finding(*places: Location, severity: Severity = Severity.ERROR, **changes: Any) -> Finding:
    return Finding(
        code="DG402",
        name="channel-order-mismatch",
        severity=severity,
        confidence=Confidence.HIGH,
        message="RGB here, BGR there.",
        remedy="Exchange them.",
        locations=places,
        **changes,
    )


def test_every_line_of_code_has_an_entry(make_report: Callable[..., Report]) -> None:
    made = finding(Location(path="a.py", line=3, note="RGB"), Location(path="./b.py", line=9), Location(label="cat"))
    first, second = entries(a_report(make_report, made), "/repo")
    assert first["location"] == {"path": "data/a.py", "lines": {"begin": 3}}
    assert second["location"] == {"path": "data/b.py", "lines": {"begin": 9}}
    assert first["description"] == "RGB here, BGR there. (RGB)"
    assert first["check_name"] == "DG402 channel-order-mismatch"
    assert first["fingerprint"] == made.fingerprint
    assert first["severity"] == "critical"


def test_two_lines_of_one_file_are_told_apart_whatever_their_order(make_report: Callable[..., Report]) -> None:
    places = [Location(path="a.py", line=line) for line in (3, 9, 12)]
    found = entries(a_report(make_report, finding(*places)))
    assert [entry["location"]["lines"]["begin"] for entry in found] == [3, 9, 12]


def test_samples_make_one_entry(report: Report) -> None:
    noise, imbalance, crashed = sorted(entries(report), key=lambda entry: entry["check_name"])
    assert noise["location"] == {"path": "train/0/00.png", "lines": {"begin": 1}}
    # A finding that is in no file is shown somewhere all the same.
    assert imbalance["location"]["path"] == "dataguard.toml"
    assert imbalance["severity"] == "minor"
    assert crashed["severity"] == "blocker"


def test_severities_and_what_a_baseline_has(make_report: Callable[..., Report]) -> None:
    made = a_report(make_report, *(finding(severity=severity, key=(severity.word,)) for severity in Severity))
    assert [entry["severity"] for entry in entries(made)] == ["critical", "minor", "info"]
    run = dataclasses.replace(made.runs[0], status=Status.KNOWN, findings=(), known=made.runs[0].findings)
    assert entries(dataclasses.replace(made, runs=(run,))) == []


def test_anything_may_be_in_a_text(hostile: Report) -> None:
    assert all("\x1b" not in entry["description"] for entry in entries(hostile))

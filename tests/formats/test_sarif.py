"""The report as SARIF 2.1.0: what the standard requires, and what code hosts need."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from dataguard.core.exhibit import Excerpt
from dataguard.core.finding import Confidence, Finding, Location, Severity
from dataguard.core.report import Report, RuleRun, Status, Subject
from dataguard.formats import sarif

PAGE = "Channels differ.\n\n## What it does\n\nCompares.\n"


def report(*findings: Finding, root: str = "/data/a repository", **changes: Any) -> Report:
    run = RuleRun(
        code="DG402",
        name="channel-order-mismatch",
        summary="Channels differ.",
        severity=Severity.ERROR,
        status=Status.FOUND if findings else Status.PASSED,
        findings=findings,
    )
    skipped = RuleRun(
        code="DG403", name="kernel", summary="K.", severity=Severity.WARNING, status=Status.SKIPPED, reason="no paths"
    )
    values: dict[str, Any] = {
        "subject": Subject(kind="repository", path=root, root=root, source="source code"),
        "runs": (run, skipped),
        "tool_version": "0.1.0",
        "started_at": "2026-11-21T08:00:13+01:00",
        "seconds": 1.0,
        "configuration": {},
        "environment": {},
        **changes,
    }
    return Report(**values)


def finding(*places: Location, **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "code": "DG402",
        "name": "channel-order-mismatch",
        "severity": Severity.ERROR,
        "confidence": Confidence.HIGH,
        "message": "RGB here, BGR there.",
        "remedy": "Exchange them.",
        "locations": places,
        "key": ("order",),
        **changes,
    }
    return Finding(**values)


def run_of(made: Report, **options: Any) -> dict[str, Any]:
    log = json.loads(sarif.dump(made, **options))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    return dict(run)


def test_a_log_has_what_the_standard_requires() -> None:
    run = run_of(report(finding(Location(path="serve.py", line=3))), pages={"DG402": PAGE})
    driver = run["tool"]["driver"]
    assert driver["name"] == "dataguard"
    assert driver["version"] == "0.1.0"
    for rule in driver["rules"]:
        assert rule["id"]
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
    assert driver["rules"][0]["help"] == {"text": "Channels differ.\n\nWhat it does\n\nCompares.", "markdown": PAGE}
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is True
    assert invocation["startTimeUtc"] == "2026-11-21T07:00:13Z"
    for result in run["results"]:
        assert result["message"]["text"]
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_result_has_level_place_and_fingerprint() -> None:
    made = finding(Location(path="app/serve.py", line=3, note="BGR"), Location(path="train.py", line=8, note="RGB"))
    (result,) = run_of(report(made))["results"]
    assert (result["ruleId"], result["level"]) == ("DG402", "error")
    assert result["message"]["text"] == "RGB here, BGR there. Exchange them."
    (place,) = result["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "app/serve.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3},
    }
    (related,) = result["relatedLocations"]
    assert related["message"]["text"] == "RGB"
    assert related["physicalLocation"]["region"]["startLine"] == 8
    # GitHub reads the second alone.
    assert result["partialFingerprints"] == {
        "dataguardFingerprint/v1": made.fingerprint,
        "primaryLocationLineHash": f"{made.fingerprint}:1",
    }


def test_severities_become_levels() -> None:
    made = [finding(severity=severity, key=(severity.word,)) for severity in Severity]
    assert [result["level"] for result in run_of(report(*made))["results"]] == ["error", "warning", "note"]


def test_addresses_are_relative_and_quoted() -> None:
    paths = ["a b/ü#1.py", "100%.py", "a:b.py", "back\\x5cslash.py", "caf\\xe9.py", "/elsewhere/x.py"]
    made = finding(*(Location(path=path, line=1) for path in paths))
    run = run_of(report(made))
    (result,) = run["results"]
    places = [
        place["physicalLocation"]["artifactLocation"] for place in (*result["locations"], *result["relatedLocations"])
    ]
    assert [place["uri"] for place in places] == [
        "a%20b/%C3%BC%231.py",
        "100%25.py",
        "a%3Ab.py",
        "back%5Cslash.py",
        "caf%E9.py",
        "file:///elsewhere/x.py",
    ]
    assert [place.get("uriBaseId") for place in places] == ["%SRCROOT%"] * 5 + [None]
    assert run["originalUriBaseIds"]["%SRCROOT%"]["uri"] == "file:///data/a%20repository/"


def test_the_lines_of_an_excerpt_are_the_snippet() -> None:
    shown = Excerpt(title="serve.py:3", path="serve.py", start=2, lines=("a", "b", "c"), marked=(3,))
    made = finding(Location(path="serve.py", line=3), exhibits=(shown,))
    (result,) = run_of(report(made))["results"]
    physical = result["locations"][0]["physicalLocation"]
    assert physical["region"]["snippet"] == {"text": "b"}
    assert physical["contextRegion"] == {"startLine": 2, "endLine": 4, "snippet": {"text": "a\nb\nc"}}


def test_places_that_are_no_files_are_logical_and_a_finding_without_a_place_is_about_the_file() -> None:
    (result,) = run_of(report(finding(Location(split="train", label="cat"))))["results"]
    assert result["locations"][0]["logicalLocations"] == [{"name": "cat"}]
    table = Subject(kind="dataset", path="/data/data.csv", root="/data", source="table")
    (result,) = run_of(report(finding(), subject=table))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "data.csv"
    (result,) = run_of(report(finding()))["results"]
    assert result["locations"] == []


def test_what_was_not_decided_is_a_notification_and_a_crash_a_failure() -> None:
    (invocation,) = run_of(report())["invocations"]
    (notice,) = invocation["toolExecutionNotifications"]
    assert (notice["level"], notice["associatedRule"]) == ("note", {"id": "DG403"})
    assert "no paths" in notice["message"]["text"]
    crashed = report()
    crashed = dataclasses.replace(
        crashed, runs=(dataclasses.replace(crashed.runs[1], status=Status.CRASHED, reason="it broke"),)
    )
    (invocation,) = run_of(crashed)["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 2)


def test_the_same_report_gives_the_same_ascii_text() -> None:
    made = report(finding(Location(path="é.py", line=1), message="\x1b[31mred ü\udcff"))
    text = sarif.dump(made)
    assert text == sarif.dump(made)
    assert text.isascii()
    assert "\\u001b" not in text


def test_a_line_that_is_none_and_very_many_places_stay_valid() -> None:
    places = [Location(path="a.py", line=line) for line in (0, -1, None)]
    many = [Location(path=f"{n}.py", line=1) for n in range(2000)]
    first, second = run_of(report(finding(*places), finding(*many, key=("many",))))["results"]
    for place in (*first["locations"], *first["relatedLocations"]):
        assert place["physicalLocation"].get("region", {}).get("startLine", 1) == 1
    assert len(second["relatedLocations"]) == sarif.MOST_PLACES - 1
    assert second["properties"]["places"] == 2000

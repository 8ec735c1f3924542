"""What GitHub code scanning needs of a SARIF log beyond the standard; its documentation, *SARIF support*."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from dataguard.core.finding import Confidence, Finding, Location, Severity
from dataguard.core.report import Report, Status, Subject
from dataguard.formats import sarif


def finding(*places: Location, **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "code": "DG102",
        "name": "class-imbalance",
        "severity": Severity.ERROR,
        "confidence": Confidence.HIGH,
        "message": "Class 'cat' is rare.",
        "remedy": "Collect more.",
        "locations": places,
        **changes,
    }
    return Finding(**values)


def log_of(report: Report) -> dict[str, Any]:
    (run,) = json.loads(sarif.dump(report, pages={"DG102": "The page."}))["runs"]
    return dict(run)


def only(report: Report, *findings: Finding, **changes: Any) -> Report:
    run = dataclasses.replace(report.runs[1], findings=findings, inconclusive=())
    return dataclasses.replace(report, runs=(run,), **changes)


def test_every_rule_has_what_code_scanning_requires(report: Report, hostile: Report) -> None:
    for made in (report, hostile):
        for rule in log_of(made)["tool"]["driver"]["rules"]:
            assert 0 < len(rule["shortDescription"]["text"]) <= 1024
            assert 0 < len(rule["fullDescription"]["text"]) <= 1024
            assert rule["help"]["text"]
            assert len(rule["name"]) <= 255
            assert len(rule["properties"]["tags"]) <= 10
            assert rule["properties"]["problem.severity"] in ("error", "warning", "recommendation")
            assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")


def test_every_result_begins_at_a_line_of_a_file(make_report: Callable[..., Report]) -> None:
    table = Subject(kind="dataset", path="/data/data.csv", root="/data", source="table")
    folder = Subject(kind="dataset", path="/data", root="/data", source="folder")
    a_class = finding(Location(label="cat", note="too few"), Location(label="dog"))
    mixed = finding(Location(label="cat"), Location(path="b.py", line=4))
    for subject, configuration, made, uri, line in (
        (table, {}, a_class, "data.csv", 1),
        (folder, {"origin": "/data/conf/dataguard.toml"}, a_class, "conf/dataguard.toml", 1),
        (folder, {"origin": "/elsewhere/dataguard.toml"}, mixed, "b.py", 4),
    ):
        report = only(make_report(), made, subject=subject, configuration=configuration)
        (result,) = log_of(report)["results"]
        physical = result["locations"][0]["physicalLocation"]
        assert (physical["artifactLocation"]["uri"], physical["region"]["startLine"]) == (uri, line)
        assert len(result["locations"]) + len(result["relatedLocations"]) == 2
    (class_place, *_) = log_of(only(make_report(), a_class, subject=table))["results"][0]["locations"]
    assert class_place["logicalLocations"] == [{"name": "cat"}]
    assert "too few" in class_place["message"]["text"]


def test_results_are_told_apart_by_the_fingerprint_that_code_scanning_reads(report: Report) -> None:
    results = log_of(report)["results"]
    assert [result["partialFingerprints"]["primaryLocationLineHash"] for result in results] == [
        f"{item.fingerprint}:1" for item in report.findings
    ]


def test_no_more_places_than_code_scanning_takes(make_report: Callable[..., Report]) -> None:
    many = finding(*(Location(path=f"{number}.png") for number in range(1500)))
    (result,) = log_of(only(make_report(), many))["results"]
    assert len(result["locations"]) + len(result["relatedLocations"]) == 1000
    assert result["properties"]["places"] == 1500


def test_what_a_baseline_has_is_suppressed_and_unchanged(make_report: Callable[..., Report]) -> None:
    made = only(make_report(), finding(Location(path="a.png")))
    (run,) = made.runs
    known = dataclasses.replace(run, status=Status.KNOWN, findings=(), known=run.findings)
    (result,) = log_of(dataclasses.replace(made, runs=(known,)))["results"]
    assert result["baselineState"] == "unchanged"
    (suppression,) = result["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    (result,) = log_of(made)["results"]
    assert "suppressions" not in result


def test_a_rule_that_two_jobs_ran_is_described_once(make_report: Callable[..., Report]) -> None:
    made = only(make_report(), finding(Location(path="a.png")))
    run = log_of(dataclasses.replace(made, runs=made.runs * 2))
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["DG102"]
    assert [result["ruleIndex"] for result in run["results"]] == [0, 0]


def test_a_long_description_is_cut(make_report: Callable[..., Report]) -> None:
    made = only(make_report())
    long = dataclasses.replace(made.runs[0], summary="Long. " * 1000)
    (rule,) = log_of(dataclasses.replace(made, runs=(long,)))["tool"]["driver"]["rules"]
    assert len(rule["shortDescription"]["text"]) == 1024

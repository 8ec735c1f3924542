"""JUnit XML: what both schemas demand, and that nothing which did not pass looks as if it had."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest

from dataguard.core.finding import Confidence, Finding, Severity
from dataguard.core.report import Report, RuleRun, Status
from dataguard.formats import junit

# What the schemas demand, read off Apache Ant's (JUnit.xsd) and Jenkins' (junit-10.xsd).
SUITE_ATTRIBUTES = {
    "name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time",
}  # fmt: skip
CASE_ATTRIBUTES = {"name", "classname", "time"}
RESULTS = {"failure", "error", "skipped"}
JENKINS_TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


def parsed(report: Report, **options: object) -> Element:
    """The suite, after everything was checked that the schemas demand."""
    root = ET.fromstring(junit.render(report, **options).encode())  # type: ignore[arg-type]  # noqa: S314
    assert (root.tag, root.attrib) == ("testsuites", {})
    (suite,) = root
    assert suite.tag == "testsuite"
    assert set(suite.attrib) == SUITE_ATTRIBUTES
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
    assert JENKINS_TIME.fullmatch(suite.attrib["time"])
    tags = [child.tag for child in suite]
    n_cases = tags.count("testcase")
    assert tags == ["properties", *["testcase"] * n_cases, "system-out", "system-err"]
    for item in suite[0]:
        assert (item.tag, set(item.attrib)) == ("property", {"name", "value"})
        assert item.attrib["name"]
    for case in suite.iter("testcase"):
        assert set(case.attrib) == CASE_ATTRIBUTES
        assert case.attrib["name"] == " ".join(case.attrib["name"].split())
        assert float(case.attrib["time"]) >= 0
        assert len(case) <= 1
        for result in case:
            assert result.tag in RESULTS
            assert "message" in result.attrib
            assert ("type" in result.attrib) == (result.tag != "skipped")
            assert len(result) == 0
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[name]) == len(list(suite.iter(tag)))
    assert int(suite.attrib["tests"]) == n_cases
    return suite


def results(suite: Element) -> dict[str, str]:
    return {case.attrib["name"].split()[0]: case[0].tag if len(case) else "" for case in suite.iter("testcase")}


def test_every_outcome_is_what_it_is(report: Report) -> None:
    assert results(parsed(report)) == {
        "DG101": "failure",
        "DG102": "skipped",  # a warning, below --fail-on error
        "DG104": "",
        "DG302": "skipped",
        "DG802": "skipped",
        "DG803": "skipped",
        "DG901": "error",
    }


def test_the_least_severity_that_fails_is_that_of_the_run(report: Report) -> None:
    assert results(parsed(report, fail_on=Severity.WARNING))["DG102"] == "failure"


def test_strict_makes_what_was_not_decided_an_error(report: Report) -> None:
    strict = results(parsed(report, strict=True))
    assert (strict["DG302"], strict["DG802"], strict["DG803"]) == ("error", "error", "skipped")


@pytest.mark.parametrize("status", list(Status))
def test_only_a_pass_is_a_pass(status: Status, make_report: Callable[..., Report]) -> None:
    finding = Finding(
        code="DG101", name="x", severity=Severity.INFO, confidence=Confidence.LOW, message="seen", remedy=""
    )
    run = RuleRun(
        code="DG101",
        name="x",
        summary="s",
        severity=Severity.INFO,
        status=status,
        findings=(finding,) if status is Status.FOUND else (),
        known=(finding,) if status is Status.KNOWN else (),
    )
    assert (results(parsed(make_report(runs=(run,))))["DG101"] == "") is (status is Status.PASSED)


def test_the_text_has_every_finding_its_places_and_what_to_do(report: Report) -> None:
    case = next(case for case in parsed(report).iter("testcase") if case.attrib["name"].startswith("DG101"))
    (failure,) = case
    assert failure.attrib["type"] == "error"
    assert failure.attrib["message"].startswith("An estimated 3.9 % of the labels are wrong")
    lines = (failure.text or "").splitlines()
    assert lines[0].startswith("ERROR DG101 label-noise: An estimated 3.9 %")
    assert sum(line.startswith("  at ") for line in lines) == 30
    assert lines[-1].startswith("  to do: Look at the samples")
    assert case.attrib["classname"] == "dataguard.DG1xx"


def test_a_skip_says_why(report: Report) -> None:
    said = {
        case.attrib["name"].split()[0]: case[0].attrib["message"]
        for case in parsed(report).iter("testcase")
        if len(case)
    }
    assert said["DG802"] == "skipped: no schema is configured"
    assert said["DG803"] == "ignored: 8 x 8 is what the scanner delivers"
    assert said["DG302"] == "inconclusive: hashes collide by chance"
    assert said["DG901"] == "division by zero; hint: report it"
    assert said["DG102"].startswith("warning, below --fail-on error: Class '2'")


def test_a_run_that_broke_off_is_an_error_of_its_own(report: Report) -> None:
    suite = parsed(dataclasses.replace(report, partial=True, ended_by="the loader raised"))
    *_, last = suite.iter("testcase")
    assert last.attrib["name"] == "the run as a whole"
    assert last[0].attrib["message"] == "the loader raised"


def test_anything_may_be_in_a_text(hostile: Report) -> None:
    suite = parsed(hostile)
    assert "<script>" in suite[0][0].attrib["value"]
    assert "\x1b" not in "".join(suite.itertext())


def test_a_time_that_is_none_and_negative_seconds_stay_valid(report: Report) -> None:
    parsed(dataclasses.replace(report, started_at="yesterday", seconds=-1.0))
    assert parsed(report).attrib["timestamp"] == "2026-11-21T08:00:13"


def test_the_same_report_gives_the_same_text(report: Report) -> None:
    assert junit.render(report) == junit.render(report)

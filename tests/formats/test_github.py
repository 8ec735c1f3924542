"""Annotations of GitHub Actions: escaped as its toolkit does, as many as it shows, the worst first."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from dataguard.core.finding import Confidence, Finding, Location, Severity
from dataguard.core.report import Report, RuleRun, Status, Subject
from dataguard.formats import github

COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")


def unescaped(text: str) -> str:
    for escape, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(escape, character)
    return text


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Every annotation as the runner reads it: level, properties, message."""
    found = []
    for line in text.splitlines()[:-1]:
        match = COMMAND.fullmatch(line)
        assert match is not None, line
        properties = dict(item.split("=", 1) for item in match[2].split(","))
        found.append((match[1], {key: unescaped(value) for key, value in properties.items()}, unescaped(match[3])))
    assert not text.splitlines()[-1].startswith("::")
    return found


def a_report(make: Callable[..., Report], *findings: Finding, **changes: Any) -> Report:
    run = RuleRun(code="DG402", name="x", summary="s", severity=Severity.ERROR, status=Status.FOUND, findings=findings)
    return make(root="/repo/data", runs=(run,), **changes)


def finding(severity: Severity = Severity.ERROR, **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "code": "DG402",
        "name": "channel-order-mismatch",
        "severity": severity,
        "confidence": Confidence.HIGH,
        "message": "RGB here, 100 % BGR there: see\nbelow",
        "remedy": "Exchange them.",
        **changes,
    }
    return Finding(**values)


def test_an_annotation_has_level_place_title_and_message(make_report: Callable[..., Report]) -> None:
    places = (Location(path="a,b:c.py", line=3, note="RGB"), Location(path="d.py", line=9))
    text = github.render(a_report(make_report, finding(locations=places)), workspace="/repo")
    assert text.startswith(
        "::error file=data/a%2Cb%3Ac.py,line=3,title=DG402 channel-order-mismatch (high confidence)::"
        "RGB here, 100 %25 BGR there: see%0Abelow%0A- a,b:c.py:3: RGB%0A- d.py:9%0AExchange them.\n"
    )
    ((level, properties, message),) = commands(text)
    assert (level, properties["file"], properties["line"]) == ("error", "data/a,b:c.py", "3")
    assert message.startswith("RGB here, 100 % BGR there: see\nbelow\n")


def test_severities_become_levels_and_the_worst_comes_first(make_report: Callable[..., Report]) -> None:
    made = a_report(make_report, *(finding(severity, key=(severity.word,)) for severity in Severity))
    assert [level for level, _, _ in commands(github.render(made))] == ["error", "warning", "notice"]


def test_no_more_are_written_than_github_shows(make_report: Callable[..., Report]) -> None:
    many = [finding(severity, key=(str(n),)) for severity in (Severity.ERROR, Severity.INFO) for n in range(14)]
    text = github.render(a_report(make_report, *many))
    levels = [level for level, _, _ in commands(text)]
    assert (levels.count("error"), levels.count("notice")) == (10, 10)
    assert "8 more are not annotated" in text.splitlines()[-1]


def test_no_text_from_outside_becomes_a_command(hostile: Report, make_report: Callable[..., Report]) -> None:
    commands(github.render(hostile))
    evil = finding(
        message="\n::set-output name=x::y\r\n::add-mask::z",
        name="x::stop",
        locations=(Location(path="::error::.py", line=1, note="\n::warning::w"),),
        remedy="::debug::",
    )
    text = github.render(a_report(make_report, evil))
    assert len(commands(text)) == 1
    assert len(text.splitlines()) == 2


def test_a_finding_without_a_file_is_at_what_was_checked_or_the_configuration(
    make_report: Callable[..., Report],
) -> None:
    table = Subject(kind="dataset", path="/repo/data/t.csv", root="/repo/data", source="table")
    a_class = finding(locations=(Location(label="cat"),))
    ((_, properties, _),) = commands(github.render(a_report(make_report, a_class, subject=table), workspace="/repo"))
    assert (properties["file"], "line" in properties) == ("data/t.csv", False)
    configured = a_report(make_report, a_class, configuration={"origin": "/repo/dataguard.toml"})
    ((_, properties, _),) = commands(github.render(configured, workspace="/repo"))
    assert properties["file"] == "dataguard.toml"
    ((_, properties, _),) = commands(github.render(configured, workspace="/elsewhere"))
    assert "file" not in properties


def test_what_did_not_end_is_an_error(report: Report) -> None:
    told = commands(github.render(dataclasses.replace(report, partial=True, ended_by="it raised")))
    assert told[0][:2] == ("error", {"title": "dataguard: ended early"})
    assert told[1][2].startswith("DG901 could not run: division by zero")


def test_what_a_baseline_has_is_counted_and_not_annotated(make_report: Callable[..., Report]) -> None:
    made = a_report(make_report, finding())
    known = dataclasses.replace(made.runs[0], status=Status.KNOWN, findings=(), known=made.runs[0].findings)
    text = github.render(dataclasses.replace(made, runs=(known,)))
    assert commands(text) == []
    assert "1 known" in text

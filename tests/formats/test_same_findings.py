"""One report says the same in every format: each is read back and compared, finding by finding."""

from __future__ import annotations

import html as standard_html
import json as standard_json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dataguard.core.finding import Confidence, Finding, Location, Severity
from dataguard.core.report import Report, RuleRun, Status
from dataguard.formats import github, gitlab, html, json, junit, markdown, sarif, terminal, wording

PLACES = (
    Location(path="app/serve.py", line=3, note="BGR, as OpenCV reads it"),
    Location(path="train.py", line=18, note="RGB: 100 % of it | *sure* <b>"),
)


@dataclass(frozen=True, order=True)
class Said:
    """What a format says of one finding."""

    severity: str
    code: str
    name: str
    message: str
    places: tuple[str, ...] = ()


def a_finding(code: str, name: str, severity: Severity, message: str, *places: Location) -> Finding:
    return Finding(
        code=code,
        name=name,
        severity=severity,
        confidence=Confidence.MEDIUM,
        message=message,
        remedy="Mend it, and say so.",
        locations=places,
        key=(message,),
    )


@pytest.fixture
def told(make_report: Callable[..., Report]) -> Report:
    """Findings of every severity, with several places, one, and none, and texts that formats have to escape."""
    findings = (
        a_finding("DG402", "channel-order-mismatch", Severity.ERROR, "RGB here, BGR there; 3 of 4 paths.", *PLACES),
        a_finding("DG402", "channel-order-mismatch", Severity.WARNING, "Grey: 50 % of_it, <i>&amp; `a|b`.", PLACES[1]),
        a_finding(
            "DG101", "label-noise", Severity.INFO, "Some labels * are wrong: #3.", Location(path="a b/ü,1.py", line=2)
        ),
        a_finding("DG501", "unpinned-requirement", Severity.ERROR, "requirements.txt leaves 2 open."),
    )
    runs = tuple(
        RuleRun(
            code=code,
            name=name,
            summary="Something is wrong.",
            severity=Severity.ERROR,
            status=Status.FOUND,
            findings=tuple(finding for finding in findings if finding.code == code),
        )
        for code, name in sorted({(finding.code, finding.name) for finding in findings})
    )
    return make_report(root="/repo", runs=runs, overview=())


def expected(report: Report, *, places: bool = True) -> list[Said]:
    return sorted(
        Said(
            severity=finding.severity.word,
            code=finding.code,
            name=finding.name,
            message=finding.message,
            places=tuple(wording.place(place) for place in finding.locations) if places else (),
        )
        for finding in report.findings
    )


def of_json(report: Report) -> Iterator[Said]:
    for run in standard_json.loads(json.dump(report))["runs"]:
        for item in run["findings"]:
            places = tuple(wording.place(_location(place)) for place in item["locations"])
            yield Said(item["severity"], item["code"], item["name"], item["message"], places)


def _location(plain: dict[str, Any]) -> Location:
    return Location(**{key: value for key, value in plain.items() if key != "fingerprint"})


def of_sarif(report: Report) -> Iterator[Said]:
    (run,) = standard_json.loads(sarif.dump(report))["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        rule = rules[result["ruleIndex"]]
        places = []
        for place in (*result["locations"], *result.get("relatedLocations", ())):
            physical = place["physicalLocation"]
            if "message" in place:
                path = physical["artifactLocation"]["uri"].replace("%20", " ").replace("%C3%BC", "ü")
                note = place["message"]["text"]
                note = note if note != f"{path}:{physical['region']['startLine']}" else ""
                places.append(wording.place(Location(path=path, line=physical["region"]["startLine"], note=note)))
        yield Said(
            {"error": "error", "warning": "warning", "note": "info"}[result["level"]],
            result["ruleId"],
            "-".join(word.lower() for word in re.findall("[A-Z][a-z]*", rule["name"])),
            result["message"]["text"].removesuffix(" Mend it, and say so."),
            tuple(places),
        )


def of_junit(report: Report) -> Iterator[Said]:
    root = ET.fromstring(junit.render(report).encode())  # noqa: S314 - our own
    for case in root.iter("testcase"):
        for result in case:
            head = ("", "", "", "")
            places: list[str] = []
            for line in (result.text or "").splitlines():
                if line.startswith("  at "):
                    places.append(line.removeprefix("  at "))
                elif line.startswith("  to do: "):
                    yield Said(head[0].lower(), head[1], head[2], head[3], tuple(places))
                    places = []
                else:
                    severity, code, rest = line.split(" ", 2)
                    name, message = rest.split(": ", 1)
                    head = (severity, code, name, message)


def of_github(report: Report) -> Iterator[Said]:
    levels = {"error": "error", "warning": "warning", "notice": "info"}
    for line in github.render(report, workspace="/repo").splitlines()[:-1]:
        match = re.fullmatch(r"::(\w+) (?:.*,)?title=(\w+) (\S+) \(.*?\)::(.*)", line)
        assert match is not None
        text = match[4].replace("%0A", "\n").replace("%25", "%")
        message, *others = text.split("\n")
        places = tuple(other.removeprefix("- ") for other in others if other.startswith("- "))
        yield Said(levels[match[1]], match[2], match[3], message, places)


def of_markdown(report: Report) -> Iterator[Said]:
    text = markdown.render(report)
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        head, *lines = [line for line in section.splitlines() if line]
        _, code, name = head.split(" ")
        match = re.fullmatch(r"(.*) \*\((\w+), \w+ confidence\)\*", lines[0])
        assert match is not None
        places = tuple(_unmarked(line.removeprefix("- ")) for line in lines if line.startswith("- "))
        yield Said(match[2], code, _unmarked(name), _unmarked(match[1]), places)


def _unmarked(text: str) -> str:
    return standard_html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text.replace("&#8203;", "")))


def of_terminal(report: Report) -> Iterator[Said]:
    text = terminal.render(report, width=400, verbose=True)
    for block in re.split(r"\n(?=(?:ERROR|WARNING|INFO)  DG)", text)[1:]:
        lines = block.splitlines()
        severity, code, name = lines[0].split()[:3]
        places = tuple(line.strip().removeprefix("- ") for line in lines if line.startswith("    - "))
        yield Said(severity.lower(), code, name, lines[1].strip(), places)


class _Cards(HTMLParser):
    """The texts of the cards of findings."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "article" or str(names.get("id", "")).startswith("finding-"):
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data + " "


def test_formats_for_programs_and_people_say_the_same(told: Report) -> None:
    wanted = expected(told)
    for read in (of_json, of_sarif, of_junit, of_github, of_markdown, of_terminal):
        assert sorted(read(told)) == wanted, read.__name__


def test_gitlab_has_every_finding_and_every_line(told: Report) -> None:
    words = {"critical": "error", "minor": "warning", "info": "info"}
    found = standard_json.loads(gitlab.dump(told, repository="/repo"))
    lines = {(entry["check_name"], entry["location"]["path"], entry["location"]["lines"]["begin"]) for entry in found}
    for finding in told.findings:
        mine = [
            entry
            for entry in found
            if entry["check_name"] == f"{finding.code} {finding.name}"
            and entry["description"].startswith(finding.message)
        ]
        assert len(mine) == max(1, len(finding.locations))
        assert {words[entry["severity"]] for entry in mine} == {finding.severity.word}
        for place in finding.locations:
            assert (f"{finding.code} {finding.name}", place.path, place.line) in lines


def test_html_has_every_finding_with_its_places(told: Report) -> None:
    cards = _Cards()
    cards.feed(html.render(told))
    texts = [" ".join(text.split()) for text in cards.texts]
    for said in expected(told):
        (mine,) = [text for text in texts if said.message in text and said.code in text and said.name in text]
        assert said.severity in mine.lower()
        for place in told_places(told, said):
            assert place.path is not None
            assert place.path in mine
            assert place.note in mine


def told_places(report: Report, said: Said) -> tuple[Location, ...]:
    return next(finding.locations for finding in report.findings if finding.message == said.message)


def test_a_reader_that_misses_something_is_noticed(told: Report) -> None:
    assert sorted(of_junit(told))[1:] != expected(told)
    assert sorted(of_sarif(told)) != expected(told, places=False)

"""What a baseline has is shown in every format that people read, and counts in none."""

from __future__ import annotations

import dataclasses

import pytest

from dataguard.core.report import Report, Status
from dataguard.formats import html, json, markdown, terminal, wording


@pytest.fixture
def known(report: Report) -> Report:
    """The small report of which all findings are known, and nothing else went wrong."""
    runs = tuple(
        dataclasses.replace(run, status=Status.KNOWN, findings=(), known=run.findings, inconclusive=())
        for run in report.runs
        if run.findings
    )
    return dataclasses.replace(report, runs=runs)


def test_they_are_listed_and_the_verdict_says_why_it_is_clean(known: Report) -> None:
    message = "An estimated 3.9 % of the labels are wrong: 30 of 60 samples are suspicious."
    text = terminal.render(known, width=200)
    assert "KNOWN  the baseline has them: they do not count" in text
    assert f"error DG101 label-noise: {message}" in text
    assert "exit    0, nothing was found that the baseline does not have" in text
    assert "2 of 2 rules came to a conclusion; 2 findings known by the baseline" in text
    page = html.render(known)
    assert 'id="known"' in page
    assert message in page
    assert "## Known" in markdown.render(known)
    assert "error DG101 label-noise" in markdown.render(known)


def test_a_report_without_any_says_nothing_of_them(report: Report) -> None:
    assert "KNOWN" not in terminal.render(report)
    assert 'id="known"' not in html.render(report)
    assert "## Known" not in markdown.render(report)
    assert wording.known(report) == []


def test_json_holds_them_whole(known: Report) -> None:
    assert json.load(json.dump(known)) == known
    assert [len(run.known[0].locations) for run in json.load(json.dump(known)).runs] == [30, 1]


def test_those_of_ignored_rules_are_not_among_them(known: Report) -> None:
    ignored = dataclasses.replace(
        known, runs=tuple(dataclasses.replace(run, status=Status.IGNORED) for run in known.runs)
    )
    assert wording.known(ignored) == []


def test_a_joined_report_says_what_it_joins(report: Report) -> None:
    parts = (
        {"kind": "dataset", "path": "/ci/data", "version_id": "3f2a9c1e77b0d4c8aa91", "n_samples": 1797},
        {"kind": "repository", "path": "/ci\x1b", "version_id": "", "n_samples": 0},
    )
    assert wording.fact("merged", parts) == (
        "of",
        "dataset /ci/data, version 3f2a9c1e77b0, 1,797 samples; repository /ci\\x1b",
    )

"""Joined reports are a union: the order and the grouping of the jobs change nothing."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.core.errors import DataguardError
from dataguard.core.exhibit import Gallery, Picture
from dataguard.core.finding import Confidence, Edit, Finding, Location, Severity
from dataguard.core.merging import conflicts, merged
from dataguard.core.report import Report, RuleRun, Status, Subject, Undetermined
from dataguard.formats import json


def a_finding(code: str, message: str = "copied.", path: str = "a.png") -> Finding:
    return Finding(
        code=code,
        name="made-up",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,
        message=message,
        remedy="mend it",
        locations=(Location(path=path, line=3),),
    )


def a_run(code: str, status: Status = Status.PASSED, *findings: Finding, **changes: Any) -> RuleRun:
    return RuleRun(
        code=code,
        name="made-up",
        summary="Made up.",
        severity=Severity.WARNING,
        status=Status.FOUND if findings else status,
        findings=findings,
        **changes,
    )


def a_report(*runs: RuleRun, root: str = "/ci/data", version: str = "v1", **changes: Any) -> Report:
    values: dict[str, Any] = {
        "subject": Subject(
            kind="dataset", path=root, root=root, version_id=version, n_samples=10, splits={"train": 10}
        ),
        "runs": runs,
        "tool_version": "0.1.0",
        "started_at": "2026-11-21T08:00:13+00:00",
        "seconds": 1.0,
        "configuration": {"origin": None, "select": ()},
        "environment": {"python": "3.11.2"},
        **changes,
    }
    return Report(**values)


statuses = st.sampled_from(list(Status))
runs = st.builds(
    lambda code, status, message, seconds, reason: a_run(
        code,
        status,
        *([a_finding(code, message)] if status is Status.FOUND else []),
        seconds=seconds,
        reason=reason,
    ),
    st.sampled_from(["DG101", "DG102", "DG301"]),
    statuses,
    st.sampled_from(["one.", "other."]),
    st.sampled_from([0.5, 1.25]),
    st.sampled_from(["", "too few"]),
)
reports = st.builds(
    lambda made, root, version, seconds, started, notes, partial, python: a_report(
        *{run.code: run for run in made}.values(),
        root=root,
        version=version,
        seconds=seconds,
        started_at=started,
        notes=tuple(notes),
        partial=partial,
        ended_by="it raised" if partial else "",
        environment={"python": python},
    ),
    st.lists(runs, max_size=3),
    st.sampled_from(["/ci/data", "/ci/data/part", "/ci/other"]),
    st.sampled_from(["v1", "v2"]),
    st.sampled_from([0.1, 2.5, 7.0]),
    st.sampled_from(["2026-11-21T08:00:13+00:00", "2026-11-21T08:05:00+00:00"]),
    st.lists(st.sampled_from(["guessed", "a cache"]), max_size=2),
    st.booleans(),
    st.sampled_from(["3.11.2", "3.12.0"]),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(reports, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_the_jobs_changes_nothing(made: list[Report], random: Any) -> None:
    shuffled = list(made)
    random.shuffle(shuffled)
    assert merged(shuffled) == merged(made)


@settings(max_examples=50, deadline=None)
@given(reports, reports, reports)
def test_the_grouping_of_the_jobs_changes_nothing(one: Report, two: Report, three: Report) -> None:
    together = merged([one, two, three])
    assert merged([merged([one, two]), three]) == together
    assert merged([one, merged([two, three])]) == together
    assert json.dump(merged([merged([one, two]), three])) == json.dump(together)


@settings(max_examples=40, deadline=None)
@given(reports, reports)
def test_a_job_that_is_given_twice_counts_once(one: Report, two: Report) -> None:
    assert merged([one, one]) == merged([one])
    assert merged([merged([one, two]), one]) == merged([one, two])


@settings(max_examples=40, deadline=None)
@given(st.lists(reports, min_size=1, max_size=3))
def test_a_joined_report_can_be_written_read_and_joined_again(made: list[Report]) -> None:
    joined = merged(made)
    again = json.load(json.dump(joined))
    assert json.dump(again) == json.dump(joined)
    assert json.dump(merged([again, made[0]])) == json.dump(joined)


@settings(max_examples=60, deadline=None)
@given(st.lists(reports, min_size=1, max_size=4))
def test_no_finding_is_lost_and_the_worst_exit_code_stays(made: list[Report]) -> None:
    joined = merged(made)
    before = {(finding.code, finding.message) for report in made for finding in report.findings}
    assert {(finding.code, finding.message) for finding in joined.findings} == before
    if any(report.exit_code(fail_on=Severity.INFO) == 2 for report in made):
        assert joined.exit_code(fail_on=Severity.INFO) == 2
    if before:
        assert joined.exit_code(fail_on=Severity.INFO) in (1, 2)


def test_jobs_that_share_the_rules_make_one_report() -> None:
    labels = a_report(a_run("DG101", Status.PASSED), a_run("DG301", Status.IGNORED, reason="in another job"))
    splits = a_report(
        a_run("DG101", Status.SKIPPED, reason="in another job"),
        a_run("DG301", Status.FOUND, a_finding("DG301")),
        seconds=9.0,
    )
    joined = merged([labels, splits])
    assert [(run.code, run.status) for run in joined.runs] == [("DG101", Status.PASSED), ("DG301", Status.FOUND)]
    assert joined.seconds == 9.0
    assert (joined.subject.kind, joined.subject.path, joined.subject.n_samples) == ("dataset", "/ci/data", 10)
    assert conflicts(joined) == ()


@pytest.mark.parametrize("weak", [Status.NOT_RUN, Status.SKIPPED, Status.IGNORED])
@pytest.mark.parametrize("strong", [Status.PASSED, Status.KNOWN, Status.INCONCLUSIVE, Status.CRASHED])
def test_what_ran_takes_the_place_of_what_did_not(weak: Status, strong: Status) -> None:
    for order in itertools.permutations([a_report(a_run("DG101", weak)), a_report(a_run("DG101", strong))]):
        assert [run.status for run in merged(order).runs] == [strong]


def test_jobs_that_contradict_each_other_are_named() -> None:
    one = a_report(a_run("DG101", Status.PASSED))
    other = a_report(a_run("DG101", Status.FOUND, a_finding("DG101")))
    joined = merged([one, other])
    (conflict,) = conflicts(joined)
    assert {run.status for run in conflict.runs} == {Status.PASSED, Status.FOUND}
    assert "DG101 made-up was run more than once on /ci/data, and not alike: " in str(conflict)
    assert "found with 1 finding" in str(conflict)
    assert joined.notes == (f"conflict: {conflict}",)
    assert len(list(joined.findings)) == 1


def test_the_same_rule_on_other_data_is_no_conflict() -> None:
    joined = merged([a_report(a_run("DG101")), a_report(a_run("DG101"), root="/ci/other")])
    assert conflicts(joined) == ()
    assert [run.subject for run in joined.runs] == ["/ci/data", "/ci/other"]
    assert (joined.subject.kind, joined.subject.path, joined.subject.root) == ("jobs", "/ci/data | /ci/other", "/ci")


def test_data_that_changed_between_the_jobs_are_two_subjects() -> None:
    joined = merged([a_report(a_run("DG101")), a_report(a_run("DG301"), version="v2")])
    assert joined.subject.kind == "jobs"
    assert [item["version_id"] for item in joined.subject.facts["merged"]] == ["v1", "v2"]


def test_every_path_is_from_the_common_folder() -> None:
    picture = Picture(sample_id="a", path="a.png")
    finding = dataclasses.replace(
        a_finding("DG101"),
        exhibits=(Gallery(title="g", pictures=(picture,), total=1),),
        edits=(Edit(path="r.txt", line=1, old="a", new="b"),),
    )
    absolute = a_finding("DG102", path="/elsewhere/x.py")
    one = a_report(
        a_run("DG101", Status.FOUND, finding),
        a_run("DG102", Status.FOUND, absolute),
        undetermined=(Undetermined(of="p", field="f", reason="r", path="s.py"),),
    )
    joined = merged([one, a_report(root="/ci/other")])
    first, second = joined.findings
    assert first.locations[0].path == "data/a.png"
    assert first.locations[0].line == 3
    (gallery,) = first.exhibits
    assert isinstance(gallery, Gallery)
    assert gallery.pictures[0].path == "data/a.png"
    assert first.edits[0].path == "data/r.txt"
    assert second.locations[0].path == "/elsewhere/x.py"
    assert joined.undetermined[0].path == "data/s.py"


def test_folders_without_anything_in_common_and_no_reports() -> None:
    with pytest.raises(DataguardError, match="nothing in common"):
        merged([a_report(), a_report(root="relative")])
    with pytest.raises(DataguardError, match="no report to merge"):
        merged([])

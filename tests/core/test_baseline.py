"""A baseline knows what was there, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.core import baseline as baselines
from dataguard.core.baseline import Baseline, compared, dump, load, recorded
from dataguard.core.errors import DataguardError
from dataguard.core.finding import Confidence, Finding, Inconclusive, Location, Severity
from dataguard.core.report import Report, RuleRun, Status, Subject


def finding(*ids: str, **changes: object) -> Finding:
    fields: dict[str, object] = {
        "code": "DG301",
        "name": "duplicate-across-splits",
        "severity": Severity.WARNING,
        "confidence": Confidence.HIGH,
        "message": f"{len(ids)} samples are copied.",
        "remedy": "Delete them.",
        "key": ("train", "test"),
        "locations": tuple(Location(sample_id=name, split="test") for name in ids),
    }
    return Finding(**(fields | changes))  # type: ignore[arg-type]


def a_run(*findings: Finding, **changes: object) -> RuleRun:
    fields: dict[str, object] = {
        "code": "DG301",
        "name": "duplicate-across-splits",
        "summary": "Samples are copied.",
        "severity": Severity.ERROR,
        "status": Status.FOUND if findings else Status.PASSED,
        "findings": findings,
    }
    return RuleRun(**(fields | changes))  # type: ignore[arg-type]


def a_report(*runs: RuleRun, n_samples: int = 100, **changes: object) -> Report:
    fields: dict[str, object] = {
        "subject": Subject(kind="dataset", path="/data", root="/data", n_samples=n_samples),
        "runs": runs,
        "tool_version": "0.1.0",
        "started_at": "2026-11-21T08:00:13+00:00",
        "seconds": 1.0,
        "configuration": {},
        "environment": {},
    }
    return Report(**(fields | changes))  # type: ignore[arg-type]


def baseline_of(*findings: Finding, n_samples: int = 100) -> Baseline:
    return recorded(a_report(a_run(*findings), n_samples=n_samples))


def held(*findings: Finding, against: Baseline, n_samples: int = 100) -> RuleRun:
    ((run,), _) = compared([a_run(*findings)], against, n_samples=n_samples)
    return run


def test_what_was_there_is_known_and_does_not_fail() -> None:
    run = held(finding("a", "b"), against=baseline_of(finding("a", "b")))
    assert (run.status, run.findings) == (Status.KNOWN, ())
    assert run.known == (finding("a", "b"),)
    report = a_report(run)
    assert report.exit_code(fail_on=Severity.INFO) == 0
    assert list(report.known) == [finding("a", "b")]


@settings(max_examples=30)
@given(st.sets(st.text(min_size=1, max_size=5), min_size=1, max_size=8), st.integers(0, 99))
def test_the_order_of_the_data_changes_nothing(ids: set[str], seed: int) -> None:
    one, other = sorted(ids), sorted(ids)
    random.Random(seed).shuffle(other)
    assert dump(baseline_of(finding(*one))) == dump(baseline_of(finding(*other)))
    assert held(finding(*other), against=baseline_of(finding(*one))).findings == ()


@settings(max_examples=30)
@given(st.sets(st.sampled_from("abcdefgh")), st.sets(st.sampled_from("abcdefgh")))
def test_every_place_is_new_known_or_gone(before: set[str], now: set[str]) -> None:
    (run,), gone = compared([a_run(finding(*sorted(now)))], baseline_of(finding(*sorted(before), "z")), n_samples=100)
    new = {place.sample_id for item in run.findings for place in item.locations}
    known = {place.sample_id for item in run.known for place in item.locations}
    assert new == now - before
    assert known == now & before
    assert sum(item.n_gone for item in gone) == len(before | {"z"}) - len(known)


def test_new_places_are_a_finding_of_their_own() -> None:
    run = held(finding("a", "b", "c"), against=baseline_of(finding("a", "b")))
    assert run.status is Status.FOUND
    (new,) = run.findings
    (known,) = run.known
    assert new.message == "3 samples are copied. 1 place is not in the baseline; it has the other 2."
    assert known.message == "3 samples are copied. The baseline has 2 of these places."
    assert new.fingerprint == known.fingerprint
    assert (new.measurements[-1].value, new.measurements[-1].n) == (1, 3)


def test_a_defect_of_another_kind_is_new() -> None:
    other = finding("a", key=("train", "val"))
    assert held(other, against=baseline_of(finding("a"))).findings == (other,)


def test_what_has_become_worse_is_new() -> None:
    worse = finding("a", severity=Severity.ERROR)
    (new,) = held(worse, against=baseline_of(finding("a"))).findings
    assert new.message == "1 samples are copied. The baseline has it as a warning."
    milder = finding("a", severity=Severity.INFO)
    assert held(milder, against=baseline_of(finding("a"))).known == (milder,)


def test_places_that_look_the_same_are_counted() -> None:
    lines = [Location(path="requirements.txt", line=line) for line in (3, 5)]
    more = [*lines, Location(path="requirements.txt", line=9)]
    before = baseline_of(finding(locations=tuple(lines)))
    # A line above moves both: the lines are no part of the identity.
    moved = tuple(dataclasses.replace(place, line=(place.line or 0) + 4) for place in lines)
    assert held(finding(locations=moved), against=before).findings == ()
    (new,) = held(finding(locations=tuple(more)), against=before).findings
    assert len(new.locations) == 1


def test_rows_are_known_by_their_content_wherever_they_stand() -> None:
    before = baseline_of(finding(locations=(Location(sample_id="17", related=("4",), content="abc"),)))
    moved = finding(locations=(Location(sample_id="3", related=("99",), content="abc"),))
    assert held(moved, against=before).findings == ()
    other = finding(locations=(Location(sample_id="17", related=("4",), content="abd"),))
    assert held(other, against=before).findings == (other,)


@pytest.mark.parametrize(
    ("n_new", "n_gone", "n_samples", "is_new"),
    [(0, 5, 100, False), (5, 5, 100, False), (29, 0, 100, False), (30, 0, 100, True), (60, 10, 100, True)],
)
def test_places_of_an_estimate_may_come_and_go(n_new: int, n_gone: int, n_samples: int, is_new: bool) -> None:
    # 30 of 30 on one side: the first that single places would reach in 1 of 10^9, and estimates in 1 of 100.
    old = [f"old {number}" for number in range(40)]
    now = old[n_gone:] + [f"new {number}" for number in range(n_new)]
    before = baseline_of(finding(*old, estimated=True))
    run = held(finding(*now, estimated=True), against=before, n_samples=n_samples)
    assert bool(run.findings) is is_new
    if is_new:
        assert len(run.findings[0].locations) == len(now)
        assert f"{n_new} places are not in the baseline, and {n_gone} of its 40 are gone" in run.findings[0].message


def test_an_estimate_grows_with_the_data() -> None:
    old = [f"old {number}" for number in range(40)]
    now = finding(*old, *(f"new {number}" for number in range(32)), estimated=True)
    before = baseline_of(finding(*old, estimated=True), n_samples=1000)
    assert held(now, against=before, n_samples=1000).findings
    assert not held(now, against=before, n_samples=1100).findings


def test_an_estimate_whose_places_move_together_is_seldom_new() -> None:
    # 4,000 draws of an equal number of coming and going places, in clumps of five: at most about 1 % are worse.
    rng = random.Random(0)
    n_new = 0
    for _ in range(4000):
        came = 5 * sum(rng.random() < 0.5 for _ in range(24))
        n_new += baselines._more(came, 120 - came)
    assert n_new / 4000 <= 0.012


def test_very_many_places_are_compared_in_no_time() -> None:
    assert baselines._more(52_000, 48_000)
    assert not baselines._more(50_100, 49_900)


def test_gone_entries_are_told_where_the_rule_decided() -> None:
    before = baseline_of(finding("a", "b"))
    (_, gone) = compared([a_run()], before, n_samples=100)
    assert [(item.entry.code, item.n_gone, item.whole) for item in gone] == [("DG301", 2, True)]
    (_, gone) = compared([a_run(finding("b"))], before, n_samples=100)
    assert [(item.n_gone, item.whole) for item in gone] == [(1, False)]
    for undecided in (
        [],
        [a_run(status=Status.SKIPPED)],
        [a_run(status=Status.INCONCLUSIVE)],
        [a_run(status=Status.CRASHED)],
        [a_run(inconclusive=(Inconclusive(reason="too few"),))],
    ):
        assert compared(undecided, before, n_samples=100)[1] == ()


def test_a_rule_that_is_known_in_part_and_undecided_in_part_is_undecided() -> None:
    run = a_run(finding("a"), inconclusive=(Inconclusive(reason="too few"),))
    ((made,), _) = compared([run], baseline_of(finding("a")), n_samples=100)
    assert (made.status, made.reason) == (Status.INCONCLUSIVE, "too few")


def test_a_finding_about_the_run_itself_is_never_known() -> None:
    crashed = finding(code="DG902", name="rule-crashed", locations=())
    assert recorded(a_report(a_run(crashed))).entries == ()
    entry = dataclasses.replace(baseline_of(finding("a")).entries[0], fingerprint=crashed.fingerprint)
    assert held(crashed, against=Baseline(entries=(entry,))).findings == (crashed,)


def test_what_is_known_stays_in_the_next_baseline() -> None:
    run = held(finding("a", "b", "c"), against=baseline_of(finding("a", "b")))
    (entry,) = recorded(a_report(run)).entries
    assert entry.places == baseline_of(finding("a", "b", "c")).entries[0].places


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"partial": True}, "it was interrupted"),
        ({"partial": True, "ended_by": "the loader raised"}, "the loader raised"),
        ({"runs": (a_run(status=Status.CRASHED),)}, "DG301 could not run"),
    ],
)
def test_no_baseline_of_half_a_run(changes: dict[str, object], said: str) -> None:
    with pytest.raises(DataguardError, match=f"no baseline of a run that was not finished: {said}"):
        recorded(dataclasses.replace(a_report(a_run()), **changes))  # type: ignore[arg-type]


# --- the file


def test_the_file_holds_everything_and_no_time() -> None:
    made = baseline_of(finding("a", "ü\udcff"), finding("c", key=("x",)))
    text = dump(made)
    assert load(text, where="b.json") == made
    assert text.isascii()
    assert dump(load(text, where="b.json")) == text
    assert "2026" not in text
    assert text == dump(recorded(a_report(a_run(finding("c", key=("x",)), finding("ü\udcff", "a")), seconds=9.0)))


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("{", "not a JSON document", "dataguard baseline"),
        ("[]", "it is no baseline of dataguard", "make a new one"),
        ('{"schema_version": "1"}', "it is no baseline of dataguard", "it is a report"),
        ('{"baseline_version": "9"}', "the baseline has version 9, and this dataguard reads version 1", "make a new"),
        ('{"baseline_version": "1"}', "it is no baseline of dataguard: KeyError 'findings'", "make a new one"),
        ('{"baseline_version": "1", "findings": [{}]}', "KeyError 'fingerprint'", "make a new one"),
    ],
)
def test_a_file_that_is_no_baseline(text: str, said: str, hint: str) -> None:
    with pytest.raises(DataguardError) as error:
        load(text, where="/ci/b.json")
    assert str(error.value).startswith("/ci/b.json: ")
    assert said in str(error.value)
    assert hint in str(error.value.hint)


@pytest.mark.parametrize(
    ("key", "value"),
    [("places", {"a": 0}), ("places", {"a": True}), ("places", 3), ("message", 3), ("severity", "awful")],
)
def test_an_entry_that_is_none(key: str, value: object) -> None:
    data = json.loads(dump(baseline_of(finding("a"))))
    data["findings"][0][key] = value
    with pytest.raises(DataguardError, match="it is no baseline of dataguard"):
        load(json.dumps(data), where="b.json")

from __future__ import annotations

from dataguard.core.acceptance import FinishedRuns
from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.core.report import RuleRun, Status
from dataguard.rules.dataguard.dg902_rule_crashed import rule_crashed


def run(code: str, status: Status, reason: str = "") -> RuleRun:
    return RuleRun(
        code=code, name="made-up", summary="Made up.", severity=Severity.WARNING, status=status, reason=reason
    )


def test_fires_on_a_rule_that_crashed() -> None:
    runs = (run("DG101", Status.CRASHED, "MemoryError at x.py:8\n  hint: buy more."), run("DG102", Status.PASSED))
    finding, observation = rule_crashed(FinishedRuns(runs=runs))
    assert isinstance(finding, Finding)
    assert (finding.severity, finding.code) == (Severity.ERROR, "DG902")
    assert finding.message == "DG101 made-up could not run: MemoryError at x.py:8; hint: buy more."
    assert isinstance(observation, Observation)
    assert observation.message == "1 of 2 rules could not run."


def test_fires_once_a_rule() -> None:
    runs = tuple(run(code, Status.CRASHED) for code in ("DG101", "DG102"))
    found = [item for item in rule_crashed(FinishedRuns(runs=runs)) if isinstance(item, Finding)]
    assert len({finding.fingerprint for finding in found}) == 2
    assert found[0].message == "DG101 made-up could not run: no reason was given."


def test_silent_on_every_other_outcome() -> None:
    others = [status for status in Status if status is not Status.CRASHED]
    outcomes = rule_crashed(FinishedRuns(runs=tuple(run("DG101", status, "why") for status in others)))
    assert [type(outcome) for outcome in outcomes] == [Observation]


def test_edge_no_rule_was_run() -> None:
    for runs in ((), (run("DG101", Status.NOT_RUN),)):
        (outcome,) = rule_crashed(FinishedRuns(runs=runs))
        assert isinstance(outcome, Skipped)

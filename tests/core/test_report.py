from __future__ import annotations

import itertools

import pytest

from dataguard.core.errors import ExitCode
from dataguard.core.finding import Confidence, Finding, Severity
from dataguard.core.report import Report, RuleRun, Status, Subject


def finding(code: str, severity: Severity) -> Finding:
    return Finding(
        code=code, name="x", severity=severity, confidence=Confidence.HIGH, message=f"{code}", remedy="mend it"
    )


def run(status: Status, *severities: Severity, code: str = "DG101") -> RuleRun:
    found = tuple(finding(code, severity) for severity in severities)
    return RuleRun(code=code, name="x", summary="X.", severity=Severity.ERROR, status=status, findings=found)


def report(*runs: RuleRun, partial: bool = False) -> Report:
    return Report(
        subject=Subject(
            kind="dataset",
            path="/data",
            root="/data",
            source="folder",
            version_id="0",
            n_samples=1,
            splits={},
            n_classes=None,
        ),
        runs=runs,
        tool_version="0",
        started_at="2026-01-01T00:00:00+00:00",
        seconds=0.0,
        configuration={},
        environment={},
        partial=partial,
    )


PASSED = run(Status.PASSED)
INFO = run(Status.FOUND, Severity.INFO)
WARNED = run(Status.FOUND, Severity.WARNING)
FAILED = run(Status.FOUND, Severity.INFO, Severity.ERROR)
SKIPPED = run(Status.SKIPPED)
UNDECIDED = run(Status.INCONCLUSIVE)
IGNORED = run(Status.IGNORED)
CRASHED = run(Status.CRASHED)


@pytest.mark.parametrize(
    ("runs", "fail_on", "strict", "expected"),
    [
        ((PASSED,), Severity.ERROR, False, ExitCode.CLEAN),
        ((PASSED, SKIPPED, UNDECIDED, IGNORED), Severity.ERROR, False, ExitCode.CLEAN),
        ((PASSED, WARNED), Severity.ERROR, False, ExitCode.CLEAN),
        ((PASSED, WARNED), Severity.WARNING, False, ExitCode.FOUND),
        ((INFO,), Severity.WARNING, False, ExitCode.CLEAN),
        ((INFO,), Severity.INFO, False, ExitCode.FOUND),
        ((PASSED, FAILED), Severity.ERROR, False, ExitCode.FOUND),
        ((SKIPPED, FAILED), Severity.ERROR, True, ExitCode.FOUND),
        ((PASSED, SKIPPED), Severity.ERROR, True, ExitCode.FAILED),
        ((PASSED, UNDECIDED), Severity.ERROR, True, ExitCode.FAILED),
        ((PASSED, IGNORED), Severity.ERROR, True, ExitCode.CLEAN),
        ((SKIPPED, SKIPPED), Severity.ERROR, False, ExitCode.NOTHING_CHECKED),
        ((UNDECIDED,), Severity.ERROR, False, ExitCode.NOTHING_CHECKED),
        ((IGNORED,), Severity.ERROR, False, ExitCode.NOTHING_CHECKED),
        ((), Severity.ERROR, False, ExitCode.NOTHING_CHECKED),
        ((SKIPPED,), Severity.ERROR, True, ExitCode.FAILED),
        ((PASSED, CRASHED), Severity.ERROR, False, ExitCode.FAILED),
        ((FAILED, CRASHED), Severity.ERROR, False, ExitCode.FAILED),
    ],
)
def test_exit_codes(runs: tuple[RuleRun, ...], fail_on: Severity, strict: bool, expected: ExitCode) -> None:
    for order in itertools.permutations(runs):
        assert report(*order).exit_code(fail_on=fail_on, strict=strict) is expected


def test_a_partial_report_never_passes() -> None:
    for runs in ((PASSED,), (FAILED,), ()):
        assert report(*runs, partial=True).exit_code() is ExitCode.FAILED


def test_the_numbers_are_those_of_the_design() -> None:
    assert [int(code) for code in (ExitCode.CLEAN, ExitCode.FOUND, ExitCode.FAILED, ExitCode.NOTHING_CHECKED)] == [
        0,
        1,
        2,
        3,
    ]


def test_findings_come_worst_first_then_by_code() -> None:
    everything = report(
        run(Status.FOUND, Severity.WARNING, code="DG104"),
        run(Status.FOUND, Severity.INFO, Severity.ERROR, code="DG301"),
        run(Status.FOUND, Severity.ERROR, code="DG103"),
    )
    assert [(found.code, found.severity.word) for found in everything.findings] == [
        ("DG103", "error"),
        ("DG301", "error"),
        ("DG104", "warning"),
        ("DG301", "info"),
    ]


def test_rules_are_counted_by_status() -> None:
    everything = report(PASSED, PASSED, SKIPPED)
    assert everything.count(Status.PASSED) == 2
    assert everything.count(Status.CRASHED) == 0

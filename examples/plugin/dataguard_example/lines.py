"""A format: one line a finding."""

from __future__ import annotations

from dataguard.core.finding import Severity
from dataguard.core.report import Report
from dataguard.core.report_format import ReportFormat


def render(report: Report, fail_on: Severity, strict: bool) -> str:
    """The findings, one a line, and the exit code."""
    lines = [f"{finding.code}: {finding.message}" for finding in report.findings]
    return "\n".join([*lines, f"exit code {int(report.exit_code(fail_on=fail_on, strict=strict))}"]) + "\n"


FORMAT = ReportFormat(name="lines", render=render, endings=(".lines",))

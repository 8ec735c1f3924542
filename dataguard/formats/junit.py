"""The report as JUnit XML, which Jenkins, GitLab and others show as tests: a rule is a test case.

Valid against both schemas that are in use: that of Apache Ant (Windy Road, ``JUnit.xsd``) and that of Jenkins' xUnit
plugin (``junit-10.xsd``). Ant's is the stricter: at most one result a test case, and output for the suite alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from dataguard.core.finding import Finding, Severity
from dataguard.core.report import Report, RuleRun, Status
from dataguard.core.text import printable
from dataguard.formats import wording

FEW_PLACES = 100
"""Places of a finding in the text of its test case."""
_FAILED = {Status.CRASHED: "crashed", Status.NOT_RUN: "not-run"}


def render(report: Report, *, fail_on: Severity = Severity.ERROR, strict: bool = False) -> str:
    """The report as JUnit XML, one suite with one test case a rule.

    * passed: nothing in it;
    * found something at or above ``fail_on``: ``failure``, with every finding;
    * could not run, or was interrupted: ``error``;
    * anything else: ``skipped`` with the reason, which is no pass: findings below ``fail_on`` or in the baseline, no
      conclusion, no input, ignored; where `strict` is set, a rule without a conclusion is an ``error``.

    Args:
        report: What to write.
        fail_on: The least severity that fails the run.
        strict: Whether a rule without a conclusion fails it.
    """
    cases = [_case(run, fail_on, strict) for run in report.runs]
    if report.partial:
        cases.append(_broken_off(report))
    kinds = [kind for kind, _ in cases]
    code, reason = wording.exit_reason(report, fail_on=fail_on, strict=strict)
    properties = {
        "subject": report.subject.path,
        "version": report.subject.version_id,
        "dataguard": report.tool_version,
        "exit code": f"{int(code)}, {reason}",
        "fail-on": fail_on.word,
    }
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<testsuites>",
        "  <testsuite"
        + _attributes(
            name="dataguard",
            package="dataguard",
            id="0",
            timestamp=_moment(report.started_at),
            hostname="localhost",
            tests=str(len(cases)),
            failures=str(kinds.count("failure")),
            errors=str(kinds.count("error")),
            skipped=str(kinds.count("skipped")),
            time=f"{max(report.seconds, 0):.3f}",
        )
        + ">",
        "    <properties>",
        *(f"      <property{_attributes(name=name, value=value)}/>" for name, value in properties.items()),
        "    </properties>",
        *(line for _, element in cases for line in element),
        f"    <system-out>{_text(chr(10).join(_output(report)))}</system-out>",
        "    <system-err></system-err>",
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _case(run: RuleRun, fail_on: Severity, strict: bool) -> tuple[str, list[str]]:
    """What its result is ('' for a pass), and the lines of the element."""
    kind, type_, message, body = _result(run, fail_on, strict)
    of = f" ({run.subject})" if run.subject else ""
    opening = "    <testcase" + _attributes(
        name=f"{run.code} {run.name}{of}", classname=f"dataguard.{run.code[:3]}xx", time=f"{max(run.seconds, 0):.3f}"
    )
    if not kind:
        return kind, [f"{opening}/>"]
    types = {} if kind == "skipped" else {"type": type_}
    result = f"      <{kind}{_attributes(message=wording.prose(message), **types)}>{_text(body)}</{kind}>"
    return kind, [f"{opening}>", result, "    </testcase>"]


def _result(run: RuleRun, fail_on: Severity, strict: bool) -> tuple[str, str, str, str]:
    findings = sorted(run.findings, key=lambda finding: -finding.severity)
    body = "\n".join(line for finding in findings for line in _lines(finding))
    if run.status in _FAILED:
        return "error", _FAILED[run.status], run.reason or wording.STATUS_WORDS[run.status], body
    if findings:
        worst, more = findings[0], f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        if worst.severity >= fail_on:
            return "failure", worst.severity.word, worst.message + more, body
        return "skipped", "", f"{worst.severity.word}, below --fail-on {fail_on.word}: {worst.message}{more}", body
    if run.status is Status.KNOWN:
        known = "\n".join(line for finding in run.known for line in _lines(finding))
        return "skipped", "", f"known: the baseline has {wording.count(len(run.known), 'finding')}", known
    if run.status is Status.PASSED and not run.inconclusive:
        return "", "", "", ""
    reasons = [run.reason, *(item.reason for item in run.inconclusive)]
    said = "; ".join(dict.fromkeys(reason for reason in reasons if reason)) or "no reason was given"
    word = wording.STATUS_WORDS[run.status] if run.status is not Status.PASSED else "undecided in part"
    fails = strict and run.status in (Status.SKIPPED, Status.INCONCLUSIVE)
    return "error" if fails else "skipped", word, f"{word}: {said}", ""


def _broken_off(report: Report) -> tuple[str, list[str]]:
    message = wording.prose(report.ended_by or "the run was interrupted")
    return "error", [
        "    <testcase" + _attributes(name="the run as a whole", classname="dataguard", time="0.000") + ">",
        f"      <error{_attributes(message=message, type='ended early')}></error>",
        "    </testcase>",
    ]


def _lines(finding: Finding) -> Iterator[str]:
    """A finding as text: its head, its places and what to do."""
    yield f"{finding.severity.word.upper()} {finding.code} {finding.name}: {wording.prose(finding.message)}"
    for place in finding.locations[:FEW_PLACES]:
        yield f"  at {wording.place(place)}"
    if (hidden := len(finding.locations) - FEW_PLACES) > 0:
        yield f"  and {hidden:,} more places"
    if finding.remedy:
        yield f"  to do: {wording.prose(finding.remedy)}"


def _output(report: Report) -> Iterator[str]:
    yield f"{wording.severities(report) or 'no findings'}; {wording.settled(report)}"
    for run in report.runs:
        for observation in run.observations:
            yield f"{run.code} {run.name}: {wording.prose(observation.message)}"
    yield from (f"note: {wording.prose(note)}" for note in report.notes)


def _moment(timestamp: str) -> str:
    """A time as the schema has it: in UTC, and without saying so."""
    try:
        moment = dt.datetime.fromisoformat(timestamp)
    except ValueError:
        return "1970-01-01T00:00:00"
    return (moment.astimezone(dt.UTC) if moment.tzinfo else moment).strftime("%Y-%m-%dT%H:%M:%S")


def _attributes(**values: str) -> str:
    return "".join(f" {name}={quoteattr(printable(value))}" for name, value in values.items())


def _text(text: str) -> str:
    """Text that XML 1.0 can hold: it has no way to write most control characters, so they are shown as escapes."""
    return escape(printable(text, keep="\n"))

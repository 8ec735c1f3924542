"""The report as annotations of GitHub Actions: commands that a step prints, and GitHub shows at the lines.

The commands and what is escaped in them are those of GitHub's own toolkit (``packages/core/src/command.ts``). GitHub
shows at most ten annotations of a level a step, so that many are written, worst first; the job summary
(`dataguard.formats.markdown`) has everything.
"""

from __future__ import annotations

from collections import Counter

from dataguard.core.finding import Finding, Severity
from dataguard.core.report import Report, Status
from dataguard.core.text import printable
from dataguard.core.workflow_commands import inert
from dataguard.formats import wording
from dataguard.formats.files import anchor, shown_places

MOST = 10
"""Annotations of one level that GitHub shows of a step; `GitHub, REST API, check runs`."""
FEW_PLACES = 10
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(
    report: Report, *, workspace: str | None = None, fail_on: Severity = Severity.ERROR, strict: bool = False
) -> str:
    """The report as lines that GitHub Actions takes for annotations, and one line that it does not.

    What did not end is an error of its own, so that a check that failed does not look like one that passed. Findings
    that a baseline has are counted, and not annotated.

    Args:
        report: What to show.
        workspace: The repository's folder, absolute; by default the report's root. Files elsewhere are named in the
            text alone.
        fail_on: The least severity that fails the run.
        strict: Whether a rule without a conclusion fails it.
    """
    base = workspace or report.subject.root
    lines: list[str] = []
    written: Counter[str] = Counter()
    left_out = 0
    for command, title, message, place in _annotations(report, base):
        if written[command] == MOST:
            left_out += 1
            continue
        written[command] += 1
        properties = [*place, f"title={_property(title)}"]
        lines.append(f"::{command} {','.join(properties)}::{_data(message)}")
    _, reason = wording.exit_reason(report, fail_on=fail_on, strict=strict)
    n_known = sum(1 for _ in report.known)
    more = [f"{left_out:,} more are not annotated"] if left_out else []
    known = [f"{n_known:,} known"] if n_known else []
    said = "; ".join([wording.severities(report) or "no findings", *more, *known, wording.settled(report), reason])
    return "".join(f"{line}\n" for line in (*lines, inert(f"dataguard: {printable(said)}")))


def _annotations(report: Report, base: str) -> list[tuple[str, str, str, list[str]]]:
    found: list[tuple[str, str, str, list[str]]] = []
    told = {finding.code for finding in report.findings}
    if report.partial:
        found.append(("error", "dataguard: ended early", report.ended_by or "the run was interrupted", []))
    found += [
        ("error", f"{run.code} {run.name}", f"{run.code} could not run: {run.reason}", [])
        for run in report.runs
        # Where DG902 is, it says so itself.
        if run.status is Status.CRASHED and "DG902" not in told
    ]
    for finding in report.findings:
        title = f"{finding.code} {finding.name} ({wording.confidence(finding)})"
        found.append((_COMMANDS[finding.severity], title, _message(finding), _place(finding, report, base)))
    return found


def _message(finding: Finding) -> str:
    lines = [finding.message, *(f"- {wording.place(place)}" for place in finding.locations[:FEW_PLACES])]
    if (hidden := len(finding.locations) - FEW_PLACES) > 0:
        lines.append(f"- and {hidden:,} more")
    return "\n".join([*lines, *([finding.remedy] if finding.remedy else [])])


def _place(finding: Finding, report: Report, base: str) -> list[str]:
    for path, line, _ in shown_places(finding, report, base):
        return [f"file={_property(path)}", *([f"line={line}"] if line is not None else [])]
    path_of_all = anchor(report, base)
    return [f"file={_property(path_of_all)}"] if path_of_all is not None else []


def _data(text: str) -> str:
    """A message: what would end the command is escaped, and what could act on a log is shown."""
    escaped = printable(text, keep="\n").replace("%", "%25")
    return escaped.replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

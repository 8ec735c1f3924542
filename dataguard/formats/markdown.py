"""The report as Markdown, in GitHub's flavour: for pull requests, summaries of CI jobs, and reviewers.

Pictures and plots are left to HTML; tables are here. Whatever comes from outside is escaped, so that no name of a file
can become a link, a picture or a tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from dataguard.core.exhibit import Contrast, Excerpt, Exhibit, Listing
from dataguard.core.finding import Finding, Severity
from dataguard.core.report import Report, Status
from dataguard.core.text import printable
from dataguard.formats import wording

FEW_PLACES = 10
FEW_ROWS = 40
"""Rows of a table; the JSON and HTML reports have more."""
MOST_BYTES = 900_000
"""GitHub shows at most 1 MiB of a job's summary; what is beyond is cut, and said."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#!|~$&]|^[+-])")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
_MARKS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.INFO: "ℹ️"}


def render(report: Report, *, fail_on: Severity = Severity.ERROR, strict: bool = False) -> str:
    """The report as Markdown text, one trailing newline included.

    Args:
        report: What to show.
        fail_on: The least severity that fails the run.
        strict: Whether a rule without a conclusion fails the run.
    """
    blocks: list[str] = []
    size = 0
    for block in _blocks(report, fail_on=fail_on, strict=strict):
        size += len(block.encode("utf-8")) + 2
        if size > MOST_BYTES:
            blocks.append("*The rest is left out; the HTML and JSON reports have it.*")
            break
        blocks.append(block)
    return "\n\n".join(blocks) + "\n"


def _blocks(report: Report, *, fail_on: Severity, strict: bool) -> Iterator[str]:
    subject = report.subject
    code, reason = wording.exit_reason(report, fail_on=fail_on, strict=strict)
    yield f"# dataguard: {wording.severities(report) or 'no findings'}"
    yield f"**{_text(subject.path)}**: {_text(wording.settled(report))}. Exit code {int(code)}: {_text(reason)}."
    if report.partial:
        said = report.ended_by or "the run was stopped before its end: what follows is true, and not all"
        yield f"**Ended early**: {_text(said)}"
    rows = [(subject.kind, wording.source(subject))] if wording.source(subject) else []
    if subject.has_samples:
        rows.append(("samples", f"{subject.n_samples:,}"))
    rows += [wording.fact(name, value) for name, value in subject.facts.items()]
    rows += [("dataguard", f"{report.tool_version}, {wording.moment(report.started_at)}")]
    yield _table(("", ""), rows)
    for shown in report.overview:
        yield from _exhibit(shown, level=2)
    for finding in report.findings:
        yield from _finding(finding)
    if known := wording.known(report):
        yield "## Known"
        yield "The baseline has them: they do not count."
        yield "\n".join(f"- {_text(line)}" for line in known)
    yield from _others(report)
    if report.notes:
        yield "## Notes"
        yield "\n".join(f"- {_text(wording.prose(note))}" for note in report.notes)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"## {_MARKS[finding.severity]} {_text(f'{finding.code} {finding.name}')}"
    yield f"{_text(wording.prose(finding.message))} *({finding.severity.word}, {wording.confidence(finding)})*"
    first, others = wording.leading(finding.measurements, FEW_ROWS)
    figures = [
        (item.name, wording.number(item.value, item.unit), wording.comparison(item)) for item in (*first, *others)
    ]
    if figures:
        yield _table(("figure", "observed", "held against"), figures)
    if finding.locations:
        shown = [f"- {_text(wording.place(location))}" for location in finding.locations[:FEW_PLACES]]
        if hidden := len(finding.locations) - len(shown):
            shown.append(f"- and {hidden:,} more")
        yield "\n".join(shown)
    for exhibit in finding.exhibits:
        yield from _exhibit(exhibit, level=3)
    if finding.remedy:
        yield f"**What to do**: {_text(wording.prose(finding.remedy))}"


def _others(report: Report) -> Iterator[str]:
    passed = [run for run in report.runs if run.status is Status.PASSED]
    if passed:
        yield "## Passed"
        yield "\n".join(
            f"- {_text(f'{run.code} {run.name}')}: "
            + _text(wording.prose(run.observations[0].message if run.observations else run.summary))
            for run in passed
        )
    rows = wording.unsettled_runs(report)
    if rows:
        yield "## Not decided"
        yield "\n".join(
            f"- {_text(word)}: {_text(f'{run.code} {run.name}')}: {_text(reason)}" for word, run, reason in rows
        )


def _exhibit(shown: Exhibit, *, level: int) -> Iterator[str]:
    """Those that are tables or text; the others are for formats that draw."""
    if isinstance(shown, Listing):
        yield f"{'#' * level} {_text(shown.title)}"
        yield _table(shown.columns, ([_cell(value) for value in row] for row in shown.rows[:FEW_ROWS]))
        if hidden := shown.total - len(shown.rows[:FEW_ROWS]):
            yield f"*and {hidden:,} more*"
    elif isinstance(shown, Contrast):
        yield f"{'#' * level} {_text(shown.title)}"
        header = ("", *shown.columns)
        yield _table(header, ([row.name, *row.cells] for row in shown.rows[:FEW_ROWS]), bold=_marked(shown))
        if shown.meaning:
            yield f"*{_text(shown.meaning.replace('Marked', 'Bold'))}*"
        if hidden := shown.total - len(shown.rows[:FEW_ROWS]):
            yield f"*and {hidden:,} more*"
    elif isinstance(shown, Excerpt):
        yield f"{'#' * level} {_text(shown.title)}"
        # An indented block cannot be closed from within, as a fence could.
        yield "\n".join(f"    {number:>5}  {printable(line)}" for number, line in enumerate(shown.lines, shown.start))


def _marked(shown: Contrast) -> list[tuple[bool, ...]]:
    return [(False, *row.marked) for row in shown.rows]


def _cell(value: str | float | None) -> str:
    return wording.number(value) if value is not None else ""


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, bold: Sequence[Sequence[bool]] | None = None
) -> str:
    lines = [_row(_text(name) for name in columns), _row("---" for _ in columns)]
    for number, row in enumerate(rows):
        cells = [_text(cell) for cell in row]
        if bold is not None:
            cells = [f"**{cell}**" if cell and mark else cell for cell, mark in zip(cells, bold[number], strict=True)]
        lines.append(_row(cells))
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(text: str) -> str:
    """Text that is read and nothing else: on one line, every mark of Markdown and HTML escaped.

    A name like ``https://…`` would be linked by itself, and an ``@name`` would call somebody: both are broken up.
    """
    escaped = _NUMBERED.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", printable(" ".join(text.split()))))
    escaped = escaped.replace("\\&", "&amp;").replace("\\<", "&lt;").replace("\\>", "&gt;")
    return escaped.replace("://", ":&#8203;//").replace("@", "@&#8203;")

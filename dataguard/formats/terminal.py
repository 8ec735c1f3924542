"""The report for a terminal or a CI log."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from dataguard.core.finding import Finding, Measurement, Severity
from dataguard.core.report import Report, RuleRun, Status
from dataguard.core.text import printable
from dataguard.formats import wording

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

FEW_FIGURES = 5
FEW_PLACES = 5
MANY_PLACES = 1000
"""How many figures and places of a finding are shown, and how many places when asked for more."""

_SEVERITY_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold blue"}
_STATUS_STYLES = {"could not run": "bold red", "not run": "bold red"}


def render(
    report: Report,
    *,
    width: int = 80,
    color: bool = False,
    fail_on: Severity = Severity.ERROR,
    strict: bool = False,
    verbose: bool = False,
    written: Sequence[str | PurePath] = (),
) -> str:
    """The report as text, one trailing newline included.

    Names and messages are escaped by `printable`, so that a file name can neither colour nor clear a terminal.

    Args:
        report: What to show.
        width: Columns to wrap at.
        color: Whether to use ANSI colours. Without, structure is plain ASCII, for logs.
        fail_on: The least severity that fails the run.
        strict: Whether a rule without a conclusion fails the run.
        verbose: Whether to show every place, observation and option.
        written: Files that the report was written to.
    """
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        width=max(width, 20),
        force_terminal=color,
        color_system="standard" if color else None,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
        # Nothing of the environment: the caller has decided.
        _environ={},
    )
    writer = _Writer(console, verbose=verbose)
    writer.header(report)
    for finding in report.findings:
        writer.finding(finding, html=any(str(path).endswith(".html") for path in written))
    writer.passed(report)
    writer.unsettled(report)
    if verbose:
        writer.other_details(report)
    writer.summary(report, fail_on=fail_on, strict=strict, written=written)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    if color:
        return str(text)
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


class _Writer:
    def __init__(self, console: Console, *, verbose: bool) -> None:
        self.console = console
        self.verbose = verbose

    def text(self, *parts: str | tuple[str, str], indent: int = 0) -> None:
        """Wrapped text from strings and (string, style) pairs."""
        self.print(_text(*parts), indent=indent)

    def print(self, renderable: RenderableType, *, indent: int = 0) -> None:
        from rich.padding import Padding

        self.console.print(Padding(renderable, (0, 0, 0, indent)) if indent else renderable)

    def blank(self) -> None:
        self.console.print()

    def rows(self, rows: list[tuple[Any, ...]], *, indent: int, gap: int = 2, right: tuple[int, ...] = ()) -> None:
        """Aligned columns, of which the last one wraps."""
        from rich.table import Table

        grid = Table.grid(padding=(0, gap, 0, 0))
        for index in range(len(rows[0])):
            grid.add_column(
                justify="right" if index in right else "left",
                no_wrap=index not in (0, len(rows[0]) - 1),
                overflow="fold",
            )
        for row in rows:
            grid.add_row(*(_text(cell) if isinstance(cell, str) else cell for cell in row))
        self.print(grid, indent=indent)

    def header(self, report: Report) -> None:
        subject = report.subject
        self.text((subject.path, "bold"))
        classes = "" if subject.n_classes is None else f" in {wording.count(subject.n_classes, 'class', 'classes')}"
        rows = [
            (subject.kind, f"{subject.source}, version {subject.version_id[:12] or 'unknown'}"),
            ("samples", f"{subject.n_samples:,}{classes}"),
        ]
        if set(subject.splits) - {""}:
            splits = (f"{wording.split_name(split)} {n:,}" for split, n in subject.splits.items())
            rows.append(("splits", ", ".join(splits)))
        rows += [wording.fact(name, value) for name, value in subject.facts.items()]
        rows += [("note", note) for note in report.notes]
        rows.append(("dataguard", f"{report.tool_version}, {wording.moment(report.started_at)}"))
        self.rows([(_text((name, "dim")), value) for name, value in rows], indent=2)
        if report.partial:
            self.blank()
            self.text(
                ("INTERRUPTED", "bold red"),
                " The run was stopped before its end: what follows is true, and not all.",
            )

    def finding(self, finding: Finding, *, html: bool) -> None:
        style = _SEVERITY_STYLES[finding.severity]
        self.blank()
        self.text(
            (finding.severity.word.upper(), style),
            "  ",
            (f"{finding.code} {finding.name}", "bold"),
            (f"  ({wording.confidence(finding)})", "dim"),
        )
        self.text(wording.prose(finding.message), indent=2)
        if finding.measurements:
            self.blank()
            self.measurements(finding.measurements)
        if finding.locations:
            self.blank()
            self.places(finding, html=html)
        if finding.remedy:
            self.blank()
            self.rows([(_text(("fix", "bold green")), wording.prose(finding.remedy))], indent=2)

    def measurements(self, measurements: tuple[Measurement, ...], *, indent: int = 4) -> None:
        shown = measurements if self.verbose else wording.leading(measurements, FEW_FIGURES)[0][:FEW_FIGURES]
        rows: list[tuple[Any, ...]] = []
        for item in shown:
            compared = wording.comparison(item)
            if isinstance(item.value, str):
                # A value in words would widen the column of the numbers.
                rows.append((item.name, "", f"{item.value}, {compared}" if compared else item.value))
            else:
                rows.append((item.name, _text((wording.number(item.value, item.unit), "bold")), compared))
        if rows:
            self.rows(rows, indent=indent, right=(1,))
        if hidden := len(measurements) - len(shown):
            more = wording.count(hidden, "more figure")
            self.text((f"and {more} (--verbose, or another format)", "dim"), indent=indent)

    def places(self, finding: Finding, *, html: bool) -> None:
        shown = finding.locations[: MANY_PLACES if self.verbose else FEW_PLACES]
        for location in shown:
            self.rows([("-", wording.place(location))], indent=4, gap=1)
        if hidden := len(finding.locations) - len(shown):
            more = "the JSON report has them all" if self.verbose or not html else "the HTML report shows more"
            self.text((f"and {hidden:,} more ({more})", "dim"), indent=4)

    def passed(self, report: Report) -> None:
        runs = [run for run in report.runs if run.status is Status.PASSED]
        if not runs:
            return
        self.blank()
        self.text(("PASSED", "bold green"), f"  {wording.count(len(runs), 'rule')}")
        for run in runs:
            shown = run.observations if self.verbose else run.observations[:1]
            said = " ".join(wording.prose(observation.message) for observation in shown)
            self.rows([(run.code, _text((run.name, "bold"), f": {said or run.summary}"))], indent=2)
            if self.verbose:
                self.details(run)

    def details(self, run: RuleRun) -> None:
        for observation in run.observations:
            if observation.measurements:
                self.measurements(observation.measurements, indent=9)
        if run.options:
            options = ", ".join(f"{name} = {wording.setting(value)}" for name, value in run.options.items())
            self.text((f"options: {options}", "dim"), indent=9)

    def unsettled(self, report: Report) -> None:
        rows = wording.unsettled_runs(report)
        if not rows:
            return
        self.blank()
        self.text(("NOT DECIDED", "bold yellow"), "  neither passed nor failed")
        self.rows(
            [
                (
                    _text((word, _STATUS_STYLES.get(word, "yellow"))),
                    run.code,
                    _text((run.name, "bold"), f": {reason}"),
                )
                for word, run, reason in rows
            ],
            indent=2,
        )

    def other_details(self, report: Report) -> None:
        """Figures and options of the rules that did not pass; those of the others stand with them."""
        runs = [run for run in report.runs if run.status is not Status.PASSED and (run.observations or run.options)]
        if not runs:
            return
        self.blank()
        self.text(("ALSO MEASURED", "bold"))
        for run in runs:
            said = " ".join(wording.prose(observation.message) for observation in run.observations)
            self.rows([(run.code, _text((run.name, "bold"), f": {said}" if said else ""))], indent=2)
            self.details(run)

    def summary(self, report: Report, *, fail_on: Severity, strict: bool, written: Sequence[str | PurePath]) -> None:
        code, reason = wording.exit_reason(report, fail_on=fail_on, strict=strict)
        worst = next(report.findings, None)
        clean = "bold green" if code == 0 else "bold red"
        style = clean if worst is None else _SEVERITY_STYLES[worst.severity]
        self.blank()
        rows = [
            ("result", _text((wording.severities(report) or "no findings", style))),
            ("rules", wording.settled(report)),
            ("time", wording.duration(report.seconds)),
            ("exit", f"{int(code)}, {reason}"),
            *(("report", str(path)) for path in written),
        ]
        self.rows([(_text((name, "dim")), value) for name, value in rows], indent=0)


def _text(*parts: str | tuple[str, str]) -> Any:
    """Styled text in which nothing from outside can act: the one way by which text gets to the console."""
    from rich.text import Text

    text = Text(overflow="fold")
    for part in parts:
        content, style = (part, "") if isinstance(part, str) else part
        text.append(printable(content), style=style)
    return text

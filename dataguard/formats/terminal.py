"""The report for a terminal or a CI log."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from dataguard.core.exhibit import Contrast, Excerpt, Exhibit, HeatMap, OrderStrip, Reliability
from dataguard.core.finding import Edit, Finding, Measurement, Severity
from dataguard.core.report import Report, RuleRun, Status
from dataguard.core.text import printable
from dataguard.formats import plain_lines, strip, wording
from dataguard.formats.code_text import contrast_lines, excerpt_lines
from dataguard.formats.matrix import View, coloured, has_diagonal, largest_cells, view

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

FEW_FIGURES = 5
FEW_PLACES = 5
MANY_PLACES = 1000
"""How many figures and places of a finding are shown, and how many places when asked for more."""

FEW_CELLS = 5
MANY_CELLS = 20
"""How many cells of a heat map are named."""
MAPPED = 10
"""Up to so many rows and columns a heat map is drawn too."""

_SHADES = " .:*#"
_BLOCKS = " ░▒▓█"
"""How much of the largest number of a heat map a cell has, without and with colour."""

PURE = 0.9
"""Share from which a class has a batch nearly for itself."""
LETTERS = 26
"""So many of the most frequent classes of an order strip have a letter."""
_STRIP_STYLES = (
    "black on cyan",
    "black on yellow",
    "white on blue",
    "white on magenta",
    "black on green",
    "white on red",
)
"""They go round; the letter tells classes apart as well."""

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
    exported: Sequence[str] = (),
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
        exported: What else was written, and where, a text each.
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
    writer = _Writer(console, verbose=verbose, color=color)
    writer.header(report)
    for finding in report.findings:
        writer.finding(finding, html=any(str(path).endswith(".html") for path in written))
    writer.known(report)
    writer.undetermined(report)
    writer.passed(report)
    writer.unsettled(report)
    if verbose:
        writer.other_details(report)
    writer.summary(report, fail_on=fail_on, strict=strict, written=written, exported=exported)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    if color:
        return str(text)
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


class _Writer:
    def __init__(self, console: Console, *, verbose: bool, color: bool) -> None:
        self.console = console
        self.verbose = verbose
        self.color = color

    def text(self, *parts: str | tuple[str, str], indent: int = 0) -> None:
        """Wrapped text from strings and (string, style) pairs."""
        if not self.color:
            plain = "".join(printable(part if isinstance(part, str) else part[0]) for part in parts)
            if plain_lines.is_narrow(plain):
                self.lines(plain_lines.wrapped(plain, self.console.width - indent), indent=indent)
                return
        self.print(_text(*parts), indent=indent)

    def print(self, renderable: RenderableType, *, indent: int = 0) -> None:
        from rich.padding import Padding

        self.console.print(Padding(renderable, (0, 0, 0, indent)) if indent else renderable)

    def lines(self, lines: Sequence[str], *, indent: int) -> None:
        """Lines as they are, past the console, which takes ten times as long."""
        self.console.file.write("".join(f"{' ' * indent}{line}\n" for line in lines))

    def blank(self) -> None:
        self.console.file.write("\n")

    def rows(self, rows: list[tuple[Any, ...]], *, indent: int, gap: int = 2, right: tuple[int, ...] = ()) -> None:
        """Aligned columns, of which the last one wraps."""
        if not self.color:
            cells = [[printable(cell) if isinstance(cell, str) else cell.plain for cell in row] for row in rows]
            if all(plain_lines.is_narrow(cell) for row in cells for cell in row):
                made = plain_lines.columns(cells, self.console.width - indent, gap=gap, right=right)
                if made is not None:
                    self.lines(made, indent=indent)
                    return
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
        for shown in report.overview:
            if isinstance(shown, Contrast):
                self.contrast(shown)
        classes = "" if subject.n_classes is None else f" in {wording.count(subject.n_classes, 'class', 'classes')}"
        rows = [
            (subject.kind, wording.source(subject)),
            *([("samples", f"{subject.n_samples:,}{classes}")] if subject.has_samples else []),
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
            word, said = "INTERRUPTED", "The run was stopped before its end: what follows is true, and not all"
            if report.ended_by:
                word, said = "ENDED EARLY", report.ended_by[:1].upper() + report.ended_by[1:]
            self.text((word, "bold red"), f" {said}.")

    def contrast(self, shown: Contrast) -> None:
        self.blank()
        for line in contrast_lines(shown, self.console.width):
            self.text(*line)
        if shown.meaning:
            self.text((shown.meaning, "dim"))
        if left_out := shown.total - len(shown.rows):
            self.text((f"and {left_out:,} more (the JSON report has them all)", "dim"))
        self.blank()

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
        self.exhibits(finding.exhibits, indent=4)
        if finding.locations:
            self.blank()
            self.places(finding, html=html)
        if finding.remedy:
            self.blank()
            self.rows([(_text(("fix", "bold green")), wording.prose(finding.remedy))], indent=2)
        if finding.edits:
            self.edits(finding.edits)

    def edits(self, edits: tuple[Edit, ...]) -> None:
        shown = edits if self.verbose else edits[:FEW_PLACES]
        self.text(("can be made by --fix:", "dim"), indent=4)
        for edit in shown:
            where = f"{edit.path}:{edit.line}" if edit.old else edit.path
            new = " ".join(edit.new.split())
            old = (f"{edit.old} → ", "red") if edit.old else ("add: ", "red")
            self.text(f"{where}  ", old, (new if len(new) < 160 else f"{new[:150]} …", "green"), indent=4)
        if hidden := len(edits) - len(shown):
            self.text((f"and {hidden:,} more", "dim"), indent=4)

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

    def exhibits(self, exhibits: Sequence[Exhibit], *, indent: int) -> None:
        """Those that can be said in a few lines; the others are for formats that show pictures."""
        for shown in exhibits:
            if isinstance(shown, HeatMap):
                self.heat_map(shown, indent=indent)
            elif isinstance(shown, Reliability):
                self.reliability(shown, indent=indent)
            elif isinstance(shown, OrderStrip):
                self.order_strip(shown, indent=indent)
            elif isinstance(shown, Excerpt):
                self.blank()
                for line in excerpt_lines(shown, self.console.width - indent):
                    self.text(*line, indent=indent)

    def heat_map(self, shown: HeatMap, *, indent: int) -> None:
        cells = largest_cells(shown, MANY_CELLS if self.verbose else FEW_CELLS)
        if not cells:
            return
        arrow = "→" if self.color else "->"
        of = has_diagonal(shown) and shown.unit == "share"
        self.blank()
        self.text((f"{shown.title} ({shown.row_axis} {arrow} {shown.column_axis})", "dim"), indent=indent)
        rows: list[tuple[Any, ...]] = []
        for cell in cells:
            about = "" if cell.count is None else f"about {wording.about(cell.count)}"
            words = [f"of {shown.row_axis} {cell.row}" if of else "", about]
            number = wording.cell(cell.value, shown.unit)
            rows.append((f"{cell.row} {arrow} {cell.column}", _text((number, "bold")), ", ".join(filter(None, words))))
        self.rows(rows, indent=indent, right=(1,))
        part = view(shown, MAPPED)
        # Of two classes the lines say all.
        if not part.rows_left_out and not part.columns_left_out and len(part.columns) > 2:
            self.shaded(shown, part, indent=indent)

    def shaded(self, shown: HeatMap, part: View, *, indent: int) -> None:
        """A heat map as shaded blocks, with a letter for every name that is no letter itself."""
        rows, columns = ([printable(name) for name in names] for names in (shown.rows, shown.columns))
        brief = max(map(len, [*rows, *columns])) <= 2
        square = has_diagonal(shown)
        keys = columns if brief else [chr(ord("a") + place) for place in range(len(columns))]
        names = [f"{key} {name}" for key, name in zip(keys, rows, strict=True)] if square and not brief else rows
        longest = min(max(map(len, [*names, shown.row_axis])), 24)
        shades = _BLOCKS if self.color else _SHADES
        lines = [f"{shown.row_axis:<{longest}}  {' '.join(f'{key:<2}' for key in keys)}  {shown.column_axis}"]
        for row, name in enumerate(names):
            drawn = []
            for column in range(len(columns)):
                # As in the other formats by the square root, and never blank where there is something.
                strength = math.sqrt(coloured(shown, row, column) / part.top)
                drawn.append("\\ " if square and row == column else 2 * shades[math.ceil(4 * strength - 1e-9)])
            lines.append(f"{name[:longest]:<{longest}}  {' '.join(drawn)}")
        if not square and not brief:
            lines.append(", ".join(f"{key} {name}" for key, name in zip(keys, columns, strict=True)))
        self.blank()
        for line in lines:
            self.text(line, indent=indent)
        scale = ", ".join(
            f"{2 * shades[level]} to {wording.cell(part.top * (level / 4) ** 2, shown.unit)}" for level in range(1, 5)
        )
        self.text((scale, "dim"), indent=indent)

    def order_strip(self, shown: OrderStrip, *, indent: int) -> None:
        if not shown.columns or not shown.classes:
            return
        sums = strip.totals(shown)
        frequent = sorted(range(len(sums)), key=lambda index: (-sums[index], index))[:LETTERS]
        # In the classes' own order, so that sorted labels read as A, B, C.
        letters = {index: chr(ord("A") + place) for place, index in enumerate(sorted(frequent))}
        self.blank()
        self.text((shown.title, "dim"), indent=indent)
        self.text(" ".join(wording.order(shown)), indent=indent)
        parts: list[str | tuple[str, str]] = []
        for group in strip.grouped(shown, max(10, self.console.width - indent - 2)):
            letter = "." if group.leader is None else letters.get(group.leader, "*")
            # A capital where the class has nearly all, so that a run does not look like a mere majority.
            text = letter if group.share >= PURE else letter.lower()
            style = _STRIP_STYLES[(ord(letter) - ord("A")) % len(_STRIP_STYLES)] if letter.isalpha() else ""
            parts.append((text, style) if self.color and style else text)
        self.text(*parts, indent=indent)
        whole = max(1, sum(sums))
        named = [
            f"{letters[index]} = {shown.classes[index]} ({wording.cell(sums[index] / whole, 'share')})"
            for index in sorted(frequent)
        ]
        if len(sums) > len(letters):
            named.append(f"* = {wording.count(len(sums) - len(letters), 'other')}")
        self.text(
            (f"{', '.join(named)}; capital: at least {wording.number(PURE, 'share')} of it", "dim"), indent=indent
        )

    def reliability(self, shown: Reliability, *, indent: int) -> None:
        if not shown.bins:
            return
        self.text(" ".join(wording.calibration(shown)), indent=indent)
        if not self.verbose:
            return
        self.rows(
            [
                ("predicted", "observed", "n", f"interval ({wording.number(shown.level, 'share')})"),
                *(
                    (
                        wording.cell(item.predicted, "share"),
                        _text((wording.cell(item.observed, "share"), "bold")),
                        f"{item.n:,}",
                        f"{wording.cell(item.low, 'share')} to {wording.cell(item.high, 'share')}",
                    )
                    for item in shown.bins
                ),
            ],
            indent=indent,
            right=(0, 1, 2),
        )

    def places(self, finding: Finding, *, html: bool) -> None:
        shown = finding.locations[: MANY_PLACES if self.verbose else FEW_PLACES]
        for location in shown:
            self.rows([("-", wording.place(location))], indent=4, gap=1)
        if hidden := len(finding.locations) - len(shown):
            more = "the JSON report has them all" if self.verbose or not html else "the HTML report shows more"
            self.text((f"and {hidden:,} more ({more})", "dim"), indent=4)

    def known(self, report: Report) -> None:
        lines = wording.known(report)
        if not lines:
            return
        self.blank()
        self.text(("KNOWN", "bold blue"), "  the baseline has them: they do not count")
        self.rows([("-", line) for line in lines], indent=2)

    def undetermined(self, report: Report) -> None:
        groups: dict[tuple[str, str, str], dict[str, list[str]]] = {}
        for item in report.undetermined:
            place = "" if item.path is None else item.path + ("" if item.line is None else f":{item.line}")
            reasons = groups.setdefault((item.of, place, item.command), {})
            reasons.setdefault(item.reason, []).append(item.field)
        if not groups:
            return
        self.blank()
        self.text(("UNDETERMINED", "bold yellow"), "  what cannot be told from what was looked at")
        for (of, place, command), reasons in groups.items():
            where = f" ({place})" if place and place not in of else ""
            self.text((of, "bold"), where, indent=2)
            rows = [(", ".join(fields), f"because {wording.prose(reason)}") for reason, fields in reasons.items()]
            self.rows([(_text((name, "dim")), said) for name, said in rows], indent=4)
            if command:
                self.rows([(_text(("settle it", "bold green")), command)], indent=4)

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
        above = [shown for finding in run.findings for shown in finding.exhibits]
        for observation in run.observations:
            if observation.measurements:
                self.measurements(observation.measurements, indent=9)
            self.exhibits([shown for shown in observation.exhibits if shown not in above], indent=9)
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

    def summary(
        self,
        report: Report,
        *,
        fail_on: Severity,
        strict: bool,
        written: Sequence[str | PurePath],
        exported: Sequence[str],
    ) -> None:
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
            *(("export", text) for text in exported),
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

"""The report as one HTML file: no script, no network, pictures inside.

Its content security policy allows data URIs as pictures and its own style sheet by hash, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import PurePath

from dataguard.core.exhibit import Contrast, Exhibit
from dataguard.core.finding import Finding, Location, Severity
from dataguard.core.report import CONCLUDED, Report, RuleRun, Status
from dataguard.formats import html_code, html_known, wording
from dataguard.formats import html_graphics as graphics
from dataguard.formats.html_exhibits import exhibit
from dataguard.formats.html_figures import measurements_shown, options_shown, pair, settings_shown
from dataguard.formats.html_tables import table_parts
from dataguard.formats.markup import Child, Element, element, style, write
from dataguard.formats.pictures import Album

PICTURE_BUDGET = 16_000_000
"""Bytes that all pictures of a report may have together: what a mail server still lets through."""


_GLANCE = 8
"""How many findings are named at the very top."""

_FEW_PLACES = 8
"""Up to so many places are listed openly where no exhibit shows them."""


def render(
    report: Report,
    *,
    fail_on: Severity = Severity.ERROR,
    strict: bool = False,
    picture_budget: int = PICTURE_BUDGET,
    confined: bool = False,
) -> str:
    """The report as an HTML document.

    Pictures are read from the dataset now; one that is missing or damaged is replaced by the reason.

    Args:
        report: What to show.
        fail_on: The least severity that fails the run.
        strict: Whether a rule without a conclusion fails the run.
        picture_budget: How many bytes all pictures may have together; the page says so where it was reached.
        confined: Whether the report may be a stranger's, so that no picture from outside its root is read.
    """
    album = Album(report.subject.root, budget=picture_budget, confined=confined, version_id=report.subject.version_id)
    page = _Page(report, album, fail_on=fail_on, strict=strict)
    body = page.body()
    sheet, allowed = style(resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8"))
    policy = f"default-src 'none'; img-src data:; style-src {allowed}; base-uri 'none'; form-action 'none'"
    document = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=policy),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("meta", name="referrer", content="no-referrer"),
            element("meta", name="generator", content=f"dataguard {report.tool_version}"),
            element("title", f"{page.verdict} - dataguard"),
            # Without it a browser asks the server for /favicon.ico.
            element("link", rel="icon", href="data:,"),
            sheet,
        ),
        body,
        lang="en",
    )
    return "<!DOCTYPE html>\n" + write(document)


class _Page:
    def __init__(self, report: Report, album: Album, *, fail_on: Severity, strict: bool) -> None:
        self.report = report
        self.album = album
        self.fail_on = fail_on
        self.strict = strict
        self.findings = list(report.findings)
        self.anchors = {id(finding): f"finding-{index}" for index, finding in enumerate(self.findings, start=1)}

    def body(self) -> Element:
        main = element(
            "main",
            self.rules_at_a_glance(),
            self.contrasts(),
            self.found(),
            self.overview(),
            html_code.undetermined(self.report.undetermined),
            html_known.known(self.report),
            self.undecided(),
            self.passed(),
            self.settings(),
        )
        # The notice comes first on the page and is known last.
        return element("body", element("div", self.header(), self.notice(), main, self.footer(), class_="page"))

    # --- the top

    @property
    def name(self) -> str:
        subject = self.report.subject
        # Two paths of a picture are named by two files.
        return subject.path if subject.kind == "preprocessing" else PurePath(subject.path).name or subject.path

    @property
    def verdict(self) -> str:
        if self.report.partial:
            found = wording.severities(self.report)
            ended = "ended early" if self.report.ended_by else "was interrupted"
            return f"The check of {self.name} {ended}" + (f": {found} so far" if found else "")
        if self.findings:
            return f"{wording.severities(self.report)} in {self.name}"
        if not any(run.status in CONCLUDED for run in self.report.runs):
            return f"Nothing was checked in {self.name}"
        if crashed := self.report.count(Status.CRASHED):
            return f"No defect was found in {self.name}, but {wording.count(crashed, 'rule')} could not run"
        return f"No defect was found in {self.name}"

    @property
    def _tone(self) -> str:
        if self.findings:
            return self.findings[0].severity.word
        code, _ = wording.exit_reason(self.report, fail_on=self.fail_on, strict=self.strict)
        return "passed" if code == 0 else "undecided" if not self.report.count(Status.CRASHED) else "crashed"

    def header(self) -> Element:
        report, subject = self.report, self.report.subject
        code, reason = wording.exit_reason(report, fail_on=self.fail_on, strict=self.strict)
        return element(
            "header",
            element(
                "p",
                "dataguard report on " + ("a " if subject.has_samples else "") + subject.kind,
                class_="kicker",
            ),
            element("h1", graphics.mark(self._tone), " ", self.verdict, class_=f"tone-{self._tone}"),
            element("p", f"{wording.settled(report)}. Exit code {int(code)}: {reason}.", class_="lede"),
            self.findings_at_a_glance(),
            element("dl", [pair(term, value) for term, value in self.facts()], class_="facts"),
            class_="top",
        )

    def findings_at_a_glance(self) -> Element | None:
        if not self.findings:
            return None
        lines = []
        for finding in self.findings[:_GLANCE]:
            tone = finding.severity.word
            link = element(
                "a",
                element(
                    "span", graphics.mark(tone), element("span", f"{tone}: ", class_="hidden"), class_=f"tone-{tone}"
                ),
                element("span", wording.prose(finding.message)),
                href=f"#{self.anchors[id(finding)]}",
            )
            lines.append(element("li", link))
        if (more := len(self.findings) - _GLANCE) > 0:
            lines.append(element("li", element("a", f"and {more:,} more", href="#findings")))
        return element("ul", lines, class_="glance")

    def facts(self) -> list[tuple[str, Child]]:
        report, subject = self.report, self.report.subject
        facts: list[tuple[str, Child]] = [("samples", f"{subject.n_samples:,}")] if subject.has_samples else []
        if subject.n_classes is not None:
            facts.append(("classes", f"{subject.n_classes:,}"))
        if set(subject.splits) - {""}:
            facts.append(
                ("splits", ", ".join(f"{wording.split_name(name)} {n:,}" for name, n in subject.splits.items()))
            )
        facts += [wording.fact(name, value) for name, value in subject.facts.items()]
        version: list[tuple[str, Child]] = []
        if subject.kind == "dataset":
            version.append(("version", element("code", subject.version_id[:16] or "unknown", title=subject.version_id)))
        facts += [
            *(("note", note) for note in self.report.notes),
            ("source", subject.source),
            ("path", element("code", subject.path)),
            *version,
            ("checked", f"{wording.moment(report.started_at)}, in {wording.duration(report.seconds)}"),
        ]
        return facts

    def notice(self) -> Element | None:
        texts = []
        if self.report.partial:
            said = self.report.ended_by or "the run was interrupted before its end: what is here is true, and not all"
            texts.append(f"{said[:1].upper()}{said[1:]}.")
        if self.album.n_left_out:
            texts.append(
                f"{wording.count(self.album.n_left_out, 'picture')} left out, so that this file stays small; "
                "the worst samples have theirs."
            )
        return element("div", [element("p", text) for text in texts], class_="notice") if texts else None

    def rules_at_a_glance(self) -> Element | None:
        if not self.report.runs:
            return None
        chips = []
        for run in self.report.runs:
            kind, word = _kind(run)
            target = self.anchors[id(run.findings[0])] if run.findings else f"rule-{run.code}"
            link = element(
                "a",
                graphics.mark(kind),
                element("span", run.code, class_="code"),
                element("span", f" {run.name}: {word}", class_="hidden"),
                href=f"#{target}",
                title=f"{run.name}: {word}",
                class_=f"chip tone-{kind}",
            )
            chips.append(element("li", link))
        return element("nav", element("ul", chips, class_="chips"), aria_label="All rules, with what became of each")

    # --- findings

    def found(self) -> Element | None:
        if not self.findings:
            return None
        runs = {id(finding): run for run in self.report.runs for finding in run.findings}
        return element(
            "section",
            element("h2", "Findings"),
            [self.finding(finding, runs[id(finding)]) for finding in self.findings],
            id="findings",
        )

    def finding(self, finding: Finding, run: RuleRun) -> Element:
        tone = finding.severity.word
        heading = element(
            "h3",
            element("span", graphics.mark(tone), f" {tone}", class_=f"badge tone-{tone}"),
            " ",
            element("span", finding.code, class_="code"),
            " ",
            element("span", finding.name),
            class_="rule",
        )
        return element(
            "article",
            element("header", heading, element("p", wording.confidence(finding), class_="confidence")),
            element("p", wording.prose(finding.message), class_="message"),
            element("p", element("strong", "What to do: "), wording.prose(finding.remedy), class_="remedy")
            if finding.remedy
            else None,
            measurements_shown(finding.measurements, f"Figures of {finding.code}"),
            [exhibit(shown, self.album, level=4) for shown in finding.exhibits],
            self.edits(finding),
            self.places(finding),
            self.background(run, finding),
            class_=f"finding tone-{tone}",
            id=self.anchors[id(finding)],
        )

    def edits(self, finding: Finding) -> Element | None:
        if not finding.edits:
            return None
        title = f"What --fix changes: {wording.count(len(finding.edits), 'place')}"
        rows: list[list[str | int | float | None]] = [
            [edit.path, edit.line if edit.old else None, edit.old or None, edit.new] for edit in finding.edits
        ]
        parts = table_parts(f"Changes of {finding.code}", ["file", "line", "now", "then"], rows, total=len(rows))
        return element("details", element("summary", title), parts, class_="places")

    def places(self, finding: Finding) -> Element | None:
        if not finding.locations:
            return None
        columns, rows = _place_rows(finding.locations)
        title = f"Where: {wording.count(len(finding.locations), 'place')}"
        parts = table_parts(f"Places of {finding.code}", columns, rows, total=len(rows))
        few = len(rows) <= _FEW_PLACES and not finding.exhibits
        return element("details", element("summary", title), parts, class_="places", open="" if few else None)

    def background(self, run: RuleRun, finding: Finding) -> Element:
        return element(
            "details",
            element("summary", "How it was decided"),
            element("p", run.summary),
            self.observations(run, level=4, but=finding.exhibits),
            options_shown(run),
            element("p", "Fingerprint for a baseline: ", element("code", finding.fingerprint), class_="note"),
        )

    def observations(self, run: RuleRun, *, level: int, but: Sequence[Exhibit] = ()) -> list[Child]:
        """What a rule measured, without the exhibits in `but`, which stand above already."""
        return [
            element(
                "div",
                element("p", wording.prose(observation.message)),
                measurements_shown(observation.measurements, f"Figures of {run.code}"),
                [exhibit(shown, self.album, level=level) for shown in observation.exhibits if shown not in but],
                class_="observation",
            )
            for observation in run.observations
        ]

    # --- the rest

    def contrasts(self) -> Element | None:
        """What is to be seen before any finding: the table that the findings are about."""
        shown = [item for item in self.report.overview if isinstance(item, Contrast)]
        cards = [element("div", exhibit(item, self.album, level=2), class_="card") for item in shown]
        return element("section", cards, id="contrast") if cards else None

    def overview(self) -> Element | None:
        shown = [item for item in self.report.overview if not isinstance(item, Contrast)]
        if not shown:
            return None
        return element(
            "section",
            element(
                "h2",
                {"repository": "The paths", "lock": "The result", "training": "The runs"}.get(
                    self.report.subject.kind, "The data"
                ),
            ),
            [element("div", exhibit(item, self.album, level=3), class_="card") for item in shown],
            id="data",
        )

    def undecided(self) -> Element | None:
        rows = wording.unsettled_runs(self.report)
        if not rows:
            return None
        entries = []
        for word, run, reason in rows:
            kind = "crashed" if run.status in (Status.CRASHED, Status.NOT_RUN) else "undecided"
            figures = [item for inconclusive in run.inconclusive for item in inconclusive.measurements]
            more: list[Child] = [measurements_shown(figures, f"Figures of {run.code}")]
            if run.status not in CONCLUDED:
                more += [*self.observations(run, level=3), options_shown(run)]
            entries.append(
                element(
                    "li",
                    element(
                        "p",
                        element("span", graphics.mark(kind), f" {word}", class_=f"badge tone-{kind}"),
                        " ",
                        element("span", run.code, class_="code"),
                        " ",
                        element("strong", run.name),
                        class_="rule",
                    ),
                    element("p", reason),
                    element("details", element("summary", "Figures and options"), more)
                    if any(part is not None for part in more)
                    else None,
                    # A rule that decided in part has its anchor where the rest of it is.
                    id=f"rule-{run.code}" if run.status not in CONCLUDED else None,
                )
            )
        return element(
            "section",
            element("h2", "Not decided"),
            element("p", "These rules neither passed nor failed.", class_="note"),
            element("ul", entries, class_="undecided"),
            id="undecided",
        )

    def passed(self) -> Element | None:
        runs = [run for run in self.report.runs if run.status is Status.PASSED]
        if not runs:
            return None
        entries = []
        for run in runs:
            said = " ".join(wording.prose(observation.message) for observation in run.observations)
            entries.append(
                element(
                    "details",
                    element(
                        "summary",
                        element("span", graphics.mark("passed"), " passed", class_="badge tone-passed"),
                        " ",
                        element("span", run.code, class_="code"),
                        element("strong", f" {run.name} "),
                        element("span", said or run.summary, class_="said"),
                    ),
                    element("p", run.summary),
                    [measurements_shown(item.measurements, f"Figures of {run.code}") for item in run.observations],
                    [exhibit(shown, self.album, level=3) for item in run.observations for shown in item.exhibits],
                    options_shown(run),
                    id=f"rule-{run.code}",
                )
            )
        return element("section", element("h2", "Passed"), element("div", entries, class_="passed"), id="passed")

    def settings(self) -> Element:
        return element(
            "section",
            element("h2", "How this was made"),
            settings_shown("Configuration", self.report.configuration),
            settings_shown("Environment", self.report.environment),
            id="settings",
        )

    def footer(self) -> Element:
        return element(
            "footer",
            element(
                "p",
                f"Made by dataguard {self.report.tool_version}. This file needs no other; the JSON report "
                f"(schema {self.report.schema_version}) says the same to programs.",
            ),
        )


def _kind(run: RuleRun) -> tuple[str, str]:
    """Which mark a rule has at a glance, and the word for it."""
    if run.findings:
        worst = max(finding.severity for finding in run.findings)
        return worst.word, wording.count(len(run.findings), "finding")
    if run.status is Status.PASSED:
        return "passed", "passed"
    kind = "crashed" if run.status in (Status.CRASHED, Status.NOT_RUN) else "undecided"
    return kind, wording.STATUS_WORDS[run.status]


def _place_rows(locations: Sequence[Location]) -> tuple[list[str], list[list[str | int | float | None]]]:
    """Locations as a table with only the columns that say something."""
    same = all(location.path == location.sample_id or location.sample_id is None for location in locations)
    columns: list[tuple[str, list[str | int | float | None]]] = [
        ("file", [location.path for location in locations]),
        ("line", [location.line for location in locations]),
        ("sample", [None if same else location.sample_id for location in locations]),
        ("column", [location.column for location in locations]),
        ("split", [location.split for location in locations]),
        ("class", [location.label for location in locations]),
        ("compared with", [", ".join(location.related) or None for location in locations]),
        ("what", [location.note or None for location in locations]),
    ]
    used = [(name, cells) for name, cells in columns if any(cell is not None for cell in cells)]
    return [name for name, _ in used], [[cells[index] for _, cells in used] for index in range(len(locations))]

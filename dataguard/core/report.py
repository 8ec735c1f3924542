"""The report: what was checked, by which rule with which options, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from dataguard.core import notebook
from dataguard.core.errors import ExitCode
from dataguard.core.exhibit import Exhibit
from dataguard.core.finding import Finding, Inconclusive, Observation, Severity
from dataguard.core.ranking import JudgedSample, Ranking

SCHEMA_VERSION = "1"
ABOUT_THE_RUN = "DG90"
"""How codes begin of the rules that are about a run itself: unused ignores, rules that crashed."""


class Status(Enum):
    """What became of a rule in one run."""

    PASSED = "passed"
    """It decided, and found nothing."""
    FOUND = "found"
    """It decided, and found something."""
    INCONCLUSIVE = "inconclusive"
    """It ran, and cannot decide. Not a pass."""
    SKIPPED = "skipped"
    """An input was not there. Not a pass."""
    IGNORED = "ignored"
    """The configuration ignores it and says why: it does not count, whatever it found."""
    KNOWN = "known"
    """It decided, and all that it found is in the baseline."""
    CRASHED = "crashed"
    """It failed; the fault is dataguard's, or the system's."""
    NOT_RUN = "not-run"
    """The run was interrupted before it."""


CONCLUDED = frozenset({Status.PASSED, Status.FOUND, Status.KNOWN})
"""The states in which a rule came to a conclusion."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleRun:
    """One rule's part in a run."""

    code: str
    """``DG`` and three digits."""
    name: str
    """The defect in kebab case."""
    summary: str
    """The defect in one sentence."""
    severity: Severity
    """What its findings have unless one says otherwise."""
    status: Status
    """What became of it."""
    reason: str = ""
    """Why it was skipped, ignored, inconclusive or crashed."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Every option with the value it ran with."""
    findings: tuple[Finding, ...] = ()
    """The defects that it found."""
    known: tuple[Finding, ...] = ()
    """Those that do not count: a baseline has them, or the configuration ignores the rule."""
    observations: tuple[Observation, ...] = ()
    """What it measured, also where it found nothing."""
    inconclusive: tuple[Inconclusive, ...] = ()
    """What it could not decide; it may have decided the rest."""
    seconds: float = 0.0
    """How long it ran."""
    subject: str = ""
    """What it looked at, in a report that joins several; '' for the report's own subject."""

    @property
    def is_about_the_run(self) -> bool:
        """Whether the rule is about dataguard itself, so that its pass says nothing of what was checked."""
        return self.code.startswith(ABOUT_THE_RUN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What was checked."""

    kind: str
    """'dataset', or 'loader', 'code' or 'preprocessing' where no dataset was named; 'repository' or 'lock' for the
    other jobs; 'jobs' for a report that joins several."""
    path: str
    """What was checked: the absolute path of a folder or of a file, or the name of a loader."""
    root: str
    """The absolute folder that every path of the report is relative to."""
    source: str = ""
    """The kind of source: 'folder', 'table', …; of a loader its class."""
    version_id: str = ""
    """The dataset version: the root of the Merkle tree over (key, content, label); '' for a loader."""
    n_samples: int = 0
    """How many samples there are, unreadable ones included."""
    splits: Mapping[str, int] = field(default_factory=dict)
    """How many samples each split has; the key '' stands for samples without a split."""
    n_classes: int | None = None
    """How many classes there are; None where there are no labels."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Other figures worth showing: bytes, kinds of file, image sizes."""

    @property
    def has_samples(self) -> bool:
        """Whether it is something that has samples, and can be counted: a dataset, or a loader."""
        return self.kind in ("dataset", "loader")


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """Something of a form of its own that a run read or made, for programs: a preprocessing path of a repository."""

    kind: str
    """What it is, and the version of its form: 'pipeline.v1' is described by ``schemas/pipeline.v1.schema.json``."""
    name: str
    """What it is called."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What is known of it beside its content: its role, and where it is."""
    content: Mapping[str, Any]
    """The document itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Undetermined:
    """Something that could not be told, and what would settle it. It is neither a finding nor a pass."""

    of: str
    """What it is a property of, as the name of a preprocessing path."""
    field: str
    """Which property."""
    reason: str
    """Why it is open: what stands after 'because'."""
    path: str | None = None
    """The file, relative to the report's ``subject.root``."""
    line: int | None = None
    """From 1."""
    command: str = ""
    """A command line that would settle it; '' where there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything that one run says. Formats render it, and nothing but it."""

    subject: Subject
    """What was checked."""
    runs: tuple[RuleRun, ...]
    """Every rule that was selected, by code."""
    tool_version: str
    """The version of dataguard."""
    started_at: str
    """UTC, ISO 8601."""
    seconds: float
    """How long the run took."""
    configuration: Mapping[str, Any]
    """Where the configuration came from, and every setting with the value in force."""
    environment: Mapping[str, str]
    """Versions of Python and of the packages that the figures depend on."""
    overview: tuple[Exhibit, ...] = ()
    """What to see of the data before any finding."""
    documents: tuple[Document, ...] = ()
    """What was read or made that has a form of its own."""
    undetermined: tuple[Undetermined, ...] = ()
    """What could not be told, with what would settle it."""
    notes: tuple[str, ...] = ()
    """What was guessed, and what could not be used, as a cache; nothing of it is a finding."""
    partial: bool = False
    """The run ended early: what is here is true and not all."""
    ended_by: str = ""
    """Why it ended early, as that the loader raised, where, and what; '' where it was interrupted, or did not."""
    schema_version: str = SCHEMA_VERSION
    """The version of this form of the report."""

    def __repr__(self) -> str:
        """What was checked and what came of it, in a line; the fields hold pictures and thousands of places."""
        found = Counter(finding.severity.word for run in self.runs for finding in run.findings)
        statuses = Counter(run.status.value for run in self.runs)
        plurals = {Severity.ERROR: "errors", Severity.WARNING: "warnings", Severity.INFO: "info"}
        figures = [
            f"{found[severity.word]} {severity.word if found[severity.word] == 1 else plurals[severity]}"
            for severity in sorted(Severity, reverse=True)
            if found[severity.word]
        ]
        ended = [f"{statuses[status.value]} {status.value}" for status in Status if statuses[status.value]]
        partial = ", partial" if self.partial else ""
        return (
            f"<Report of {self.subject.kind} {self.subject.path}: "
            f"{', '.join(figures) or 'no findings'}; rules: {', '.join(ended) or 'none'}{partial}>"
        )

    def _repr_html_(self) -> str | None:
        """The report for a notebook."""
        return notebook.shown(self)

    @property
    def findings(self) -> Iterator[Finding]:
        """Every finding, worst first, then by code."""
        everything = [finding for run in self.runs for finding in run.findings]
        return iter(sorted(everything, key=lambda finding: (-finding.severity, finding.code)))

    @property
    def known(self) -> Iterator[Finding]:
        """Every finding that a baseline has, worst first, then by code; those of ignored rules are not among them."""
        everything = [finding for run in self.runs if run.status is not Status.IGNORED for finding in run.known]
        return iter(sorted(everything, key=lambda finding: (-finding.severity, finding.code)))

    @property
    def rankings(self) -> tuple[Ranking, ...]:
        """Every sample that a rule judged, one ranking a rule; empty where none did, and in a report read from JSON."""
        observations = (observation for run in self.runs for observation in run.observations)
        return tuple(item.ranking for item in observations if item.ranking is not None)

    def suspicious(self) -> list[JudgedSample]:
        """The samples whose label a rule takes for wrong, worst first; `rankings` have the others too.

        Raises:
            LookupError: no rule judged the samples: it was skipped or not selected, or the report was read from JSON.
        """
        if not self.rankings:
            raise LookupError("no rule judged the samples' labels, or this report was read from JSON")
        found = [sample for ranking in self.rankings for sample in ranking if sample.is_error]
        return sorted(found, key=lambda sample: sample.score)

    def count(self, status: Status) -> int:
        """How many rules ended in `status`."""
        return sum(run.status is status for run in self.runs)

    def exit_code(self, *, fail_on: Severity = Severity.ERROR, strict: bool = False) -> ExitCode:
        """The exit code that CI sees.

        Args:
            fail_on: The least severity that fails the run.
            strict: Whether a skipped or inconclusive rule fails the run with 2.
        """
        if any(run.status is Status.CRASHED for run in self.runs) or self.partial:
            return ExitCode.FAILED
        if any(finding.severity >= fail_on for finding in self.findings):
            return ExitCode.FOUND
        unsettled = {Status.SKIPPED, Status.INCONCLUSIVE}
        if strict and any(run.status in unsettled for run in self.runs):
            return ExitCode.FAILED
        if not any(run.status in CONCLUDED and not run.is_about_the_run for run in self.runs):
            return ExitCode.NOTHING_CHECKED
        return ExitCode.CLEAN

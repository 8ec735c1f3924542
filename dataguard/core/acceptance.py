"""What a run was told to accept, and what came of that: ignores, a baseline, and rules that crashed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from dataguard.core.baseline import GoneEntry
from dataguard.core.report import RuleRun


@dataclass(frozen=True, kw_only=True, slots=True)
class IgnoreUse:
    """One ignore of the configuration or of a comment, and what it hid in a run."""

    selector: str
    """The code, prefix or name that it says."""
    reason: str
    """Why, as the configuration says it."""
    until: dt.date | None = None
    """The last day on which it holds; None for ever."""
    expired: bool = False
    """Whether that day is over, so that it hides nothing."""
    rules: tuple[str, ...] = ()
    """Codes of the rules of this run that it means."""
    undecided: tuple[str, ...] = ()
    """Those of them that came to no conclusion, so that nobody knows what it would hide."""
    hidden_by_others: tuple[str, ...] = ()
    """Those of them whose findings an earlier ignore hid."""
    n_hidden: int = 0
    """How many findings it hid."""
    path: str | None = None
    """The file of a comment; None where it is the configuration's."""
    line: int | None = None
    """Its line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptances:
    """Everything that a run was told to accept."""

    ignores: tuple[IgnoreUse, ...] = ()
    """Those of the configuration, in its order."""
    origin: str | None = None
    """The configuration's file, relative to the report's ``subject.root`` where it lies below it."""
    baseline: str | None = None
    """The baseline's file, likewise; None where there is none."""
    n_entries: int = 0
    """How many findings the baseline has."""
    gone: tuple[GoneEntry, ...] = ()
    """Those of which something is gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedRuns:
    """What became of the other rules of a run."""

    runs: tuple[RuleRun, ...]
    """By code."""

"""A format of reports that another distribution adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dataguard.core.finding import Severity
from dataguard.core.report import Report


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportFormat:
    """What renders a report, and nothing but it; an entry point of the group ``dataguard.formats``."""

    name: str
    """As ``--format`` has it."""
    render: Callable[[Report, Severity, bool], str]
    """The text of a report, from the report, the least severity that fails, and whether a skip does."""
    endings: tuple[str, ...] = ()
    """How names of files end that are written in it, as ``.csv``; dataguard's own endings are not asked for."""

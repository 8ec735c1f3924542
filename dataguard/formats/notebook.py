"""The report in a notebook: the verdict in a line, and the HTML report in a frame of its own.

The frame keeps the page's style sheet off the notebook and the notebook's off the page, and runs no script. What strips
frames, as GitHub does, still shows the line.
"""

from __future__ import annotations

from html import escape

from dataguard.core.finding import Severity
from dataguard.core.report import Report
from dataguard.core.text import printable
from dataguard.formats import html, wording

PICTURE_BUDGET = 2_000_000
"""Bytes that all pictures of a report may have together: a notebook keeps every output in its file."""
HEIGHT = 640
"""Pixels; the page scrolls in it."""


def render(report: Report) -> str:
    """The report as a part of a page, for ``_repr_html_``.

    Severity and strictness are those of the run. Pictures come from below the report's root alone: a notebook is passed
    on more easily than a dataset.
    """
    fail_on, strict = _gate(report)
    _, reason = wording.exit_reason(report, fail_on=fail_on, strict=strict)
    found = wording.severities(report) or "no findings"
    page = html.render(report, fail_on=fail_on, strict=strict, picture_budget=PICTURE_BUDGET, confined=True)
    return (
        f"<div><p><strong>dataguard</strong>: {escape(printable(f'{found}; {wording.settled(report)}; {reason}'))}</p>"
        f'<iframe title="Report of dataguard" sandbox="" srcdoc="{escape(page, quote=True)}" width="100%" '
        f'height="{HEIGHT}" style="border: 1px solid #8888; width: 100%; height: {HEIGHT}px"></iframe></div>'
    )


def _gate(report: Report) -> tuple[Severity, bool]:
    words = {severity.word: severity for severity in Severity}
    named = report.configuration.get("fail_on")
    fail_on = words.get(named, Severity.ERROR) if isinstance(named, str) else Severity.ERROR
    return fail_on, report.configuration.get("strict") is True

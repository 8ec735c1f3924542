"""The part of the HTML report about findings that a baseline has."""

from __future__ import annotations

from dataguard.core.report import Report
from dataguard.formats import wording
from dataguard.formats.markup import Element, element


def known(report: Report) -> Element | None:
    """What a baseline has of what was found; None where there is nothing."""
    lines = wording.known(report)
    if not lines:
        return None
    return element(
        "section",
        element("h2", "Known"),
        element("p", "The baseline has these findings: they do not count.", class_="note"),
        element("ul", [element("li", element("p", line)) for line in lines], class_="undecided"),
        id="known",
    )

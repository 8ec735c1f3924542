"""Exhibits about code in the HTML report: paths side by side with what differs marked, and lines of files."""

from __future__ import annotations

from collections.abc import Sequence

from dataguard.core.exhibit import Contrast, ContrastRow, Excerpt
from dataguard.core.report import Undetermined
from dataguard.formats import wording
from dataguard.formats.markup import Child, Element, element

MOST_ROWS = 200
"""Rows of a contrast that the page holds at all; the JSON report has them all."""


def contrast(shown: Contrast) -> list[Child]:
    """A table with a row for each thing, in which what differs is marked by a sign, a word and a colour."""
    head = [element("th", column, scope="col") for column in ("", *shown.columns)]
    rows = [_row(row) for row in shown.rows[:MOST_ROWS]]
    table = element(
        "table",
        element("caption", shown.title, class_="hidden"),
        element("thead", element("tr", head)),
        element("tbody", rows),
        class_="contrast",
    )
    left_out = shown.total - len(rows)
    return [
        element("p", wording.prose(shown.meaning), class_="note") if shown.meaning else None,
        element("div", table, class_="scroll", role="region", aria_label=shown.title, tabindex=0),
        element("p", f"{left_out:,} more are in the JSON report.", class_="note") if left_out > 0 else None,
    ]


def _row(row: ContrastRow) -> Element:
    cells = []
    for text, marked in zip(row.cells, row.marked, strict=True):
        sign: list[Child] = []
        if marked:
            sign = [element("span", "≠ ", aria_hidden="true"), element("span", "differs: ", class_="hidden")]
        cells.append(element("td", sign, element("bdi", text), class_="differs" if marked else None))
    place = element("code", row.place) if row.place else None
    return element("tr", element("th", element("bdi", row.name), " ", place, scope="row"), cells)


def excerpt(shown: Excerpt) -> list[Child]:
    """Lines of code with their numbers, of which some are marked."""
    lines = []
    for number, text in enumerate(shown.lines, shown.start):
        marked = number in shown.marked
        lines.append(
            element(
                "tr",
                element("th", str(number), scope="row"),
                element(
                    "td", element("span", "this line: ", class_="hidden") if marked else None, element("code", text)
                ),
                class_="marked" if marked else None,
            )
        )
    where = f"{shown.path}:{shown.marked[0] if shown.marked else shown.start}"
    table = element("table", element("caption", where, class_="hidden"), element("tbody", lines), class_="code-lines")
    return [element("div", table, class_="scroll", role="region", aria_label=where, tabindex=0)]


def undetermined(items: Sequence[Undetermined]) -> Element | None:
    """What could not be told, as a table; None where everything was."""
    if not items:
        return None
    head = [element("th", name, scope="col") for name in ("of", "field", "because", "settled by")]
    rows = []
    for item in items[:MOST_ROWS]:
        place = "" if item.path is None else item.path + ("" if item.line is None else f":{item.line}")
        cells = [
            element("th", element("bdi", item.of), " ", element("code", place) if place else None, scope="row"),
            element("td", element("bdi", item.field)),
            element("td", element("bdi", item.reason)),
            element("td", element("code", item.command) if item.command else None),
        ]
        rows.append(element("tr", cells))
    title = "What is undetermined"
    table = element(
        "table",
        element("caption", title, class_="hidden"),
        element("thead", element("tr", head)),
        element("tbody", rows),
        class_="contrast",
    )
    return element(
        "section",
        element("h2", "Undetermined"),
        element("p", "What cannot be told from what was looked at, and what would settle it.", class_="note"),
        element("div", table, class_="scroll", role="region", aria_label=title, tabindex=0),
        id="undetermined",
    )

"""Tables in the HTML report: their later rows unfold, and they scroll by themselves."""

from __future__ import annotations

from collections.abc import Container, Sequence

from dataguard.formats import wording
from dataguard.formats.markup import Child, Element, element

FIRST_ROWS = 20
"""How much is open at once; the rest unfolds."""
MOST_ROWS = 500
"""Rows of a table that the page holds at all; the JSON report has them all."""


def shown_of(n_shown: int, total: int, noun: str) -> str:
    """How many are here, of how many."""
    if n_shown >= total:
        return f"{wording.count(total, noun)}."
    return f"The first {n_shown:,} of {wording.count(total, noun)}."


def table_parts(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str | int | float | None]],
    *,
    total: int,
    first: int = FIRST_ROWS,
    numbers: Container[int] = (),
) -> list[Child]:
    """A table whose later rows unfold, with a word on those that the page leaves out.

    Columns without text are set as numbers, and those in `numbers`, which hold numbers in words.
    """
    if not rows:
        return []
    numeric = [
        index in numbers or all(not isinstance(row[index], str) for row in rows if index < len(row))
        for index in range(len(columns))
    ]
    kept = rows[:MOST_ROWS]
    rest = kept[first:]
    parts: list[Child] = [table(title, columns, kept[:first], numeric)]
    if rest:
        parts.append(
            element(
                "details",
                element("summary", f"{len(rest):,} more rows"),
                table(f"{title}, continued", columns, rest, numeric),
            )
        )
    if total > len(kept) and len(rows) > len(kept):
        parts.append(element("p", f"{total - len(kept):,} more rows are in the JSON report.", class_="note"))
    return parts


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str | int | float | None]], numeric: Sequence[bool]
) -> Element:
    """A table all of whose rows are open; the columns that `numeric` marks are set as numbers."""

    def cell(value: str | float | None, column: int) -> Element:
        text = element("bdi", value) if isinstance(value, str) else wording.number(value)
        return element("td", text, class_="number" if numeric[column] else None)

    body = [element("tr", [cell(value, column) for column, value in enumerate(row[: len(columns)])]) for row in rows]
    head = [
        element("th", column, scope="col", class_="number" if numeric[index] else None)
        for index, column in enumerate(columns)
    ]
    return scrollable(
        element(
            "table",
            element("caption", title, class_="hidden"),
            element("thead", element("tr", head)),
            element("tbody", body),
            class_="listing",
        ),
        title,
    )


def scrollable(content: Element, title: str) -> Element:
    """A table or plot that scrolls by itself where the window is narrow, by keyboard too."""
    return element("div", content, class_="scroll", role="region", aria_label=title, tabindex=0)

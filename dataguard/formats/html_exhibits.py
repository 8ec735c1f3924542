"""Exhibits in the HTML report: what draws each kind, and histograms, heat maps and calibration plots themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from dataguard.core.exhibit import (
    Contrast,
    Curves,
    Excerpt,
    Exhibit,
    Gallery,
    HeatMap,
    Histogram,
    Listing,
    OrderStrip,
    PairGallery,
    Reliability,
    SmallHistograms,
)
from dataguard.formats import html_code, html_curves, wording
from dataguard.formats.html_gallery import gallery_parts, pair_parts
from dataguard.formats.html_graphics import bar, profile
from dataguard.formats.html_plots import NUMBERED, calibration, heat_legend, heat_map, key_line
from dataguard.formats.html_strip import order_strip
from dataguard.formats.html_tables import scrollable, shown_of, table, table_parts
from dataguard.formats.markup import Child, Element, element
from dataguard.formats.matrix import View, has_diagonal, largest_cells, value, view
from dataguard.formats.pictures import Album

NAMED_CATEGORIES = 40
"""Up to so many categories a histogram has a row for each."""

EXTREMES = 8
"""Beyond, so many of the largest and of the smallest are named."""

MAPPED = 30
"""Rows and columns of a heat map that are drawn; more would be too small to read."""

FIRST_CELLS = 8
"""Of its largest cells, so many are named at once."""

MOST_CELLS = 40
"""And so many where unfolded."""

MOST_CATEGORIES = 2000
"""Rows of the unfolded table of all categories."""


def exhibit(shown: Exhibit, album: Album, *, level: int) -> Element:
    """Any exhibit.

    Args:
        shown: What to show.
        album: Where its pictures come from.
        level: The level of its heading, so that headings follow one another in order.
    """
    heading = element(f"h{level}", shown.title)
    if isinstance(shown, Gallery):
        body = gallery_parts(shown, album)
    elif isinstance(shown, PairGallery):
        body = pair_parts(shown, album)
    elif isinstance(shown, Histogram):
        body = _histogram(shown)
    elif isinstance(shown, HeatMap):
        body = _heat_map(shown)
    elif isinstance(shown, Reliability):
        body = _reliability(shown)
    elif isinstance(shown, OrderStrip):
        body = order_strip(shown)
    elif isinstance(shown, Contrast):
        body = html_code.contrast(shown)
    elif isinstance(shown, Excerpt):
        body = html_code.excerpt(shown)
    elif isinstance(shown, Curves):
        body = html_curves.curves(shown)
    elif isinstance(shown, SmallHistograms):
        body = html_curves.small_histograms(shown)
    else:
        body = _listing(shown)
    return element("section", heading, body, class_="exhibit")


# --- pictures


# --- histograms


def _histogram(histogram: Histogram) -> list[Child]:
    if not histogram.categories or not histogram.series:
        return [element("p", "There is nothing to count.", class_="note")]
    if len(histogram.categories) <= NAMED_CATEGORIES:
        return [
            element("p", f"{_unit_words(histogram)} Bars compare within a column.", class_="note"),
            _bar_table(histogram, range(len(histogram.categories)), histogram.title),
        ]
    return [_profiles(histogram), *_extremes(histogram)]


def _in_unit(histogram: Histogram, value: float) -> str:
    return wording.number(value, histogram.unit if histogram.unit in ("share", "bytes") else "")


def _unit_words(histogram: Histogram) -> str:
    return "As shares." if histogram.unit == "share" else f"In {histogram.unit}."


def _value(histogram: Histogram, series: int, category: int) -> float:
    values = histogram.series[series].values
    return values[category] if category < len(values) else math.nan


def _bar_table(histogram: Histogram, categories: Iterable[int], title: str) -> Element:
    tops = [max((v for v in series.values if math.isfinite(v)), default=0) for series in histogram.series]
    rows, longest = [], 0
    for index in categories:
        cells: list[Element] = []
        for column, top in enumerate(tops):
            value = _value(histogram, column, index)
            share = value / top if top > 0 and math.isfinite(value) else 0.0
            text = _in_unit(histogram, value)
            longest = max(longest, len(text))
            cells.append(
                element(
                    "td",
                    element(
                        "div",
                        element("span", text, class_="zero" if value == 0 else None),
                        bar(share),
                    ),
                    class_="bar-cell",
                )
            )
        rows.append(element("tr", element("th", element("bdi", histogram.categories[index]), scope="row"), cells))
    head = element(
        "tr",
        element("th", "class", scope="col"),
        [element("th", element("bdi", series.name), scope="col") for series in histogram.series],
    )
    return scrollable(
        element(
            "table",
            element("caption", title, class_="hidden"),
            element("thead", head),
            element("tbody", rows),
            class_="bars wide" if longest > 6 else "bars",
        ),
        title,
    )


def _profiles(histogram: Histogram) -> Element:
    figures = []
    for series in histogram.series:
        values = [value for value in series.values if math.isfinite(value) and value >= 0]
        if not values:
            continue
        ordered = sorted(values)
        middle = ordered[len(ordered) // 2]
        n_empty = values.count(0)
        words = (
            f"largest {_in_unit(histogram, ordered[-1])}, median {_in_unit(histogram, middle)}, "
            f"smallest {_in_unit(histogram, ordered[0])}"
        )
        figures.append(
            element(
                "figure",
                element(
                    "figcaption",
                    element("strong", element("bdi", series.name)),
                    f" {words}",
                    element("span", f", {n_empty:,} with none", class_="zero") if n_empty else None,
                ),
                profile(values, name=series.name, unit=histogram.unit),
                class_="profile-box",
            )
        )
    note = element(
        "p",
        f"{len(histogram.categories):,} classes, each column from its largest to its smallest. "
        f"{_unit_words(histogram)}",
        class_="note",
    )
    return element("div", note, element("div", figures, class_="profiles"))


def _extremes(histogram: Histogram) -> list[Child]:
    def total(index: int) -> float:
        values = (_value(histogram, column, index) for column in range(len(histogram.series)))
        return sum(value for value in values if math.isfinite(value))

    order = sorted(range(len(histogram.categories)), key=lambda index: (-total(index), index))
    every = order[:MOST_CATEGORIES]
    left_out = len(order) - len(every)
    return [
        element(
            "div",
            _titled(histogram, order[:EXTREMES], f"The {EXTREMES} largest"),
            _titled(histogram, order[: -EXTREMES - 1 : -1], f"The {EXTREMES} smallest"),
            class_="extremes",
        ),
        element(
            "details",
            element("summary", f"All {len(order):,} classes"),
            table(
                f"{histogram.title}, all",
                ["class", *(series.name for series in histogram.series)],
                [
                    [histogram.categories[index], *(_value(histogram, i, index) for i in range(len(histogram.series)))]
                    for index in every
                ],
                [False, *(True for _ in histogram.series)],
            ),
            element("p", f"{left_out:,} more are in the JSON report.", class_="note") if left_out else None,
        ),
    ]


def _titled(histogram: Histogram, categories: Sequence[int], title: str) -> Element:
    return element("div", element("p", title, class_="part"), _bar_table(histogram, categories, title))


# --- heat maps


def _heat_map(shown: HeatMap) -> list[Child]:
    part = view(shown, MAPPED)
    meaning = f"{shown.meaning} " if shown.meaning else ""
    if not part.rows or not part.columns:
        return [element("p", "There is nothing to show.", class_="note")]
    if part.top == 0:
        where = "off the diagonal" if has_diagonal(shown) else "in any cell"
        return [element("p", f"{meaning}There is nothing {where}.", class_="note")]
    drawn = scrollable(heat_map(shown, part), shown.title)
    return [
        element("p", meaning + _map_words(shown, part), class_="note"),
        element(
            "div",
            element("div", drawn, heat_legend(shown, part), class_="map"),
            element("div", _largest(shown)),
            class_="plot",
        ),
        _all_cells(shown, part) if max(len(part.rows), len(part.columns)) <= NUMBERED else None,
    ]


def _map_words(shown: HeatMap, part: View) -> str:
    words = []
    if part.rows_left_out or part.columns_left_out:
        if has_diagonal(shown):
            words.append(
                f"The {len(part.rows):,} of the most frequent pairs are drawn; "
                f"{part.rows_left_out:,} more are left out."
            )
        else:
            words.append(
                "Drawn are the rows and columns of the largest numbers; "
                f"{wording.count(part.rows_left_out, 'row')} and "
                f"{wording.count(part.columns_left_out, 'column')} are left out."
            )
    if max(len(part.rows), len(part.columns)) <= NUMBERED and shown.unit == "share":
        words.append("Numbers in per cent.")
    if has_diagonal(shown):
        words.append("Colour is for what is off the diagonal.")
    return " ".join(words)


def _largest(shown: HeatMap) -> list[Child]:
    cells = largest_cells(shown, MOST_CELLS)
    counted = any(cell.count is not None for cell in cells)
    columns = [shown.row_axis, shown.column_axis, "share" if shown.unit == "share" else shown.unit]
    rows: list[list[str | int | float | None]] = []
    for cell in cells:
        row: list[str | int | float | None] = [cell.row, cell.column, wording.cell(cell.value, shown.unit)]
        if counted:
            row.append(None if cell.count is None else wording.about(cell.count))
        rows.append(row)
    if counted:
        columns.append("samples, about")
    return [
        element("p", "The largest", class_="part"),
        *table_parts(
            f"{shown.title}, the largest", columns, rows, total=len(rows), first=FIRST_CELLS, numbers=range(2, 4)
        ),
    ]


def _all_cells(shown: HeatMap, part: View) -> Element:
    """Every number for those who cannot see the map."""
    columns = [f"{shown.row_axis} \\ {shown.column_axis}", *(shown.columns[column] for column in part.columns)]
    rows: list[list[str | int | float | None]] = [
        [shown.rows[row], *(wording.cell(value(shown, row, column), shown.unit) for column in part.columns)]
        for row in part.rows
    ]
    return element(
        "details",
        element("summary", "All numbers"),
        table_parts(f"{shown.title}, all numbers", columns, rows, total=len(rows), numbers=range(1, len(columns))),
    )


# --- calibration plots


def _reliability(shown: Reliability) -> list[Child]:
    if not shown.bins:
        return [element("p", "There is nothing to compare.", class_="note")]
    has_limit = any(item.expected is not None for item in shown.bins) or shown.ceiling is not None
    columns = ["predicted", "observed", f"{wording.number(shown.level, 'share')} interval", "samples"]
    rows: list[list[str | int | float | None]] = [
        [
            wording.cell(item.predicted, "share"),
            wording.cell(item.observed, "share"),
            f"{wording.cell(item.low, 'share')} to {wording.cell(item.high, 'share')}",
            f"{item.n:,}",
        ]
        for item in shown.bins
    ]
    if any(item.expected is not None for item in shown.bins):
        columns.append("expected with noise")
        for row, item in zip(rows, shown.bins, strict=True):
            row.append("" if item.expected is None else wording.cell(item.expected, "share"))
    keys: list[Child] = [
        _key("dot", f"observed, with its {wording.number(shown.level, 'share')} interval"),
        _key("ideal", "observed = predicted"),
    ]
    if has_limit:
        keys.append(_key("ceiling", "right probabilities, labels as noisy as estimated"))
    return [
        element("p", " ".join(wording.calibration(shown)), class_="note"),
        element(
            "div",
            element("div", calibration(shown), element("ul", keys, class_="keys"), class_="map"),
            element(
                "div",
                table_parts(
                    f"{shown.title}, by bin",
                    columns,
                    rows,
                    total=len(rows),
                    numbers=range(len(columns)),
                ),
            ),
            class_="plot",
        ),
    ]


def _key(kind: str, words: str) -> Element:
    return element("li", key_line(kind), f" {words}")


# --- tables


def _listing(listing: Listing) -> list[Child]:
    return [
        element("p", shown_of(len(listing.rows), listing.total, "row"), class_="note"),
        *table_parts(listing.title, listing.columns, listing.rows, total=listing.total),
    ]

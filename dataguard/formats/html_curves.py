"""Courses of losses and small histograms in the HTML report, as inline SVG; the tables beside them say the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dataguard.core.exhibit import Curve, Curves, SmallHistogram, SmallHistograms
from dataguard.formats import wording
from dataguard.formats.html_text import key, text_at
from dataguard.formats.markup import Child, Element, element

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0588f", "#8a6d00", "#56809c")
"""Told apart by those who are colour-blind too (after Okabe and Ito); dashes tell them apart in black and white."""

_DASHES = (None, "7 3", "2 3", "9 3 2 3", "12 4", "4 4")
_LEFT, _TOP, _WIDTH, _HEIGHT = 64, 14, 460, 240
_HIGHEST = 3.0
"""A curve that leaps is cut at so many times the largest start or line; its table has the number."""
_POINTS = 400
_TICKS = 5
_FIRST_ROWS = 40


def curves(shown: Curves) -> list[Child]:
    """The plot, what its lines are, and where each begins, is lowest and ends."""
    drawn = [curve for curve in shown.curves if any(math.isfinite(value) for value in curve.values)]
    if not drawn:
        return [element("p", "There is nothing to draw.", class_="note")]
    keys: list[Child] = [
        element("li", key(_line(COLOURS[at % len(COLOURS)], _DASHES[at % len(_DASHES)])), f" {curve.name}")
        for at, curve in enumerate(drawn)
    ]
    keys += [
        element("li", key(_line("#565c64", "1 3")), f" {level.name}: {wording.number(level.value)}")
        for level in shown.levels
    ]
    return [
        *([element("p", wording.prose(shown.note), class_="note")] if shown.note else []),
        element(
            "div",
            element("div", _plot(shown, drawn), element("ul", keys, class_="keys"), class_="map"),
            element("div", _numbers(shown, drawn)),
            class_="plot",
        ),
    ]


def _plot(shown: Curves, drawn: Sequence[Curve]) -> Element:
    low, high = _range(shown, drawn)
    steps = max(max(len(curve.values) for curve in drawn) - 1, 1)

    def x(step: float) -> float:
        return round(_LEFT + _WIDTH * step / steps, 2)

    def y(value: float) -> float:
        return round(_TOP + _HEIGHT * (1 - (min(max(value, low), high) - low) / (high - low)), 2)

    parts: list[Child] = []
    for tick in _ticks(low, high):
        parts.append(
            element("path", class_="grid", d=f"M{_LEFT} {y(tick)}H{_LEFT + _WIDTH}", stroke="#deded8", fill="none")
        )
        parts.append(text_at(wording.number(tick), _LEFT - 8, y(tick) + 4.5, "end"))
    parts += [
        text_at(f"{int(tick):,}", x(tick), _TOP + _HEIGHT + 18, "middle")
        for tick in _ticks(0, steps)
        if float(tick).is_integer()
    ]
    parts += [
        element(
            "path",
            element("title", f"{level.name}: {wording.number(level.value)}"),
            class_="ideal",
            d=f"M{_LEFT} {y(level.value)}H{_LEFT + _WIDTH}",
            stroke="#565c64",
            stroke_width=1.5,
            stroke_dasharray="1 3",
            fill="none",
        )
        for level in shown.levels
        if low <= level.value <= high
    ]
    parts += [
        text_at(_brief(level.name), _LEFT + _WIDTH - 4, y(level.value) - 4, "end", class_="level")
        for level in shown.levels
        if low <= level.value <= high
    ]
    for at, curve in enumerate(drawn):
        parts.append(
            element(
                "path",
                element("title", curve.name),
                d=_path([(x(step), y(value)) for step, value in _thinned(curve)]),
                stroke=COLOURS[at % len(COLOURS)],
                stroke_width=2,
                stroke_dasharray=_DASHES[at % len(_DASHES)],
                stroke_linejoin="round",
                fill="none",
            )
        )
    middle = _TOP + _HEIGHT / 2
    parts.append(text_at(shown.step_axis, _LEFT + _WIDTH / 2, _TOP + _HEIGHT + 38, "middle", class_="axis-name"))
    parts.append(text_at(shown.value_axis, 13, middle, "middle", turn=f"rotate(-90 13 {middle})", class_="axis-name"))
    width, height = _LEFT + _WIDTH + 16, _TOP + _HEIGHT + 46
    return element(
        "svg",
        element("title", f"{shown.title}: {shown.value_axis} against {shown.step_axis}; the table has the numbers"),
        parts,
        class_="curves",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
    )


def _brief(name: str) -> str:
    """What fits on a line of the plot; its key has the whole name."""
    return name.partition(" (")[0]


def _range(shown: Curves, drawn: Sequence[Curve]) -> tuple[float, float]:
    finite = [value for curve in drawn for value in curve.values if math.isfinite(value)]
    levels = [level.value for level in shown.levels if math.isfinite(level.value)]
    starts = [next(value for value in curve.values if math.isfinite(value)) for curve in drawn]
    top = max(finite)
    usual = max([*starts, *levels])
    if usual > 0:
        top = min(top, _HIGHEST * usual)
    high = max([top, *levels])
    low = min([0.0, *finite, *levels]) if min(finite) >= 0 else max(min([*finite, *levels]), -_HIGHEST * abs(high or 1))
    return low, high + 0.04 * ((high - low) or 1.0)


def _thinned(curve: Curve) -> list[tuple[int, float]]:
    points = [(step, value) for step, value in enumerate(curve.values) if math.isfinite(value)]
    stride = max(math.ceil(len(points) / _POINTS), 1)
    return points[::stride] + ([points[-1]] if (len(points) - 1) % stride else [])


def _path(points: Sequence[tuple[float, float]]) -> str:
    if len(points) == 1:
        (x, y) = points[0]
        return f"M{x - 3} {y}L{x + 3} {y}"
    return "M" + "L".join(f"{x} {y}" for x, y in points)


def _ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / _TICKS
    if rough <= 0 or not math.isfinite(rough):
        return [low]
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _numbers(shown: Curves, drawn: Sequence[Curve]) -> list[Child]:
    columns = ("", f"{shown.step_axis}s", "first", "lowest", "last")
    rows = []
    for curve in drawn:
        finite = [value for value in curve.values if math.isfinite(value)]
        cells = (len(curve.values), *map(wording.number, (finite[0], min(finite), finite[-1])))
        rows.append((curve.name, *(str(cell) for cell in cells)))
    return [_table(f"{shown.title}, in numbers", columns, rows)]


def small_histograms(shown: SmallHistograms) -> list[Child]:
    """A table with a histogram a cell, and its numbers in words below."""
    if not shown.rows:
        return [element("p", "There is nothing to draw.", class_="note")]
    parts: list[Child] = [element("p", wording.prose(shown.note), class_="note")] if shown.note else []
    parts.append(_grid(shown, 0, _FIRST_ROWS))
    if len(shown.rows) > _FIRST_ROWS:
        parts.append(
            element(
                "details",
                element("summary", f"{len(shown.rows) - _FIRST_ROWS:,} more rows"),
                _grid(shown, _FIRST_ROWS, len(shown.rows)),
            )
        )
    if shown.total > len(shown.rows):
        parts.append(element("p", f"{shown.total - len(shown.rows):,} more are not shown.", class_="note"))
    return parts


def _grid(shown: SmallHistograms, first: int, last: int) -> Element:
    head = element("tr", [element("th", name, scope="col") for name in ("", *shown.columns)])
    body = [
        element(
            "tr",
            element("th", element("bdi", row.name), scope="row"),
            [element("td", _small(row.name, item)) for item in row.histograms],
        )
        for row in shown.rows[first:last]
    ]
    table = element(
        "table",
        element("caption", shown.title, class_="hidden"),
        element("thead", head),
        element("tbody", body),
        class_="listing",
    )
    return element("div", table, class_="scroll", role="region", aria_label=shown.title, tabindex=0)


def _small(name: str, item: SmallHistogram) -> list[Child]:
    if not item.counts or not max(item.counts):
        return [element("span", item.words or "nothing")]
    width, height, n, top = 150, 34, len(item.counts), max(item.counts)
    # The square root, so that tails show beside a spike.
    heights = [math.sqrt(count / top) * (height - 2) for count in item.counts]
    outline = f"M0 {height}" + "".join(
        f"V{round(height - tall, 1)}H{round(width * (at + 1) / n, 1)}" for at, tall in enumerate(heights)
    )
    zero = []
    if item.low < 0 < item.high:
        at = round(width * -item.low / (item.high - item.low), 1)
        zero = [element("path", class_="axis", d=f"M{at} 0V{height}", stroke="#8a8f96", fill="none")]
    span = f"{wording.number(item.low)} to {wording.number(item.high)}"
    return [
        element(
            "svg",
            element("title", f"{name}: {span}, heights by the square root"),
            element("path", class_="area", d=f"{outline}V{height}Z", fill="#1f5590"),
            zero,
            viewBox=f"0 0 {width} {height}",
            width=width,
            height=height,
            role="img",
        ),
        element("div", span + (f"; {item.words}" if item.words else ""), class_="note"),
    ]


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Element:
    head = element(
        "tr", [element("th", name, scope="col", class_="number" if at else None) for at, name in enumerate(columns)]
    )
    body = [
        element(
            "tr",
            [element("td", element("bdi", cell), class_="number" if at else None) for at, cell in enumerate(row)],
        )
        for row in rows
    ]
    table = element(
        "table",
        element("caption", title, class_="hidden"),
        element("thead", head),
        element("tbody", body),
        class_="listing",
    )
    return element("div", table, class_="scroll", role="region", aria_label=title, tabindex=0)


def _line(colour: str, dashes: str | None) -> Element:
    return element("path", d="M0 8H28", stroke=colour, stroke_width=2, stroke_dasharray=dashes, fill="none")

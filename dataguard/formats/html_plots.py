"""Plots of the HTML report: heat maps and calibration plots, as inline SVG.

Colours and sizes are attributes as well as classes, so that they survive servers that strip style sheets. The text
beside a plot says the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dataguard.core.exhibit import HeatMap, Reliability
from dataguard.formats import wording
from dataguard.formats.html_text import key, text_at
from dataguard.formats.markup import Element, element
from dataguard.formats.matrix import View, coloured, has_diagonal, value

NUMBERED = 12
"""Up to so many rows and columns the cells hold their numbers."""

_LONGEST_NAME = 18
_CHARACTER = 7.4
"""Width of a character of 13 pixels, generously."""
_SWATCHES = 5
_FALLBACK = "#4f8ccb"


def heat_map(shown: HeatMap, part: View) -> Element:
    """The chosen rows and columns as coloured cells; a diagonal has its numbers and no colour.

    The colour goes by the square root, so that a pair of 1 % still shows beside one of 20 %.
    """
    numbered = max(len(part.rows), len(part.columns)) <= NUMBERED
    width, height = (46, 30) if numbered else (17, 17)
    row_names = [_short(shown.rows[row]) for row in part.rows]
    column_names = [_short(shown.columns[column]) for column in part.columns]
    upright = max(map(len, column_names)) * _CHARACTER > width - 4
    left = max(_text_width([*row_names, shown.row_axis]) + 10, 40)
    top = 26 + (_text_width(column_names) + 8 if upright else 20)
    full_width = max(left + width * len(part.columns) + 2, left + len(shown.column_axis) * _CHARACTER)
    full_height = top + height * len(part.rows) + 2

    drawn: list[Element] = [
        text_at(shown.column_axis, x=left, y=14, class_="axis-name"),
        text_at(shown.row_axis, x=left - 8, y=top - 8, anchor="end", class_="axis-name"),
    ]
    for place, name in enumerate(column_names):
        x = left + width * (place + 0.5)
        drawn.append(
            text_at(name, x=x + 4.5, y=top - 6, turn=f"rotate(-90 {x + 4.5:.4g} {top - 6:.4g})")
            if upright
            else text_at(name, x=x, y=top - 8, anchor="middle")
        )
    for place, name in enumerate(row_names):
        drawn.append(text_at(name, x=left - 8, y=top + height * (place + 0.5) + 4.5, anchor="end"))
    drawn.append(
        element(
            "rect",
            class_="heat-ground",
            x=left,
            y=top,
            width=width * len(part.columns),
            height=height * len(part.rows),
            fill="none",
            stroke="#8a8f96",
        )
    )
    for y, row in enumerate(part.rows):
        for x, column in enumerate(part.columns):
            cell = _cell(shown, part, row, column, (left + width * x, top + height * y, width, height), numbered)
            if cell is not None:
                drawn.append(cell)
    label = f"{shown.title}: {len(part.rows):,} rows ({shown.row_axis}) by {len(part.columns):,} columns"
    return element(
        "svg",
        element("title", f"{label} ({shown.column_axis})"),
        drawn,
        class_="heat-map",
        viewBox=f"0 0 {full_width:.5g} {full_height:.5g}",
        width=round(full_width),
        height=round(full_height),
        role="img",
    )


def _cell(
    shown: HeatMap, part: View, row: int, column: int, box: tuple[float, float, float, float], numbered: bool
) -> Element | None:
    number = value(shown, row, column)
    agreeing = row == column and has_diagonal(shown)
    strength = _strength(coloured(shown, row, column), part.top)
    if not agreeing and (not strength and (not numbered or not math.isfinite(number))):
        return None
    x, y, width, height = box
    gap = 1 if numbered else 0.5
    rect = element(
        "rect",
        class_="agreeing" if agreeing else "heat",
        x=x + gap,
        y=y + gap,
        width=width - 2 * gap,
        height=height - 2 * gap,
        fill="#efefea" if agreeing else _FALLBACK,
        fill_opacity=None if agreeing else round(strength, 3),
    )
    said = f"{shown.row_axis} {shown.rows[row]}, {shown.column_axis} {shown.columns[column]}"
    if math.isfinite(number):
        said += f": {wording.number(number, shown.unit)}"
    text = None
    if numbered:
        words = _in_cell(number, shown.unit)
        text = text_at(words, x=x + width / 2, y=y + height / 2 + 4.5, anchor="middle") if words else None
    return element("g", element("title", said), rect, text, class_="muted" if agreeing or not strength else None)


def _in_cell(number: float, unit: str) -> str:
    """A number short enough for a cell: a share in per cent, without the sign."""
    if not math.isfinite(number):
        return ""
    text = wording.cell(number, unit)
    return text.removesuffix(" %").replace(" ", "") if unit == "share" else text


def _strength(number: float, top: float) -> float:
    return math.sqrt(min(1.0, number / top)) if top > 0 and number > 0 else 0.0


def heat_legend(shown: HeatMap, part: View) -> Element:
    """What the colours stand for."""
    width, drawn = 58, []
    for index in range(_SWATCHES):
        strength = index / (_SWATCHES - 1)
        text = wording.cell(part.top * strength**2, shown.unit)
        drawn += [
            element(
                "rect",
                class_="heat-ground",
                x=width * index + 1,
                y=1,
                width=width - 3,
                height=11,
                fill="none",
                stroke="#8a8f96",
            ),
            element(
                "rect",
                class_="heat",
                x=width * index + 1,
                y=1,
                width=width - 3,
                height=11,
                fill=_FALLBACK,
                fill_opacity=round(strength, 3),
            ),
            text_at(text, x=width * (index + 0.5) - 0.5, y=27, anchor="middle"),
        ]
    return element(
        "svg",
        element("title", f"Colours from 0 to {wording.number(part.top, shown.unit)}"),
        drawn,
        class_="heat-legend",
        viewBox=f"0 0 {width * _SWATCHES} 32",
        width=width * _SWATCHES,
        height=32,
        role="img",
    )


# --- calibration


_PLOT = (72, 12, 300, 300)
"""Left, top, width and height of the plot's square."""


def calibration(shown: Reliability) -> Element:
    """Observed share against predicted probability, with intervals and the line on which they are equal."""
    left, top, width, height = _PLOT
    low = _start(shown)

    def x(share: float) -> float:
        return round(left + width * (min(max(share, low), 1.0) - low) / (1 - low), 2)

    def y(share: float) -> float:
        return round(top + height * (1 - (min(max(share, low), 1.0) - low) / (1 - low)), 2)

    drawn: list[Element] = []
    for tick in _ticks(low):
        text = wording.number(tick, "share")
        drawn += [
            element(
                "path",
                class_="grid",
                d=f"M{x(tick)} {top}V{top + height}M{left} {y(tick)}H{left + width}",
                stroke="#deded8",
                fill="none",
            ),
            text_at(text, x=x(tick), y=top + height + 18, anchor="middle"),
            text_at(text, x=left - 8, y=y(tick) + 4.5, anchor="end"),
        ]
    drawn.append(
        element(
            "path",
            class_="ideal",
            d=f"M{x(low)} {y(low)}L{x(1)} {y(1)}",
            stroke="#565c64",
            stroke_width=1.5,
            stroke_dasharray="6 4",
            fill="none",
        )
    )
    bins = [item for item in shown.bins if math.isfinite(item.predicted) and math.isfinite(item.observed)]
    limit = [
        (x(item.predicted), y(item.expected))
        for item in bins
        if item.expected is not None and math.isfinite(item.expected)
    ]
    if len(limit) < 2 and shown.ceiling is not None and math.isfinite(shown.ceiling):
        limit = [(left, y(shown.ceiling)), (left + width, y(shown.ceiling))]
    if len(limit) > 1:
        drawn.append(
            element(
                "path",
                class_="ceiling",
                d="M" + "L".join(f"{across} {up}" for across, up in limit),
                stroke="#9f2418",
                stroke_width=1.5,
                stroke_dasharray="2 3",
                fill="none",
            )
        )
    for item in bins:
        words = (
            f"predicted {wording.number(item.predicted, 'share')}, observed {wording.number(item.observed, 'share')} "
            f"of {wording.count(item.n, 'sample')}"
        )
        span = None
        if math.isfinite(item.low) and math.isfinite(item.high):
            span = element(
                "path",
                class_="whisker",
                d=f"M{x(item.predicted)} {y(item.low)}V{y(item.high)}",
                stroke="#2f6db3",
                stroke_width=2,
                fill="none",
            )
        dot = element("circle", class_="dot", cx=x(item.predicted), cy=y(item.observed), r=4.5, fill="#1f5590")
        drawn.append(element("g", element("title", words), span, dot))
    middle = top + height / 2
    drawn += [
        text_at(shown.predicted_axis, x=left + width / 2, y=top + height + 38, anchor="middle", class_="axis-name"),
        text_at(
            shown.observed_axis, x=13, y=middle, anchor="middle", turn=f"rotate(-90 13 {middle})", class_="axis-name"
        ),
    ]
    return element(
        "svg",
        element(
            "title", f"{shown.title}: {shown.observed_axis} against {shown.predicted_axis}; the table has the numbers"
        ),
        drawn,
        class_="calibration",
        viewBox=f"0 0 {left + width + 22} {top + height + 46}",
        width=left + width + 22,
        height=top + height + 46,
        role="img",
    )


def key_line(kind: str) -> Element:
    """How the plot draws something, for the words beside it: 'dot', 'ideal' or 'ceiling'."""
    if kind == "dot":
        drawn = [
            element("path", class_="whisker", d="M14 1V15", stroke="#2f6db3", stroke_width=2, fill="none"),
            element("circle", class_="dot", cx=14, cy=8, r=4.5, fill="#1f5590"),
        ]
    else:
        stroke, dashes = ("#565c64", "6 4") if kind == "ideal" else ("#9f2418", "2 3")
        drawn = [
            element(
                "path", class_=kind, d="M0 8H28", stroke=stroke, stroke_width=1.5, stroke_dasharray=dashes, fill="none"
            )
        ]
    return key(*drawn)


def _start(shown: Reliability) -> float:
    """Where both axes begin: at the last tenth below everything, so that a sure model fills the plot."""
    points = [
        point for item in shown.bins for point in (item.predicted, item.observed, item.low) if math.isfinite(point)
    ]
    least = min((float(point) for point in points), default=0.0)
    return min(0.9, max(0.0, math.floor(least * 10) / 10))


def _ticks(low: float) -> list[float]:
    step = 0.2 if low < 0.5 else 0.1 if low < 0.8 else 0.05 if low < 0.9 else 0.02
    first = math.ceil(round(low / step, 6))
    return [round(index * step, 6) for index in range(first, round(1 / step) + 1)]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _text_width(names: Sequence[str]) -> float:
    return max(map(len, names)) * _CHARACTER

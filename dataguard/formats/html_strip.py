"""Order strips of the HTML report: one column a batch, one colour a class, as a picture."""

from __future__ import annotations

import base64
import colorsys
import io
from collections.abc import Sequence
from typing import Any

from dataguard.core.exhibit import OrderStrip
from dataguard.formats import strip, wording
from dataguard.formats.markup import Child, Element, element

HEIGHT = 96
"""Rows of the picture: shares of about a hundredth are seen."""

WIDEST = 4000
"""Columns of the picture; of more batches neighbours are added up, which no screen could show apart."""

NARROWEST = 600
"""And at least so many, so that few batches make broad columns."""

NAMED = 24
"""Classes of the legend."""

_COLORS = (
    "#3b7dc4",
    "#e08214",
    "#3f9b57",
    "#c8453a",
    "#8a63b8",
    "#8a5a3c",
    "#d572ac",
    "#a2a8ae",
    "#b3a62b",
    "#35c0c4",
)
"""For up to ten classes, apart in hue and lightness, and visible on white and on black; of more, hues go round."""

_EMPTY = "#7f7f7f"


def color(index: int, n_classes: int) -> str:
    """The colour of a class, as '#rrggbb'.

    >>> color(0, 3), color(12, 40)
    ('#3b7dc4', '#d6d44c')
    """
    if n_classes <= len(_COLORS):
        return _COLORS[index]
    # The golden angle keeps neighbours apart, however many there are.
    hue = (0.58 + index * 0.381966) % 1
    red, green, blue = colorsys.hls_to_rgb(hue, (0.42, 0.57)[index % 2 == 0], 0.63)
    return "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))


def order_strip(shown: OrderStrip) -> list[Child]:
    """The strip as a picture, with a legend and what it says in words."""
    if not shown.columns or not shown.classes:
        return [element("p", "There is nothing to show.", class_="note")]
    words = " ".join(wording.order(shown))
    picture = element(
        "img",
        src=_picture(shown),
        alt=f"{shown.title}. {words}",
        width=1000,
        height=HEIGHT,
        class_="order-strip",
    )
    ends = element(
        "p",
        element("span", f"{shown.column_name} 0"),
        element("span", f"{shown.column_name} {len(shown.columns) - 1:,}"),
        class_="ends",
        aria_hidden="true",
    )
    return [element("p", words, class_="note"), picture, ends, _legend(shown)]


def _legend(shown: OrderStrip) -> Element:
    sums = strip.totals(shown)
    whole = max(1, sum(sums))
    frequent = sorted(range(len(sums)), key=lambda index: (-sums[index], index))[:NAMED]
    items = [
        element(
            "li",
            element(
                "svg",
                element("rect", width=12, height=12, rx=2, fill=color(index, len(sums))),
                class_="swatch",
                viewBox="0 0 12 12",
                width=12,
                height=12,
                aria_hidden="true",
            ),
            " ",
            element("strong", element("bdi", shown.classes[index])),
            f" {wording.cell(sums[index] / whole, 'share')}",
        )
        for index in sorted(frequent)
    ]
    if len(sums) > NAMED:
        items.append(element("li", f"and {wording.count(len(sums) - NAMED, 'more class', 'more classes')}"))
    return element("ul", items, class_="legend")


def _picture(shown: OrderStrip) -> str:
    import numpy as np
    from PIL import Image

    n, classes = len(shown.columns), len(shown.classes)
    palette = np.array([_rgb(color(index, classes)) for index in range(classes)] + [_rgb(_EMPTY)], dtype=np.uint8)
    table: Any = np.array([strip.counts(column, classes) for column in shown.columns], dtype=np.float64)
    edges = np.arange(min(n, WIDEST)) * n // min(n, WIDEST)
    table = np.add.reduceat(table, edges, axis=0)
    sums = table.sum(axis=1, keepdims=True)
    upto = np.cumsum(table, axis=1) / np.where(sums > 0, sums, 1)
    levels = (np.arange(HEIGHT) + 0.5) / HEIGHT
    chosen = np.empty((HEIGHT, len(table)), dtype=np.intp)
    for row, level in enumerate(levels):
        chosen[row] = (upto < level).sum(axis=1)
    chosen[:, sums[:, 0] <= 0] = classes
    pixels = palette[np.minimum(chosen, classes)]
    broad = -(-NARROWEST // len(table))
    image = Image.fromarray(np.repeat(pixels, broad, axis=1) if broad > 1 else pixels)
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"


def _rgb(text: str) -> Sequence[int]:
    return [int(text[at : at + 2], 16) for at in (1, 3, 5)]

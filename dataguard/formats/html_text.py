"""Words within drawings of the HTML report, and what stands for a line of a drawing beside words."""

from __future__ import annotations

from dataguard.formats.markup import Child, Element, element


def text_at(
    words: str, x: float, y: float, anchor: str | None = None, *, turn: str | None = None, class_: str | None = None
) -> Element:
    """Words at a place of a drawing.

    Args:
        words: What they say.
        x: Their place across, in the drawing's units.
        y: The line that they stand on.
        anchor: What of them is at ``x``: 'start', 'middle' or 'end'.
        turn: How they are turned, as SVG's ``transform`` says it.
        class_: What the style sheet calls them.
    """
    return element(
        "text",
        words,
        x=round(x, 2),
        y=round(y, 2),
        text_anchor=anchor,
        transform=turn,
        font_size=13,
        font_family="sans-serif",
        class_=class_,
    )


def key(*drawn: Child) -> Element:
    """How a drawing draws something, for the words beside it: what is drawn in 28 by 16."""
    return element("svg", list(drawn), class_="key", viewBox="0 0 28 16", width=28, height=16, aria_hidden="true")

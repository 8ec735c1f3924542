"""Small graphics of the HTML report: marks, bars, intervals and profiles, as inline SVG.

Colours and sizes are attributes as well as classes, so that they survive servers that strip style sheets.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from dataguard.core.finding import Measurement
from dataguard.formats import wording
from dataguard.formats.markup import Element, element

_MARKS: Mapping[str, tuple[tuple[str, dict[str, str | float]], ...]] = {
    "error": (
        ("path", {"d": "M5 1h6l4 4v6l-4 4H5l-4-4V5z", "fill": "currentColor"}),
        ("path", {"d": "M5.5 5.5l5 5m0-5l-5 5", "class_": "cut"}),
    ),
    "warning": (
        ("path", {"d": "M8 1l7.5 13.5H.5z", "fill": "currentColor"}),
        ("path", {"d": "M8 6v4.2m0 1.2v1.4", "class_": "cut"}),
    ),
    "info": (
        ("circle", {"cx": 8, "cy": 8, "r": 7, "fill": "currentColor"}),
        ("path", {"d": "M8 7v5m0-8.2v1.5", "class_": "cut"}),
    ),
    "passed": (
        ("circle", {"cx": 8, "cy": 8, "r": 7, "fill": "currentColor"}),
        ("path", {"d": "M4.5 8.3l2.4 2.4 4.6-5", "class_": "cut"}),
    ),
    "crashed": (
        ("rect", {"x": 1, "y": 1, "width": 14, "height": 14, "rx": 2, "fill": "currentColor"}),
        ("path", {"d": "M8 4v5m0 1.7v1.5", "class_": "cut"}),
    ),
    "undecided": (
        (
            "circle",
            {"cx": 8, "cy": 8, "r": 6.5, "fill": "none", "stroke": "currentColor", "stroke_dasharray": "2.6 2"},
        ),
        ("path", {"d": "M5 8h6", "stroke": "currentColor", "stroke_width": 1.6}),
    ),
}


def mark(kind: str) -> Element:
    """A sign whose shape alone tells what it means; the word stands beside it."""
    shapes: list[Element] = []
    for tag, attributes in _MARKS[kind]:
        drawn = attributes
        if drawn.get("class_") == "cut":
            drawn = drawn | {"fill": "none", "stroke": "#ffffff", "stroke_width": 1.8, "stroke_linecap": "round"}
        shapes.append(element(tag, **drawn))
    return element("svg", shapes, class_="mark", viewBox="0 0 16 16", width=16, height=16, aria_hidden="true")


def bar(share: float) -> Element:
    """A bar as long as `share` of its cell; the number stands beside it."""
    filled = max(0.0, min(1.0, share)) * 100 if math.isfinite(share) else 0.0
    if share >= 0.001:
        # A few samples of thousands must not look like none.
        filled = max(filled, 0.8)
    return element(
        "svg",
        element("rect", class_="track", width=100, height=8, fill="#e8e8e4"),
        element("rect", class_="bar", width=round(filled, 2), height=8, fill="#2f6db3") if filled else None,
        class_="bar-box",
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        width=100,
        height=8,
        aria_hidden="true",
    )


def profile(values: Sequence[float], *, name: str, unit: str, bins: int = 120) -> Element:
    """The numbers from largest to smallest as one falling area, for too many categories to name.

    Args:
        values: In any order, finite and not negative.
        name: What they belong to, for those who cannot see it.
        unit: What they count.
        bins: Most points drawn; where there are more values, a point is the mean of its neighbours.
    """
    ordered = sorted(values, reverse=True)
    n_points = min(bins, len(ordered))
    edges = [round(index * len(ordered) / n_points) for index in range(n_points + 1)]
    means = [sum(ordered[start:end]) / (end - start) for start, end in itertools.pairwise(edges)]
    top = max(ordered[0], 1e-12)
    width, height = 300, 72
    steps = []
    for index, mean in enumerate(means):
        left, right = width * index / n_points, width * (index + 1) / n_points
        y = height * (1 - mean / top)
        steps.append(f"L{left:.1f} {y:.1f}L{right:.1f} {y:.1f}")
    label = (
        f"{name}: {len(ordered):,} categories from {wording.number(ordered[0])} down to "
        f"{wording.number(ordered[-1])} {unit}"
    )
    return element(
        "svg",
        element("title", label),
        element("path", class_="area", d=f"M0 {height}{''.join(steps)}L{width} {height}z", fill="#2f6db3"),
        element("path", class_="axis", d=f"M0 {height}H{width}", stroke="#8a8f96", fill="none"),
        class_="profile",
        viewBox=f"0 0 {width} {height + 1}",
        preserveAspectRatio="none",
        width=width,
        height=height,
        role="img",
    )


def interval(item: Measurement) -> Element | None:
    """Where a figure, its interval and its threshold lie on one line; None where that would say nothing."""
    value, threshold = _number(item.value), _number(item.threshold)
    low, high = _number(item.low), _number(item.high)
    if value is None or (not threshold and low is None and high is None):
        # A figure alone, or one that should be zero and is not, needs no drawing.
        return None
    points = [point for point in (value, threshold, low, high) if point is not None]
    start, end = _domain(points, item.unit)
    if not math.isfinite(end - start) or end <= start:
        return None

    def x(point: float) -> float:
        return round(6 + 188 * (point - start) / (end - start), 1)

    words = [f"{item.name} {wording.number(item.value, item.unit)}"]
    drawn = [element("path", class_="axis", d="M6 12H194", stroke="#8a8f96", fill="none")]
    if low is not None or high is not None:
        left, right = x(start if low is None else low), x(end if high is None else high)
        drawn.append(
            element("rect", class_="span", x=left, y=8, width=max(right - left, 1), height=8, rx=2, fill="#9dbfe3")
        )
        words.append(f"interval {wording.interval(item)}")
    if threshold is not None:
        at = x(threshold)
        drawn.append(
            element("path", class_="limit", d=f"M{at} 2V22", stroke="#16181c", stroke_width=2, stroke_dasharray="3 2")
        )
        words.append(f"threshold {wording.number(item.threshold, item.unit)}")
    drawn.append(element("circle", class_="dot", cx=x(value), cy=12, r=4.5, fill="#1f5590"))
    return element(
        "svg",
        element("title", ", ".join(words)),
        drawn,
        class_="interval",
        viewBox="0 0 200 24",
        width=200,
        height=24,
        role="img",
    )


def _number(value: float | str | None) -> float | None:
    if isinstance(value, str) or value is None or not math.isfinite(value):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _domain(points: Sequence[float], unit: str) -> tuple[float, float]:
    """Ends of the axis: from zero where all is positive, so that lengths can be compared."""
    low, high = min(points), max(points)
    if low >= 0:
        end = high * 1.12 if high > 0 else 1.0
        return 0.0, min(1.0, end) if unit == "share" and high <= 1 else end
    margin = (high - low) * 0.08 or 1.0
    return low - margin, high + margin

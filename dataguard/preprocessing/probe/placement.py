"""Where every pixel of an output comes from: what steps predict, and the records that measurements share with that.

Coordinates are continuous: a picture of W pixels reaches from 0 to W, and pixel i has its middle at i + ½.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dataguard.preprocessing.steps import Crop, Flip, Pad, Resize, Step


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """One side of the output: input position = scale · output position + shift, inside [start, stop)."""

    size: int
    """Pixels of the output along this side."""
    scale: float
    """Input pixels an output pixel; negative where it is mirrored."""
    shift: float
    start: float
    """Where the picture begins in the output, and where it ends; the rest is border."""
    stop: float

    def at(self, position: float) -> float:
        """The input position that an output position shows."""
        return self.scale * position + self.shift

    @property
    def source(self) -> tuple[float, float]:
        """The part of the input that is shown, ascending."""
        ends = self.at(self.start), self.at(self.stop)
        return min(ends), max(ends)


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Both sides of an output."""

    height: int
    """Of the input, in pixels."""
    width: int
    rows: Axis
    columns: Axis
    transposed: bool = False
    """Whether the output's rows are the input's columns."""


def predict(steps: Iterable[Step], height: int, width: int) -> Placement:
    """Where the pixels come from, if these steps are done to a picture of height × width pixels.

    Raises:
        ValueError: a step is random, or lacks what its size is decided by.
    """
    rows, columns = (Axis(size=side, scale=1.0, shift=0.0, start=0.0, stop=float(side)) for side in (height, width))
    transposed = False
    for step in steps:
        if isinstance(step, Resize):
            tall, wide = step.target(rows.size, columns.size)
            left, top, right, bottom = step.area(rows.size, columns.size)
            rows = _resized(rows, tall, step.align, top, bottom)
            columns = _resized(columns, wide, step.align, left, right)
        elif isinstance(step, Crop):
            top, left, tall, wide = step.box(rows.size, columns.size)
            rows, columns = _moved(rows, -top, tall), _moved(columns, -left, wide)
        elif isinstance(step, Pad):
            top, bottom, left, right = step.border(rows.size, columns.size)
            rows = _moved(rows, top, rows.size + top + bottom)
            columns = _moved(columns, left, columns.size + left + right)
        elif isinstance(step, Flip):
            if step.kind in ("transpose", "rotate_90", "rotate_270"):
                rows, columns, transposed = columns, rows, not transposed
            if step.kind in ("left_right", "rotate_180", "rotate_270"):
                columns = _mirrored(columns)
            if step.kind in ("up_down", "rotate_180", "rotate_90"):
                rows = _mirrored(rows)
        else:
            raise ValueError(f"{step.name} is random")
    return Placement(height=height, width=width, rows=rows, columns=columns, transposed=transposed)


def _resized(axis: Axis, size: int, align: str | None, low: float, high: float) -> Axis:
    """The part between two positions at another size."""
    factor = (high - low) / size
    if align == "align_corners" and size > 1:
        factor = (axis.size - 1) / (size - 1)
        # Middle on middle: ½ + factor·(u − ½).
        offset = 0.5 - factor * 0.5
    elif align == "asymmetric":
        # Middle i shows i·factor, and not (i + ½)·factor − ½.
        offset = 0.5 - factor * 0.5
    else:
        offset = 0.0
    return Axis(
        size=size,
        scale=axis.scale * factor,
        shift=axis.scale * (low + offset) + axis.shift,
        start=min(max((axis.start - low) / (high - low) * size, 0.0), float(size)),
        stop=min(max((axis.stop - low) / (high - low) * size, 0.0), float(size)),
    )


def _moved(axis: Axis, by: int, size: int) -> Axis:
    return replace(
        axis,
        size=size,
        shift=axis.shift - axis.scale * by,
        start=min(max(axis.start + by, 0.0), float(size)),
        stop=min(max(axis.stop + by, 0.0), float(size)),
    )


def _mirrored(axis: Axis) -> Axis:
    return replace(
        axis,
        scale=-axis.scale,
        shift=axis.scale * axis.size + axis.shift,
        start=axis.size - axis.stop,
        stop=axis.size - axis.start,
    )

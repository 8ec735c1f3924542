"""Steps done to a line that stands for a picture which changes along one side only: a hundredth of the work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataguard.preprocessing.errors import MissingLibraryError, UndeterminedError
from dataguard.preprocessing.execution import moved
from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.asking import Asker
from dataguard.preprocessing.probe.geometry import Steps
from dataguard.preprocessing.probe.measuring import Measured
from dataguard.preprocessing.probe.response import Response
from dataguard.preprocessing.steps import Crop, Pad, Resize, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Line:
    """Random levels along one axis of a picture, and what became of them."""

    height: int
    """Of the picture, in pixels."""
    width: int
    axis: Literal[0, 1]
    levels: NDArray[np.uint8]
    """Shape (height,) or (width,)."""
    answer: NDArray[np.float64]
    """Along the same axis of the output."""
    start: int
    """Where the picture begins in the output, and where it ends."""
    stop: int


def ask_lines(asker: Asker, response: Response, measured: Sequence[Measured], seed: int) -> list[Line]:
    """A line along each axis, for the sizes of some measurements without transposition."""
    rng = np.random.default_rng(seed)
    found = []
    axes: tuple[Literal[0, 1], ...] = (1, 0)
    for one in measured:
        place = one.placement
        size = place.height, place.width
        for axis in axes:
            levels = rng.integers(0, 256, size[axis]).astype(np.uint8)
            answer = response.pixels(asker.ask(stimuli.along(*size, levels.astype(np.float64), axis)))[:, :, 0]
            along, across = (place.rows, place.columns) if axis == 0 else (place.columns, place.rows)
            # In the middle of the part that shows the picture, not in a border.
            middle = int((across.start + across.stop) / 2)
            found.append(
                Line(
                    height=place.height,
                    width=place.width,
                    axis=axis,
                    levels=levels,
                    answer=answer[:, middle] if axis == 0 else answer[middle],
                    start=math.ceil(along.start),
                    stop=math.floor(along.stop),
                )
            )
    return found


def apart(steps: Steps, lines: Sequence[Line], limit: float = math.inf) -> float | None:
    """How many levels steps are off on average; None for sizes that differ, a step that cannot be done, or a limit."""
    total = 0.0
    for line in lines:
        made = strip(steps, line.levels, line.axis, line.height, line.width)
        if made is None or len(made) != len(line.answer):
            return None
        off = np.abs(made[line.start : line.stop] - line.answer[line.start : line.stop])
        total += float(off.mean())
        if total > limit * len(lines):
            return None
    return total / len(lines)


def strip(steps: Steps, line: NDArray[Any], axis: int, height: int, width: int) -> NDArray[Any] | None:
    """What steps make of a line that stands for a picture of height × width pixels, which changes along one axis only.

    None where a step cannot be done to it. A border of one level is 0 here, whatever its level.
    """
    # Two lines thick: torch 2.13 returns garbage for antialiased pictures that are one pixel wide.
    plane = np.broadcast_to(line, (2, len(line)))
    made: NDArray[Any] | None = (plane if axis == 1 else plane.T)[:, :, None]
    for step in steps:
        if made is None:
            return None
        if isinstance(step, Resize):
            made = _resized(made, step, axis, height, width)
            height, width = step.target(height, width)
        elif isinstance(step, Crop | Pad):
            if isinstance(step, Crop):
                top, left, tall, wide = step.box(height, width)
                sides = -top, top + tall - height, -left, left + wide - width
            else:
                sides = step.border(height, width)
            height, width = height + sides[0] + sides[1], width + sides[2] + sides[3]
            before, after = sides[2 * axis], sides[2 * axis + 1]
            made = _cut(made, axis, before, after, step.mode if isinstance(step, Pad) else "constant")
        else:
            made = done(made, step)
    if made is None:
        return None
    return made[0, :, 0] if axis == 1 else made[:, 0, 0]


def _resized(made: NDArray[Any], step: Resize, axis: int, height: int, width: int) -> NDArray[Any] | None:
    """Two lines of a picture of height × width pixels, resized along one axis."""
    target = step.target(height, width)
    along, across = target[axis], target[1 - axis]
    full = (height, width)
    lines = 2
    if (step.engine, step.kernel) == ("opencv", "area") and along < full[axis] and across > full[1 - axis]:
        # Where one side is enlarged OpenCV's AREA is another kernel along both.
        lines = 3
    size = (along, lines) if axis == 0 else (lines, along)
    alone = replace(step, rule="exact", height=size[0], width=size[1], longest=None, multiple=None, enlarge=True)
    if step.source != "all":
        left, top, right, bottom = step.area(height, width)
        box = (0.0, top, 2.0, bottom) if axis == 0 else (left, 0.0, right, 2.0)
        alone = replace(alone, source="box", box=box)
    resized = done(made, alone)
    if resized is None or lines == 2:
        return resized
    return resized[:, :2] if axis == 0 else resized[:2]


def _cut(made: NDArray[Any], axis: int, before: int, after: int, mode: str | None) -> NDArray[Any]:
    length = made.shape[axis]
    cut = slice(max(0, -before), length - max(0, -after))
    made = made[:, cut] if axis == 1 else made[cut]
    added = (max(0, before), max(0, after))
    if not any(added):
        return made
    around: Any = mode or "constant"
    return np.pad(made, ((0, 0), added, (0, 0)) if axis == 1 else (added, (0, 0), (0, 0)), mode=around)


def done(pixels: NDArray[Any], step: Step) -> NDArray[Any] | None:
    """One step; None where it cannot be done."""
    try:
        return moved(pixels, step)
    except (UndeterminedError, MissingLibraryError, ValueError):
        return None

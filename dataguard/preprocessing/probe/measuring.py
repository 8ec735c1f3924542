"""Measuring where the pixels of an output come from, by gratings.

A symmetric kernel weakens a sine wave and does not shift it. So the phase of two gratings a quarter period apart says
where an output pixel comes from, to a few hundredths of a pixel, whatever the kernel; a ramp says in which period.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.asking import Asker, ProbeError
from dataguard.preprocessing.probe.placement import Axis, Placement
from dataguard.preprocessing.probe.response import Response

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PlaceError(ProbeError):
    """Nothing explains where the pixels come from."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Measured:
    """A placement as it was measured."""

    placement: Placement
    row_error: float
    """Standard deviation of a pixel's position about the straight line, in input pixels."""
    column_error: float
    fill: tuple[float, ...] | None
    """Levels of the border, a channel each; None where there is no border."""
    border: Literal["edge", "reflect", "symmetric"] | None = None
    """How the border repeats the picture, where it does."""
    nearest: bool = False
    """Whether pixels are taken as they are, and not blended."""
    indices: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    """Of `nearest`: which row and column of the picture each of the output is, from 1; 0 for a border."""

    def agrees(self, other: Placement) -> bool:
        """Whether a prediction is what was measured, within the error."""
        mine = self.placement
        if mine.transposed != other.transposed:
            return False
        return _agree(mine.rows, other.rows, self.row_error, nearest=self.nearest) and _agree(
            mine.columns, other.columns, self.column_error, nearest=self.nearest
        )


def _agree(mine: Axis, other: Axis, error: float, *, nearest: bool) -> bool:
    if mine.size != other.size or abs(mine.start - other.start) > 1.01 or abs(mine.stop - other.stop) > 1.01:
        return False
    if (mine.start > 0) != (other.start >= 0.5) and abs(mine.start - other.start) > 0.51:
        return False
    n = max(4.0, mine.stop - mine.start)
    tolerance = 0.06 + 2 * error + 0.02 * abs(mine.scale)
    if nearest and max(abs(abs(axis.scale) - 1) for axis in (mine, other)) > 1e-3:
        # Which of the pixels around the middle is taken is the library's choice, and always the same one at whole
        # scales. A line of 160 pixels made of 159 is measured as if nothing was resized: the one step lies at its end.
        tolerance += 0.55 + 0.5 * abs(mine.scale)
    # At the quarters, where an error in scale shows without the borders' own effects.
    places = (mine.start + n / 4, mine.start + 3 * n / 4)
    return all(abs(mine.at(place) - other.at(place)) <= tolerance for place in places)


def measure(asker: Asker, response: Response, height: int, width: int, *, nearest: bool = False) -> Measured:
    """Where a function takes its pixels from, for pictures of height × width pixels.

    Raises:
        PlaceError: too little of the picture is left to tell.
        ProbeError: it cannot be asked.
    """

    def levels(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        return response.pixels(asker.ask(pixels))

    black = levels(stimuli.constant(height, width, (0, 0, 0)))
    white = levels(stimuli.constant(height, width, (255, 255, 255)))
    if black.shape != white.shape:
        raise ProbeError("the size of the answer depends on the colour of the picture")
    inside = np.abs(white - black).mean(axis=2) > 128
    rows, columns = np.flatnonzero(inside.mean(axis=1) > 0), np.flatnonzero(inside.mean(axis=0) > 0)
    if len(rows) < 4 or len(columns) < 4:
        raise PlaceError(f"of a picture of {height} × {width} pixels fewer than 4 rows or columns are left")
    box = (int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
    outside = ~inside
    fill = None
    if outside.any():
        settled = outside & (np.abs(white - black).mean(axis=2) < 0.5)
        if settled.any():
            fill = tuple(_whole(float(value)) for value in np.median(black[settled], axis=0))

    def lines(axis: Literal[0, 1]) -> list[NDArray[np.float64]]:
        size = (height, width)[axis]
        shapes = stimuli.ramp(size), stimuli.grating(size, 0.0), stimuli.grating(size, np.pi / 2)
        return [levels(stimuli.along(height, width, shape, axis)).mean(axis=2) for shape in shapes]

    across = lines(1)
    cut = across[0][box[0] : box[1], box[2] : box[3]]
    transposed = bool(np.ptp(cut.mean(axis=1)) > np.ptp(cut.mean(axis=0)))
    down = lines(0)
    over_rows, over_columns = (across, down) if transposed else (down, across)
    row_axis, row_error, above = _fitted(over_rows, box, 0, width if transposed else height)
    column_axis, column_error, beside = _fitted(over_columns, box, 1, height if transposed else width)
    return Measured(
        placement=Placement(height=height, width=width, rows=row_axis, columns=column_axis, transposed=transposed),
        row_error=row_error,
        column_error=column_error,
        fill=fill,
        border=above or beside,
        nearest=nearest,
    )


def _whole(level: float) -> float:
    """A level, without what the rounding of the model's dtype leaves."""
    return float(round(level)) if abs(level - round(level)) < 0.02 else level


def shrunk_size(one: Measured) -> tuple[int, int]:
    """A size of the same aspect that is shrunk by about two and a half, as far as 2,400 pixels allow: height, width."""
    placement = one.placement
    shrink = max(abs(placement.rows.scale), abs(placement.columns.scale))
    longest = max(placement.height, placement.width)
    factor = min(2.57 / shrink, 2400 / longest)
    # Odd, since at even sizes a half may fall between two pixels for every kernel.
    return round(placement.height * factor) | 1, round(placement.width * factor) | 1


def takes_nearest(asker: Asker, response: Response, height: int, width: int, fill: Sequence[float]) -> bool:
    """Whether a picture of black and white pixels comes out black and white."""
    plane = (stimuli.noise(height, width)[:, :, :1] & 1) * np.uint8(255)
    levels = response.pixels(asker.ask(np.repeat(plane, 3, axis=2)))
    known = np.array([0.0, 255.0, *fill])
    apart = np.abs(levels[:, :, :, None] - known).min(axis=3)
    return bool(np.mean(apart > 1.0) < 0.01)


def _fitted(
    pictures: list[NDArray[np.float64]], box: tuple[int, int, int, int], axis: Literal[0, 1], size: int
) -> tuple[Axis, float, Literal["edge", "reflect", "symmetric"] | None]:
    """The straight line through the positions along one axis of the output."""
    top, bottom, left, right = box
    third = slice(top + (bottom - top) // 4, bottom - (bottom - top) // 4)
    if axis == 0:
        third = slice(left + (right - left) // 4, right - (right - left) // 4)
    start, stop = (top, bottom) if axis == 0 else (left, right)
    ramp, sine, cosine = (
        (picture[start:stop, third].mean(axis=1) if axis == 0 else picture[third, start:stop].mean(axis=0))
        for picture in pictures
    )
    coarse = (ramp - 10) / 235 * (size - 1) + 0.5
    mode, (low, high) = _repeated(sine, cosine)
    if mode is not None:
        start, stop, ramp, sine, cosine, coarse = (
            start + low,
            start + high,
            *(line[low:high] for line in (ramp, sine, cosine, coarse)),
        )
    places = np.arange(start, stop) + 0.5
    rough = abs(np.polyfit(places, coarse, 1)[0]) if len(places) > 1 else 1.0
    # Near the ends kernels see what lies beyond.
    margin = min(int(np.ceil(3 / max(rough, 1e-3))) if rough < 1 else 3, (stop - start) // 4)
    used = slice(margin, len(places) - margin)
    strength = np.hypot(sine - 127.5, cosine - 127.5)[used]
    if np.median(strength) > 20:
        phase = np.unwrap(np.arctan2(sine - 127.5, cosine - 127.5)[used])
        fine = phase / (2 * np.pi) * stimuli.PERIOD
        fine += stimuli.PERIOD * np.round(np.median(coarse[used] - fine) / stimuli.PERIOD)
    else:
        fine = coarse[used]
    scale, shift = np.polyfit(places[used], fine, 1)
    error = float(np.std(fine - (scale * places[used] + shift)))
    axis_found = Axis(
        size=pictures[0].shape[axis], scale=float(scale), shift=float(shift), start=float(start), stop=float(stop)
    )
    return axis_found, error, mode


def _repeated(
    sine: NDArray[np.float64], cosine: NDArray[np.float64]
) -> tuple[Literal["edge", "reflect", "symmetric"] | None, tuple[int, int]]:
    """Whether the ends repeat what is between them, how, and where that begins and ends."""
    whole = 0, len(sine)
    if len(sine) < 24 or np.median(np.hypot(sine - 127.5, cosine - 127.5)) < 60:
        return None, whole
    moves = np.diff(np.unwrap(np.arctan2(sine - 127.5, cosine - 127.5)))
    size = np.abs(moves)
    usual = float(np.median(size[size >= 0.4 * np.quantile(size, 0.9)]))
    if usual < 1e-3:
        return None, whole
    if usual < 2 * np.pi / stimuli.PERIOD:
        # Enlarged, pixels may be repeated, and move by none or by one.
        window = np.ones(math.ceil(3 * np.pi / stimuli.PERIOD / usual)) / math.ceil(3 * np.pi / stimuli.PERIOD / usual)
        moves = np.convolve(np.pad(moves, len(window) // 2, mode="edge"), window, mode="valid")[: len(sine) - 1]
    runs = []
    for sign in (1, -1):
        on = np.abs(sign * moves / usual - 1) < 0.5
        edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(int), [0]])))
        runs += [(int(first), int(last), sign) for first, last in zip(edges[::2], edges[1::2], strict=True)]
    if not runs:
        return None, whole
    # What is mirrored is never longer than what it mirrors.
    low, high, sign = max(runs, key=lambda run: run[1] - run[0])
    usual *= sign
    # A kernel at a plain end sees one pixel less, which does not repeat anything.
    before, after = moves[:low][::-1] / usual, moves[high:] / usual
    beyond = before if len(before) >= len(after) else after
    if len(beyond) < 4 or high - low < 12:
        return None, whole
    if np.median(np.abs(beyond[1:])) < 0.15:
        mode: Literal["edge", "reflect", "symmetric"] = "edge"
    elif np.median(np.abs(beyond[1:] + 1)) < 0.3:
        mode = "reflect" if abs(beyond[0] + 1) < 0.35 else "symmetric"
    else:
        return None, whole
    return mode, (low, high + 1)

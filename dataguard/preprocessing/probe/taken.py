"""Which pixels are taken, where they are taken as they are: an index for every row and column, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.asking import Asker
from dataguard.preprocessing.probe.geometry import Steps, trace
from dataguard.preprocessing.probe.kernels import variants
from dataguard.preprocessing.probe.measuring import Measured
from dataguard.preprocessing.probe.response import Response
from dataguard.preprocessing.probe.strips import strip
from dataguard.preprocessing.steps import Resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIGITS = 60
"""Values of a digit; each is four levels, so that rounding does not make one another."""


def with_indices(asker: Asker, response: Response, measured: Measured) -> Measured:
    """A measurement with the index of every row and column that was taken; 0 for a border of one level, then from 1."""
    placement = measured.placement
    if placement.transposed:
        return measured
    size = placement.height, placement.width

    def taken(axis: Literal[0, 1]) -> NDArray[np.int64]:
        index = np.arange(size[axis])
        along, across = (placement.rows, placement.columns) if axis == 0 else (placement.columns, placement.rows)
        middle = int((across.start + across.stop) / 2)
        digits = []
        for digit in (index // _DIGITS, index % _DIGITS):
            levels = response.pixels(asker.ask(stimuli.along(*size, (digit * 4 + 2).astype(np.float64), axis)))[:, :, 0]
            line = levels[:, middle] if axis == 0 else levels[middle]
            digits.append(np.rint((line - 2) / 4).astype(np.int64))
        found = digits[0] * _DIGITS + digits[1] + 1
        if measured.fill is not None:
            # A border that repeats the picture is made of its rows and columns.
            places = np.arange(len(found)) + 0.5
            found[(places < along.start) | (places > along.stop)] = 0
        return found

    return replace(measured, indices=(taken(0), taken(1)))


def explain_indices(candidates: Sequence[Steps], measured: Sequence[Measured]) -> list[Steps]:
    """The candidates, with a kernel, that take exactly the rows and columns that were taken."""
    kernels = [
        replace(one, arithmetic="float32")
        for one in variants(Resize(), integers=True, nearest=True)
        if one.kernel in ("nearest", "nearest_exact") and one.align == "half_pixel" and one.antialias == "none"
    ]
    asked = [(one.placement.height, one.placement.width) for one in measured]
    groups: dict[tuple[object, ...], list[Steps]] = {}
    for steps in candidates:
        groups.setdefault(tuple(trace(steps, *size) for size in asked), []).append(steps)
    found: list[Steps] = []
    for group in groups.values():
        first = group[0]
        resizes = any(isinstance(step, Resize) for step in first)
        for kernel in kernels if resizes else kernels[:1]:
            if takes(_with_all(first, kernel), measured):
                found += [_with_all(steps, replace(kernel, arithmetic="uint8")) for steps in group]
    places = {steps: at for at, steps in enumerate(candidates)}
    return sorted(found, key=lambda steps: places.get(_with_all(steps, Resize()), 0))


def takes(steps: Steps, measured: Sequence[Measured]) -> bool:
    """Whether steps with a kernel that takes pixels as they are take those that were taken."""
    return all(
        _takes(steps, np.arange(1, side + 1, dtype=np.float32), axis, one, one.indices[axis])
        for one in measured
        if one.indices is not None
        for axis, side in _sides(one)
    )


def _sides(one: Measured) -> tuple[tuple[Literal[0, 1], int], tuple[Literal[0, 1], int]]:
    return (1, one.placement.width), (0, one.placement.height)


def _with_all(steps: Steps, kernel: Resize) -> Steps:
    return tuple(_as(step, kernel) if isinstance(step, Resize) else step for step in steps)


def _takes(
    steps: Steps, line: NDArray[np.float32], axis: Literal[0, 1], one: Measured, wanted: NDArray[np.int64]
) -> bool:
    exact = tuple(replace(step, arithmetic="float32") if isinstance(step, Resize) else step for step in steps)
    made = strip(exact, line, axis, one.placement.height, one.placement.width)
    return made is not None and np.array_equal(made, wanted)


def _as(step: Resize, kernel: Resize) -> Resize:
    return replace(
        step,
        engine=kernel.engine,
        kernel=kernel.kernel,
        antialias=kernel.antialias,
        arithmetic=kernel.arithmetic,
        cubic=kernel.cubic,
        align=kernel.align,
    )

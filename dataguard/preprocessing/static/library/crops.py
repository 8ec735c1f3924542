"""Crops of known places as torchvision cuts them: from the middle, or several of which all are fed."""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.static.picture import State, explicit, fill_levels, stepped
from dataguard.preprocessing.static.values import Value, is_number
from dataguard.preprocessing.steps import Crop


def centred(state: State, height: int, width: int, place: str) -> State:
    """A state after a crop from the middle, as torchvision does it."""
    fill = fill_levels(state, 0) or (0.0,)
    step = Crop(
        rule="center",
        height=height,
        width=width,
        rounding="half_even",
        border="floor",
        fill=fill,
        provenance={"": explicit(place)},
    )
    return replace(stepped(state, step, place), size=(height, width))


def of_several(name: str, state: State, height: Value, width: Value, place: str) -> State:
    """A state after ``FiveCrop`` or ``TenCrop``: crops at the corners and in the middle, all of which are fed."""
    why = f"{name} feeds several crops, at the corners and in the middle"
    step = Crop(
        rule=None,
        height=int(height) if is_number(height) else None,
        width=int(width) if is_number(width) else None,
        rounding=None,
        provenance={"": explicit(place, name)},
        undetermined={"rule": why, "rounding": why},
    )
    return replace(stepped(state, step, place), size=(step.height, step.width))

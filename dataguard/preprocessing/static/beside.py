"""What is written beside a picture into an array of more channels, as a mask, and what is known of sizes by chance."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dataguard.preprocessing.static.picture import State
from dataguard.preprocessing.static.values import Unknown, Value, is_number
from dataguard.preprocessing.steps import Flip, Pad, Random

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine


def is_beside(machine: Machine, state: State, aligned: Sequence[ast.expr | None]) -> bool:
    """Whether an index means channels beyond those of a picture: 'batch[i, :, :, 3] = mask'."""
    at = state.layout.find("C")
    one = aligned[at] if 0 <= at < len(aligned) == len(state.layout) else None
    start = machine.evaluate(one.lower if isinstance(one, ast.Slice) else one) if one is not None else None
    return isinstance(start, int) and state.channels is not None and start >= len(state.channels)


def takes_all(machine: Machine, state: State, one: ast.expr | None) -> bool:
    """Whether a part of the channels is as many as a picture has: 'batch[i, :, :, 0:3] = picture'."""
    if not isinstance(one, ast.Slice) or one.upper is None or one.step is not None:
        return False
    lower, upper = machine.evaluate(one.lower), machine.evaluate(one.upper)
    return lower in (None, 0) and state.channels is not None and upper == len(state.channels)


def sized(state: State, size: tuple[Value, Value]) -> State:
    """A state of a size that an array tells; where chance brought the picture to it, its last step says it."""
    step = state.steps[-1] if state.steps else None
    if not isinstance(step, Random) or not all(is_number(one) for one in size) or "size" in dict(step.parameters):
        return replace(state, size=size)
    told = replace(step, parameters=(("size", f"{size[0]}x{size[1]}"), *step.parameters))
    return replace(state, size=size, steps=(*state.steps[:-1], told))


def open_length(state: State, why: str) -> Unknown:
    """A length that is not known: by chance, where the last step that changes it is so."""
    sizing = [one for one in state.steps if not isinstance(one, Flip)]
    chance = bool(sizing) and isinstance(sizing[-1], Random) and "geometry" not in state.lost
    return Unknown(why, "", "random" if chance else "")


def is_trim(state: State, box: Mapping[str, tuple[Value, Value]]) -> bool:
    """Whether a part begins at the corner of a picture that its mirror image was attached to: the border's width."""
    step = state.steps[-1] if state.steps else None
    mirrored = isinstance(step, Pad) and step.rule is None and step.mode == "symmetric"
    return mirrored and all(lower in (None, 0) for lower, _ in box.values())

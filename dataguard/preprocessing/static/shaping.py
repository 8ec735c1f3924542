"""Arrays whose shape is set, and those that pictures are added to."""

from __future__ import annotations

import ast

from dataguard.preprocessing.static.machine import Machine
from dataguard.preprocessing.static.picture import losing, with_axis
from dataguard.preprocessing.static.values import Blank, Picture, Seq, Shape, Value


def is_empty(value: Value) -> bool:
    """Whether something is a new array of zeros."""
    return isinstance(value, Blank) and value.fill == 0 and not value.planes


def shaped(machine: Machine, value: Picture, shape: Value, node: ast.AST) -> Picture:
    """A picture whose shape is set: one more axis of length 1 is followed, another shape is taken to say the same."""
    lengths = shape.items if isinstance(shape, Seq | Shape) else []
    if lengths[:1] == [1] and len(lengths) == len(value.state.layout) + 1:
        return Picture(with_axis(value.state, 0, machine.place(node)))
    if len(lengths) == len(value.state.layout):
        return value
    return Picture(losing(value.state, machine.place(node), "its shape is set", "layout"))

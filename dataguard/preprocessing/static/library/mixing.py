"""Levels that are looked up in a table, and colours that are mixed by a matrix."""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.static.blending import alike
from dataguard.preprocessing.static.library.registry import Call, function, methods
from dataguard.preprocessing.static.picture import State, by_chance, losing, moved, of_order
from dataguard.preprocessing.static.values import Picture, Seq, Unknown, Value, is_number, numbers

_OF_ROUNDED_WEIGHTS = 0.01
"""How far weights of gray are from one together at most: three that are rounded to two places."""


def is_chance(value: Value) -> bool:
    """Whether chance decides about a value, or about an item of it."""
    if isinstance(value, Seq):
        return any(is_chance(one) for one in value.items[:64])
    return isinstance(value, Unknown) and value.kind == "random"


def looked_up(table: Value, state: State, place: str) -> Value:
    """What ``table[picture]`` is: every level goes through a table, all else stays."""
    if is_chance(table):
        return Picture(by_chance(state, "levels", place, size=state.size))
    return Picture(replace(losing(state, place, "levels go through a table", "affine"), dtype=None))


@methods("value", "clip")
def _clipped(call: Call) -> Value:
    return call.receiver if is_chance(call.receiver) else call.unknown("what clip returns")


@methods("array", "dot", "matmul")
@methods("tensor", "matmul", "mm")
def _times(call: Call) -> Value:
    return _mixed(call, call.state, call.get(0, "b"))


@function("numpy.matmul", "numpy.dot", "torch.matmul", "torch.mm", "tensorflow.tensordot")
def _product(call: Call) -> Value:
    first, second = (call.args[0], call.args[1]) if len(call.args) > 1 else (None, None)
    if not isinstance(first, Picture):
        drawn = is_chance(first) or is_chance(second)
        return Unknown(f"what {call.name} returns", call.place, "random" if drawn else "")
    return _mixed(call, first.state, second)


@methods("tensor", "lerp")
def _between(call: Call) -> Value:
    return _shared(call, call.given_picture, call.get(0, "end"), call.get(1, "weight"))


@function("torch.lerp")
def _between_two(call: Call) -> Value:
    first = call.get(0, "input")
    if not isinstance(first, Picture):
        return call.unknown("what torch.lerp returns")
    return _shared(call, first, call.get(1, "end"), call.get(2, "weight"))


def _shared(call: Call, first: Picture, second: Value, weight: Value) -> Value:
    """What lies between two, by a share: of two pictures of one kind it is one, else chance changes its levels."""
    state, place = first.state, call.place
    if isinstance(second, Picture) and alike(state, second.state):
        return Picture(moved(state, place))
    if is_chance(weight):
        return Picture(by_chance(state, "levels", place, size=state.size))
    return Picture(losing(state, place, "levels are mixed with others", "affine"))


def _mixed(call: Call, state: State, matrix: Value) -> Value:
    """A picture whose channels are the last axis, times a matrix."""
    place = call.place
    if is_chance(matrix):
        return Picture(by_chance(state, "levels", place, size=state.size))
    weights = numbers(matrix)
    if weights is None or state.channels is None or state.layout[-1:] != "C":
        return Picture(losing(state, place, "channels are mixed by a matrix", "affine", "order"))
    flat = isinstance(matrix, Seq) and all(is_number(one) for one in matrix.items)
    if len(weights) != len(state.channels) or not all(one > 0 for one in weights):
        return Picture(losing(state, place, "channels are mixed by a matrix", "affine", "order"))
    dtype = state.dtype if state.is_float else "float64"
    if flat and len(weights) == 3 and abs(sum(weights) - 1) <= _OF_ROUNDED_WEIGHTS and len(state.scale or ()) <= 1:
        return Picture(replace(of_order(state, "GRAY", place), layout=state.layout[:-1], dtype=dtype))
    gray = losing(moved(state, place, channels=("Y",)), place, "channels are mixed", "affine")
    return Picture(replace(gray, layout=state.layout[:-1] if flat else state.layout, dtype=dtype))

"""What becomes of a picture, or of a number, that is written into an array."""

from __future__ import annotations

import ast
from dataclasses import replace

from dataguard.core.syntax import nodes
from dataguard.preprocessing.static.machine import Machine
from dataguard.preprocessing.static.picture import State, cast, losing
from dataguard.preprocessing.static.values import (
    Blank,
    Choice,
    Picture,
    Seq,
    Unknown,
    Value,
    choice,
    is_number,
    numbers,
)


def of_item(machine: Machine, target: ast.Subscript, value: Value) -> ast.Subscript | None:
    """What 'batch[i][:, :h] = picture' writes into: 'batch[i, :, :h]' where the batch is a new array.

    None where it holds such a picture already, which stands for all.
    """
    keys: list[ast.expr] = []
    inner: ast.expr = target
    while isinstance(inner, ast.Subscript):
        keys[:0] = inner.slice.elts if isinstance(inner.slice, ast.Tuple) else [inner.slice]
        inner = inner.value
        if isinstance(inner, ast.Subscript) and any(isinstance(one, ast.Slice) for one in nodes(inner.slice)):
            return target
    holder = machine.evaluate(inner)
    if isinstance(holder, Picture) and isinstance(value, Picture) and holder.state.layout == "N" + value.state.layout:
        return None
    if not isinstance(holder, Blank):
        return target
    made = ast.Subscript(inner, ast.Tuple(keys, ast.Load()), ast.Store())
    return ast.copy_location(made, target)


def chance_in(holder: Blank, value: Value) -> Unknown | None:
    """What is by chance of what a few points get: so is what is computed of them."""
    small = all(is_number(one) and one <= 4 for one in holder.shape)
    return drawn_of(value) if small else None


def drawn_of(value: Value) -> Unknown | None:
    """A value that is by chance, or one of several or of some that is."""
    if isinstance(value, Unknown):
        return value if value.kind == "random" else None
    held = value.items if isinstance(value, Seq) else value.options if isinstance(value, Choice) else []
    return next((found for one in held if (found := drawn_of(one)) is not None), None)


def as_held(dtype: str, value: Picture, place: str) -> Picture:
    """A picture as the numbers of the array that it is written into, whose type is '' where it is not known."""
    state = value.state
    if not dtype or state.dtype is None or state.dtype == dtype:
        return value
    return Picture(cast(state, dtype, place))


def filled(holder: Blank, value: Value) -> Blank:
    """A new array all of which gets a value that is no picture."""
    given = numbers(value)
    fill = given[0] if given and len(set(given)) == 1 else None
    return replace(holder, fill=fill, planes={}, sides=[])


def overlaid(state: State, value: Value, place: str) -> Value:
    """What an array with a picture in it is after all of it was overwritten: 'image[...] = value'."""
    from dataguard.preprocessing.static.arrays import shape_of

    if isinstance(value, Picture):
        return value
    if isinstance(value, Choice):
        return choice([overlaid(state, one, place) for one in value.options], value.why)
    if numbers(value) is not None:
        library = "torch" if state.kind == "tensor" else "numpy"
        return filled(Blank(shape_of(state), None, library, {}, place, dtype=state.dtype or ""), value)
    return Picture(losing(state, place, "it is overwritten by what is not known", "order", "geometry", "affine"))

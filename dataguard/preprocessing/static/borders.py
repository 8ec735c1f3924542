"""Borders that are put about pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dataguard.preprocessing.static import sizes
from dataguard.preprocessing.static.picture import State, by_chance, explicit, fill_levels, losing, moved, stepped
from dataguard.preprocessing.static.values import Unknown, Value, is_number, measured
from dataguard.preprocessing.steps import Pad, Random


def filling(state: State, fill: Value) -> dict[str, Any]:
    """The fields of a border of one value, which may not be known."""
    levels = fill_levels(state, fill)
    return {"fill": levels, "undetermined": {} if levels is not None else {"fill": "the border's value is not known"}}


def padded(state: State, size: tuple[Value, Value], corner: tuple[Value, Value], fill: Value, place: str) -> State:
    """A state of a picture that is put at a corner of a larger one of one value."""
    if any(isinstance(one, Unknown) and one.kind == "random" for one in (*corner, *size)):
        # Where the whole size is by chance the border is; where it is not, the picture's place in it is.
        grown = any(isinstance(one, Unknown) and one.kind == "random" for one in size)
        shown = {"size": f"{int(size[0])}x{int(size[1])}"} if all(is_number(one) for one in size) else None
        last = state.steps[-1] if state.steps else None
        if isinstance(last, Random) and last.name == "crop" and last.origin_of("") == explicit(place, "crop"):
            # What the same statement cuts off is what reaches beyond the larger one.
            state = replace(state, steps=state.steps[:-1])
        return by_chance(state, "pad" if grown else "placement", place, size=size, shown=shown)
    before, after, corners = sizes.pairs(*state.size), sizes.pairs(*size), sizes.corners(*corner)
    filled = filling(state, fill)
    levels, why_fill = filled["fill"], filled["undetermined"]
    if after is not None and before == after:
        return moved(state, place)
    if before is None or after is None or corners is None:
        # Where the picture lies is not known, but a whole size may be.
        why = "the border is not known"
        step = _open_border(size, levels, {**dict.fromkeys(("rule", "position", "rounding"), why), **why_fill}, place)
        return replace(stepped(state, step, place), size=size if after is not None else (None, None))
    rule: dict[str, Any] | None = sizes.pad_rule(before, after, corners)
    if rule is None:
        why = "the border is computed in a way that is no known rule"
        step = _open_border(size, levels, {**dict.fromkeys(("rule", "position", "rounding"), why), **why_fill}, place)
    else:
        step = Pad(**rule, **filled, provenance={"": explicit(place)})
    return replace(stepped(state, step, place), size=size)


def about(state: State, fill: Value, place: str) -> State:
    """A state with a border within its size, of which is not known where it lies."""
    filled = filling(state, fill)
    why = dict.fromkeys(("rule", "position", "rounding"), "it depends on a matrix how much of a border there is")
    step = _open_border(state.size, filled["fill"], {**why, **filled["undetermined"]}, place)
    return replace(stepped(state, step, place), size=state.size)


def _open_border(size: tuple[Value, Value], levels: Any, undetermined: dict[str, str], place: str) -> Pad:
    """A border of which is not known how it lies about the picture, but, it may be, up to which size it goes."""
    held: dict[str, Any] = {"rule": None}
    if all(is_number(one) for one in size):
        held = {"rule": "to", "height": int(size[0]), "width": int(size[1])}
        undetermined = {name: why for name, why in undetermined.items() if name != "rule"}
    return Pad(
        **held, position=None, rounding=None, fill=levels, undetermined=undetermined, provenance={"": explicit(place)}
    )


def of_kind(after: State, before: State, mode: Any) -> State:
    """A state after a border that was just added, which is of another kind: no value is needed; None is not known."""
    step = after.steps[-1] if after.steps != before.steps else None
    if not isinstance(step, Pad):
        return after
    missing = {key: why for key, why in step.undetermined.items() if key != "fill"}
    if mode is None:
        missing["mode"] = "the kind of the border is not known"
    return replace(after, steps=(*after.steps[:-1], replace(step, mode=mode, fill=None, undetermined=missing)))


def enlarged(state: State, top: Value, bottom: Value, left: Value, right: Value, fill: Value, place: str) -> State:
    """A state with so many pixels added on each side."""
    height, width = state.size
    sides = (top, bottom, left, right)
    if any(isinstance(one, Unknown) and one.kind == "random" for one in sides):
        return by_chance(state, "pad", place, size=(None, None))
    if any(is_number(one) and one < 0 for one in sides):
        lost = losing(state, place, "a border of less than nothing, which cuts", "geometry")
        return replace(lost, size=(None, None))
    if height is None or width is None or any(isinstance(one, Unknown) for one in sides):
        if all(is_number(one) for one in sides):
            whole = tuple(int(one) for one in sides)
            step = Pad(rule="by", sides=whole, **filling(state, fill), provenance={"": explicit(place)})
            return stepped(state, step, place)
        return padded(state, (None, None), (0, 0), fill, place)
    tall = measured(lambda h, a, b: int(h + a + b), height, top, bottom)
    wide = measured(lambda w, a, b: int(w + a + b), width, left, right)
    return padded(state, (tall, wide), (top, left), fill, place)

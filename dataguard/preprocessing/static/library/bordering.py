"""Borders made of strips: 'np.concatenate((picture, np.tile(picture[-1:] * 0 + 128, (n, 1, 1))), axis=0)'."""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.static import borders
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import State, explicit, moved, stepped
from dataguard.preprocessing.static.values import Measure, Picture, Seq, Unknown, Value, is_number, measured
from dataguard.preprocessing.steps import Flip, Pad


@function("numpy.tile")
def _tiled(call: Call) -> Value:
    """A picture so many times along its axes."""
    state = call.picture(0, "A")
    times = call.get(1, "reps")
    if state is None:
        return call.unknown("no picture")
    if not isinstance(times, Seq) or len(times.items) != len(state.layout):
        return Picture(moved(state, call.place))
    sizes = []
    for name, length in zip("HW", state.size, strict=True):
        count = times.items[state.layout.index(name)] if name in state.layout else 1
        known = all(is_number(one) or isinstance(one, Measure) for one in (count, length))
        sizes.append(measured(lambda a, b: int(a * b), count, length) if known else None)
    return Picture(moved(replace(state, size=(sizes[0], sizes[1])), call.place))


def bordered(states: list[State], axis: Value, place: str) -> State | None:
    """What strips of one value before and after a picture make of it; None where they are something else."""
    layouts = {one.layout for one in states}
    if len(states) < 2 or len(layouts) != 1 or not isinstance(axis, int):
        return None
    layout = layouts.pop()
    name = layout[axis] if -len(layout) <= axis < len(layout) else ""
    pictures = [one for one in states if not _is_strip(one)]
    if name not in ("H", "W") or len(pictures) != 1:
        return None
    picture = pictures[0]
    at = next(index for index, one in enumerate(states) if one is picture)
    before, after = (_thickness(some, name) for some in (states[:at], states[at + 1 :]))
    fills = {one.offset for one in states if one is not picture}
    fill: Value = Unknown("a border of several values")
    if len(fills) == 1 and (levels := fills.pop()) is not None:
        fill = levels[0] if len(levels) == 1 else Seq(list(levels), "array")
    if name == "H":
        return borders.enlarged(picture, before, after, 0, 0, fill, place)
    return borders.enlarged(picture, 0, 0, before, after, fill, place)


def mirrored(states: list[State], axis: Value, place: str) -> State | None:
    """A picture with its mirror image at an edge, as a border that a slice cuts to its width; None where it is none."""
    first, second = states if len(states) == 2 else (states[0], states[0])
    name = first.layout[axis] if isinstance(axis, int) and -len(first.layout) <= axis < len(first.layout) else ""
    step = second.steps[-1] if second.steps else None
    kind = {"H": "up_down", "W": "left_right"}.get(name)
    if kind is None or not isinstance(step, Flip) or step.kind != kind or second.steps[:-1] != first.steps:
        return None
    why = "a mirror image is attached, and cut to a width that is not followed"
    fields = ("rule", "position", "rounding", "fill")
    border = Pad(
        mode="symmetric", provenance={"": explicit(place)},
        undetermined=dict.fromkeys(fields, why), **dict.fromkeys(fields),
    )  # fmt: skip
    doubled = [
        measured(lambda one: 2 * one, length) if axis_ == name and length is not None else length
        for axis_, length in zip("HW", first.size, strict=True)
    ]
    return replace(stepped(first, border, place), size=(doubled[0], doubled[1]))


def _is_strip(state: State) -> bool:
    """Whether all levels are one and the same."""
    return state.scale is not None and not any(state.scale)


def _thickness(states: list[State], name: str) -> Value:
    lengths = [one.size["HW".index(name)] for one in states]
    if any(one is None for one in lengths):
        return Unknown("how wide the border is")
    return measured(lambda *given: sum(given), *lengths) if lengths else 0

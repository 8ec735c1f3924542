"""Arrays that are put together: pictures to a batch, channels to a picture; and levels that go through a curve."""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.static import parts
from dataguard.preprocessing.static.joining import join
from dataguard.preprocessing.static.library.bordering import bordered, mirrored
from dataguard.preprocessing.static.library.given import PICKLED
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import State, explicit, losing, moved, reordered
from dataguard.preprocessing.static.unknowns import PLACES, STACKED
from dataguard.preprocessing.static.values import (
    Blank,
    Choice,
    Picture,
    Seq,
    Shape,
    Stat,
    Unknown,
    Value,
    choice,
    is_number,
    is_picture,
)


def sides(items: list[Value]) -> list[list[Value]]:
    """What a list holds in each of several cases, where some of its items are one of several; else nothing.

    >>> sides([Choice([1, 2], "by a flag"), 0])
    [[1, 0], [2, 0]]
    """
    counts = {len(one.options) for one in items if isinstance(one, Choice)}
    if len(counts) != 1:
        return []
    return [[one.options[at] if isinstance(one, Choice) else one for one in items] for at in range(counts.pop())]


@function("numpy.stack", "numpy.concatenate", "torch.stack", "torch.cat", "numpy.dstack",
          "numpy.vstack", "numpy.concat", "tensorflow.stack", "tensorflow.concat", "torch.concat",
          "numpy.hstack")  # fmt: skip
def _stack(call: Call) -> Value:
    value = call.get(0, "arrays", call.kwargs.get("tensors"))
    value = value if value is not None else call.kwargs.get("values")
    axis = call.get(1, "axis", call.kwargs.get("dim", 0))
    if isinstance(value, int) and call.name.startswith("tensorflow.") and len(call.args) > 1:
        # Before version 1.0 the axis came first.
        axis, value = value, call.args[1]
    items = value.items if isinstance(value, Seq | Shape) else []
    if items and all(_is_list(one) for one in items) and axis == 0 and "concat" in call.name:
        # Lists of pictures one after another: a batch of them all.
        call = replace(call, name="numpy.stack", args=[Seq([one for row in items for one in row.items])], kwargs={})
        return _stack(call)
    if len(items) == 1 and isinstance(items[0], Choice):
        options = [one for one in items[0].options if isinstance(one, Picture)]
        if options:
            made = [_stack(replace(call, args=[Seq([one]), *call.args[1:]])) for one in options]
            return choice(made, items[0].why)
    rows = sides(items)
    if rows:
        made = [_stack(replace(call, args=[Seq(row, "list"), axis], kwargs={})) for row in rows]
        return choice(made, "one of several")
    states = [one.state for one in items if isinstance(one, Picture)]
    if len(states) == 1 < len(items) and _adds_channels(call.name, items, axis):
        return Picture(moved(states[0], call.place))
    if not states or len(states) != len(items):
        if not states and any(isinstance(one, Unknown) and one.kind == "random" for one in items):
            return Unknown(STACKED, call.place, "random")
        stored = next((one for one in items if isinstance(one, Unknown) and one.why.startswith(PICKLED)), None)
        if stored is not None and all(isinstance(one, Unknown) for one in items):
            return stored
        of_graph = call.name.startswith("tensorflow.")
        if of_graph and any(map(is_number, items)) and not any(map(is_picture, items)) and axis == 0:
            return Seq(list(items), "list")  # lengths that a shape is made of
        return value if isinstance(value, Picture) else call.unknown("no picture" if of_graph else "stacked arrays")
    place = call.place
    name = call.name.rpartition(".")[2]
    edged = bordered(states, {"vstack": 0, "hstack": 1}.get(name, axis), place) if "stack" not in name[:5] else None
    if edged is None and name in ("concatenate", "cat", "concat"):
        edged = mirrored(states, axis, place)
    if edged is not None:
        return Picture(edged)
    single = all(one.channels is not None and len(one.channels) == 1 for one in states)
    flat = "C" not in states[0].layout
    if single and len(states) > 1 and flat and name in ("stack", "dstack"):
        layout = "HWC" if axis in (-1, 2) or name == "dstack" else "CHW"
        if states[0].layout == "NHW" and name == "stack" and axis in (1, -3, 3, -1):
            layout = "NCHW" if axis in (1, -3) else "NHWC"
        found = parts.assembled(states, place, axis=layout)
        if found is not None:
            return Picture(found)
        if (len({one.channels for one in states}) == 1 and axis == 0) or name == "dstack":
            return Picture(_flipped_stack(states, layout, place))
        if all(one.channels == ("Y",) for one in states):
            first = states[0]
            return Picture(moved(first, place, layout=layout))
    if single and len(states) == 3 and name in ("concatenate", "cat", "concat") and not flat:
        found = parts.assembled(states, place, axis=states[0].layout)
        if found is not None:
            return Picture(found)
    first = states[0]
    if all(one == first for one in states[1:]) and first.layout == "HW" and len(states) > 1 and axis == 2:
        return Picture(moved(first, place, layout="HWC", channels=("Y",) * len(states)))
    if name == "stack" and "N" not in first.layout and axis == 0:
        return Picture(moved(_plain(states), place, layout="N" + first.layout))
    beside_ = moved(_plain(states), place)
    return Picture(replace(beside_, said={**beside_.said, "stacked": explicit(place)}))


@function("numpy.split", "numpy.array_split", "numpy.vsplit", "numpy.hsplit", "torch.split", "torch.chunk",
          "torch.tensor_split")  # fmt: skip
def _split(call: Call) -> Value:
    """Pictures that were put one beside another, taken apart again."""
    value = call.get(0, "ary", call.kwargs.get("input"))
    if not isinstance(value, Picture):
        return call.unknown("parts of an array")
    count = call.get(1, "indices_or_sections", call.kwargs.get("chunks", call.kwargs.get("split_size_or_sections")))
    axis = {"vsplit": 0, "hsplit": 1}.get(call.name.rpartition(".")[2], call.get(2, "axis", call.kwargs.get("dim", 0)))
    found = channels_of(value.state, count, axis, call.name.endswith("torch.split"), call.place)
    return found if found is not None else pieces(value, count, call.place)


def _adds_channels(name: str, items: list[Value], axis: Value) -> bool:
    """Whether what is no picture is put beside one as more channels: 'torch.cat([image, mask], 1)'."""
    layout = next(one.state.layout for one in items if isinstance(one, Picture))
    known = isinstance(axis, int) and -len(layout) <= axis < len(layout) and layout[axis] == "C"
    others = all(isinstance(one, Picture | Unknown | Blank | Stat) for one in items)
    return known and others and name.endswith(("cat", "concat", "concatenate"))


def channels_of(state: State, count: Value, axis: Value, by_size: bool, place: str) -> Value:
    """What a picture is split into along its channels, one each, which keep their axis; None for no such split."""
    several = len(state.channels or ())
    known = isinstance(axis, int) and -len(state.layout) <= axis < len(state.layout) and state.layout[axis] == "C"
    if not known or several < 2 or "stacked" in state.said or count != (1 if by_size else several):
        return None
    return Seq([Picture(reordered(state, [index], place)) for index in range(several)], "tuple")


def pieces(value: Picture, count: Value, place: str) -> Value:
    """What a picture is split into: what it was put together of; a part of itself where it was not."""
    if "stacked" not in value.state.said and value.state.layout[:1] != "N":
        return Picture(losing(value.state, place, "it is split into pieces", "geometry"))
    number = count if isinstance(count, int) and 0 < count <= 16 else 2
    return Seq([Picture(value.state) for _ in range(number)], "list")


def _is_list(value: Value) -> bool:
    return isinstance(value, Seq) and bool(value.items) and isinstance(value.items[0], Picture | Choice)


def _plain(states: list[State]) -> State:
    """The one of several pictures that is not mirrored or cut out: test-time augmentation feeds both."""
    return min(states, key=lambda one: len(one.steps))


def _flipped_stack(states: list[State], layout: str, place: str) -> State:
    return moved(_plain(states), place, layout=layout)


@function("numpy.where", "torch.where", "tensorflow.where")
def _where(call: Call) -> Value:
    """Levels of one picture, and others where a condition holds."""
    found = [one for one in call.args[1:3] if isinstance(one, Picture)]
    if len(call.args) == 1:
        return call.unknown(PLACES)
    if not found:
        return call.unknown(f"what {call.name} returns")
    if call.by_chance and len(found) == 2:
        return join(call.args[0], found[0], found[1])
    return Picture(losing(found[0].state, call.place, "levels are exchanged where a condition holds", "affine"))


@function("numpy.argsort", "numpy.argpartition", "numpy.lexsort", "numpy.nonzero", "numpy.flatnonzero",
          "numpy.argwhere", "torch.argsort", "torch.nonzero")  # fmt: skip
def _places(call: Call) -> Value:
    """The places of several in an array."""
    return call.unknown(PLACES)


@function("numpy.power", "numpy.exp", "numpy.log", "numpy.log1p", "numpy.square", "numpy.tanh",
          "torch.pow", "torch.sqrt", "torch.exp", "torch.log", "torch.tanh", "torch.sigmoid")  # fmt: skip
def _curved(call: Call) -> Value:
    """Levels go through a curve, each by itself; all else stays."""
    if not isinstance(call.get(0, "x"), Picture):
        return call.unknown(f"what {call.name} returns")
    state = losing(call.args[0].state, call.place, f"levels go through {call.name}", "affine")
    return Picture(state if state.is_float else replace(state, dtype=None))

"""TensorFlow 1: a graph is written with placeholders, and pictures are given to these later.

What the graph does to a placeholder before the first layer of the network belongs to the path of every picture that
``sess.run(…, feed_dict={placeholder: picture})`` gives it. A placeholder is followed as a picture of its own; where it
comes to a layer, what was done to it is kept, and done to what is fed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static import arrays
from dataguard.preprocessing.static.library.given import STORED
from dataguard.preprocessing.static.library.numpy import dtype_of
from dataguard.preprocessing.static.library.registry import Call, function, methods
from dataguard.preprocessing.static.library.stacking import pieces
from dataguard.preprocessing.static.picture import State, losing, mapped, moved, reordered, stepped
from dataguard.preprocessing.static.values import (
    Blank,
    Choice,
    ExtObj,
    Map,
    Picture,
    Seq,
    Unknown,
    Value,
    choice,
    each,
    is_number,
    is_picture,
)
from dataguard.preprocessing.steps import Pad

if TYPE_CHECKING:
    from dataguard.preprocessing.static.machine import Machine

MARK = "placeholder:"
"""Begins the name of a placeholder, among what a picture came through."""
UNSHAPED = "what tensorflow.placeholder returns, of "
"""Begins the reason why a placeholder whose shape is no picture's is not known; the type of its numbers follows."""
LAYERS = ("tensorflow.contrib.", "tensorflow.layers.", "tensorflow.nn.", "keras.layers.", "tflearn.", "tensorlayer.",
          "tensorflow.slim", "tf_slim.")  # fmt: skip
"""Beginnings of names of what networks are made of."""


@function("tensorflow.placeholder", "tensorflow.placeholder_with_default")
def _placeholder(call: Call) -> Value:
    shape = call.get(1, "shape")
    if isinstance(shape, Choice):
        shape = next((one for one in shape.options if isinstance(one, Seq)), shape)
    lengths = shape.items if isinstance(shape, Seq) else []
    if len(lengths) == 3 and lengths[-1] in (1, 3) and not any(is_number(one) for one in lengths[:2]):
        # A picture of any size, which the graph brings to the network's.
        one = of_input(call.place, lengths[-1], None)
        return Picture(replace(one, layout="HWC", dtype=dtype_of(call.get(0, "dtype")) or "float32"))
    if len(lengths) != 4 or lengths[-1] not in (1, 3):
        return call.unknown(f"{UNSHAPED}{dtype_of(call.get(0, 'dtype')) or ''}")
    size = (lengths[1], lengths[2]) if all(is_number(one) for one in lengths[1:3]) else None
    state = of_input(call.place, lengths[-1], size)
    return Picture(replace(state, dtype="uint8") if dtype_of(call.get(0, "dtype")) == "uint8" else state)


def arranged(value: Value, shape: Value, place: str) -> State | None:
    """The picture that a placeholder of any shape is arranged to: 'tf.reshape(x, [-1, 28, 28, 1])'; None for none."""
    lengths = shape.items if isinstance(shape, Seq) else []
    if not isinstance(value, Unknown) or not value.why.startswith(UNSHAPED) or len(lengths) != 4:
        return None
    if lengths[-1] not in (1, 3):
        return None
    size = (lengths[1], lengths[2]) if all(is_number(one) for one in lengths[1:3]) else None
    return replace(of_input(place, lengths[-1], size), dtype=value.why.removeprefix(UNSHAPED) or "float32")


def of_input(place: str, count: int, size: tuple[Value, Value] | None) -> State:
    """The state of a placeholder of so many channels."""
    why = "the picture is fed to a placeholder"
    fields = ("library", "flags", "order", "exif", "alpha", "gray", "sixteen_bit")
    empty: dict[str, Any] = dict.fromkeys(fields)
    state = State(
        kind="tf",
        decode=Decode(undetermined=dict.fromkeys(fields, why), **empty),
        channels=("0", "1", "2")[:count],
        layout="NHWC",
        dtype="float32",
        through=(f"{MARK}{place}",),
    )
    return replace(state, size=size) if size is not None else state


def name_of(value: Value) -> str:
    """The placeholder that a value is, or was made of; '' for none."""
    found = arrays.pictures(value)[:1]
    state = found[0].state if found and isinstance(found[0], Picture) else None
    return state.through[0] if state is not None and state.through and state.through[0].startswith(MARK) else ""


def reached(machine: Machine, name: str, value: Value, weights: Sequence[Value] = ()) -> Unknown:
    """A placeholder comes to a layer: what was done to it is kept, the first time.

    A layer whose weights are read from a file is of a network that is not trained here, as one that a loss is computed
    by: what another network gets of the placeholder says more.
    """
    found = arrays.pictures(value)[0]
    if isinstance(found, Picture):
        fixed = any(_is_stored(one) for one in weights)
        if name not in machine.graphs or (name in machine.fixed_graphs and not fixed):
            machine.graphs[name] = found.state
            (machine.fixed_graphs.add if fixed else machine.fixed_graphs.discard)(name)
    return Unknown("what a model returns")


def _is_stored(value: Value) -> bool:
    """Whether a value was read from a file of numbers."""
    if isinstance(value, Picture):
        why = value.state.decode.undetermined.get("library", "")
        return any(one in why for one in STORED)
    return isinstance(value, Unknown) and value.why.startswith(STORED)


def fed(receiver: Value, name: str, args: Sequence[Value], kwargs: Mapping[str, Value]) -> list[Value]:
    """What a method feeds: of a session's ``run(fetches, feed_dict)`` what is given for inputs alone."""
    values = [*args, *kwargs.values()]
    if name not in ("run", "eval", "partial_run"):
        return values
    second = args[1] if len(args) > 1 and isinstance(args[1], Map) else None
    found = kwargs.get("feed_dict", kwargs.get("input_feed", second))
    if found is not None:
        return [found]
    return [] if isinstance(receiver, ExtObj) and receiver.name.startswith("tensorflow.") else values


def given(machine: Machine, value: Value) -> Value:
    """What a network gets where a picture is fed to a placeholder: of ``{placeholder: picture}`` the picture."""
    if not isinstance(value, Map):
        return value
    names = [one for one in value.items if str(one).startswith(MARK)]
    name = next((one for one in names if arrays.pictures(value.items[one])), None)
    if name is None:
        return Map({key: _as_batch(one) for key, one in value.items.items()}, open=value.open)
    if name.startswith(MARK + UNSHAPED):
        return stored(value.items[name], name.removeprefix(MARK + UNSHAPED).partition("#")[0])
    graph = machine.graphs.get(name)
    found = arrays.pictures(value.items[name])[:1]
    if not found:
        return value
    options = found[0].options if not isinstance(found[0], Picture) else found
    made = [Picture(_after(one.state, graph)) for one in options if isinstance(one, Picture)]
    return choice(made, "") if made else value


def stored(value: Value, dtype: str) -> Value:
    """A picture, or a list of some, as the numbers of a placeholder that says of what type they are."""
    found = arrays.pictures(value)[0]
    batched = isinstance(value, Seq)

    def held(one: Value) -> Value:
        state = one.state
        state = replace(state, dtype=dtype or state.dtype)
        return Picture(replace(state, layout=f"N{state.layout}") if batched and "N" not in state.layout else state)

    return each(found, lambda one: held(one) if isinstance(one, Picture) else one)


def key(value: Unknown, count: int) -> str:
    """The key of a dictionary that such a placeholder is; '' for what is none."""
    return f"{MARK}{value.why}#{count}" if value.why.startswith(UNSHAPED) else ""


def _as_batch(value: Value) -> Value:
    """A list of pictures that is given for an input, as the array that is made of it."""
    items = value.items if isinstance(value, Seq) and value.kind != "array" else []
    if not items or not is_picture(items[0]):
        return value
    return each(items[0], lambda one: one if "N" in one.state.layout else Picture(_with_batch(one.state)))


def _with_batch(state: State) -> State:
    return replace(state, layout=f"N{state.layout}")


def _after(state: State, graph: State | None) -> State:
    """A picture's state after what a graph does to it."""
    if "N" not in state.layout:
        state = _with_batch(state)
    if not state.is_float:
        state = replace(state, dtype="float32")
    if graph is None:
        return losing(state, "", "what the graph does to its placeholder is not followed", "affine")
    state = changed(state, graph)
    return replace(state, layout=graph.layout, dtype=graph.dtype or state.dtype)


def changed(state: State, graph: State) -> State:
    """A picture's state after what was done to a placeholder's channels, levels and size."""
    place = graph.places[-1] if graph.places else ""
    for one in graph.places:
        state = moved(state, one)
    names = ("0", "1", "2")
    if graph.channels is None or any(one not in names for one in graph.channels):
        state = losing(state, place, "channels that the graph changes in a way that is not followed", "order", "affine")
    else:
        positions = [names.index(one) for one in graph.channels]
        if positions != list(range(len(positions))):
            state = reordered(state, positions, place)
    if graph.scale is None or graph.offset is None:
        state = losing(state, place, "levels that the graph changes in a way that is not followed", "affine")
    elif graph.touched:
        state = mapped(state, "multiply", Seq(list(graph.scale)), place)
        state = mapped(state, "add", Seq(list(graph.offset)), place)
    steps = list(graph.steps)
    while steps and isinstance(steps[-1], Pad):
        # A border that nothing but a layer follows is the layer's own.
        steps.pop()
    for step in steps:
        state = stepped(state, step, place)
    for field, why in graph.lost.items():
        state = losing(state, "", why, field)
    return state


@methods("blank", "assign")
def _assigned(call: Call) -> Value:
    """'sess.run(variable.assign(picture))': what the network is made of is given the picture."""
    found = call.args[0] if call.args else None
    shape = call.receiver.shape if isinstance(call.receiver, Blank) else []
    first = next((one.state for one in arrays.pictures(found) if isinstance(one, Picture)), None)
    several = isinstance(found, Choice) or (first is not None and "N" in first.layout)
    if is_picture(found) and len(shape) == 4 and several:
        return call.machine.feed([found], call.node, "assign")
    return call.unknown("an operation of a graph")


@function("tensorflow.split")
def _split(call: Call) -> Value:
    """``tf.split(value, 3, axis=3)``, or with the axis first as before version 1.0: one picture a channel."""
    picture = next((one for one in (call.kwargs.get("value"), *call.args) if isinstance(one, Picture)), None)
    if picture is None:
        return call.unknown("what tensorflow.split returns")
    state = picture.state
    numbers = [one for one in call.args if is_number(one)]
    old = len(numbers) == 2 and call.args[-1] is picture
    axis = call.kwargs.get("axis", call.kwargs.get("split_dim", numbers[0] if old else call.get(2, "axis", 0)))
    if axis == 0 and state.layout[:1] == "N":
        # A batch for each of several devices.
        count = next((one for one in (call.kwargs.get("num_or_size_splits"), *numbers) if is_number(one)), 1)
        return Seq([picture] * max(1, min(int(count), 8)))
    if state.channels is None or axis not in (-1, state.layout.find("C")):
        # What was put beside another is taken apart again.
        several = next((one for one in (call.kwargs.get("num_or_size_splits"), *numbers) if is_number(one)), 2)
        return pieces(picture, several, call.place) if "stacked" in state.said else call.unknown("a part of a picture")
    return Seq([Picture(reordered(state, [index], call.place)) for index in range(len(state.channels))])

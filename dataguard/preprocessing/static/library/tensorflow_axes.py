"""TensorFlow: axes of pictures that are reversed, exchanged, left out or named anew, and their colours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dataguard.preprocessing.static.library import placeholders
from dataguard.preprocessing.static.library.given import of_numbers
from dataguard.preprocessing.static.library.numpy import axes_of
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import (
    State,
    explicit,
    losing,
    moved,
    of_order,
    reordered,
    stepped,
    with_axis,
    without_axis,
)
from dataguard.preprocessing.static.values import Picture, Seq, Shape, Unknown, Value, is_number
from dataguard.preprocessing.steps import Flip


@function("tensorflow.reverse", "tensorflow.transpose", "tensorflow.image.flip_left_right",
          "tensorflow.image.rgb_to_grayscale", "tensorflow.image.grayscale_to_rgb",
          "tensorflow.squeeze", "tensorflow.ensure_shape", "tensorflow.reshape",
          "tensorflow.clip_by_value", "tensorflow.image.flip_up_down")  # fmt: skip
def _various(call: Call) -> Value:
    name, place = call.name.rpartition(".")[2], call.place
    if name == "reshape" and (raw := _of_record(call) or _of_placeholder(call)) is not None:
        return Picture(raw)
    state = call.picture(0, "tensor")
    if state is None:
        return call.unknown("no picture")
    if name == "reverse":
        return Picture(_reversed(state, _single(call.get(1, "axis")), place))
    if name == "transpose":
        return Picture(axes_of(state, "transpose", call.args[1:], call.kwargs, place))
    if name.startswith("flip"):
        kind: Any = "left_right" if name.endswith("right") else "up_down"
        return Picture(stepped(state, Flip(kind=kind, provenance={"": explicit(place)}), place))
    if name == "rgb_to_grayscale":
        return Picture(of_order(state, "GRAY", place))
    if name == "grayscale_to_rgb" and state.order == "GRAY":
        return Picture(moved(state, place, channels=("Y",) * 3))
    if name == "squeeze":
        axis = _single(call.get(1, "axis", call.kwargs.get("squeeze_dims")))
        return Picture(without_axis(state, axis if isinstance(axis, int) else None, place))
    if name == "reshape":
        return Picture(_reshaped(state, call.get(1, "shape"), place))
    return Picture(moved(state, place))


def _single(axis: Value) -> Value:
    """The one axis of a list of one."""
    return axis.items[0] if isinstance(axis, Seq) and len(axis.items) == 1 else axis


def _reversed(state: State, axis: Value, place: str) -> State:
    """A state that is mirrored along an axis, or whose channels are in the opposite order."""
    known = isinstance(axis, int) and -len(state.layout) <= axis < len(state.layout)
    name = state.layout[axis] if known else ""
    if name == "N":
        return moved(state, place)
    if name == "C" and state.channels is not None:
        return reordered(state, range(len(state.channels))[::-1], place)
    if name in ("H", "W"):
        kind: Any = "up_down" if name == "H" else "left_right"
        return stepped(state, Flip(kind=kind, provenance={"": explicit(place)}), place)
    return losing(state, place, "reversed along an axis that is not known", "order", "geometry")


def _reshaped(state: State, shape: Value, place: str) -> State:
    """A state with one axis of length 1 more, as for a batch; another shape is taken to say what it is."""
    lengths = shape.items if isinstance(shape, Seq | Shape) else []
    more = len(lengths) == len(state.layout) + 1 and lengths[0] in (1, -1) and "N" not in state.layout
    if len(lengths) == 3 and state.layout == "NHWC" and -1 not in lengths[:2]:
        return without_axis(state, 0, place)
    return with_axis(state, 0, place) if more else moved(state, place)


def _of_placeholder(call: Call) -> State | None:
    return placeholders.arranged(call.get(0, "tensor"), call.get(1, "shape"), call.place)


def _of_record(call: Call) -> State | None:
    """The picture that the bytes of a record are arranged to: 'tf.reshape(tf.decode_raw(…), [height, width, 3])'."""
    value, shape = call.get(0, "tensor"), call.get(1, "shape")
    if not isinstance(value, Unknown) or not value.why.endswith("decode_raw returns") or not isinstance(shape, Seq):
        return None
    lengths = shape.items
    if len(lengths) not in (3, 4) or lengths[-1] not in (1, 3) or not all(is_number(one) for one in lengths[-3:]):
        return None
    return replace(of_numbers(value, lengths[-3:-1], lengths, call.place), kind="tf", dtype=None)

"""TensorFlow: windows that chance chooses, and data sets that a strategy of several devices makes.

Sources: TensorFlow ``ops/image_ops_impl.py`` (sample_distorted_bounding_box: begin, size, box),
``distribute/distribute_lib.py`` (distribute_datasets_from_function calls the function with a context of input).
"""

from __future__ import annotations

import math
import operator
from typing import Any

from dataguard.preprocessing.static import arrays, noise, parts
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import by_chance, moved
from dataguard.preprocessing.static.unknowns import CHANCE
from dataguard.preprocessing.static.values import Measure, Picture, Seq, Shape, Unknown, Value, is_number, measured

_ON_NUMBERS: dict[str, Any] = {
    "rint": round, "round": round, "floor": math.floor, "ceil": math.ceil, "to_int32": int, "to_int64": int,
    "to_float": float, "minimum": min, "maximum": max, "less": operator.lt, "less_equal": operator.le,
    "greater": operator.gt, "greater_equal": operator.ge, "add": operator.add, "subtract": operator.sub,
    "multiply": operator.mul, "divide": operator.truediv, "truediv": operator.truediv, "floordiv": operator.floordiv,
    "truncatediv": operator.floordiv, "reduce_min": min, "reduce_max": max,
}  # fmt: skip
"""What TensorFlow's functions do to lengths."""
_CHOOSING = frozenset({"tensorflow.cond", "tensorflow.case", "tensorflow.where", "tensorflow.switch_case",
                       "tensorflow.while_loop", "tensorflow.less", "tensorflow.math.less"})  # fmt: skip
STRATEGIES = frozenset({
    "distribute_datasets_from_function", "experimental_distribute_datasets_from_function",
    "experimental_distribute_dataset", "make_dataset_iterator", "make_input_fn_iterator",
})  # fmt: skip
"""Methods of a strategy that bring data."""


@function("tensorflow.image.sample_distorted_bounding_box", "tensorflow.image.sample_distorted_bounding_box_v2",
          "tensorflow.image.stateless_sample_distorted_bounding_box")  # fmt: skip
def _window(call: Call) -> Value:
    return Seq([Unknown(CHANCE, call.place, "random") for _ in range(3)], "tuple")


@function("tensorflow.image.crop_to_bounding_box", "tensorflow.slice")
def _cut(call: Call) -> Value:
    state = call.picture(0, "image")
    if state is None:
        return call.unknown("no picture")
    bounds = [*call.args[1:], *(one for name, one in call.kwargs.items() if name not in ("image", "input_"))]
    flat = [one for value in bounds for one in (value.items if isinstance(value, Seq) else [value])]
    if any(isinstance(one, Unknown) and one.kind == "random" for one in flat):
        lengths = flat[-2:] if call.name.endswith("box") else flat[3:5] if len(flat) == 6 else []
        if len(lengths) == 2 and all(is_number(one) for one in lengths):
            return Picture(parts.random_crop(state, lengths[0], lengths[1], call.place))
        return Picture(by_chance(state, "crop", call.place, size=(None, None)))
    known = len(flat) == 4 and None not in state.size and not any(isinstance(one, Unknown) for one in flat)
    if call.name.endswith("box") and known:
        top, left, height, width = flat
        return Picture(parts.cut(state, top, left, height, width, call.place))
    return Picture(parts.unknown_crop(state, "the box is not known", call.place))


def computes(name: str) -> bool:
    """Whether a function of TensorFlow computes something of its first argument, and does not choose by it."""
    return (name.startswith("tensorflow.") and name not in _CHOOSING) or name in noise.FUNCTIONS


@function("tensorflow.less", "tensorflow.math.less")
def _less(call: Call) -> Value:
    """A number of 0 to 1 that chance draws is always less than 1."""
    first, second = call.get(0, "x"), call.get(1, "y")
    if isinstance(first, Unknown) and first.kind == "random":
        return second >= 1 if is_number(second) and (second >= 1 or second <= 0) else first
    found = of_lengths(call)
    return found if found is not None else call.unknown("a comparison")


@function("tensorflow.shape")
def _shape(call: Call) -> Value:
    value = call.get(0, "input")
    return Shape(arrays.shape_of(value.state)) if isinstance(value, Picture) else call.unknown("a shape")


def of_lengths(call: Call) -> Value:
    """What a function of TensorFlow computes of lengths that are known; None of others."""
    operation = _ON_NUMBERS.get(call.name.rpartition(".")[2])
    given = list(call.args)
    if len(given) == 1 and isinstance(given[0], Seq | Shape) and "reduce" in call.name:
        given = list(given[0].items)
    if operation is None or not given or not all(is_number(one) or isinstance(one, Measure) for one in given):
        return None
    return measured(operation, *given)


@function("tensorflow.tile")
def _tiled(call: Call) -> Value:
    """Gray that is repeated along the channels."""
    state, times = call.picture(0, "input"), call.get(1, "multiples")
    if state is None:
        return call.unknown("no picture")
    count = times.items[-1] if isinstance(times, Seq) and times.items else None
    if state.channels == ("Y",) and isinstance(count, int) and 1 < count < 5:
        layout = state.layout if "C" in state.layout else state.layout + "C"
        return Picture(moved(state, call.place, channels=("Y",) * count, layout=layout))
    return Picture(moved(state, call.place))


def distributed(call: Call) -> Value:
    """What a strategy makes of a data set, or of a function that makes one: the same data set, for several devices."""
    given = call.args[0] if call.args else next(iter(call.kwargs.values()), None)
    if "function" in call.name or call.name.endswith("fn_iterator"):
        return call.machine.call(given, [Unknown("what the strategy says of the input", call.place)], {}, call.node)
    return given

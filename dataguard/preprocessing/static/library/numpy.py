"""numpy: arrays of pictures and of constants, and the methods that arrays and tensors share."""

from __future__ import annotations

import ast
from dataclasses import replace

from dataguard.preprocessing.static import batches, borders
from dataguard.preprocessing.static.arrays import arithmetic, opaque, shape_of
from dataguard.preprocessing.static.library.registry import Call, function, methods
from dataguard.preprocessing.static.parts import alike, assembled
from dataguard.preprocessing.static.picture import (
    State,
    cast,
    explicit,
    losing,
    moved,
    reordered,
    stepped,
    transposed,
    with_axis,
    without_axis,
)
from dataguard.preprocessing.static.values import (
    Blank,
    Choice,
    Ext,
    Measure,
    Method,
    Picture,
    Seq,
    Shape,
    Stat,
    Unknown,
    Value,
    choice,
    is_number,
    is_picture,
    last,
    measured,
    same,
)
from dataguard.preprocessing.steps import Flip

DTYPES = {
    "float": "float64",
    "float64": "float64",
    "double": "float64",
    "float32": "float32",
    "single": "float32",
    "float16": "float16",
    "half": "float16",
    "uint8": "uint8",
    "int8": "int8",
    "int32": "int32",
    "int": "int64",
    "int64": "int64",
    "long": "int64",
    "bfloat16": "float16",
    "f": "float32",
    "f4": "float32",
    "byte": "uint8",
    "int16": "int32",
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "HalfTensor": "float16",
    "ByteTensor": "uint8",
    "uint16": "int32",
    "float_": "float64",
    "LongTensor": "int64",
}


WEIGHT = "a weight of a network"
"""Why what 'next(model.parameters())' gives is not known."""


def dtype_of(value: Value) -> str | None:
    """The type of numbers that something names; None for none."""
    if isinstance(value, Choice):
        found = {dtype_of(one) for one in value.options}
        return found.pop() if len(found) == 1 else None
    if getattr(value, "name", "") in ("torch.float", "torch.Tensor"):
        # Python's own float, of the same name, is of 64 bits; torch's default is of 32.
        return "float32"
    weight = value.receiver if isinstance(value, Method) and value.name == "dtype" else value
    if isinstance(weight, Unknown):
        # Networks are made of that type, and mostly stay so.
        return "float32" if weight.why == WEIGHT else None
    return DTYPES.get(last(value).rpartition(".")[2])


@function("numpy.array", "numpy.asarray", "numpy.ascontiguousarray", "numpy.copy", "numpy.asanyarray",
          "numpy.float32", "numpy.float64", "numpy.uint8", "numpy.asfarray", "numpy.squeeze",
          "numpy.array_copy", "numpy.int32")  # fmt: skip
def array(call: Call) -> Value:
    """``numpy.array`` and what copies or casts as it does."""
    value = call.get(0, "object", call.kwargs.get("a"))
    wanted = call.get(1, "dtype") if call.name in ("numpy.array", "numpy.asarray", "numpy.ascontiguousarray") else None
    if call.name.rpartition(".")[2] in DTYPES:
        wanted = call.name.rpartition(".")[2]
    if isinstance(value, Blank):
        held = value.planes.get(-1)
        value = Picture(held) if held is not None else value
    if isinstance(value, Seq) and len(value.items) == 1 and isinstance(value.items[0], Choice):
        options = [one for one in value.items[0].options if isinstance(one, Picture)]
        made = [array(replace(call, args=[Seq([one]), *call.args[1:]])) for one in options]
        return choice(made, value.items[0].why) if made else value
    if isinstance(value, Seq) and len(value.items) == 1 and isinstance(value.items[0], Picture):
        inner = value.items[0].state
        value = Picture(replace(inner, layout="N" + inner.layout)) if "N" not in inner.layout else value.items[0]
    if isinstance(value, Seq) and len(value.items) > 1:
        planes = [one.state for one in value.items if isinstance(one, Picture) and one.state.layout == "HW"]
        every = len(planes) == len(value.items) > (1 if value.many else 2)
        whole = assembled(planes, call.place, axis="CHW") if every else alike(value.items)
        several = value.many or len(value.items) > 4
        if several and every and all(one.channels == ("Y",) for one in planes):
            whole = replace(planes[0], layout="NHW")  # more gray pictures than a picture has channels are a batch
        value = Picture(whole) if whole is not None else value
    if isinstance(value, Picture):
        state = moved(value.state, call.place, kind="array")
        if call.name == "numpy.squeeze":
            return Picture(replace(state, layout=state.layout.replace("N", "")))
        if value.state.kind == "pil" and state.channels is not None and len(state.channels) == 1:
            state = replace(state, layout="HW")
        known = dtype_of(wanted)
        return Picture(cast(state, known, call.place) if known else state)
    if isinstance(value, Seq | Shape):
        return Seq([Seq(one.items, "array") if isinstance(one, Seq) else one for one in value.items], "array")
    return value


def _as_array(call: Call) -> Value:
    """What a function of numpy gives for a list or tuple of pictures, which it makes an array of; None for others."""
    value = call.args[0] if call.args else None
    if not isinstance(value, Seq) or not value.items or not call.name.startswith("numpy."):
        return None
    if not all(is_picture(one) for one in value.items):
        return None
    # One of several stands for all.
    made = array(replace(call, name="numpy.array", args=[Seq(value.items[:1])], kwargs={}))
    return (
        None
        if isinstance(made, Seq)
        else call.machine.call(Ext(call.name), [made, *call.args[1:]], call.kwargs, call.node)
    )


@function("numpy.transpose", "torch.permute", "numpy.moveaxis", "numpy.rollaxis", "numpy.swapaxes", "torch.transpose")
def _transpose(call: Call) -> Value:
    whole = _as_array(call)
    if whole is not None:
        return whole
    state = call.picture(0, "a")
    if state is None:
        return call.unknown("no picture")
    name = "swapaxes" if call.name == "torch.transpose" else call.name.rpartition(".")[2]
    return Picture(axes_of(state, name, call.args[1:], call.kwargs, call.place))


@methods("array", "transpose", "swapaxes", "permute")
@methods("tensor", "permute", "transpose", "movedim")
def _transposed_method(call: Call) -> Value:
    name = "swapaxes" if call.name == "transpose" and call.state.kind == "tensor" else call.name
    return Picture(axes_of(call.state, name, call.args, call.kwargs, call.place))


def axes_of(state: State, name: str, args: list[Value], kwargs: dict[str, Value], place: str) -> State:
    """A state whose axes are exchanged as one of numpy's functions is told."""
    given = args or list(kwargs.values())
    if name in ("transpose", "permute") and len(given) == 1 and isinstance(given[0], Seq):
        given = given[0].items
    if not all(isinstance(one, int) for one in given):
        return losing(state, place, "axes are exchanged in an order that is not known", "layout")
    axes = list(given)
    count = len(state.layout)
    if name in ("transpose", "permute"):
        return transposed(state, axes or list(range(count))[::-1], place)
    if len(axes) < 2 and name != "rollaxis":
        return losing(state, place, "axes are exchanged in an order that is not known", "layout")
    order = list(range(count))
    if any(not -count <= one <= count for one in axes[:2]):
        return losing(state, place, "axes are exchanged that do not exist", "layout")
    if name in ("swapaxes", "transpose_torch"):
        a, b = axes[0] % count, axes[1] % count
        order[a], order[b] = order[b], order[a]
    else:
        axis = order.pop(axes[0] % count)
        target = axes[1] if len(axes) > 1 else 0
        order.insert(target % count if name != "rollaxis" else target, axis)
    return transposed(state, order, place)


@function("numpy.expand_dims", "torch.unsqueeze", "tensorflow.expand_dims", "keras.backend.expand_dims")
def _expand(call: Call) -> Value:
    value = call.get(0, "a")
    if isinstance(value, Seq):
        return value
    state = call.picture(0, "a")
    axis = call.get(1, "axis", call.kwargs.get("dim", 0))
    if state is None:
        return call.unknown("no picture")
    return Picture(
        with_axis(state, axis, call.place) if isinstance(axis, int) else losing(state, call.place, "an axis", "layout")
    )


@methods("tensor", "unsqueeze", "unsqueeze_")
def _unsqueeze(call: Call) -> Value:
    axis = call.get(0, "dim", 0)
    return Picture(
        with_axis(call.state, axis, call.place)
        if isinstance(axis, int)
        else losing(call.state, call.place, "an axis", "layout")
    )


@methods("tensor", "squeeze", "squeeze_")
@methods("array", "squeeze")
def _squeeze(call: Call) -> Value:
    axis = call.get(0, "dim", call.kwargs.get("axis"))
    return Picture(without_axis(call.state, axis if isinstance(axis, int) else None, call.place))


@function("numpy.reshape", "torch.reshape")
def _reshaped(call: Call) -> Value:
    value = call.get(0, "a")
    if not isinstance(value, Picture):
        return value
    return _reshape(Call(call.machine, "reshape", call.args[1:], call.kwargs, call.node, value))


@function("numpy.delete")
def _deleted(call: Call) -> Value:
    """Some of a batch are left out; of one picture it is rows or columns."""
    value = call.get(0, "arr")
    if isinstance(value, Picture) and value.state.layout[:1] == "N" and call.get(2, "axis") == 0:
        return Picture(moved(value.state, call.place))
    return opaque(call.machine, call.args, "rows are left out", call.node)


@methods("array", "reshape")
@methods("tensor", "view", "reshape", "flatten", "repeat", "expand")
def _reshape(call: Call) -> Value:
    state, place = call.state, call.place
    given = call.args[0].items if len(call.args) == 1 and isinstance(call.args[0], Seq | Shape) else call.args
    shape = shape_of(state)
    if call.name == "expand" and len(call.args) == len(call.state.layout) + 1:
        return Picture(with_axis(call.state, 0, call.place))
    if call.name == "flatten":
        return Picture(losing(state, place, "flattened", "layout"))
    if call.name in ("repeat", "expand"):
        return Picture(moved(state, place))
    lengths = list(given)
    if state.layout == "NHW" and len(lengths) == 4 and len(state.channels or ()) == 1 and 1 in (lengths[1], lengths[3]):
        # A batch of gray pictures gets an axis of channels.
        return Picture(with_axis(state, 3 if lengths[3] == 1 else 1, place))
    ends = lengths[2:] if len(lengths) == 4 and lengths[1] in (1, -1) else []
    if state.layout == "HWC" and ends and all(same(a, b) for a, b in zip(ends, shape, strict=False)):
        # So a picture without channels is arranged, as gray ones are read.
        return Picture(losing(moved(state, place, layout="NCHW"), place, "it is arranged as a gray picture", "order"))
    if regrouped := batches.regrouped(state, lengths, shape):
        return Picture(moved(state, place, layout=regrouped))
    if len(lengths) == len(shape) + 1 and lengths and lengths[0] in (1, -1):
        return Picture(with_axis(state, 0, place))
    if len(lengths) == len(shape):
        return Picture(moved(state, place))
    if state.layout[:1] == "N" and len(lengths) == len(shape) - 1 and lengths[0] not in (1, -1):
        channels = len(state.channels or ())
        if (state.layout[1:2] == "C" and lengths[0] == channels) or (
            state.layout[-1:] == "C" and lengths[-1] == channels
        ):
            return Picture(without_axis(state, 0, place))
    if state.layout == "HWC" and lengths == [-1, len(state.channels or ())]:
        # Pixels in a row.
        return Picture(moved(state, place, layout="PC"))
    if state.layout == "PC" and len(lengths) == 3:
        return Picture(moved(state, place, layout="HWC"))
    if state.layout == "HWC" and len(lengths) == 2 and len(state.channels or ()) == 1:
        return Picture(moved(state, place, layout="HW"))
    if state.layout == "HW" and len(lengths) == 3:
        return Picture(with_axis(state, 0 if lengths[0] == 1 else 2, place))
    if state.layout == "HW" and len(lengths) == 4:
        first = lengths[1] == 1 or (lengths[1] == -1 and lengths[3] != 1)
        two = with_axis(state, 0 if first else 2, place)
        return Picture(with_axis(two, 0, place))
    return Picture(losing(state, place, "its axes are arranged anew", "layout"))


@methods("array", "astype", "view")
@methods("tensor", "type", "type_as")
def _astype(call: Call) -> Value:
    known = dtype_of(call.get(0, "dtype"))
    if known is None:
        return Picture(
            replace(
                call.state, dtype=None, lost={**call.state.lost, "dtype": f"a type that is not known ({call.place})"}
            )
        )
    return Picture(cast(call.state, known, call.place))


@methods("array", "copy", "clip", "cpu", "numpy", "contiguous", "round")
@methods("tensor", "cuda", "cpu", "contiguous", "clone", "detach", "pin_memory", "requires_grad_", "share_memory_",
         "clamp", "clamp_", "clip", "round", "to_sparse", "data", "as_tensor", "__array__", "copy")  # fmt: skip
def _unchanged(call: Call) -> Value:
    return Picture(moved(call.state, ""))


@methods("tensor", "numpy")
def _to_numpy(call: Call) -> Value:
    return Picture(replace(call.state, kind="array"))


@function("numpy.clip", "numpy.maximum", "numpy.minimum", "torch.clamp", "numpy.round", "torch.round", "numpy.rint",
          "numpy.nan_to_num", "numpy.atleast_3d")  # fmt: skip
def _clipped(call: Call) -> Value:
    value = call.get(0, "a")
    if isinstance(value, Picture):
        return Picture(moved(value.state, call.place))
    if is_number(value) or isinstance(value, Measure):
        bounds = call.args[1:] if call.args else []
        if call.name.endswith("maximum") and bounds:
            return measured(max, value, bounds[0])
        if call.name.endswith("minimum") and bounds:
            return measured(min, value, bounds[0])
        if call.name.endswith("clip") and len(bounds) == 2:
            return measured(lambda one, low, high: min(max(one, low), high), value, *bounds)
        if call.name.endswith(("round", "rint")):
            return measured(round, value)
    if isinstance(value, Seq) and call.name.endswith(("round", "rint")):
        return Seq([measured(round, one) for one in value.items], "array")
    return value if not is_number(value) else call.unknown("clipped")


_OPERATORS = {
    "add": ast.Add(),
    "subtract": ast.Sub(),
    "multiply": ast.Mult(),
    "divide": ast.Div(),
    "true_divide": ast.Div(),
    "sub": ast.Sub(),
    "mul": ast.Mult(),
    "div": ast.Div(),
}


@function("numpy.add", "numpy.subtract", "numpy.multiply", "numpy.divide", "numpy.true_divide",
          "torch.add", "torch.sub", "torch.mul", "torch.div", "torch.divide", "torch.subtract",
          "torch.multiply", "tensorflow.subtract", "tensorflow.multiply", "tensorflow.divide",
          "tensorflow.add", "tensorflow.math.divide", "tensorflow.math.subtract",
          "tensorflow.math.multiply")  # fmt: skip
def _operated(call: Call) -> Value:
    operator = _OPERATORS[call.name.rpartition(".")[2]]
    if len(call.args) < 2:
        return call.unknown("arithmetic")
    return call.machine.operate(operator, call.args[0], call.args[1], call.node or ast.Pass())


@methods(
    "tensor",
    "sub_",
    "div_",
    "mul_",
    "add_",
    "sub",
    "div",
    "mul",
    "add",
    "divide",
    "subtract",
    "multiply",
    "true_divide",
    "divide_",
)
def _in_place(call: Call) -> Value:
    operator = _OPERATORS[call.name.rstrip("_")]
    other = call.get(0, "other")
    return arithmetic(call.machine, operator, Picture(call.state), other, call.node or ast.Pass())


@methods("array", "max", "min", "mean", "std", "sum", "any", "all", "ptp")
@methods("tensor", "max", "min", "mean", "std", "sum", "amax", "amin")
def _statistic(call: Call) -> Value:
    return stat(call.state, call.name.lstrip("a"), call.place)


@function("numpy.max", "numpy.min", "numpy.mean", "numpy.std", "numpy.amax", "numpy.amin", "torch.max",
          "torch.min", "torch.mean", "torch.std", "numpy.median", "numpy.sum", "tensorflow.reduce_max",
          "tensorflow.reduce_mean")  # fmt: skip
def _statistic_of(call: Call) -> Value:
    value = call.get(0, "a")
    name = call.name.rpartition(".")[2].removeprefix("reduce_")
    name = {"amax": "max", "amin": "min"}.get(name, name)
    if isinstance(value, Picture):
        return stat(value.state, name, call.place)
    if isinstance(value, Seq | Shape) and name in ("max", "min", "mean", "sum"):
        found: Value = value.items[0] if value.items else Unknown()
        for one in value.items[1:]:
            found = measured({"max": max, "min": min}.get(name, lambda a, b: a + b), found, one)
        return measured(lambda total: total / len(value.items), found) if name == "mean" else found
    if isinstance(value, Unknown) and value.kind == "random":
        # Of the place here: the least and the greatest of several are not the same number.
        return Unknown(value.why, call.place, "random")
    return call.unknown("a statistic")


def stat(state: State, what: str, place: str) -> Stat:
    """A number computed of a picture's levels, with what it is for a photograph."""
    level = {
        "max": 255.0,
        "min": 0.0,
        "mean": 114.0,
        "std": 60.0,
        "ptp": 255.0,
        "median": 110.0,
        "any": 1.0,
        "all": 1.0,
    }.get(what, 1e6)
    if (
        state.scale is not None
        and state.offset is not None
        and "affine" not in state.lost
        and what in ("max", "min", "mean")
    ):
        level = state.scale[0] * level + state.offset[0]
    return Stat(what, level, place)


@function("numpy.pad", "torch.nn.functional.pad", "tensorflow.pad")
def _pad(call: Call) -> Value:
    state = call.picture(0, "array")
    if state is None:
        return call.unknown("no picture")
    place = call.place
    widths = call.get(1, "pad_width", call.kwargs.get("pad", call.kwargs.get("paddings")))
    fill = call.kwargs.get("constant_values", call.kwargs.get("value", call.args[3] if len(call.args) > 3 else 0))
    mode = call.get(2, "mode", "constant")
    sides: dict[str, tuple[Value, Value]] = {}
    if isinstance(widths, Seq) and call.name.startswith("torch"):
        for name, index in (("W", 0), ("H", 2)):
            if len(widths.items) > index + 1:
                sides[name] = (widths.items[index], widths.items[index + 1])
    elif isinstance(widths, Seq):
        for name, one in zip(state.layout, widths.items, strict=False):
            if isinstance(one, Seq) and len(one.items) == 2:
                sides[name] = (one.items[0], one.items[1])
    if not sides:
        return Picture(borders.padded(state, (None, None), (0, 0), fill, place))
    top, bottom = sides.get("H", (0, 0))
    left, right = sides.get("W", (0, 0))
    after = borders.enlarged(state, top, bottom, left, right, fill, place)
    # TensorFlow writes them in capital letters.
    kind = mode.lower() if isinstance(mode, str) else ""
    known = {"reflect": "reflect", "edge": "edge", "symmetric": "symmetric", "replicate": "edge"}
    return Picture(after if kind == "constant" else borders.of_kind(after, state, known.get(kind)))


@function("numpy.fliplr", "numpy.flipud", "numpy.flip", "torch.flip", "torch.fliplr")
def _flip(call: Call) -> Value:
    state = call.picture(0, "m")
    if state is None:
        return call.unknown("no picture")
    name = call.name.rpartition(".")[2]
    axis = call.get(1, "axis", call.kwargs.get("dims"))
    if isinstance(axis, Seq) and len(axis.items) == 1:
        axis = axis.items[0]
    if name == "fliplr":
        axis = 1
    elif name == "flipud":
        axis = 0
    return _flipped(state, axis, call.place)


@methods("tensor", "flip")
def _flip_method(call: Call) -> Value:
    axis = call.get(0, "dims")
    if isinstance(axis, Seq) and len(axis.items) == 1:
        axis = axis.items[0]
    return _flipped(call.state, axis, call.place)


def _flipped(state: State, axis: Value, place: str) -> Value:
    if not isinstance(axis, int) or not -len(state.layout) <= axis < len(state.layout):
        return Picture(losing(state, place, "a flip along an axis that is not known", "geometry"))
    name = state.layout[axis]
    if name == "C" and state.channels is not None:
        return Picture(reordered(state, list(range(len(state.channels)))[::-1], place))
    if name in "HW":
        return Picture(
            stepped(
                state, Flip(kind="up_down" if name == "H" else "left_right", provenance={"": explicit(place)}), place
            )
        )
    return Picture(state)

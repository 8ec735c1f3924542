"""New arrays of one value, which pictures are written into."""

from __future__ import annotations

from dataguard.preprocessing.static.arrays import shape_of
from dataguard.preprocessing.static.library.numpy import dtype_of
from dataguard.preprocessing.static.library.registry import Call, function, methods
from dataguard.preprocessing.static.values import Blank, Choice, Picture, Seq, Shape, Value, is_number, numbers


@function("numpy.zeros", "numpy.ones", "numpy.full", "numpy.empty", "torch.zeros", "torch.ones", "torch.full",
          "numpy.ndarray", "torch.empty")  # fmt: skip
def _new(call: Call) -> Value:
    shape = call.get(0, "shape", call.kwargs.get("size"))
    if isinstance(shape, Choice):
        shape = next((one for one in shape.options if isinstance(one, Seq | Shape)), shape)
    items = list(shape.items) if isinstance(shape, Seq | Shape) else list(call.args) if len(call.args) > 1 else [shape]
    last_ = call.name.rpartition(".")[2]
    fill = {"zeros": 0.0, "ones": 1.0, "empty": 0.0, "ndarray": 0.0}.get(last_)
    if last_ == "full":
        value = call.get(1, "fill_value")
        fill = float(value) if is_number(value) else None
        if isinstance(value, Seq):
            found = numbers(value)
            fill = found[0] if found is not None and len(set(found)) == 1 else None
    library = call.name.partition(".")[0]
    at = 2 if last_ == "full" else 1
    wanted = call.kwargs.get("dtype", call.args[at] if library == "numpy" and len(call.args) > at else None)
    usual = "float32" if library == "torch" else "float64"
    dtype = (dtype_of(wanted) or "") if wanted is not None else "" if last_ == "full" else usual
    return Blank(items, fill, library, {}, call.place, dtype=dtype)


@methods("tensor", "new", "new_empty", "new_zeros", "new_ones", "new_full")
def _of_type(call: Call) -> Value:
    """A tensor of a picture's type, by the lengths of its axes; ``new`` is given numbers too, which it holds."""
    shape = call.get(0, "size")
    if call.name == "new" and not isinstance(shape, Shape):
        if len(call.args) < 2 or any(isinstance(one, float | Seq) for one in call.args):
            return call.unknown("a new tensor of the picture's type")
        shape = Seq(call.args, "tuple")
    items = list(shape.items) if isinstance(shape, Seq | Shape) else call.args
    filled = call.get(1, "fill_value") if call.name == "new_full" else {"new_ones": 1.0}.get(call.name, 0.0)
    fill = float(filled) if is_number(filled) else None
    dtype = dtype_of(call.kwargs.get("dtype")) or call.state.dtype or ""
    return Blank(items, fill, "torch", {}, call.place, dtype=dtype)


@function("numpy.eye", "numpy.identity", "torch.eye")
def _unit(call: Call) -> Value:
    """A matrix, which parts of a transformation are written into."""
    rows = call.get(0, "N", call.kwargs.get("n"))
    return Blank([rows, call.kwargs.get("M", rows)], None, call.name.partition(".")[0], {}, call.place)


@function("numpy.zeros_like", "numpy.ones_like", "numpy.empty_like", "numpy.full_like", "torch.zeros_like",
          "torch.ones_like", "torch.empty_like", "torch.full_like")  # fmt: skip
def _like(call: Call) -> Value:
    """An array of another's shape and type: ``numpy.zeros_like(a, dtype)``, ``torch.zeros_like(input, *, dtype)``."""
    library, _, name = call.name.partition(".")
    value = call.get(0, "a", call.kwargs.get("input"))
    full = name == "full_like"
    filled = call.get(1, "fill_value") if full else float(name == "ones_like")
    fill = float(filled) if is_number(filled) else None
    at = -1 if library == "torch" else 1 + full
    wanted = call.get(at, "dtype")
    if not isinstance(value, Picture | Blank):
        return call.unknown("an array")
    held = value.dtype if isinstance(value, Blank) else value.state.dtype or ""
    shape = list(value.shape) if isinstance(value, Blank) else shape_of(value.state)
    return Blank(shape, fill, library, {}, call.place, dtype=held if wanted is None else dtype_of(wanted) or "")

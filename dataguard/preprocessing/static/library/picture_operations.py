"""Pillow's rarer operations: what ImageOps does, and methods that reduce, warp or compose pictures."""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.readers import kernels
from dataguard.preprocessing.static import parts
from dataguard.preprocessing.static.library.given import as_state
from dataguard.preprocessing.static.library.opencv import pair
from dataguard.preprocessing.static.library.pillow import convert, from_array, kernel_of
from dataguard.preprocessing.static.library.registry import Call, function, methods
from dataguard.preprocessing.static.picture import by_chance, explicit, moved, resized
from dataguard.preprocessing.static.values import Picture, Value, measured


@function("PIL.Image.frombytes", "PIL.Image.frombuffer")
def _of_bytes(call: Call) -> Value:
    """The same, of bytes that follow the mode and the size."""
    return from_array(replace(call, args=[call.get(2, "data")], kwargs={}))


@function("PIL.ImageOps.grayscale")
def _to_gray(call: Call) -> Value:
    state = as_state(call.get(0, "image"), kind="pil")
    if state is None:
        return call.unknown("no picture")
    return convert(replace(call, args=["L"], kwargs={}, receiver=Picture(state)))


@function("PIL.ImageOps.crop")
def _trimmed(call: Call) -> Value:
    state, border = as_state(call.get(0, "image"), kind="pil"), call.get(1, "border", 0)
    if state is None:
        return call.unknown("no picture")
    height, width = (measured(lambda length, edge: length - 2 * edge, one, border) for one in state.size)
    return Picture(parts.cut(state, border, border, height, width, call.place))


@function("PIL.ImageOps.scale")
def _by_factor(call: Call) -> Value:
    state, factor = as_state(call.get(0, "image"), kind="pil"), call.get(1, "factor")
    if state is None:
        return call.unknown("no picture")
    height, width = (measured(lambda length, by: round(by * length), one, factor) for one in state.size)
    given = [call.args[2]] if len(call.args) > 2 else []
    fields, said = kernel_of(call.get(2, "resample"), bool(given) or "resample" in call.kwargs, call.place)
    return Picture(resized(state, height, width, fields, call.place, kernel=said, antialias=said))


@function("PIL.Image.alpha_composite")
def _composed(call: Call) -> Value:
    """A picture laid over a background: where it is not transparent it is what it was."""
    found = next((one for one in (call.get(1, "im2"), call.get(0, "im1")) if isinstance(one, Picture)), None)
    return Picture(moved(found.state, call.place)) if found is not None else call.unknown("no picture")


@methods("pil", "reduce")
def _reduced(call: Call) -> Value:
    """The mean over blocks of pixels, rounded up at the end."""
    state, factor, place = call.state, call.get(0, "factor"), call.place
    height, width = (measured(lambda length, by: -(-length // by), one, factor) for one in state.size)
    return Picture(resized(state, height, width, kernels.pillow("box", "reduce"), place, kernel=explicit(place)))


@methods("pil", "transform")
def _warped(call: Call) -> Value:
    state, place = call.state, call.place
    width, height = pair(call.get(0, "size"))
    if call.by_chance:
        return Picture(by_chance(state, "transform", place, size=(height, width)))
    fields, said = kernel_of(call.get(3, "resample"), call.given(3, "resample"), place, "nearest")
    return Picture(parts.warped(state, (height, width), fields, said, call.name, place))

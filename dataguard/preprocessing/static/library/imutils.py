"""imutils: OpenCV under shorter names."""

from __future__ import annotations

from dataguard.preprocessing.static.library.opencv import kernel_of
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import by_chance, losing, resized
from dataguard.preprocessing.static.values import Measure, Picture, Unknown, Value, is_number, measured


@function("imutils.resize", "imutils.convenience.resize")
def _resize(call: Call) -> Value:
    """To a width or a height, the other in proportion and cut off; by areas unless another kernel is given."""
    state = call.picture(0, "image")
    if state is None:
        return call.unknown("no picture")
    place = call.place
    width, height = call.get(1, "width"), call.get(2, "height")
    if width is None and height is None:
        return Picture(state)
    given = call.given(3, "inter")
    fields, said = kernel_of(call.get(3, "inter", "INTER_AREA"), given, place, state)
    tall, wide = state.size
    fixed = width if height is None or width is not None else height
    if not is_number(fixed) or not all(is_number(one) or isinstance(one, Measure) for one in (tall, wide)):
        return Picture(losing(state, place, "the size that imutils.resize is given is not known", "geometry"))
    if fixed is width:
        size = (measured(lambda h, w: int(h * (fixed / float(w))), tall, wide), width)
    else:
        size = (height, measured(lambda h, w: int(w * (fixed / float(h))), tall, wide))
    return Picture(resized(state, *size, fields, place, kernel=said, antialias=said))


@function("imutils.rotate", "imutils.convenience.rotate", "imutils.rotate_bound", "imutils.convenience.rotate_bound")
def _rotate(call: Call) -> Value:
    state, angle = call.picture(0, "image"), call.get(1, "angle")
    if state is None or angle == 0:
        return call.unknown("no picture") if state is None else Picture(state)
    if isinstance(angle, Unknown) and angle.kind == "random":
        return Picture(by_chance(state, "rotate", call.place, size=state.size))
    return Picture(losing(state, call.place, "it is turned by an angle", "geometry"))

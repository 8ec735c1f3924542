"""The lengths of a picture's axes, asked of a function."""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.static.arrays import shape_of
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.values import Shape, Unknown, Value


@function("numpy.shape")
def _shape_of(call: Call) -> Value:
    state = call.picture(0, "a")
    if state is None:
        return call.unknown("a shape")
    if state.kind != "pil":
        return Shape(shape_of(state))
    found = shape_of(replace(state, layout="HW" if state.channels is not None and len(state.channels) == 1 else "HWC"))
    if len(found) == 3 and not any("convert" in flag for flag in state.decode.flags or ()):
        # A file has as many channels as it has; what is opened is not converted before it is.
        found[2] = Unknown("how many channels the file has", call.place)
    return Shape(found)

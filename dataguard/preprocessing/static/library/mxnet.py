"""MXNet: arrays of its own, of floating point."""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.static.library.numpy import array, dtype_of
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import cast
from dataguard.preprocessing.static.values import Picture, Value


@function("mxnet.array")
def _made(call: Call) -> Value:
    """An array of numpy as one of MXNet: of float32 unless something else is asked for."""
    made = array(replace(call, name="numpy.array", kwargs={}))
    dtype = dtype_of(call.get(2, "dtype")) if call.given(2, "dtype") else "float32"
    return Picture(cast(made.state, dtype, call.place)) if isinstance(made, Picture) else made

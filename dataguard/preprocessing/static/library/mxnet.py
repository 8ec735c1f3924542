"""MXNet: arrays of its own, of floating point, and pictures that OpenCV decodes and resizes within.

Source: mxnet 1.9 ``python/mxnet/image/image.py``.
"""

from __future__ import annotations

from dataclasses import replace

from dataguard.preprocessing.static.library.numpy import array, dtype_of
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import cast
from dataguard.preprocessing.static.values import Ext, Picture, Seq, Value, is_number, measured


@function("mxnet.array")
def _made(call: Call) -> Value:
    """An array of numpy as one of MXNet: of float32 unless something else is asked for."""
    made = array(replace(call, name="numpy.array", kwargs={}))
    dtype = dtype_of(call.get(2, "dtype")) if call.given(2, "dtype") else "float32"
    return Picture(cast(made.state, dtype, call.place)) if isinstance(made, Picture) else made


def _asked(call: Call, name: str, *args: Value, **kwargs: Value) -> Value:
    """What another library's function makes of these."""
    return call.machine.call(Ext(name), list(args), kwargs, call.node)


@function("mxnet.image.imdecode", "mxnet.image.imread", "mxnet.img.imdecode", "mxnet.image.image.imdecode",
          "mxnet.image.image.imread")  # fmt: skip
def _read(call: Call) -> Value:
    """OpenCV decodes, and red comes first unless that is not wanted."""
    gray, exchanged = call.get(1, "flag", 1) == 0, call.get(2, "to_rgb", True) not in (False, 0)
    flag = "IMREAD_GRAYSCALE" if gray else "IMREAD_COLOR_RGB" if exchanged else "IMREAD_COLOR"
    return _asked(call, "cv2.imread", call.get(0, "buf"), Ext(f"cv2.{flag}"))


@function("mxnet.recordio.unpack_img")
def _unpacked(call: Call) -> Value:
    """A header and the picture, as OpenCV decodes it."""
    return Seq([call.unknown("a header"), _asked(call, "cv2.imread", call.get(0, "s"), 1)], "tuple")


@function("mxnet.image.imresize", "mxnet.img.imresize")
def _resized(call: Call) -> Value:
    size = Seq([call.get(1, "w"), call.get(2, "h")], "tuple")
    return _asked(call, "cv2.resize", call.get(0, "src"), size, interpolation=call.get(3, "interp", 1))


@function("mxnet.image.resize_short", "mxnet.img.resize_short")
def _shorter(call: Call) -> Value:
    """The shorter side gets a length, the other as much as keeps their proportion, cut off; bicubic by default."""
    src, side = call.get(0, "src"), call.get(1, "size")
    if not isinstance(src, Picture) or not is_number(side):
        return _asked(call, "cv2.resize", src, call.unknown("a size"), interpolation=call.get(2, "interp", 2))
    height, width = src.state.size
    if height is None or width is None:
        size: list[Value] = [call.unknown("a width"), call.unknown("a height")]
    else:
        size = [
            measured(lambda h, w: side if h > w else side * w // h, height, width),
            measured(lambda h, w: side * h // w if h > w else side, height, width),
        ]
    return _asked(call, "cv2.resize", src, Seq(size, "tuple"), interpolation=call.get(2, "interp", 2))

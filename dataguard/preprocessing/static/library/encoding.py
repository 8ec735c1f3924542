"""Pictures that are encoded into memory and decoded again, which keeps everything but what JPEG loses.

Sources: Pillow ``Image.save`` takes any file object; OpenCV ``imencode`` returns whether it worked and the bytes, and
takes blue first, as ``imdecode`` gives it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import cast, mapped, moved, reordered
from dataguard.preprocessing.static.values import ExtObj, Picture, Seq, Value

BUFFERS = frozenset(["io.BytesIO", "io.StringIO", "StringIO.StringIO", "cStringIO.StringIO", "six.BytesIO"])
"""Classes of files in memory; in Python 2 those of text hold bytes."""
_WRITTEN = "written"
_READERS = {
    "caffe.io.load_image": "array",
    "PIL.Image.open": "pil", "skimage.io.imread": "array", "imageio.imread": "array", "cv2.imdecode": "array",
    "tensorflow.image.decode_image": "tf", "tensorflow.image.decode_jpeg": "tf", "tensorflow.image.decode_png": "tf",
    "tensorflow.io.decode_image": "tf", "tensorflow.io.decode_jpeg": "tf", "tensorflow.io.decode_png": "tf",
}  # fmt: skip
"""Functions that decode, and whose picture they give."""
_WRAPPERS = frozenset(
    ["numpy.frombuffer", "numpy.fromstring", "numpy.array", "numpy.asarray", "builtins.bytes", "builtins.bytearray",
     "io.BufferedReader", *BUFFERS]
)  # fmt: skip
"""Functions that hand on what was encoded."""
_HANDED_ON = frozenset(["getvalue", "getbuffer", "read", "tobytes", "tostring", "flatten", "ravel", "astype"])


def keep(call: Call, target: Value, value: Value) -> bool:
    """Remember the picture that is written into a buffer; whether it is one that it is written into."""
    if not isinstance(target, ExtObj) or target.name not in BUFFERS or not isinstance(value, Picture):
        return False
    call.machine.put(target.attrs, _WRITTEN, Picture(value.state))
    return True


@function("cv2.imencode")
def _encoded(call: Call) -> Value:
    value = call.get(1, "img")
    if not isinstance(value, Picture):
        return Seq([True, call.unknown("encoded bytes")], "tuple")
    state = value.state
    turned = reordered(state, (2, 1, 0), "") if len(state.channels or ()) == 3 else state
    return Seq([True, ExtObj("io.BytesIO", [], {}, call.place, attrs={_WRITTEN: Picture(turned)})], "tuple")


def held(value: Value) -> Picture | None:
    """The picture that was encoded into a buffer, red first; None where there is none."""
    found = value.attrs.get(_WRITTEN) if isinstance(value, ExtObj) and value.name in BUFFERS else None
    return found if isinstance(found, Picture) else None


def handed_on(value: Value, name: str) -> bool:
    """Whether a method of a buffer gives what was encoded."""
    return name in _HANDED_ON and held(value) is not None


def passed(call: Call) -> Value:
    """What a function makes of a buffer: decoders the picture that was encoded into it; None where nothing is known."""
    source = held(call.args[0])
    if source is None:
        return None
    if call.name in _WRAPPERS:
        return call.args[0]
    kind: Any = _READERS.get(call.name)
    if kind is None or call.kwargs.get("as_gray") is True:
        return None
    if call.name == "cv2.imdecode" and not _in_colour(call.get(1, "flags", 1)):
        return None
    state = moved(source.state, call.place, kind=kind, dtype="uint8")
    if call.name == "cv2.imdecode" and len(state.channels or ()) == 3:
        state = reordered(state, (2, 1, 0), call.place)
    if call.name == "caffe.io.load_image":
        state = cast(mapped(state, "divide", 255.0, call.place), "float32", call.place)
    return Picture(replace(state, layout="HWC" if state.layout == "CHW" else state.layout))


def _in_colour(flags: Value) -> bool:
    return flags == 1 or getattr(flags, "name", "").rpartition(".")[2] in (
        "IMREAD_COLOR",
        "IMREAD_UNCHANGED",
        "IMREAD_ANYCOLOR",
    )

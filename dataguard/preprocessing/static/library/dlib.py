"""dlib: what opens files, resizes pictures and cuts faces out of them.

Sources: dlib 19.24 ``tools/python/src/image.cpp`` (load_rgb_image, resize_image, bilinear of two pixels a side),
``face_recognition.cpp`` and ``image_transforms/interpolation.h`` (get_face_chip: 150 pixels a side, bilinear from a
pyramid).
"""

from __future__ import annotations

from typing import Any

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static import parts
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import COLOURS, State, default, explicit, resized
from dataguard.preprocessing.static.values import Measure, Picture, Seq, Unknown, Value, is_number

_WHY = "dlib decodes by itself, which is none of the libraries that are described"


@function("dlib.load_rgb_image", "dlib.load_grayscale_image")
def _read(call: Call) -> Value:
    place = call.place
    gray = "gray" in call.name
    said = explicit(place, call.name)
    names = ("library", "flags", "alpha", "gray", "sixteen_bit")
    decode = Decode(
        library=None, flags=None, order="GRAY" if gray else "RGB", alpha=None, gray=None, sixteen_bit=None,
        undetermined=dict.fromkeys(names, _WHY), provenance={"": said},
    )  # fmt: skip
    return Picture(
        State(
            kind="array", decode=decode, channels=COLOURS["GRAY" if gray else "RGB"], layout="HW" if gray else "HWC",
            said={"order": said}, loaded=place, places=(place,),
        )
    )  # fmt: skip


_FIELDS: dict[str, Any] = {
    "kernel": "linear", "engine": None, "arithmetic": None,
    "undetermined": {"engine": "dlib resamples by itself", "arithmetic": "dlib resamples by itself"},
}  # fmt: skip


@function("dlib.resize_image")
def _resize(call: Call) -> Value:
    """By rows and columns, or by a factor."""
    state, place = call.picture(0, "img"), call.place
    if state is None:
        return call.unknown("no picture")
    height, width = call.get(1, "rows"), call.get(2, "cols")
    if width is None:
        height = width = Unknown("a factor decides the size", place)
    fields = {**_FIELDS, "antialias": "none"}
    return Picture(resized(state, _length(height, place), _length(width, place), fields, place))


def _length(value: Value, place: str) -> Value:
    return value if is_number(value) or isinstance(value, Measure | Unknown) else Unknown("a length", place)


@function("dlib.get_face_chip", "dlib.get_face_chips")
def _chip(call: Call) -> Value:
    """A face that is turned upright, with some of what is around it, as a square of so many pixels a side."""
    state, place = call.picture(0, "img"), call.place
    if state is None:
        return call.unknown("no picture")
    side = call.get(2, "size", 150)
    why = {"antialias": "dlib takes a face from a smaller copy where it is large"}
    fields = {**_FIELDS, "antialias": None, "undetermined": {**_FIELDS["undetermined"], **why}}
    found = Picture(parts.warped(state, (side, side), fields, default(place, "dlib: bilinear"), call.name, place))
    return Seq([found], "list", many=True) if call.name.endswith("chips") else found

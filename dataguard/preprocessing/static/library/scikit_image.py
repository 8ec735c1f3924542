"""scikit-image and imageio: RGB; a resize makes floats of 0 to 1 and smooths first, by version.

Sources: skimage ``transform/_warps.py`` (resize: order 1; anti_aliasing off before 0.15, on since, for shrinking),
``io/_io.py``; imageio reads through Pillow and leaves the orientation alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static import parts
from dataguard.preprocessing.static.library.opencv import pair, whole
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.picture import (
    COLOURS,
    LUMA,
    State,
    by_chance,
    default,
    explicit,
    losing,
    mapped,
    moved,
    of_order,
    resized,
)
from dataguard.preprocessing.static.unknowns import CHANCE
from dataguard.preprocessing.static.values import Measure, Method, Picture, Seq, Unknown, Value, is_number, measured
from dataguard.preprocessing.static.writing import drawn_of

_ORDERS = {0: "nearest", 1: "linear", 3: "cubic"}


@function("skimage.io.imread", "imageio.imread", "scipy.misc.imread", "scipy.ndimage.imread",
          "matplotlib.pyplot.imread", "matplotlib.image.imread", "matplotlib.pylab.imread",
          "skimage.data.imread", "scipy.imread")  # fmt: skip
def _read(call: Call) -> Value:
    place = call.place
    gray = call.kwargs.get("as_gray", call.kwargs.get("as_grey", call.kwargs.get("flatten"))) is True
    mode = call.kwargs.get("pilmode", call.kwargs.get("mode"))
    by_mode = {"RGB": "convert RGB", "YCbCr": "convert RGB", "L": "convert L"}  # to YCbCr by way of RGB
    flags = (by_mode[mode],) if mode in by_mode and not call.name.startswith("skimage") else ()
    # imageio, as scipy before it, reads through Pillow.
    pillow = call.name.startswith(("scipy.", "imageio."))
    decode = Decode.of("pillow", *flags) if pillow else Decode.of("scikit-image")
    gray = gray or mode in ("L", "F")
    decode = replace(decode, provenance={"": explicit(place, call.name)})
    state = State(kind="array", decode=decode, loaded=place, places=(place,), said={"order": explicit(place)})
    if gray:
        state = replace(state, channels=COLOURS["GRAY"], layout="HW", decode=replace(decode, order="GRAY"))
    if mode == "YCbCr":
        state = losing(replace(state, notes=((LUMA, mode),)), place, f"read as {mode}", "order")
    if call.name.startswith("matplotlib"):
        state = losing(
            state,
            "",
            f"imread of matplotlib gives levels of 0 to 1 for PNG and of 0 to 255 for others ({place})",
            "affine",
        )
    return Picture(state)


@function("skimage.transform.resize", "scipy.misc.imresize", "skimage.transform.rescale")
def _resize(call: Call) -> Value:
    state = call.picture(0, "image")
    if state is None:
        return call.unknown("no picture")
    place = call.place
    if call.name.startswith("scipy"):
        return _old(call, state)
    order = call.get(2, "order", 1)
    given = call.given(2, "order")
    kernel = _ORDERS.get(order) if isinstance(order, int) else None
    said = explicit(place, "order") if given else default(place, "scikit-image: order=1")
    smooth = call.kwargs.get("anti_aliasing", "default")
    undetermined: dict[str, str] = {}
    antialias: str | None
    if isinstance(smooth, bool):
        antialias = "gaussian" if smooth else "none"
    else:
        version = call.machine.versions.get("scikit-image")
        antialias = None if version is None else "gaussian" if version >= (0, 15) else "none"
        if antialias is None:
            undetermined["antialias"] = (
                "scikit-image smooths by default since 0.15, and the repository does not say which version it means"
            )
        if smooth == "default":
            call.machine.note(
                "version-dependent-default", call.node,
                "skimage.transform.resize without anti_aliasing: off before scikit-image 0.15, on since",
                library="scikit-image", changed="0.15", before="off", after="on",
            )  # fmt: skip
    if kernel is None:
        undetermined["kernel"] = f"order {order!r} is not known" if isinstance(order, int) else "the order is not known"
    fields: dict[str, Any] = {
        "kernel": kernel,
        "antialias": antialias,
        "cubic": -0.5 if kernel == "cubic" else None,
        "engine": "scikit-image",
        "arithmetic": "float64",
        "align": "half_pixel",
        "undetermined": undetermined,
    }
    if call.name.endswith("rescale"):
        factor = call.get(1, "scale")
        down, across = pair(_of_plane(state, factor) if isinstance(factor, Seq) else Seq([factor, factor], "tuple"))
        height, width = (
            measured(lambda length, by: round(length * by), *one)
            if all(is_number(side) or isinstance(side, Measure) for side in one)
            else Unknown("the factor is not known", place)
            for one in ((state.size[0], down), (state.size[1], across))
        )
    else:
        height, width = pair(_of_plane(state, call.get(1, "output_shape")))
    after = resized(state, whole(height), whole(width), fields, place, kernel=said, antialias=said)
    return Picture(_of_fractions(call, after, state))


@function("skimage.transform.warp")
def _warp(call: Call) -> Value:
    """Pixels come from where a map says, mixed of their neighbours; no smoothing before, and levels become 0 to 1."""
    state, place = call.picture(0, "image"), call.place
    if state is None:
        return call.unknown("no picture")
    where = call.get(1, "inverse_map")
    held = where.receiver if isinstance(where, Method) else where  # 'tform.inverse', 'tform.params'
    if call.by_chance or drawn_of(held) is not None:
        return Picture(_of_fractions(call, by_chance(state, "warp", place), state))
    order, given = call.get(4, "order"), call.given(4, "order")
    kernel = _ORDERS.get(1 if order is None else order) if order is None or isinstance(order, int) else None
    fields: dict[str, Any] = {
        "kernel": kernel, "antialias": "none", "engine": "scikit-image", "arithmetic": "float64", "align": "half_pixel",
        "undetermined": {} if kernel is not None else {"kernel": "the order is not known"},
    }  # fmt: skip
    size = call.get(3, "output_shape")
    height, width = (
        state.size if size is None else pair(Seq(size.items[:2], "tuple") if isinstance(size, Seq) else size)
    )
    said = explicit(place, "order") if given else default(place, "scikit-image: order=1")
    after = parts.warped(state, (height, width), fields, said, call.name, place)
    if size is None:
        after = replace(after, size=state.size)
    return Picture(_of_fractions(call, after, state))


def _of_fractions(call: Call, after: State, before: State) -> State:
    """What was made of whole levels, as fractions of the largest."""
    if before.dtype == "uint8" and call.kwargs.get("preserve_range") is not True:
        after = mapped(after, "divide", 255.0, call.place)
    return replace(after, dtype="float64")


@function(*(f"skimage.transform.{one}Transform" for one in ("Affine", "Euclidean", "Similarity", "Projective",
                                                            "Polynomial")))  # fmt: skip
def _map(call: Call) -> Value:
    """Where pixels go to, which chance decides where it decides of a part of that."""
    return Unknown(CHANCE, call.place, "random") if call.by_chance else call.unknown("where pixels go to")


def _of_plane(state: State, shape: Value) -> Value:
    """The lengths of a shape that are of height and width: of three one is that of the channels."""
    if not isinstance(shape, Seq) or len(shape.items) != 3:
        return shape
    return Seq(shape.items[1:] if state.layout == "CHW" else shape.items[:2], "tuple")


def _old(call: Call, state: State) -> Value:
    from dataguard.preprocessing.readers import kernels

    name = call.get(2, "interp", "bilinear")
    fields = (
        kernels.pillow(name, "interp")
        if name in ("nearest", "lanczos", "bilinear", "bicubic", "cubic")
        else kernels.undetermined("the kernel")
    )
    size = call.get(1, "size")
    height, width = pair(size)
    if is_number(size):
        return Picture(losing(state, call.place, "a resize by a factor", "geometry"))
    said = explicit(call.place) if call.given(2, "interp") else default(call.place, "scipy: bilinear")
    after = resized(state, height, width, fields, call.place, kernel=said)
    if state.dtype == "uint8":
        return Picture(after)
    return Picture(moved(after, call.place, of_content="imresize stretches levels of floats"))


_SPACES = ("lab", "hsv", "hed", "luv", "xyz", "yuv", "yiq", "ycbcr", "ydbdr", "ypbpr", "rgbcie")
"""Spaces of colours whose channels are fractions of ranges of their own."""


@function("skimage.color.rgb2gray", "skimage.color.gray2rgb", "skimage.color.rgba2rgb",
          *[f"skimage.color.rgb2{name}" for name in _SPACES])  # fmt: skip
def _colour(call: Call) -> Value:
    state = call.picture(0, "image")
    if state is None:
        return call.unknown("no picture")
    name = call.name.rpartition(".")[2]
    if name == "rgb2gray":
        gray = replace(of_order(state, "GRAY", call.place), layout="HW")
        return Picture(
            replace(mapped(gray, "divide", 255.0, call.place), dtype="float64") if state.dtype == "uint8" else gray
        )
    if name == "gray2rgb":
        return Picture(moved(state, call.place))
    if name.startswith("rgb2"):
        other = losing(state, call.place, f"converted by {name}", "order", "affine")
        return Picture(replace(other, dtype="float64", scale=None, offset=None, written=()))
    return Picture(of_order(state, "RGB", call.place))


@function(
    "skimage.img_as_float",
    "skimage.util.img_as_float",
    "skimage.img_as_float32",
    "skimage.util.img_as_float32",
    "skimage.img_as_ubyte",
    "skimage.util.img_as_ubyte",
)
def _as_float(call: Call) -> Value:
    state = call.picture(0, "image")
    if state is None:
        return call.unknown("no picture")
    if call.name.endswith("ubyte"):
        return (
            Picture(replace(mapped(state, "multiply", 255.0, call.place), dtype="uint8"))
            if state.is_float
            else Picture(state)
        )
    if state.dtype == "uint8":
        state = mapped(state, "divide", 255.0, call.place)
    return Picture(replace(state, dtype="float32" if call.name.endswith("32") else "float64"))


@function("scipy.misc.imrotate", "skimage.transform.rotate", "scipy.ndimage.rotate")
def _rotated(call: Call) -> Value:
    state, angle = call.picture(0, "image"), call.get(1, "angle")
    if state is None:
        return call.unknown("no picture")
    if isinstance(angle, Unknown) and angle.kind == "random":
        return Picture(by_chance(state, "rotate", call.place, size=state.size))
    if angle == 0:
        return Picture(state)
    return Picture(losing(state, call.place, "it is turned by an angle", "geometry"))


@function("scipy.ndimage.zoom", "scipy.ndimage.interpolation.zoom")
def _zoomed(call: Call) -> Value:
    """A factor for every axis, or one for all: the outermost pixels stay where they are, and nothing is smoothed."""
    state, factor, place = call.picture(0, "input"), call.get(1, "zoom"), call.place
    if state is None:
        return call.unknown("no picture")
    if isinstance(factor, Seq) and len(factor.items) == len(state.layout):
        factors = dict(zip(state.layout, factor.items, strict=True))
    elif not isinstance(factor, Seq) and set(state.layout) == {"H", "W"}:
        factors = dict.fromkeys("HW", factor)
    else:
        return Picture(losing(state, place, "a resize by factors that are not followed", "geometry"))
    if any(factors.get(one, 1) != 1 for one in "NC"):
        return Picture(losing(state, place, "channels are resized with the picture", "order", "affine", "geometry"))
    if factors["H"] == factors["W"] == 1:
        return Picture(state)
    order = call.get(3, "order", 3)
    kernel = _ORDERS.get(order) if isinstance(order, int) and order < 3 else None
    undetermined = {"engine": "scipy's is none of those that are compared"}
    if kernel is None:
        undetermined["kernel"] = f"a spline of order {order}" if isinstance(order, int) else "the order is not known"
    fields: dict[str, Any] = {
        "kernel": kernel, "antialias": "none", "engine": None, "arithmetic": "float64", "align": "align_corners",
        "undetermined": undetermined,
    }  # fmt: skip
    height, width = (measured(_zoomed_length, state.size["HW".index(one)], factors[one]) for one in "HW")
    said = explicit(place, "order") if call.given(3, "order") else default(place, "scipy: order=3")
    return Picture(resized(state, height, width, fields, place, kernel=said))


def _zoomed_length(length: float, factor: float) -> int:
    return round(length * factor)


@function("skimage.io.imsave", "imageio.imwrite", "imageio.imsave", "scipy.misc.imsave", "scipy.imsave",
          "matplotlib.pyplot.imsave", "matplotlib.image.imsave")  # fmt: skip
def _save(call: Call) -> Value:
    from dataguard.preprocessing.static.library.unlisted import wrote

    wrote(call, call.get(1, "arr", call.kwargs.get("im")), call.get(0, "fname"), None)
    return None

"""OpenCV: BGR unless told otherwise, kernels that are never widened.

Sources: OpenCV 4 ``imgcodecs.hpp`` (flags of imread), ``imgproc.hpp`` (codes of cvtColor, interpolation).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.readers import kernels
from dataguard.preprocessing.static import borders, parts, sizes, spaces
from dataguard.preprocessing.static.library.misplaced import note_misplaced
from dataguard.preprocessing.static.library.registry import Call, applied, function
from dataguard.preprocessing.static.picture import (
    COLOURS,
    State,
    arithmetic,
    by_chance,
    cast,
    default,
    explicit,
    losing,
    mapped,
    moved,
    of_order,
    reordered,
    resized,
    shown_of,
    stepped,
    transposed,
)
from dataguard.preprocessing.static.values import (
    Blank,
    ExtObj,
    Measure,
    Picture,
    Seq,
    Shape,
    Unknown,
    Value,
    is_number,
    last,
    measured,
    numbers,
)
from dataguard.preprocessing.steps import Flip

_FLAGS = {-1: "IMREAD_UNCHANGED", 0: "IMREAD_GRAYSCALE", 1: "IMREAD_COLOR", 2: "IMREAD_ANYDEPTH", 4: "IMREAD_ANYCOLOR",
          128: "IMREAD_IGNORE_ORIENTATION", 129: "IMREAD_COLOR|IMREAD_IGNORE_ORIENTATION", 256: "IMREAD_COLOR_RGB",
          6: "IMREAD_ANYCOLOR|IMREAD_ANYDEPTH"}  # fmt: skip
_OLD_FLAGS = {"CV_LOAD_IMAGE_COLOR": "IMREAD_COLOR", "CV_LOAD_IMAGE_GRAYSCALE": "IMREAD_GRAYSCALE",
              "CV_LOAD_IMAGE_UNCHANGED": "IMREAD_UNCHANGED"}  # fmt: skip
_CODES = {4: "COLOR_BGR2RGB", 6: "COLOR_BGR2GRAY", 7: "COLOR_RGB2GRAY", 8: "COLOR_GRAY2BGR", 2: "COLOR_BGR2RGBA",
          1: "COLOR_BGRA2BGR", 3: "COLOR_RGBA2BGR", 5: "COLOR_BGRA2RGBA"}  # fmt: skip


@function("cv2.imread", "cv2.imdecode", "mmcv.imread", "mmcv.imfrombytes")
def _read(call: Call) -> Value:
    position = 1
    given = call.given(position, "flags") or call.given(position, "flag")
    flag = call.kwargs.get("flags", call.kwargs.get("flag", call.args[1] if len(call.args) > 1 else 1))
    name = _FLAGS.get(flag, "") if isinstance(flag, int) else last(flag)
    name = _OLD_FLAGS.get(
        name,
        {"color": "IMREAD_COLOR", "grayscale": "IMREAD_GRAYSCALE", "unchanged": "IMREAD_UNCHANGED"}.get(name, name),
    )
    place = call.place
    words = tuple(name.split("|"))
    if not name.startswith("IMREAD"):
        made = Decode.of("opencv", "IMREAD_COLOR")
        why = f"the flag of {call.name} is not known ({place})"
        names = ("flags", "exif", "alpha", "gray", "sixteen_bit")
        made = replace(made, **dict.fromkeys(names), undetermined=dict.fromkeys(names, why))  # type: ignore[arg-type]
        words = ("IMREAD_COLOR",)
    else:
        made = Decode.of("opencv", *words)
    said = explicit(place, call.name) if given else default(place, f"OpenCV: {call.name} with IMREAD_COLOR")
    made = replace(made, provenance={"": said})
    order = made.order or "BGR"
    state = State(
        kind="array",
        decode=made,
        channels=COLOURS[order],
        layout="HW" if order == "GRAY" else "HWC",
        said={"order": said},
        loaded=place,
        places=(place,),
    )
    return Picture(state)


@function(
    "cv2.VideoCapture", "imutils.video.VideoStream", "imutils.video.FileVideoStream", "imutils.video.WebcamVideoStream"
)
def _capture(call: Call) -> Value:
    return ExtObj(call.name, call.args, call.kwargs, call.place)


def frame(call: Call) -> Value:
    """A frame of a camera or video: BGR, of no file."""
    place = call.place
    decode = Decode(
        library="opencv", order="BGR", flags=("video",), exif=None, alpha=None, gray=None, sixteen_bit=None,
        provenance={"": explicit(place, "a frame of a video")},
    )  # fmt: skip
    state = State(
        kind="array", decode=decode, channels=COLOURS["BGR"], said={"order": explicit(place)}, loaded=place,
        places=(place,), notes=(("video", place),),
    )  # fmt: skip
    return Picture(state)


@function("cv2.cvtColor")
def _convert(call: Call) -> Value:
    state = call.picture(0, "src")
    if state is None:
        return call.unknown("what cvtColor is given is no picture")
    code = call.get(1, "code")
    name = _CODES.get(code, "") if isinstance(code, int) else last(code)
    place = call.place
    if not name.startswith("COLOR_") and not name.startswith("CV_"):
        return Picture(losing(state, place, "the code of cvtColor is not known", "order"))
    source, _, target = name.removeprefix("COLOR_").removeprefix("CV_").partition("2")
    known = {"RGB", "BGR", "RGBA", "BGRA", "GRAY"}
    if source not in known or target not in known:
        if target in spaces.NAMES and source in known:
            return Picture(spaces.entered(state, source, target, place))
        if source in spaces.NAMES and target in known:
            return Picture(spaces.left(state, target, place))
        return Picture(losing(state, place, f"cvtColor to {target}", "order"))
    return Picture(converted(state, source, target, place))


def converted(state: State, source: str, target: str, place: str) -> State:
    """A state after cvtColor: channels are moved as the code says, whatever they are."""
    if target == "GRAY":
        if state.order == "GRAY":
            return moved(state, place)
        right = state.order in (source, None)
        gray = replace(of_order(state, "GRAY", place), layout=state.layout.replace("C", ""))
        if state.touched and len(set(state.scale or ())) > 1:
            gray = losing(gray, place, "gray is made of channels whose levels were mapped differently", "affine")
        if state.scale is not None and len(state.scale) > 1:
            gray = replace(gray, scale=state.scale[:1], offset=(state.offset or (0.0,))[:1], written=())
        notes = gray.notes if right else (*gray.notes, ("weights-exchanged", place))
        return replace(gray, notes=notes)
    if source == "GRAY":
        if state.order != "GRAY" and state.channels is not None and len(state.channels) != 1:
            return losing(state, place, "a picture of several channels is converted from gray", "order")
        layout = state.layout if "C" in state.layout else state.layout + "C"
        return moved(
            state, place, channels=("Y",) * len(target), layout=layout, said={**state.said, "order": explicit(place)}
        )
    count = len(state.channels) if state.channels is not None else 0
    if count != len(source):
        return (
            of_order(state, target, place)
            if state.channels is None
            else losing(state, place, f"cvtColor {source} to {target} of {count} channels", "order")
        )
    positions = [source.index(one) for one in target if one in source]
    if len(positions) != len(target):
        return losing(state, place, "a channel of transparency is added", "order")
    if state.channels is not None and set(state.channels) == {"0", "1", "2"} and "order" in state.lost:
        # Nobody said what the caller gives; the code that converts from an order says it.
        state = replace(state, channels=tuple(source), lost={k: v for k, v in state.lost.items() if k != "order"})
    return reordered(state, positions, place)


def kernel_of(value: Value, given: bool, place: str, state: State) -> tuple[dict[str, Any], Any]:
    """The fields of a resize that an interpolation of OpenCV means, and where they are said."""
    if isinstance(value, Unknown) and value.kind == "random":
        return kernels.by_chance("opencv"), explicit(place)
    name: Any = value if isinstance(value, int) else last(value)
    try:
        fields = kernels.opencv(name, "interpolation")
    except DeclarationError:
        why = value.reason() if isinstance(value, Unknown) else f"the interpolation at {place} is not known"
        fields = kernels.undetermined(why) | {"engine": "opencv", "align": "half_pixel", "antialias": "none"}
        fields["undetermined"] = dict.fromkeys(("kernel", "arithmetic"), why)
        fields["arithmetic"] = None
        return fields, explicit(place)
    fields = {**fields, "arithmetic": arithmetic(state)}
    return fields, explicit(place, "interpolation") if given else default(place, "OpenCV: INTER_LINEAR")


@function("cv2.resize", "mmcv.imresize")
def _resize(call: Call) -> Value:
    state = call.picture(0, "src")
    if state is None:
        return call.unknown("what resize is given is no picture")
    if call.name == "cv2.resize":
        note_misplaced(call)
    place = call.place
    interpolation = call.get(5, "interpolation", "INTER_LINEAR")
    given = call.given(5, "interpolation")
    fields, said = kernel_of(interpolation, given, place, state)
    size = call.get(1, "dsize")
    if isinstance(interpolation, Unknown) and interpolation.kind == "random":
        width, height = pair(size)
        known = is_number(width) and is_number(height)
        return Picture(
            by_chance(
                state,
                "resize",
                place,
                size=(height, width) if known else None,
                shown={"interpolation": "random", "engine": "opencv", **_size_shown(height, width)},
            )
        )
    if size is None or (isinstance(size, Seq) and set(map(str, size.items)) == {"0"}):
        fx, fy = call.get(3, "fx"), call.get(4, "fy")
        fields = {**fields, "rounding": "half_even"}  # OpenCV's saturate_cast
        if is_number(fx) and is_number(fy) and fx == fy and state.size[0] is not None:
            if fx == 1:
                return Picture(moved(state, place))
            height = measured(lambda h: round(h * fx), state.size[0])
            width = measured(lambda w: round(w * fy), state.size[1])
            after = resized(state, height, width, fields, place, kernel=said, antialias=said)
            return Picture(after)
        unknown = next((one for one in (fx, fy) if isinstance(one, Unknown)), Unknown("the factor is not known", place))
        if (
            isinstance(fx, Measure)
            and isinstance(fy, Measure)
            and state.size[0] is not None
            and state.size[1] is not None
        ):
            height = measured(lambda h, f: round(h * f), state.size[0], fy)
            width = measured(lambda w, f: round(w * f), state.size[1], fx)
            return Picture(resized(state, height, width, fields, place, kernel=said, antialias=said))
        return Picture(resized(state, unknown, unknown, fields, place, kernel=said, antialias=said))
    width, height = pair(size)
    if isinstance(width, Unknown) and width.kind == "random":
        return Picture(by_chance(state, "resize", place, shown=shown_of(fields)))
    after = resized(state, whole(height), whole(width), fields, place, kernel=said, antialias=said)
    if after.layout == "HWC" and after.channels is not None and len(after.channels) == 1:
        after = replace(after, layout="HW")
    return Picture(after)


def _size_shown(height: Value, width: Value) -> dict[str, str]:
    """The size of a step of chance, where chance does not decide it."""
    return {"size": f"{height}x{width}"} if is_number(height) and is_number(width) else {}


def whole(value: Value) -> Value:
    """A length in whole pixels."""
    return measured(int, value) if is_number(value) or isinstance(value, Measure) else value


def pair(value: Value) -> tuple[Value, Value]:
    """The two lengths of a size."""
    if isinstance(value, Seq | Shape) and len(value.items) == 2:
        return value.items[0], value.items[1]
    if isinstance(value, Unknown):
        return value, value
    return Unknown("a size that is not known"), Unknown("a size that is not known")


@function("cv2.copyMakeBorder")
def _border(call: Call) -> Value:
    state = call.picture(0, "src")
    if state is None:
        return call.unknown("no picture")
    top, bottom = whole(call.get(1, "top")), whole(call.get(2, "bottom"))
    left, right = whole(call.get(3, "left")), whole(call.get(4, "right"))
    mode = border_mode(call.get(5, "borderType"))
    after = borders.enlarged(state, top, bottom, left, right, call.get(7, "value", 0), call.place)
    return Picture(after if mode == "constant" else borders.of_kind(after, state, mode))


_BORDERS = {
    "BORDER_CONSTANT": "constant", 0: "constant", "BORDER_REPLICATE": "edge", 1: "edge",
    "BORDER_REFLECT": "symmetric", 2: "symmetric", "BORDER_REFLECT_101": "reflect", "BORDER_REFLECT101": "reflect",
    "BORDER_DEFAULT": "reflect", 4: "reflect",
}  # fmt: skip


def border_mode(value: Value) -> str | None:
    """What pixels of a border are, as steps call it; None for what is none of those, or not known."""
    return "constant" if value is None else _BORDERS.get(value if isinstance(value, int) else last(value))


@function("cv2.warpAffine", "cv2.warpPerspective", "cv2.remap")
def _warp(call: Call) -> Value:
    state = call.picture(0, "src")
    if state is None:
        return call.unknown("no picture")
    place = call.place
    remaps = call.name.endswith("remap")
    if not remaps:
        note_misplaced(call)
    width, height = pair(None if remaps else call.get(2, "dsize"))
    # What stands where the output does says nothing of the kernel, though it were one.
    at, name = (3, "interpolation") if remaps else (4, "flags")
    fields, said = kernel_of(call.get(at, name, "INTER_LINEAR"), call.given(at, name), place, state)
    if fields.get("kernel") == "area":
        fields["kernel"] = "linear"  # as OpenCV takes it where it warps
    matrix = call.get(1, "M")
    rows = [one.items for one in matrix.items if isinstance(one, Seq)] if isinstance(matrix, Seq) else []
    if any(
        isinstance(one, Unknown) and one.kind == "random" for one in (matrix, *(one for row in rows for one in row))
    ):
        known = is_number(width) and is_number(height)
        # A size that is not known is another than the picture's own only where that is known.
        resizes = known or (isinstance(width, Unknown) and width.kind != "random" and state.size[1] is not None)
        shown = {**shown_of(fields), **_size_shown(height, width)} if resizes else None
        return Picture(by_chance(state, "affine", place, size=(height, width) if known else None, shown=shown))
    put = _scaled_and_put(call, state, rows, (height, width), (fields, said))
    if put is not None:
        return Picture(put)
    made = parts.warped(state, (height, width), fields, said, call.name, place)
    if not call.name.endswith("Affine") or border_mode(call.get(5, "borderMode")) != "constant":
        return Picture(made)
    # What lies beyond the picture is filled, as of a whole picture that is brought to another aspect.
    return Picture(borders.about(made, call.get(6, "borderValue", 0), place))


def _scaled_and_put(
    call: Call, state: State, rows: list[list[Value]], size: tuple[Value, Value], kernel: tuple[dict[str, Any], Any]
) -> State | None:
    """What ``warpAffine`` makes by ``[[s, 0, x], [0, s, y]]``: a resize, put at a corner of a larger picture."""
    if len(rows) != 2 or any(len(row) != 3 for row in rows) or (rows[0][1], rows[1][0]) != (0, 0):
        return None
    across, down, left, top = rows[0][0], rows[1][1], rows[0][2], rows[1][2]
    lengths = (*state.size, *size, across, down, left, top)
    if not all(is_number(one) or isinstance(one, Measure) for one in lengths):
        return None
    height, width = (
        measured(lambda length, factor: max(1, round(length * factor)), length, factor)
        for length, factor in zip(state.size, (down, across), strict=True)
    )
    made = resized(state, height, width, kernel[0], call.place, kernel=kernel[1], antialias=kernel[1])
    whole_ = tuple(whole(one) for one in size)
    within = sizes.pairs(*whole_), sizes.pairs(height, width)
    if None in within or any(a[0] < b[0] or a[1] < b[1] for a, b in zip(*within, strict=True)):  # type: ignore[arg-type]
        return None
    corner = [
        # A picture in the middle lies between pixels there; what is nearest is taken.
        measured(lambda at, full, part: (full - part) // 2 if abs(2 * at - full + part) <= 1 else int(at), *one)
        for one in ((top, whole_[0], height), (left, whole_[1], width))
    ]
    border, held = call.get(5, "borderMode"), call.get(3, "dst")
    mode, kept = border_mode(border), isinstance(held, Blank) and _is_transparent(border)
    fill = held.fill if kept else call.get(6, "borderValue", 0)
    after = borders.padded(made, (whole_[0], whole_[1]), (corner[0], corner[1]), fill, call.place)
    return after if kept or mode == "constant" else borders.of_kind(after, made, mode)


def _is_transparent(border: Value) -> bool:
    """Whether a warp leaves what it is written into as it is, beyond the picture."""
    return border == 5 if isinstance(border, int) else last(border) == "BORDER_TRANSPARENT"


@function("cv2.flip")
def _flip(call: Call) -> Value:
    state = call.picture(0, "src")
    if state is None:
        return call.unknown("no picture")
    code = call.get(1, "flipCode")
    if code not in (-1, 0, 1) or not isinstance(code, int):
        return Picture(by_chance(state, "flip", call.place, size=state.size))
    kind = {1: "left_right", 0: "up_down", -1: "rotate_180"}[code]
    return Picture(stepped(state, Flip(kind=kind, provenance={"": explicit(call.place)}), call.place))  # type: ignore[arg-type]


@function("cv2.subtract", "cv2.add", "cv2.multiply", "cv2.divide")
def _arithmetic_of(call: Call) -> Value:
    state = call.picture(0, "src1")
    if state is None:
        return call.unknown("no picture")
    value = call.get(1, "src2")
    operation = call.name.rpartition(".")[2]
    found = numbers(value)
    # OpenCV takes four values for a scalar; what is beyond the channels is not used.
    if found is not None and state.channels is not None and len(found) == 4 and len(state.channels) == 3:
        value = Seq(list(found[:3]), "array")
    return Picture(mapped(state, operation, value, call.place))


@function("cv2.split")
def _split(call: Call) -> Value:
    state = call.picture(0, "m")
    if state is None or state.channels is None:
        return call.unknown("channels")
    return Seq([parts.plane(state, index, call.place) for index in range(len(state.channels))], "list")


@function("cv2.LUT")
def _looked_up(call: Call) -> Value:
    state, table = call.picture(0, "src"), call.get(1, "lut")
    if state is None:
        return call.unknown("what LUT is given is no picture")
    if isinstance(table, Unknown) and table.kind == "random":
        return Picture(by_chance(state, "levels", call.place, size=state.size))
    return Picture(losing(state, call.place, "levels go through a table", "affine"))


@function("cv2.merge")
def _merge(call: Call) -> Value:
    planes = call.get(0, "mv")
    items = planes.items if isinstance(planes, Seq) else []
    states = [one.state for one in items if isinstance(one, Picture)]
    if len(states) != len(items) or not states:
        return call.unknown("merged channels")
    found = parts.assembled(states, call.place)
    if found is not None:
        return Picture(found)
    return Picture(losing(replace(states[0], layout="HWC"), call.place, "channels are merged", "order"))


@function("cv2.normalize")
def _normalize(call: Call) -> Value:
    state = call.picture(0, "src")
    if state is None:
        return call.unknown("no picture")
    kind = last(call.get(5, "norm_type", call.kwargs.get("normType")))
    state = moved(state, call.place, of_content=f"cv2.normalize {kind}".strip())
    return Picture(losing(state, call.place, "levels are mapped by the picture's own", "affine"))


@function("cv2.rotate", "cv2.transpose")
def _rotate(call: Call) -> Value:
    state = call.picture(0, "src")
    if state is None:
        return call.unknown("no picture")
    if call.name == "cv2.transpose":
        return Picture(transposed(state, [1, 0, *range(2, len(state.layout))], call.place))
    code = last(call.get(1, "rotateCode"))
    kind = {
        "ROTATE_90_CLOCKWISE": "rotate_270",
        "ROTATE_180": "rotate_180",
        "ROTATE_90_COUNTERCLOCKWISE": "rotate_90",
    }.get(code)
    if kind is None:
        return Picture(losing(state, call.place, "a rotation that is not known", "geometry"))
    return Picture(stepped(state, Flip(kind=kind, provenance={"": explicit(call.place)}), call.place))  # type: ignore[arg-type]


@function("cv2.dnn.blobFromImage")
def _blob(call: Call) -> Value:
    state = call.picture(0, "image")
    if state is None:
        return call.unknown("no picture")
    place = call.place
    size = call.get(2, "size")
    if isinstance(size, Seq) and len(size.items) == 2 and all(is_number(one) and one > 0 for one in size.items):
        fields, said = kernel_of("INTER_LINEAR", False, place, state)
        if call.get(5, "crop", False) is True:
            state = losing(state, place, "blobFromImage with crop=True", "geometry")
        else:
            state = resized(state, size.items[1], size.items[0], fields, place, kernel=said)
    elif size is not None and not isinstance(size, Seq):
        state = losing(state, place, "the size of blobFromImage is not known", "geometry")
    swap = call.get(4, "swapRB", False)
    if swap in (True, 1):
        state = reordered(state, [2, 1, 0], place)
    elif swap not in (False, 0):
        state = losing(state, place, "swapRB is not known", "order")
    mean = call.get(3, "mean")
    if mean is not None:
        found = numbers(mean)
        state = mapped(state, "subtract", Seq(list(found[:3]), "array") if found is not None else mean, place)
    state = mapped(state, "multiply", call.get(1, "scalefactor", 1.0), place)
    state = cast(moved(state, place, layout="NCHW", said={**state.said, "layout": explicit(place)}), "float32", place)
    return Picture(state)


@function("cv2.imwrite", "cv2.imshow", "cv2.waitKey")
def _nothing(call: Call) -> Value:
    if call.name == "cv2.imwrite":
        from dataguard.preprocessing.static.library.unlisted import wrote

        wrote(call, call.get(1, "img"), call.get(0, "filename"), call.get(2, "params"))
    return Unknown("nothing", call.place)


@applied("cv2.")
def _of_object(call: Call) -> Value:
    return call.unknown(f"{call.name} is called")

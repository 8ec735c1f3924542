"""Pillow: RGB, kernels that are widened when shrinking.

Sources: Pillow ``PIL/Image.py`` (resize: bicubic by default since 7.0.0, nearest before; thumbnail: bicubic with a
reducing gap of 2), ``PIL/ImageOps.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.readers import kernels
from dataguard.preprocessing.static import borders, parts, sizes
from dataguard.preprocessing.static.library import filters
from dataguard.preprocessing.static.library.given import as_state
from dataguard.preprocessing.static.library.opencv import pair, whole
from dataguard.preprocessing.static.library.registry import Call, function, methods
from dataguard.preprocessing.static.picture import (
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
    shown_of,
    stepped,
)
from dataguard.preprocessing.static.values import (
    Blank,
    Ext,
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
from dataguard.preprocessing.steps import Flip, Pad, Random, Resize

_TRANSPOSE = {"FLIP_LEFT_RIGHT": "left_right", "FLIP_TOP_BOTTOM": "up_down", "ROTATE_90": "rotate_90",
              "ROTATE_180": "rotate_180", "ROTATE_270": "rotate_270", "TRANSPOSE": "transpose"}  # fmt: skip


@function("PIL.Image.open", "torchvision.datasets.pil_loader", "torchvision.datasets.default_loader")
def _read(call: Call) -> Value:
    place = call.place
    flags = ("convert RGB",) if call.name.startswith("torchvision") else ()
    decode = replace(Decode.of("pillow", *flags), provenance={"": explicit(place, call.name)})
    state = State(kind="pil", decode=decode, said={"order": explicit(place)}, loaded=place, places=(place,))
    return Picture(state)


@function("PIL.Image.fromarray")
def from_array(call: Call) -> Value:
    """``Image.fromarray``."""
    state = call.picture(0, "obj")
    if state is None:
        return call.unknown("no picture")
    return Picture(wrapped(state, call))


def wrapped(state: State, call: Call) -> State:
    """An array as a picture of Pillow, whose channels are not exchanged by that."""
    place = call.place
    known = any(kind == "bgr-as-rgb" for kind, _ in state.notes)
    if state.order == state.decode.order == "BGR" and state.decode.library == "opencv" and not known:
        state = replace(state, notes=(*state.notes, ("bgr-as-rgb", place)))
    layout = "HW" if state.channels is not None and len(state.channels) == 1 else "HWC"
    # Numbers with fractions are of mode F, which has one channel.
    wide = layout == "HW" and state.is_float and "dtype" not in state.lost and call.get(1, "mode") is None
    lost = {name: why for name, why in state.lost.items() if name != "layout"}
    return moved(state, place, kind="pil", layout=layout, dtype="float32" if wide else "uint8", lost=lost)


@function("PIL.ImageOps.exif_transpose")
def _turned(call: Call) -> Value:
    state = as_state(call.get(0, "image"), kind="pil")
    if state is None:
        return call.unknown("no picture")
    return Picture(moved(state, call.place, decode=_with_flag(state, "exif_transpose", call.place)))


def _with_flag(state: State, flag: str, place: str) -> Decode:
    decode = state.decode
    if decode.library != "pillow" or decode.flags is None:
        return decode
    if flag in decode.flags:
        return decode
    made = Decode.of("pillow", *decode.flags, flag)
    if flag != "exif_transpose" and decode.exif is None and "exif" in decode.undetermined:
        # Whether what opened it turned it as EXIF says is not known, and still is not.
        made = replace(made, exif=None, undetermined={**made.undetermined, "exif": decode.undetermined["exif"]})
    if decode.alpha is None and "alpha" in decode.undetermined:
        made = replace(made, alpha=None, undetermined={**made.undetermined, "alpha": decode.undetermined["alpha"]})
    return replace(made, provenance={**decode.provenance, "flags": explicit(place, flag)})


_SPACE = "space of Pillow"
_SPACES = ("HSV", "LAB", "YCbCr")
"""Modes of other spaces of colours, from which a picture is converted back to the order that it had."""


@methods("pil", "convert")
def convert(call: Call) -> Value:
    """``Image.convert``."""
    state, place = call.state, call.place
    mode = call.get(0, "mode", "P")
    was = next((held for name, held in state.notes if name == _SPACE), None)
    if mode == "RGB" and was is not None:
        notes = tuple(one for one in state.notes if one[0] not in (_SPACE, LUMA))
        return Picture(replace(of_order(state, was, place), notes=notes))
    if mode == "RGB":
        state = replace(state, decode=_with_flag(state, "convert RGB", place)) if not state.touched else state
        if state.order in ("RGB", "BGR"):
            return Picture(moved(state, place))
        if state.order in ("RGBA", "GRAY"):
            return Picture(moved(of_order(state, "RGB", place), place, layout="HWC"))
        return Picture(of_order(state, "RGB", place) if "order" in state.lost else moved(state, place))
    if mode in ("L", "1", "F", "I"):
        if state.order == "GRAY":
            return Picture(moved(state, place))
        decode = _with_flag(state, "convert L", place) if mode == "L" and not state.steps else state.decode
        return Picture(replace(of_order(state, "GRAY", place), layout="HW", decode=decode))
    if mode in ("RGBA", "BGR"):
        return Picture(of_order(state, mode, place))
    if mode in ("HSV", "LAB", "YCbCr", "CMYK", "P"):
        held = state.order if mode in _SPACES else None
        notes = (*state.notes, (_SPACE, held)) if held in ("RGB", "BGR") else state.notes
        notes = (*notes, (LUMA, mode)) if mode == "YCbCr" and state.order != "GRAY" else notes
        return Picture(losing(replace(state, notes=notes), place, f"converted to {mode}", "order"))
    return Picture(losing(state, place, "converted to a mode that is not known", "order"))


def kernel_of(value: Value, given: bool, place: str, fallback: str = "bicubic") -> tuple[dict[str, Any], Any]:
    """The fields of a resize that a filter of Pillow means, and where they are said."""
    if not given or value is None:
        return kernels.pillow(fallback, "resample"), default(place, f"Pillow: {fallback}")
    if isinstance(value, Unknown) and value.kind == "random":
        return kernels.by_chance("pillow"), explicit(place)
    try:
        return kernels.pillow(value if isinstance(value, int) else last(value), "resample"), explicit(place, "resample")
    except DeclarationError:
        why = value.reason() if isinstance(value, Unknown) else f"the filter at {place} is not known"
        fields = kernels.pillow("bilinear", "resample")
        return {
            **fields,
            "kernel": None,
            "antialias": None,
            "undetermined": {"kernel": why, "antialias": why},
        }, explicit(place)


def default_filter(call: Call) -> str:
    """Pillow's own filter: bicubic since 7.0.0."""
    version = call.machine.versions.get("pillow")
    return "nearest" if version is not None and version < (7,) else "bicubic"


@methods("pil", "resize")
def _resize(call: Call) -> Value:
    state, place = call.state, call.place
    given = call.given(1, "resample")
    fields, said = kernel_of(call.get(1, "resample"), given, place, default_filter(call))
    width, height = pair(call.get(0, "size"))
    if any(isinstance(one, Unknown) and one.kind == "random" for one in (width, height)):
        return Picture(by_chance(state, "resize", place, shown=shown_of(fields)))
    if not given and call.machine.versions.get("pillow") is None:
        call.machine.note(
            "version-dependent-default",
            call.node,
            "Image.resize without a filter is nearest before Pillow 7.0 and bicubic since",
            library="pillow",
            changed="7.0.0",
            before="nearest",
            after="bicubic",
        )
    fields = {**fields, **_box(call, fields)}
    return Picture(resized(state, whole(height), whole(width), fields, place, kernel=said, antialias=said))


def _box(call: Call, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that say which part of the picture ``Image.resize`` takes, and whether that is reduced first."""
    found: dict[str, Any] = {}
    box, gap = call.get(2, "box"), call.get(3, "reducing_gap")
    unknown = dict(fields.get("undetermined", {}))
    if box is not None:
        edges = numbers(box)
        known = edges is not None and len(edges) == 4
        found |= {"source": "box" if known else None, "box": edges if known else None}
        if not known:
            unknown["source"] = unknown["box"] = f"the box at {call.place} is not known"
    if gap is not None:
        found["reducing_gap"] = float(gap) if is_number(gap) else None
        if not is_number(gap):
            unknown["reducing_gap"] = f"the gap at {call.place} is not known"
    return {**found, "undetermined": unknown} if found else {}


@methods("pil", "thumbnail")
def thumbnail(call: Call) -> Value:
    """Changes the picture itself."""
    state, place = call.state, call.place
    fields, said = kernel_of(call.get(1, "resample"), call.given(1, "resample"), place)
    width, height = pair(call.get(0, "size"))
    rule: dict[str, Any] = {"rule": "fit", "rounding": "half_up"}
    if is_number(width) and is_number(height):
        rule |= {"height": int(height), "width": int(width)}
    else:
        why = next((one.reason() for one in (width, height) if isinstance(one, Unknown)), "its limit is computed")
        open_ = {**fields.get("undetermined", {}), "rule": why, "rounding": why}
        rule = {"rule": None, "rounding": None, "undetermined": open_}
    step = Resize(
        **{**fields, **rule}, enlarge=False, reducing_gap=2.0, provenance={"": explicit(place), "kernel": said}
    )
    call.receiver.state = stepped(state, step, place)
    return None


@methods("pil", "crop")
def _crop(call: Call) -> Value:
    state, place = call.state, call.place
    box = call.get(0, "box")
    items = box.items if isinstance(box, Seq | Shape) and len(box.items) == 4 else None
    if items is None:
        if isinstance(box, Unknown) and box.kind == "random":
            return Picture(by_chance(state, "crop", place))
        return Picture(parts.unknown_crop(state, "the box is not known", place))
    left, top, right, bottom = items
    if any(isinstance(one, Unknown) and one.kind == "random" for one in items):
        return Picture(parts.random_crop(state, sizes.extent(top, bottom), sizes.extent(left, right), place))
    if all(is_number(one) or isinstance(one, Measure) for one in items) and state.size[0] is not None:
        rounded = [measured(round, one) for one in items]
        left, top, right, bottom = rounded
        tall, wide = measured(lambda a, b: b - a, top, bottom), measured(lambda a, b: b - a, left, right)
        return Picture(parts.cut(state, top, left, tall, wide, place))
    unknown = next((one.reason() for one in items if isinstance(one, Unknown)), "the box is not known")
    return Picture(parts.unknown_crop(state, unknown, place))


@methods("pil", "transpose")
def _transpose(call: Call) -> Value:
    state, place = call.state, call.place
    value = call.get(0, "method")
    kind = _TRANSPOSE.get(last(value))
    if kind is None:
        return Picture(losing(state, place, "a rotation that is not known", "geometry"))
    return Picture(stepped(state, Flip(kind=kind, provenance={"": explicit(place)}), place))  # type: ignore[arg-type]


@function("PIL.ImageOps.mirror", "PIL.ImageOps.flip")
def _mirror(call: Call) -> Value:
    state = as_state(call.get(0, "image"), kind="pil")
    if state is None:
        return call.unknown("no picture")
    kind: Any = "left_right" if call.name.endswith("mirror") else "up_down"
    return Picture(stepped(state, Flip(kind=kind, provenance={"": explicit(call.place)}), call.place))


@methods("pil", "rotate")
def _rotate(call: Call) -> Value:
    angle = call.get(0, "angle")
    if isinstance(angle, Unknown) and angle.kind == "random":
        return Picture(by_chance(call.state, "rotate", call.place, size=call.state.size))
    return Picture(losing(call.state, call.place, "turned by an angle", "geometry"))


@function("PIL.Image.new")
def _new(call: Call) -> Value:
    width, height = pair(call.get(1, "size"))
    mode = call.get(0, "mode", "RGB")
    colour = call.get(2, "color", 0)
    found = numbers(colour)
    fill: Any = None
    if found is not None:
        fill = found[0] if len(set(found)) == 1 else Seq(list(found), "tuple")
    shape = [height, width, 3] if mode == "RGB" else [height, width]
    return Blank(shape, fill, "pil", {}, call.place)


@methods("blank", "paste")
def paste(call: Call) -> Value:
    """A picture put onto a canvas: the canvas holds it afterwards."""
    blank = call.receiver
    given = call.get(0, "im")
    if not isinstance(given, Picture) or not isinstance(blank, Blank):
        return None
    box = call.get(1, "box", Seq([0, 0], "tuple"))
    items = box.items if isinstance(box, Seq) and len(box.items) >= 2 else None
    left, top = (items[0], items[1]) if items is not None else (Unknown("where it is put"), Unknown("where it is put"))
    random = next((one for one in (left, top) if isinstance(one, Unknown) and one.kind == "random"), None)
    size = (blank.shape[0], blank.shape[1])
    if random is not None:
        shown = {"size": f"{size[0]}x{size[1]}"} if all(is_number(one) for one in size) else None
        state = by_chance(given.state, "placement", call.place, size=size, shown=shown)
    else:
        state = borders.padded(
            given.state, (whole(size[0]), whole(size[1])), (whole(top), whole(left)), blank.fill, call.place
        )
    blank.planes[-1] = state
    return None


@function("PIL.ImageOps.expand")
def _expand(call: Call) -> Value:
    state = as_state(call.get(0, "image"), kind="pil")
    if state is None:
        return call.unknown("no picture")
    edge = call.get(1, "border", 0)
    items = edge.items if isinstance(edge, Seq) else [edge]
    if len(items) in (1, 2, 4):
        left, top, right, bottom = items * (4 // len(items))
        return Picture(borders.enlarged(state, top, bottom, left, right, call.get(2, "fill", 0), call.place))
    return Picture(losing(state, call.place, "the border is not known", "geometry"))


@function("PIL.ImageOps.contain", "PIL.ImageOps.cover", "PIL.ImageOps.fit", "PIL.ImageOps.pad")
def _to_a_size(call: Call) -> Value:
    state, place = as_state(call.get(0, "image"), kind="pil"), call.place
    if state is None:
        return call.unknown("no picture")
    width, height = pair(call.get(1, "size"))
    fields, said = kernel_of(call.get(2, "method"), call.given(2, "method"), place)
    if not (is_number(width) and is_number(height)):
        return Picture(losing(state, place, "the size is not known", "geometry"))
    name = call.name.rpartition(".")[2]
    if name == "fit":
        rule: Any = "exact"
        part = _part(call)
        fields = {**fields, **part, "undetermined": {**fields.get("undetermined", {}), **part["undetermined"]}}
    else:
        rule = "cover" if name == "cover" else "fit"
    step = Resize(
        rule=rule,
        height=int(height),
        width=int(width),
        rounding="half_even",
        **fields,
        provenance={"": explicit(place, f"ImageOps.{name}"), "kernel": said},
    )
    state = stepped(state, step, place)
    return Picture(_padded(call, state, int(height), int(width)) if name == "pad" else state)


def _part(call: Call) -> dict[str, Any]:
    """Which part of the picture ``ImageOps.fit`` takes: values that are out of range it replaces by its defaults."""
    bleed = call.get(3, "bleed", 0.0)
    centering = numbers(call.get(4, "centering", Seq([0.5, 0.5], "tuple")))
    unknown = {}
    if not is_number(bleed):
        unknown["bleed"] = f"the bleed at {call.place} is not known"
    if centering is None or len(centering) != 2:
        unknown["centering"] = f"the centering at {call.place} is not known"
    return {
        "source": "aspect",
        "bleed": None if "bleed" in unknown else float(bleed) if 0.0 <= bleed < 0.5 else 0.0,
        "centering": None
        if centering is None or "centering" in unknown
        else tuple(one if 0.0 <= one <= 1.0 else 0.5 for one in centering),
        "undetermined": unknown,
    }


def _padded(call: Call, state: State, height: int, width: int) -> State:
    """A state after the border that ``ImageOps.pad`` adds."""
    centering = numbers(call.get(4, "centering", Seq([0.5, 0.5], "tuple")))
    positions: dict[tuple[float, ...], Any] = {(0.5, 0.5): "center", (0.0, 0.0): "top_left"}
    position = positions.get(centering or ())
    why = "its place is not known" if centering is None else f"its place is {centering} of what is left"
    pad = Pad(
        rule="to",
        height=height,
        width=width,
        rounding="half_even",
        position=position,
        fill=numbers(call.get(3, "color", 0)) or (0.0,),
        provenance={"": explicit(call.place)},
        undetermined={} if position else {"position": why},
    )
    return stepped(state, pad, call.place)


@methods("pil", "filter")
def _filtered(call: Call) -> Value:
    argument = call.get(0, "filter")
    radius = (
        argument.kwargs.get("radius", argument.args[0] if argument.args else None)
        if isinstance(argument, ExtObj)
        else argument
    )
    if isinstance(radius, Unknown) and radius.kind == "random":
        return Picture(by_chance(call.state, "blur", call.place, size=call.state.size))
    name = argument.name.rpartition(".")[2] if isinstance(argument, Ext | ExtObj) else "filter"
    return Picture(filters.filtered(call.state, name, call.place))


def enhanced(call: Call) -> Value:
    """``ImageEnhance.Color(picture).enhance(factor)``: a step of chance where the factor is one."""
    state = as_state(call.thing.args[0] if call.thing.args else None, kind="pil")
    factor = call.get(0, "factor")
    if state is None:
        return call.unknown("no picture")
    if factor == 1:
        return Picture(state)
    name = call.thing.name.rpartition(".")[2].lower()
    if isinstance(factor, Unknown) and factor.kind == "random":
        return Picture(by_chance(state, name, call.place, size=state.size))
    if name == "brightness" and is_number(factor):
        return Picture(mapped(state, "multiply", factor, call.place))
    if name == "sharpness":
        return Picture(filters.filtered(state, name, call.place))
    return Picture(losing(state, call.place, f"the {name} is changed", "affine"))


@methods("pil", "getchannel", "split")
def _split(call: Call) -> Value:
    state = call.state
    if state.channels is None:
        return call.unknown("channels")
    planes = [parts.plane(state, index, call.place) for index in range(len(state.channels))]
    return Seq(planes, "tuple") if call.name == "split" else planes[0]


def _changed_alike(planes: list[State]) -> list[State]:
    """Planes of a picture whose colours are of another space, some of them changed by chance, as the whole then is."""
    plain = min(planes, key=lambda one: len(one.steps))
    held = len(plain.steps)
    if not any(name == _SPACE for name, _ in plain.notes) or any(one.steps[:held] != plain.steps for one in planes):
        return planes
    more = [step for one in planes for step in one.steps[held:]]
    if not more or not all(isinstance(step, Random) for step in more):
        return planes
    steps = (*plain.steps, *more)
    return [replace(one, steps=steps, scale=plain.scale, offset=plain.offset, written=plain.written) for one in planes]


@function("PIL.Image.merge")
def _merge(call: Call) -> Value:
    planes = call.get(1, "bands")
    states = [one.state for one in planes.items if isinstance(one, Picture)] if isinstance(planes, Seq) else []
    found = parts.assembled(_changed_alike(states), call.place) if states else None
    return Picture(found) if found is not None else call.unknown("merged channels")


@methods("pil", "copy", "load", "tobytes", "getdata")
def _copied(call: Call) -> Value:
    return Picture(call.state)


@methods("pil", "save")
def _save(call: Call) -> Value:
    from dataguard.preprocessing.static.library import encoding
    from dataguard.preprocessing.static.library.unlisted import wrote

    target = call.get(0, "fp")
    if not encoding.keep(call, target, call.receiver):
        wrote(call, call.receiver, target, call.get(1, "format"))
    return None

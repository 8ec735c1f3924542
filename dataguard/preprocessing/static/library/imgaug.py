"""imgaug: augmenters by chance, and those that set a size; pictures alone or with their boxes, points and maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dataguard.preprocessing.static import borders
from dataguard.preprocessing.static.library.crops import centred
from dataguard.preprocessing.static.library.given import as_state
from dataguard.preprocessing.static.library.opencv import kernel_of
from dataguard.preprocessing.static.library.registry import Call, applied, function
from dataguard.preprocessing.static.picture import State, by_chance, explicit, losing, resized, stepped
from dataguard.preprocessing.static.values import (
    SIZES,
    Choice,
    ExtObj,
    Map,
    Measure,
    Picture,
    Seq,
    Unknown,
    Value,
    choice,
    is_number,
    measured,
)
from dataguard.preprocessing.steps import Pad

ASKED = frozenset({"augment_image", "augment_images", "augment"})
"""Methods that pictures are given to."""
SAME = frozenset({"to_deterministic", "copy", "deepcopy", "localize_random_state", "remove_augmenters"})
_PICTURES = ("image", "images")
_GEOMETRY = {
    "Affine": "affine",
    "ScaleX": "affine",
    "ScaleY": "affine",
    "TranslateX": "affine",
    "TranslateY": "affine",
    "Rotate": "affine",
    "ShearX": "affine",
    "ShearY": "affine",
    "AffineCv2": "affine",
    "PiecewiseAffine": "affine",
    "PerspectiveTransform": "affine",
    "ElasticTransformation": "distortion",
    "Crop": "crop",
    "Pad": "pad",
    "CropAndPad": "placement",
    "Fliplr": "flip",
    "HorizontalFlip": "flip",
    "Flipud": "flip",
    "VerticalFlip": "flip",
}
"""What those do that move pixels, in the words that a step by chance is named with."""
_UNSAID = frozenset({"Lambda", "AssertLambda", "WithColorspace", "ChangeColorspace", "InColorspace", "Rot90", "Jigsaw"})
"""Those that may do anything, or that exchange channels or axes."""
_NOTHING = frozenset({"Noop", "Identity", "AssertShape"})
_SQUARE = frozenset({"PadToSquare", "CenterPadToSquare"})
_FIXED = {
    "CropToFixedSize": "crop",
    "CenterCropToFixedSize": "crop",
    "PadToFixedSize": "pad",
    "CenterPadToFixedSize": "pad",
}


@applied("imgaug.")
def _use(call: Call) -> Value:
    return asked(call)


def same(call: Call) -> Value:
    """The same augmenter: one that draws once, a copy."""
    return call.thing


def asked(call: Call) -> Value:
    """Pictures given to an augmenter, and what is augmented with them, in the order that they are given in."""
    thing = call.thing
    given = dict(call.kwargs)
    if call.args:
        given = {"image": call.args[0], **given}
    parts = [
        augmented(thing, value, call) if name in _PICTURES else Unknown(f"augmented {name}", call.place)
        for name, value in given.items()
        if name not in ("return_batch", "hooks", "parents")
    ]
    if not any(name in given for name in _PICTURES):
        return call.unknown("what an augmenter returns that is given no picture")
    return parts[0] if len(parts) == 1 else Seq(parts, "tuple")


def augmented(thing: Value, value: Value, call: Call, depth: int = 0) -> Value:
    """What an augmenter makes of a picture, or of each of several."""
    if depth > 12:
        return value
    if isinstance(value, Seq):
        return Seq([augmented(thing, one, call, depth + 1) for one in value.items], value.kind, value.many)
    if isinstance(value, Choice):
        return choice([augmented(thing, one, call, depth + 1) for one in value.options], value.why)
    if isinstance(thing, Choice):
        return choice([augmented(one, value, call, depth + 1) for one in thing.options if one is not None], thing.why)
    if isinstance(value, Unknown) and (given := as_state(value)) is not None:
        value = Picture(given)
    if not isinstance(value, Picture):
        return value
    if isinstance(thing, Seq):
        for one in thing.items[:64]:
            value = augmented(one, value, call, depth + 1)
        return value
    if not isinstance(thing, ExtObj):
        return (
            Picture(losing(value.state, call.place, "an augmenter that is not known")) if thing is not None else value
        )
    name = thing.name.rpartition(".")[2]
    inner = Call(call.machine, thing.name, thing.args, thing.kwargs, call.node, thing)
    if name == "Sequential":
        return augmented(inner.get(0, "children"), value, call, depth + 1)
    if name in ("Sometimes", "OneOf", "SomeOf"):
        if name == "Sometimes" and inner.get(0, "p", 0.5) in (1, 1.0):
            return augmented(inner.get(1, "then_list"), value, call, depth + 1)
        return Picture(_perhaps(inner.get(0 if name == "OneOf" else 1, _HELD[name]), value.state, thing.place, depth))
    return Picture(_step(name, inner, value.state, thing.place))


_HELD = {"Sometimes": "then_list", "OneOf": "children", "SomeOf": "children"}


def _perhaps(thing: Value, state: State, place: str, depth: int = 0) -> State:
    """A state after what is done by chance, or one of several by chance."""
    if isinstance(thing, Seq):
        for one in thing.items[:64]:
            state = _perhaps(one, state, place, depth + 1)
        return state
    if not isinstance(thing, ExtObj) or depth > 12:
        return state if thing is None else losing(state, place, "an augmenter that is not known")
    name = thing.name.rpartition(".")[2]
    if name == "Sequential" or name in _HELD:
        held = thing.kwargs.get(_HELD.get(name, "children"))
        position = 1 if name in ("Sometimes", "SomeOf") else 0
        return _perhaps(held or (thing.args[position : position + 1] or [None])[0], state, thing.place, depth + 1)
    if name in _NOTHING:
        return state
    if name in _UNSAID:
        return losing(state, thing.place, f"what {name} does is not known")
    if name in ("Resize", "Scale") or name in _FIXED or name in _SQUARE:
        return by_chance(state, name.lower(), thing.place, size=(None, None))
    return by_chance(state, _GEOMETRY.get(name, name), thing.place, size=state.size)


def _step(name: str, call: Call, state: State, place: str) -> State:
    if name in _NOTHING:
        return state
    if name in ("Resize", "Scale"):
        return _resize(call, state, place)
    if name in _SQUARE or (name.endswith("PadToAspectRatio") and call.get(0, "aspect_ratio") in (1, 1.0)):
        if name.startswith("Center") or _is_centred(call):
            filled = borders.filling(state, call.kwargs.get("pad_cval", 0))
            return stepped(state, Pad(rule="square", **filled, provenance={"": explicit(place)}), place)
        return by_chance(state, "pad", place, size=(None, None))
    if name in _FIXED:
        width, height = call.get(0, "width"), call.get(1, "height")
        if not is_number(width) or not is_number(height):
            return losing(state, place, "a size that is not known", "geometry")
        if not (name.startswith("Center") or _is_centred(call)):
            shown = {"size": f"{height}x{width}"}
            return by_chance(state, _FIXED[name], place, size=(height, width), shown=shown)
        if _FIXED[name] == "crop":
            return centred(state, int(height), int(width), place)
        filled = borders.filling(state, call.kwargs.get("pad_cval", 0))
        step = Pad(rule="to", height=int(height), width=int(width), **filled, provenance={"": explicit(place)})
        return replace(stepped(state, step, place), size=(height, width))
    if name in _UNSAID or name.startswith(("CropTo", "PadTo", "CenterCropTo", "CenterPadTo")):
        return losing(state, place, f"what {name} does is not known")
    return by_chance(state, _GEOMETRY.get(name, name), place, size=state.size)


def _is_centred(call: Call) -> bool:
    position = call.kwargs.get("position")
    return isinstance(position, str) and position in ("center", "center-center")


def _resize(call: Call, state: State, place: str) -> State:
    size = call.get(0, "size")
    name = call.get(1, "interpolation", "cubic")
    known = f"INTER_{name.upper()}" if isinstance(name, str) else name
    fields, said = kernel_of(known, call.given(1, "interpolation"), place, state)
    if not call.given(1, "interpolation"):
        said = explicit(place, "imgaug: cubic")
    height, width = _lengths(size, state)
    return resized(state, height, width, fields, place, kernel=said, antialias=said)


def _lengths(size: Value, state: State) -> tuple[Value, Value]:
    """Height and width that a picture gets by what `Resize` is given."""
    if is_number(size):
        if isinstance(size, int):
            return size, size
        return _scaled(state.size[0], size), _scaled(state.size[1], size)
    if isinstance(size, Map):
        sides = size.items
        if "shorter-side" in sides or "longer-side" in sides:
            word, pick = ("shorter-side", min) if "shorter-side" in sides else ("longer-side", max)
            side = sides[word]
            if is_number(side):
                return (
                    _each(lambda h, w: round(h * side / pick(h, w)), state),
                    _each(lambda h, w: round(w * side / pick(h, w)), state),
                )
        height, width = sides.get("height", "keep"), sides.get("width", "keep")
        if isinstance(height, int) and width == "keep-aspect-ratio":
            return height, _each(lambda h, w: round(w * height / h), state)
        if isinstance(width, int) and height == "keep-aspect-ratio":
            return _each(lambda h, w: round(h * width / w), state), width
        return (
            state.size[0] if height == "keep" else height,
            state.size[1] if width == "keep" else width,
        )
    if isinstance(size, Seq):
        drawn = Unknown("a size that chance decides", "", "random")
        return drawn, drawn
    unknown = Unknown("a size that is not known")
    return (size, size) if isinstance(size, Unknown) else (unknown, unknown)


def _scaled(length: Value, factor: float) -> Value:
    return Unknown("a size that is not known") if length is None else measured(lambda one: round(one * factor), length)


def _each(compute: Callable[[float, float], int], state: State) -> Value:
    """A length computed of height and width."""
    sides = [
        one.values if isinstance(one, Measure) else (one,) * len(SIZES) if is_number(one) else None
        for one in state.size
    ]
    if sides[0] is None or sides[1] is None:
        return Unknown("a size that is not known")
    return Measure(tuple(compute(h, w) for h, w in zip(sides[0], sides[1], strict=True)))


@function("imgaug.imresize_single_image", "imgaug.imgaug.imresize_single_image")
def _resize_one(call: Call) -> Value:
    state = call.picture(0, "image")
    if state is None:
        return call.unknown("what is resized is no picture")
    sizes = call.get(1, "sizes")
    name = call.get(2, "interpolation")
    known = f"INTER_{name.upper()}" if isinstance(name, str) else name
    if name is None:
        known = Unknown("imgaug takes another kernel to shrink than to enlarge", call.place)
    fields, said = kernel_of(known, True, call.place, state)
    pair = sizes.items if isinstance(sizes, Seq) and len(sizes.items) == 2 else list(_lengths(sizes, state))
    return Picture(resized(state, pair[0], pair[1], fields, call.place, kernel=said, antialias=said))

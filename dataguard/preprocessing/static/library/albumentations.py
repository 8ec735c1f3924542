"""albumentations: OpenCV's kernels, pictures given by name and returned in a dictionary."""

from __future__ import annotations

from typing import Any

from dataguard.preprocessing.readers.torchvision import IMAGENET_MEAN, IMAGENET_STD
from dataguard.preprocessing.static import borders, parts
from dataguard.preprocessing.static.library.crops import centred
from dataguard.preprocessing.static.library.given import as_state
from dataguard.preprocessing.static.library.opencv import border_mode, kernel_of
from dataguard.preprocessing.static.library.registry import Call, applied, function
from dataguard.preprocessing.static.library.torchvision import pair_of
from dataguard.preprocessing.static.picture import (
    State,
    by_chance,
    cast,
    default,
    explicit,
    losing,
    mapped,
    moved,
    resized,
    shown_of,
    stepped,
)
from dataguard.preprocessing.static.values import (
    Choice,
    Cls,
    ExtObj,
    Map,
    Obj,
    Picture,
    Seq,
    Unknown,
    Value,
    choice,
    is_number,
    measured,
)
from dataguard.preprocessing.steps import Pad, Resize

_IMAGENET = (Seq(list(IMAGENET_MEAN), "tuple"), Seq(list(IMAGENET_STD), "tuple"))
_KNOWN = frozenset({"Resize", "LongestMaxSize", "SmallestMaxSize", "CenterCrop", "Normalize", "ToFloat", "PadIfNeeded",
                    "ToTensorV2", "ToTensor", "NoOp", "Lambda", "Crop", "FromFloat"})  # fmt: skip
_BUT_COLOURS = ("geometry", "affine", "layout", "dtype")
"""What a transform may change; the order of channels is left to others."""


_CROPS = ("RandomResizedCrop", "RandomCrop", "RandomSizedCrop", "RandomSizedBBoxSafeCrop", "CropNonEmptyMaskIfExists")


@function("albumentations.*", "albumentations.pytorch.*")
def _make(call: Call) -> Value:
    made = ExtObj(call.name, call.args, call.kwargs, call.place)
    if call.name.endswith(".Compose"):
        call.machine.composed(made)
    return made


@applied("albumentations.")
def _use(call: Call) -> Value:
    thing = call.thing
    value = call.kwargs.get("image", call.args[0] if call.args else None)
    state = as_state(value)
    if state is None:
        return Map({}, open=True)
    made = transformed(thing, Picture(state), call)
    return Map({**{key: one for key, one in call.kwargs.items() if key != "image"}, "image": made}, open=True)


def _moves(cls: Cls) -> bool:
    """Whether a class of the repository is a transform of the library's that moves pixels by chance, and no more."""
    return any(one.rpartition(".")[2] in ("DualTransform", "DualIAATransform") for one in cls.foreign())


def transformed(thing: Value, value: Value, call: Call, depth: int = 0) -> Value:
    """What a transform makes of a picture."""
    if thing is None or depth > 12:
        return value
    if isinstance(thing, Choice):
        return choice([transformed(one, value, call, depth + 1) for one in thing.options], thing.why)
    if isinstance(value, Choice):
        return choice([transformed(thing, one, call, depth + 1) for one in value.options], value.why)
    if not isinstance(thing, ExtObj) or not isinstance(value, Picture):
        if isinstance(value, Picture) and isinstance(thing, Obj) and thing.cls is not None and _moves(thing.cls):
            return Picture(by_chance(value.state, thing.cls.name, call.place))
        if isinstance(value, Picture):
            return Picture(losing(value.state, call.place, "a transform that is not known", *_BUT_COLOURS))
        return value
    name = thing.name.rpartition(".")[2]
    inner = Call(call.machine, thing.name, thing.args, thing.kwargs, call.node, thing)
    place = thing.place
    if name in ("Compose", "Sequential", "ReplayCompose"):
        call.machine.applied.add(place)
        steps = inner.get(0, "transforms")
        if not isinstance(steps, Seq):
            return Picture(losing(value.state, place, "a list of transforms that is not known", *_BUT_COLOURS))
        for one in steps.items[:64]:
            value = transformed(one, value, call, depth + 1)
        return value
    state = value.state
    always = inner.kwargs.get("p", 1.0) in (1, 1.0) or inner.kwargs.get("always_apply") is True
    if name not in _KNOWN or not always:
        size = state.size
        if name in _CROPS:
            # Height and width stand behind the range of heights that is drawn from.
            at = 1 if name == "RandomSizedCrop" else 0
            found = inner.get(at, "size")
            if not isinstance(found, Seq):
                found = Seq([inner.get(at, "height"), inner.get(at + 1, "width")])
            tall, wide = pair_of(found)
            size = (tall, wide) if is_number(tall) and is_number(wide) else (None, None)
        shown = _shown(name, inner, size, place, state)
        return Picture(by_chance(state, name, place, size=size, shown=shown))
    if name == "Lambda":
        function_ = inner.kwargs.get("image", inner.args[0] if inner.args else None)
        return value if function_ is None else call.machine.call(function_, [value], {}, call.node)
    return Picture(_step(name, inner, state, place))


_RESIZING = ("RandomResizedCrop", "RandomSizedCrop", "RandomSizedBBoxSafeCrop", "BBoxSafeRandomCrop", "RandomScale")
"""Steps of chance that resize, by OpenCV's bilinear kernel where nothing is said."""


def _shown(name: str, call: Call, size: tuple[Value, Value], place: str, state: State) -> dict[str, str]:
    """What is known of a step of chance: the size it gives, and the kernel it resizes by."""
    shown: dict[str, str] = {}
    if all(is_number(one) for one in size) and "Crop" in name:
        shown["size"] = f"{int(size[0])}x{int(size[1])}"
    if name in _RESIZING:
        fields, _ = kernel_of(call.kwargs.get("interpolation", "INTER_LINEAR"), True, place, state)
        shown |= shown_of(fields)
        if "interpolation" not in call.kwargs:
            shown["interpolation_from"] = "default"
    return shown


def _step(name: str, call: Call, state: State, place: str) -> State:
    if name == "Normalize":
        mean, std = call.get(0, "mean", _IMAGENET[0]), call.get(1, "std", _IMAGENET[1])
        largest = call.get(2, "max_pixel_value", 255.0)
        state = mapped(mapped(mapped(state, "divide", largest, place), "subtract", mean, place), "divide", std, place)
        return cast(state, "float32", place)
    if name == "ToFloat":
        return cast(mapped(state, "divide", call.get(0, "max_value", 255.0), place), "float32", place)
    if name in ("ToTensorV2", "ToTensor"):
        layout = "CHW" if state.layout in ("HWC", "HW") else state.layout
        state = moved(state, place, kind="tensor", layout=layout, said={**state.said, "layout": explicit(place)})
        if name == "ToTensor" and state.dtype == "uint8":
            state = cast(mapped(state, "divide", 255.0, place), "float32", place)
        return state
    if name == "NoOp":
        return state
    if name == "FromFloat":
        return cast(mapped(state, "multiply", call.get(1, "max_value", 255.0), place), "uint8", place)
    if name == "Crop":
        left, top = call.get(0, "x_min", 0), call.get(1, "y_min", 0)
        right, bottom = call.get(2, "x_max", 1024), call.get(3, "y_max", 1024)
        tall, wide = measured(lambda a, b: b - a, top, bottom), measured(lambda a, b: b - a, left, right)
        return parts.cut(state, top, left, tall, wide, place)
    if name == "CenterCrop":
        height, width = call.get(0, "height"), call.get(1, "width")
        if is_number(height) and is_number(width):
            return centred(state, int(height), int(width), place)
        return parts.unknown_crop(state, "the size is not known", place)
    if name == "PadIfNeeded":
        height, width = call.get(0, "min_height", 1024), call.get(1, "min_width", 1024)
        mode: Any = border_mode(call.kwargs.get("border_mode", "BORDER_REFLECT_101"))
        value = call.kwargs.get("value", call.kwargs.get("fill"))
        fields = {**borders.filling(state, 0 if value is None else value), "mode": mode}
        if mode != "constant":
            fields |= {"fill": (0.0,), "undetermined": {}}
        divisor = call.kwargs.get("pad_height_divisor")
        if mode is not None and isinstance(divisor, int) and divisor == call.kwargs.get("pad_width_divisor"):
            step = Pad(rule="multiple", multiple=divisor, **fields, provenance={"": explicit(place)})
            return stepped(state, step, place)
        if mode is not None and is_number(height) and is_number(width):
            step = Pad(rule="to", height=int(height), width=int(width), **fields, provenance={"": explicit(place)})
            return stepped(state, step, place)
        return losing(state, place, "a border that is not known", "geometry")
    if name in ("Resize", "LongestMaxSize", "SmallestMaxSize"):
        return _resize(name, call, state, place)
    return losing(state, place, f"what {name} does is not known")


def _resize(name: str, call: Call, state: State, place: str) -> State:
    position = 2 if name == "Resize" else 1
    given = call.given(position, "interpolation")
    fields, said = kernel_of(call.get(position, "interpolation", "INTER_LINEAR"), given, place, state)
    if not given:
        said = default(place, "albumentations: INTER_LINEAR")
    if name == "Resize":
        return resized(state, call.get(0, "height"), call.get(1, "width"), fields, place, kernel=said, antialias=said)
    side = call.get(0, "max_size", 1024)
    if not is_number(side):
        why = side.reason() if isinstance(side, Unknown) else "the size is not known"
        return losing(state, place, why, "geometry")
    step = Resize(
        rule="long" if name == "LongestMaxSize" else "short",
        side=int(side),
        rounding="half_even",
        **{key: one for key, one in fields.items() if key != "undetermined"},
        undetermined=fields.get("undetermined", {}),
        provenance={"": explicit(place), "kernel": said},
    )
    return stepped(state, step, place)

"""kornia: operations on batches of tensors, channels first.

Sources: kornia 0.6 to 0.8 ``geometry/transform/affwarp.py`` (resize and Resize: size, interpolation, align_corners,
side, antialias), ``augmentation/_2d/geometric/resize.py`` (size, side, resample, align_corners=True).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dataguard.preprocessing.readers import kernels
from dataguard.preprocessing.static import parts
from dataguard.preprocessing.static.library.crops import centred
from dataguard.preprocessing.static.library.given import as_state
from dataguard.preprocessing.static.library.registry import Call, applied, function
from dataguard.preprocessing.static.library.torchvision import normalized, pair_of, resized_to
from dataguard.preprocessing.static.picture import (
    State,
    arithmetic,
    by_chance,
    default,
    explicit,
    losing,
    mapped,
    moved,
    of_order,
    reordered,
    stepped,
)
from dataguard.preprocessing.static.values import ExtObj, Picture, Unknown, Value, is_number, last
from dataguard.preprocessing.steps import Flip

_SEQUENTIAL = ("AugmentationSequential", "ImageSequential", "VideoSequential")
_FLIPS: dict[str, Any] = {"hflip": "left_right", "vflip": "up_down", "Hflip": "left_right", "Vflip": "up_down"}


@function("kornia.*", "kornia.geometry.*", "kornia.geometry.transform.*", "kornia.enhance.*", "kornia.color.*",
          "kornia.utils.*", "kornia.image.*", "kornia.augmentation.*", "kornia.augmentation.container.*")  # fmt: skip
def _call(call: Call) -> Value:
    name = call.name.rpartition(".")[2]
    if name[:1].isupper():
        return ExtObj(call.name, call.args, call.kwargs, call.place)
    first = call.args[0] if call.args else call.kwargs.get("image", call.kwargs.get("input", call.kwargs.get("data")))
    state = as_state(first, kind="tensor")
    if state is None:
        return call.unknown(f"what {call.name} returns")
    rest = replace(call, args=call.args[1:])
    return Picture(_done(name, rest, state, call.place))


def _done(name: str, call: Call, state: State, place: str) -> State:
    """A state after a function, of which the picture was taken off, or after a transform with parameters."""
    if name == "image_to_tensor":
        kept = call.get(0, "keepdim", True) is not False
        layout = "CHW" if "N" not in state.layout and kept else "NCHW"
        return moved(state, place, kind="tensor", layout=layout, said={**state.said, "layout": explicit(place)})
    if name == "tensor_to_image":
        return moved(state, place, kind="array", layout="HWC", said={**state.said, "layout": explicit(place)})
    if name in ("normalize", "Normalize"):
        return normalized(state, call.get(0, "mean"), call.get(1, "std"), place)
    if name in ("denormalize", "Denormalize"):
        return mapped(mapped(state, "multiply", call.get(1, "std"), place), "add", call.get(0, "mean"), place)
    if name in ("resize", "Resize"):
        return _resize(call, state, place)
    if name in ("center_crop", "CenterCrop"):
        height, width = pair_of(call.get(0, "size"))
        if is_number(height) and is_number(width):
            return centred(state, int(height), int(width), place)
        return parts.unknown_crop(state, "the size is not known", place)
    if name in _FLIPS:
        return stepped(state, Flip(kind=_FLIPS[name], provenance={"": explicit(place)}), place)
    if name in ("rgb_to_bgr", "bgr_to_rgb", "RgbToBgr", "BgrToRgb"):
        return reordered(state, [2, 1, 0], place)
    if name in ("rgb_to_grayscale", "bgr_to_grayscale", "RgbToGrayscale", "BgrToGrayscale"):
        return of_order(state, "GRAY", place)
    if name.startswith(("Random", "ColorJ")):
        return by_chance(state, name, place, size=state.size if "Crop" not in name else _cropped(call))
    return losing(state, place, f"what {name} does is not known")


def _cropped(call: Call) -> tuple[Value, Value]:
    height, width = pair_of(call.get(0, "size"))
    return (int(height), int(width)) if is_number(height) and is_number(width) else (None, None)


def _resize(call: Call, state: State, place: str) -> State:
    """As ``kornia.geometry`` does, or ``kornia.augmentation``, which has other defaults at other places."""
    augments = call.name.startswith("kornia.augmentation.")
    at, named = (2, "resample") if augments else (1, "interpolation")
    word = (last(call.get(at, named)) or "bilinear").lower()
    smooth = call.get(-1 if augments else 4, "antialias", False) is True
    aligned = call.get(3 if augments else 2, "align_corners", augments)
    side = call.get(1 if augments else 3, "side", "short")
    known = word in ("nearest", "bilinear", "bicubic")
    fields: dict[str, Any] = (
        kernels.torch(word, "interpolation", antialias=smooth, arithmetic=arithmetic(state))
        if known
        else kernels.undetermined(f"the interpolation at {place} is not known")
    )
    if known and word != "nearest" and aligned is True:
        fields = {**fields, "align": "align_corners"}
    elif known and word != "nearest" and aligned not in (None, False):
        why = f"align_corners at {place} is not known"
        fields = {**fields, "align": None, "undetermined": {**fields.get("undetermined", {}), "align": why}}
    said = explicit(place, named) if call.given(at, named) else default(place, "kornia: bilinear")
    size = call.get(0, "size")
    if is_number(size) and side != "short":
        return losing(state, place, "a resize by another side than the shorter one", "geometry")
    return resized_to(state, size, None, fields, place, said)


@applied("kornia.")
def _use(call: Call) -> Value:
    value = call.args[0] if call.args else call.kwargs.get("input")
    if not isinstance(value, Picture):
        return call.unknown(f"what {call.name} returns")
    return Picture(transformed(call.thing, value.state, call))


def transformed(thing: Value, state: State, call: Call) -> State:
    """What a transform, or several one after another, make of a picture."""
    if not isinstance(thing, ExtObj):
        why = thing.reason() if isinstance(thing, Unknown) else "a transform that is not known"
        return losing(state, call.place, why)
    name = thing.name.rpartition(".")[2]
    if name in _SEQUENTIAL:
        if any(thing.kwargs.get(word) not in (None, False) for word in ("random_apply", "random_apply_weights")):
            return by_chance(state, name, thing.place)
        for one in thing.args[:64]:
            state = transformed(one, state, call)
        return state
    return _done(name, Call(call.machine, thing.name, thing.args, thing.kwargs, call.node, thing), state, thing.place)

"""torchvision's transforms, written as objects and as functions.

Sources: torchvision ``transforms/transforms.py`` and ``transforms/functional.py``: a size of one number is the shorter
side; tensors are widened when shrinking by default since 0.17, pictures of Pillow always.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.readers import kernels
from dataguard.preprocessing.static import borders, parts
from dataguard.preprocessing.static.effects import unfollowed
from dataguard.preprocessing.static.joining import join
from dataguard.preprocessing.static.library import drawn
from dataguard.preprocessing.static.library.crops import centred, of_several
from dataguard.preprocessing.static.library.given import as_state
from dataguard.preprocessing.static.library.numpy import dtype_of
from dataguard.preprocessing.static.library.registry import Call, applied, function
from dataguard.preprocessing.static.picture import (
    Kind,
    State,
    arithmetic,
    by_chance,
    cast,
    default,
    explicit,
    fill_levels,
    losing,
    mapped,
    moved,
    of_order,
    resized,
    stepped,
)
from dataguard.preprocessing.static.values import (
    Choice,
    ExtObj,
    Picture,
    Seq,
    Shape,
    Unknown,
    Value,
    choice,
    is_number,
    last,
    numbers,
)
from dataguard.preprocessing.steps import Flip, Pad, Resize

ANTIALIASED_SINCE = (0, 17)
RANDOM = (
    "Random",
    "ColorJitter",
    "AutoAugment",
    "RandAugment",
    "TrivialAugment",
    "AugMix",
    "GaussianBlur",
    "ElasticTransform",
    "GaussianNoise",
    "ScaleJitter",
    "MixUp",
    "CutMix",
    "RandomErasing",
)
_SAME_SIZE = (
    "RandomHorizontalFlip",
    "RandomVerticalFlip",
    "ColorJitter",
    "RandomGrayscale",
    "RandomErasing",
    "RandomApply",
    "AutoAugment",
    "RandAugment",
    "TrivialAugmentWide",
    "GaussianBlur",
    "RandomRotation",
    "RandomAffine",
    "RandomPerspective",
    "RandomAdjustSharpness",
    "RandomInvert",
    "RandomSolarize",
    "RandomEqualize",
    "RandomAutocontrast",
    "RandomPosterize",
    "AugMix",
    "RandomChoice",
    "RandomOrder",
)


@function("torchvision.transforms.*")
def _make(call: Call) -> Value:
    made = ExtObj(call.name, call.args, call.kwargs, call.place)
    if call.name.endswith(".Compose"):
        call.machine.composed(made)
    return made


@applied("torchvision.transforms.")
def _use(call: Call) -> Value:
    thing = call.thing
    value = call.get(0, "img", call.kwargs.get("image"))
    return transformed(thing, value, call)


@applied("torchvision.datasets.vision.StandardTransform")
def _pair(call: Call) -> Value:
    """The transforms of a picture and of its label, each on its own."""
    picture, label = call.get(0, "input"), call.get(1, "target")
    of_picture = call.thing.args[0]
    return Seq([picture if of_picture is None else transformed(of_picture, picture, call), label], "tuple")


def transformed(thing: Value, value: Value, call: Call, depth: int = 0) -> Value:
    """What a transform makes of a picture."""
    machine = call.machine
    if thing is None or depth > 12:
        return value
    if isinstance(thing, Choice):
        made = [transformed(one, value, call, depth + 1) for one in thing.options]
        return choice(made, thing.why) if thing.chance is None else join(thing.chance, made[0], made[-1])
    if isinstance(value, Choice):
        return choice([transformed(thing, one, call, depth + 1) for one in value.options if one is not None], value.why)
    if not isinstance(thing, ExtObj) or not thing.name.startswith(
        ("torchvision.", "torch.nn.Sequential", "timm.", "albumentations.", "kornia.")
    ):
        return machine.call(thing, [value], {}, call.node)
    name = thing.name.rpartition(".")[2]
    inner = Call(machine, thing.name, thing.args, thing.kwargs, call.node, thing)
    if name in ("Compose", "Sequential"):
        machine.applied.add(thing.place)
        steps = inner.get(0, "transforms")
        if isinstance(steps, Choice) and name == "Compose":
            ways = [ExtObj(thing.name, [one], {}, thing.place) for one in steps.options]
            lists = [transformed(one, value, call, depth + 1) for one in ways]
            return choice(lists, steps.why) if steps.chance is None else join(steps.chance, lists[0], lists[-1])
        items = list(thing.args) if name == "Sequential" else steps.items if isinstance(steps, Seq) else None
        if items is None:
            from dataguard.preprocessing.static.arrays import opaque

            why = steps.reason() if isinstance(steps, Unknown) else "a list of transforms that is not known"
            return opaque(machine, [value], why, call.node)
        for one in items[:64]:
            value = transformed(one, value, call, depth + 1)
        return value
    state = as_state(value, kind="pil")
    if state is None:
        return value
    if thing.name.startswith("kornia."):
        return machine.call(thing, [Picture(state)], {}, call.node)
    if name == "Lambda":
        return machine.call(inner.get(0, "lambd"), [Picture(state)], {}, call.node)
    if name == "RandomApply" or name in ("RandomChoice", "RandomOrder"):
        return Picture(by_chance(state, name, thing.place, size=state.size))
    if name in ("FiveCrop", "TenCrop"):
        return Seq([Picture(of_several(name, state, *pair_of(inner.get(0, "size")), thing.place))], "tuple")
    return Picture(one_step(name, inner, state, thing.place))


def one_step(name: str, call: Call, state: State, place: str) -> State:
    """A state after a transform with parameters."""
    if name.startswith(RANDOM):
        return state if drawn.never(name, call) else _random(name, call, state, place)
    if name in ("ToTensor", "MaybeToTensor"):
        return to_tensor(state, place)
    if name in ("PILToTensor", "ToImage", "ToImageTensor"):
        return _chw(state, place)
    if name in ("ConvertImageDtype", "ToDtype"):
        return _converted(name, call, state, place)
    if name == "Normalize":
        return normalized(state, call.get(0, "mean"), call.get(1, "std"), place)
    if name in ("Resize", "Scale"):
        return _resize(call, state, place)
    if name == "CenterCrop":
        height, width = pair_of(call.get(0, "size"))
        if not is_number(height) or not is_number(width):
            why = height.reason() if isinstance(height, Unknown) else "the size is not known"
            return parts.unknown_crop(state, why, place)
        return centred(state, int(height), int(width), place)
    if name == "Pad":
        return _pad(call, state, place)
    if name == "Grayscale":
        count = call.get(0, "num_output_channels", 1)
        gray = replace(of_order(state, "GRAY", place), layout="HW")
        return gray if count == 1 else moved(gray, place, channels=("Y",) * 3, layout="HWC")
    if name == "ToPILImage":
        from dataguard.preprocessing.static.library.pillow import wrapped

        return _from_tensor(state, place) if state.kind == "tensor" else wrapped(state, call)
    if name == "RGB":
        return of_order(state, "RGB", place)
    if name in ("Identity", "ToPureTensor", "ClampBoundingBoxes", "SanitizeBoundingBoxes"):
        return state
    if name in ("CenterCropOrPad", "ResizeKeepRatio", "LinearTransformation"):
        return losing(state, place, f"{name} is not followed", "geometry")
    return unfollowed(state, place, f"what {name} does is not known", name, library=True)


def _from_tensor(state: State, place: str) -> State:
    state = moved(state, place, kind="pil", layout="HWC" if "C" in state.layout else "HW")
    if state.touched:
        state = mapped(state, "multiply", 255.0, place)
    return replace(state, dtype="uint8")


def _random(name: str, call: Call, state: State, place: str) -> State:
    shown: dict[str, str] = {}
    size: tuple[Value, Value] | None = state.size if name in _SAME_SIZE else None
    if name in ("RandomResizedCrop", "RandomSizedCrop", "RandomCrop"):
        height, width = pair_of(call.get(0, "size"))
        if is_number(height) and is_number(width):
            size = (int(height), int(width))
            shown["size"] = f"{int(height)}x{int(width)}"
        padding = call.get(1, "padding")
        if name == "RandomCrop" and is_number(padding) and padding > 0:
            # RandomCrop pads all sides before it cuts.
            state = borders.enlarged(state, padding, padding, padding, padding, 0, place)
        if name != "RandomCrop":
            given = "interpolation" in call.kwargs or len(call.args) > 3
            value = call.kwargs.get("interpolation", call.args[3] if len(call.args) > 3 else "bilinear")
            try:
                shown["interpolation"] = kernels.word(value if isinstance(value, int) else last(value))
            except DeclarationError:
                shown["interpolation"] = "unknown"
            if isinstance(value, Unknown) and value.kind == "random":
                shown["interpolation"] = "random"
            if not given:
                shown["interpolation_from"] = "default"
            shown["engine"] = "torch" if state.kind == "tensor" else "pillow"
    return by_chance(state, name, place, size=size, shown=shown)


def pair_of(value: Value) -> tuple[Value, Value]:
    """Height and width of a size of torchvision: one number for both, or the two."""
    if is_number(value):
        return value, value
    if isinstance(value, Seq | Shape) and len(value.items) in (1, 2):
        return value.items[0], value.items[-1]
    return (value, value) if isinstance(value, Unknown) else (Unknown("a size that is not known"), Unknown("a size"))


def _chw(state: State, place: str) -> State:
    layout = state.layout if state.layout[:1] in ("C", "N") else "CHW"
    lost = {name: why for name, why in state.lost.items() if name != "layout"}
    return moved(state, place, kind="tensor", layout=layout, lost=lost, said={**state.said, "layout": explicit(place)})


def to_tensor(state: State, place: str) -> State:
    """ToTensor: channels first, and uint8 divided by 255."""
    if state.kind == "tensor":
        return moved(state, place)
    after = _chw(state, place)
    if "dtype" in state.lost and state.kind != "pil":
        # Whole levels alone are divided.
        after = losing(after, place, state.lost["dtype"], "affine")
    if state.dtype == "uint8":
        return cast(mapped(after, "divide", 255.0, place), "float32", place)
    return after


def _converted(name: str, call: Call, state: State, place: str) -> State:
    known = dtype_of(call.get(0, "dtype"))
    if known is None:
        return losing(state, place, f"{name} to a type that is not known", "dtype")
    scales = name == "ConvertImageDtype" or call.get(1, "scale", False) is True
    if scales and state.dtype == "uint8" and known.startswith("float"):
        state = mapped(state, "divide", 255.0, place)
    return cast(state, known, place)


def normalized(state: State, mean: Value, std: Value, place: str) -> State:
    """(x − mean) / std; torchvision does so of tensors alone, channels first."""
    if state.kind == "tensor" and "layout" in state.lost:
        lost = {name: why for name, why in state.lost.items() if name != "layout"}
        layout = "NCHW" if "N" in state.layout else "CHW"
        state = replace(state, layout=layout, lost=lost, said={**state.said, "layout": explicit(place, "Normalize")})
    return mapped(mapped(state, "subtract", mean, place), "divide", std, place)


def kernel_of(value: Value, given: bool, call: Call, state: State, place: str) -> tuple[dict[str, Any], Any]:
    """The fields of a resize of torchvision, and where the kernel is said."""
    said = explicit(place, "interpolation") if given else default(place, "torchvision: bilinear")
    word: Any = value if isinstance(value, int) else last(value)
    if not word and not isinstance(word, int):
        why = value.reason() if isinstance(value, Unknown) else f"the interpolation at {place} is not known"
        base = (
            kernels.pillow("bilinear", "") if state.kind != "tensor" else kernels.torch("bilinear", "", antialias=False)
        )
        return {**base, "kernel": None, "antialias": None, "undetermined": {"kernel": why, "antialias": why}}, said
    try:
        if state.kind != "tensor":
            return kernels.pillow(word, "interpolation"), said
        antialias = call.kwargs.get("antialias", "default")
        if isinstance(antialias, bool):
            return kernels.torch(word, "interpolation", antialias=antialias, arithmetic=arithmetic(state)), said
        version = call.machine.versions.get("torchvision")
        if version is not None:
            on = version >= ANTIALIASED_SINCE
            return kernels.torch(word, "interpolation", antialias=on, arithmetic=arithmetic(state)), said
        fields = kernels.torch(word, "interpolation", antialias=False, arithmetic=arithmetic(state))
        why = "tensors are widened by default since torchvision 0.17, and nothing says which version is meant"
        return {**fields, "antialias": None, "cubic": None, "undetermined": {"antialias": why}}, said
    except DeclarationError:
        why = f"the interpolation at {place} is not known"
        return kernels.undetermined(why), said


def _note_default(call: Call, state: State, place: str) -> None:
    if state.kind == "tensor" and "antialias" not in call.kwargs:
        path, _, line = place.rpartition(":")
        entry = ("version-dependent-default", path, int(line or 1), int(line or 1),
                 "Resize of a tensor without antialias: off before torchvision 0.17, on since",
                 {"library": "torchvision", "changed": "0.17", "before": "off", "after": "on"})  # fmt: skip
        if entry not in call.machine.notes:
            call.machine.notes.append(entry)  # type: ignore[arg-type]


def _resize(call: Call, state: State, place: str) -> State:
    size = call.get(0, "size")
    given = call.given(1, "interpolation")
    fields, said = kernel_of(call.get(1, "interpolation", "bilinear"), given, call, state, place)
    _note_default(call, state, place)
    return resized_to(state, size, call.get(2, "max_size"), fields, place, said)


def resized_to(state: State, size: Value, longest: Value, fields: dict[str, Any], place: str, said: Any) -> State:
    """A state after torchvision's resize to a size: one number is the shorter side."""
    provenance = {"": explicit(place), "kernel": said, "antialias": said}
    undetermined = dict(fields.get("undetermined", {}))
    given = {key: value for key, value in fields.items() if key != "undetermined"}
    single = size if is_number(size) or isinstance(size, Unknown) else None
    if isinstance(size, Seq | Shape) and len(size.items) == 1:
        single = size.items[0]
    rule: dict[str, Any]
    if single is not None and is_number(single) and single > 0:
        rule = {"rule": "short", "side": int(single), "rounding": "floor"}
        if is_number(longest):
            rule["longest"] = int(longest)
    elif (
        isinstance(size, Seq | Shape) and len(size.items) == 2 and all(is_number(one) and one > 0 for one in size.items)
    ):
        rule = {"rule": "exact", "height": int(size.items[0]), "width": int(size.items[1]), "rounding": "floor"}
    elif isinstance(size, Seq | Shape) and len(size.items) == 2:
        return resized(state, size.items[0], size.items[1], fields, place, kernel=said)
    else:
        unknown = size if isinstance(size, Unknown) else single if isinstance(single, Unknown) else None
        if unknown is not None and unknown.kind == "random":
            return by_chance(state, "Resize", place)
        why = unknown.reason() if unknown is not None else "the size is not known"
        rule = {"rule": None, "rounding": None}
        undetermined |= {"rule": why, "rounding": why}
    step = Resize(**rule, **given, provenance=provenance, undetermined=undetermined)
    after = stepped(state, step, place)
    return after if rule["rule"] is not None else replace(after, size=(None, None))


def _pad(call: Call, state: State, place: str) -> State:
    value = call.get(0, "padding")
    found = numbers(value)
    if found is None or len(found) not in (1, 2, 4):
        random = any(isinstance(one, Unknown) and one.kind == "random" for one in _flat(value))
        if random:
            return by_chance(state, "pad", place)
        return borders.padded(state, (None, None), (0, 0), call.get(1, "fill", 0), place)
    sides = [int(one) for one in found] * (4 // len(found))
    left, top, right, bottom = sides
    mode: Any = call.get(2, "padding_mode", "constant")
    known = mode if mode in ("constant", "edge", "reflect", "symmetric") else None
    fill = fill_levels(state, call.get(1, "fill", 0))
    missing = {} if known else {"mode": "not known"}
    if fill is None:
        missing["fill"] = "the border's value is not known"
    step = Pad(
        rule="by",
        sides=(top, bottom, left, right),
        mode=known,
        fill=fill,
        undetermined=missing,
        provenance={"": explicit(place)},
    )
    return stepped(state, step, place)


def _flat(value: Value) -> list[Value]:
    return list(value.items) if isinstance(value, Seq) else [value]


_FUNCTIONAL = {
    "to_tensor": "ToTensor", "pil_to_tensor": "PILToTensor", "normalize": "Normalize", "resize": "Resize",
    "center_crop": "CenterCrop", "pad": "Pad", "to_grayscale": "Grayscale", "rgb_to_grayscale": "Grayscale",
    "convert_image_dtype": "ConvertImageDtype", "to_dtype": "ToDtype", "to_image": "ToImage",
}  # fmt: skip


@function("torchvision.transforms.functional.*")
def _functional(call: Call) -> Value:
    name = call.name.rpartition(".")[2]
    tensor = name in ("normalize", "convert_image_dtype")
    kind: Kind = "tensor" if tensor else "pil"
    state = as_state(
        call.args[0] if call.args else call.kwargs.get("img", call.kwargs.get("tensor", call.kwargs.get("inpt"))),
        kind=kind,
    )
    if state is None:
        return call.unknown("no picture")
    if name == "normalize" and not state.loaded and "N" not in state.layout and state.channels == ("0", "1", "2"):
        # What it is given has its channels first, whoever gives it.
        state = replace(state, layout="CHW")
    place = call.place
    rest = Call(call.machine, call.name, call.args[1:], call.kwargs, call.node)
    if name in _FUNCTIONAL:
        return Picture(one_step(_FUNCTIONAL[name], rest, state, place))
    if name in ("hflip", "vflip", "horizontal_flip"):
        kind_: Any = "up_down" if name == "vflip" else "left_right"
        return Picture(stepped(state, Flip(kind=kind_, provenance={"": explicit(place)}), place))
    if name == "crop":
        top, left, height, width = (
            rest.get(index, word) for index, word in enumerate(("top", "left", "height", "width"))
        )
        if any(isinstance(one, Unknown) and one.kind == "random" for one in (top, left, height, width)):
            return Picture(parts.random_crop(state, height, width, place))
        if all(not isinstance(one, Unknown) for one in (top, left, height, width)) and state.size[0] is not None:
            return Picture(parts.cut(state, top, left, height, width, place))
        return Picture(parts.unknown_crop(state, "the box is not known", place))
    if name == "resized_crop":
        return Picture(_resized_crop(rest, state, place))
    if name in ("rotate", "affine", "perspective", "elastic_transform"):
        if call.by_chance:
            return Picture(by_chance(state, name, place, size=state.size))
        return Picture(losing(state, place, f"{name} is not part of a canonical path", "geometry"))
    if name in ("five_crop", "ten_crop"):
        return Seq([Picture(by_chance(state, name, place))] * (5 if name == "five_crop" else 10), "tuple")
    if name == "to_pil_image":
        from dataguard.preprocessing.static.library.pillow import wrapped

        return Picture(_from_tensor(state, place) if state.kind == "tensor" else wrapped(state, call))
    if name in ("get_image_size", "get_dimensions", "get_size"):
        return Seq([state.size[1], state.size[0]], "tuple")
    return Picture(losing(state, place, f"what {name} does is not known"))


def _resized_crop(call: Call, state: State, place: str) -> State:
    """A box of a picture, brought to a size."""
    words = ("top", "left", "height", "width")
    top, left, height, width = box = tuple(call.get(index, word) for index, word in enumerate(words))
    size = call.get(4, "size")
    kwargs = {"interpolation": call.get(5, "interpolation")} if call.given(5, "interpolation") else {}
    inner = Call(call.machine, call.name, [size], kwargs, call.node)
    if any(isinstance(one, Unknown) and one.kind == "random" for one in box):
        return _random("RandomResizedCrop", inner, state, place)
    if any(isinstance(one, Unknown) for one in box) or state.size[0] is None:
        return _resize(inner, parts.unknown_crop(state, "the box is not known", place), place)
    return _resize(inner, parts.cut(state, top, left, height, width, place), place)


@function("torchvision.io.read_image", "torchvision.io.decode_image", "torchvision.io.decode_jpeg")
def _read(call: Call) -> Value:
    mode = last(call.get(1, "mode")) or "UNCHANGED"
    decode = replace(Decode.of("torchvision", f"mode={mode}"), provenance={"": explicit(call.place, call.name)})
    order = decode.order or "RGB"
    channels = ("Y",) if order == "GRAY" else ("R", "G", "B")
    return Picture(
        State(
            kind="tensor",
            decode=decode,
            channels=channels,
            layout="CHW",
            loaded=call.place,
            places=(call.place,),
            said={"order": explicit(call.place), "layout": explicit(call.place)},
        )
    )


@function("torchvision.datasets.*")
def _dataset(call: Call) -> Value:
    return ExtObj(call.name, call.args, call.kwargs, call.place)

"""TensorFlow: tensors of pictures, and data sets that functions are mapped over.

Sources: TensorFlow ``python/ops/image_ops_impl.py`` (resize: bilinear, half pixel centres, not widened unless
antialias; v1's resize_* take pixels at their upper left corner), ``decode_jpeg``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.static import borders, parts
from dataguard.preprocessing.static.library.numpy import dtype_of
from dataguard.preprocessing.static.library.registry import Call, applied, function, methods
from dataguard.preprocessing.static.library.tensorflow_iterators import ITERATOR, applied_to, of_iterator
from dataguard.preprocessing.static.library.torchvision import pair_of
from dataguard.preprocessing.static.loaders import identity_of, stamped, unbatched
from dataguard.preprocessing.static.picture import (
    COLOURS,
    State,
    by_chance,
    cast,
    default,
    explicit,
    losing,
    mapped,
    moved,
    resized,
    stepped,
)
from dataguard.preprocessing.static.unknowns import CHANCE
from dataguard.preprocessing.static.values import (
    Choice,
    ExtObj,
    Map,
    Measure,
    Picture,
    Seq,
    Shape,
    Unknown,
    Value,
    is_number,
    last,
    measured,
)
from dataguard.preprocessing.steps import Flip, Pad, Resize

_KERNELS = {
    "bilinear": ("linear", None),
    "nearest": ("nearest", None),
    "bicubic": ("cubic", -0.5),
    "area": ("area", None),
    "lanczos3": ("lanczos", None),
    "lanczos5": ("lanczos", None),
    "BILINEAR": ("linear", None),
    "NEAREST_NEIGHBOR": ("nearest", None),
    "BICUBIC": ("cubic", -0.5),
    "AREA": ("area", None),
}


@function("tensorflow.image.decode_jpeg", "tensorflow.image.decode_png",
          "tensorflow.image.decode_image", "tensorflow.io.decode_jpeg", "tensorflow.io.decode_image",
          "tensorflow.io.decode_png", "tensorflow.io.decode_and_crop_jpeg",
          "tensorflow.image.decode_and_crop_jpeg")  # fmt: skip
def _read(call: Call) -> Value:
    place = call.place
    cropped = call.name.endswith("decode_and_crop_jpeg")
    channels = call.get(2 if cropped else 1, "channels", 0)
    flags = (f"channels={channels}",) if isinstance(channels, int) and channels else ()
    decode = replace(Decode.of("tensorflow", *flags), provenance={"": explicit(place, call.name)})
    state = State(kind="tf", decode=decode, loaded=place, places=(place,), said={"order": explicit(place)})
    if channels == 1:
        state = replace(state, channels=COLOURS["GRAY"], decode=replace(decode, order="GRAY"))
    dtype = dtype_of(call.get(2, "dtype")) if call.name.endswith("decode_image") else None
    if dtype is not None and dtype.startswith("float"):
        state = cast(mapped(state, "divide", 255.0, place), dtype, place)
    if cropped:
        state = parts.unknown_crop(state, "the window is computed of the picture's size", place)
    return Picture(state)


def kernel_of(value: Value, given: bool, place: str, antialias: Value) -> tuple[dict[str, Any], Any]:
    """The fields of a resize that a method of TensorFlow means."""
    said = explicit(place, "method") if given else default(place, "TensorFlow: bilinear")
    word = (
        {0: "bilinear", 1: "nearest", 2: "bicubic", 3: "area"}.get(value, "") if isinstance(value, int) else last(value)
    )
    if word not in _KERNELS:
        from dataguard.preprocessing.readers import kernels

        return kernels.undetermined(f"the method at {place} is not known"), said
    kernel, cubic = _KERNELS[word]
    fields = {
        "kernel": kernel,
        "cubic": cubic,
        "antialias": "scaled" if antialias is True else "none",
        "engine": "tensorflow",
        "arithmetic": "float32",
        "align": "half_pixel",
    }
    return fields, said


@function("tensorflow.image.resize", "tensorflow.image.resize_images",
          "tensorflow.image.resize_bilinear", "tensorflow.image.resize_nearest_neighbor",
          "tensorflow.image.resize_bicubic", "tensorflow.image.resize_area")  # fmt: skip
def _resize(call: Call) -> Value:
    state = call.picture(0, "images")
    if state is None:
        return call.unknown("no picture")
    if isinstance(call.get(0, "images"), Seq) and "N" not in state.layout:
        state = replace(state, layout=f"N{state.layout}")
    place = call.place
    name = call.name.rpartition(".")[2]
    special = {
        "resize_bilinear": "bilinear",
        "resize_nearest_neighbor": "nearest",
        "resize_bicubic": "bicubic",
        "resize_area": "area",
    }
    method = special.get(name) or call.get(2, "method", "bilinear")
    given = name in special or call.given(2, "method")
    fields, said = kernel_of(method, given, place, call.kwargs.get("antialias", False))
    if name != "resize":
        fields["align"] = "align_corners" if call.kwargs.get("align_corners") is True else "asymmetric"
        # Where pixels lie the function says, whatever its method.
        fields["undetermined"] = {key: why for key, why in fields.get("undetermined", {}).items() if key != "align"}
    height, width = pair_of(call.get(1, "size"))
    if (
        isinstance(call.get(1, "size"), Seq)
        and call.kwargs.get("preserve_aspect_ratio") is True
        and is_number(height)
        and is_number(width)
    ):
        step = Resize(
            rule="fit",
            height=int(height),
            width=int(width),
            rounding="half_even",
            **fields,
            provenance={"": explicit(place), "kernel": said},
        )
        return _as_resized(stepped(state, step, place), fields)
    return _as_resized(resized(state, height, width, fields, place, kernel=said, antialias=said), fields)


def _as_resized(state: State, fields: dict[str, Any]) -> Picture:
    """Fractions, unless pixels were only repeated or left out."""
    return Picture(replace(state, dtype=state.dtype if fields.get("kernel") == "nearest" else "float32", kind="tf"))


@function("tensorflow.image.crop_and_resize")
def _boxes(call: Call) -> Value:
    """Boxes of pictures, each scaled to one size with its outer pixels on the corners."""
    state = call.picture(0, "image")
    if state is None:
        return call.unknown("no picture")
    place = call.place
    fields, said = kernel_of(call.get(4, "method", "bilinear"), call.given(4, "method"), place, False)
    fields["align"] = "align_corners"
    height, width = pair_of(call.get(3, "crop_size"))
    cut = parts.unknown_crop(state, "the boxes are computed in a way that is no known rule", place)
    after = resized(cut, height, width, fields, place, kernel=said, antialias=said)
    return Picture(replace(after, dtype="float32", kind="tf"))


@function("tensorflow.is_tensor")
def _is_tensor(call: Call) -> Value:
    value = call.args[0] if call.args else None
    if isinstance(value, Unknown | Choice):
        return call.unknown("its type")
    return isinstance(value, Picture) and value.state.kind == "tf"


@function("tensorflow.image.resize_with_pad", "tensorflow.image.resize_image_with_pad")
def _resize_with_pad(call: Call) -> Value:
    state = call.picture(0, "image")
    height, width = call.get(1, "target_height"), call.get(2, "target_width")
    if state is None or not is_number(height) or not is_number(width):
        return call.unknown("a size")
    fields, said = kernel_of(
        call.get(3, "method", "bilinear"),
        call.given(3, "method"),
        call.place,
        call.kwargs.get("antialias", False),
    )
    step = Resize(
        rule="fit",
        height=int(height),
        width=int(width),
        rounding="floor",
        **fields,
        provenance={"": explicit(call.place), "kernel": said},
    )
    pad = Pad(rule="to", height=int(height), width=int(width), provenance={"": explicit(call.place)})
    return _as_resized(stepped(stepped(state, step, call.place), pad, call.place), fields)


@function("tensorflow.image.pad_to_bounding_box")
def _into_box(call: Call) -> Value:
    state = call.picture(0, "image")
    if state is None:
        return call.unknown("no picture")
    top, left = call.get(1, "offset_height"), call.get(2, "offset_width")
    size = call.get(3, "target_height"), call.get(4, "target_width")
    return Picture(borders.padded(state, size, (top, left), 0, call.place))


@function("tensorflow.unstack")
def _channels(call: Call) -> Value:
    """One picture a channel."""
    state, axis = call.picture(0, "value"), call.get(2, "axis", 0)
    if state is None or state.channels is None or axis not in (-1, state.layout.find("C")):
        return call.unknown("a part of a picture")
    return Seq([parts.plane(state, index, call.place) for index in range(len(state.channels))], "list")


@function("tensorflow.image.central_crop", "tensorflow.image.resize_with_crop_or_pad",
          "tensorflow.image.resize_image_with_crop_or_pad")  # fmt: skip
def _crop(call: Call) -> Value:
    state = call.picture(0, "image")
    if state is None:
        return call.unknown("no picture")
    from dataguard.preprocessing.steps import Crop

    name = call.name.rpartition(".")[2]
    fraction = call.get(1, "central_fraction")
    if name == "central_crop" and is_number(fraction):
        return Picture(
            stepped(
                state,
                Crop(rule="fraction", fraction=float(fraction), provenance={"": explicit(call.place)}),
                call.place,
            )
        )
    height, width = call.get(1, "target_height"), call.get(2, "target_width")
    if name.startswith("resize") and is_number(height) and is_number(width):
        return Picture(
            replace(
                stepped(
                    state,
                    Crop(rule="center", height=int(height), width=int(width), provenance={"": explicit(call.place)}),
                    call.place,
                ),
                size=(int(height), int(width)),
            )
        )
    return Picture(parts.unknown_crop(state, "the box is not known", call.place))


@function("tensorflow.cast", "tensorflow.to_float", "tensorflow.image.convert_image_dtype")
def _casted(call: Call) -> Value:
    value = call.get(0, "x")
    if is_number(value) or isinstance(value, Measure):
        known = dtype_of(call.get(1, "dtype"))
        return measured(int, value) if known is not None and "int" in known else value
    if isinstance(value, Unknown) and value.kind == "content":
        return value
    state = call.picture(0, "x")
    if state is None:
        return call.unknown("no picture")
    known = "float32" if call.name.endswith("to_float") else dtype_of(call.get(1, "dtype"))
    if call.name.endswith("convert_image_dtype") and known is not None:
        state = _of_range(state, known, call.place)
    return Picture(
        cast(replace(state, kind="tf"), known, call.place) if known else replace(state, kind="tf", dtype=None)
    )


def _of_range(state: State, dtype: str, place: str) -> State:
    """A state whose levels are brought to the range of another type of number: 255 for whole ones, 1 for fractions."""
    if state.dtype is None or "dtype" in state.lost:
        return losing(state, place, "levels are converted from a type of number that is not known", "affine")
    if state.dtype == "uint8" and dtype.startswith("float"):
        return mapped(state, "divide", 255.0, place)
    return mapped(state, "multiply", 255.0, place) if state.is_float and dtype == "uint8" else state


@function("tensorflow.image.per_image_standardization")
def _standardized(call: Call) -> Value:
    state = call.picture(0, "image")
    if state is None:
        return call.unknown("no picture")
    state = moved(state, call.place, of_content="each picture to mean 0 and deviation 1", dtype="float32")
    return Picture(losing(state, call.place, "each picture is standardized by itself", "affine"))


@function("tensorflow.image.rot90", "tensorflow.image.transpose")
def _turned(call: Call) -> Value:
    state, times = call.picture(0, "image"), call.get(1, "k", 1)
    if state is None:
        return call.unknown("no picture")
    if isinstance(times, Unknown) and times.kind == "random":
        return Picture(by_chance(state, "rot90", call.place))
    kind: Any = {1: "rotate_90", 2: "rotate_180", 3: "rotate_270"}.get(times) if isinstance(times, int) else None
    kind = "transpose" if call.name.endswith("transpose") else kind
    if kind is None:
        return Picture(losing(state, call.place, "it is turned", "geometry"))
    return Picture(stepped(state, Flip(kind=kind, provenance={"": explicit(call.place)}), call.place))


@function("tensorflow.image.random_flip_left_right",
          "tensorflow.image.random_brightness", "tensorflow.image.random_contrast",
          "tensorflow.image.random_saturation", "tensorflow.image.random_hue",
          "tensorflow.image.random_flip_up_down",
          "tensorflow.image.random_jpeg_quality", "tensorflow.image.stateless_random_flip_left_right",
          "tensorflow.image.stateless_random_flip_up_down", "tensorflow.image.stateless_random_brightness",
          "tensorflow.image.stateless_random_contrast", "tensorflow.image.stateless_random_saturation",
          "tensorflow.image.stateless_random_hue")  # fmt: skip
def _by_random(call: Call) -> Value:
    state = call.picture(0, "image")
    if state is None:
        return call.unknown("no picture")
    return Picture(by_chance(state, call.name.rpartition(".")[2], call.place, size=state.size))


@function("tensorflow.image.random_crop", "tensorflow.random_crop", "tensorflow.image.stateless_random_crop")
def _cut_by_chance(call: Call) -> Value:
    state = call.picture(0, "value")
    if state is None:
        return call.unknown("no picture")
    size = call.get(1, "size")
    lengths = size.items[-3:-1] if isinstance(size, Seq | Shape) and len(size.items) > 2 else []
    known = (int(lengths[0]), int(lengths[1])) if lengths and all(is_number(one) for one in lengths) else None
    shown = {"size": f"{known[0]}x{known[1]}"} if known is not None else {}
    return Picture(by_chance(state, "random_crop", call.place, size=known or (None, None), shown=shown))


@function("tensorflow.random.*", "tensorflow.random_uniform")
def _random(call: Call) -> Value:
    return Unknown(CHANCE, call.place, "random")


@function("tensorflow.data.Dataset.*", "tensorflow.data.TFRecordDataset")
def _dataset(call: Call) -> Value:
    made = ExtObj("tensorflow.data.Dataset", call.args, call.kwargs, call.place)
    given = call.get(0, "tensors")
    if call.name.endswith(".zip"):
        rows = given.items if len(call.args) == 1 and isinstance(given, Seq) else call.args
        made.attrs["batch"] = Seq([_item(one) for one in rows], "tuple")
    if call.name.endswith("from_tensor_slices") and given is not None:
        from dataguard.preprocessing.static.arrays import element, pictures

        if isinstance(given, Seq) and given.kind == "tuple" and pictures(given):
            made.attrs["batch"] = Seq([element(call.machine, one, None) for one in given.items], "tuple")
        elif isinstance(given, Picture):
            made.attrs["batch"] = element(call.machine, given, None)
    return made


def _item(value: Value) -> Value:
    """An item of a data set; unknown of what is none."""
    unknown = Unknown("an item of a data set", getattr(value, "place", ""))
    return value.attrs.get("batch", unknown) if isinstance(value, ExtObj) else unknown


_BATCHING = frozenset({"batch", "padded_batch", "ragged_batch", "sparse_batch", "bucket_by_sequence_length"})
"""Methods of a data set that put several items together."""


def map_over(call: Call) -> Value:
    """A method of a data set: map gives every item to a function, the others keep the items."""
    source = call.thing
    if source.name == ITERATOR:
        return of_iterator(call)
    made = ExtObj("tensorflow.data.Dataset", source.args, source.kwargs, source.place)
    item = source.attrs.get("batch", Unknown("an item of a data set", source.place))
    name = call.name.rpartition(".")[2]
    if name == "get_next" and not isinstance(item, Unknown):
        return item
    if name == "apply":
        return applied_to(call)
    batches = name in _BATCHING
    batched = batches or (name == "map" and isinstance(item, Unknown) and source.attrs.get("batched") is True)
    made.attrs["batched"] = batches or (name != "unbatch" and source.attrs.get("batched", False))
    if name == "cardinality":
        return call.unknown("how many items a data set has")
    if name in ("map", "interleave", "flat_map"):
        given = item.items if isinstance(item, Seq) and item.kind == "tuple" else [item]
        # What a function sets in an item, other functions over the same data set do not see.
        given = [Map(dict(one.items), open=one.open) if isinstance(one, Map) else one for one in given]
        if isinstance(item, Unknown):
            given = _arguments(call.get(0, "map_func"), item)
        found = call.machine.call(call.get(0, "map_func"), list(given), {}, call.node)
        made.attrs["batch"] = found if name == "map" else _item(found)
    elif name == "unbatch":
        made.attrs["batch"] = unbatched(item)
    elif name == "enumerate":
        made.attrs["batch"] = Seq([Unknown("a counter", call.place), item], "tuple")
    else:
        made.attrs["batch"] = item
    if batched:
        from dataguard.preprocessing.static.arrays import pictures

        identity = identity_of(ExtObj(made.name, [], {}, call.place))
        made.attrs["batch"] = stamped(made.attrs["batch"], identity, batched=batches)
        arrived = pictures(made.attrs["batch"])
        if arrived:
            call.machine.sink("dataset", arrived[0], call.node, hints=call.machine.binding(), identity=identity)
    return made


@function("tensorflow.make_tensor_proto", "tensorflow.contrib.util.make_tensor_proto")
def _message(call: Call) -> Value:
    """What a request to a server of models carries."""
    value = call.get(0, "values")
    return Picture(moved(value.state, call.place)) if isinstance(value, Picture) else call.unknown("a message")


def _arguments(func: Value, item: Unknown) -> list[Value]:
    from dataguard.preprocessing.static.values import Bound, Func

    if isinstance(func, Func):
        return [item] * max(1, len(func.node.args.args))
    if isinstance(func, Bound):
        return [item] * max(1, len(func.func.node.args.args) - 1)
    return [item]


@methods("tf", "numpy")
def _to_numpy(call: Call) -> Value:
    return Picture(replace(call.state, kind="array"))


@methods("tf", "set_shape", "get_shape")
def _shape(call: Call) -> Value:
    if call.name == "set_shape":
        return call.unknown("a shape")
    from dataguard.preprocessing.static.arrays import shape_of

    return Shape(shape_of(call.state))


@methods("value", "as_list")
def _as_list(call: Call) -> Value:
    return Seq(list(call.receiver.items)) if isinstance(call.receiver, Shape) else call.unknown("a shape")


@applied("tensorflow.")
def _use(call: Call) -> Value:
    return call.machine.feed([*call.args, *call.kwargs.values()], call.node, call.name)

"""Keras: pictures of Pillow through load_img and generators, and preprocess_input.

Sources: keras-preprocessing ``image/utils.py`` (load_img: nearest), ``image_data_generator.py`` (flow_from_directory:
nearest, 256 × 256), keras ``utils/image_dataset_utils.py`` (bilinear), ``applications/imagenet_utils.py``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Decode
from dataguard.preprocessing.readers import kernels
from dataguard.preprocessing.readers.torchvision import IMAGENET_MEAN, IMAGENET_STD
from dataguard.preprocessing.static import parts
from dataguard.preprocessing.static.library import first_layers
from dataguard.preprocessing.static.library.registry import Call, applied, function
from dataguard.preprocessing.static.library.torchvision import pair_of
from dataguard.preprocessing.static.loaders import identity_of
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
    of_order,
    reordered,
    resized,
)
from dataguard.preprocessing.static.values import (
    ExtObj,
    Picture,
    Seq,
    Unknown,
    Value,
    is_number,
    last,
    measured,
)

MODES = {
    "vgg16": "caffe", "vgg19": "caffe", "resnet50": "caffe", "resnet": "caffe", "resnet_v2": "tf", "mobilenet": "tf",
    "mobilenet_v2": "tf", "inception_v3": "tf", "inception_resnet_v2": "tf", "xception": "tf", "nasnet": "tf",
    "densenet": "torch", "imagenet_utils": "caffe", "efficientnet": "none", "efficientnet_v2": "none",
    "mobilenet_v3": "none", "convnext": "none", "regnet": "none",
}  # fmt: skip
_AUGMENTING = (
    "rotation_range",
    "width_shift_range",
    "height_shift_range",
    "shear_range",
    "zoom_range",
    "horizontal_flip",
    "vertical_flip",
    "brightness_range",
    "channel_shift_range",
)


def _opened(call: Call, what: str) -> State:
    place = call.place
    decode = replace(Decode.of("pillow", "convert RGB"), provenance={"": explicit(place, what)})
    return State(kind="pil", decode=decode, loaded=place, places=(place,), said={"order": explicit(place)})


def _sized(state: State, size: Value, value: Value, given: bool, place: str, fallback: str) -> State:
    """A state after Keras' resize, which is Pillow's."""
    said = explicit(place, "interpolation") if given else default(place, f"Keras: {fallback}")
    word = last(value) if given else fallback
    try:
        fields: dict[str, Any] = kernels.pillow(word, "interpolation")
    except DeclarationError:
        why = value.reason() if isinstance(value, Unknown) else f"the interpolation at {place} is not known"
        fields = {
            **kernels.pillow("nearest", ""),
            "kernel": None,
            "antialias": None,
            "undetermined": {"kernel": why, "antialias": why},
        }
    height, width = pair_of(size)
    return resized(state, height, width, fields, place, kernel=said, antialias=said)


def to_shape(state: State, size: Value, place: str) -> State:
    """A state cut about its middle to the shape of a size, as Keras does before it resizes."""
    tall, wide = pair_of(size)
    if not is_number(tall) or not is_number(wide):
        return parts.unknown_crop(state, "the size is not known", place)
    height, width = (
        measured(lambda own, other, by=by: min(own, int(other * by)), own, other)
        for own, other, by in ((*state.size, tall / wide), (*state.size[::-1], wide / tall))
    )
    pairs = zip(state.size, (height, width), strict=True)
    top, left = (measured(lambda all_, part: int((all_ - part) / 2), *one) for one in pairs)
    return parts.cut(state, top, left, height, width, place)


@function("keras.preprocessing.image.smart_resize")
def _smart(call: Call) -> Value:
    state = call.picture(0, "x")
    if state is None:
        return call.unknown("no picture")
    from dataguard.preprocessing.static.library.tensorflow import kernel_of

    size, place = call.get(1, "size"), call.place
    fields, said = kernel_of(call.get(2, "interpolation", "bilinear"), call.given(2, "interpolation"), place, False)
    height, width = pair_of(size)
    return Picture(resized(to_shape(state, size, place), height, width, fields, place, kernel=said))


@function("keras.preprocessing.image.load_img")
def _load_img(call: Call) -> Value:
    state = _opened(call, "load_img")
    gray = call.get(1, "grayscale", False) is True or call.kwargs.get("color_mode") == "grayscale"
    if gray:
        state = replace(
            of_order(state, "GRAY", call.place),
            layout="HW",
            decode=replace(Decode.of("pillow", "convert L"), provenance=state.decode.provenance),
        )
    size = call.kwargs.get("target_size", call.args[3] if len(call.args) > 3 else None)
    if size is None:
        return Picture(state)
    if call.kwargs.get("keep_aspect_ratio") is True:
        state = to_shape(state, size, call.place)
    given = "interpolation" in call.kwargs or len(call.args) > 4
    value = call.kwargs.get("interpolation", call.args[4] if len(call.args) > 4 else "nearest")
    return Picture(_sized(state, size, value, given, call.place, "nearest"))


@function(
    *(
        f"keras.preprocessing.image.random_{name}"
        for name in ("rotation", "shift", "shear", "zoom", "channel_shift", "brightness")
    ),
    "keras.preprocessing.image.apply_affine_transform",
)
def _by_random(call: Call) -> Value:
    state = call.picture(0, "x")
    if state is None:
        return call.unknown("no picture")
    return Picture(by_chance(state, call.name.rpartition(".")[2], call.place, size=state.size))


@function("keras.preprocessing.image.img_to_array")
def _img_to_array(call: Call) -> Value:
    state = call.picture(0, "img")
    if state is None:
        return call.unknown("no picture")
    layout = state.layout if "C" in state.layout else state.layout + "C"
    given = call.get(1, "data_format", call.kwargs.get("dim_ordering"))
    if layout == "HWC" and (given in ("channels_first", "th") or (given in (None, "default") and _first(call))):
        layout = "CHW"
    return Picture(cast(moved(state, call.place, kind="array", layout=layout), "float32", call.place))


@function("keras.backend.cast_to_floatx")
def _floatx(call: Call) -> Value:
    value = call.get(0, "x")
    return Picture(cast(value.state, "float32", call.place)) if isinstance(value, Picture) else value


@function("keras.applications.*")
def _application(call: Call) -> Value:
    return call.unknown("a model")


def _family(name: str) -> Any:
    def preprocess(call: Call) -> Value:
        state = call.picture(0, "x")
        if state is None:
            return call.unknown("no picture")
        mode = call.kwargs.get(
            "mode", MODES.get(name, "") if name != "imagenet_utils" else call.get(2, "mode", "caffe")
        )
        return Picture(preprocessed(state, mode, call.place))

    return preprocess


def preprocessed(state: State, mode: Value, place: str) -> State:
    """A state after preprocess_input in one of its modes."""
    if state.order == "GRAY":
        return losing(state, place, "preprocess_input of gray", "affine")
    if mode == "caffe":
        after = reordered(state, [2, 1, 0], place)
        return cast(mapped(after, "subtract", Seq([103.939, 116.779, 123.68], "array"), place), "float32", place)
    if mode == "tf":
        return cast(mapped(mapped(state, "divide", 127.5, place), "subtract", 1.0, place), "float32", place)
    if mode == "torch":
        after = mapped(state, "divide", 255.0, place)
        after = mapped(after, "subtract", Seq(list(IMAGENET_MEAN), "array"), place)
        return cast(mapped(after, "divide", Seq(list(IMAGENET_STD), "array"), place), "float32", place)
    if mode == "none":
        return moved(state, place)
    return losing(state, place, "the mode of preprocess_input is not known", "affine", "order")


for _name in MODES:
    function(f"keras.applications.{_name}.preprocess_input")(_family(_name))


@function("keras.preprocessing.image.ImageDataGenerator")
def _generator(call: Call) -> Value:
    return ExtObj("keras.preprocessing.image.ImageDataGenerator", call.args, call.kwargs, call.place)


def flow(call: Call) -> Value:
    """A generator's batches: opened, resized, changed by chance, then mapped."""
    generator_ = call.thing
    options = generator_.kwargs
    place = call.place
    if call.name.endswith(("flow_from_directory", "flow_from_dataframe")):
        state = _opened(call, call.name)
        if call.kwargs.get("color_mode") == "grayscale":
            state = replace(of_order(state, "GRAY", place), layout="HWC")
        at = 5 if call.name.endswith("dataframe") else 1
        size = call.get(at, "target_size", Seq([256, 256], "tuple"))
        value = call.kwargs.get("interpolation", "nearest")
        state = _sized(state, size, value, "interpolation" in call.kwargs, place, "nearest")
    else:
        found = call.picture(0, "x")
        if found is None:
            return call.unknown("a generator")
        state = found
    state = cast(moved(state, place, kind="array", layout="NHWC"), "float32", place)
    made = generated(state, options, generator_.place, call)
    found_ = ExtObj("keras.flow", call.args, call.kwargs, place)
    picture = Picture(replace(made, through=(*made.through, identity_of(found_))))
    alone = "class_mode" in call.kwargs and call.kwargs["class_mode"] is None
    found_.attrs["batch"] = picture if alone else Seq([picture, Unknown("labels")], "tuple")
    words = [*call.machine.assigning, *(one for one in (*call.args, *call.kwargs.values()) if isinstance(one, str))]
    if call.kwargs.get("shuffle") is False:
        words.append("shuffle=False")
    if not any(re.search(r"mask|target", word) for word in call.machine.assigning):
        call.machine.sink("dataset", picture, call.node, hints=words, identity=identity_of(found_), place=place)
    return found_


def generated(state: State, options: dict[str, Value], place: str, call: Call) -> State:
    """What an ImageDataGenerator does to a batch."""
    for name in _AUGMENTING:
        if options.get(name) not in (None, 0, 0.0, False):
            state = by_chance(state, name, place, size=state.size)
    function_ = options.get("preprocessing_function")
    if function_ is not None:
        made = call.machine.call(function_, [Picture(state)], {}, call.node)
        state = (
            made.state
            if isinstance(made, Picture)
            else losing(state, place, "preprocessing_function is not known", "affine", "order")
        )
    rescale = options.get("rescale")
    if rescale is not None and rescale != 0:
        state = mapped(state, "multiply", rescale, place)
    for name in (
        "featurewise_center",
        "featurewise_std_normalization",
        "samplewise_center",
        "samplewise_std_normalization",
        "zca_whitening",
    ):
        if options.get(name) is True:
            what = "each picture's own" if name.startswith("samplewise") else "statistics of the data"
            state = losing(
                moved(state, place, of_content=f"{name}: {what}"), place, f"{name} is computed when it runs", "affine"
            )
    return state


@function("keras.preprocessing.image.image_dataset_from_directory", "keras.preprocessing.image_dataset_from_directory")
def _from_directory(call: Call) -> Value:
    place = call.place
    count = {"grayscale": 1, "rgba": 4}.get(last(call.kwargs.get("color_mode")), 3)
    order: Any = {1: "GRAY", 3: "RGB", 4: "RGBA"}[count]
    decode = Decode(
        library="tensorflow", order=order, flags=(f"channels={count}",), provenance={"": explicit(place, call.name)}
    )
    said = {"order": explicit(place)}
    state = State(kind="tf", decode=decode, channels=COLOURS[order], loaded=place, places=(place,), said=said)
    size = call.kwargs.get("image_size", Seq([256, 256], "tuple"))
    if call.kwargs.get("crop_to_aspect_ratio") is True:
        state = to_shape(state, size, place)
    from dataguard.preprocessing.static.library.tensorflow import kernel_of

    given = "interpolation" in call.kwargs
    fields, kernel = kernel_of(call.kwargs.get("interpolation", "bilinear"), given, place, False)
    height, width = pair_of(size)
    layout = "HWC" if call.kwargs.get("batch_size", 32) is None else "NHWC"
    state = replace(resized(state, height, width, fields, place, kernel=kernel), dtype="float32", layout=layout)
    made = ExtObj("tensorflow.data.Dataset", call.args, call.kwargs, place)
    identity = identity_of(made)
    picture = Picture(replace(state, through=(identity,)))
    alone = call.kwargs.get("label_mode", call.kwargs.get("labels", "int")) is None
    made.attrs["batch"] = picture if alone else Seq([picture, Unknown("labels")], "tuple")
    words = [*call.machine.assigning, *(one for one in call.kwargs.values() if isinstance(one, str))]
    call.machine.sink("dataset", picture, call.node, hints=words, identity=identity, place=place)
    return made


_STORED = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "mnist": "MNIST", "fashion_mnist": "FashionMNIST"}


def _first(call: Call) -> bool:
    """Whether the script that is followed has configured Keras for channels first."""
    return call.machine.shared.get(f"keras.format {call.machine.root}") == "channels_first"


def _load_data(name: str) -> Any:
    def load(call: Call) -> Value:
        """All pictures of a data set that Keras brings: for training and for testing, each with labels."""
        from dataguard.preprocessing.static.loaders import as_stored

        state = as_stored(_STORED[name], call.place)
        state = replace(state, kind="array", layout=f"N{state.layout}")
        if _first(call) and "C" in state.layout:
            state = replace(state, layout="NCHW")
        return Seq([Seq([Picture(state), Unknown("labels")], "tuple") for _ in range(2)], "tuple")

    return load


for _name in _STORED:
    function(f"keras.datasets.{_name}.load_data")(_load_data(_name))


@function("keras.backend.image_data_format", "keras.backend.image_dim_ordering",
          "keras.backend.common.image_dim_ordering")  # fmt: skip
def _axes(call: Call) -> Value:
    """The order of axes that Keras is configured for: channels last, where the script does not say otherwise."""
    first = _first(call)
    if call.name.endswith("format"):
        return "channels_first" if first else "channels_last"
    return "th" if first else "tf"


@function("keras.backend.set_image_data_format", "keras.backend.set_image_dim_ordering")
def _set_axes(call: Call) -> Value:
    first = call.get(0, "data_format") in ("channels_first", "th")
    call.machine.shared[f"keras.format {call.machine.root}"] = "channels_first" if first else "channels_last"
    return None


@function("keras.layers.*", "keras.layers.experimental.preprocessing.*")
def _layer(call: Call) -> Value:
    return ExtObj(call.name, call.args, call.kwargs, call.place)


@function("keras.models.*", "keras.Model", "keras.Sequential", "keras.models.Model",
          "keras.models.Sequential", "keras.models.load_model", "keras.models.model_from_json")  # fmt: skip
def _model(call: Call) -> Value:
    return ExtObj("keras.models." + call.name.rpartition(".")[2], call.args, call.kwargs, call.place)


@applied("keras.layers.")
def _use_layer(call: Call) -> Value:
    thing = call.thing
    name = thing.name.rpartition(".")[2]
    value = call.get(0, "inputs")
    if not isinstance(value, Picture):
        return call.unknown("a layer's output")
    made = first_layers.prepared(call, thing, value)
    if made is not None:
        return made
    return call.machine.feed([value], call.node, name)


@function("keras.backend.function")
def _part_of_model(call: Call) -> Value:
    """A function from a model's inputs to some of its tensors, which is fed as the model is."""
    return ExtObj("keras.models.function", call.args, call.kwargs, call.place)


@applied("keras.models.")
def _use_model(call: Call) -> Value:
    value = call.get(0, "inputs")
    if isinstance(value, Picture) and call.thing.name.endswith(".Sequential"):
        picture, whole = first_layers.through(call, call.thing, value)
        if whole:
            # Layers that prepare pictures and are put together, as those of augmentation are.
            return picture
    name = "function" if call.thing.name.endswith(".function") else "model"
    return call.machine.feed([*call.args, *call.kwargs.values()], call.node, name, network=call.receiver)

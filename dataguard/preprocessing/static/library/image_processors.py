"""Image processors of transformers, and its pipelines: what their class or ``preprocessor_config.json`` says of them.

Sources: transformers 5.23 and 4.57, ``image_processing_utils.py``, ``image_processing_backends.py``,
``image_utils.py`` (load_image: turned as EXIF says, RGB), ``pipelines/``. What a file on a hub says is not in the
repository: of such a processor are known the order of channels, which it leaves alone, the layout and the type. The
name of its class says on which of two implementations one runs, Pillow's or torchvision's, or the version of
transformers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from dataguard.preprocessing.readers.huggingface import CLASSES
from dataguard.preprocessing.static import arrays
from dataguard.preprocessing.static.library.configuration import resolve
from dataguard.preprocessing.static.library.contents import as_value, loaded
from dataguard.preprocessing.static.library.given import as_state
from dataguard.preprocessing.static.library.registry import FUNCTIONS, METHODS, Call, applied, function
from dataguard.preprocessing.static.library.torchvision import transformed
from dataguard.preprocessing.static.picture import State, explicit, losing, mapped, moved, reordered
from dataguard.preprocessing.static.values import ExtObj, Map, Picture, Seq, Unknown, Value, is_number, keys_of

BEGINNING = "transformers."
PROCESSOR = "transformers.image_processors."
"""The beginning of the name of an object that prepares pictures, before that of its class."""
METHODS_OF = frozenset({"preprocess"})
FILE = "preprocessor_config.json"

_CLASS = re.compile(r"^(?P<kind>\w*?)(?P<ending>ImageProcessor|FeatureExtractor|Processor)(?P<way>Fast|Pil)?$")
_OF_SOUND = re.compile(r"^(Wav2Vec2|Whisper|Speech|Audio|AST|Clap|Encodec|Hubert|Seamless|Clvp|Mctct|SpeechT5|Univnet)")
_FAST_BY_DEFAULT = (4, 57)
"""From here on the implementation on torchvision is taken for files that name the other one."""
_ONE = (5, 0)
"""From here on both have one name."""
_KERNELS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
_ASKED_OF_PICTURES = re.compile(
    r"^(image-(classification|segmentation|to-image|to-text|feature-extraction|text-to-text)|object-detection|"
    r"depth-estimation|mask-generation|keypoint-matching|video-classification|visual-question-answering|"
    r"document-question-answering|zero-shot-(image-classification|object-detection))$"
)


def made(call: Call) -> Value:
    """The object that a class makes, or its ``from_pretrained``; None for what prepares no pictures."""
    rest, _, tail = call.name.rpartition(".")
    name = rest.rpartition(".")[2] if tail == "from_pretrained" else tail
    found = _CLASS.match(name)
    if found is None or _OF_SOUND.match(name):
        return None
    options: dict[str, Value] = {key: value for key, value in call.kwargs.items() if isinstance(key, str)}
    unknown: Value = None
    if tail == "from_pretrained":
        held = _file(call, options)
        if isinstance(held, Map):
            options = {**{key: value for key, value in held.items.items() if isinstance(key, str)}, **options}
        else:
            unknown = held
    said = options.get("image_processor_type", options.get("feature_extractor_type"))
    written = _CLASS.match(said) if isinstance(said, str) else None
    kind = written["kind"] if written is not None else found["kind"]
    usual = CLASSES.get(kind)
    if usual is None and unknown is None and not (written is None and "do_resize" in options):
        unknown = call.unknown(f"what {kind}{found['ending']} does to pictures")
    whole = {} if usual is None or unknown is not None else usual
    attrs: dict[str, Value] = {
        key: as_value(list(value) if isinstance(value, tuple) else value) for key, value in whole.items()
    }
    attrs |= options
    for key in ("size", "crop_size", "image_mean", "image_std", "resample"):
        if key not in attrs and unknown is not None:
            attrs[key] = unknown
    way = _way(call, found["way"], written["way"] if written is not None else None, options, found["kind"])
    attrs["*unknown"], attrs["*way"], attrs["*kind"] = unknown, way, kind
    # Older files give one number, which is a square's side only of classes that take squares.
    square = options.get("default_to_square", "height" in (usual or {}).get("size", {}))
    for key, whether in (("size", square), ("crop_size", True)):
        if is_number(attrs.get(key)):
            names = ("height", "width") if whether else ("shortest_edge",)
            attrs[key] = Map(dict.fromkeys(names, attrs[key]))
    thing = ExtObj(PROCESSOR + name, call.args, {}, call.place, attrs)
    attrs["image_processor"] = attrs["feature_extractor"] = thing
    return thing


def _file(call: Call, options: dict[str, Value]) -> Value:
    """What the file says that the processor is made by; unknown where the repository does not hold it."""
    path = call.get(0, "pretrained_model_name_or_path")
    options.pop("pretrained_model_name_or_path", None)
    if not isinstance(path, str):
        return call.unknown(f"{FILE} of a model that is given")
    within = options.get("subfolder")
    folder = f"{path}/{within}" if isinstance(within, str) else path
    where = resolve(call, f"{folder.rstrip('/')}/{FILE}".removeprefix("./"))
    if where is not None:
        return loaded(call.machine.tree.read(where), where)
    return call.unknown(f"{FILE} of {path[:80]}, which is not in the repository,")


def _way(call: Call, of_class: str | None, of_file: str | None, options: Mapping[str, Value], kind: str) -> Value:
    """'Pillow' or 'torchvision', as what runs it; unknown where only the version of transformers would say."""
    if of_class is not None:
        return "torchvision" if of_class == "Fast" else "Pillow"
    fast = options.get("use_fast")
    if isinstance(fast, bool):
        return "torchvision" if fast else "Pillow"
    if of_file == "Fast" and kind == "Auto":
        return "torchvision"
    version = call.machine.versions.get("transformers")
    if version is None:
        return call.unknown("which implementation transformers takes, on Pillow or on torchvision,")
    newer = version >= (_FAST_BY_DEFAULT if kind == "Auto" else _ONE)
    return "torchvision" if newer else "Pillow"


@applied(PROCESSOR)
def use(call: Call) -> Value:
    """What a processor makes of pictures: 'pixel_values', beside what it makes of texts."""
    thing = call.thing
    given = call.kwargs.get("images", call.kwargs.get("image", call.kwargs.get("videos")))
    if given is None:
        # Processors of texts and pictures take either first; what is no picture is a text.
        given = next((one for one in call.args if arrays.pictures(one)), call.args[0] if call.args else None)
        if isinstance(given, Unknown) and (call.args[1:] or call.kwargs.get("text") is not None):
            given = None
    many = isinstance(given, Seq)
    first = next(iter(arrays.pictures(given)), None)
    state = as_state(first if first is not None else given, kind="pil")
    if state is None or isinstance(given, str):
        return Map({}, open=True)
    after = _prepared(call, thing, state)
    batch = call.kwargs.get("return_tensors") is not None
    if batch:
        after = moved(after, call.place, layout="N" + after.layout.removeprefix("N"))
    value: Value = Picture(after) if batch else Seq([Picture(after)], "list", many=many)
    return Map({"pixel_values": value}, open=True)


def _prepared(call: Call, thing: ExtObj, state: State) -> State:
    attrs = thing.attrs | {name: call.kwargs[name] for name in call.kwargs if name.startswith("do_") or name == "size"}
    place, why, way = thing.place, attrs["*unknown"], attrs["*way"]
    if attrs.get("do_convert_rgb") is True and state.kind == "pil":
        state = _converted(call, state)
    if isinstance(why, Unknown) or (state.kind == "tensor" and state.dtype != "uint8"):
        reason = why.reason() if isinstance(why, Unknown) else "what a processor makes of a tensor that is no file's"
        names = ["geometry", "affine"]
        if "MobileViT" in (attrs["*kind"], *(one for one in thing.args if isinstance(one, str))):
            names.append("order")
        lost = losing(state, place, f"{reason} is not known", *names)
        return _tensor(lost, place)
    if state.kind == "array" and way != "torchvision":
        state = _state(_pillow(call, "fromarray", Picture(state)))
    if way == "torchvision" and state.kind == "pil":
        state = _state(_run(call, place, state, ("PILToTensor", [], {})))
    for step in _steps(call, attrs, way):
        state = _state(_run(call, place, state, step))
    if state.kind != "tensor":
        state = _state(_run(call, place, state, ("PILToTensor", [], {})))
    state = _tensor(state, place)
    if attrs.get("do_flip_channel_order") is True:
        state = reordered(state, (2, 1, 0), place)
    return _levels(state, attrs, place)


def _pillow(call: Call, name: str, value: Value, module: str = "Image") -> Value:
    whole = f"PIL.{module}.{name}"
    return FUNCTIONS[whole](Call(call.machine, whole, [value], {}, call.node))


def _converted(call: Call, state: State) -> State:
    return _state(METHODS["pil", "convert"](Call(call.machine, "convert", ["RGB"], {}, call.node, Picture(state))))


_Step = tuple[str, list[Value], dict[str, Value]]


def _run(call: Call, place: str, state: State, step: _Step) -> Value:
    name, args, kwargs = step
    return transformed(ExtObj(f"torchvision.transforms.{name}", args, kwargs, place), Picture(state), call)


def _state(value: Value) -> State:
    if not isinstance(value, Picture):
        raise TypeError(f"a transform of a picture comes to {value!r}")
    return value.state


def _tensor(state: State, place: str) -> State:
    lost = {name: why for name, why in state.lost.items() if name not in ("layout", "dtype")}
    said = {**state.said, "layout": explicit(place), "dtype": explicit(place)}
    return moved(state, place, kind="tensor", layout="CHW", dtype="float32", lost=lost, said=said)


def _steps(call: Call, attrs: Mapping[str, Value], way: Value) -> list[_Step]:
    """Its resize and its crop, as torchvision writes them."""
    found: list[_Step] = []
    resample = attrs.get("resample")
    kernel: Value = _KERNELS.get(resample, resample) if isinstance(resample, int) else resample
    if kernel is None:
        kernel = "bilinear"
    more: dict[str, Value] = {"interpolation": kernel if isinstance(way, str) else way, "antialias": True}
    size, crop = _lengths(attrs.get("size")), _lengths(attrs.get("crop_size"))
    resized = attrs.get("do_resize")
    if resized:
        if isinstance(size, Mapping) and {"height", "width"} <= set(size):
            found.append(("Resize", [Seq([size["height"], size["width"]], "tuple")], more))
        elif isinstance(size, Mapping) and set(size) == {"shortest_edge"} and "crop_pct" not in attrs:
            found.append(("Resize", [size["shortest_edge"]], more))
        elif isinstance(size, Mapping) and set(size) == {"shortest_edge"}:
            found += _of_convnext(call, size["shortest_edge"], attrs["crop_pct"], more)
        else:
            found.append(("Resize", [call.unknown("the size that the processor is made with")], more))
    if attrs.get("do_center_crop"):
        side = crop.get("shortest_edge") if isinstance(crop, Mapping) else None
        sides = [side, side] if side is not None else [crop.get(one) for one in ("height", "width")] if crop else []
        cut: Value = Seq(sides, "tuple") if all(is_number(one) for one in sides) and sides else call.unknown("its size")
        found.append(("CenterCrop", [cut], {}))
    return found


def _of_convnext(call: Call, side: Value, share: Value, more: dict[str, Value]) -> list[_Step]:
    if not is_number(side) or not is_number(share) or share <= 0:
        return [("Resize", [call.unknown("the size that the processor is made with")], more)]
    if side >= 384:
        return [("Resize", [Seq([side, side], "tuple")], more)]
    return [("Resize", [int(side / share)], more), ("CenterCrop", [side], {})]


def _lengths(value: Value) -> Mapping[str, Value] | None:
    """A size as a mapping: a number is a square, a pair is height and width."""
    if isinstance(value, Map) and not value.open:
        return {str(key): value.items[key] for key in keys_of(value) or () if value.items[key] is not None}
    if is_number(value):
        return {"height": value, "width": value}
    if isinstance(value, Seq) and len(value.items) == 2:
        return dict(zip(("height", "width"), value.items, strict=True))
    return None


def _levels(state: State, attrs: Mapping[str, Value], place: str) -> State:
    if attrs.get("do_rescale", True) is not False:
        factor = attrs.get("rescale_factor")
        if factor is None or factor == 1 / 255:
            state = mapped(state, "divide", 255.0, place)
        else:
            state = mapped(state, "multiply", factor, place)
    if attrs.get("do_normalize"):
        state = mapped(state, "subtract", attrs.get("image_mean"), place)
        state = mapped(state, "divide", attrs.get("image_std"), place)
    return state


@function("transformers.pipeline", "transformers.pipelines.pipeline")
def _pipeline(call: Call) -> Value:
    """A pipeline for a task; None known of one that is not about pictures."""
    task = call.get(0, "task")
    if isinstance(task, str) and _ASKED_OF_PICTURES.match(task):
        return ExtObj(f"transformers.pipelines.{task}", call.args, call.kwargs, call.place)
    return call.unknown(f"what {call.name} returns")


@applied("transformers.pipelines.")
def _asked(call: Call) -> Value:
    """A picture, or a path or an address of one, that is opened and fed to the pipeline's model."""
    given = (
        call.args[0] if call.args else call.kwargs.get("images", call.kwargs.get("image", call.kwargs.get("inputs")))
    )
    if isinstance(given, Map):
        given = given.items.get("image", given)
    if isinstance(given, Seq) and given.items:
        given = given.items[0]
    if isinstance(given, str) or (isinstance(given, Unknown) and given.kind != "caller"):
        given = _pillow(call, "open", given)
    state = as_state(given, kind="pil")
    if state is None:
        return call.unknown("what a pipeline returns")
    if state.kind == "pil":
        state = _converted(call, _state(_pillow(call, "exif_transpose", Picture(state), "ImageOps")))
    model = call.thing.kwargs.get("model")
    whose = model[:80] if isinstance(model, str) else "its model"
    lost = losing(state, call.place, f"{FILE} of {whose} is not in the repository", "geometry", "affine")
    call.machine.feed([Picture(replace(_tensor(lost, call.place), layout="NCHW"))], call.node, "pipeline")
    return call.unknown("what a pipeline returns")

"""Image processors of transformers, and its pipelines: what their class or ``preprocessor_config.json`` says of them.

Sources: transformers 5.23 and 4.57, ``image_processing_utils.py``, ``image_processing_backends.py``,
``image_utils.py`` (load_image: turned as EXIF says, RGB), ``pipelines/``. What a file on a hub says is not in the
repository: of such a processor are known the order of channels, which it leaves alone, the layout and the type. The
name of its class says on which of two implementations one runs, Pillow's or torchvision's, or the version of
transformers.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.provenance import Origin
from dataguard.preprocessing.readers import huggingface
from dataguard.preprocessing.readers.source import Source
from dataguard.preprocessing.static import arrays, canonical
from dataguard.preprocessing.static.library.configuration import resolve
from dataguard.preprocessing.static.library.contents import as_value, of_file
from dataguard.preprocessing.static.library.given import as_state
from dataguard.preprocessing.static.library.registry import FUNCTIONS, METHODS, Call, applied, function
from dataguard.preprocessing.static.picture import State, explicit, losing, mapped, moved, reordered, stepped
from dataguard.preprocessing.static.values import ExtObj, Map, Picture, Seq, Unknown, Value, is_plain

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
_TYPE = "image_processor_type"
_OF_PLACES = ("do_resize", "size", "resample", "do_center_crop", "crop_size", "crop_pct", "do_pad", "pad_size")
_OF_LEVELS = ("do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std")
"""What says where pixels go, and what becomes of their levels."""
_BOTH = ("geometry", "affine")
_EITHER = "which implementation transformers takes, on Pillow or on torchvision, depends on its version"
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
    attrs: dict[str, Value] = {key: value for key, value in call.kwargs.items() if isinstance(key, str)}
    if found["kind"] != "Auto":
        attrs.setdefault(_TYPE, f"{found['kind']}ImageProcessor")
    if tail == "from_pretrained":
        held = _file(call, attrs)
        if isinstance(held, Map):
            attrs = {
                **attrs,
                **{key: value for key, value in held.items.items() if isinstance(key, str)},
                **call.kwargs,
            }
        else:
            attrs |= {key: held for key in (*_OF_PLACES, *_OF_LEVELS) if key not in attrs}
    attrs["use_fast"] = _is_fast(call, found["way"], attrs, automatic=found["kind"] == "Auto")
    plain, _ = _plain(attrs)
    with contextlib.suppress(DeclarationError):
        attrs = {**{key: as_value(value) for key, value in huggingface.with_defaults(plain).items()}, **_kept(attrs)}
    thing = ExtObj(PROCESSOR + name, call.args, {}, call.place, attrs)
    attrs["image_processor"] = attrs["feature_extractor"] = thing
    return thing


def _kept(attrs: Mapping[str, Value]) -> dict[str, Value]:
    """Of attributes those that are not known, which no default stands for."""
    return {key: value for key, value in attrs.items() if not _is_plain(value)}


def _is_plain(value: Value) -> bool:
    if isinstance(value, Seq):
        return not value.many and all(map(_is_plain, value.items))
    return all(map(_is_plain, value.items.values())) if isinstance(value, Map) else is_plain(value)


def _plain(attrs: Mapping[str, Value]) -> tuple[dict[str, Any], list[str]]:
    """What a file with these attributes would hold, and the names of those that are not known."""

    def content(value: Value) -> Any:
        if isinstance(value, Map):
            return {key: content(one) for key, one in value.items.items()}
        return [content(one) for one in value.items] if isinstance(value, Seq) else value

    known = {key: content(value) for key, value in attrs.items() if _is_plain(value)}
    return known, [key for key in attrs if key not in known]


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
        return of_file(call.machine, where)
    return call.unknown(f"{FILE} of {path[:80]} is not in the repository")


def _is_fast(call: Call, of_class: str | None, attrs: Mapping[str, Value], *, automatic: bool) -> Value:
    """Whether torchvision runs it, and not Pillow; None where only the version of transformers would say."""
    if of_class is not None:
        return of_class == "Fast"
    said = attrs.get("use_fast")
    if isinstance(said, bool):
        return said
    kind = attrs.get(_TYPE)
    if automatic and isinstance(kind, str) and kind.endswith("Fast"):
        return True
    version = call.machine.versions.get("transformers")
    return None if version is None else version >= (_FAST_BY_DEFAULT if automatic else _ONE)


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
    """A picture after the steps that the reader of such files finds in what the processor has."""
    place = thing.place
    given = {key: value for key, value in call.kwargs.items() if key.startswith("do_") or key == "size"}
    data, unknown = _plain({**thing.attrs, **given})
    kind = str(data.get(_TYPE) or "")
    # How it runs says `use_fast`, whatever its class is called.
    data[_TYPE] = kind.removesuffix("Fast")
    path = thing.place.rpartition(":")[0]
    try:
        ways = huggingface.read_config(data, Source(library="transformers", path=path, origin=Origin.EXPLICIT))
    except DeclarationError as error:
        return _tensor(losing(state, place, f"what the processor is made with: {error.message}", *_BOTH), place)
    if state.kind == "tensor" and state.dtype != "uint8":
        # Of fractions nobody knows whether they are divided once more.
        return _tensor(losing(state, place, "what a processor makes of a tensor that is no file's", *_BOTH), place)
    first = ways[0]
    if state.kind == "array":
        state = _state(_pillow(call, "fromarray", Picture(state)))
    if first.decode.flags == ("convert RGB",):
        state = _converted(call, state)
    state = _placed(state, ways, _reason(thing, unknown, _OF_PLACES), place)
    state = _tensor(state, place)
    if first.order == "BGR":
        state = reordered(state, (2, 1, 0), place)
    why = _reason(thing, unknown, _OF_LEVELS) or first.affine.undetermined.get("scale", "")
    if why:
        return losing(state, place, why, "affine")
    for operation, values in first.affine.written:
        state = mapped(state, operation, Seq(list(values), "tuple"), place)
    return state


def _placed(state: State, ways: Sequence[Pipeline], why: str, place: str) -> State:
    """A picture after the steps that say where pixels go: those that both implementations have in common."""
    found = [way.geometry for way in ways if way.geometry is not None]
    steps = canonical.steps_of(found, _EITHER) if found and not why else None
    if steps is None:
        return losing(state, place, why or ways[0].undetermined.get("geometry", _EITHER), "geometry")
    for step in steps:
        state = stepped(state, replace(step, provenance={**step.provenance, "": explicit(place)}), place)
    return state


def _reason(thing: ExtObj, unknown: Sequence[str], names: Sequence[str]) -> str:
    """Why some of these are not known; '' where all are."""
    found = next((thing.attrs.get(name) for name in names if name in unknown), None)
    return found.reason() if isinstance(found, Unknown) else "" if found is None else "what the processor is made with"


def _pillow(call: Call, name: str, value: Value, module: str = "Image") -> Value:
    whole = f"PIL.{module}.{name}"
    return FUNCTIONS[whole](Call(call.machine, whole, [value], {}, call.node))


def _converted(call: Call, state: State) -> State:
    return _state(METHODS["pil", "convert"](Call(call.machine, "convert", ["RGB"], {}, call.node, Picture(state))))


def _state(value: Value) -> State:
    if not isinstance(value, Picture):
        raise TypeError(f"a transform of a picture comes to {value!r}")
    return value.state


def _tensor(state: State, place: str) -> State:
    lost = {name: why for name, why in state.lost.items() if name not in ("layout", "dtype")}
    said = {**state.said, "layout": explicit(place), "dtype": explicit(place)}
    return moved(state, place, kind="tensor", layout="CHW", dtype="float32", lost=lost, said=said)


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

"""Objects of libraries that keep something, and what is done with calls that no table knows."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from dataguard.preprocessing.static import arrays, feeding, loaders
from dataguard.preprocessing.static.library import (
    basicsr,
    config_parser,
    configuration,
    drawn,
    films,
    finished_models,
    first_layers,
    graphs,
    hugging_face_datasets,
    image_processors,
    imgaug,
    interfaces,
    launchers,
    paths,
    placeholders,
    pools,
    pretrained,
    registries,
    scanned,
    slim,
    tensorpack,
    threads,
    webdataset,
    windows,
)
from dataguard.preprocessing.static.library.given import READ, from_caller
from dataguard.preprocessing.static.library.pillow import enhanced
from dataguard.preprocessing.static.library.registry import METHODS, Call, Handler, applied
from dataguard.preprocessing.static.picture import by_chance
from dataguard.preprocessing.static.values import (
    Choice,
    ExtObj,
    Map,
    Picture,
    Seq,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from dataguard.preprocessing.static.calling import Calling

_SILENT = (
    "cv2.",
    "matplotlib.",
    "logging.",
    "print",
    "wandb.",
    "tqdm",
    "tensorboardX",
    "torch.utils.tensorboard",
    "os.",
    "sys.",
    "shutil.",
    "time.",
    "json.dump",
    "pickle.",
    "builtins.print",
    "torchvision.utils",
    "IPython",
    "PIL.ImageDraw",
    "gc.",
    "visdom",
    "plt.",
    "torch.save",
    "torch.backends",
    "torch.cuda",
    "numpy.save",
    "builtins.",
)


_ASKED = ("flask.request.", "bottle.request.", "sanic.request.")
"""What somebody sends to a server."""
_COMPUTING = ("cv2.get", "numpy.", "math.")
"""Of functions that compute numbers: what they make of what is by chance is by chance."""

_OPTIONS = ("_args", "_arguments", "_options")
"""Endings of names of functions that add options to a parser: 'Trainer.add_argparse_args'."""
_READS = re.compile(
    r"^(imread|(load|read|open|get|fetch|download)_?(rgb|bgr|gr[ae]y(scale)?|colou?r)?_?(img|image))(_?(from|as|file|url|array|rgb|bgr)\w*)?$"
)
"""Names of functions that read one picture."""
_READERS = frozenset({"pyspng.load", "simplejpeg.decode_jpeg", "pillow_heif.read_heif", "jpeg4py.JPEG", "rawpy.imread"})
"""Functions of which no name says so."""
_READS_MANY = re.compile(r"^(load|read|open)_?(images|imgs|pictures)(_?(from|as)\w*)?$")
"""The same of functions that read several."""
_HANDED_ON = frozenset({"convert_to_tensor", "convert_to_numpy", "ensure_tensor"})
"""Functions of frameworks that make one array or tensor of another."""
_NO_READERS = ("keras.", "os.", "tkinter.", "pygame.")
_AUGMENTS = re.compile(
    r"(?i)^(rand\w*aug\w*|auto_?aug\w*|trivial_?aug\w*|augmix|\w+policy|cut_?out\w*|\w*colou?r_?jitter|solari\w+|"
    r"random(gaussian)?(blur|noise|erasing|flip|grayscale)|gaussian(blur|noise))$"
)
"""Names of classes that change pictures by chance and leave their size, whoever wrote them."""
_MEASURES = re.compile(r"_loss$|^(binary_)?cross_entropy|^kl_div$|^pairwise_distance$|^cosine_similarity$|^cdist$")
"""Names of functions that compare pictures, and return no picture."""
AUGMENTING = ("augment_image", "augment_images")
"""What objects of ttach and its like are asked for pictures that are changed by chance."""
_FILMS = re.compile(r"^(cap_from|video_?capture|video_from)\w*$")
"""Names of functions that open a video as OpenCV does."""


def _capture(call: Call) -> Value:
    from dataguard.preprocessing.static.library.opencv import frame

    if call.name in ("read", "retrieve"):
        picture = frame(call)
        return Seq([True, picture], "tuple") if "VideoCapture" in call.receiver.name else picture
    if call.name in ("isOpened", "grab"):
        return True
    return call.receiver if call.name == "start" else call.unknown("a camera")


def _film(call: Call) -> Value:
    return films.method(call)


def _generator(call: Call) -> Value:
    from dataguard.preprocessing.static.library.keras import flow

    return flow(call) if call.name.startswith("flow") else None


def _parser(call: Call) -> Value:
    from dataguard.preprocessing.static.library.command_lines import parser_method

    return parser_method(call)


def _text(call: Call) -> Value:
    """Of an open file or a path: its text, which what parses it takes for the file."""
    opened = call.thing
    mode = opened.kwargs.get("mode", opened.args[1] if len(opened.args) > 1 else "r")
    if isinstance(mode, str) and "b" not in mode:
        return ExtObj("builtins.open.text", [opened], {}, call.place)
    return call.unknown(f"what {opened.name}.{call.name} returns")


def _dataset(call: Call) -> Value:
    from dataguard.preprocessing.static.library.tensorflow import map_over

    return map_over(call)


def _builder(call: Call) -> Value:
    from dataguard.preprocessing.static.library.tensorflow_datasets import of_builder

    return of_builder(call)


def _model(call: Call) -> Value:
    if call.name == "add":
        return first_layers.added(call)
    from dataguard.preprocessing.static.feeding import FITTING

    if call.name in FITTING:
        call.machine.fit(call.args, call.kwargs, call.node, call.receiver)
        return call.unknown("a history")
    return call.machine.feed([*call.args, *call.kwargs.values()], call.node, call.name, network=call.receiver)


def _transformer(call: Call) -> Value:
    from dataguard.preprocessing.static.library.caffe import transformer

    return transformer(call)


def _stored(call: Call) -> Value:
    """Of a file of HDF5: a data set of pictures is written into it."""
    from dataguard.preprocessing.static.arrays import pictures

    if call.name == "create_group":
        return call.receiver
    if call.name == "create_dataset":
        for one in pictures(call.get(1, "data", call.kwargs.get("data")))[:1]:
            wrote(call, one, None, None)
    return call.unknown(f"what h5py's {call.name} returns")


OBJECT_METHODS: list[tuple[str, frozenset[str] | None, Handler]] = [
    ("cv2.VideoCapture", None, _capture),
    ("caffe.io.Transformer", None, _transformer),
    ("h5py.File", frozenset({"create_dataset", "create_group"}), _stored),
    ("imutils.", None, _capture),
    ("imgaug.", imgaug.ASKED, imgaug.asked),
    ("imgaug.", imgaug.SAME, imgaug.same),
    *[(one, None, _film) for one in loaders.FILMS],
    ("keras.preprocessing.image.ImageDataGenerator", None, _generator),
    ("argparse.", None, _parser),
    (scanned.LOADER, scanned.LOADING, scanned.loaded),
    *[(one, config_parser.METHODS, config_parser.of_parser) for one in (config_parser.PARSER, config_parser.SECTION)],
    *[(one, pools.METHODS, pools.of_pool) for one in pools.POOLS],
    ("submitit.", frozenset({"submit"}), pools.of_pool),
    ("concurrent.futures.Future", frozenset({"result", "get"}), pools.result),
    *[(one, frozenset({"start"}), threads.started) for one in threads.THREADS],
    *[(one, frozenset({"put", "put_nowait"}), threads.put) for one in threads.QUEUES],
    (basicsr.HELPER, basicsr.HELPING, basicsr.of_helper),
    ("builtins.open", frozenset({"read"}), _text),
    ("pathlib.Path", frozenset({"read_text", "open"}), _text),
    ("pathlib.Path", paths.METHODS, paths.of_path),
    *[(one, names, finished_models.fed) for one, names in finished_models.METHODS.items()],
    ("PIL.ImageEnhance.", frozenset({"enhance"}), enhanced),
    ("tensorflow.data.", None, _dataset),
    ("tensorflow_datasets.builder", None, _builder),
    ("tensorflow.", graphs.QUEUES, graphs.queue),
    *[(one, slim.METHODS, slim.provided) for one in slim.PROVIDERS],
    (tensorpack.FLOW, tensorpack.METHODS, tensorpack.of_flow),
    ("keras.models.", None, _model),
    ("gradio.", interfaces.EVENTS, interfaces.event),
    *[(one, launchers.METHODS, launchers.prepared) for one in launchers.LAUNCHERS],
    (webdataset.SHARDS, webdataset.METHODS, webdataset.with_stage),
    (webdataset.SHARDS, webdataset.CHAINED, webdataset.chained),
    (hugging_face_datasets.ONE, hugging_face_datasets.METHODS, hugging_face_datasets.of_dataset),
    (hugging_face_datasets.SEVERAL, hugging_face_datasets.METHODS, hugging_face_datasets.of_dataset),
    *[(one, hugging_face_datasets.TRAINING, hugging_face_datasets.trained) for one in hugging_face_datasets.TRAINERS],
    (image_processors.PROCESSOR, image_processors.METHODS_OF, image_processors.use),
    ("torchvision.transforms.", frozenset({"get_params"}), drawn.of_object),
]
"""Methods of objects by the beginning of the class's name."""


_PICTURED = (Picture, Choice)


@lru_cache(maxsize=8192)
def _is_silent(name: str) -> bool:
    return name.startswith(_SILENT)


@lru_cache(maxsize=8192)
def _reads(name: str) -> bool:
    """Whether a function is named as one that reads a picture."""
    if name in _READERS:
        return True
    return _READS.search(name.rpartition(".")[2].lower()) is not None and not name.startswith(_NO_READERS)


def unlisted(call: Call) -> Value:
    """A function or class of a library that no table knows."""
    name = call.name
    values = [*call.args, *call.kwargs.values()] if call.kwargs else call.args
    if name.startswith(_COMPUTING):
        for one in values:
            if type(one) is Unknown and one.kind == "random":
                return one
    if values and name.endswith(_OPTIONS) and isinstance(values[0], ExtObj) and values[0].name.startswith("argparse."):
        # A library that adds its own options to a parser gives the parser back.
        return values[0]
    if name.startswith("tensorflow.") and (length := windows.of_lengths(call)) is not None:
        return length
    if _is_silent(name):
        return call.unknown(f"what {name} returns")
    if name.startswith(_ASKED):
        return Unknown(f"what {name} returns", call.place, "caller")
    tail = name.rpartition(".")[2]
    if tail in configuration.LOADING and (held := configuration.of_named_file(call)) is not None:
        return held
    if tail == pretrained.METHOD and name.startswith(pretrained.BEGINNING):
        return pretrained.transforms_of(call)
    if name.startswith(image_processors.BEGINNING) and (processor := image_processors.made(call)) is not None:
        return processor
    given = [one for one in values if isinstance(one, _PICTURED) and arrays.pictures(one)]
    if given and name.startswith(placeholders.LAYERS) and (graph := placeholders.name_of(given[0])):
        return placeholders.reached(call.machine, graph, given[0], [one for one in values if one is not given[0]])
    if given and tail in graphs.FIRST_LAYERS and name.startswith(placeholders.LAYERS):
        return call.machine.feed([graphs.without_own_border(call, one) for one in values], call.node, tail)
    if (
        call.args
        and isinstance(call.args[0], Picture)
        and name.count(".") == 1
        and name.startswith(("torch.", "numpy."))
    ):
        handler = METHODS.get(("tensor" if name[0] == "t" else "array", tail))
        if handler is not None:
            # torch.squeeze(x, 0) is x.squeeze(0).
            rest = Call(call.machine, tail, call.args[1:], call.kwargs, call.node, call.args[0])
            return handler(rest)
    if given and name.startswith("torch.") and _MEASURES.search(tail):
        return call.unknown(f"what {name} measures")
    if given and tail in _HANDED_ON:
        return given[0]
    if given and not tail[:1].isupper():
        return arrays.opaque(call.machine, given, f"what {name} does is not known", call.node)
    if not given and _reads(name):
        return Picture(from_caller(Unknown(f"{name}{READ}", call.place)))
    if not given and _READS_MANY.search(tail.lower()) and not name.startswith(_NO_READERS):
        return Seq([Picture(from_caller(Unknown(f"{name}{READ}", call.place)))], "list", many=True)
    if not given and _FILMS.search(tail.lower()):
        return ExtObj("cv2.VideoCapture", call.args, call.kwargs, call.place)
    if tail[:1].isupper() or name.startswith(("imutils.", "torch.nn.")):
        return ExtObj(name, call.args, call.kwargs, call.place)
    return call.unknown(f"what {name} returns")


def changed_by(machine: Calling, values: list[Value], why: str, node: ast.AST | None) -> Value:
    """What something unknown returns that is given pictures, alone or in a dictionary."""
    from dataguard.preprocessing.static.arrays import opaque, pictures

    first = next(one for one in values if pictures(one))
    if not isinstance(first, Map):
        return opaque(machine, values, why, node)
    items = {
        key: opaque(machine, [one], why, node) if isinstance(one, (Picture, Choice)) else one
        for key, one in first.items.items()
    }
    return Map(items, open=True)


def augments(name: str, given: Value) -> bool:
    """Whether a class is named for augmenting what it is given, a batch that is ready for a network."""
    return "augment" in name.lower() and isinstance(given, Picture) and feeding.is_ready(given)


def kept_kind(name: str, before: Picture, after: Value, place: str) -> Value:
    """What such a class makes of a batch: where its steps are not known, what it was, changed by chance."""
    if isinstance(after, Picture) and after.state.lost.keys() <= before.state.lost.keys():
        return after
    return Picture(by_chance(before.state, name, place, size=before.state.size))


def unlisted_object(call: Call) -> Value:
    """Calling an object of a library that no table knows: a model where it is given a picture."""
    from dataguard.preprocessing.static.arrays import opaque, pictures
    from dataguard.preprocessing.static.feeding import is_transforming

    values = [*call.args, *call.kwargs.values()]
    if not any(pictures(one) for one in values):
        return call.unknown(f"what {call.name} returns")
    tail = call.name.rpartition(".")[2]
    if ".layers." in call.name and any(placeholders.name_of(one) for one in values):
        return call.machine.feed(values, call.node, tail, network=call.receiver)
    if len(values) == 1 and isinstance(values[0], Picture) and _AUGMENTS.search(tail):
        return Picture(by_chance(values[0].state, tail, call.place, size=values[0].state.size))
    if is_transforming(tail) or "transforms" in call.name or call.name.startswith(("monai.", "torchio.", "augly.")):
        return opaque(call.machine, values, f"what {call.name} does is not known", call.node)
    return call.machine.feed(values, call.node, tail, network=call.receiver)


def unlisted_method(call: Call) -> Value:
    """A method that no table knows."""
    from dataguard.preprocessing.static.arrays import opaque, pictures
    from dataguard.preprocessing.static.feeding import FEEDING, FITTING, is_transforming

    receiver = call.receiver
    values = placeholders.fed(receiver, call.name, call.args, call.kwargs)
    if isinstance(receiver, Picture):
        if call.name.endswith("_") or call.name == "__array__":
            return opaque(call.machine, [receiver], f"what {call.name} does is not known", call.node)
        return opaque(call.machine, [receiver], f"what .{call.name}() does is not known", call.node)
    if isinstance(receiver, ExtObj):
        if call.name in registries.METHODS and receiver.name.endswith("Registry"):
            return registries.of_registry(call)
        if call.name in windows.STRATEGIES:
            return windows.distributed(call)
        if call.name in ("train", "eval") and not call.args:
            call.machine.set_training(call.name == "train")
            return receiver
        if call.name in (*FITTING, "validate", "test") and receiver.name.endswith("Trainer"):
            call.machine.fit(call.args, call.kwargs, call.node)
            return call.unknown("what a trainer returns")
        if call.name in (
            "to",
            "cuda",
            "cpu",
            "half",
            "float",
            "prefetch",
            "shuffle",
            "repeat",
            "start",
            "result",
            "__iter__",
            "set_postfix",
        ):
            return receiver
        if call.name in ("next", "__next__", "get"):
            from dataguard.preprocessing.static.arrays import element

            return element(call.machine, receiver, None)
        if call.name in FEEDING and any(pictures(one) for one in values):
            return call.machine.feed(values, call.node, call.name, network=receiver)
        if call.name in AUGMENTING and values and isinstance(values[0], Picture):
            return Picture(by_chance(values[0].state, call.name, call.place))
        if is_transforming(call.name) and any(isinstance(one, Picture) for one in values):
            name = "pipeline" if call.name in AUGMENTING else ""
            return opaque(call.machine, values, f"what {call.name} does is not known", call.node, name)
        return call.unknown(f"what {receiver.name}.{call.name} returns")
    chance = next((one for one in values if isinstance(one, Unknown) and one.kind == "random"), None)
    return chance if chance is not None else call.unknown(f"what .{call.name}() returns")


def wrote(call: Call, value: Value, path: Value, options: Value) -> None:
    """Note that a picture is written to a file."""
    if isinstance(value, Picture) and value.state.loaded and (value.state.steps or value.state.touched):
        loses = (isinstance(path, str) and path.lower().endswith((".jpg", ".jpeg"))) or (
            isinstance(options, str) and options.lower() == "jpeg"
        )
        call.machine.written.append((value, call.place, call.machine.stack(), bool(loses)))


@applied("functools.")
def _of_partial(call: Call) -> Value:
    return call.unknown("a function of functools")

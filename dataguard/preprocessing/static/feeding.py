"""What feeds a model, and what prepares pictures: told by classes, and by names where nothing else tells."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from dataguard.core.syntax import nodes
from dataguard.preprocessing.static.values import Choice, Cls, ExtObj, Obj, Picture, Value, each

DEEPEST_BRANCH = 4
"""Frames within which branches are followed that the defaults of the command line do not take."""
MODEL_BASES = ("Module", "Model", "LightningModule", "Layer", "Sequential", "BaseModel", "PreTrainedModel")
MODEL_PACKAGES = ("timm.models.", "torchvision.models.", "keras.applications.", "segmentation_models_pytorch.")
"""Beginnings of names of classes that are models."""
_TRANSFORMING = (
    "transform",
    "preprocess",
    "normaliz",
    "normalis",
    "augment",
    "resize",
    "crop",
    "letterbox",
    "processor",
    "toimage",
    "totensor",
    "unfold",
    "warp",
    "align",
    "padder",
    "converter",
    "convert",
)
FEEDING = frozenset(
    [
        "predict",
        "predict_on_batch",
        "predict_step",
        "forward",
        "forward_all",
        "run",
        "infer",
        "inference",
        "encode_image",
        "set_tensor",
        "setInput",
        "feed",
        "predict_classes",
        "generate",
        "get_image_features",
        "extract_features",
        "features",
        "detect",
        "test_step",
        "train_on_batch",
        "test_on_batch",
        "__call__",
        "forward_features",
        "validate_on_batch",
        "async_infer",
        "start_async",
        "infer_new_request",
        "encode",
        "invoke",
        "predict_proba",
        "CopyFrom",
    ]
)
"""Methods of unknown objects that feed a model."""
OF_TENSORS = frozenset([
    "expand_as", "view_as", "reshape_as", "type_as", "mm", "matmul", "bmm", "mv", "dot", "add", "sub", "mul",
    "div", "add_", "sub_", "mul_", "div_", "addmm", "addcmul", "eq", "ne", "lt", "le", "gt", "ge", "where",
    "masked_fill", "masked_select", "index_select", "gather", "scatter", "scatter_", "pow", "minimum",
    "maximum", "min", "max", "lerp", "outer", "allclose", "equal", "dist",
])  # fmt: skip
"""Methods of tensors that are given others: what is given a picture by these is no model."""
DRAWN_BY = ("what matplotlib.", "what seaborn.", "what plotly.", "what wandb.", "what logging.")
"""Beginnings of why something is not known that a library gave which has no models: 'plt.get_cmap("jet")'."""
DRAWING = frozenset({"normal_", "uniform_", "random_", "bernoulli_", "exponential_"})
"""Methods of tensors that fill them by chance."""
FITTING = frozenset({"fit", "fit_generator", "fit_dataset", "evaluate_generator", "evaluate", "predict_generator"})
MEASURES = ("loss", "criterion", "ssim", "psnr", "lpips", "metric")
"""Parts of names of classes that compare pictures: they are modules as networks are, and are none."""
LOSSES = (
    "loss",
    "criterion",
    "metric",
    "psnr",
    "ssim",
    "draw",
    "plot",
    "show",
    "save",
    "print",
    "log",
    "write",
    "vis",
    "display",
    "append",
    "put",
    "send",
    "mse",
    "l1",
    "lpips",
    "update",
    "cascade",
    "dump",
)
"""Parts of names of what is given pictures and is no model."""


_OF_KERAS = re.compile(r"^(predict|predict_classes|predict_proba|\w+_on_batch|fit|function)$")
"""Methods of Keras's models, and a function of a part of one."""


def as_fed(value: Value, name: str) -> Value:
    """A picture as a model gets it: Keras makes numbers of 64 bits numbers of 32."""
    if not _OF_KERAS.search(name):
        return value

    def held(one: Value) -> Value:
        wide = isinstance(one, Picture) and one.state.dtype == "float64"
        return Picture(replace(one.state, dtype="float32")) if wide else one

    return each(value, held)


def through(value: Value) -> str:
    """The data set that a picture came out of; '' for none."""
    first = value.options[0] if isinstance(value, Choice) else value
    return first.state.through[-1] if isinstance(first, Picture) and first.state.through else ""


def is_model(cls: Cls | None) -> bool:
    """Whether a class is a model of a library's kind."""
    if cls is None:
        return False
    if cls.is_model is None:
        cls.is_model = any(
            base.rpartition(".")[2] in MODEL_BASES or base.startswith(MODEL_PACKAGES) for base in cls.foreign()
        )
    return cls.is_model


_LAYERS = ("feed", "conv", "setup")


def is_of_layers(cls: Cls) -> bool:
    """Whether a class is a network as caffe-tensorflow writes them, made with its input: 'Net({"data": image})'."""
    return all(cls.find(name) is not None for name in _LAYERS)


def is_fed_whole(value: Value, node: ast.AST | None) -> bool:
    """Whether what is given to ``fit`` is fed as it leaves: Keras does no more to a batch than to make it a tensor."""
    called = getattr(node.func, "attr", "") if isinstance(node, ast.Call) else ""
    bases = list(value.cls.foreign()) if isinstance(value, Obj) and value.cls is not None else []
    if isinstance(value, Picture):
        # An array of all pictures.
        return called == "fit"
    return called == "fit_generator" or any(one.rpartition(".")[2] in ("Sequence", "PyDataset") for one in bases)


@lru_cache(maxsize=8192)
def is_transforming(name: str) -> bool:
    """Whether a name is one that people give what prepares pictures; asked where nothing else is known."""
    lowered = name.lower().replace("_", "").replace("transformer", "")
    return any(word in lowered for word in _TRANSFORMING) or lowered in ("aug", "tf", "tfm", "tfms", "prep", "pipeline")


_PREPARING = ("preprocess", "loadimage", "resize", "normaliz", "normalis", "letterbox", "prepareim", "preparepix")
_MENTIONED = frozenset({"Compose", "Normalize", "imread", "preprocess", "pre_process", "DataLoader"})


def prepares(cls: Cls | None) -> bool:
    """Whether a model's class prepares pictures by itself, so that it is worth following."""
    if cls is None or cls.node is None:
        return False
    if cls.prepares is None:
        cls.prepares = is_transforming(cls.name) or any(_mentions(one) for one in nodes(cls.node))
    return cls.prepares


def _mentions(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in _MENTIONED
    return isinstance(node, ast.FunctionDef) and is_preparing(node.name)


@lru_cache(maxsize=8192)
def is_preparing(name: str) -> bool:
    """Whether a function is named as one by which a model prepares what it is given.

    >>> is_preparing("_prepare_images"), is_preparing("pre_process"), is_preparing("prepare_labels")
    (True, True, False)
    """
    bare = name.lower().replace("_", "")
    return any(word in bare for word in _PREPARING)


def is_prepared(value: Value) -> bool:
    """Whether something was done to a picture: a model that takes files as they are prepares them itself."""
    states = [
        one.state for one in (value.options if isinstance(value, Choice) else [value]) if isinstance(one, Picture)
    ]
    return any(
        state.touched
        or state.is_float
        or "N" in state.layout
        or state.kind == "tensor"
        or state.layout[:1] == "C"
        or "affine" in state.lost
        for state in states
    )


def holds_transform(thing: Value) -> bool:
    """Whether a module is made first of all with a transform of pictures: 'RandomApply(T.ColorJitter(0.8), p=0.3)'."""
    given = thing.attrs.get("*given") if isinstance(thing, Obj) else None
    first = given.args[0] if isinstance(given, ExtObj) and given.args else None
    return isinstance(first, ExtObj) and first.name.startswith(("torchvision.transforms.", "kornia."))


def takes_files(cls: Cls, values: Sequence[Value]) -> bool:
    """Whether a module is given a picture as it was opened, which no layer takes: it makes ready what it takes."""
    found = [one.state for one in values if isinstance(one, Picture)]
    return any(one.kind == "pil" and bool(one.loaded) for one in found) and cls.find("forward") is not None


def is_ready(value: Value) -> bool:
    """Whether a picture is ready for a model: a batch, of levels that were mapped or in channels first."""
    if isinstance(value, Choice):
        return any(is_ready(one) for one in value.options)
    state = value.state if isinstance(value, Picture) else None
    return state is not None and "N" in state.layout and (state.touched or state.kind == "tensor")


def given_back(names: list[str], args: list[Value], node: ast.AST | None) -> bool:
    """Whether a picture that no model takes yet is replaced by what is made of it: 'image = change(image)'.

    Args:
        names: What the statement binds.
        args: What is given.
        node: The call.
    """
    if not isinstance(node, ast.Call):
        return False
    return any(
        isinstance(given, ast.Name)
        and given.id in names
        and isinstance(args[place], Picture)
        and not is_ready(args[place])
        for place, given in by_place(node, len(args)).items()
        if place < len(args)
    )


def by_place(node: ast.Call, count: int) -> dict[int, ast.expr]:
    """The arguments of a call as they are written, by their places among `count` that it is followed with.

    Starred ones are several or none, and what a partial function was given before comes first.

    >>> node = ast.parse("f(a, *b, c)", mode="eval").body
    >>> {place: one.id for place, one in by_place(node, 5).items()}
    {0: 'a', 4: 'c'}
    """
    stars = [index for index, one in enumerate(node.args) if isinstance(one, ast.Starred)]
    first, last = (stars[0], stars[-1]) if stars else (0, -1)
    moved = count - len(node.args) if stars else max(0, count - len(node.args))
    return {
        index + moved if index > last else index: one
        for index, one in enumerate(node.args)
        if index < first or index > last
    }


_CHANGING = frozenset(
    ["div", "div_", "mul", "mul_", "sub", "sub_", "permute", "transpose", "resize", "interpolate", "pad", "normalize",
     "zeros", "ones", "full", "flip"]
)  # fmt: skip
"""Names of what changes levels, axes or size."""


def changes(node: ast.AST) -> bool:
    """Whether a function that puts a batch together is seen to do more to pictures than that."""
    return any(isinstance(one, ast.Attribute) and one.attr in _CHANGING for one in nodes(node))


def fed_by_item(target: ast.Subscript) -> str:
    """What ``target = picture`` feeds in Caffe: 'model' for a net's input, 'dataset' for the top of a layer of data.

    A net is fed by ``net.blobs["data"].data[...] = picture``, a layer of data gives ``top[0].data[...] = picture``.
    """
    data = target.value
    if not isinstance(data, ast.Attribute) or data.attr != "data" or not isinstance(data.value, ast.Subscript):
        return ""
    holder = data.value.value
    if isinstance(holder, ast.Attribute) and holder.attr == "blobs":
        return "model"
    first = isinstance(data.value.slice, ast.Constant) and data.value.slice.value == 0
    return "dataset" if isinstance(holder, ast.Name) and holder.id == "top" and first else ""

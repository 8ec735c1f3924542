"""Preprocessing that packages of image models make: timm, CLIP, open_clip.

Sources: timm ``data/transforms_factory.py`` (create_transform: a random crop and flips for training; else the shorter
side becomes size / crop_pct, 0.875 by default, and the middle is cut), ``data/loader.py`` (create_loader gives its data
set such a transform), ``data/constants.py``; CLIP ``clip/clip.py`` (_transform); open_clip ``transform.py``.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import replace
from typing import TypeAlias

from dataguard.preprocessing.readers import open_clip
from dataguard.preprocessing.readers.torchvision import IMAGENET_MEAN, IMAGENET_STD
from dataguard.preprocessing.static.library.registry import Call, function
from dataguard.preprocessing.static.unknowns import CHANCE
from dataguard.preprocessing.static.values import (
    ExtObj,
    Map,
    Method,
    Obj,
    Seq,
    Shape,
    Unknown,
    Value,
    choice,
    is_number,
    is_picture,
    last,
)

_Made: TypeAlias = tuple[str, list[Value], dict[str, Value]]
"""A transform of torchvision: its name and arguments."""

_IMAGENET = (IMAGENET_MEAN, IMAGENET_STD)
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_CLIP = (open_clip.MEAN, open_clip.STD)
_CONSTANTS = {
    "timm": {
        "IMAGENET_DEFAULT_MEAN": _IMAGENET[0], "IMAGENET_DEFAULT_STD": _IMAGENET[1],
        "IMAGENET_INCEPTION_MEAN": _HALF[0], "IMAGENET_INCEPTION_STD": _HALF[1],
        "IMAGENET_DPN_MEAN": (124 / 255, 117 / 255, 104 / 255), "IMAGENET_DPN_STD": (1 / (0.0167 * 255),) * 3,
        "OPENAI_CLIP_MEAN": _CLIP[0], "OPENAI_CLIP_STD": _CLIP[1],
    },
    "open_clip": {"OPENAI_DATASET_MEAN": _CLIP[0], "OPENAI_DATASET_STD": _CLIP[1]},
    "transformers": {
        "IMAGENET_DEFAULT_MEAN": _IMAGENET[0], "IMAGENET_DEFAULT_STD": _IMAGENET[1],
        "IMAGENET_STANDARD_MEAN": _HALF[0], "IMAGENET_STANDARD_STD": _HALF[1],
        "OPENAI_CLIP_MEAN": _CLIP[0], "OPENAI_CLIP_STD": _CLIP[1],
    },
}  # fmt: skip
_CLIP_SIZES = {"RN50x4": 288, "RN50x16": 384, "RN50x64": 448, "ViT-L/14@336px": 336}
_OF_224 = re.compile(r"^(RN50|RN101|ViT-[BLH]-?/?(16|32|14)|ViT-g-14|ViT-bigG-14|coca_ViT-[BL]-(32|14))(-quickgelu)?$")
"""Models of CLIP's kind whose pictures are of 224 pixels."""


_PYTHON = {"PY2": False, "PY3": True}
"""What six, ``torch._six`` and others say of the Python that runs."""


def constant(name: str) -> Value:
    """A mean or a deviation that a package names; None for another name."""
    package, _, rest = name.partition(".")
    last_ = rest.rpartition(".")[2]
    if last_ in _PYTHON:
        return _PYTHON[last_]
    found = _CONSTANTS.get(package, {}).get(last_)
    return Seq(list(found), "tuple") if found is not None else None


def _composed(call: Call, *steps: _Made) -> ExtObj:
    """A composition of transforms of torchvision."""
    items: list[Value] = [ExtObj(f"torchvision.transforms.{name}", args, kw, call.place) for name, args, kw in steps]
    made = ExtObj("torchvision.transforms.Compose", [Seq(items, "list")], {}, call.place)
    call.machine.composed(made)
    return made


def _pair(mean_and_std: tuple[tuple[float, ...], tuple[float, ...]]) -> list[Value]:
    return [Seq(list(one), "tuple") for one in mean_and_std]


@function("timm.data.create_transform", "timm.data.transforms_factory.create_transform")
def _create(call: Call) -> Value:
    rest = [one.value for one in call.node.keywords if one.arg is None] if isinstance(call.node, ast.Call) else []
    held = [call.machine.evaluate(one) for one in rest]
    open_ended = any(not isinstance(one, Map) or one.open for one in held)
    size: Value = 224
    if call.given(0, "input_size"):
        size = call.get(0, "input_size")
    elif open_ended:
        size = call.unknown("the size of the model's configuration")
    return _of_timm(call, size, call.get(1, "is_training", False), unknown=open_ended)


def _of_timm(call: Call, size: Value, training: Value, *, unknown: bool = False) -> Value:
    """A transform of timm; where keyword arguments are not known, what they may say is not."""
    if isinstance(size, Seq | Shape) and len(size.items) == 3:
        size = Seq(size.items[1:], "tuple")
    if isinstance(size, Seq) and len(size.items) == 2 and is_number(size.items[0]) and size.items[0] == size.items[1]:
        size = size.items[0]

    def option(name: str, default: Value) -> Value:
        given = call.kwargs.get(name)
        if given is not None:
            return given
        return call.unknown(f"{name} of the model's configuration") if unknown and name not in call.kwargs else default

    mean, std = _pair(_IMAGENET)
    normalize: _Made = ("Normalize", [option("mean", mean), option("std", std)], {})
    share = option("crop_pct", 0.875)
    kernel: dict[str, Value] = {"interpolation": option("interpolation", "bilinear")}
    if isinstance(training, Unknown):
        both: list[Value] = [_trained(call, size, kernel, normalize), _judged(call, size, kernel, normalize, share)]
        return choice(both, training.reason())
    if training:
        return _trained(call, size, kernel, normalize)
    return _judged(call, size, kernel, normalize, share)


def _trained(call: Call, size: Value, kernel: dict[str, Value], normalize: _Made) -> ExtObj:
    steps: list[_Made] = [("RandomResizedCrop", [size], dict(kernel))]
    if last(kernel["interpolation"]) == "random":
        by_chance = Unknown(f"{CHANCE} the kernel", call.place, "random")
        steps = [("RandomResizedCrop", [size], {"interpolation": by_chance})]
    if call.kwargs.get("no_aug") is True:
        steps = [("Resize", [size], dict(kernel)), ("CenterCrop", [size], {})]
        return _composed(call, *steps, ("ToTensor", [], {}), normalize)
    if call.kwargs.get("hflip", 0.5) != 0:
        steps.append(("RandomHorizontalFlip", [], {}))
    if call.kwargs.get("vflip", 0) != 0:
        steps.append(("RandomVerticalFlip", [], {}))
    if call.kwargs.get("auto_augment") is not None:
        steps.append(("AutoAugment", [], {}))
    elif call.kwargs.get("color_jitter", 0.4) is not None:
        steps.append(("ColorJitter", [], {}))
    steps += [("ToTensor", [], {}), normalize]
    if call.kwargs.get("re_prob", 0) != 0:
        steps.append(("RandomErasing", [], {}))
    return _composed(call, *steps)


def _judged(call: Call, size: Value, kernel: dict[str, Value], normalize: _Made, share: Value) -> ExtObj:
    mode = call.kwargs.get("crop_mode")
    larger: Value = call.unknown("the size before the crop")
    if is_number(share) and share > 0 and is_number(size):
        larger = math.floor(size / share)
    if mode == "squash" and is_number(larger):
        larger = Seq([larger, larger], "tuple")
    elif mode not in (None, "center") or not is_number(larger):
        larger = call.unknown("the size before the crop")
    return _composed(
        call, ("Resize", [larger], dict(kernel)), ("CenterCrop", [size], {}), ("ToTensor", [], {}), normalize
    )


@function("timm.data.create_dataset", "timm.data.dataset_factory.create_dataset", "timm.data.ImageDataset",
          "timm.data.dataset.ImageDataset", "timm.data.Dataset")  # fmt: skip
def _dataset(call: Call) -> Value:
    root = call.get(1, "root") if "create_dataset" in call.name else call.get(0, "root")
    kwargs = {name: value for name, value in call.kwargs.items() if name in ("transform", "split", "is_training")}
    return ExtObj("torchvision.datasets.ImageFolder", [root], kwargs, call.place)


@function("timm.data.create_loader", "timm.data.loader.create_loader")
def _loader(call: Call) -> Value:
    """A loader of timm: what it is given says how the pictures of its data set are prepared."""
    from dataguard.preprocessing.static import loaders

    held = call.get(0, "dataset")
    size = call.get(1, "input_size", 224)
    transform = _of_timm(call, size, call.get(3, "is_training", False))
    if isinstance(held, ExtObj):
        held = replace(held, kwargs={**held.kwargs, "transform": transform}, attrs={})
    elif isinstance(held, Obj):
        call.machine.put(held.attrs, "transform", transform)
        held.attrs.pop("*item", None)
    kwargs: dict[str, Value] = {"shuffle": bool(call.get(3, "is_training", False) is True)}
    made = ExtObj("torch.utils.data.DataLoader", [held], kwargs, call.place)
    loaders.announce(call.machine, made, call.node, call.machine.binding())
    return made


@function("pytorch_grad_cam.utils.image.preprocess_image")
def _for_maps(call: Call) -> Value:
    """A batch of one: what shows where a network looks takes pictures as ToTensor and Normalize make them."""
    half = _pair(_HALF)
    mean, std = (call.get(at, name, half[at - 1]) for at, name in ((1, "mean"), (2, "std")))
    made = call.machine.call(
        _composed(call, ("ToTensor", [], {}), ("Normalize", [mean, std], {})), [call.get(0, "img")], {}, call.node
    )
    return call.machine.call(Method(made, "unsqueeze"), [0], {}, call.node) if is_picture(made) else made


@function("timm.data.transforms._pil_interp", "timm.data.transforms.str_to_pil_interp",
          "timm.data.transforms.str_to_interp_mode", "timm.data.transforms_factory.str_to_interp_mode",
          "timm.data.transforms_factory._pil_interp")  # fmt: skip
def _kernel(call: Call) -> Value:
    return call.get(0, "mode_str", call.kwargs.get("method"))


@function("timm.data.transforms.RandomResizedCropAndInterpolation")
def _random_crop(call: Call) -> Value:
    kernel = call.get(3, "interpolation", "bilinear")
    return ExtObj("torchvision.transforms.RandomResizedCrop", call.args[:3],
                  {**call.kwargs, "interpolation": kernel}, call.place)  # fmt: skip


def _of_clip(call: Call, name: Value) -> ExtObj:
    word = name if isinstance(name, str) else ""
    size: Value = _CLIP_SIZES.get(word, 224 if _OF_224.match(word) else None)
    size = size if size is not None else call.unknown("the size that the model of that name takes")
    return _composed(
        call, ("Resize", [size], {"interpolation": "bicubic"}), ("CenterCrop", [size], {}), ("ToTensor", [], {}),
        ("Normalize", _pair(_CLIP), {}),
    )  # fmt: skip


@function("clip.load", "clip.clip.load")
def _load(call: Call) -> Value:
    name = call.get(0, "name")
    model = call.unknown(f"what {call.name} returns" + (f" for {name}" if isinstance(name, str) else ""))
    return Seq([model, _of_clip(call, name)], "tuple")


@function("open_clip.create_model_and_transforms", "open_clip.create_model_from_pretrained",
          "open_clip.factory.create_model_and_transforms",
          "open_clip.factory.create_model_from_pretrained")  # fmt: skip
def _create_model(call: Call) -> Value:
    name = call.get(0, "model_name")
    word = name if isinstance(name, str) else ""
    size: Value = 224 if _OF_224.match(word) else call.unknown("the size that the model of that name takes")
    normalize: _Made = ("Normalize", _pair(_CLIP), {})
    if not _OF_224.match(word):
        # Other models than CLIP's own bring a mean and a deviation of theirs.
        normalize = ("Normalize", [call.unknown("the model's mean"), call.unknown("the model's deviation")], {})
    kernel: dict[str, Value] = {"interpolation": "bicubic"}
    judged = _composed(call, ("Resize", [size], dict(kernel)), ("CenterCrop", [size], {}), ("ToTensor", [], {}),
                       normalize)  # fmt: skip
    model = call.unknown(f"what {call.name} returns" + (f" for {word}" if word else ""))
    if call.name.endswith("from_pretrained"):
        return Seq([model, judged], "tuple")
    trained = _composed(call, ("RandomResizedCrop", [size], dict(kernel)), ("ToTensor", [], {}), normalize)
    return Seq([model, trained, judged], "tuple")

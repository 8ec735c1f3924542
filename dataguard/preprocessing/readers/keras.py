"""Keras: the modes of ``preprocess_input``, and the layers for preprocessing at the head of a saved model.

Source: Keras 3, ``applications/imagenet_utils.py`` (``_preprocess_numpy_input``) and the modules of the applications.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Affine, Pipeline
from dataguard.preprocessing.readers import values
from dataguard.preprocessing.readers.source import (
    Source,
    composed,
    given_pixels,
    loaded_version,
    sourced,
    unknown_affine,
)
from dataguard.preprocessing.readers.torchvision import IMAGENET_MEAN, IMAGENET_STD
from dataguard.preprocessing.steps import Crop, Random, Resize, Step

Mode = Literal["caffe", "tf", "torch", "none"]
MODES: Mapping[str, Mode] = {
    "vgg16": "caffe",
    "vgg19": "caffe",
    "resnet": "caffe",
    "resnet50": "caffe",
    "inception_v3": "tf",
    "inception_resnet_v2": "tf",
    "mobilenet": "tf",
    "mobilenet_v2": "tf",
    "nasnet": "tf",
    "resnet_v2": "tf",
    "xception": "tf",
    "imagenet_utils": "caffe",
    "densenet": "torch",
    "mobilenet_v3": "none",
    "efficientnet": "none",
    "efficientnet_v2": "none",
    "convnext": "none",
    "regnet": "none",
    "resnet_rs": "none",
}
"""Of ``keras.applications.MODULE.preprocess_input``; ``none`` leaves pixels to the layers of the model itself."""

LARGEST_CONFIG = 64 * 2**20
_CAFFE_MEAN = (103.939, 116.779, 123.68)
_ELSEWHERE = "preprocess_input maps levels; sizes are up to what comes before it"


def is_function(thing: object) -> bool:
    """Whether something is a ``preprocess_input`` of the applications of Keras."""
    module = str(getattr(thing, "__module__", ""))
    return getattr(thing, "__name__", "") == "preprocess_input" and "applications" in module.split(".")


def read_function(thing: Any) -> Pipeline:
    """What a ``preprocess_input`` does to pixels.

    Raises:
        DeclarationError: it is of a model that is not known.
    """
    model = str(thing.__module__).rpartition(".")[2]
    if model not in MODES:
        raise DeclarationError(f"what preprocess_input of {model!r} does is not known")
    source = Source(library="keras", version=loaded_version("keras"))
    return read_mode(MODES[model], source, name=f"{model}.preprocess_input")


def read_mode(mode: Mode, source: Source, *, name: str = "") -> Pipeline:
    """What a mode does to pixels in RGB, levels 0 to 255.

    Raises:
        DeclarationError: there is no such mode.
    """
    if mode == "caffe":
        affine = composed(("subtract", _CAFFE_MEAN))
    elif mode == "tf":
        affine = composed(("divide", 127.5), ("subtract", 1.0))
    elif mode == "torch":
        affine = Affine.normalized(IMAGENET_MEAN, IMAGENET_STD)
    elif mode == "none":
        affine = Affine()
    else:
        raise DeclarationError(f"no mode is called {values.shown(mode)!r}", hint="caffe, tf or torch")
    said = source.says(f"mode={mode}")
    return Pipeline(
        name=name or f"preprocess_input, mode {mode}",
        decode=given_pixels(source, "RGB"),
        order="BGR" if mode == "caffe" else "RGB",
        geometry=None,
        affine=sourced(affine, {"": said}),
        layout="HWC",
        dtype="float32",
        provenance={"": source.default("channels_last, floatx float32"), "order": said},
        undetermined={"geometry": _ELSEWHERE},
    )


def is_config(data: Mapping[str, Any]) -> bool:
    """Whether this is the configuration of a Keras model."""
    return data.get("class_name") in ("Functional", "Sequential", "Model") and isinstance(data.get("config"), Mapping)


def config_of(path: Path) -> str | None:
    """The configuration in a ``.keras`` file; None where it is none.

    Raises:
        DeclarationError: it is larger than any configuration.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if "config.json" not in archive.namelist():
                return None
            with archive.open("config.json") as member:
                content = member.read(LARGEST_CONFIG + 1)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise DeclarationError(f"cannot be read: {error}", where=path) from error
    if len(content) > LARGEST_CONFIG:
        raise DeclarationError(f"its config.json has more than {LARGEST_CONFIG >> 20} MiB", where=path)
    return content.decode("utf-8", errors="replace")


def read_config(data: Mapping[str, Any], source: Source) -> tuple[Pipeline, ...]:
    """The layers at the head of a model, up to the first that is no preprocessing.

    Raises:
        DeclarationError: a layer's value is none that Keras takes.
    """
    layers = values.mapping(data["config"], "config").get("layers", [])
    if not isinstance(layers, list):
        raise DeclarationError("expected a list", where="config.layers")
    steps: list[Step] = []
    written: list[tuple[str, tuple[float, ...]]] = []
    said: list[str] = []
    why = ""
    for index, layer in enumerate(layers[:256]):
        kind = layer.get("class_name") if isinstance(layer, Mapping) else None
        config = layer.get("config") if isinstance(layer, Mapping) else None
        config = config if isinstance(config, Mapping) else {}
        where = f"config.layers[{index}]"
        if kind == "InputLayer":
            continue
        if kind == "Rescaling":
            written += [
                ("multiply", values.numbers(config.get("scale"), f"{where}.scale")),
                ("add", values.numbers(config.get("offset", 0), f"{where}.offset")),
            ]
        elif kind == "Normalization":
            if config.get("mean") is None or config.get("variance") is None:
                why = "a Normalization layer keeps its mean and variance with the weights"
                break
            mean = values.numbers(config["mean"], f"{where}.mean")
            variance = values.divisors(config["variance"], f"{where}.variance")
            if min(variance) < 0:
                raise DeclarationError("a variance is negative", where=where)
            values.matching(mean, variance, where=where)
            written += [("subtract", mean), ("divide", tuple(one**0.5 for one in variance))]
        elif kind in ("Resizing", "CenterCrop"):
            steps.append(_sized(kind, config, source, where))
        elif isinstance(kind, str) and kind.startswith("Random"):
            # Layers of chance do nothing outside training.
            continue
        else:
            break
        said.append(f"{where}.{kind}")
    parts = source.says(", ".join(said)) if said else source.default("no layer of preprocessing at the head")
    bare = "" if said or why else "a model without layers of preprocessing does not say what it is given"
    why = why or bare
    affine = unknown_affine(why, parts) if why else sourced(composed(*written), {"": parts})
    return (
        Pipeline(
            name=str(data["config"].get("name", "model"))[:80],
            decode=given_pixels(source, None if bare else "RGB"),
            order=None if bare else "RGB",
            geometry=None if bare else tuple(steps),
            affine=affine,
            layout="NHWC",
            dtype="float32",
            undetermined=dict.fromkeys(("order", "geometry"), bare) if bare else {},
            provenance={"": parts},
        ),
    )


def _sized(kind: str, config: Mapping[str, Any], source: Source, where: str) -> Step:
    height = values.length(config.get("height"), f"{where}.height")
    width = values.length(config.get("width"), f"{where}.width")
    said = source.says(f"{where}.{kind}")
    if kind == "CenterCrop":
        return Crop(rule="center", height=height, width=width, rounding="floor", fill=None, provenance={"": said})
    if config.get("crop_to_aspect_ratio") or config.get("pad_to_aspect_ratio"):
        return Random(name="Resizing that keeps the aspect ratio", provenance={"": said})
    names: dict[str, Any] = {"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest_exact", "area": "area"}
    names |= {"lanczos3": "lanczos"}
    kernel = names.get(str(config.get("interpolation", "bilinear")).lower())
    return Resize(
        rule="exact",
        height=height,
        width=width,
        kernel=kernel,
        antialias="none",
        cubic=-0.5 if kernel == "cubic" else None,
        arithmetic="float32",
        engine="tensorflow",
        undetermined={} if kernel else {"kernel": f"{values.shown(config.get('interpolation'))!r} is not known"},
        provenance={"": source.default("Resizing"), "height": said, "width": said, "kernel": said},
    )

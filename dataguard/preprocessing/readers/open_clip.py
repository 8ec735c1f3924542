"""open_clip's ``preprocess_cfg``, alone or in ``open_clip_config.json``.

Source: open_clip 3.3, ``transform.py``. Where sizes are not square, `shortest` drops the kernel that is configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.normalizations import CLIP
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.readers import kernels, values
from dataguard.preprocessing.readers.source import Source, composed, opened_by_pillow, sourced
from dataguard.preprocessing.readers.torchvision import center_crop
from dataguard.preprocessing.steps import Resize, Step

MEAN, STD = CLIP


def is_config(data: Mapping[str, Any]) -> bool:
    """Whether this is a ``preprocess_cfg``, or holds one."""
    return "preprocess_cfg" in data or "resize_mode" in data


def read_config(data: Mapping[str, Any], source: Source) -> tuple[Pipeline, ...]:
    """The path for inference.

    Raises:
        DeclarationError: a value is none that open_clip takes.
    """
    config = dict(values.mapping(data.get("preprocess_cfg", data), "preprocess_cfg"))
    config = {key: value for key, value in config.items() if value is not None}
    model = data.get("model_cfg")
    vision = model.get("vision_cfg") if isinstance(model, Mapping) else None
    if "size" not in config and isinstance(vision, Mapping) and "image_size" in vision:
        config["size"] = vision["image_size"]
    height, width = values.size(config.get("size", 224), "size")
    mode = config.get("resize_mode", "shortest")
    interpolation = config.get("interpolation", "bicubic")
    mean = values.numbers(config.get("mean", MEAN), "mean")
    std = values.divisors(config.get("std", STD), "std")
    values.matching(mean, std, where="mean, std")
    kernel_said = source.of(config, "interpolation")
    rule: dict[str, Any]
    if mode == "longest":
        rule = {"rule": "fit", "rounding": "half_even"}
    elif mode == "squash":
        rule = {"rule": "exact"}
    elif mode == "shortest" and height == width:
        rule = {"rule": "short", "side": height}
    elif mode == "shortest":
        rule = {"rule": "cover", "rounding": "half_even"}
        interpolation, kernel_said = "bicubic", source.default("ResizeKeepRatio for sizes that are not square")
    else:
        raise DeclarationError(f"no way to resize is called {values.shown(mode)!r}", where="resize_mode")
    # open_clip itself takes every word but these two for bicubic.
    name = interpolation if interpolation in ("bilinear", "random") else "bicubic"
    if rule["rule"] != "short":
        rule |= {"height": height, "width": width}
    size_said = source.of(config, "size")
    resize = Resize(
        **rule,
        **kernels.pillow("bicubic" if name == "random" else name, "interpolation"),
        provenance={
            "": source.default(),
            "rule": source.of(config, "resize_mode"),
            **dict.fromkeys(("side", "height", "width"), size_said),
            "kernel": kernel_said,
        },
    )
    steps: tuple[Step, ...] = (resize,)
    if mode != "squash":
        fill = values.numbers(config.get("fill_color", 0), "fill_color") if mode == "longest" else (0.0,)
        steps += (center_crop(height, width, said=size_said, fill=fill),)
    said = {"": source.default(), "scale": source.of(config, "std"), "offset": source.of(config, "mean")}
    return (
        Pipeline(
            name="open_clip",
            decode=opened_by_pillow(source, converted=True),
            geometry=steps,
            affine=sourced(composed(("divide", 255.0), ("subtract", mean), ("divide", std)), said),
            layout="CHW",
            dtype="float32",
            provenance={"": source.default("image_transform_v2"), "geometry": source.of(config, "resize_mode")},
        ),
    )

"""timm's ``pretrained_cfg`` and ``config.json``, as ``create_transform(**resolve_data_config(…))`` runs them.

The order of precedence is the configuration, then timm's defaults: bicubic, ImageNet's mean and deviation, 0.875.
Sources: timm 1.0.31, ``data/config.py`` and ``data/transforms_factory.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dataguard.core.behaviour import version_key
from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Decode, Pipeline
from dataguard.preprocessing.readers import kernels, values
from dataguard.preprocessing.readers.source import Source, composed, sourced
from dataguard.preprocessing.readers.torchvision import IMAGENET_MEAN, IMAGENET_STD, center_crop
from dataguard.preprocessing.steps import Random, Resize, Step

_KEYS = {"input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode", "test_input_size"}


def is_config(data: Mapping[str, Any]) -> bool:
    """Whether this is a ``pretrained_cfg``, or holds one."""
    return "pretrained_cfg" in data or ("input_size" in data and len(_KEYS & set(data)) >= 3)


def read_config(data: Mapping[str, Any], source: Source) -> tuple[Pipeline, ...]:
    """The path for evaluation, and a second one where another size or crop is given for testing.

    Raises:
        DeclarationError: a value is none that timm takes.
    """
    config = values.mapping(data.get("pretrained_cfg", data), "pretrained_cfg")
    # Files that timm wrote before 0.9 repeat what matters beside the nested configuration.
    config = {key: value for key, value in {**data, **config}.items() if value is not None}
    paths = [_path(config, source, test=False)]
    if "test_input_size" in config or "test_crop_pct" in config:
        paths.append(_path(config, source, test=True))
    return tuple(paths)


def _path(config: Mapping[str, Any], source: Source, *, test: bool) -> Pipeline:
    size_key = "test_input_size" if test and "test_input_size" in config else "input_size"
    pct_key = "test_crop_pct" if test and config.get("test_crop_pct") else "crop_pct"
    channels, (height, width) = _size(config.get(size_key, (3, 224, 224)), size_key)
    pct = values.number(config.get(pct_key) or 0.875, pct_key)
    if not 0.001 <= pct <= 16:
        raise DeclarationError(f"expected a share of the picture, got {pct}", where=pct_key)
    mean = values.numbers(config.get("mean") or IMAGENET_MEAN, "mean")
    std = values.divisors(config.get("std") or IMAGENET_STD, "std")
    values.matching(mean, std, where="mean, std")
    said = {"": source.default(), "scale": source.of(config, "std"), "offset": source.of(config, "mean")}
    undetermined = {}
    if channels not in (1, 3):
        undetermined["order"] = f"the model takes {channels} channels"
    flag = "convert L" if channels == 1 else "convert RGB"
    return Pipeline(
        name="timm, for testing" if test else "timm",
        decode=replace(Decode.of("pillow", flag), provenance={"": source.default("ImageDataset converts by Pillow")}),
        order="RGB" if channels == 3 else "GRAY" if channels == 1 else None,
        geometry=_geometry(config, source, (height, width), pct, mean, (size_key, pct_key)),
        affine=sourced(composed(("divide", 255.0), ("subtract", mean), ("divide", std)), said),
        layout="CHW",
        dtype="float32",
        provenance={"": source.default("create_transform"), "order": source.of(config, size_key)},
        undetermined=undetermined,
    )


def _size(value: Any, where: str) -> tuple[int, tuple[int, int]]:
    if isinstance(value, list | tuple) and len(value) == 3:
        return values.length(value[0], where), values.size(value[1:], where)
    return 3, values.size(value, where)


def _geometry(
    config: Mapping[str, Any],
    source: Source,
    size: tuple[int, int],
    pct: float,
    mean: tuple[float, ...],
    keys: tuple[str, str],
) -> tuple[Step, ...]:
    size_said, pct_said = source.of(config, keys[0]), source.of(config, keys[1])
    mode = config.get("crop_mode") or "center"
    interpolation = config.get("interpolation") or "bicubic"
    if interpolation == "random":
        return (Random(name="random interpolation", provenance={"": source.says("interpolation")}),)
    larger = math.floor(size[0] / pct), math.floor(size[1] / pct)
    rule: dict[str, Any]
    kernel_said = source.of(config, "interpolation")
    if mode == "squash":
        rule = {"rule": "exact", "height": larger[0], "width": larger[1]}
    elif mode == "border":
        rule = {"rule": "fit", "height": larger[0], "width": larger[1], "rounding": "half_even"}
    elif larger[0] == larger[1]:
        rule = {"rule": "short", "side": larger[0]}
    else:
        rule = {"rule": "cover", "height": larger[0], "width": larger[1], "rounding": "half_even"}
    fields = kernels.pillow(interpolation, "interpolation")
    if rule["rule"] == "cover":
        # The configured kernel was not passed on to this step, whose own is bilinear.
        if not source.version and fields["kernel"] != "linear":
            why = "timm before 1.0.31 resizes to sizes that are not square bilinearly, whatever is configured"
            fields |= {"kernel": None, "undetermined": {"kernel": why}}
        elif source.version and version_key(source.version) < version_key("1.0.31"):
            fields = kernels.pillow("bilinear", "interpolation")
            kernel_said = source.default("ResizeKeepRatio for sizes that are not square")
    resize = Resize(
        **rule,
        **fields,
        provenance={
            "": source.default(),
            "rule": source.of(config, "crop_mode"),
            **dict.fromkeys(("side", "height", "width"), pct_said if pct != 1 else size_said),
            "kernel": kernel_said,
        },
    )
    levels = values.numbers([255 * value for value in mean], "mean")
    fill = tuple(float(round(level)) for level in levels) if mode == "border" else (0.0,)
    return resize, center_crop(*size, said=size_said, fill=fill)

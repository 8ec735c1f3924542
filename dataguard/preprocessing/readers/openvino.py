"""OpenVINO's IR (``.xml``): what Model API and the converter wrote into ``rt_info``.

(x − mean_values) / scale_values, after reverse_input_channels. `model_info` is done by Model API when it loads the
model; `conversion_parameters` are already part of the graph. Both are part of the path to the first layer.
Sources: OpenVINO Model API, ``docs/model-configuration``; OpenVINO 2024, ``convert_model`` options.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Affine, Dtype, Layout, Pipeline
from dataguard.preprocessing.readers import values
from dataguard.preprocessing.readers.source import (
    Source,
    composed,
    given_pixels,
    sized_by_caller,
    sourced,
    unknown_affine,
)
from dataguard.preprocessing.steps import Crop, Pad, Resize, Step

LARGEST = 256 * 2**20
_DTYPES: dict[str, Dtype] = {"f32": "float32", "f16": "float16", "u8": "uint8", "i8": "int8", "f64": "float64"}
_KERNELS: dict[str, Any] = {"LINEAR": "linear", "CUBIC": "cubic", "NEAREST": "nearest"}


def is_model(text: str) -> bool:
    """Whether a text that begins so is an IR."""
    return re.search(r"<net\b[^>]*\bversion=", text[:4096]) is not None


def read_model(text: str, source: Source) -> tuple[Pipeline, ...]:
    """The path to the first input.

    Raises:
        DeclarationError: the file is broken, or declares entities, which an IR has no need of.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DeclarationError("an IR has no DOCTYPE", where=source.path)
    if len(text) > LARGEST:
        raise DeclarationError(f"more than {LARGEST >> 20} MiB", where=source.path)
    try:
        root = ET.fromstring(text)  # noqa: S314 - entities were refused
    except (ET.ParseError, RecursionError) as error:
        raise DeclarationError(f"not XML: {error}", where=source.path) from error
    info = _info(root)
    layer = next((one for one in root.iter("layer") if one.get("type") == "Parameter"), None)
    data = None if layer is None else layer.find("data")
    shape = [] if data is None else [_integer(one) for one in (data.get("shape") or "").split(",")]
    element = "" if data is None else data.get("element_type", "")
    written_layout = re.sub(r"[^NCHW]", "", info.get("layout", "").upper())
    layout, sides = _layout(written_layout, shape)
    undetermined = {}
    if layout is None:
        undetermined["layout"] = "neither layout nor the input's shape say where the channels are"
    dtype = _DTYPES.get(element)
    if dtype is None:
        undetermined["dtype"] = f"element_type is {element[:20]!r}"
    geometry = _geometry(info, sides, source)
    if geometry is None:
        undetermined["geometry"] = "the input takes any size"
    reversed_channels = _yes(info.get("reverse_input_channels", ""))
    return (
        Pipeline(
            name=f"openvino, {(root.get('name') or 'model')[:60]}",
            decode=given_pixels(source, "BGR" if reversed_channels else "RGB", said=source.default("OpenCV's order")),
            order="RGB",
            geometry=geometry,
            affine=_affine(info, source),
            layout=layout,
            dtype=dtype,
            provenance={
                "": source.says("Parameter"),
                "order": source.of(info, "reverse_input_channels"),
                "layout": source.of(info, "layout"),
            },
            undetermined=undetermined,
        ),
    )


def _info(root: ET.Element) -> dict[str, str]:
    found: dict[str, str] = {}
    wanted = {"resize_type", "pad_value", "reverse_input_channels", "mean_values", "scale_values", "layout",
              "orig_height", "interpolation"}  # fmt: skip
    for section in root.iter():
        if section.tag in ("rt_info", "model_info", "conversion_parameters", "cli_parameters"):
            for child in section:
                if child.tag in wanted and child.get("value") is not None:
                    found.setdefault(child.tag, child.get("value", ""))
    return found


def _layout(written: str, shape: list[int]) -> tuple[Layout | None, tuple[int, int]]:
    layouts: dict[str, Layout] = {"NCHW": "NCHW", "NHWC": "NHWC", "CHW": "CHW", "HWC": "HWC"}
    name = layouts.get(written)
    if name is None and len(shape) == 4:
        name = "NCHW" if shape[1] in (1, 3) else "NHWC" if shape[3] in (1, 3) else None
    if name is None or len(shape) != len(name):
        return name, (-1, -1)
    return name, (shape[name.index("H")], shape[name.index("W")])


def _geometry(info: dict[str, str], sides: tuple[int, int], source: Source) -> tuple[Step, ...] | None:
    height, width = sides
    if min(sides) < 1:
        return None
    kind = info.get("resize_type")
    if kind is None:
        return (sized_by_caller(height, width, source.says("shape"), source),)
    said = {"": source.says("resize_type"), "kernel": source.default("Model API resizes by OpenCV")}
    size: dict[str, Any] = {"height": height, "width": width, "provenance": said, "engine": "opencv"}
    fill = (float(_integer(info.get("pad_value", "0"))),)
    if kind == "standard":
        return (Resize(rule="exact", **size),)
    pad: dict[str, Any] = {
        "height": height,
        "width": width,
        "fill": fill,
        "provenance": {"": source.of(info, "pad_value")},
    }
    if kind == "fit_to_window_letterbox":
        return Resize(rule="fit", rounding="half_even", **size), Pad(rule="to", position="center", **pad)
    if kind == "fit_to_window":
        return Resize(rule="fit", rounding="half_even", **size), Pad(rule="to", position="top_left", **pad)
    if kind == "crop" and height == width:
        cut = Crop(rule="square", provenance={"": source.says("resize_type")})
        return cut, Resize(rule="exact", **size)
    return (sized_by_caller(height, width, source.says("resize_type"), source),)


def _affine(info: dict[str, str], source: Source) -> Affine:
    if "mean_values" not in info and "scale_values" not in info:
        return unknown_affine("rt_info has no mean_values or scale_values", source.default("rt_info"))
    mean = _numbers(info.get("mean_values", ""), "mean_values", 0.0)
    scale = values.divisors(list(_numbers(info.get("scale_values", ""), "scale_values", 1.0)), "scale_values")
    values.matching(mean, scale, where="mean_values, scale_values")
    said = {
        "": source.default("rt_info"),
        "offset": source.of(info, "mean_values"),
        "scale": source.of(info, "scale_values"),
    }
    return sourced(composed(("subtract", mean), ("divide", scale)), said)


def _numbers(text: str, where: str, default: float) -> tuple[float, ...]:
    found = re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", text)[: values.MOST]
    return values.numbers([float(one) for one in found] or [default], where)


def _integer(text: str) -> int:
    try:
        return int(text.strip())
    except ValueError:
        return -1


def _yes(text: str) -> bool:
    return text.strip().lower() in ("true", "yes", "1")

"""NVIDIA DALI: a pipeline written in Python, read and never run. Serialized ones are not read.

crop_mirror_normalize gives scale·(x − mean)/std + shift. Decoding on the GPU does not interpolate chroma by default
(``jpeg_fancy_upsampling=False``); resizes widen their kernel unless ``antialias=False``.
Source: DALI 1.4x, operator reference of ``fn.decoders.image``, ``fn.resize`` and ``fn.crop_mirror_normalize``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dataguard.preprocessing.pipeline import Affine, Decode, Dtype, Layout, Order, Pipeline
from dataguard.preprocessing.readers import literals, values
from dataguard.preprocessing.readers.source import Source, composed, sourced
from dataguard.preprocessing.steps import Crop, Random, Resize, Step

_KERNELS: dict[str, Any] = {
    "INTERP_NN": "nearest_exact",
    "INTERP_LINEAR": "linear",
    "INTERP_CUBIC": "cubic",
    "INTERP_LANCZOS3": "lanczos",
    "INTERP_TRIANGULAR": "linear",
    "INTERP_GAUSSIAN": None,
}
_DTYPES: dict[str, Dtype] = {
    "FLOAT": "float32",
    "FLOAT16": "float16",
    "UINT8": "uint8",
    "INT8": "int8",
    "FLOAT64": "float64",
}


def is_program(text: str) -> bool:
    """Whether a text of Python defines a pipeline of DALI."""
    return "nvidia.dali" in text and "fn." in text


def read_program(text: str, source: Source) -> tuple[Pipeline, ...]:
    """The path of every function that is decorated with ``pipeline_def``; of the module where there is none.

    Raises:
        DeclarationError: it is no Python, or a value is none that DALI takes.
    """
    tree = literals.parsed(text, source.path)
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any("pipeline_def" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]
    names = dict(_assigned(tree.body))
    places: list[tuple[str, list[ast.stmt]]] = [(one.name, one.body) for one in functions] or [("dali", tree.body)]
    found = []
    for name, body in places:
        calls = list(_calls(body, {**names, **dict(_assigned(body))}))
        if calls:
            found.append(_path(name, calls, source))
    return tuple(found)


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, Any]]:
    names: dict[str, Any] = {}
    for statement in body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            found = literals.value(statement.value, names)
            if not isinstance(found, literals.Call | literals.Unread):
                names[statement.targets[0].id] = found
                yield statement.targets[0].id, found


def _calls(body: list[ast.stmt], names: Mapping[str, Any]) -> Iterator[literals.Call]:
    found = [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call)]
    for node in sorted(found, key=lambda one: (one.end_lineno or 0, one.end_col_offset or 0)):
        name = ast.unparse(node.func)
        if name.rpartition("fn.")[2].startswith(("readers", "external_source")) or "fn." not in name:
            continue
        made = literals.value(node, names)
        if isinstance(made, literals.Call):
            yield literals.Call(name.rpartition("fn.")[2], made, node.lineno)


@dataclass
class _State:
    source: Source
    steps: list[Step] = field(default_factory=list)
    affine: Affine = field(default_factory=Affine)
    order: Order | None = "RGB"
    layout: Layout = "NHWC"
    dtype: Dtype | None = "uint8"
    unread: list[str] = field(default_factory=list)
    decode: Decode | None = None


def _path(name: str, calls: list[literals.Call], source: Source) -> Pipeline:
    state = _State(source=source)
    for call in calls:
        _take(state, call)
    undetermined: dict[str, str] = {}
    if state.unread:
        undetermined["geometry"] = f"what {', '.join(state.unread)} does is not known"
    if state.order is None:
        undetermined["order"] = "output_type is not known"
    if state.dtype is None:
        undetermined["dtype"] = "dtype is not known"
    if not state.affine.provenance:
        state.affine = sourced(state.affine, {"": source.default("levels are left as they are")})
    return Pipeline(
        name=name,
        decode=state.decode or _decoder(literals.Call("", {}, 0), source, state),
        order=state.order,
        geometry=None if state.unread else tuple(state.steps),
        affine=state.affine,
        layout=state.layout,
        dtype=state.dtype,
        provenance={"": source.default(), "geometry": source.says(name)},
        undetermined=undetermined,
    )


def _take(state: _State, call: literals.Call) -> None:
    source, kind = state.source, call.name
    said = source.says(kind, line=call.line or None)
    if kind.startswith("decoders.image"):
        state.decode = _decoder(call, source, state)
        if kind != "decoders.image":
            state.steps.append(Random(name=kind, provenance={"": said}))
    elif kind == "resize":
        state.steps.append(_resize(call, source))
    elif kind in ("crop_mirror_normalize", "crop"):
        _crop(state, call)
    elif kind == "normalize":
        state.affine = _normalize(call, source, 0.0, 1.0)
        state.dtype = _dtype(call, "float32")
    elif kind == "cast":
        state.dtype = _dtype(call, None)
    elif kind.startswith(("random.", "coin_flip", "uniform")):
        return
    elif kind.startswith(("random_resized_crop", "flip", "rotate", "color_twist", "brightness", "hsv", "warp_affine")):
        state.steps.append(Random(name=kind, provenance={"": said}))
    elif kind not in ("reshape", "pad", "readers.file", "python_function", "copy", "cat"):
        return
    else:
        state.unread.append(kind)


def _decoder(call: literals.Call, source: Source, state: _State) -> Decode:
    kind = _name(call.get("output_type", "RGB"))
    orders: dict[str, Order] = {"RGB": "RGB", "BGR": "BGR", "GRAY": "GRAY"}
    order = orders.get(kind)
    state.order = order
    fancy = call.get("jpeg_fancy_upsampling", False)
    turned = call.get("adjust_orientation", True)
    why = "DALI has a decoder of its own"
    missing = {"library": why, "alpha": why, "sixteen_bit": why}
    if order is None:
        missing["order"] = f"output_type is {kind}"
    return Decode(
        library=None,
        flags=(f"device={call.get('device', 'cpu')}", f"jpeg_fancy_upsampling={bool(fancy)}"),
        order=order,
        exif="applied" if turned else "ignored",
        alpha=None,
        gray="kept" if order == "GRAY" else "repeated",
        sixteen_bit=None,
        undetermined=missing,
        provenance={
            "": source.default("decoders.image"),
            "order": source.of(call, "output_type"),
            "exif": source.of(call, "adjust_orientation"),
            "flags": source.of(call, "jpeg_fancy_upsampling"),
        },
    )


def _resize(call: literals.Call, source: Source) -> Step:
    said = source.says("resize", line=call.line or None)
    rule: dict[str, Any] = {}
    width, height = call.get("resize_x"), call.get("resize_y")
    size, mode = call.get("size"), _name(call.get("mode", "default"))
    if size is not None:
        height, width = values.size(size, "resize.size")
    if call.get("resize_shorter") is not None:
        rule = {"rule": "short", "side": call["resize_shorter"]}
        if call.get("max_size") is not None:
            rule["longest"] = call["max_size"]
    elif call.get("resize_longer") is not None:
        rule = {"rule": "long", "side": call["resize_longer"]}
    elif height is not None and width is not None:
        modes = {"default": "exact", "stretch": "exact", "not_larger": "fit", "not_smaller": "cover"}
        rule = {"rule": modes.get(mode), "height": height, "width": width}
    if not rule or rule["rule"] is None or any(not isinstance(one, int | float | str) for one in rule.values()):
        return Random(name="resize to a size that is not written", provenance={"": said})
    for key in ("side", "longest", "height", "width"):
        if key in rule:
            rule[key] = values.length(rule[key], f"resize.{key}")
    interpolation = _name(call.get("interp_type", "INTERP_LINEAR"))
    kernel = _KERNELS.get(interpolation)
    antialias = bool(call.get("antialias", True)) or interpolation == "INTERP_TRIANGULAR"
    undetermined = {"engine": "DALI resamples by itself"}
    if kernel is None:
        undetermined["kernel"] = f"interp_type is {interpolation}"
    return Resize(
        **rule,
        rounding="half_up",
        kernel=kernel,
        antialias="scaled" if antialias and kernel != "nearest_exact" else "none",
        cubic=-0.5 if kernel == "cubic" else None,
        arithmetic="rounded",
        engine=None,
        undetermined=undetermined,
        provenance={
            "": source.default("resize"),
            "rule": said,
            "kernel": source.of(call, "interp_type"),
            "antialias": source.of(call, "antialias"),
        },
    )


def _crop(state: _State, call: literals.Call) -> None:
    source = state.source
    said = source.says(call.name, line=call.line or None)
    size = call.get("crop")
    if size is None and call.get("crop_h") is not None and call.get("crop_w") is not None:
        size = [call["crop_h"], call["crop_w"]]
    places = {call.get("crop_pos_x", 0.5), call.get("crop_pos_y", 0.5)} if _plain_places(call) else {None}
    if size is not None and not isinstance(size, literals.Unread | literals.Call):
        height, width = values.size(size, f"{call.name}.crop")
        if places == {0.5}:
            state.steps.append(
                Crop(rule="center", height=height, width=width, rounding="half_even", fill=None,
                     undetermined={"fill": "DALI refuses pictures that are smaller"}, provenance={"": said})
            )  # fmt: skip
        else:
            state.steps.append(Random(name="crop at a place of its own", provenance={"": said}))
    if call.name == "crop":
        return
    mirror = call.get("mirror", 0)
    if mirror not in (0, False):
        state.steps.append(Random(name="mirror", provenance={"": said}))
    state.affine = _normalize(call, source, 0.0, 1.0)
    layouts: dict[str, Layout] = {"CHW": "NCHW", "HWC": "NHWC"}
    state.layout = layouts.get(_name(call.get("output_layout", "CHW")), "NCHW")
    state.dtype = _dtype(call, "float32")


def _plain_places(call: literals.Call) -> bool:
    return all(isinstance(call.get(key, 0.5), int | float) for key in ("crop_pos_x", "crop_pos_y"))


def _normalize(call: literals.Call, source: Source, mean_default: float, std_default: float) -> Affine:
    said = {
        "": source.says(call.name, line=call.line or None),
        "offset": source.of(call, "mean"),
        "scale": source.of(call, "std"),
    }
    given = [
        call.get("mean", mean_default),
        call.get("std", std_default),
        call.get("scale", 1.0),
        call.get("shift", 0.0),
    ]
    flat = [inner for one in given for inner in (one if isinstance(one, list | tuple) else [one])]
    if any(isinstance(one, literals.Unread | literals.Call) for one in flat):
        why = "mean, std, scale or shift is not written as numbers"
        return Affine(scale=None, offset=None, undetermined={"scale": why, "offset": why}, provenance=said)
    mean = values.numbers(given[0], f"{call.name}.mean")
    std = values.divisors(given[1], f"{call.name}.std")
    scale = values.numbers(given[2], f"{call.name}.scale")
    shift = values.numbers(given[3], f"{call.name}.shift")
    values.matching(mean, std, scale, shift, where=call.name)
    written: list[tuple[str, Any]] = [("subtract", mean), ("divide", std)]
    if scale != (1.0,):
        written.append(("multiply", scale))
    if shift != (0.0,):
        written.append(("add", shift))
    return sourced(composed(*written), said)


def _dtype(call: literals.Call, default: Dtype | None) -> Dtype | None:
    if call.get("dtype") is None:
        return default
    return _DTYPES.get(_name(call["dtype"]))


def _name(value: Any) -> str:
    """The last part of ``types.FLOAT``, or a text."""
    return str(value).rpartition(".")[2]

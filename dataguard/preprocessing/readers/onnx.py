"""ONNX models: the metadata about the picture, and the head of the graph, read without a library.

The head is followed from the first input as long as every operator has one use and does what preprocessing does: Cast,
Identity, Transpose, Sub, Add, Mul, Div, Resize, and Gather that reverses the channels. The path ends where it does: at
the model's first layer. Weights are skipped unread, so that a model of many gigabytes is no different.

Sources: ``onnx/onnx.proto`` (field numbers), ``onnx/docs/MetadataProps.md``, ``docs/Operators.md`` (Resize).
"""

from __future__ import annotations

import ast
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Affine, Dtype, Layout, Order, Pipeline
from dataguard.preprocessing.readers import ultralytics
from dataguard.preprocessing.readers.protobuf import Bytes, Message
from dataguard.preprocessing.readers.source import (
    Source,
    composed,
    given_pixels,
    sized_by_caller,
    sourced,
    unknown_affine,
)
from dataguard.preprocessing.steps import Resize, Step

_DTYPES: dict[int, Dtype] = {1: "float32", 2: "uint8", 3: "int8", 10: "float16", 11: "float64"}
_NUMPY = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 10: "<f2", 11: "<f8"}
_ORDERS: dict[str, Order] = {"Gray8": "GRAY", "Rgb8": "RGB", "Bgr8": "BGR", "Rgba8": "RGBA", "Bgra8": "BGRA"}
_RANGES: dict[str, tuple[tuple[str, float], ...]] = {
    "NominalRange_0_255": (),
    "Normalized_0_1": (("divide", 255.0),),
    "Normalized_1_1": (("divide", 127.5), ("subtract", 1.0)),
}
_AFFINE = {"Sub": "subtract", "Add": "add", "Mul": "multiply", "Div": "divide"}
MOST_CONSTANT = 4096
"""Bytes of a constant that are read: means and sizes are smaller, weights are not needed."""


def is_model(head: bytes) -> bool:
    """Whether a file that begins so may be an ONNX model: its first field is ``ir_version``, a small number."""
    return len(head) > 8 and head[0] == 0x08 and 1 <= head[1] <= 32


def read_model(path: Path, source: Source) -> tuple[Pipeline, ...]:
    """The path to the first layer behind the first input.

    Raises:
        DeclarationError: the file is broken.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return read_bytes(data, source)
    except (OSError, ValueError) as error:
        raise DeclarationError(f"cannot be read: {error}", where=path) from error


def read_bytes(data: Bytes, source: Source) -> tuple[Pipeline, ...]:
    """`read_model` of bytes.

    Raises:
        DeclarationError: they are no model.
    """
    model = Message(data=data, start=0, end=len(data))
    graph = next(model.messages(7), None)
    if graph is None:
        raise DeclarationError("an ONNX model without a graph", where=source.path)
    props = {entry.text(1): entry.text(2) for entry in model.messages(14)}
    found = [_read_graph(graph, props, source)]
    if "imgsz" in props and "stride" in props:
        # Ultralytics writes what its own predictor does around the graph.
        literal = {key: _literal(value) for key, value in props.items()}
        found += ultralytics.read_config({**literal, "names": ""}, source.run_by("ultralytics"))
    return tuple(found)


@dataclass
class _Head:
    """What the operators so far come to."""

    source: Source
    layout: str
    channels: int
    steps: list[Step] = field(default_factory=list)
    written: list[tuple[str, tuple[float, ...]]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    reversed_channels: bool = False
    dtype: Dtype | None = "float32"


def _read_graph(graph: Message, props: Mapping[str, str], source: Source) -> Pipeline:
    constants = {one.text(8): one for one in graph.messages(5)}
    nodes = list(graph.messages(1))
    for node in nodes:
        if node.text(4) == "Constant":
            for attribute in node.messages(5):
                if attribute.text(1) == "value":
                    for tensor in attribute.messages(5):
                        constants[node.text(2)] = tensor
    given = next((one for one in graph.messages(11) if one.text(1) not in constants), None)
    if given is None:
        raise DeclarationError("an ONNX graph without an input", where=source.path)
    name = given.text(1)
    tensor_type = next((kind for value in given.messages(2) for kind in value.messages(1)), None)
    element = 0 if tensor_type is None else tensor_type.integer(1)
    shape = [] if tensor_type is None else _shape(tensor_type)
    layout = _layout(shape)
    channels = shape[layout.index("C")] if layout and len(shape) == len(layout) else 3
    head = _Head(source=source, layout=layout, channels=channels, dtype=_DTYPES.get(element))
    if layout:
        _follow(head, name, nodes, constants)
    return _pipeline(head, name, shape, element, props)


def _shape(tensor_type: Message) -> list[int]:
    shape = next(tensor_type.messages(2), None)
    return [] if shape is None else [dimension.integer(1, -1) for dimension in shape.messages(1)]


def _layout(shape: list[int]) -> str:
    if len(shape) == 4:
        if shape[1] in (1, 3, 4) and shape[3] not in (1, 3, 4):
            return "NCHW"
        return "NHWC" if shape[3] in (1, 3, 4) and shape[1] not in (1, 3, 4) else ""
    if len(shape) == 3:
        if shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
            return "CHW"
        return "HWC" if shape[2] in (1, 3, 4) and shape[0] not in (1, 3, 4) else ""
    return ""


def _follow(head: _Head, name: str, nodes: list[Message], constants: Mapping[str, Message]) -> None:
    users: dict[str, list[Message]] = {}
    for node in nodes:
        for one in set(node.texts(1)):
            users.setdefault(one, []).append(node)
    for _ in range(64):
        following = users.get(name, [])
        if len(following) != 1:
            return
        node = following[0]
        if not _take(head, node, name, constants):
            return
        outputs = node.texts(2)
        if not outputs:
            return
        name = outputs[0]


def _take(head: _Head, node: Message, name: str, constants: Mapping[str, Message]) -> bool:
    """Take an operator into the head; False where it is no preprocessing."""
    kind, inputs = node.text(4), node.texts(1)
    attributes = {one.text(1): one for one in node.messages(5)}
    if kind == "Identity":
        return True
    if kind == "Cast":
        head.dtype = _DTYPES.get(attributes["to"].integer(3)) if "to" in attributes else None
        return head.dtype is not None
    if kind == "Transpose":
        order = attributes["perm"].integers(8) if "perm" in attributes else []
        if sorted(order) != list(range(len(head.layout))):
            return False
        head.layout = "".join(head.layout[axis] for axis in order)
    elif kind in _AFFINE:
        if len(inputs) != 2 or (kind in ("Sub", "Div") and inputs[0] != name):
            return False
        other = _per_channel(constants.get(inputs[1] if inputs[0] == name else inputs[0]), head)
        if other is None or (kind == "Div" and 0.0 in other):
            return False
        head.written.append((_AFFINE[kind], other))
    elif kind == "Gather":
        axis = attributes["axis"].integer(3) if "axis" in attributes else 0
        picked = _array(constants.get(inputs[1])) if len(inputs) == 2 else None
        at = axis if axis >= 0 else axis + len(head.layout)
        if picked is None or at != head.layout.find("C") or picked.ravel().tolist() != [2, 1, 0]:
            return False
        head.reversed_channels = not head.reversed_channels
        head.written = [(one, values[::-1]) for one, values in head.written]
    elif kind == "Resize":
        return _resize(head, inputs, attributes, constants)
    else:
        return False
    head.said.append(node.text(3) or kind)
    return True


def _resize(
    head: _Head, inputs: list[str], attributes: Mapping[str, Message], constants: Mapping[str, Message]
) -> bool:
    rows, columns = head.layout.find("H"), head.layout.find("W")
    mode = attributes["mode"].text(4) if "mode" in attributes else "nearest"
    where = (
        attributes["coordinate_transformation_mode"].text(4) if "coordinate_transformation_mode" in attributes else ""
    )
    aligns: dict[str, Any] = {"": "half_pixel", "half_pixel": "half_pixel", "pytorch_half_pixel": "half_pixel",
                              "align_corners": "align_corners", "asymmetric": "asymmetric"}  # fmt: skip
    sizes = _array(constants.get(inputs[3])) if len(inputs) > 3 else None
    scales = _array(constants.get(inputs[2])) if len(inputs) > 2 else None
    rule: dict[str, Any]
    if sizes is not None and sizes.size == len(head.layout) and min(sizes.ravel()) > 0:
        rule = {"rule": "exact", "height": int(sizes.ravel()[rows]), "width": int(sizes.ravel()[columns])}
    elif scales is not None and scales.size == len(head.layout) and scales.ravel()[rows] == scales.ravel()[columns]:
        rule = {"rule": "scale", "factor": float(scales.ravel()[rows])}
    else:
        return False
    kernels: dict[str, Any] = {"nearest": "nearest", "linear": "linear", "cubic": "cubic"}
    if mode not in kernels or where not in aligns:
        return False
    widened = "antialias" in attributes and attributes["antialias"].integer(3) == 1
    cubic = -0.75
    if "cubic_coeff_a" in attributes:
        for number, value in attributes["cubic_coeff_a"].fields():
            if number == 2 and isinstance(value, Message):
                cubic = float(struct.unpack("<f", value.content(4))[0])
    head.steps.append(
        Resize(
            **rule,
            kernel=kernels[mode],
            antialias="scaled" if widened else "none",
            cubic=cubic if mode == "cubic" else None,
            align=aligns[where],
            arithmetic="float32",
            engine=None,
            undetermined={"engine": "the runtime that executes the graph resamples"},
            provenance={"": head.source.says("Resize")},
        )
    )
    return True


def _array(tensor: Message | None) -> Any:
    """A small constant; None where there is none, or it is large."""
    if tensor is None:
        return None
    kind = tensor.integer(2)
    dims = tensor.integers(1)
    raw = next(tensor.messages(9), None)
    if raw is not None:
        if raw.end - raw.start > MOST_CONSTANT or kind not in _NUMPY:
            return None
        content = raw.content()
        if len(content) % np.dtype(_NUMPY[kind]).itemsize:
            return None
        found = np.frombuffer(content, dtype=_NUMPY[kind])
    elif kind == 1:
        found = np.array(tensor.floats(4)[: MOST_CONSTANT // 4], dtype=np.float32)
    elif kind in (6, 7):
        found = np.array(tensor.integers(5 if kind == 6 else 7)[: MOST_CONSTANT // 8], dtype=np.int64)
    else:
        return None
    if any(side < 0 for side in dims) or int(np.prod(dims, dtype=object)) != found.size:
        return None
    return found.reshape(dims)


def _per_channel(tensor: Message | None, head: _Head) -> tuple[float, ...] | None:
    """A constant that is one value, or one for every channel along the channels' axis."""
    found = _array(tensor)
    if found is None or found.dtype.kind not in "fiu" or not np.isfinite(found).all():
        return None
    if found.size == 1:
        return (float(found.ravel()[0]),)
    axis = head.layout.find("C") - len(head.layout)
    if found.size != head.channels or -axis > found.ndim or found.shape[axis] != head.channels:
        return None
    return tuple(float(one) for one in found.ravel())


def _pipeline(head: _Head, name: str, shape: list[int], element: int, props: Mapping[str, str]) -> Pipeline:
    source = head.source
    said = source.says(f"input {name[:60]}")
    undetermined: dict[str, str] = {}
    layouts: dict[str, Layout] = {"NCHW": "NCHW", "NHWC": "NHWC", "CHW": "CHW", "HWC": "HWC"}
    layout = layouts.get(head.layout)
    if layout is None:
        undetermined["layout"] = "the input's shape does not say where the channels are"
    if head.dtype is None:
        undetermined["dtype"] = f"element type {element} of ONNX"
    given = _ORDERS.get(props.get("Image.BitmapPixelFormat", ""))
    order: Order | None = given
    if head.reversed_channels and given in ("RGB", "BGR"):
        order = "BGR" if given == "RGB" else "RGB"
    if order is None and head.channels == 1:
        order = "GRAY"
    if order is None:
        undetermined["order"] = "the metadata have no Image.BitmapPixelFormat"
    geometry: tuple[Step, ...] | None = tuple(head.steps)
    original = _layout(shape)
    if not head.steps:
        sides = [shape[original.index(axis)] for axis in "HW"] if original else [-1, -1]
        if min(sides) > 0:
            geometry = (sized_by_caller(sides[0], sides[1], said, source),)
        else:
            geometry = None
            undetermined["geometry"] = "the input takes any size"
    return Pipeline(
        name=f"onnx, {name[:60]}",
        decode=given_pixels(source, given, why="the metadata have no Image.BitmapPixelFormat"),
        order=order,
        geometry=geometry,
        affine=_affine(head, element, props),
        layout=layout,
        dtype=head.dtype,
        provenance={
            "": said,
            "order": source.of(props, "Image.BitmapPixelFormat"),
            "geometry": source.says(", ".join(head.said)) if head.steps else said,
        },
        undetermined=undetermined,
    )


def _affine(head: _Head, element: int, props: Mapping[str, str]) -> Affine:
    source, nominal = head.source, props.get("Image.NominalPixelRange", "")
    operators = source.says(", ".join(head.said)) if head.written else source.default("no map at the head")
    if nominal in _RANGES:
        before = list(_RANGES[nominal])
        said = {"": source.says("Image.NominalPixelRange")} if not head.written else {"": operators}
        return sourced(composed(*before, *head.written), said)
    if _DTYPES.get(element) == "uint8":
        return sourced(composed(*head.written), {"": operators})
    why = "whether the input takes levels of 0 to 255 is not written"
    if head.written:
        made = composed(*head.written)
        why += f"; the graph maps it by scale {made.scale} and offset {made.offset}"
    return unknown_affine(why, operators)


def _literal(text: str) -> Any:
    if len(text) > 2000:
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text

"""TFLite models: the metadata in the file, the input's shape and type, and its quantization.

The metadata say (level − mean) / std on levels of 0 to 255, and the colours; quantization comes after it:
round(x / scale) + zero point. They do not say how a picture is brought to the input's size.
Sources: ``tensorflow/lite/schema/schema.fbs`` and ``tflite-support/metadata/metadata_schema.fbs``.
"""

from __future__ import annotations

import math
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Affine, Dtype, Layout, Order, Pipeline
from dataguard.preprocessing.provenance import Provenance
from dataguard.preprocessing.readers import values
from dataguard.preprocessing.readers.flatbuffer import Table
from dataguard.preprocessing.readers.source import (
    Source,
    composed,
    given_pixels,
    sized_by_caller,
    sourced,
    unknown_affine,
)
from dataguard.preprocessing.steps import Step

IDENTIFIER = b"TFL3"
_METADATA = b"TFLITE_METADATA"
_META_IDENTIFIER = b"M001"
_DTYPES: dict[int, Dtype] = {0: "float32", 1: "float16", 3: "uint8", 9: "int8", 10: "float64"}
_NORMALIZATION = 1
_IMAGE = 2


def is_model(head: bytes) -> bool:
    """Whether a file that begins so is a TFLite model."""
    return head[4:8] == IDENTIFIER


def read_model(content: bytes, source: Source) -> tuple[Pipeline, ...]:
    """The path to every input of the first subgraph that may be a picture.

    Raises:
        DeclarationError: the file is broken.
    """
    model = Table.root(content)
    graphs = model.tables(2)
    if not graphs:
        raise DeclarationError("a TFLite model without a graph", where=source.path)
    tensors = graphs[0].tables(0)
    inputs = [int(index) for index in graphs[0].numbers(1, "i")]
    described = _described(model)
    found = []
    for place, index in enumerate(inputs[:64]):
        if not 0 <= index < len(tensors):
            raise DeclarationError(f"input {place} is tensor {index}, which there is not", where=source.path)
        shape = [int(side) for side in tensors[index].numbers(0, "i")]
        if len(shape) in (3, 4):
            meta = described[place] if place < len(described) else None
            found.append(_path(tensors[index], shape, meta, source))
    return tuple(found)


def _described(model: Table) -> list[Table]:
    buffers = model.tables(4)
    for entry in model.tables(6):
        if entry.content(0).rstrip(b"\0") != _METADATA:
            continue
        number = entry.unsigned(1)
        if number >= len(buffers):
            raise DeclarationError(f"the metadata are in buffer {number}, which there is not")
        content = buffers[number].content(0)
        if content[4:8] == _META_IDENTIFIER:
            graphs = Table.root(content).tables(3)
            return graphs[0].tables(2) if graphs else []
    return []


def _path(tensor: Table, shape: list[int], meta: Table | None, source: Source) -> Pipeline:
    dtype = _DTYPES.get(tensor.byte(1))
    sides = shape[-3:]
    name = tensor.content(3).decode("utf-8", errors="replace")[:80]
    said = source.says(f"input {name!r}")
    undetermined: dict[str, str] = {}
    layout: Layout | None = "NHWC" if len(shape) == 4 else "HWC"
    if sides[2] not in (1, 3, 4) and sides[0] in (1, 3, 4):
        layout, sides = ("NCHW" if len(shape) == 4 else "CHW"), [sides[1], sides[2], sides[0]]
    order, order_said = _order(meta, sides[2], source, undetermined)
    geometry: tuple[Step, ...] | None = None
    if min(sides[:2]) > 0:
        geometry = (sized_by_caller(sides[0], sides[1], said, source),)
    else:
        undetermined["geometry"] = "the input takes any size"
    if dtype is None:
        undetermined["dtype"] = f"type {tensor.byte(1)} of the schema"
    return Pipeline(
        name=name or "input",
        decode=given_pixels(source, "RGB", said=source.default("metadata are about RGB")),
        order=order,
        geometry=geometry,
        affine=_affine(tensor, meta, dtype, source),
        layout=layout,
        dtype=dtype,
        provenance={"": said, "order": order_said},
        undetermined=undetermined,
    )


def _order(
    meta: Table | None, channels: int, source: Source, undetermined: dict[str, str]
) -> tuple[Order | None, Provenance]:
    content = None if meta is None else meta.table(3)
    if content is not None and content.byte(0) == _IMAGE:
        image = content.table(1)
        colours = 0 if image is None else image.byte(0)
        if colours in (1, 2):
            return ("RGB" if colours == 1 else "GRAY"), source.says("ImageProperties.color_space")
    if channels == 1:
        return "GRAY", source.says("the input's shape")
    undetermined["order"] = "the file has no metadata about colours"
    return None, source.default("no metadata")


def _affine(tensor: Table, meta: Table | None, dtype: str | None, source: Source) -> Affine:
    normalization = _normalization(meta)
    if normalization is None:
        why = "the file has no NormalizationOptions, so the caller decides what levels become"
        return unknown_affine(why, source.default("no metadata"))
    mean, std = normalization
    values.matching(mean, std, where="NormalizationOptions")
    written: list[tuple[str, Any]] = [("subtract", mean), ("divide", std)]
    key = "NormalizationOptions"
    if dtype in ("uint8", "int8"):
        quantization = tensor.table(4)
        scale = quantization.numbers(2, "f") if quantization is not None else ()
        zero = quantization.numbers(3, "q") if quantization is not None else ()
        if len(scale) != 1 or not scale[0] or not math.isfinite(scale[0]):
            return unknown_affine("the input is of integers without one scale", source.says("quantization"))
        written += [("divide", float(scale[0])), ("add", float(zero[0] if zero else 0))]
        key += ", quantization"
        made = composed(*written)
        # Integers are rounded once, at the end: not operation by operation.
        return Affine(scale=made.scale, offset=made.offset, provenance={"": source.says(key)})
    return sourced(composed(*written), {"": source.says(key)})


def _normalization(meta: Table | None) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    for unit in [] if meta is None else meta.tables(4)[:16]:
        if unit.byte(0) == _NORMALIZATION:
            options = unit.table(1)
            if options is None:
                continue
            mean, std = options.numbers(0, "f"), options.numbers(1, "f")
            return values.numbers(list(mean), "NormalizationOptions.mean"), values.divisors(
                list(std), "NormalizationOptions.std"
            )
    return None

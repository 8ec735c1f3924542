"""Triton's ``config.pbtxt``: sizes, layout and type of the inputs; colours and levels are not in it.

Source: ``triton-inference-server/common/protobuf/model_config.proto``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dataguard.preprocessing.errors import DeclarationError
from dataguard.preprocessing.pipeline import Dtype, Layout, Pipeline
from dataguard.preprocessing.readers.source import Source, given_pixels, sized_by_caller, unknown_affine
from dataguard.preprocessing.steps import Step

_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*\s*)*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[A-Za-z_][\w.]*|[-+]?[\d.][\w.+-]*|[{}\[\]:,;<>])"""
)
_REST = re.compile(r"(?:\s|\#[^\n]*(?:\n|\Z))*\Z")
MOST_TOKENS = 1_000_000
_DTYPES: dict[str, Dtype] = {
    "TYPE_FP32": "float32",
    "TYPE_FP16": "float16",
    "TYPE_FP64": "float64",
    "TYPE_UINT8": "uint8",
    "TYPE_INT8": "int8",
}


def is_config(text: str) -> bool:
    """Whether a text looks like a model's configuration."""
    return re.search(r"^\s*input\s*:?\s*[\[{]", text, re.MULTILINE) is not None and "data_type" in text


def read_config(text: str, source: Source) -> tuple[Pipeline, ...]:
    """The path to every input that may be a picture; nothing of an ensemble is followed.

    Raises:
        DeclarationError: the text is no configuration.
    """
    config = parsed(text)
    batched = _integer(config.get("max_batch_size", ["0"])[-1]) > 0
    steps = config.get("ensemble_scheduling", [])
    found = []
    for one in config.get("input", []):
        if isinstance(one, dict):
            path = _path(one, source, batched=batched, ensemble=bool(steps))
            if path is not None:
                found.append(path)
    return tuple(found)


def _path(data: dict[str, list[Any]], source: Source, *, batched: bool, ensemble: bool) -> Pipeline | None:
    name = str(data.get("name", [""])[-1])[:80]
    dims = [_integer(one) for one in data.get("dims", [])]
    if not batched and len(dims) == 4:
        dims = dims[1:]
    if len(dims) != 3:
        return None
    form = str(data.get("format", ["FORMAT_NONE"])[-1])
    layout: Layout | None = None
    undetermined: dict[str, str] = {}
    if form == "FORMAT_NCHW" or (form == "FORMAT_NONE" and dims[0] in (1, 3) and dims[2] not in (1, 3)):
        layout, sides = "NCHW", dims[1:]
    elif form == "FORMAT_NHWC" or (form == "FORMAT_NONE" and dims[2] in (1, 3) and dims[0] not in (1, 3)):
        layout, sides = "NHWC", dims[:2]
    else:
        sides = [-1, -1]
        undetermined["layout"] = "neither format nor dims say where the channels are"
    data_type = str(data.get("data_type", ["not given"])[-1])
    dtype = _DTYPES.get(data_type)
    if dtype is None:
        undetermined["dtype"] = f"data_type is {data_type[:40]}"
    said = source.says(f"input {name}")
    geometry: tuple[Step, ...] | None = None
    if min(sides) > 0:
        geometry = (sized_by_caller(sides[0], sides[1], source.says("dims"), source),)
    else:
        undetermined["geometry"] = "dims take any size"
    undetermined["order"] = "config.pbtxt does not say the order of colours"
    why = "config.pbtxt does not say what levels become"
    if ensemble:
        why += "; a step of the ensemble may"
    return Pipeline(
        name=f"triton, {name}",
        decode=given_pixels(source, None),
        order=None,
        geometry=geometry,
        affine=unknown_affine(why, said),
        layout=layout,
        dtype=dtype,
        provenance={"": said, "layout": source.says("format" if form != "FORMAT_NONE" else "dims")},
        undetermined=undetermined,
    )


def parsed(text: str) -> dict[str, list[Any]]:
    """The text format of Protocol Buffers: every key with its values, which are texts or mappings.

    >>> parsed('name: "m" input [ { dims: [ 3, 4 ] } ]')
    {'name': ['m'], 'input': [{'dims': ['3', '4']}]}

    Raises:
        DeclarationError: the text is not of this format.
    """
    tokens = list(_tokens(text))
    fields, at = _message(tokens, 0, "", 0)
    if at != len(tokens):
        raise DeclarationError(f"not a text of Protocol Buffers: {tokens[at][:40]!r} is unexpected")
    return fields


def _tokens(text: str) -> Iterator[str]:
    at = 0
    for _ in range(MOST_TOKENS):
        match = _TOKEN.match(text, at)
        if match is None:
            if _REST.match(text, at) is None:
                line = text.count("\n", 0, at) + 1
                raise DeclarationError(f"not a text of Protocol Buffers: line {line} cannot be read")
            return
        yield match[1]
        at = match.end()
    raise DeclarationError(f"more than {MOST_TOKENS} words")


def _message(tokens: list[str], at: int, closing: str, depth: int) -> tuple[dict[str, list[Any]], int]:
    if depth > 32:
        raise DeclarationError("messages are nested more than 32 deep")
    fields: dict[str, list[Any]] = {}
    while at < len(tokens) and tokens[at] != closing:
        name = tokens[at]
        if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
            raise DeclarationError(f"not a text of Protocol Buffers: {name[:40]!r} is no name")
        at += 1
        if at < len(tokens) and tokens[at] == ":":
            at += 1
        values, at = _values(tokens, at, depth)
        fields.setdefault(name, []).extend(values)
        if at < len(tokens) and tokens[at] in (",", ";"):
            at += 1
    return fields, at


def _values(tokens: list[str], at: int, depth: int) -> tuple[list[Any], int]:
    if at >= len(tokens):
        raise DeclarationError("not a text of Protocol Buffers: it ends too early")
    if tokens[at] == "[":
        found: list[Any] = []
        at += 1
        while at < len(tokens) and tokens[at] != "]":
            value, at = _value(tokens, at, depth)
            found.append(value)
            if at < len(tokens) and tokens[at] == ",":
                at += 1
        if at >= len(tokens):
            raise DeclarationError("not a text of Protocol Buffers: a list is not closed")
        return found, at + 1
    value, at = _value(tokens, at, depth)
    return [value], at


def _value(tokens: list[str], at: int, depth: int) -> tuple[Any, int]:
    word = tokens[at]
    if word in "{<":
        closing = "}" if word == "{" else ">"
        fields, at = _message(tokens, at + 1, closing, depth + 1)
        if at >= len(tokens):
            raise DeclarationError("not a text of Protocol Buffers: a message is not closed")
        return fields, at + 1
    if word in "}>[]:,;":
        raise DeclarationError(f"not a text of Protocol Buffers: {word!r} is no value")
    return (word[1:-1] if word[0] in "\"'" else word), at + 1


def _integer(value: Any) -> int:
    try:
        return int(str(value))
    except ValueError:
        return -1

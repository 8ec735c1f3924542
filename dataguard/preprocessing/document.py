"""A preprocessing path as JSON: lossless, deterministic, described by ``schemas/pipeline.v1.schema.json``."""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal, cast

from dataguard.core.errors import DataguardError
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.steps import Crop, Filter, Flip, Pad, Random, Resize

SCHEMA_VERSION: Literal[1] = 1
"""Raised when a document of an older version can no longer be read as it was meant."""

STEP_KINDS: Mapping[str, type] = {
    "resize": Resize,
    "crop": Crop,
    "pad": Pad,
    "flip": Flip,
    "filter": Filter,
    "random": Random,
}
"""The value of ``step`` by which a reader tells one step from another."""

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""JSON has no such numbers; ``{"float": "NaN"}`` stands for one."""

_SCALARS = {str: "a text", int: "an integer", float: "a number", bool: "true or false", type(None): "null"}


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineDocument:
    """The root of the file: which version of the form it is, and the path."""

    schema_version: Literal[1]
    pipeline: Pipeline


def to_json(pipeline: Pipeline) -> str:
    """A path as JSON text: ASCII, two spaces a level, fields in the records' order, mappings sorted by key.

    Equal paths with equal provenance give equal text.

    >>> to_json(Pipeline(name="train")).splitlines()[:4]
    ['{', '  "schema_version": 1,', '  "pipeline": {', '    "provenance": {},']
    """
    return json.dumps(to_data(pipeline), indent=2, allow_nan=False) + "\n"


def to_data(pipeline: Pipeline) -> Any:
    """What `to_json` writes, as dictionaries and lists."""
    return _plain(PipelineDocument(schema_version=SCHEMA_VERSION, pipeline=pipeline))


def from_json(text: str) -> Pipeline:
    """The path that `to_json` made text of, with its provenance and what it does not know.

    Raises:
        DataguardError: not JSON, not a path, or a document of another version.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataguardError(
            f"not a JSON document: {error}", hint="the file is cut off, or is not a preprocessing path of dataguard"
        ) from error
    if not isinstance(data, dict) or "schema_version" not in data or "pipeline" not in data:
        raise DataguardError("not a preprocessing path of dataguard: it has no schema_version or no pipeline")
    if data["schema_version"] != SCHEMA_VERSION:
        raise DataguardError(
            f"the path has schema version {data['schema_version']}, and this dataguard reads version {SCHEMA_VERSION}",
            hint="read it with the dataguard that wrote it",
        )
    return cast(PipelineDocument, _read_record(PipelineDocument, data, "document")).pipeline


@cache
def _hints(record: type) -> Mapping[str, Any]:
    hints = typing.get_type_hints(record)
    return {item.name: hints[item.name] for item in fields(record)}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return {"float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        kind = next((name for name, record in STEP_KINDS.items() if type(value) is record), None)
        mark = {} if kind is None else {"step": kind}
        record: type = type(value)
        return mark | {name: _plain(getattr(value, name)) for name in _hints(record)}
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _read_record(record: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise _mismatch("an object", data, where)
    hints = _hints(record)
    for name in hints:
        if name not in data:
            raise DataguardError(f"not a preprocessing path: {name!r} is missing", where=where)
    marks = {"step"} if record in STEP_KINDS.values() else set()
    if unknown := sorted(set(data) - set(hints) - marks):
        raise DataguardError(f"not a preprocessing path: unknown key {unknown[0]!r}", where=where)
    values = {name: _read(hint, data[name], f"{where}.{name}") for name, hint in hints.items()}
    try:
        return record(**values)
    except ValueError as error:
        raise DataguardError(f"not a preprocessing path: {error}", where=where) from error


def _read(hint: Any, data: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        if any(type(data) is type(argument) and data == argument for argument in arguments):
            return data
        raise _mismatch("one of " + ", ".join(map(repr, arguments)), data, where)
    if origin is tuple:
        return _read_tuple(arguments, data, where)
    if origin is Mapping:
        if not isinstance(data, dict):
            raise _mismatch("an object", data, where)
        return {key: _read(arguments[1], item, f"{where}.{key}") for key, item in data.items()}
    if isinstance(hint, types.UnionType) or origin is typing.Union:
        return _read_union(arguments, data, where)
    if is_dataclass(hint):
        return _read_record(cast(type, hint), data, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        for member in hint:
            if member.value == data:
                return member
        raise _mismatch("one of " + ", ".join(repr(member.value) for member in hint), data, where)
    if hint is float and isinstance(data, dict) and data.get("float") in _NON_FINITE:
        return _NON_FINITE[data["float"]]
    if type(data) is hint or (hint is float and type(data) is int):
        return float(data) if hint is float else data
    raise _mismatch(_SCALARS[hint], data, where)


def _read_tuple(arguments: tuple[Any, ...], data: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise _mismatch("an array", data, where)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_read(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(data))
    if len(data) != len(arguments):
        raise _mismatch(f"an array of {len(arguments)}", data, where)
    pairs = zip(arguments, data, strict=True)
    return tuple(_read(hint, item, f"{where}[{index}]") for index, (hint, item) in enumerate(pairs))


def _read_union(members: tuple[Any, ...], data: Any, where: str) -> Any:
    if set(members) == set(STEP_KINDS.values()):
        kind = data.get("step") if isinstance(data, dict) else None
        if not isinstance(kind, str) or kind not in STEP_KINDS:
            raise _mismatch(f"a step of kind {', '.join(STEP_KINDS)}", data, where)
        return _read_record(STEP_KINDS[kind], data, where)
    if data is None and type(None) in members:
        return None
    rest = [member for member in members if member is not type(None)]
    if len(rest) != 1:
        raise TypeError(f"{members} cannot be told apart")
    return _read(rest[0], data, where)


def _mismatch(expected: str, data: Any, where: str) -> DataguardError:
    shown = json.dumps(data)
    return DataguardError(
        f"not a preprocessing path: expected {expected}, got {shown if len(shown) <= 60 else shown[:57] + '...'}",
        where=where,
    )

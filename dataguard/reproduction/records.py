"""Records as JSON and back: every field there, nothing unknown, and the same record always in the same bytes."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

from dataguard.core.errors import SourceError
from dataguard.preprocessing.document import PipelineDocument, from_json
from dataguard.preprocessing.document import to_json as pipeline_json

R = TypeVar("R")
_WORDS = {str: "a text", int: "an integer", float: "a number", bool: "true or false", type(None): "null"}
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_json(record: object) -> str:
    """JSON text: keys in order, two spaces a level; a lone surrogate becomes an escape."""
    return json.dumps(plain(record), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """A record as dictionaries, lists, texts and numbers."""
    if isinstance(value, PipelineDocument):
        return json.loads(pipeline_json(value.pipeline))
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    return value


def read(record: type[R], data: Any, *, where: str) -> R:
    """The record that `plain` made `data` of.

    Args:
        record: Its type.
        data: What JSON was read to.
        where: What to name in an error, with the key behind it.

    Raises:
        SourceError: a key is missing, unknown or of another type.
    """
    return cast(R, _record(record, data, where))


@cache
def _hints(record: type) -> Mapping[str, Any]:
    hints = typing.get_type_hints(record)
    return {item.name: hints[item.name] for item in dataclasses.fields(record)}


def _record(record: type, data: Any, where: str) -> Any:
    if record is PipelineDocument:
        return PipelineDocument(schema_version=1, pipeline=from_json(json.dumps(data)))
    if not isinstance(data, dict):
        raise _mismatch("an object", data, where)
    hints = _hints(record)
    if missing := sorted(set(hints) - set(data)):
        raise SourceError(f"{missing[0]!r} is missing", where=where, hint=_HINT)
    if unknown := sorted(set(data) - set(hints)):
        raise SourceError(f"unknown key {unknown[0]!r}", where=where, hint=_HINT)
    return record(**{name: _value(hint, data[name], f"{where}: {name}") for name, hint in hints.items()})


def _value(hint: Any, data: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return data
    if origin is typing.Literal:
        if data in arguments:
            return data
        raise _mismatch("one of " + ", ".join(map(repr, arguments)), data, where)
    if origin is tuple:
        if not isinstance(data, list):
            raise _mismatch("an array", data, where)
        return tuple(_value(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(data))
    if origin is Mapping:
        if not isinstance(data, dict):
            raise _mismatch("an object", data, where)
        return {key: _value(arguments[1], item, f"{where}.{key}") for key, item in data.items()}
    if isinstance(hint, types.UnionType) or origin is typing.Union:
        return _union(arguments, data, where)
    if dataclasses.is_dataclass(hint):
        return _record(cast(type, hint), data, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        for member in hint:
            if member.value == data:
                return member
        raise _mismatch("one of " + ", ".join(repr(member.value) for member in hint), data, where)
    if hint is float and isinstance(data, dict) and data.get("float") in _NON_FINITE:
        return _NON_FINITE[data["float"]]
    if hint is float and type(data) is int:
        return float(data)
    if type(data) is hint:
        return data
    raise _mismatch(_WORDS.get(hint, str(hint)), data, where)


def _union(members: tuple[Any, ...], data: Any, where: str) -> Any:
    for member in members:
        if member in _WORDS and type(data) is member:
            return data
    rest = [member for member in members if member is not type(None)]
    if len(rest) == 1:
        return _value(rest[0], data, where)
    raise _mismatch(" or ".join(_WORDS.get(member, str(member)) for member in members), data, where)


_HINT = "the file was edited or cut off, or is of another version of dataguard"


def _mismatch(expected: str, data: Any, where: str) -> SourceError:
    shown = json.dumps(data)
    return SourceError(
        f"expected {expected}, got {shown if len(shown) <= 60 else shown[:57] + '...'}", where=where, hint=_HINT
    )

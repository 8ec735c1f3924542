"""The report as JSON: lossless, deterministic, described by ``schemas/report.v1.schema.json``."""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import Any, cast

from dataguard.core.errors import DataguardError
from dataguard.core.exhibit import (
    Contrast,
    Curves,
    Excerpt,
    Exhibit,
    Gallery,
    HeatMap,
    Histogram,
    Listing,
    OrderStrip,
    PairGallery,
    Picture,
    PicturePair,
    Reliability,
    SmallHistograms,
)
from dataguard.core.finding import Finding, Location, Measurement, Severity
from dataguard.core.report import SCHEMA_VERSION, Report, Status

EXHIBIT_KINDS: Mapping[str, type[Exhibit]] = {
    "gallery": Gallery,
    "pair-gallery": PairGallery,
    "histogram": Histogram,
    "listing": Listing,
    "heat-map": HeatMap,
    "reliability": Reliability,
    "order-strip": OrderStrip,
    "contrast": Contrast,
    "excerpt": Excerpt,
    "curves": Curves,
    "small-histograms": SmallHistograms,
}
"""The value of ``kind`` by which a reader tells one exhibit from another."""

SPARSE = frozenset({Location, Measurement, Picture, PicturePair})
"""Records that come in thousands: a field that has its default is left out."""

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""JSON has no such numbers; ``{"float": "NaN"}`` stands for one, so that it cannot be taken for a text."""

_LINE = 116
_compact = json.JSONEncoder(allow_nan=False).encode


def dump(report: Report) -> str:
    """The report as JSON text.

    ASCII only, so that it survives every terminal, log and encoding. The same report gives the same text: keys are in
    the order of the records' fields, mappings in their own order.

    Beside the report's own fields it holds what a reader would else compute: ``counts``, each finding's ``fingerprint``
    and each location's.
    """
    return layout(_record(report)) + "\n"


def load(text: str) -> Report:
    """The report that `dump` made text of.

    ``load(dump(report)) == report`` for a report of records, numbers, text, tuples and mappings; a list in a mapping
    without a type of its own, as ``configuration``, comes back as a tuple.

    Raises:
        DataguardError: not JSON, not a report, or a report of another schema version.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataguardError(
            f"not a JSON document: {error}", hint="the file is cut off, or is not a report of dataguard"
        ) from error
    if not isinstance(data, dict) or "schema_version" not in data:
        raise DataguardError("not a report of dataguard: it has no schema_version", hint="make one with --format json")
    version = data["schema_version"]
    if version != SCHEMA_VERSION:
        newer = isinstance(version, str) and version.isdecimal() and int(version[:9]) > int(SCHEMA_VERSION)
        wrote = f", which was {data['tool_version']}" if "tool_version" in data else ""
        raise DataguardError(
            f"the report has schema version {version}, and this dataguard reads version {SCHEMA_VERSION}",
            hint=f"update dataguard to the one that wrote it{wrote}"
            if newer
            else f"read it with the dataguard that wrote it{wrote}",
        )
    return cast(Report, _read_record(Report, data, "report"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """A field of a record, with its type resolved."""

    name: str
    hint: Any
    default: Any
    """`dataclasses.MISSING` where it has none."""


@cache
def slots_of(record: type, *, whole: bool = False) -> tuple[Slot, ...]:
    """The fields of a record, in order; one that is not compared is no part of the report, unless `whole` is asked."""
    hints = typing.get_type_hints(record)
    return tuple(
        Slot(name=field.name, hint=hints[field.name], default=_default(field))
        for field in fields(record)
        if whole or field.compare
    )


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def members_of(hint: Any) -> tuple[Any, ...]:
    """The members of a union in the order in which it names them, or the type itself."""
    # Not cached: unions are equal whatever their order is, so that one would get the order of another.
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        members: tuple[Any, ...] = hint.__args__
        return members
    return (hint,)


# --- writing


def _record(record: Any) -> dict[str, Any]:
    kind: type = type(record)
    result: dict[str, Any] = {}
    if kind in EXHIBIT_KINDS.values():
        result["kind"] = next(name for name, exhibit in EXHIBIT_KINDS.items() if exhibit is kind)
    for slot in slots_of(kind):
        value = getattr(record, slot.name)
        if kind in SPARSE and value == slot.default:
            continue
        result[slot.name] = _plain(value)
    if isinstance(record, Finding):
        result = {"fingerprint": record.fingerprint, **result}
        for location, plain in zip(record.locations, result["locations"], strict=True):
            plain["fingerprint"] = record.location_fingerprint(location)
    if isinstance(record, Report):
        result = {"schema_version": result.pop("schema_version"), "counts": _counts(record), **result}
    return result


def _counts(report: Report) -> dict[str, int]:
    severities = {severity.word: 0 for severity in sorted(Severity, reverse=True)}
    for finding in report.findings:
        severities[finding.severity.word] += 1
    return severities | {status.value: report.count(status) for status in Status}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value if type(value) in (str, bool, type(None)) else str(value)
    if isinstance(value, Severity):
        return value.word
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": _non_finite(value)}
    if is_dataclass(value):
        return _record(value)
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((_plain(item) for item in value), key=repr)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        # A number of numpy's that is no subclass of Python's.
        return _plain(value.item())
    return str(value)


def _non_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def layout(value: Any, depth: int = 0) -> str:
    """JSON text with what fits on a line on one line, so that people can read it and diffs are short."""
    if not isinstance(value, dict | list) or not value:
        return _compact(value)
    start = "  " * (depth + 1)
    members = value.values() if isinstance(value, dict) else value
    if not any(isinstance(member, dict | list) for member in members):
        # By far the most common case, a record of texts and numbers, in one call.
        line = _compact(value)
        if len(start) + len(line) <= _LINE:
            return line
        if isinstance(value, list) and not any(isinstance(member, str) for member in value):
            # A row of a heat map: 200 numbers on as many lines would help nobody.
            return _filled(value, depth)
    if isinstance(value, dict):
        parts = [f"{_compact(key)}: {layout(item, depth + 1)}" for key, item in value.items()]
        opening, closing = "{", "}"
    else:
        parts = [layout(item, depth + 1) for item in value]
        opening, closing = "[", "]"
    width = len(start) + sum(len(part) + 2 for part in parts)
    if width <= _LINE and not any("\n" in part for part in parts):
        return f"{opening}{', '.join(parts)}{closing}"
    return f"{opening}\n{start}" + f",\n{start}".join(parts) + f"\n{'  ' * depth}{closing}"


def _filled(numbers: list[Any], depth: int) -> str:
    """A list of numbers with as many on a line as fit."""
    start = "  " * (depth + 1)
    lines = [start]
    for index, number in enumerate(numbers):
        text = _compact(number) + ("," if index < len(numbers) - 1 else "")
        if len(lines[-1]) + len(text) + 1 > _LINE and lines[-1].strip():
            lines.append(start)
        lines[-1] += text if lines[-1] == start else f" {text}"
    return "[\n" + "\n".join(lines) + f"\n{'  ' * depth}]"


# --- reading


def _read_record(record: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise _mismatch("an object", data, where)
    values = {}
    for slot in slots_of(record):
        if slot.name in data:
            values[slot.name] = _read(slot.hint, data[slot.name], f"{where}.{slot.name}")
        elif slot.default is MISSING:
            raise DataguardError(f"not a report of dataguard: {slot.name!r} is missing", where=where)
    known = {slot.name for slot in slots_of(record)} | set(derived_keys(record))
    if unknown := sorted(set(data) - known):
        raise DataguardError(f"not a report of dataguard: unknown key {unknown[0]!r}", where=where)
    return record(**values)


def derived_keys(record: type) -> Iterator[str]:
    """The keys that `dump` adds to a record's own."""
    if record in EXHIBIT_KINDS.values():
        yield "kind"
    if record in (Finding, Location):
        yield "fingerprint"
    if record is Report:
        yield "counts"


def _read(hint: Any, data: Any, where: str) -> Any:
    if hint is Any:
        return _read_any(data, where)
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(data, list):
            raise _mismatch("an array", data, where)
        element = typing.get_args(hint)[0]
        return tuple(_read(element, item, f"{where}[{index}]") for index, item in enumerate(data))
    if origin is Mapping:
        if not isinstance(data, dict):
            raise _mismatch("an object", data, where)
        element = typing.get_args(hint)[1]
        return {key: _read(element, item, f"{where}.{key}") for key, item in data.items()}
    members = members_of(hint)
    if len(members) > 1:
        return _read_union(members, data, where)
    if is_dataclass(hint):
        return _read_record(cast(type, hint), data, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _read_enum(hint, data, where)
    return _read_scalar((hint,), data, where)


def _read_union(members: tuple[Any, ...], data: Any, where: str) -> Any:
    if set(members) == set(EXHIBIT_KINDS.values()):
        kind = str(data.get("kind")) if isinstance(data, dict) else ""
        if kind not in EXHIBIT_KINDS:
            raise _mismatch("an exhibit with its kind", data, where)
        return _read_record(EXHIBIT_KINDS[kind], data, where)
    return _read_scalar(members, data, where)


def _read_enum(kind: type[Enum], data: Any, where: str) -> Enum:
    for member in kind:
        if data == (member.word if isinstance(member, Severity) else member.value):
            return member
    raise _mismatch(f"one of {', '.join(str(_plain(member)) for member in kind)}", data, where)


def _read_scalar(members: tuple[Any, ...], data: Any, where: str) -> Any:
    if float in members and isinstance(data, dict) and data.get("float") in NON_FINITE:
        return NON_FINITE[data["float"]]
    if type(data) in members or (type(data) is int and float in members):
        return data
    names = {str: "a text", int: "an integer", float: "a number", bool: "true or false", type(None): "null"}
    raise _mismatch(" or ".join(names[member] for member in members), data, where)


def _read_any(data: Any, where: str) -> Any:
    if isinstance(data, dict):
        if set(data) == {"float"} and data["float"] in NON_FINITE:
            return NON_FINITE[data["float"]]
        return {key: _read_any(item, f"{where}.{key}") for key, item in data.items()}
    if isinstance(data, list):
        return tuple(_read_any(item, f"{where}[{index}]") for index, item in enumerate(data))
    return data


def _mismatch(expected: str, data: Any, where: str) -> DataguardError:
    shown = json.dumps(data)
    return DataguardError(
        f"not a report of dataguard: expected {expected}, got {shown if len(shown) <= 60 else shown[:57] + '...'}",
        where=where,
    )

"""The JSON Schema of the report, made from the records themselves, so that the two cannot drift apart."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Mapping
from dataclasses import MISSING, is_dataclass
from enum import Enum
from typing import Any, Literal

from dataguard.core.docstrings import field_docstrings, in_one_line
from dataguard.core.exhibit import Exhibit
from dataguard.core.finding import Finding, Location, Severity
from dataguard.core.report import SCHEMA_VERSION, Report, Status
from dataguard.formats.json import EXHIBIT_KINDS, NON_FINITE, SPARSE, layout, members_of, slots_of

FILE_NAME = f"report.v{SCHEMA_VERSION}.schema.json"
"""Its name among the shipped schemas."""

_SIMPLE = {str: "string", int: "integer", bool: "boolean", type(None): "null"}
_FINGERPRINT = {"type": "string", "pattern": "^[0-9a-f]{16}$"}


def report_schema() -> str:
    """The text of ``schemas/report.v1.schema.json``: JSON Schema, draft 2020-12.

    Descriptions are the records' docstrings. No object allows a key that it does not name. Keys of the records that
    come in thousands may be missing, and then have the default that the schema gives.
    """
    return record_schema(Report, identifier=f"urn:dataguard:report:v{SCHEMA_VERSION}", title="Report of dataguard")


def record_schema(
    record: type,
    *,
    identifier: str,
    title: str,
    kinds: tuple[str, Mapping[str, type]] | None = None,
    whole: bool = False,
) -> str:
    """The text of the JSON Schema, draft 2020-12, of a record and of all that it holds.

    Args:
        record: The root's dataclass. Its fields may be texts, numbers, enums, Literals, tuples, mappings and records.
        identifier: The schema's own name, a URN.
        title: For people.
        kinds: The key, and its values, by which a reader tells the records of a union apart.
        whole: Whether fields that take no part in a comparison are in the document too.
    """
    definitions = _Definitions(Number=_number())
    definitions.whole = whole
    root = _record(record, definitions)
    if kinds is not None:
        key, members = kinds
        for value, member in members.items():
            made = definitions[member.__name__]
            mark = {"description": "Tells the members of a union apart.", "const": value}
            made["properties"] = {key: mark, **made["properties"]}
            made["required"] = [key, *made["required"]]
    return (
        layout(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": identifier,
                "title": title,
                **root,
                "$defs": {name: definitions[name] for name in sorted(definitions)},
            }
        )
        + "\n"
    )


class _Definitions(dict[str, Any]):
    """What ``$defs`` will hold."""

    whole = False


def _number() -> dict[str, Any]:
    return {
        "description": "A number. JSON has no words for those that are not finite; an object stands for them.",
        "anyOf": [
            {"type": "number"},
            {
                "type": "object",
                "properties": {"float": {"enum": list(NON_FINITE)}},
                "required": ["float"],
                "additionalProperties": False,
            },
        ],
    }


def _record(record: type, definitions: _Definitions) -> dict[str, Any]:
    documents = field_docstrings(record)
    properties: dict[str, Any] = _derived(record)
    required = list(properties)
    for slot in slots_of(record, whole=definitions.whole):
        properties[slot.name] = _described(documents.get(slot.name, ""), _type(slot.hint, definitions))
        if record in SPARSE and slot.default is not MISSING:
            properties[slot.name]["default"] = list(slot.default) if isinstance(slot.default, tuple) else slot.default
        else:
            required.append(slot.name)
    if record is Report:
        properties["schema_version"]["const"] = SCHEMA_VERSION
    return {
        **_described(inspect.getdoc(record) or "", {}),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _derived(record: type) -> dict[str, Any]:
    """What `dataguard.formats.json.dump` adds to a record's own fields."""
    if record is Report:
        names = [severity.word for severity in sorted(Severity, reverse=True)] + [status.value for status in Status]
        counts = {
            "description": "How many findings there are of each severity, and how many rules ended in each state.",
            "type": "object",
            "properties": {name: {"type": "integer", "minimum": 0} for name in names},
            "required": names,
            "additionalProperties": False,
        }
        return {"counts": counts}
    if record is Finding:
        return {"fingerprint": _described(inspect.getdoc(Finding.fingerprint) or "", _FINGERPRINT)}
    if record is Location:
        return {"fingerprint": _described(inspect.getdoc(Finding.location_fingerprint) or "", _FINGERPRINT)}
    for kind, exhibit in EXHIBIT_KINDS.items():
        if exhibit is record:
            return {"kind": {"description": "Tells the kinds of exhibits apart.", "const": kind}}
    return {}


def _type(hint: Any, definitions: _Definitions) -> dict[str, Any]:
    if hint is Any:
        return {}
    if hint == Exhibit:
        return {"oneOf": [_type(member, definitions) for member in members_of(hint)]}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple and arguments[-1] is not Ellipsis and len(set(arguments)) > 1:
        each = [_type(argument, definitions) for argument in arguments]
        return {"type": "array", "prefixItems": each, "items": False, "minItems": len(each)}
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0], definitions)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _type(arguments[1], definitions)}
    members = members_of(hint)
    if len(members) > 1:
        if all(member in _SIMPLE for member in members):
            return {"type": [_SIMPLE[member] for member in members]}
        # Every integer is a number.
        return {"anyOf": [_type(member, definitions) for member in members if member is not int]}
    if hint is float:
        return {"$ref": "#/$defs/Number"}
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    return _reference(hint, definitions)


def _reference(kind: type, definitions: _Definitions) -> dict[str, Any]:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}
        if issubclass(kind, Enum):
            definitions[name] = _enum(kind)
        elif is_dataclass(kind):
            definitions[name] = _record(kind, definitions)
        else:
            raise TypeError(f"{kind} has no counterpart in JSON Schema")
    return {"$ref": f"#/$defs/{name}"}


def _enum(kind: type[Enum]) -> dict[str, Any]:
    documents = field_docstrings(kind)
    words = {member.name: member.word if isinstance(member, Severity) else member.value for member in kind}
    meanings = [f"{word}: {documents[name]}" for name, word in words.items() if name in documents]
    return {**_described("\n".join([inspect.getdoc(kind) or "", *meanings]), {}), "enum": list(words.values())}


def _described(document: str, schema: dict[str, Any]) -> dict[str, Any]:
    text = re.sub(r"\bNone\b", "null", in_one_line(document))
    return {"description": text, **schema} if text else dict(schema)

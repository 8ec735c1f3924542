"""What values of ``dataguard.toml`` are, in JSON Schema (draft 2020-12, the parts that draft 7 has too).

Patterns say "in any case" letter by letter: regular expressions of JSON Schema have no flags.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from dataguard.core.docstrings import field_docstrings, in_one_line
from dataguard.core.finding import Severity

Schema: TypeAlias = Mapping[str, Any]
"""A JSON Schema, or a part of one."""

ONE_TEXT: Schema = {"type": "string"}

_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
DAY = (
    "(?:(?!0000)[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    f"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP}-02-29)"
)
"""A regular expression of the days there are, as 2027-01-31."""

_UNTIL = r"\(until [0-9][^()]*\)\s*$"
_PLAIN_REASON: Schema = {
    "type": "string",
    "anyOf": [
        {"pattern": r"\S", "not": {"pattern": _UNTIL}},
        {"pattern": rf"\S\s*\(until {DAY}\s*\)\s*$"},
    ],
}
REASON: Schema = {
    "description": "Why it does not apply here, which may end in (until 2027-01-31); or both as a table.",
    "anyOf": [
        _PLAIN_REASON,
        {
            "type": "object",
            "properties": {
                "reason": {"description": "Why it does not apply here.", **_PLAIN_REASON},
                "until": {"description": "The last day on which it holds.", "type": "string", "pattern": f"^{DAY}$"},
            },
            "required": ["reason"],
            "additionalProperties": False,
        },
    ],
}
"""The reason of an ignore."""


def any_case(word: str) -> str:
    """A regular expression of a word in any case.

    >>> any_case("DG1-x")
    '[Dd][Gg]1-[Xx]'
    """
    return "".join(f"[{letter.upper()}{letter.lower()}]" if letter.isalpha() else letter for letter in word)


def in_any_case(words: Iterable[str]) -> Schema:
    """One of some words in any case; an editor proposes them as they are written here."""
    listed = list(words)
    return {"anyOf": [{"enum": listed}, {"type": "string", "pattern": f"^(?:{'|'.join(map(any_case, listed))})$"}]}


def keyed(record: type, values: Mapping[str, Schema]) -> dict[str, Any]:
    """A table whose keys are fields of a record, in its words, with its defaults; each with dashes or underscores."""
    documents = field_docstrings(record)
    defaults = {field.name: _default(field) for field in dataclasses.fields(record)}
    described = {
        name: {
            **({"description": in_one_line(documents[name])} if name in documents else {}),
            **schema,
            **({} if defaults[name] is None else {"default": defaults[name]}),
        }
        for name, schema in values.items()
    }
    return {"description": in_one_line(inspect.getdoc(record) or ""), **spelt(described)}


def spelt(properties: Mapping[str, Schema]) -> dict[str, Any]:
    """A table with these keys and no other; where a name has underscores, dashes do as well."""
    loose = {
        f"^{name.replace('_', '[-_]')}$": {key: value for key, value in schema.items() if key != "description"}
        for name, schema in properties.items()
        if "_" in name
    }
    return {
        "type": "object",
        "properties": {name.replace("_", "-"): schema for name, schema in properties.items()},
        **({"patternProperties": loose} if loose else {}),
        "additionalProperties": False,
    }


def _default(field: dataclasses.Field[Any]) -> Any:
    """The default as it would be written; None where there is none worth showing."""
    default = field.default
    if isinstance(default, Severity):
        return default.word
    return default if isinstance(default, bool | int | float | str) else None

"""Read one value of the configuration: the right type and range, or an error that names file and key.

What reads a value also says in JSON Schema what it takes, so that an editor and a run agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from dataguard.config.fragments import ONE_TEXT, REASON, Schema, in_any_case, keyed
from dataguard.config.ignores import read_reason
from dataguard.core.errors import ConfigurationError, did_you_mean
from dataguard.core.finding import Severity
from dataguard.core.plugins import one_word_modules, source_names

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where in which file a value stands; what an error names.

    >>> str(Place(origin="dataguard.toml").inside("dataset").inside("label"))
    'dataguard.toml: dataset.label'
    """

    origin: str | None = None
    """The file; None where the configuration was not read from one."""
    key: str = ""
    """The full key; '' for the file as a whole."""

    def inside(self, name: str) -> Place:
        """The place of a key of the table that stands here."""
        return Place(origin=self.origin, key=f"{self.key}.{name}" if self.key else name)

    def __str__(self) -> str:
        return ": ".join(part for part in (self.origin, self.key) if part) or "configuration"


class Value(Protocol):
    """Reads a value at a place, and says what it takes."""

    @property
    def schema(self) -> Schema:
        """What it takes, in JSON Schema."""

    def __call__(self, value: object, place: Place, /) -> Any:
        """The value as the record holds it.

        Raises:
            ConfigurationError: it is not of that kind.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """A `Value` made of a function."""

    read: Callable[[object, Place], Any]
    schema: Schema

    def __call__(self, value: object, place: Place, /) -> Any:
        """The value as the record holds it.

        Raises:
            ConfigurationError: it is not of that kind.
        """
        return self.read(value, place)


def takes(schema: Schema) -> Callable[[Callable[[object, Place], Any]], Reader]:
    """Make a function a `Value` that takes what `schema` says."""

    def decorate(read: Callable[[object, Place], Any]) -> Reader:
        return Reader(read=read, schema=schema)

    return decorate


Fields: TypeAlias = Mapping[str, Any]


_ABOVE_0: Schema = {"type": "number", "exclusiveMinimum": 0}


def expect(value: object, kind: type, words: str, place: Place) -> Any:
    """The value, where it is of that type; true and false are no numbers."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigurationError(f"expected {words}, got {value!r}", where=str(place))
    return value


@takes(ONE_TEXT)
def text(value: object, place: Place) -> Any:
    """Text."""
    return expect(value, str, "text in quotes", place)


@takes({"type": "array", "items": ONE_TEXT})
def texts(value: object, place: Place) -> Any:
    """A list of texts."""
    return tuple(text(item, place) for item in expect(value, list, "a list of texts in quotes", place))


@takes({"type": "boolean"})
def flag(value: object, place: Place) -> Any:
    """True or false."""
    return expect(value, bool, "true or false", place)


def whole(least: int) -> Value:
    """A whole number of at least `least`."""

    @takes({"type": "integer", "minimum": least})
    def read(value: object, place: Place) -> Any:
        number = expect(value, int, "a whole number", place)
        if number < least:
            wanted = "0 or more" if least == 0 else f"at least {least}"
            raise ConfigurationError(f"expected {wanted}, got {number}", where=str(place))
        return number

    return read


def positive(unit: str) -> Value:
    """A number above 0, as a float; `unit` says of what: 'seconds'."""

    @takes(_ABOVE_0)
    def read(value: object, place: Place) -> Any:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
            raise ConfigurationError(f"expected {unit} above 0, got {value!r}", where=str(place))
        return float(value)

    return read


@takes({"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 1}]})
def numbers(value: object, place: Place) -> Any:
    """A number or a list of them, as floats."""
    found: list[float] = []
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, int | float) or isinstance(item, bool) or not math.isfinite(item):
            raise ConfigurationError(f"expected numbers, got {item!r}", where=str(place))
        found.append(float(item))
    if not found:
        raise ConfigurationError("expected at least one number", where=str(place))
    return tuple(found)


@takes({"anyOf": [_ABOVE_0, {"type": "array", "items": _ABOVE_0, "minItems": 1}]})
def positive_numbers(value: object, place: Place) -> Any:
    """A number above 0 or a list of them, as floats."""
    found = numbers(value, place)
    if min(found) <= 0:
        raise ConfigurationError(f"expected numbers above 0, got {min(found):g}", where=str(place))
    return found


@takes({"type": ["string", "integer"]})
def key_or_index(value: object, place: Place) -> Any:
    """What picks a part of a batch."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ConfigurationError(f"expected a key in quotes or an index, got {value!r}", where=str(place))


def one_of(what: str, known: tuple[str, ...]) -> Value:
    """One of some words; `what` says of what kind: 'source'."""

    @takes({"enum": list(known)})
    def read(value: object, place: Place) -> Any:
        word = text(value, place)
        if word not in known:
            raise ConfigurationError(f"unknown {what} {word!r}", where=str(place), hint=did_you_mean(word, known))
        return word

    return read


@takes(
    {
        "anyOf": [
            {"enum": list(one_word_modules("dataset", "sources"))},
            {"type": "string", "description": "A plug-in's."},
        ]
    }
)
def source(value: object, place: Place) -> Any:
    """A kind of dataset, of dataguard's or a plug-in's."""
    word = text(value, place)
    if word not in source_names():
        raise ConfigurationError(f"unknown source {word!r}", where=str(place), hint=did_you_mean(word, source_names()))
    return word


def by_split(read: Value, example: str) -> Value:
    """A table with a value for each split."""

    @takes({"type": "object", "additionalProperties": read.schema, "minProperties": 1})
    def read_all(value: object, place: Place) -> Any:
        table = expect(value, dict, f"a table of splits with what belongs to each, as {{ {example} }}", place)
        if not table:
            raise ConfigurationError("names no split", where=str(place), hint=f"write {example}")
        return {split: read(item, place.inside(split)) for split, item in table.items()}

    return read_all


def by_name(read: Value, example: str) -> Value:
    """A table with a value for each name."""

    @takes({"type": "object", "additionalProperties": read.schema})
    def read_all(value: object, place: Place) -> Any:
        table = expect(value, dict, f"a table, as {{ {example} }}", place)
        return {name: read(item, place.inside(name)) for name, item in table.items()}

    return read_all


@takes({"anyOf": [ONE_TEXT, {"type": "array", "items": ONE_TEXT, "minItems": 1}]})
def one_or_several(value: object, place: Place) -> Any:
    """A text or a list of texts, as a tuple."""
    return texts(value, place) if isinstance(value, list) and value else (text(value, place),)


@takes({"type": "object"})
def plain_table(value: object, place: Place) -> Any:
    """A table whose keys are checked elsewhere."""
    return expect(value, dict, "a table", place)


@takes(in_any_case([severity.word for severity in Severity]))
def severity(value: object, place: Place) -> Severity:
    """A severity by its word."""
    return severity_named(text(value, place), where=str(place))


def severity_named(word: str, *, where: str) -> Severity:
    """The severity that a word names.

    Raises:
        ConfigurationError: there is no such severity.
    """
    names = {severity.word: severity for severity in Severity}
    if word.lower() not in names:
        raise ConfigurationError(f"unknown severity {word!r}", where=where, hint=did_you_mean(word, names))
    return names[word.lower()]


@takes({"type": "object", "additionalProperties": REASON})
def reasons(value: object, place: Place) -> Any:
    """A table of rules with the reason for each, and the day on which it ends where there is one."""
    table = expect(value, dict, 'a table of rules with reasons, as { DG102 = "why" }', place)
    return {
        selector: read_reason(reason, where=str(place.inside(selector)), selector=selector)
        for selector, reason in table.items()
    }


def read_fields(value: object, keys: Mapping[str, Value], place: Place) -> dict[str, Any]:
    """The values of a table by field name; a key may be written with dashes.

    Raises:
        ConfigurationError: it is no table, or a key or a value is not valid.
    """
    fields = {}
    for key, item in expect(value, dict, "a table", place).items():
        name = key.replace("-", "_")
        if name not in keys:
            hint = did_you_mean(name, keys).replace("_", "-")
            raise ConfigurationError(f"unknown key {key!r}", where=str(place), hint=hint)
        fields[name] = keys[name](item, place.inside(key))
    return fields


@dataclass(frozen=True, kw_only=True, slots=True)
class Table(Generic[T]):
    """How a table is read into its record; a `Value`."""

    record: type[T]
    keys: Mapping[str, Value]
    """How each key is read; one that is not here is an error."""
    agree: Callable[[Fields, Place], None] | None = None
    """Raises where keys contradict each other."""
    limits: Schema = field(default_factory=dict)
    """What `agree` demands, in JSON Schema, as far as that can say it."""

    @property
    def schema(self) -> Schema:
        """What the table takes; the record's docstrings describe it."""
        return {**keyed(self.record, {name: read.schema for name, read in self.keys.items()}), **self.limits}

    def __call__(self, value: object, place: Place) -> T:
        """The record.

        Raises:
            ConfigurationError: it is no table, or a key or a value is not valid.
        """
        fields = read_fields(value, self.keys, place)
        if self.agree is not None:
            self.agree(fields, place)
        return self.record(**fields)

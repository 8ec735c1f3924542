"""Read one value of the configuration: the right type and range, or an error that names file and key."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from dataguard.core.errors import ConfigurationError, did_you_mean
from dataguard.core.finding import Severity

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


Value: TypeAlias = Callable[[object, Place], Any]
"""Reads a value at a place.

Raises:
    ConfigurationError: it is not of that kind.
"""
Fields: TypeAlias = Mapping[str, Any]


def expect(value: object, kind: type, words: str, place: Place) -> Any:
    """The value, where it is of that type; true and false are no numbers."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigurationError(f"expected {words}, got {value!r}", where=str(place))
    return value


def text(value: object, place: Place) -> Any:
    """Text."""
    return expect(value, str, "text in quotes", place)


def texts(value: object, place: Place) -> Any:
    """A list of texts."""
    return tuple(text(item, place) for item in expect(value, list, "a list of texts in quotes", place))


def flag(value: object, place: Place) -> Any:
    """True or false."""
    return expect(value, bool, "true or false", place)


def whole(least: int) -> Value:
    """A whole number of at least `least`."""

    def read(value: object, place: Place) -> Any:
        number = expect(value, int, "a whole number", place)
        if number < least:
            wanted = "0 or more" if least == 0 else f"at least {least}"
            raise ConfigurationError(f"expected {wanted}, got {number}", where=str(place))
        return number

    return read


def positive(unit: str) -> Value:
    """A number above 0, as a float; `unit` says of what: 'seconds'."""

    def read(value: object, place: Place) -> Any:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
            raise ConfigurationError(f"expected {unit} above 0, got {value!r}", where=str(place))
        return float(value)

    return read


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


def positive_numbers(value: object, place: Place) -> Any:
    """A number above 0 or a list of them, as floats."""
    found = numbers(value, place)
    if min(found) <= 0:
        raise ConfigurationError(f"expected numbers above 0, got {min(found):g}", where=str(place))
    return found


def key_or_index(value: object, place: Place) -> Any:
    """What picks a part of a batch."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ConfigurationError(f"expected a key in quotes or an index, got {value!r}", where=str(place))


def one_of(what: str, known: tuple[str, ...]) -> Value:
    """One of some words; `what` says of what kind: 'source'."""

    def read(value: object, place: Place) -> Any:
        word = text(value, place)
        if word not in known:
            raise ConfigurationError(f"unknown {what} {word!r}", where=str(place), hint=did_you_mean(word, known))
        return word

    return read


def by_split(read: Value, example: str) -> Value:
    """A table with a value for each split."""

    def read_all(value: object, place: Place) -> Any:
        table = expect(value, dict, f"a table of splits with what belongs to each, as {{ {example} }}", place)
        if not table:
            raise ConfigurationError("names no split", where=str(place), hint=f"write {example}")
        return {split: read(item, place.inside(split)) for split, item in table.items()}

    return read_all


def one_or_several(value: object, place: Place) -> Any:
    """A text or a list of texts, as a tuple."""
    return texts(value, place) if isinstance(value, list) and value else (text(value, place),)


def plain_table(value: object, place: Place) -> Any:
    """A table whose keys are checked elsewhere."""
    return expect(value, dict, "a table", place)


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


def reasons(value: object, place: Place) -> Any:
    """A table of rules with the reason for each."""
    table = expect(value, dict, 'a table of rules with reasons, as { DG102 = "why" }', place)
    for selector, reason in table.items():
        if not isinstance(reason, str) or not reason.strip():
            raise ConfigurationError(
                "an ignored rule needs a reason",
                where=str(place.inside(selector)),
                hint=f'write {selector} = "why this does not apply here"',
            )
    return dict(table)


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

    record: Callable[..., T]
    keys: Mapping[str, Value]
    """How each key is read; one that is not here is an error."""
    agree: Callable[[Fields, Place], None] | None = None
    """Raises where keys contradict each other."""

    def __call__(self, value: object, place: Place) -> T:
        """The record.

        Raises:
            ConfigurationError: it is no table, or a key or a value is not valid.
        """
        fields = read_fields(value, self.keys, place)
        if self.agree is not None:
            self.agree(fields, place)
        return self.record(**fields)

"""Rules: pure functions from typed inputs to outcomes, with a code, a name, a page and options."""

from __future__ import annotations

import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Generic, ParamSpec

from dataguard.core.errors import ConfigurationError, did_you_mean
from dataguard.core.exhibit import Exhibit
from dataguard.core.finding import (
    Confidence,
    Edit,
    Finding,
    Location,
    Measurement,
    Outcome,
    Severity,
)

P = ParamSpec("P")

PAGE_SECTIONS = (
    "What it does",
    "Why is this bad?",
    "How it decides",
    "Example",
    "How to fix",
    "References",
)
"""The sections that every rule's docstring has, in this order."""

OWN_PREFIX = "DG"
"""How the codes of dataguard's own rules begin, and those of no others."""
_CODE = re.compile(r"(?:DG|[A-Z]{3,8})\d{3}")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Between:
    """Bounds of a numeric option, both ends included: ``Annotated[float, Between(low=0, high=1)]``."""

    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"at least {self.low:g}"
        if self.low == -math.inf:
            return f"at most {self.high:g}"
        return f"from {self.low:g} to {self.high:g}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """A keyword-only parameter of a rule, which a configuration may set."""

    name: str
    """Spelt with hyphens or underscores in the configuration; here with underscores."""
    types: tuple[type, ...]
    """The accepted types; ``type(None)`` among them where the option may be left out."""
    element: type | None
    """The type of the elements where the option is a tuple."""
    default: Any
    bounds: Between | None

    def coerce(self, value: object, *, where: str) -> Any:
        """`value` as this option's type.

        Raises:
            ConfigurationError: the type or the range does not fit.
        """
        if self.element is not None and isinstance(value, list | tuple):
            if all(isinstance(item, self.element) for item in value):
                return tuple(value)
        elif isinstance(value, bool):
            if bool in self.types:
                return value
        elif isinstance(value, int) and int not in self.types and float in self.types:
            return self._bounded(float(value), where)
        elif type(value) in self.types:
            return self._bounded(value, where)
        raise ConfigurationError(f"expected {self.type_words}, got {type(value).__name__} {value!r}", where=where)

    def _bounded(self, value: Any, where: str) -> Any:
        bounds = self.bounds
        if bounds is not None and isinstance(value, int | float) and not bounds.low <= value <= bounds.high:
            raise ConfigurationError(f"expected a number {bounds}, got {value!r}", where=where)
        return value

    @property
    def type_words(self) -> str:
        """The accepted types in words."""
        if self.element is not None:
            return f"a list of {self.element.__name__}"
        words = [kind.__name__ for kind in self.types if kind is not type(None)]
        return " or ".join(words) + (f" {self.bounds}" if self.bounds else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A positional parameter of a rule: what it looks at, by type."""

    name: str
    type: type
    required: bool


class Rule(Generic[P]):
    """A rule: call it with its inputs for a list of outcomes.

    Attributes:
        code: ``DG`` and three digits, of other distributions three to eight letters; never reused.
        name: The defect in kebab case.
        severity: The severity of its findings unless one says otherwise.
        page: The docstring: the rule's page in Markdown.
    """

    def __init__(self, function: Callable[P, Iterator[Outcome]], code: str, name: str, severity: Severity) -> None:
        if not _CODE.fullmatch(code):
            raise ValueError(
                f"rule code {code!r}: expected DG and three digits, or three to eight letters and three digits"
            )
        if not _NAME.fullmatch(name):
            raise ValueError(f"rule name {name!r}: expected kebab case")
        self.function = function
        self.code = code
        self.name = name
        self.severity = severity
        self.page = inspect.cleandoc(function.__doc__ or "")
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__qualname__ = function.__qualname__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[Outcome]:
        """Run the rule."""
        return list(self.function(*args, **kwargs))

    def __repr__(self) -> str:
        return f"<Rule {self.code} {self.name}>"

    @property
    def summary(self) -> str:
        """The first line of the page."""
        return self.page.partition("\n")[0]

    @property
    def sections(self) -> Mapping[str, str]:
        """The page's sections by title, in order."""
        parts = re.split(r"^## (.+)$", self.page, flags=re.MULTILINE)
        return {title.strip(): body.strip() for title, body in zip(parts[1::2], parts[2::2], strict=True)}

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return typing.get_type_hints(self.function, include_extras=True)

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """The positional parameters. ``X | None`` makes an input optional."""
        found = []
        for parameter in inspect.signature(self.function).parameters.values():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                continue
            members = _members(self._hints[parameter.name])
            kinds = [member for member in members if member is not type(None)]
            found.append(Input(name=parameter.name, type=kinds[0], required=len(kinds) == len(members)))
        return tuple(found)

    @cached_property
    def options(self) -> Mapping[str, Option]:
        """The keyword-only parameters by name."""
        found = {}
        for parameter in inspect.signature(self.function).parameters.values():
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                continue
            hint, bounds = self._hints[parameter.name], None
            if typing.get_origin(hint) is Annotated:
                hint, *extras = typing.get_args(hint)
                bounds = next((extra for extra in extras if isinstance(extra, Between)), None)
            members = _members(hint)
            element = None
            if typing.get_origin(members[0]) is tuple:
                element = typing.get_args(members[0])[0]
            found[parameter.name] = Option(
                name=parameter.name,
                types=tuple(typing.get_origin(member) or member for member in members),
                element=element,
                default=parameter.default,
                bounds=bounds,
            )
        return found

    def configure(self, values: Mapping[str, object], *, where: str) -> dict[str, Any]:
        """All options of this rule: those of `values`, checked, over the defaults.

        Raises:
            ConfigurationError: an unknown option, or one whose type or range does not fit.
        """
        result = {name: option.default for name, option in self.options.items()}
        for key, value in values.items():
            name = key.replace("-", "_")
            if name not in self.options:
                raise ConfigurationError(
                    f"rule {self.code} has no option {key!r}",
                    where=where,
                    hint=did_you_mean(name, self.options) if self.options else "it has no options",
                )
            result[name] = self.options[name].coerce(value, where=f"{where}: {key}")
        return result

    def finding(
        self,
        message: str,
        *,
        remedy: str,
        confidence: Confidence,
        severity: Severity | None = None,
        measurements: tuple[Measurement, ...] = (),
        locations: tuple[Location, ...] = (),
        exhibits: tuple[Exhibit, ...] = (),
        edits: tuple[Edit, ...] = (),
        key: tuple[str, ...] = (),
        estimated: bool = False,
    ) -> Finding:
        """A finding of this rule; see `Finding` for the fields."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=self.severity if severity is None else severity,
            confidence=confidence,
            message=message,
            remedy=remedy,
            measurements=measurements,
            locations=locations,
            exhibits=exhibits,
            edits=edits,
            key=key,
            estimated=estimated,
        )


def rule(code: str, name: str, severity: Severity) -> Callable[[Callable[P, Iterator[Outcome]]], Rule[P]]:
    """Make a generator function a rule.

    Positional parameters are its inputs, by type; keyword-only parameters with defaults are its options.

    Args:
        code: ``DG`` and three digits; a plug-in's begins with three to eight letters.
        name: The defect, in kebab case.
        severity: What its findings have unless one says otherwise.
    """

    def decorate(function: Callable[P, Iterator[Outcome]]) -> Rule[P]:
        return Rule(function, code, name, severity)

    return decorate


def _members(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return typing.get_args(hint)
    return (hint,)

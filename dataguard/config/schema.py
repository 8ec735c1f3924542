"""The JSON Schema of ``dataguard.toml``, made from what reads it, so that editors and runs agree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dataguard.config.fragments import Schema, any_case, in_any_case, keyed, spelt
from dataguard.config.records import Config
from dataguard.config.tables import SETTINGS
from dataguard.core.docstrings import in_one_line
from dataguard.core.rule import Option, Rule

CONFIG_SCHEMA = "config.v1.schema.json"
"""Its name among the shipped schemas."""
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def config_schema(rules: Iterable[Rule[Any]]) -> dict[str, Any]:
    """The JSON Schema, draft 2020-12, of ``dataguard.toml`` with the options of these rules.

    What it accepts, `parse_config` accepts, and the other way round, but for three things that JSON Schema cannot say:
    as many means as standard deviations, that 1.0 is no whole number, and days in other forms than 2027-01-31, which a
    run accepts as well.

    >>> from dataguard.rules import all_rules
    >>> config_schema(all_rules())["properties"]["fail-on"]["default"]
    'error'
    """
    known = tuple(rules)
    values = {name: read.schema for name, read in SETTINGS.items()}
    values["select"] = {"type": "array", "items": {"$ref": "#/$defs/selector"}}
    values["ignore"] = {**values["ignore"], "propertyNames": {"$ref": "#/$defs/selector"}}
    values["rules"] = {
        "type": "object",
        "properties": {word: {"$ref": f"#/$defs/{rule.code}"} for rule in known for word in (rule.code, rule.name)},
        "patternProperties": {
            f"^(?:{any_case(rule.code)}|{any_case(rule.name)})$": {"$ref": f"#/$defs/{rule.code}"} for rule in known
        },
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:dataguard:config:v1",
        "title": "Configuration of dataguard",
        **keyed(Config, values),
        "$defs": {"selector": _selector(known), **{rule.code: _options(rule) for rule in known}},
    }


def _selector(rules: tuple[Rule[Any], ...]) -> Schema:
    """What means rules: ALL, a code or the beginning of one, or a name."""
    codes = [rule.code for rule in rules]
    beginnings = {code[:length] for code in codes for length in range(1, len(code))}
    areas = sorted(word for word in beginnings if len(word) == len("DG1"))
    proposed = in_any_case(["ALL", *areas, *codes, *(rule.name for rule in rules)])
    others = sorted(beginnings - set(areas))
    return {
        "description": "Rules: ALL, a code, the beginning of one, or a name.",
        "anyOf": [*proposed["anyOf"], *in_any_case(others)["anyOf"][1:]],
    }


def _options(rule: Rule[Any]) -> Schema:
    options = {name: _option(option) for name, option in rule.options.items()}
    return {"description": f"{rule.code} {rule.name}: {in_one_line(rule.summary)}", **spelt(options)}


def _option(option: Option) -> Schema:
    default = list(option.default) if isinstance(option.default, tuple) else option.default
    said = {} if default is None else {"default": default}
    if option.element is not None:
        return {"type": "array", "items": {"type": _TYPES[option.element]}, **said}
    bounds: dict[str, float] = {}
    if option.bounds is not None:
        limits = {"minimum": option.bounds.low, "maximum": option.bounds.high}
        bounds = {key: value for key, value in limits.items() if abs(value) != float("inf")}
    names = [_TYPES[kind] for kind in option.types if kind is not type(None)]
    return {"type": names[0] if len(names) == 1 else names, **bounds, **said}

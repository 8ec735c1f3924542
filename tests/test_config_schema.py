"""What the JSON Schema of dataguard.toml accepts, a run accepts, and the other way round."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dataguard.config import parse_config
from dataguard.config.schema import CONFIG_SCHEMA, config_schema
from dataguard.config.tables import SETTINGS
from dataguard.config.values import Table
from dataguard.core.errors import ConfigurationError
from dataguard.core.resources import read_schema
from dataguard.rules import all_rules

RULES = all_rules()
SCHEMA = config_schema(RULES)
VALIDATOR = Draft202012Validator(SCHEMA)


def accepted_by_a_run(data: Mapping[str, Any]) -> bool:
    try:
        parse_config(data, RULES)
    except ConfigurationError:
        return False
    return True


WORDS = [
    *(word for rule in RULES for name in (rule.code, rule.name) for word in (name, name.upper(), name.lower())),
    *("d", "Dg", "dG", "dg3", "DG9", "aLL", "all", "Info", "WARNING", "eRRor"),
    *("why", " because ", "why (until 2027-12-31)", "why(until 2028-02-29 ) ", "2027-02-28", "2400-02-29"),
]
"""What patterns are met with."""


def example(schema: Any) -> st.SearchStrategy[Any]:
    """Documents that a schema of ours accepts; a test below says that they are."""
    if "$ref" in schema:
        return example(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        words = [word for word in WORDS if re.search(schema["pattern"], word)]
        assert words, schema["pattern"]
        return st.sampled_from(words)
    if schema.get("type") != "object" and "anyOf" in schema:
        return st.one_of([example(member) for member in schema["anyOf"]])
    kind = schema["type"]
    if isinstance(kind, list):
        return st.one_of([example({"type": member}) for member in kind])
    if kind == "object":
        return tables(schema)
    if kind == "array":
        return st.lists(example(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
    low, high = schema.get("minimum"), schema.get("maximum")
    if kind == "integer":
        return st.integers(low, high)
    if kind == "number":
        return st.floats(schema.get("exclusiveMinimum", low), high, allow_nan=False, allow_infinity=False).filter(
            lambda value: value != schema.get("exclusiveMinimum")
        )
    return {"boolean": st.booleans(), "string": st.text(max_size=8)}[kind]


@st.composite
def tables(draw: st.DrawFn, schema: Any) -> dict[str, Any]:
    """A table of a few of the keys, with what belongs together."""
    properties = schema.get("properties", {})
    if not properties:
        if schema["additionalProperties"] is False:
            return {}
        names = example(schema["propertyNames"]) if "propertyNames" in schema else st.text(max_size=5)
        values = example(schema["additionalProperties"])
        found: dict[str, Any] = draw(
            st.dictionaries(names, values, min_size=schema.get("minProperties", 0), max_size=3)
        )
        return found
    chosen = set(draw(st.lists(st.sampled_from(sorted(properties)), max_size=4, unique=True)))
    chosen |= set(schema.get("required", ()))
    if schema.get("anyOf"):
        chosen |= set(draw(st.sampled_from(schema["anyOf"]))["required"])
    for one, others in schema.get("dependentRequired", {}).items():
        chosen |= set(others) if one in chosen else set()
    for forbidden in [schema["not"]["required"]] if "not" in schema else []:
        chosen -= set(forbidden[1:]) if chosen >= set(forbidden) else set()
    found = {}
    for key in sorted(chosen):
        other = key.replace("-", "_")
        loose = any(re.search(pattern, other) for pattern in schema.get("patternProperties", {}))
        found[draw(st.sampled_from([key, other])) if loose else key] = draw(example(properties[key]))
    return found


JUNK = st.sampled_from([None, True, 0, -1, 3, 0.5, "x", "", " ", [], ["x"], [1, "x"], {}, {"x": 1}, "2027-02-30"])


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """A document with one place that may be wrong: another value, a key more or a key less."""
    data: dict[str, Any] = copy.deepcopy(draw(tables(SCHEMA)))
    place: Any = data
    while True:
        inner = [value for value in place.values() if isinstance(value, dict) and value]
        if not inner or draw(st.booleans()):
            break
        place = draw(st.sampled_from(inner))
    how = draw(st.sampled_from(["value", "more", "less"]))
    if how == "more" or not place:
        place[
            draw(st.sampled_from(["path", "mean", "serve", "model", "nonsense", "DG102", "loaders", "dg1", "Seed"]))
        ] = draw(JUNK)
    elif how == "value":
        place[draw(st.sampled_from(sorted(place)))] = draw(JUNK)
    else:
        del place[draw(st.sampled_from(sorted(place)))]
    return data


def sayable(data: Any) -> bool:
    """Whether JSON Schema can tell whether it is right: it cannot count means and standard deviations."""
    table = data.get("normalization")
    if not isinstance(table, dict):
        return True
    sizes = [len(value) if isinstance(value, list) else 1 for value in (table.get("mean"), table.get("std"))]
    return not 1 != sizes[0] != sizes[1] != 1


FEW = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@FEW
@given(tables(SCHEMA).filter(sayable))
def test_what_the_schema_accepts_a_run_accepts(data: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(data), [error.message for error in VALIDATOR.iter_errors(data)]
    parse_config(data, RULES)


@FEW
@given(spoilt().filter(sayable))
def test_what_the_schema_refuses_a_run_refuses(data: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(data) == accepted_by_a_run(data)


@pytest.mark.parametrize(
    "text",
    [
        "fail-on = 'ERROR'",
        "fail_on = 'Warning'",
        "fail-on = 'worst'",
        "select = ['dg1', 'Label-Noise', 'ALL', 'D']",
        "select = ['DG19']",
        "select = 'DG101'",
        "strict = 1",
        "jobs = 0",
        "jobs = true",
        "sed = 1",
        "ignore = { DG102 = 'why' }",
        "ignore = { DG102 = ' ' }",
        "ignore = { DG102 = 'why (until 2028-02-29)' }",
        "ignore = { DG102 = 'why (until 2027-02-29)' }",
        "ignore = { DG102 = 'why (until 3 weeks)' }",
        "ignore = { DG102 = '(until 2027-02-28)' }",
        "ignore = { DG102 = { reason = 'why', until = '2027-02-28' } }",
        "ignore = { DG102 = { reason = 'why', until = 'soon' } }",
        "ignore = { DG102 = { until = '2027-02-28' } }",
        "ignore = { DG102 = { reason = 'why', til = '2027-02-28' } }",
        "ignore = { DG999 = 'why' }",
        "rules.DG101.max-noise-rate = 0.1",
        "rules.dg101.max_noise_rate = 1",
        "rules.Label-Noise.max-noise-rate = 0",
        "rules.DG101.max-noise-rate = 2",
        "rules.DG101.max-noise = 0.1",
        "rules.DG506.allowed = ['x']",
        "rules.DG506.allowed = [1]",
        "rules.DG1 = {}",
        "dataset.splits = {}",
        "dataset.splits = { train = [] }",
        "dataset.splits = { train = 'a.csv', test = ['b.csv'] }",
        "loader = { target = 'a:b', label = 0, timeout = 0 }",
        "loader = { target = 'a:b', label = 0, timeout = 3 }",
        "preprocessing = {}",
        "preprocessing = { serve = 'a:b' }",
        "preprocessing = { serve = 'a:b', train = 'a:c', model = 'a:d' }",
        "preprocessing = { serve = 'a:b', declared = 'a.json' }",
        "normalization = { mean = 1.0 }",
        "normalization = { mean = [1, 2], std = 1 }",
        "normalization = { mean = [], std = 1 }",
        "normalization = { mean = 1, std = 0 }",
        "normalization = { splits = { train = 'a' }, loaders = { train = 'b' } }",
    ],
)
def test_both_agree_on_a_file(text: str) -> None:
    data = tomllib.loads(text)
    assert VALIDATOR.is_valid(data) == accepted_by_a_run(data)


def test_every_key_and_every_option_is_in_it_and_described() -> None:
    properties = SCHEMA["properties"]
    assert set(properties) == {name.replace("_", "-") for name in SETTINGS}
    for name, read in SETTINGS.items():
        if isinstance(read, Table):
            inner = properties[name]["properties"]
            assert set(inner) == {key.replace("_", "-") for key in read.keys}
            assert [key for key, schema in inner.items() if not schema.get("description")] == [], name
    assert [key for key in properties if not properties[key].get("description")] == []
    for rule in RULES:
        options = SCHEMA["$defs"][rule.code]["properties"]
        assert set(options) == {name.replace("_", "-") for name in rule.options}
        assert {key: schema["default"] for key, schema in options.items()} == {
            name.replace("_", "-"): list(option.default) if isinstance(option.default, tuple) else option.default
            for name, option in rule.options.items()
        }


def test_it_is_shipped_and_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(read_schema(CONFIG_SCHEMA)) == SCHEMA


def test_init_names_it_for_editors(tmp_path: Path, shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataguard.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(["init", str(shapes)]) == 0
    first, *_ = (tmp_path / "dataguard.toml").read_text(encoding="utf-8").splitlines()
    assert first == "#:schema ./dataguard.schema.json"
    assert json.loads((tmp_path / "dataguard.schema.json").read_text(encoding="utf-8")) == SCHEMA
    written = tomllib.loads((tmp_path / "dataguard.toml").read_text(encoding="utf-8"))
    assert VALIDATOR.is_valid(written)
    assert main(["init", str(shapes), "--force", "--no-schema"]) == 0
    assert "#:schema" not in (tmp_path / "dataguard.toml").read_text(encoding="utf-8")

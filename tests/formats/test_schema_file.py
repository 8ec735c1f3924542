from __future__ import annotations

import json as standard_json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from dataguard.core.report import Report
from dataguard.core.resources import read_schema
from dataguard.formats import json
from dataguard.formats.schema import FILE_NAME, report_schema


@pytest.fixture
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(standard_json.loads(read_schema(FILE_NAME)))


def test_the_shipped_schema_is_what_the_records_say() -> None:
    # Regenerate: python -c 'from dataguard.formats.schema import *; print(report_schema(), end="")' > schemas/…
    assert read_schema(FILE_NAME) == report_schema()


@pytest.mark.parametrize("first", [float | int | str | None, None | str | int | float])
def test_the_order_in_which_types_are_met_does_not_matter(first: Any) -> None:
    # Equal to the type of a cell, whose members stand in another order.
    assert json.members_of(first) != json.members_of(str | int | float | None)
    assert json.members_of(str | int | float | None) == (str, int, float, type(None))
    assert read_schema(FILE_NAME) == report_schema()


def test_the_schema_is_a_schema(validator: jsonschema.Draft202012Validator) -> None:
    validator.check_schema(validator.schema)


def test_reports_are_valid(validator: jsonschema.Draft202012Validator, report: Report, hostile: Report) -> None:
    validator.validate(standard_json.loads(json.dump(report)))
    validator.validate(standard_json.loads(json.dump(hostile)))


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_no_object_allows_a_key_that_it_does_not_name(validator: jsonschema.Draft202012Validator) -> None:
    assert all(found["additionalProperties"] is False for found in objects(validator.schema))


def test_every_key_is_described(validator: jsonschema.Draft202012Validator) -> None:
    schema = standard_json.loads(read_schema(FILE_NAME))
    records = [schema, *schema["$defs"].values()]
    bare = [
        (record.get("description"), key)
        for record in records
        for key, value in record.get("properties", {}).items()
        if "description" not in value
    ]
    assert bare == []
    assert all("description" in record for record in records)


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"seconds": "long"},
        {"schema_version": "2"},
        {"counts": {}},
        {"subject": {}},
        {"seconds": {"float": "huge"}},
    ],
)
def test_what_is_no_report_is_not_valid(
    validator: jsonschema.Draft202012Validator, report: Report, change: dict[str, object]
) -> None:
    document = standard_json.loads(json.dump(report)) | change
    assert not validator.is_valid(document)

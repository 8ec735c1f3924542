from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
import pytest

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Finding, Observation, Severity
from dataguard.dataset.schema import SchemaFailures, validate_frame
from dataguard.rules.versions.dg802_schema_violation import schema_violation

TABLE = pd.DataFrame({"id": ["a", "b", "b"], "age": [31, -1, -4]})


def failures(schema: pa.DataFrameSchema, frame: pd.DataFrame = TABLE) -> SchemaFailures:
    return validate_frame(schema, frame, reference="schema.py:People")


def test_fires_once_a_broken_check_with_every_row() -> None:
    schema = pa.DataFrameSchema({"id": pa.Column(str, unique=True), "age": pa.Column(int, pa.Check.ge(0))}, name="P")
    ids, ages, observation = schema_violation(failures(schema))
    assert isinstance(ids, Finding)
    assert isinstance(ages, Finding)
    assert isinstance(observation, Observation)
    assert (ages.severity, ages.confidence) == (Severity.ERROR, Confidence.HIGH)
    expected = "Column 'age' breaks greater_than_or_equal_to(0) of schema 'P' in 2 of 3 rows: row 2 holds -1."
    assert ages.message == expected
    assert [(place.sample_id, place.column, place.note) for place in ages.locations] == [
        ("2", "age", "row 2: -1"),
        ("3", "age", "row 3: -4"),
    ]
    (listing,) = ages.exhibits
    assert isinstance(listing, Listing)
    assert listing.rows == ((2, "2", "age", "-1"), (3, "3", "age", "-4"))
    assert ids.fingerprint != ages.fingerprint


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (pa.DataFrameSchema({"sex": pa.Column(str)}, name="P"), "Column 'sex' is missing (schema 'P')."),
        (
            pa.DataFrameSchema({"id": pa.Column(str)}, strict=True, name="P"),
            "Column 'age' is not in the schema, which is strict (schema 'P').",
        ),
        (
            pa.DataFrameSchema({"age": pa.Column(float)}, name="P"),
            "Column 'age' breaks dtype('float64') of schema 'P': int64.",
        ),
        (
            pa.DataFrameSchema({}, checks=pa.Check(lambda table: len(table) > 3, name="large"), name="P"),
            "The table breaks large of schema 'P'.",
        ),
        (
            pa.DataFrameSchema({}, unique=["id", "age"], name="P"),
            (
                "Columns id, age together break multiple_fields_uniqueness of schema 'P' in 2 of 2 rows: "
                "row 1 holds id=b, age=-1."
            ),
        ),
    ],
)
def test_fires_in_words_that_fit_the_check(schema: pa.DataFrameSchema, message: str) -> None:
    frame = pd.DataFrame({"id": ["b", "b"], "age": [-1, -1]}) if schema.unique else TABLE
    finding = schema_violation(failures(schema, frame))[0]
    assert isinstance(finding, Finding)
    assert finding.message == message


def test_fires_as_a_warning_where_the_schema_only_warns() -> None:
    schema = pa.DataFrameSchema({"age": pa.Column(int, pa.Check.ge(0, raise_warning=True))})
    finding = schema_violation(failures(schema))[0]
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING


def test_silent_on_a_table_that_holds() -> None:
    (observation,) = schema_violation(failures(pa.DataFrameSchema({"age": pa.Column(int)}, name="P")))
    assert isinstance(observation, Observation)
    assert observation.message == "Schema 'P' held against 3 rows and 2 columns: 0 failures."


def test_edge_the_listed_rows_are_limited_and_all_are_counted() -> None:
    frame = pd.DataFrame({"age": [-1] * 300})
    finding = schema_violation(
        failures(pa.DataFrameSchema({"age": pa.Column(int, pa.Check.ge(0))}), frame), max_rows=7
    )[0]
    assert isinstance(finding, Finding)
    assert len(finding.locations) == 7
    assert finding.measurements[0].value == 300
    (listing,) = finding.exhibits
    assert isinstance(listing, Listing)
    assert listing.total == 300


def test_edge_an_empty_table_is_checked_for_its_columns() -> None:
    schema = pa.DataFrameSchema({"age": pa.Column(int), "sex": pa.Column(str)})
    frame = pd.DataFrame({"age": pd.Series([], dtype="int64")})
    found = [outcome for outcome in schema_violation(failures(schema, frame)) if isinstance(outcome, Finding)]
    assert [finding.locations[0].column for finding in found] == ["sex"]


def test_edge_the_fingerprint_does_not_depend_on_the_rows() -> None:
    schema = pa.DataFrameSchema({"age": pa.Column(int, pa.Check.ge(0))})
    one = schema_violation(failures(schema))[0]
    other = schema_violation(failures(schema, TABLE.assign(age=[-9, 3, 3])))[0]
    assert isinstance(one, Finding)
    assert isinstance(other, Finding)
    assert one.fingerprint == other.fingerprint

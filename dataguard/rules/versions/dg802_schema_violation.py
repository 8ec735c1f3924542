"""DG802 schema-violation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.dataset.schema import BrokenCheck, SchemaFailure, SchemaFailures

_SAID_OF_COLUMNS = {
    "column_in_dataframe": "column {column!r} is missing",
    "column_in_schema": "column {column!r} is not in the schema, which is strict",
    "column_ordered": "column {column!r} is out of the schema's order",
}


@rule("DG802", "schema-violation", Severity.ERROR)
def schema_violation(
    failures: SchemaFailures, *, max_rows: Annotated[int, Between(low=1, high=1000)] = 100
) -> Iterator[Outcome]:
    """The table breaks the schema that its owner wrote for it.

    ## What it does

    Holds the table against a pandera schema that the configuration names, and reports every check that does not hold
    with row, column, value and check:

    ```toml
    [dataset]
    schema = "schemas.py:Patients"  # or "schema.yaml", or "package.module:Patients"
    ```

    A table is checked as it is read. A folder of images is checked by its sample table, whose schema is shipped as
    `schemas/sample_table.yaml`. Schemas for image labels, a table with a class and a serving log are there to copy, and
    `dataguard schema infer` proposes one from data. `dataguard schema check TABLE --schema FILE` needs no
    configuration.

    ## Why is this bad?

    A schema is what the code downstream relies on. A renamed column, a null, an age of −1 or an id that occurs twice
    seldom stops training: it is filled, clipped or joined twice, and comes out as a worse model that nobody can
    explain.

    ## How it decides

    pandera decides, on the whole table in one piece and lazily, so that one run reports all failures. There is no
    statistic: a failure is certain, so confidence is high, and each broken check of each column is one finding, an
    error. Where the schema itself says that a check only warns (`raise_warning=True`), it is a warning.

    Schemas may be of `pandera.pandas`, `pandera.polars` or `pandera.ibis`, and in Python tables too. On a lazy polars
    table pandera may check no values, on ibis it sees no recurring ids, and no rows of nulls: lazy tables are collected
    first, and on ibis nulls and uniqueness are looked at here.

    pandera can be told to let bad rows pass. None of these is obeyed here: `drop_invalid_rows`,
    `PANDERA_VALIDATION_ENABLED=False`, `PANDERA_VALIDATION_DEPTH=SCHEMA_ONLY`, `n_failure_cases`. One thing is
    added: `coerce=True` turns the number 1.7 into the integer 1, and pandera finds nothing in that; here it breaks
    the check `coerced_without_loss`. A key of a YAML schema that pandera does not know, and would skip, is an error
    of the configuration.

    Options:

    - `max_rows`: how many rows of one broken check are listed; all are counted.

    Measured on generated tables (`tests/dataset/test_schema.py`): each kind of fault (value, null, uniqueness of one
    and of several columns, type, missing, surplus and misplaced column, custom check of a column and of whole rows,
    lossy coercion) is found with exactly its rows, and a table that holds gives nothing. Eleven kinds are found on
    pandas, polars, lazy polars and ibis tables alike (`tests/dataset/test_schema_backends.py`).

    ## Example

    >>> import pandas as pd
    >>> import pandera.pandas as pa
    >>> from dataguard.dataset.schema import validate_frame
    >>> schema = pa.DataFrameSchema({"age": pa.Column(int, pa.Check.ge(0))}, name="Patients")
    >>> failures = validate_frame(schema, pd.DataFrame({"age": [31, -1, 54]}), reference="schemas.py:Patients")
    >>> print(schema_violation(failures)[0].message)
    Column 'age' breaks greater_than_or_equal_to(0) of schema 'Patients' in 1 of 3 rows: row 2 holds -1.

    ## How to fix

    Correct the rows, or find out which step of the preparation made them. Where the schema is wrong, change it in the
    same commit as the data, so that the next version is held to what is true now.

    ## References

    - [pandera: error reports](https://pandera.readthedocs.io/en/stable/lazy_validation.html)
    - [pandera: schemas in YAML](https://pandera.readthedocs.io/en/stable/schema_inference.html)
    - Breck et al., *Data Validation for Machine Learning*, MLSys 2019.
    """
    for broken in failures.broken:
        places = failures.of(broken)[:max_rows]
        yield schema_violation.finding(
            _message(failures, broken, places),
            remedy="Correct these rows at their source; where the schema is wrong, change it together with the data.",
            severity=Severity.WARNING if broken.advisory else Severity.ERROR,
            confidence=Confidence.HIGH,
            measurements=(Measurement(name="failures", value=broken.total, threshold=0, n=failures.n_rows),),
            locations=tuple(_location(place) for place in places),
            exhibits=(_listing(broken, places),) if any(place.row is not None for place in places) else (),
            key=(failures.reference, broken.column or "", broken.check),
        )
    yield Observation(
        message=f"Schema {failures.schema!r} held against {failures.n_rows:,} rows and {failures.n_columns:,} columns: "
        f"{failures.total:,} failures.",
        measurements=(
            Measurement(name="failures", value=failures.total, threshold=0, n=failures.n_rows),
            Measurement(name="broken checks", value=len(failures.broken), threshold=0),
        ),
    )


def _message(failures: SchemaFailures, broken: BrokenCheck, places: tuple[SchemaFailure, ...]) -> str:
    first = places[0]
    if broken.check in _SAID_OF_COLUMNS:
        said = _SAID_OF_COLUMNS[broken.check].format(column=broken.column)
        return f"{said[0].upper()}{said[1:]} (schema {failures.schema!r})."
    subject, verb = "The table" if broken.column is None else f"Column {broken.column!r}", "breaks"
    if broken.column is not None and ", " in broken.column:
        subject, verb = f"Columns {broken.column} together", "break"
    said = f"{subject} {verb} {broken.check} of schema {failures.schema!r}"
    if first.row is None:
        return f"{said}: {first.value}." if first.value not in (None, "False") else f"{said}."
    return f"{said} in {broken.total:,} of {failures.n_rows:,} rows: row {first.row:,} holds {first.value}."


def _location(place: SchemaFailure) -> Location:
    note = place.check if place.row is None else f"row {place.row:,}: {place.value}"
    return Location(sample_id=place.sample_id, column=place.column, note=note)


def _listing(broken: BrokenCheck, places: tuple[SchemaFailure, ...]) -> Listing:
    return Listing(
        title=f"Rows that break {broken.check}",
        columns=("row", "sample", "column", "value"),
        rows=tuple((place.row, place.sample_id, place.column, place.value) for place in places),
        total=broken.total,
    )

"""The same kinds of fault on every library of tables: none may pass, and each is named with its row and value."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dataguard.core.errors import ConfigurationError
from dataguard.dataset.schema import LOSSY_COERCION, SchemaFailures, validate, validate_frame

# ibis sets an option of pandas that pandas has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:The 'future.infer_string' option:Warning")

TABLE: dict[str, list[Any]] = {
    "id": ["a", "b", "b", "d"],
    "age": [31, -1, 7, 12],
    "sex": ["f", "q", "m", "f"],
    "weight": [70.5, None, 22.0, 22.0],
    "site": [1, 2, 2, 4],
}

Place = tuple[int | None, str | None, str | None, str]


@dataclass(frozen=True, kw_only=True)
class Library:
    """How one library is spoken to."""

    name: str
    pa: Any
    """pandera's module for it."""
    integer: Any
    text: Any
    table: Callable[[dict[str, list[Any]]], Any]
    above_ten: Callable[[Any], Any]
    """A check of one column."""
    heavier_than_old: Callable[[Any], Any]
    """A check of whole rows: weight is above age."""


def pandas_library() -> Library:
    import pandera.pandas as pa

    return Library(
        name="pandas",
        pa=pa,
        integer="int64",
        text="str",
        table=pd.DataFrame,
        above_ten=lambda values: values > 10,
        heavier_than_old=lambda table: table["weight"].isna() | (table["weight"] > table["age"]),
    )


def polars_library(*, lazy: bool) -> Library:
    pl = pytest.importorskip("polars", reason="polars is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pa = importlib.import_module("pandera.polars")
    return Library(
        name="polars",
        pa=pa,
        integer=pl.Int64,
        text=pl.String,
        table=lambda columns: pl.LazyFrame(columns) if lazy else pl.DataFrame(columns),
        above_ten=lambda data: data.lazyframe.select(pl.col(data.key) > 10),
        heavier_than_old=lambda data: data.lazyframe.select(
            pl.col("weight").is_null() | (pl.col("weight") > pl.col("age"))
        ),
    )


def ibis_library() -> Library:
    ibis = pytest.importorskip("ibis", reason="ibis-framework[duckdb] is not installed")
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pa = importlib.import_module("pandera.ibis")
    return Library(
        name="ibis",
        pa=pa,
        integer=ibis.dtype("int64"),
        text=ibis.dtype("string"),
        table=lambda columns: ibis.memtable(arrow.table(columns)),
        above_ten=lambda data: data.table[data.key] > 10,
        heavier_than_old=lambda data: data.table.weight.isnull() | (data.table.weight > data.table.age),
    )


LIBRARIES: dict[str, Callable[[], Library]] = {
    "pandas": pandas_library,
    "polars": lambda: polars_library(lazy=False),
    "polars lazy": lambda: polars_library(lazy=True),
    "ibis": ibis_library,
}


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Library:
    return LIBRARIES[request.param]()


Fault = tuple[Callable[[Library], Any], list[Place]]


def of_columns(make: Callable[[Library], dict[str, Any]]) -> Callable[[Library], Any]:
    return lambda lib: lib.pa.DataFrameSchema(make(lib), name="S")


FAULTS: dict[str, Fault] = {
    "type": (of_columns(lambda lib: {"sex": lib.pa.Column(lib.integer)}), [(None, "sex", "?", "dtype")]),
    "null": (of_columns(lambda lib: {"weight": lib.pa.Column()}), [(2, "weight", "null", "not_nullable")]),
    "range": (
        of_columns(lambda lib: {"age": lib.pa.Column(lib.integer, lib.pa.Check.ge(0))}),
        [(2, "age", "-1", "greater_than_or_equal_to(0)")],
    ),
    "list of values": (
        of_columns(lambda lib: {"sex": lib.pa.Column(lib.text, lib.pa.Check.isin(["f", "m"]))}),
        [(2, "sex", "q", "isin(['f', 'm'])")],
    ),
    "pattern": (
        of_columns(lambda lib: {"id": lib.pa.Column(lib.text, lib.pa.Check.str_matches("^[ab]$"))}),
        [(4, "id", "d", "str_matches('^[ab]$')")],
    ),
    "uniqueness": (
        of_columns(lambda lib: {"id": lib.pa.Column(lib.text, unique=True)}),
        [(2, "id", "b", "field_uniqueness"), (3, "id", "b", "field_uniqueness")],
    ),
    "uniqueness of several columns": (
        lambda lib: lib.pa.DataFrameSchema({}, unique=["id", "site"], name="S"),
        [
            (2, "id, site", "id=b, site=2", "multiple_fields_uniqueness"),
            (3, "id, site", "id=b, site=2", "multiple_fields_uniqueness"),
        ],
    ),
    "missing column": (
        of_columns(lambda lib: {"height": lib.pa.Column()}),
        [(None, "height", None, "column_in_dataframe")],
    ),
    "surplus column": (
        lambda lib: lib.pa.DataFrameSchema(
            {name: lib.pa.Column(nullable=True) for name in TABLE if name != "sex"}, strict=True, name="S"
        ),
        [(None, "sex", None, "column_in_schema")],
    ),
    "custom check of a column": (
        of_columns(lambda lib: {"age": lib.pa.Column(lib.integer, lib.pa.Check(lib.above_ten, name="adult"))}),
        [(2, "age", "-1", "adult"), (3, "age", "7", "adult")],
    ),
    "custom check of rows": (
        lambda lib: lib.pa.DataFrameSchema({}, checks=lib.pa.Check(lib.heavier_than_old, name="heavy"), name="S"),
        [],
    ),
}


def check(schema: Any, table: Any) -> SchemaFailures:
    return validate_frame(schema, table, reference="schema.py:S")


def places(failures: SchemaFailures) -> list[Place]:
    return [(found.row, found.column, found.value, found.check) for found in failures.failures]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_kind_of_fault_passes_on_any_library(library: Library, fault: str) -> None:
    make, expected = FAULTS[fault]
    columns = TABLE if fault != "custom check of rows" else TABLE | {"age": [31, -1, 99, 12]}
    failures = check(make(library), library.table(columns))
    assert failures.total > 0
    if fault == "type":
        # Some name the rows, some the type that is there.
        assert {(column, text[:6]) for _, column, _, text in places(failures)} == {("sex", "dtype(")}
        assert all(value for _, _, value, _ in places(failures))
    elif fault == "custom check of rows":
        (failure,) = failures.failures
        assert (failure.row, failure.column, failure.check) == (3, None, "heavy")
        assert "age=99" in str(failure.value)
    else:
        assert places(failures) == expected
        assert failures.total == len(expected)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in ("type", "missing column")])
@pytest.mark.parametrize("other", ["polars", "polars lazy", "ibis"])
def test_a_schema_for_pandas_holds_for_tables_of_every_library(other: str, fault: str) -> None:
    library, pandas = LIBRARIES[other](), pandas_library()
    make, _ = FAULTS[fault]
    columns = TABLE if fault != "custom check of rows" else TABLE | {"age": [31, -1, 99, 12]}
    found, expected = check(make(pandas), library.table(columns)), check(make(pandas), pd.DataFrame(columns))
    assert places(found) == places(expected) != []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_table_read_from_a_file_is_held_against_schemas_of_every_library(library: Library, fault: str) -> None:
    make, expected = FAULTS[fault]
    failures = check(make(library), pd.DataFrame(TABLE))
    assert failures.total > 0 or fault == "custom check of rows"
    if expected and fault != "type":
        assert places(failures) == expected


def test_a_table_that_holds_has_no_failures(library: Library) -> None:
    pa = library.pa
    schema = pa.DataFrameSchema(
        {
            "id": pa.Column(library.text),
            "age": pa.Column(library.integer, pa.Check.ge(-1)),
            "sex": pa.Column(library.text, pa.Check.isin(["f", "m", "q"])),
            "weight": pa.Column(nullable=True),
            "site": pa.Column(library.integer),
        },
        strict=True,
        ordered=True,
        name="S",
    )
    failures = check(schema, library.table(TABLE))
    assert (failures.total, failures.n_rows, failures.n_columns, failures.schema) == (0, 4, 5, "S")


@pytest.mark.parametrize("fault", ["range", "uniqueness", "null"])
def test_drop_invalid_rows_and_switches_let_nothing_pass(library: Library, fault: str) -> None:
    from pandera.config import ValidationDepth, config_context

    make, expected = FAULTS[fault]
    schema = library.pa.DataFrameSchema(make(library).columns, drop_invalid_rows=True, name="S")
    with config_context(validation_enabled=False, validation_depth=ValidationDepth.SCHEMA_ONLY):
        assert places(check(schema, library.table(TABLE))) == expected


def test_a_coercion_that_drops_the_fraction_is_a_failure(library: Library) -> None:
    schema = library.pa.DataFrameSchema({"weight": library.pa.Column(library.integer, coerce=True)}, name="S")
    failures = check(schema, library.table({"weight": [22.0, 70.5]}))
    assert failures.total > 0
    if library.name != "ibis":  # there pandera coerces nothing, and the type is a failure
        assert (2, "weight", "70.5", LOSSY_COERCION) in places(failures)


def test_what_cannot_be_coerced_is_named(library: Library) -> None:
    schema = library.pa.DataFrameSchema({"id": library.pa.Column(library.integer, coerce=True)}, name="S")
    failures = check(schema, library.table({"id": ["1", "old"]}))
    assert {found.column for found in failures.failures} == {"id"}
    if library.name != "ibis":
        assert [(found.row, found.value) for found in failures.failures] == [(2, "old")]


def test_columns_by_pattern_are_named_one_by_one(library: Library) -> None:
    pa = library.pa
    column = pa.Column(checks=pa.Check.lt(20), regex=True, nullable=True)
    failures = check(pa.DataFrameSchema({"^(age|weight)$": column}, name="S"), library.table(TABLE))
    found = {(failure.row, failure.column) for failure in failures.failures}
    assert found == {(1, "age"), (1, "weight"), (3, "weight"), (4, "weight")}


def test_a_check_that_crashes_does_not_pass(library: Library) -> None:
    def crash(_: Any) -> Any:
        raise ZeroDivisionError("no")

    schema = library.pa.DataFrameSchema({"age": library.pa.Column(checks=library.pa.Check(crash, name="c"))}, name="S")
    (failure,) = check(schema, library.table(TABLE)).failures
    assert (failure.row, failure.column) == (None, "age")
    assert "ZeroDivisionError" in str(failure.value)


def test_an_empty_table_is_checked_for_its_columns(library: Library) -> None:
    schema = library.pa.DataFrameSchema({"height": library.pa.Column(nullable=True)}, name="S")
    table = library.table({"age": [1]})
    empty = table.head(0) if hasattr(table, "head") else table.limit(0)
    assert [failure.column for failure in check(schema, empty).failures] == ["height"]


def test_a_model_in_a_file_is_loaded(library: Library, tmp_path: Path) -> None:
    (tmp_path / "schema.py").write_text(
        f"import pandera.{library.name} as pa\nclass People(pa.DataFrameModel):\n    id: str = pa.Field(unique=True)\n"
    )
    failures = validate("schema.py:People", pd.DataFrame({"id": ["a", "b", "a"]}), base=tmp_path)
    assert [(found.row, found.check) for found in failures.failures] == [
        (1, "field_uniqueness"),
        (3, "field_uniqueness"),
    ]
    assert failures.schema == "People"


def test_the_library_of_a_schema_that_is_not_installed_is_named(tmp_path: Path) -> None:
    (tmp_path / "schema.py").write_text("import pandera.no_such_library as pa\n")
    with pytest.raises(ConfigurationError, match=r"ModuleNotFoundError: No module named 'pandera\.no_such_library'"):
        validate("schema.py:People", pd.DataFrame({"id": ["a"]}), base=tmp_path)

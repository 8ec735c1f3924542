from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa
import pytest
import yaml

from dataguard.core.errors import ConfigurationError
from dataguard.core.resources import read_schema, schema_path
from dataguard.dataset.schema import LOSSY_COERCION, SchemaFailures, validate, validate_frame
from dataguard.dataset.table import COLUMNS, SampleTable

TABLE = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "age": [31, 54, 7, 12],
        "weight": [70.5, 81.0, 22.0, None],
        "sex": ["f", "m", "m", "f"],
    }
)


def sound() -> dict[str, pa.Column]:
    return {
        "id": pa.Column(str, unique=True),
        "age": pa.Column(int, pa.Check.ge(0)),
        "weight": pa.Column(float, nullable=True),
        "sex": pa.Column(str, pa.Check.isin(["f", "m"])),
    }


def check(schema: pa.DataFrameSchema, frame: pd.DataFrame = TABLE, **arguments: Any) -> SchemaFailures:
    return validate_frame(schema, frame, reference="schema.py:Schema", **arguments)


def places(failures: SchemaFailures) -> list[tuple[int | None, str | None, str | None, str]]:
    return [(found.row, found.column, found.value, found.check) for found in failures.failures]


def test_a_table_that_holds_has_no_failures() -> None:
    failures = check(pa.DataFrameSchema(sound(), strict=True, ordered=True, name="People"))
    assert failures.total == 0
    assert failures.broken == ()
    assert (failures.schema, failures.n_rows, failures.n_columns) == ("People", 4, 4)


FAULTS: dict[str, tuple[pa.DataFrameSchema, pd.DataFrame, list[tuple[int | None, str | None, str | None, str]]]] = {
    "value": (
        pa.DataFrameSchema(sound()),
        TABLE.assign(age=[31, -1, 7, -5]),
        [(2, "age", "-1", "greater_than_or_equal_to(0)"), (4, "age", "-5", "greater_than_or_equal_to(0)")],
    ),
    "null": (
        pa.DataFrameSchema({"weight": pa.Column(float)}),
        TABLE,
        [(4, "weight", "null", "not_nullable")],
    ),
    "null text": (
        pa.DataFrameSchema({"sex": pa.Column(str)}),
        TABLE.assign(sex=pd.Series(["f", None, "m", "f"])),
        [(2, "sex", "null", "not_nullable")],
    ),
    "uniqueness": (
        pa.DataFrameSchema(sound()),
        TABLE.assign(id=["a", "b", "b", "d"]),
        [(2, "id", "b", "field_uniqueness"), (3, "id", "b", "field_uniqueness")],
    ),
    "uniqueness of several columns": (
        pa.DataFrameSchema(sound(), unique=["age", "sex"]),
        TABLE.assign(age=[31, 7, 7, 12]),
        [
            (2, "age, sex", "age=7, sex=m", "multiple_fields_uniqueness"),
            (3, "age, sex", "age=7, sex=m", "multiple_fields_uniqueness"),
        ],
    ),
    "type": (
        pa.DataFrameSchema({"age": pa.Column(int)}),
        TABLE.assign(age=["31", "54", "7", "12"]),
        [(None, "age", str(TABLE["sex"].dtype), "dtype('int64')")],
    ),
    "value that cannot be coerced": (
        pa.DataFrameSchema({"age": pa.Column(int, coerce=True)}),
        TABLE.assign(age=["31", "old", "7", "12"]),
        [(2, "age", "old", "coerce_dtype('int64')")],
    ),
    "missing column": (
        pa.DataFrameSchema({"height": pa.Column(float)}, name="People"),
        TABLE,
        [(None, "height", None, "column_in_dataframe")],
    ),
    "surplus column": (
        pa.DataFrameSchema({name: column for name, column in sound().items() if name != "sex"}, strict=True, name="X"),
        TABLE,
        [(None, "sex", None, "column_in_schema")],
    ),
    "custom check": (
        pa.DataFrameSchema({"age": pa.Column(int, pa.Check(lambda age: age % 2 == 1, name="odd"))}),
        TABLE,
        [(2, "age", "54", "odd"), (4, "age", "12", "odd")],
    ),
    "custom check of a whole column": (
        pa.DataFrameSchema({"age": pa.Column(int, pa.Check(lambda age: age.mean() > 40, name="old enough"))}),
        TABLE,
        [(None, "age", "False", "old enough")],
    ),
    "custom check of rows": (
        pa.DataFrameSchema(
            {"age": pa.Column(int)}, checks=pa.Check(lambda table: table["age"] > 10, name="adult"), name="People"
        ),
        TABLE[["id", "age"]],
        [(3, None, "id=c, age=7", "adult")],
    ),
    "custom check of a whole table": (
        pa.DataFrameSchema({}, checks=pa.Check(lambda table: len(table) > 10, name="large"), name="People"),
        TABLE,
        [(None, None, "False", "large")],
    ),
    "check that crashes": (
        pa.DataFrameSchema({"age": pa.Column(int, pa.Check(lambda age: age / "x" > 0, name="broken"))}),
        TABLE,
        [],
    ),
    "columns by pattern": (
        pa.DataFrameSchema({"^(age|weight)$": pa.Column(pa.Float, pa.Check.lt(60), regex=True, coerce=True)}),
        TABLE.drop(columns="id").assign(weight=[70.5, 20, 22, 59]),
        [(1, "weight", "70.5", "less_than(60)")],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_kind_of_fault_is_found_with_its_place(fault: str) -> None:
    schema, frame, expected = FAULTS[fault]
    failures = check(schema, frame)
    assert failures.total > 0
    if expected:
        assert places(failures) == expected
        assert failures.total == len(expected)


def test_columns_out_of_order_are_found() -> None:
    failures = check(pa.DataFrameSchema(sound(), ordered=True), TABLE[["age", "id", "weight", "sex"]])
    assert {found.check for found in failures.failures} == {"column_ordered"}


@pytest.mark.parametrize("fault", ["value", "null", "uniqueness"])
def test_drop_invalid_rows_lets_nothing_pass(fault: str) -> None:
    schema, frame, expected = FAULTS[fault]
    schema = pa.DataFrameSchema(schema.columns, drop_invalid_rows=True)
    schema.validate(frame, lazy=True)  # pandera itself raises nothing here.
    assert places(check(schema, frame)) == expected


@pytest.mark.parametrize("fault", ["value", "uniqueness", "custom check of rows"])
@pytest.mark.parametrize(("setting", "value"), [("validation_enabled", False), ("validation_depth", "SCHEMA_ONLY")])
def test_switches_of_pandera_let_nothing_pass(fault: str, setting: str, value: object) -> None:
    from pandera.config import ValidationDepth, config_context

    schema, frame, expected = FAULTS[fault]
    arguments: dict[str, Any] = {setting: ValidationDepth(value) if isinstance(value, str) else value}
    with config_context(**arguments):
        schema.validate(frame, lazy=True)  # pandera itself raises nothing here.
        assert places(check(schema, frame)) == expected


def test_a_coercion_that_drops_the_fraction_is_a_failure() -> None:
    schema = pa.DataFrameSchema({"weight": pa.Column(int, coerce=True)})
    frame = TABLE[:3]
    schema.validate(frame, lazy=True)  # pandera itself raises nothing here.
    assert places(check(schema, frame)) == [(1, "weight", "70.5", LOSSY_COERCION)]


def test_a_coercion_without_loss_passes() -> None:
    schema = pa.DataFrameSchema({"weight": pa.Column(int, coerce=True), "age": pa.Column(float)}, coerce=True)
    assert check(schema, TABLE[1:3]).total == 0


def test_a_check_that_only_warns_is_reported_as_advice_with_its_rows() -> None:
    advice = pa.Check.ge(20, raise_warning=True)
    schema = pa.DataFrameSchema({"age": pa.Column(int, [advice, pa.Check.le(50)])})
    failures = check(schema)
    assert [(broken.check, broken.total, broken.advisory) for broken in failures.broken] == [
        ("greater_than_or_equal_to(20)", 2, True),
        ("less_than_or_equal_to(50)", 1, False),
    ]
    assert advice.raise_warning  # The user's own schema is as it was.


def test_all_failures_are_counted_and_the_first_are_kept() -> None:
    frame = pd.DataFrame({"age": range(-50, 50)})
    check_of_age = pa.Check.ge(0, n_failure_cases=3)
    failures = check(pa.DataFrameSchema({"age": pa.Column(int, check_of_age)}), frame, max_rows_per_check=5)
    assert failures.total == 50
    assert [found.row for found in failures.failures] == [1, 2, 3, 4, 5]
    assert check_of_age.n_failure_cases == 3


def test_uniqueness_is_checked_over_the_whole_table() -> None:
    frame = pd.DataFrame({"id": [*range(50_000), 7]})
    failures = check(pa.DataFrameSchema({"id": pa.Column(int, unique=True)}), frame)
    assert [found.row for found in failures.failures] == [8, 50_001]


def test_rows_are_counted_from_one_whatever_the_index_says() -> None:
    frame = TABLE.assign(age=[31, -1, 7, 12]).set_index(pd.Index([9, 9, 9, 9]))
    (failure,) = check(pa.DataFrameSchema(sound()), frame).failures
    assert (failure.row, failure.sample_id) == (2, "2")


def test_sample_ids_come_from_the_column_or_from_the_caller() -> None:
    schema = pa.DataFrameSchema({"age": pa.Column(int, pa.Check.ge(10))})
    assert check(schema, sample_ids=list("wxyz")).failures[0].sample_id == "y"
    assert check(schema, TABLE.assign(sample_id=list("klmn"))).failures[0].sample_id == "m"
    with pytest.raises(ValueError, match="2 sample ids for 4 rows"):
        check(schema, sample_ids=["a", "b"])


def test_long_values_are_cut() -> None:
    (failure,) = check(
        pa.DataFrameSchema({"text": pa.Column(str, pa.Check.str_length(max_value=5))}),
        pd.DataFrame({"text": ["x" * 999]}),
    ).failures
    assert failure.value is not None
    assert failure.value.endswith("x…")
    assert len(failure.value) == 120


def test_what_is_no_table_or_no_schema_is_not_taken() -> None:
    with pytest.raises(TypeError, match=r"expected a pandas, polars or ibis table, got narwhals\."):
        check(pa.DataFrameSchema({}), SampleTable.from_rows([]).frame)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a pandera schema for pandas, polars or ibis, got dict"):
        check({}, TABLE)  # type: ignore[arg-type]


def test_a_schema_whose_own_code_fails_is_a_configuration_error() -> None:
    def parse(table: pd.DataFrame) -> pd.DataFrame:
        raise KeyError("no such thing")

    with pytest.raises(ConfigurationError, match="the schema's own code failed: KeyError: 'no such thing'"):
        check(pa.DataFrameSchema({}, parsers=pa.Parser(parse)))


# The schema's file


MODULE = """
from __future__ import annotations
import pandera.pandas as pa
from neighbour import LIMIT

Ages = pa.DataFrameSchema({"age": pa.Column(int, pa.Check.ge(LIMIT))})

class People(pa.DataFrameModel):
    age: int = pa.Field(le=50)

something = 4
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "schemas.py").write_text(MODULE)
    (tmp_path / "neighbour.py").write_text("LIMIT = 10\n")
    package = tmp_path / f"package_{tmp_path.name.replace('-', '_')}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "rules.py").write_text(
        "import pandera.pandas as pa\nAges = pa.DataFrameSchema({'age': pa.Column(float)})\n"
    )
    return tmp_path


def broken_checks(reference: str, base: Path) -> list[str]:
    return [broken.check for broken in validate(reference, TABLE, base=base).broken]


def test_python_files_and_modules_are_loaded(folder: Path) -> None:
    before = list(sys.path)
    assert broken_checks("schemas.py:Ages", folder) == ["greater_than_or_equal_to(10)"]
    assert broken_checks("schemas.py:People", folder) == ["less_than_or_equal_to(50)"]
    (package,) = folder.glob("package_*")
    assert broken_checks(f"{package.name}.rules:Ages", folder) == ["dtype('float64')"]
    assert broken_checks(f"{folder / 'schemas.py'}:Ages", Path("/")) == ["greater_than_or_equal_to(10)"]
    assert sys.path == before
    assert not list(folder.rglob("__pycache__"))


def test_a_changed_file_is_read_anew(folder: Path) -> None:
    assert broken_checks("schemas.py:Ages", folder) == ["greater_than_or_equal_to(10)"]
    (folder / "schemas.py").write_text(MODULE.replace("ge(LIMIT)", "ge(-1)"))
    assert broken_checks("schemas.py:Ages", folder) == []


def test_the_name_is_the_schemas_or_the_references(folder: Path) -> None:
    assert validate("schemas.py:Ages", TABLE, base=folder).schema == "Ages"
    assert validate("schemas.py:People", TABLE, base=folder).schema == "People"


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        ("schemas.py", "cannot tell a schema from 'schemas.py'", "name a YAML file"),
        ("schema.py:Ages", "no such schema file", "did you mean 'schemas.py'?"),
        ("schemas.py:Agess", "no 'Agess' in it", "did you mean 'Ages'?"),
        ("schemas.py:something", "expected a pandera DataFrameSchema or DataFrameModel, got builtins.int", None),
        ("no_such_package.rules:Ages", "no module named 'no_such_package'", "modules are looked for in"),
        ("nothing.yaml", "no such schema file", "schemas.py"),
        (".:Ages", "cannot be loaded", None),
    ],
)
def test_a_wrong_reference_is_explained(folder: Path, reference: str, message: str, hint: str | None) -> None:
    with pytest.raises(ConfigurationError) as caught:
        validate(reference, TABLE, base=folder)
    assert message in caught.value.message
    assert (caught.value.hint is None) if hint is None else (hint in (caught.value.hint or ""))
    assert caught.value.where is not None


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("import pandera.pandas as pa\nS = pa.DataFrameSchema({)\n", "not valid Python", 2),
        ("\n\n1 / 0\n", "ZeroDivisionError: division by zero", 3),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3", 2),
        ("import no_such_module_at_all\n", "ModuleNotFoundError: No module named 'no_such_module_at_all'", 1),
    ],
)
def test_an_error_in_the_users_file_names_their_line(tmp_path: Path, text: str, message: str, line: int) -> None:
    (tmp_path / "schema.py").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        validate("schema.py:S", TABLE, base=tmp_path)
    assert message in caught.value.message
    assert caught.value.where == f"{tmp_path / 'schema.py'}:{line}"


def test_a_schema_for_another_library_is_explained(tmp_path: Path) -> None:
    (tmp_path / "schema.py").write_text("from pandera.api.base.schema import BaseSchema\nS = BaseSchema()\n")
    with pytest.raises(ConfigurationError) as caught:
        validate("schema.py:S", TABLE, base=tmp_path)
    assert "pandera.pandas" in (caught.value.hint or "")


YAML = """
schema_type: dataframe
columns:
  age:
    dtype: int64
    checks:
      ge: 10
"""


def test_yaml_in_both_of_panderas_spellings(tmp_path: Path) -> None:
    (tmp_path / "schema.yaml").write_text(YAML)
    assert broken_checks("schema.yaml", tmp_path) == ["greater_than_or_equal_to(10)"]
    written = pa.DataFrameSchema({"age": pa.Column(int, [pa.Check.ge(10), pa.Check.lt(54)])}).to_yaml()
    assert written is not None
    (tmp_path / "written.yml").write_text(written)
    assert broken_checks("written.yml", tmp_path) == ["greater_than_or_equal_to(10)", "less_than(54)"]


@pytest.mark.parametrize(
    ("text", "message", "hint", "where"),
    [
        ("a: [1\n", "not valid YAML", None, ":2"),
        ("", "no schema in it", "to_yaml", ""),
        ("- 1\n", "no schema in it", "to_yaml", ""),
        ("schema_type: dataframe\n", "asks for nothing", "columns", ""),
        (YAML.replace("columns", "colums"), "unknown key 'colums'", "did you mean 'columns'?", ""),
        (YAML.replace("dtype", "dtpe"), "unknown key 'dtpe'", "did you mean 'dtype'?", "columns.age"),
        (YAML.replace("ge:", "grater_than:"), "unknown key 'grater_than'", "did you mean 'greater_than'?", ".checks"),
        (YAML.replace("int64", "intt64"), "unknown dtype 'intt64'", "did you mean 'int64'?", "columns.age.dtype"),
        (YAML.replace("dataframe", "series"), "schema_type is 'series'", None, ": schema_type"),
        (YAML + "api: polars\n", "api is 'polars'", None, ": api"),
        (YAML + "    nulable: true\n", "unknown key 'nulable'", "did you mean 'nullable'?", "columns.age"),
        (YAML + "    less_than: 5\n", "beside `checks` would be ignored", "put it in `checks`", "columns.age"),
        ("columns: 4\n", "expected a mapping of column names", None, "columns"),
        ("columns: {age: 4}\n", "expected a mapping with dtype", None, "columns.age"),
        ("columns: {age: {checks: 4}}\n", "expected a mapping of checks", None, "columns.age.checks"),
        ("columns: {age: {checks: [{value: 4}]}}\n", "lacks options.check_name", None, "columns.age.checks"),
        ("columns: {age: {checks: {in_range: {least: 4}}}}\n", "not a valid schema", None, ""),
    ],
)
def test_a_wrong_yaml_schema_is_explained(
    tmp_path: Path, text: str, message: str, hint: str | None, where: str
) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        validate("schema.yaml", TABLE, base=tmp_path)
    assert message in caught.value.message
    assert (caught.value.hint is None) if hint is None else (hint in (caught.value.hint or ""))
    assert str(caught.value.where).startswith(str(path))
    assert where in str(caught.value.where)


def test_yaml_that_is_not_utf8_is_explained(tmp_path: Path) -> None:
    (tmp_path / "schema.yaml").write_bytes(YAML.encode() + "# größe".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="not UTF-8 at byte"):
        validate("schema.yaml", TABLE, base=tmp_path)


# The schemas that are shipped


def sample_rows() -> list[dict[str, Any]]:
    image = {
        "sample_id": "train/cat/1.png",
        "split": "train",
        "label": "cat",
        "path": "train/cat/1.png",
        "bytes": 120,
        "format": "png",
        "content_hash": "0" * 64,
        "perceptual_hash": 2**64 - 1,
        "width": 8,
        "height": 4,
        "mode": "RGB",
        "channel_sums": [1, 2, 3],
        "channel_square_sums": [1, 4, 9],
        "thumbnail": bytes(32 * 32 * 3),
    }
    broken = {"sample_id": "x.png", "path": "x.png", "bytes": 3, "decode_error": "truncated", "content_hash": "f" * 64}
    row = {"sample_id": "7", "row": 7, "time": dt.datetime(2026, 1, 2, 3, 4), "group_id": "g"}  # noqa: DTZ001
    return [image, broken, row]


def test_the_shipped_schema_has_the_sample_tables_columns() -> None:
    columns = yaml.safe_load(read_schema("sample_table.yaml"))["columns"]
    assert list(columns) == [name for name in COLUMNS if name not in ("thumbnail", "place")]
    dtypes = {
        "VARCHAR": "str",
        "BIGINT": "Int64",
        "INTEGER": "Int64",
        "UBIGINT": "UInt64",
        "TIMESTAMP": "datetime64[us]",
        "BIGINT[]": "object",
    }
    assert {name: body["dtype"] for name, body in columns.items()} == {name: dtypes[COLUMNS[name]] for name in columns}


@pytest.mark.parametrize("rows", [sample_rows(), sample_rows()[:1], sample_rows()[1:2], sample_rows()[2:]])
def test_the_shipped_schema_holds_for_sample_tables(rows: list[dict[str, Any]]) -> None:
    frame = SampleTable.from_rows(rows).to_pandas()
    assert validate(str(schema_path("sample_table.yaml")), frame, base=Path()).failures == ()


@pytest.mark.parametrize(
    ("column", "value"),
    [("width", 0), ("bytes", -1), ("mode", "CMYK"), ("content_hash", "abc"), ("row", 0), ("sample_id", "")],
)
def test_the_shipped_schema_finds_a_wrong_row(column: str, value: object) -> None:
    rows = [sample_rows()[0] | {column: value}]
    failures = validate(str(schema_path("sample_table.yaml")), SampleTable.from_rows(rows).to_pandas(), base=Path())
    assert [(found.row, found.column) for found in failures.failures] == [(1, column)]


def test_the_example_to_copy_works() -> None:
    good = pd.DataFrame(
        {
            "visit_id": ["V0001", "V0002"],
            "age": [30, 1],
            "sex": ["f", "x"],
            "weight_kg": [61.0, None],
            "diagnosis": ["flu", "none"],
        }
    )
    reference = f"{schema_path('example.py')}:Patients"
    assert validate(reference, good, base=Path()).total == 0
    bad = good.assign(weight_kg=[61.0, 40.0])
    assert [(found.row, found.check) for found in validate(reference, bad, base=Path()).failures] == [
        (2, "children_are_light")
    ]

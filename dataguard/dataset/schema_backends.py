"""Schemas and tables of pandas, polars and ibis brought together, and what pandera reports for each in one form.

On lazy tables pandera checks names and types, and of the values nothing, or not uniqueness; on ibis it counts nulls
without their rows. So lazy tables are collected first, and for ibis nulls and uniqueness are looked at here.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dataguard.core.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

Backend: TypeAlias = Literal["pandas", "polars", "ibis"]

Case: TypeAlias = tuple[str | None, str, int | None, Any]
"""Column, check, row from 1, and value of one failure."""


def backend_of(schema: Any) -> Backend | None:
    """The library that a pandera schema is for; None where it is none that can be checked."""
    from pandera.api.dataframe.container import DataFrameSchema

    if not isinstance(schema, DataFrameSchema):
        return None
    for kind in type(schema).__mro__:
        for backend in _BACKENDS:
            if kind.__module__.startswith(f"pandera.api.{backend}."):
                return backend
    return None


_BACKENDS: tuple[Backend, ...] = ("pandas", "polars", "ibis")


def collected(table: Any) -> pd.DataFrame:
    """A table as a pandas frame, all its rows in its order, with the types that a file's columns are read with.

    Args:
        table: A pandas frame, a polars frame, lazy or not, or an ibis table.

    Raises:
        TypeError: it is none of these.
        ConfigurationError: pyarrow is not installed, which all but pandas frames need.
    """
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table.reset_index(drop=True)
    import duckdb

    with duckdb.connect() as connection:
        frame: pd.DataFrame = connection.from_arrow(_arrow(table)).df()
    return frame


def as_table_of(backend: Backend, table: Any, frame: pd.DataFrame) -> Any:
    """A table for a schema of one library: `table` itself where it is of that library, else made from `frame`.

    Args:
        backend: The schema's library.
        table: What was given.
        frame: The same, `collected`.

    Raises:
        ConfigurationError: the table's types have no like in that library, or pyarrow is not installed.
    """
    if backend == "pandas":
        return frame
    try:
        if backend == "polars":
            import polars as pl

            if _library(table) == "polars":
                return table.collect() if hasattr(table, "collect") else table
            return pl.from_pandas(frame) if _library(table) == "pandas" else pl.from_arrow(_arrow(table))
        import ibis

        # In memory, where rows keep their order, and a second reading is of the same rows.
        return ibis.memtable(_arrow(table))
    except ConfigurationError:
        raise
    except ImportError as error:
        raise _needs_pyarrow(f"a table for {backend}") from error
    except Exception as error:  # conversions raise errors of pyarrow, polars and ibis
        text = " ".join(str(error).split())[:200]
        raise ConfigurationError(
            f"the table cannot be given to {backend}: {type(error).__name__}: {text}",
            hint="write the schema with pandera.pandas",
        ) from error


def with_columns_spelt_out(schema: Any, names: list[str]) -> Any:
    """The schema with each pattern of columns replaced by the columns that it matches, so that failures name these."""
    columns: dict[Any, Any] = {}
    for name, column in schema.columns.items():
        matching = [other for other in names if re.match(str(name), other)] if column.regex else []
        if not matching:
            columns[name] = column
        for other in matching:
            spelt = copy.deepcopy(column)
            spelt.regex = False
            columns[other] = spelt.set_name(other)
    schema.columns = columns
    return schema


def cases_of(backend: Backend, failure_cases: Any, schema: Any, frame: pd.DataFrame) -> Iterator[Case]:
    """Every failure that pandera reports for a polars or an ibis table, and those that it does not.

    Args:
        backend: The schema's library; not pandas.
        failure_cases: Of pandera's ``SchemaErrors``; None where it found nothing.
        schema: The schema that was held against the table.
        frame: The table, `collected`.
    """
    records: list[dict[str, Any]] = []
    if failure_cases is not None:
        records = failure_cases.to_dicts() if hasattr(failure_cases, "to_dicts") else failure_cases.to_dict("records")
    uncoercible: set[str] = set()
    for record in records:
        if str(record["check"]).startswith("coerce_dtype"):
            uncoercible |= set(_NAME_IN_COERCION.findall(str(record["check"])))
    if backend == "ibis":
        yield from _nulls_and_recurring(schema, frame)
    for record in records:
        check, value = str(record["check"]), record["failure_case"]
        column = None if _is_missing(record["column"]) else str(record["column"])
        row = None if _is_missing(record["index"]) else int(record["index"]) + 1
        if backend == "ibis" and check in _SEEN_HERE:
            continue
        if column in uncoercible and check.startswith("dtype("):
            continue  # The same failure again: what cannot be coerced is not of the type.
        if record["schema_context"] == "DataFrameSchema":
            if check in NAMES_A_COLUMN:
                yield str(value), check, None, None
            elif check.startswith("coerce_dtype"):
                yield ", ".join(_NAME_IN_COERCION.findall(check)) or None, "coerce_dtype", row, value
            elif row is not None:
                yield _whole_row(check, row, _row_of(value), schema)
            else:
                yield None, check, None, value
        elif isinstance(value, Mapping) and len(value) == 1:
            ((name, inner),) = value.items()
            yield str(name), check, row, inner
        else:
            yield column, check, row, value


NAMES_A_COLUMN = frozenset({"column_in_dataframe", "column_in_schema", "column_ordered"})
"""Checks whose failure case is the name of a column."""

UNIQUE_TOGETHER = "multiple_fields_uniqueness"

_SEEN_HERE = frozenset({"not_nullable", "field_uniqueness", UNIQUE_TOGETHER})
_NAME_IN_COERCION = re.compile(r"'([^']+)': DataType")


def _nulls_and_recurring(schema: Any, frame: pd.DataFrame) -> Iterator[Case]:
    for name, column in schema.columns.items():
        if name not in frame:
            continue
        values = frame[name]
        if not column.nullable:
            yield from ((name, "not_nullable", int(row) + 1, None) for row in frame.index[values.isna()])
        if column.unique:
            again = values.duplicated(keep=_kept(column.report_duplicates))
            yield from ((name, "field_uniqueness", int(row) + 1, values[row]) for row in frame.index[again])
    together = [name for name in schema.unique or () if name in frame]
    if together:
        again = frame.duplicated(together, keep=_kept(schema.report_duplicates))
        for row in frame.index[again]:
            yield _whole_row(UNIQUE_TOGETHER, int(row) + 1, dict(frame.loc[row, together]), schema)


def _kept(report_duplicates: Any) -> Any:
    return {"exclude_first": "first", "exclude_last": "last"}.get(str(report_duplicates), False)


def _whole_row(check: str, row: int, values: Mapping[str, Any], schema: Any) -> Case:
    together = check == UNIQUE_TOGETHER
    names = [name for name in values if not together or name in (schema.unique or ())]
    said = ", ".join(f"{name}={'null' if _is_missing(values[name]) else values[name]}" for name in names)
    return ", ".join(names) if together else None, check, row, said


def _row_of(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {"row": value}
    return value if isinstance(value, Mapping) else {"row": value}


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _library(table: Any) -> str:
    return type(table).__module__.partition(".")[0]


def _arrow(table: Any) -> Any:
    library = _library(table)
    if library == "pandas":
        import pyarrow as pa

        return pa.Table.from_pandas(table, preserve_index=False)
    convert: Callable[[], Any] | None = getattr(
        table, {"polars": "to_arrow", "ibis": "to_pyarrow"}.get(library, ""), None
    )
    if library == "polars" and hasattr(table, "collect"):
        convert = table.collect().to_arrow
    if convert is None:
        kind = type(table)
        raise TypeError(f"expected a pandas, polars or ibis table, got {kind.__module__}.{kind.__qualname__}")
    try:
        return convert()
    except ImportError as error:
        raise _needs_pyarrow(f"a table of {library}") from error


def _needs_pyarrow(what: str) -> ConfigurationError:
    return ConfigurationError(f"{what} is read through pyarrow, which is not installed", hint="pip install pyarrow")

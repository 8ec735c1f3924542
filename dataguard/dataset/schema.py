"""A user's pandera schema held against their table, every failure with its row, column, value and check.

Schema and table may each be of pandas, polars or ibis. pandera can be told, in six ways, to let bad rows pass without
an error: a lazy frame, a validation depth, a switch in the environment, ``drop_invalid_rows``, a check that only warns,
and a coercion that drops the fraction. None of them passes here.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import ConfigurationError
from dataguard.dataset.schema_backends import (
    NAMES_A_COLUMN,
    UNIQUE_TOGETHER,
    Backend,
    as_table_of,
    backend_of,
    cases_of,
    collected,
    with_columns_spelt_out,
)
from dataguard.dataset.schema_file import load_schema

if TYPE_CHECKING:
    import pandas as pd

LONGEST_VALUE = 120
"""Characters of a value that are quoted."""

LOSSY_COERCION = "coerced_without_loss"
"""The check that dataguard adds: a value that ``coerce`` would change is not of the declared type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaFailure:
    """One value, row or column that breaks a schema."""

    row: int | None
    """Number of the data row from 1; None where the failure is not of one row, as a missing column."""
    sample_id: str | None
    column: str | None
    """None where the check looks at whole rows."""
    value: str | None
    """What is there, as text; None where nothing is."""
    check: str
    """The check as the schema names it, with its bounds: ``greater_than_or_equal_to(0)``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenCheck:
    """One check of one column that does not hold."""

    column: str | None
    check: str
    total: int
    """How many failures there are; ``failures`` of the whole may hold the first of them."""
    advisory: bool
    """Whether the schema itself says that it only warns (``raise_warning``)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaFailures:
    """What became of one validation; what DG802 looks at."""

    schema: str
    """The schema's name."""
    reference: str
    """Where it came from, as the configuration names it."""
    n_rows: int
    n_columns: int
    broken: tuple[BrokenCheck, ...]
    """Every check that does not hold, in the order of the table's columns."""
    failures: tuple[SchemaFailure, ...]
    """In the order of ``broken``, then by row; of each broken check the first few."""
    total: int
    """How many failures there are in all."""

    def of(self, broken: BrokenCheck) -> tuple[SchemaFailure, ...]:
        """The failures of one broken check."""
        return tuple(
            failure for failure in self.failures if failure.column == broken.column and failure.check == broken.check
        )


def validate(
    schema_reference: str,
    frame: Any,
    *,
    base: Path,
    sample_ids: Sequence[str] | None = None,
    max_rows_per_check: int = 1000,
) -> SchemaFailures:
    """Hold a table against a user's schema.

    The whole table at once: a check of uniqueness, or one over a whole column, made chunk by chunk passes what it
    should not.

    Args:
        schema_reference: See `dataguard.dataset.schema_file.load_schema`.
        frame: The user's table, or `SampleTable.to_pandas`: a pandas frame, a polars frame, lazy or not, or an ibis
            table. Its index is not looked at: rows are numbered from 1.
        base: The folder that the reference is relative to.
        sample_ids: The id of each row. By default the column ``sample_id``, or else the row's number.
        max_rows_per_check: How many failures of one check are kept; all are counted.

    Returns:
        The failures; ``total == 0`` where the table holds.

    Raises:
        ConfigurationError: the schema cannot be loaded, or its own code fails.
    """
    schema = load_schema(schema_reference, base=base)
    return validate_frame(
        schema,
        frame,
        reference=schema_reference,
        sample_ids=sample_ids,
        max_rows_per_check=max_rows_per_check,
    )


def validate_frame(
    schema: Any,
    frame: Any,
    *,
    reference: str,
    sample_ids: Sequence[str] | None = None,
    max_rows_per_check: int = 1000,
) -> SchemaFailures:
    """Hold a table against a schema that has been loaded; see `validate`.

    Raises:
        TypeError: `frame` is no table of pandas, polars or ibis, or `schema` no schema for one.
        ConfigurationError: the schema's own code fails, or the table cannot be given to the schema's library.
    """
    backend = backend_of(schema)
    if backend is None:
        raise TypeError(f"expected a pandera schema for pandas, polars or ibis, got {type(schema).__name__}")
    given, frame = frame, collected(frame)
    if sample_ids is None:
        sample_ids = [str(value) for value in frame["sample_id"]] if "sample_id" in frame else None
    elif len(sample_ids) != len(frame):
        raise ValueError(f"{len(sample_ids)} sample ids for {len(frame)} rows")
    strict, advisory = _strict_copy(backend, schema, frame)
    table = as_table_of(backend, given, frame)
    cases = [*_failure_cases(backend, strict, table, frame, reference), *_lossy_coercions(backend, strict, frame)]
    order = {str(name): number for number, name in enumerate(frame.columns)}
    groups: dict[tuple[str | None, str], dict[tuple[int | None, str | None], None]] = {}
    for column, check, row, value in cases:
        groups.setdefault((column, check), {})[(row, value)] = None
    broken, failures = [], []
    for column, check in sorted(groups, key=lambda key: (order.get(key[0] or "", len(order)), key[0] or "", key[1])):
        places = sorted(groups[column, check], key=lambda place: (place[0] or 0, place[1] or ""))
        broken.append(BrokenCheck(column=column, check=check, total=len(places), advisory=(column, check) in advisory))
        failures += [
            SchemaFailure(
                row=row,
                sample_id=None if row is None else sample_ids[row - 1] if sample_ids is not None else str(row),
                column=column,
                value=value,
                check=check,
            )
            for row, value in places[:max_rows_per_check]
        ]
    return SchemaFailures(
        schema=schema.name or reference.rpartition(":")[2],
        reference=reference,
        n_rows=len(frame),
        n_columns=frame.shape[1],
        broken=tuple(broken),
        failures=tuple(failures),
        total=sum(item.total for item in broken),
    )


def _strict_copy(backend: Backend, schema: Any, frame: pd.DataFrame) -> tuple[Any, set[tuple[str | None, str]]]:
    """The schema with all off that lets bad rows pass, and the (column, check) pairs that it would only warn of."""
    strict = copy.deepcopy(schema)
    if backend != "pandas":
        strict = with_columns_spelt_out(strict, [str(name) for name in frame.columns])
    strict.drop_invalid_rows = False
    advisory: set[tuple[str | None, str]] = set()
    components: list[tuple[list[str | None], Any]] = [([None], strict)]
    for name, column in strict.columns.items():
        column.drop_invalid_rows = False
        components.append(([str(other) for other in _matching(name, column, frame)], column))
    if getattr(strict, "index", None) is not None:
        components += [([None], index) for index in getattr(strict.index, "indexes", [strict.index])]
    for names, component in components:
        for check in component.checks or []:
            # Checks are shared with the user's schema where deepcopy returns the same object.
            if check.raise_warning:
                check.raise_warning = False
                advisory |= {(name, _check_text(check)) for name in names}
            check.n_failure_cases = None
    return strict, advisory


def _check_text(check: Any) -> str:
    return str(check.error if check.error is not None else check.name)


def _failure_cases(
    backend: Backend, schema: Any, table: Any, frame: pd.DataFrame, reference: str
) -> list[tuple[str | None, str, int | None, str | None]]:
    """(column, check, row, value) of every failure that pandera reports."""
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaErrors

    found = None
    try:
        with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
            schema.validate(table, lazy=True)
    except SchemaErrors as errors:
        found = errors.failure_cases
    except Exception as error:  # parsers and groupings of the user's schema may raise anything
        raise ConfigurationError(
            f"the schema's own code failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
            where=reference,
        ) from error
    if backend != "pandas":
        return [
            (column, check, row, None if check in NAMES_A_COLUMN else _text(value))
            for column, check, row, value in cases_of(backend, found, schema, frame)
        ]
    return [] if found is None else _pandas_cases(found)


def _pandas_cases(table: pd.DataFrame) -> list[tuple[str | None, str, int | None, str | None]]:
    uncoercible = {
        name for name, check in zip(table["column"], table["check"], strict=True) if "coerce_dtype" in str(check)
    }
    cases: list[tuple[str | None, str, int | None, str | None]] = []
    whole_rows: dict[tuple[str, int], tuple[list[str], list[str]]] = {}
    for context, column, check, value, index in zip(
        table["schema_context"], table["column"], table["check"], table["failure_case"], table["index"], strict=True
    ):
        if column in uncoercible and str(check).startswith("dtype("):
            continue  # The same failure again: what cannot be coerced is not of the type.
        row = None if _is_null(index) else int(index) + 1
        name = None if _is_null(column) else str(column)
        if context == "DataFrameSchema" and row is not None and name is not None:
            # Checks of whole rows come as one case a column; together they are one failure.
            names, values = whole_rows.setdefault((str(check), row), ([], []))
            if name not in names:
                names.append(name)
                values.append(f"{name}={_text(value)}")
        elif context == "DataFrameSchema":
            # `column` holds the schema's own name here.
            about_column = str(check) in NAMES_A_COLUMN
            cases.append(
                (_text(value) if about_column else None, str(check), row, None if about_column else _text(value))
            )
        else:
            cases.append((name, str(check), row, _text(value)))
    for (check, row), (names, values) in whole_rows.items():
        column = ", ".join(names) if check == UNIQUE_TOGETHER else None
        cases.append((column, check, row, ", ".join(values)[:LONGEST_VALUE]))
    return cases


def _lossy_coercions(
    backend: Backend, schema: Any, frame: pd.DataFrame
) -> list[tuple[str | None, str, int | None, str | None]]:
    """Numbers that ``coerce`` would change: pandas turns 1.7 into the integer 1, and pandera finds nothing in it."""
    import pandas as pd

    cases: list[tuple[str | None, str, int | None, str | None]] = []
    for name, dtype in _coerced_dtypes(schema, frame).items():
        before = frame[name]
        if not (isinstance(before, pd.Series) and pd.api.types.is_float_dtype(before.dtype)):
            continue
        if backend == "pandas":
            try:
                after = dtype.coerce(before.dropna())
            except Exception:  # noqa: BLE001, S112 - a coercion that fails is among pandera's failure cases
                continue
            if not (pd.api.types.is_integer_dtype(after.dtype) or pd.api.types.is_bool_dtype(after.dtype)):
                continue
            changed = before.dropna().astype("float64") != after.astype("float64")
        elif re.match("u?int", str(dtype).lower()):
            changed = before.dropna() % 1 != 0
        else:
            continue
        cases += [(str(name), LOSSY_COERCION, int(row) + 1, _text(before[row])) for row in changed.index[changed]]
    return cases


def _coerced_dtypes(schema: Any, frame: pd.DataFrame) -> dict[str, Any]:
    """The type that each column of the frame is coerced to, where it is."""
    found: dict[str, Any] = {}
    if schema.coerce and schema.dtype is not None:
        found = dict.fromkeys(frame.columns, schema.dtype)
    for name, column in schema.columns.items():
        if (column.coerce or schema.coerce) and column.dtype is not None:
            found |= dict.fromkeys(_matching(name, column, frame), column.dtype)
    return {name: dtype for name, dtype in found.items() if name in frame}


def _matching(name: Any, column: Any, frame: pd.DataFrame) -> list[Any]:
    """The columns of the frame that a column of the schema stands for."""
    return [other for other in frame.columns if re.match(str(name), str(other))] if column.regex else [name]


def _is_null(value: Any) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _text(value: Any) -> str:
    if _is_null(value):
        return "null"
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"

"""A schema proposed for a table, and its text."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataguard.core.errors import NothingToCheckError
from dataguard.core.text import printable
from dataguard.dataset.proposed_schema.column import Claim, ProposedColumn, propose_column

if TYPE_CHECKING:
    import pandas as pd

FALSE_ALARM = 0.01
"""The chance that a proposed schema fails on as many fresh rows of the same distribution."""

CHECKS_PER_COLUMN = 2
"""The most statistical checks that a column gets: two ends of a range, or a list of values, or uniqueness and a
length."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposedSchema:
    """A schema proposed from data, each claim with its reason."""

    name: str
    n_rows: int
    false_alarm: float
    """The chance of failing on as many fresh rows that its checks of values were made for."""
    columns: tuple[ProposedColumn, ...]
    """In the table's order."""

    @property
    def chance(self) -> float:
        """The chance that each statistical check was made for."""
        return self.false_alarm / (CHECKS_PER_COLUMN * max(1, len(self.columns)))

    def to_yaml(self) -> str:
        """The schema as pandera reads it, with each reason as a comment; the same bytes for the same data."""
        return "\n".join(_lines(self)) + "\n"


def propose_schema(
    frame: pd.DataFrame,
    *,
    name: str = "proposed",
    id_column: str | None = None,
    false_alarm: float = FALSE_ALARM,
    fixed: Mapping[str, Mapping[str, Any]] | None = None,
) -> ProposedSchema:
    """The strictest schema that a table justifies.

    It holds for the table itself. On as many fresh rows of the same distribution its checks of values fail with at
    most the chance `false_alarm`, shared among them by Bonferroni's inequality. What never occurred (a null, another
    form of id, an empty text) is forbidden where 95 % of all tables in which it is as frequent as 1 % would have shown
    it; a rarer one may still come, and is then worth a look.

    Measured (`benchmarks/schemas.py`, seed 0, tables of 1,000 rows and 11 columns, asked for 1 %): 9 false alarms in
    1,000 resamplings; each of 20 kinds of planted fault, most in a single row, found in 48 of 48 tables.

    Args:
        frame: The table, with names that are text and differ.
        name: What the schema is called.
        id_column: The column that names the rows.
        false_alarm: Between 0 and 1.
        fixed: Columns that are not judged but taken from a schema, as YAML holds them.

    Raises:
        NothingToCheckError: the table has no row.
        ValueError: `false_alarm` is not between 0 and 1, or names are no text or recur.
    """
    if not 0 < false_alarm < 1:
        raise ValueError(f"false_alarm: expected a number between 0 and 1, got {false_alarm}")
    names = list(frame.columns)
    if not all(isinstance(column, str) for column in names) or len(set(names)) < len(names):
        raise ValueError("expected column names that are text and differ")
    if not len(frame):
        raise NothingToCheckError("the table has no row, and a schema is proposed from rows")
    chance = false_alarm / (CHECKS_PER_COLUMN * max(1, len(names)))
    columns = [
        _taken(column, fixed[column])
        if fixed is not None and column in fixed
        else propose_column(frame[column], column, chance=chance, is_id=column == id_column)
        for column in names
    ]
    proposed = ProposedSchema(name=name, n_rows=len(frame), false_alarm=false_alarm, columns=tuple(columns))
    return _held(proposed, frame)


def _taken(name: str, body: Mapping[str, Any]) -> ProposedColumn:
    reason = "as in the schema of dataguard's own sample table"
    claims = {key: Claim(value=value, reason="") for key, value in body.items() if key not in ("checks", "description")}
    checks = {key: Claim(value=value, reason="") for key, value in (body.get("checks") or {}).items()}
    return ProposedColumn(name=name, claims=claims, checks=checks, notes=(reason,))


def _held(proposed: ProposedSchema, frame: pd.DataFrame) -> ProposedSchema:
    """The schema without the claims that do not hold for its own table, as pandera sees them."""
    from dataguard.dataset.schema import validate_frame
    from dataguard.dataset.schema_file import schema_from_text

    schema = schema_from_text(proposed.to_yaml(), where=proposed.name)
    failures = validate_frame(schema, frame, reference=proposed.name)
    broken = {item.column for item in failures.broken}
    if not broken:
        return proposed
    columns = tuple(
        ProposedColumn(
            name=column.name,
            claims={"nullable": Claim(value=True, reason="not claimed")},
            notes=("no claim: pandera does not see these values as they were read",),
        )
        if column.name in broken
        else column
        for column in proposed.columns
    )
    return dataclasses.replace(proposed, columns=columns)


def _lines(proposed: ProposedSchema) -> Iterator[str]:
    yield f"# Proposed from {proposed.n_rows:,} rows: each line with what the data show for it. Read it, correct it,"
    yield "# and keep it with the data. What they cannot tell, as that no weight is negative, is yours to add."
    yield f"# On as many fresh rows of the same kind it fails with a chance of about {proposed.false_alarm:g};"
    yield f"# each check of values was made for {proposed.chance:.2g}."
    yield "schema_type: dataframe"
    yield f"name: {_scalar(proposed.name)}"
    yield "# No other columns."
    yield "strict: true"
    yield "columns:"
    for column in proposed.columns:
        yield f"  {_scalar(column.name)}:"
        for note in column.notes:
            yield from _comment(note, 4)
        yield from _claims(column.claims, 4)
        if column.checks:
            yield "    checks:"
            yield from _claims(column.checks, 6)


def _claims(claims: Mapping[str, Claim], indent: int) -> Iterator[str]:
    for key, claim in claims.items():
        if claim.reason:
            yield from _comment(claim.reason, indent)
        text = _scalar(claim.value)
        if isinstance(claim.value, list) and len(text) > _LONGEST_LINE:
            yield f"{' ' * indent}{key}:"
            yield from (f"{' ' * indent}- {_scalar(value)}" for value in claim.value)
        else:
            yield f"{' ' * indent}{key}: {text}"


_LONGEST_LINE = 90


def _comment(text: str, indent: int) -> list[str]:
    prefix = f"{' ' * indent}# "
    return textwrap.wrap(
        printable(text), 116, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False
    ) or [prefix]


def _scalar(value: Any) -> str:
    """A value on one line of YAML."""
    import yaml

    text: str = yaml.safe_dump([value], default_flow_style=True, width=2**31, allow_unicode=True, sort_keys=False)
    return text.strip()[1:-1]


def write_schema(path: Path, proposed: ProposedSchema) -> None:
    """Write the YAML, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from dataguard.core.atomic import write_atomically

    write_atomically(path, proposed.to_yaml())

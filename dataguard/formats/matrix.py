"""What to show of a heat map that may be larger than there is room for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dataguard.core.exhibit import HeatMap


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One cell of a heat map that is worth naming."""

    row: str
    column: str
    value: float
    count: float | None
    """About how many samples it stands for, where the map says how many a row has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The part of a heat map that is shown."""

    rows: tuple[int, ...]
    """Indices of the rows, in their order."""
    columns: tuple[int, ...]
    rows_left_out: int
    """How many more rows there are, those that the map itself leaves out among them."""
    columns_left_out: int
    top: float
    """The largest number that colour stands for: off the diagonal where there is one; 0 where all are 0."""


def has_diagonal(shown: HeatMap) -> bool:
    """Whether rows and columns are the same, so that the diagonal is where they agree."""
    return shown.rows == shown.columns


def value(shown: HeatMap, row: int, column: int) -> float:
    """The number of a cell; NaN where there is none."""
    try:
        return _float(shown.values[row][column])
    except IndexError:
        return math.nan


def coloured(shown: HeatMap, row: int, column: int) -> float:
    """What the colour of a cell stands for: its number, and 0 on a diagonal and where there is none."""
    if row == column and has_diagonal(shown):
        return 0.0
    number = value(shown, row, column)
    return number if math.isfinite(number) and number > 0 else 0.0


def view(shown: HeatMap, most: int) -> View:
    """The rows and columns of the largest cells off the diagonal, at most `most` of each, in their own order.

    They go by single cells and not by sums, so that the pair that stands out is in it, however many small numbers other
    classes have. Where rows and columns are the same, one choice holds for both.
    """
    square = has_diagonal(shown)
    rows: set[int] = set()
    columns: set[int] = rows if square else set()
    everything = len(shown.rows) <= most and len(shown.columns) <= most
    for _, _, row, column in [] if everything else _ordered(shown):
        if len(rows | {row, column} if square else rows | {row}) <= most and len(columns | {column}) <= most:
            rows.add(row)
            columns.add(column)
    row_choice = _filled(rows, len(shown.rows), most)
    column_choice = row_choice if square else _filled(columns, len(shown.columns), most)
    left_out = 0 if shown.total is None else max(0, shown.total - len(shown.rows))
    return View(
        rows=row_choice,
        columns=column_choice,
        rows_left_out=len(shown.rows) - len(row_choice) + left_out,
        columns_left_out=len(shown.columns) - len(column_choice) + (left_out if square else 0),
        top=max((coloured(shown, row, column) for row in row_choice for column in column_choice), default=0.0),
    )


def largest_cells(shown: HeatMap, most: int) -> list[Cell]:
    """The cells off the diagonal that stand for the most samples, or have the largest numbers; zeros left out."""
    return [
        Cell(
            row=shown.rows[row],
            column=shown.columns[column],
            value=-number,
            count=-weighted if len(shown.row_totals) == len(shown.rows) else None,
        )
        for weighted, number, row, column in _ordered(shown)[:most]
    ]


def _ordered(shown: HeatMap) -> list[tuple[float, float, int, int]]:
    """Every cell that has a colour, largest first: minus its samples, minus its number, row, column.

    Cells go by samples where the map says how many a row has, so that one error among three does not outweigh fifty
    among a thousand.
    """
    found: list[tuple[float, float, int, int]] = []
    for row in range(len(shown.rows)):
        weight = _weight(shown, row)
        numbers = [(coloured(shown, row, column), column) for column in range(len(shown.columns))]
        found += [(-weight * number, -number, row, column) for number, column in numbers if number]
    return sorted(found)


def _weight(shown: HeatMap, row: int) -> float:
    if len(shown.row_totals) != len(shown.rows):
        return 1.0
    total = _float(shown.row_totals[row])
    return total if math.isfinite(total) else 0.0


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        # An integer of 400 digits.
        return math.nan


def _filled(chosen: set[int], n: int, most: int) -> tuple[int, ...]:
    """The chosen indices, and where there is room the first of the others."""
    others = [index for index in range(n) if index not in chosen]
    return tuple(sorted([*chosen, *others[: max(0, most - len(chosen))]]))

"""What was done to the numbers before they were scaled: a logarithm, or nothing, where the numbers tell.

A scaling is affine, and so is whatever was done to continuous numbers as far as they alone can say: any shape of
distribution may be that of raw numbers. Measurements of so many digits are another matter. They lie on equal steps,
and after a scaling still do; logarithms of them lie on log k, log (k + 1), …, which no scaling makes equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.normalization.verdict import Before

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_COLUMNS = 5
"""Columns that are looked at, those with the most repeated values."""
LEAST_VALUES, MOST_VALUES = 10, 200
"""Different values of a column that are needed; and the lowest ones, which lie furthest apart, that are looked at."""
REPEATED = 0.9
"""Share of the values that differ above which a column is taken for continuous."""
OFF_STEP = 0.05
"""How far from a whole number of steps a value may be."""
MOST_STEPS = 2000
TRIPLES = 24
"""Runs of three neighbouring values that are tried for k, k + 1, k + 2."""
SAME = 1e-4
"""Residual of a map from raw to normalized numbers, over their standard deviation, that is rounding."""


def before(rows: NDArray[np.float64], columns: NDArray[np.bool_]) -> Before:
    """'logarithm' or 'nothing', as most columns of limited precision say; '' where the numbers do not tell.

    Args:
        rows: Some rows that one map was applied to, shape (n, columns).
        columns: Which were scaled.
    """
    chosen = []
    for column in np.flatnonzero(columns):
        values = np.unique(rows[:, column])
        values = values[np.isfinite(values)]
        if LEAST_VALUES <= len(values) <= REPEATED * len(rows):
            chosen.append(values)
    chosen.sort(key=len)
    found = [_of_values(values[:MOST_VALUES]) for values in chosen[:MOST_COLUMNS]]
    for answer in ("logarithm", "nothing"):
        if found.count(answer) > len(found) / 2:
            return answer
    return ""


def before_of_raw(raw: NDArray[np.float64], rows: NDArray[np.float64], columns: NDArray[np.bool_]) -> Before:
    """What turns raw numbers into something that the normalized ones are an affine map of; '' for nothing that fits.

    Args:
        raw: Shape (n, columns).
        rows: The same rows in the same order, normalized.
        columns: Which were scaled.
    """
    votes: list[Before] = []
    for column in np.flatnonzero(columns):
        x, z = raw[:, column], rows[:, column]
        known = np.isfinite(x) & np.isfinite(z)
        x, z = x[known], z[known]
        if len(x) < 4 or np.ptp(z) == 0 or np.ptp(x) == 0:
            continue
        votes.append(next((name for name, made in _transformed(x) if _affine(made, z)), ""))
    for answer in ("nothing", "logarithm", "square root", "square", "reciprocal"):
        if votes.count(answer) > len(votes) / 2:
            return answer
    return ""


def _transformed(x: NDArray[np.float64]) -> list[tuple[Before, NDArray[np.float64]]]:
    made: list[tuple[Before, NDArray[np.float64]]] = [("nothing", x)]
    if x.min() > 0:
        made += [("logarithm", np.log(x)), ("reciprocal", 1 / x)]
    # What is added keeps 0, or −1, inside.
    made += [("logarithm", np.log(x + more)) for more in (1.0, 2.0, 1e-3, 1e-6, 1e-8) if x.min() > -more]
    if x.min() >= 0:
        made.append(("square root", np.sqrt(x)))
    made.append(("square", x * x))
    return made


def _affine(x: NDArray[np.float64], z: NDArray[np.float64]) -> bool:
    centred, target = x - x.mean(), z - z.mean()
    size = float(centred @ centred)
    if size <= 0:
        return False
    left = target - centred * (float(centred @ target) / size)
    return bool(np.sqrt(np.mean(left**2)) <= SAME * target.std())


def _of_values(values: NDArray[np.float64]) -> Before:
    """Of different values, ascending."""
    # float32 makes one number of a column into several, next to one another.
    apart = np.diff(values)
    values = values[np.append(True, apart > 1e-6 * (values[-1] - values[0]))]
    if len(values) < LEAST_VALUES:
        return ""
    if _on_equal_steps(values):
        return "nothing"
    return "logarithm" if _on_logarithms(values) else ""


def _on_equal_steps(values: NDArray[np.float64]) -> bool:
    moved = values - values[0]
    steps = np.arange(1, MOST_STEPS + 1)
    smallest = float(np.diff(moved).min())
    # The least distance is one step, or a few.
    for least in smallest / np.arange(1, 4):
        pitch = _refined(moved, least)
        at = moved / pitch
        if at[-1] <= steps[-1] and np.abs(at - np.rint(at)).max() <= OFF_STEP:
            return True
    return False


def _refined(moved: NDArray[np.float64], pitch: float) -> float:
    """The step by least squares, over ever more values as it becomes known."""
    reach = 8.0
    while reach < 2 * MOST_STEPS:
        near = moved[(moved > 0) & (moved <= reach * pitch)]
        whole = np.rint(near / pitch)
        if len(near) and whole.any():
            pitch = float(near @ whole / (whole @ whole))
        reach *= 4
    return pitch


def _on_logarithms(values: NDArray[np.float64]) -> bool:
    gaps = np.diff(values)
    for at in range(min(len(gaps) - 1, TRIPLES)):
        ratio = gaps[at] / gaps[at + 1]
        if not 1.0005 < ratio < 1.75:
            continue
        # log(1 + 1/k) / log(1 + 1/(k + 1)) = ratio; about 1 + 1/(k + ½).
        guess = 1 / (ratio - 1) - 0.5
        for k in sorted({max(1, int(np.floor(guess)) + more) for more in (-1, 0, 1, 2)}):
            if _explains(values, at, k):
                return True
    return False


def _explains(values: NDArray[np.float64], at: int, k: int) -> bool:
    """Whether the values are logarithms of whole numbers, that at ``at`` of ``k`` and the next one of k + 1."""
    slope = float(np.log1p(1 / k) / (values[at + 1] - values[at]))
    offset = float(np.log(k) - slope * values[at])
    for reach in (4.0, 16.0, 64.0, np.inf):
        with np.errstate(over="ignore"):
            number = np.exp(slope * values + offset)
        near = (number <= reach * k) & (number < MOST_STEPS)
        whole = np.maximum(np.rint(number[near]), 1)
        if np.abs(number[near] - whole).max(initial=0) > 0.25 or len(np.unique(whole)) < len(whole):
            return False
        if len(whole) >= 3:
            slope, offset = np.polyfit(values[near], np.log(whole), 1, w=whole)
    number = np.exp(slope * values + offset)
    near = number < MOST_STEPS
    off = np.abs(number[near] - np.rint(number[near]))
    return bool(near.sum() >= LEAST_VALUES and off.max() <= OFF_STEP)

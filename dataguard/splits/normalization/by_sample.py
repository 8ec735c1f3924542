"""Whether each sample was scaled by itself, so that no statistics of other samples are in it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dataguard.splits.normalization.sums import RowFacts

NAMES = ("L2 norm 1", "L1 norm 1", "largest magnitude 1")
TOLERANCE = 1e-3
"""How far from 1 the norm of any sample may be: float16 rounds to 5e-4."""


def scaled_by_sample(parts: Iterable[RowFacts], *, magnitude: bool = False) -> str | None:
    """What every sample has: 'L2 norm 1', 'mean 0 and standard deviation 1', 'range 0 to 1'…; None for nothing.

    Args:
        parts: Of each split.
        magnitude: Whether 'largest magnitude 1' counts: a picture of a background at −1 has it too.
    """
    items = [part for part in parts if part.n]
    if not items:
        return None
    total = items[0]
    for item in items[1:]:
        total = total.merge(item)
    if total.n < 3:
        return None
    (low, high) = total.ranges.T
    for index, name in enumerate(NAMES if magnitude else NAMES[:2]):
        if max(abs(low[index] - 1), abs(high[index] - 1)) <= TOLERANCE:
            return name
    centred = max(abs(low[5]), abs(high[5])) <= TOLERANCE
    for index in (6, 7):
        if centred and max(abs(low[index] - 1), abs(high[index] - 1)) <= TOLERANCE:
            return "mean 0 and standard deviation 1"
    least, largest = (low[3], high[3]), (low[4], high[4])
    for a, b in ((0.0, 1.0), (-1.0, 1.0)):
        if max(np.abs(np.subtract(least, a)).max(), np.abs(np.subtract(largest, b)).max()) <= TOLERANCE:
            return f"range {a:g} to {b:g}"
    return None

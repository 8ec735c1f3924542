"""What a random part of the samples can answer, and how far its figures are from those of all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from dataguard.core.finding import Finding, Measurement, Skipped
from dataguard.core.rule import Rule

LEVEL = 0.95
_Z = 1.959963984540054
NEEDS_ALL: Mapping[str, str] = {
    "DG103": "a class that is not in the part may be in the rest",
    "DG104": "it counts the samples of each class",
    "DG105": "the copies of a sample are seldom drawn with it",
    "DG301": "the copies of a sample are seldom drawn with it",
    "DG302": "the near copies of a sample are seldom drawn with it",
    "DG303": "a group in two splits is seldom drawn in both",
    "DG305": "what statistics were fitted on shows in sums over all of it",
    "DG306": "what statistics were fitted on shows in sums over all of it",
    "DG308": "declared statistics are held against sums over all samples",
    "DG313": "it counts the samples of each split",
    "DG802": "a schema holds for all rows or for none",
    "DG803": "a version is all of its samples",
    "DG804": "which samples were lost shows in all of them",
    "DG805": "the label that a sample had is seldom drawn with the one that it has",
    "DG807": "a test set is all of its samples",
}
"""Rules about a dataset that no part of it can answer, and why."""
ANSWERED: frozenset[str] = frozenset(
    [
        *("DG101", "DG102", "DG106", "DG107", "DG108", "DG109", "DG304", "DG307", "DG309", "DG311", "DG312"),
        *("DG801", "DG806", "DG808"),
    ]
)
"""Rules about a dataset whose question is one of shares, relations or distributions."""


def refused(rule: Rule[Any], n: int, n_all: int) -> Skipped | None:
    """Why a rule is not run on a part; None where it is."""
    why = NEEDS_ALL.get(rule.code)
    if why is None:
        return None
    return Skipped(
        reason=f"needs every sample, and {n:,} of {n_all:,} were drawn: {why}", hint="run it without --sample"
    )


def note(n: int, n_all: int, seed: int) -> str:
    """What a report says of a part, with what its figures are good for."""
    left = math.sqrt((n_all - n) / max(1, n_all - 1))
    half = _Z * 0.5 / math.sqrt(n) * left
    return (
        f"judged by {n:,} of {n_all:,} samples, drawn at random with seed {seed}: a share of them is within "
        f"±{100 * half:.2g} percentage points of that of all in {LEVEL:.0%} of draws, and what concerns less than "
        f"{_rounded_share(3 / n)} may not have been drawn at all"
    )


def with_intervals(finding: Finding) -> Finding:
    """A finding whose shares have Wilson's interval for the share among all samples, where they had none."""
    measurements = tuple(map(_with_interval, finding.measurements))
    return finding if measurements == finding.measurements else dataclasses.replace(finding, measurements=measurements)


def _with_interval(measured: Measurement) -> Measurement:
    share, n = measured.value, measured.n
    if measured.unit != "share" or isinstance(share, str) or n is None or n < 1 or measured.low is not None:
        return measured
    if not 0 <= share <= 1:
        return measured
    low, high = wilson(float(share), n)
    return dataclasses.replace(measured, low=low, high=high, level=LEVEL)


def wilson(share: float, n: int) -> tuple[float, float]:
    """The interval of a share that was seen in n random samples (Wilson 1927); drawing without replacement narrows it.

    >>> [round(end, 4) for end in wilson(0.0, 300)]
    [0.0, 0.0126]
    """
    spread = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    middle, scale = share + _Z**2 / (2 * n), 1 + _Z**2 / n
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def _rounded_share(share: float) -> str:
    return f"{100 * share:.1g} %"

"""Splits that were normalized in known ways, for the tests of DG305 to DG308."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dataguard.core.finding import Finding, Outcome
from dataguard.splits.normalization import gather
from dataguard.splits.normalization.declared import Declared
from dataguard.splits.normalization.evidence import NormalizationEvidence
from dataguard.splits.normalization.gathered import evidence_of

Rows = NDArray[np.floating]


def raw(n: int = 500, d: int = 4, seed: int = 0) -> Rows:
    """Columns of measurements far from 0."""
    return np.asarray(np.random.default_rng(seed).normal(50, 9, (n, d)) * np.arange(1, d + 1))


def scaled(rows: Rows, by: Rows) -> Rows:
    """Standardized with the statistics of other rows."""
    return np.asarray((rows - by.mean(axis=0)) / by.std(axis=0))


def evidence(
    splits: Mapping[str, Rows],
    *,
    columns: Sequence[str] | None = None,
    method: str | None = None,
    declared: tuple[Sequence[float], Sequence[float]] | None = None,
    scale: float = 1.0,
) -> NormalizationEvidence:
    """What the rules would be given of arrays."""
    states, _, notes = gather(splits)
    width = next(iter(states.values())).width
    stated = None if declared is None else Declared.of(*declared, width, scale=scale)
    return evidence_of(states, source="arrays", columns=columns, method=method, declared=stated, notes=notes)


def findings(outcomes: Sequence[Outcome]) -> list[Finding]:
    """The findings among outcomes."""
    return [outcome for outcome in outcomes if isinstance(outcome, Finding)]

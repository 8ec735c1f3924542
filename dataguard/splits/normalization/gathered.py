"""From what was gathered of splits to what the rules look at."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np

from dataguard.core.split_roles import is_training, split_order
from dataguard.splits.normalization.accumulate import SplitState
from dataguard.splits.normalization.assess import judge
from dataguard.splits.normalization.declared import Declared, compare, origin_of
from dataguard.splits.normalization.evidence import ColumnFacts, NormalizationEvidence
from dataguard.splits.normalization.verdict import NormalizationVerdict

FEW_VALUES = 12
"""Distinct values up to which a column is taken for codes or counts, whatever they are."""


def evidence_of(
    states: Mapping[str, SplitState],
    *,
    source: str,
    columns: Sequence[str] | None = None,
    declared: Declared | None = None,
    method: str | None = None,
    verdict: NormalizationVerdict | None = None,
    notes: Sequence[str] = (),
) -> NormalizationEvidence:
    """All that the rules need.

    Args:
        states: Of each split; of raw values where statistics are declared.
        source: 'table', 'arrays', 'pictures' or 'loaders'.
        columns: Names of the columns.
        declared: Statistics that are yet to be applied.
        method: What the user says was done.
        verdict: Where it is known already.
        notes: For the verdict.

    Raises:
        ValueError: no split has a sample, or they differ in the number of columns.
    """
    known = {name: states[name] for name in sorted(states, key=split_order) if states[name].n}
    facts = {name: column_facts(state) for name, state in known.items()}
    if declared is None:
        verdict = verdict or judge(known, columns=columns, notes=notes)
        return NormalizationEvidence(verdict=verdict, facts=facts, source=source, method=method)
    mapped = {}
    for name, state in known.items():
        mapped[name] = copy.copy(state)
        mapped[name].rescale(declared.mean * declared.scale, declared.std * declared.scale)
    verdict = judge(mapped, columns=columns, notes=notes)
    trained = [name for name in known if is_training(name)] or [next(iter(known))]
    return NormalizationEvidence(
        verdict=verdict,
        facts=facts,
        source=source,
        method=method,
        declared=compare(declared, known, trained),
        declared_origin=origin_of(declared, known, trained),
    )


def column_facts(state: SplitState) -> ColumnFacts:
    """What is known of each column of one split."""
    units = state.units
    if units is None:
        raise ValueError("the split has no sample")
    rows = state.sample()
    if state.layout == "features":
        few = np.array([len(np.unique(rows[:, column])) <= FEW_VALUES for column in range(rows.shape[1])])
    else:
        few = np.zeros(state.width, dtype=bool)
    return ColumnFacts(
        mean=units.mean,
        std=np.sqrt(units.variance),
        low=units.low,
        high=units.high,
        measured=units.fractions & ~few & (units.low < units.high),
    )

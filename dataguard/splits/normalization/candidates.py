"""Which samples statistics may have been fitted on: the unions of splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.normalization.accumulate import UnitSums

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SPLITS = 4
"""Splits up to which all unions are candidates: 15. Of more, single ones, all, all but one, and training with each."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Union:
    """Some splits taken together."""

    splits: frozenset[str]
    sums: UnitSums
    """Over all of their samples."""
    gap: NDArray[np.float64]
    """Shape (units,): how far a mean over these is from one over the next candidate, in standard deviations of a
    sample's mean; the least over all other candidates, and over the population that they were drawn from."""


def unions_of(names: Sequence[str], training: Sequence[str]) -> list[frozenset[str]]:
    """The candidates, small ones first."""
    if len(names) <= MOST_SPLITS:
        return [frozenset(chosen) for size in range(1, len(names) + 1) for chosen in combinations(names, size)]
    trained = frozenset(training)
    found = [frozenset([name]) for name in names]
    found += [trained, *(trained | {name} for name in names)]
    found += [frozenset(names) - {name} for name in names]
    found.append(frozenset(names))
    return list(dict.fromkeys(candidate for candidate in found if candidate))


def pooled(parts: Mapping[str, UnitSums], training: Sequence[str]) -> list[Union]:
    """The candidates with their sums.

    The means of two overlapping sets S and T of one population differ with variance σ²·(1/n_S + 1/n_T −
    2·n_{S∩T}/(n_S·n_T)), that is |1/n_S − 1/n_T| where one holds the other.
    """
    chosen = unions_of(list(parts), training)
    sums: dict[frozenset[str], UnitSums] = {}
    for candidate in chosen:
        members = [parts[name] for name in parts if name in candidate]
        total = members[0]
        for member in members[1:]:
            total = total.merge(member)
        sums[candidate] = total
    found = []
    for candidate in chosen:
        n = np.maximum(sums[candidate].n, 1)
        least = 1 / n
        for other in chosen:
            if other == candidate:
                continue
            m = np.maximum(sums[other].n, 1)
            shared = np.zeros_like(n)
            for name in candidate & other:
                shared = shared + parts[name].n
            variance = 1 / n + 1 / m - 2 * shared / (n * m)
            # A split without any value of a column makes no other candidate of it.
            least = np.where(variance > 1e-15, np.minimum(least, variance), least)
        found.append(Union(splits=candidate, sums=sums[candidate], gap=np.sqrt(least)))
    return found

"""Which samples statistics may have been fitted on: the unions of splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.normalization.sums import UnitSums

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
    names = list(parts)
    sums: dict[tuple[str, ...], UnitSums] = {(name,): parts[name] for name in names}
    members = [tuple(name for name in names if name in candidate) for candidate in chosen]
    for member in members:
        for size in range(2, len(member) + 1):
            if member[:size] not in sums:
                sums[member[:size]] = sums[member[: size - 1]].merge(parts[member[size - 1]])
    held = np.array([[name in candidate for name in names] for candidate in chosen], dtype=np.float64)
    each = np.array([parts[name].n for name in names])
    if (each == each[:, :1]).all():
        # Nothing is missing: every column has the same.
        each = each[:, :1]
    n = held @ each
    least = 1 / np.maximum(n, 1)
    inverse = least.copy()
    for index in range(len(chosen)):
        shared = (held * held[index]) @ each
        variance = inverse + inverse[index] - 2 * shared * inverse * inverse[index]
        variance[index] = 0
        # A split without any value of a column makes no other candidate of it.
        variance[variance <= 1e-15] = np.inf
        least[index] = np.minimum(least[index], variance.min(axis=0))
    gaps = np.broadcast_to(np.sqrt(least), (len(chosen), len(parts[names[0]].n)))
    return [
        Union(splits=candidate, sums=sums[member], gap=gap)
        for candidate, member, gap in zip(chosen, members, gaps, strict=True)
    ]

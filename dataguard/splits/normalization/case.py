"""One set of splits whose normalization is asked for: what all methods of finding it out share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.split_roles import split_order
from dataguard.splits.normalization.accumulate import SplitState
from dataguard.splits.normalization.candidates import Union, pooled
from dataguard.splits.normalization.moments import (
    conditional_spreads,
    least_steps,
)
from dataguard.splits.normalization.order_statistics import (
    shared_values,
)
from dataguard.splits.normalization.sums import UnitSums
from dataguard.splits.normalization.verdict import Evidence, NormalizationVerdict, Scope, Worth

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLED_ROWS = (256, 1024)
ROWS_A_COLUMN = 8
"""Rows of all splits from which it is told how columns depend on one another, between `SAMPLED_ROWS`."""
SHARED = 0.2
"""Share of values in common from which two splits went through one map: of limited precision, they share most."""


class Case:
    """One set of splits, with what was gathered of each."""

    def __init__(
        self, states: dict[str, SplitState], columns: tuple[str, ...], training: tuple[str, ...], notes: Sequence[str]
    ) -> None:
        self.states, self.columns, self.training = states, columns, training
        self.notes = [*notes]
        self.parts: dict[str, UnitSums] = {name: units_of(state) for name, state in states.items()}
        self.layout = next(iter(states.values())).layout
        self.scope: Scope = "feature" if self.layout == "features" else "channel"
        self.samples = {name: state.n for name, state in states.items()}
        self.epsilon = max(*(state.precision for state in states.values()), 2.0**-52)
        self.evidence: tuple[Evidence, ...] = ()
        self._pooled: dict[int, tuple[Mapping[str, UnitSums], list[Union]]] = {}
        bad = sum(state.not_a_number for state in states.values())
        infinite = sum(state.infinite for state in states.values())
        if bad:
            self.notes.append(f"{bad:,} values are NaN and left out")
        if infinite:
            self.notes.append(f"{infinite:,} values are infinite and left out")
        total = self._total(self.parts)
        constant = total.low >= total.high
        if constant.any():
            self.notes.append(f"{int(constant.sum()):,} of {len(constant):,} columns are constant and say nothing")
        self.usable: NDArray[np.bool_] = ~constant & total.fractions
        self.varies: NDArray[np.bool_] = ~constant

    def _unions(self, parts: Mapping[str, UnitSums]) -> list[Union]:
        """The candidates with their sums, made once."""
        key = id(parts)
        if key not in self._pooled:
            self._pooled[key] = parts, pooled(parts, self.training)
        return self._pooled[key][1]

    def _pitch(self, scope: Scope) -> NDArray[np.float64]:
        if scope == "everything":
            return np.full(1, 1e-6)
        if self.layout != "features":
            # Means of pictures are as good as continuous.
            return np.full(len(self.columns), 1e-6)
        return self._steps

    @cached_property
    def _steps(self) -> NDArray[np.float64]:
        return least_steps([state.sample() for state in self.states.values()])

    @cached_property
    def _whole(self) -> dict[str, UnitSums]:
        """Sums over everything of each split that has them."""
        return {name: state.whole for name, state in self.states.items() if state.whole is not None}

    def _apart(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How much of each column does not follow from others."""
        return self._spreads

    @cached_property
    def _spreads(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        rows = []
        least, most = SAMPLED_ROWS
        share = max(1, min(max(least, ROWS_A_COLUMN * len(self.columns)), most) // len(self.states))
        for state in self.states.values():
            sample = state.sample()[:share]
            if self.layout != "features":
                sample = sample.reshape(len(sample), len(self.columns), -1).mean(axis=2)
            # Splits may have been mapped differently: each about its own mean.
            rows.append(sample - np.nan_to_num(units_of(state).mean))
        return conditional_spreads(np.concatenate(rows))

    @cached_property
    def _distinct(self) -> NDArray[np.float64]:
        """Share of the values of each column that differ, in the sample of rows of the largest split."""
        rows = max((state.sample() for state in self.states.values()), key=len)
        return np.array([len(np.unique(rows[:, column])) / max(len(rows), 1) for column in range(rows.shape[1])])

    def _one_map(self, blocks: Sequence[frozenset[str]], scaled: NDArray[np.bool_]) -> bool:
        """Whether the splits of different blocks share values, which two different maps would not leave."""
        return self.layout == "features" and self._shared(blocks, scaled & self.varies) > SHARED

    def _shared_decades(self, blocks: Sequence[frozenset[str]], scaled: NDArray[np.bool_], method: str) -> float:
        """−log10 of the chance that maps of their own leave splits with values in common.

        Half of the columns share values. Means of n whole numbers have n different fractions, and only if those of two
        splits are one, and their deviations too where they were divided by, do values fall on one another.
        """
        n = min(sum(self.samples[name] for name in block) for block in blocks)
        columns = math.ceil(int((scaled & self.varies).sum()) / 2)
        return columns * math.log10(max(n, 1)) * (1 if method in ("centre", "rotation") else 2)

    def _shared(self, blocks: Sequence[frozenset[str]], columns: NDArray[np.bool_]) -> float:
        """The largest share of values in common of any two blocks."""
        rows = [np.concatenate([self.states[name].sample() for name in sorted(block)]) for block in blocks]
        return shared_values(rows, columns)

    def _same_map(self, sets: Sequence[frozenset[str]], reason: str, **fields: Any) -> NormalizationVerdict:
        return self._made(
            status="equivalent",
            origin="splits",
            fitted_on=tuple(dict.fromkeys(self._ordered(one) for one in sets)),
            reason=reason,
            **fields,
        )

    def _undecided(self, reason: str, **fields: Any) -> NormalizationVerdict:
        fields = {"method": "", "scope": "", "scaled": np.zeros(len(self.columns), dtype=bool), **fields}
        return self._made(status="undecided", origin="outside", reason=reason, **fields)

    def _made(self, **fields: Any) -> NormalizationVerdict:
        scaled = np.array(fields.pop("scaled"), dtype=bool)
        scaled.setflags(write=False)
        fields.setdefault("fitted_on", ())
        return NormalizationVerdict(
            training=self.training,
            samples=self.samples,
            columns=self.columns,
            scaled=scaled,
            evidence=self.evidence,
            notes=tuple(self.notes),
            **fields,
        )

    def _ordered(self, splits: frozenset[str]) -> tuple[str, ...]:
        return tuple(sorted(splits, key=split_order))

    @staticmethod
    def _total(parts: Mapping[str, UnitSums]) -> UnitSums:
        items = list(parts.values())
        total = items[0]
        for item in items[1:]:
            total = total.merge(item)
        return total

    def _worth(
        self,
        splits: frozenset[str],
        parts: Mapping[str, UnitSums],
        centre: NDArray[np.float64],
        scale: NDArray[np.float64],
        unit: NDArray[np.float64] | float,
        scope: Scope,
        columns: NDArray[np.bool_],
    ) -> Worth | None:
        """The map is linear, so that its largest change is at the least or the largest value."""
        if splits <= set(self.training):
            return None
        best = (0.0, 0, "")
        for name in self.states:
            if name in self.training:
                continue
            for end in (parts[name].low, parts[name].high):
                change = np.abs(end - (end - centre) / scale) * unit
                change = np.where(np.isfinite(change) & columns, change, 0.0)
                at = int(np.argmax(change))
                if change[at] > best[0]:
                    best = float(change[at]), at, name
        train = self._total({name: parts[name] for name in self.training})
        typical = np.abs(train.mean - (train.mean - centre) / scale) * unit
        typical = typical[np.isfinite(typical) & columns]
        return Worth(
            largest=best[0],
            column="all values" if scope == "everything" else self.columns[best[1]],
            split=best[2],
            typical=float(np.sqrt(np.mean(typical**2))) if len(typical) else 0.0,
        )


def units_of(state: SplitState) -> UnitSums:
    """The sums of a split's units.

    Raises:
        ValueError: it has no sample.
    """
    if state.units is None:
        raise ValueError("a split has no sample")
    return state.units

"""Statistics that are found again in extremes and quartiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.split_roles import split_order
from dataguard.splits.normalization.by_sample import scaled_by_sample
from dataguard.splits.normalization.moments import (
    LEAST_DECADES,
    minimal,
)
from dataguard.splits.normalization.order_statistics import (
    OrderFits,
    different_steps,
    extreme_fits,
    on_fixed_steps,
    quartile_fits,
    rank_fits,
)
from dataguard.splits.normalization.sums import UnitSums
from dataguard.splits.normalization.verdict import Evidence, NormalizationVerdict, Scope, Worth

if TYPE_CHECKING:
    from numpy.typing import NDArray
from dataguard.splits.normalization.case import Case

LEAST_STEPS_DECADES = 3.0
"""−log10 of the chance that one map leaves splits on so different steps."""


class ByOrder(Case):
    """What the least and largest values and the quartiles of the splits say."""

    def _by_largest_of_sample(self) -> NormalizationVerdict | None:
        detail = scaled_by_sample((state.rows for state in self.states.values()), magnitude=True)
        if detail is None:
            return None
        return self._made(
            status="identified", origin="sample", method="sample", scope="sample", detail=detail, scaled=self.varies
        )

    def _by_quartiles(self) -> NormalizationVerdict | None:
        if self.layout != "features":
            return None
        values = {name: state.values() for name, state in self.states.items()}
        continuous = self.usable & (self._distinct > 0.5)
        unions = self._unions(self.parts)
        known = {name: item for name, item in values.items() if item is not None}
        ranks = {} if len(known) == len(values) else {name: state.ranks() for name, state in self.states.items()}
        counted = {name: item for name, item in ranks.items() if item is not None}
        # float64 may have been float32 once.
        for epsilon in dict.fromkeys((self.epsilon, max(self.epsilon, 2.0**-23))):
            found = None
            if len(known) == len(values):
                found = quartile_fits(known, unions, self.usable, epsilon, continuous)
            elif len(counted) == len(values):
                found = rank_fits(counted, unions, self.usable, epsilon, continuous)
            if found is not None:
                return self._of_order(found, self.parts, self.scope)
        return None

    def _by_extremes(self) -> NormalizationVerdict | None:
        return self._extremes(self.parts, self.usable, self.scope)

    def _by_extremes_of_everything(self) -> NormalizationVerdict | None:
        if len(self.columns) < 2 and self.scope == "feature":
            return None
        whole = self._whole
        if len(whole) < len(self.states):
            return None
        return self._extremes(whole, np.array([bool(self.usable.any())]), "everything")

    def _extremes(
        self, parts: Mapping[str, UnitSums], usable: NDArray[np.bool_], scope: Scope
    ) -> NormalizationVerdict | None:
        if not all(state.ends_known for state in self.states.values()):
            return None
        unions = self._unions(parts)
        for epsilon in dict.fromkeys((self.epsilon, max(self.epsilon, 2.0**-23))):
            ranked = extreme_fits(unions, usable, epsilon, self.epsilon)
            for place, found in enumerate(ranked):
                columns = int(found.columns.sum())
                enough = columns >= 2 or (len(usable) == 1 and columns == 1)
                if enough and columns >= 0.5 * int(usable.sum()) and found.fitting:
                    if scope == self.scope and columns < int(usable.sum()):
                        # Rounded numbers are at 1 by chance, too: quartiles may explain more columns.
                        other = self._by_quartiles()
                        if other is not None and int(other.scaled.sum()) > columns:
                            return other
                    rivals = [item for item in ranked[place + 1 :] if int(item.columns.sum()) == columns]
                    proven = (item for item in rivals if scope == self.scope and self._explains_more(item, found))
                    return self._of_order(next(proven, found), parts, scope)
        return None

    def _explains_more(self, rival: OrderFits, found: OrderFits) -> bool:
        """Whether another scaling, of each split by itself, explains splits that this one does not.

        Columns from 0 on that were divided by their largest value look as if moved to 0 to 1, where 0 occurs.
        """
        blocks = minimal(rival.fitting)
        if sum(map(len, blocks)) < len(self.states) or len(blocks) <= len(minimal(found.fitting)):
            return False
        if any(one & other for index, one in enumerate(blocks) for other in blocks[index + 1 :]):
            return False
        return self._steps_differ(blocks, rival)

    def _steps_differ(self, blocks: Sequence[frozenset[str]], found: OrderFits) -> bool:
        rows = [np.concatenate([self.states[name].sample() for name in sorted(block)]) for block in blocks]
        width = 1.0 if found.range is None else found.range[1] - found.range[0]
        return different_steps(rows, found.columns, width, self.epsilon) >= LEAST_STEPS_DECADES

    def _of_order(self, found: OrderFits, parts: Mapping[str, UnitSums], scope: Scope) -> NormalizationVerdict | None:
        everywhere = scope == "everything"
        scaled = np.full(len(self.columns), True) if everywhere else found.columns
        common: dict[str, Any] = {"method": found.family, "scope": scope, "scaled": scaled, "range": found.range}
        self.evidence = tuple(
            Evidence(
                splits=self._ordered(splits),
                n=sum(self.samples[name] for name in splits),
                decades=math.nan,
                ratio=None,
                columns=int(mask.sum()),
                fits=splits in found.fitting,
            )
            for splits, mask in sorted(found.each.items(), key=lambda item: -int(item[1].sum()))
        )
        if not found.fitting:
            return None
        if found.range is not None:
            if steps := self._fixed_steps(scaled, *found.range):
                return self._made(
                    status="equivalent",
                    origin="splits",
                    fitted_on=(*(self._ordered(one) for one in found.fitting), ()),
                    reason=f"all values lie on {steps} equal steps of that range, as a division by a constant leaves",
                    **common,
                )
            if self._clipped(parts, found.columns):
                reason = "the values were clipped at both ends, which moves mean and variance"
                return self._by_largest_of_sample() or self._undecided(reason, **common)
        if not everywhere and found.family in ("min-max", "max-abs"):
            found = self._with_whole_numbers(found)
        chosen = minimal(found.fitting)
        if not everywhere and not any(one & set(self.training) for one in found.fitting):
            # Of rounded numbers, a few held-out ones end at 1 by chance, which is one of not many values.
            pitch = self._pitch(scope)[found.columns]
            if float(-np.log10(np.minimum(2 * pitch, 1)).sum()) < LEAST_DECADES:
                return None
        if len(chosen) == 1:
            wider = [one for one in found.fitting if one != chosen[0]]
            if not wider:
                return self._made(
                    status="identified",
                    origin="splits",
                    fitted_on=(self._ordered(chosen[0]),),
                    worth=self._worth_of_order(chosen[0], found, parts, scope),
                    **common,
                )
            reason = "the values that decide lie in all of these"
            worth = self._worth_of_order(chosen[0], found, parts, scope)
            return self._same_map([chosen[0], *wider], reason, worth=worth, **common)
        disjoint = not any(one & other for index, one in enumerate(chosen) for other in chosen[index + 1 :])
        if disjoint and not everywhere and self._own_maps(chosen, found):
            return self._made(
                status="identified",
                origin="itself",
                fitted_on=tuple(sorted((self._ordered(one) for one in chosen), key=lambda one: split_order(one[0]))),
                **common,
            )
        reason = "the values that decide lie in all of these"
        if disjoint and not everywhere:
            reason += ", unless each was normalized by itself"
        return self._same_map(found.fitting, reason, **common)

    def _own_maps(self, blocks: Sequence[frozenset[str]], found: OrderFits) -> bool:
        """Whether splits that all have the extremes, or the quartiles, were mapped each by itself."""
        if self._steps_differ(blocks, found):
            return True
        return int(found.columns.sum()) >= 3 and not self._one_map(blocks, found.columns)

    def _with_whole_numbers(self, found: OrderFits) -> OrderFits:
        """Without unions that a column of whole numbers rules out, which one of the others can explain.

        A column that is constant in training is moved and not stretched, so that a test value may be 2 in a range
        that ends at 1: then the range is not that of everything.
        """
        others = self.varies & ~self.usable
        keeps: dict[frozenset[str], NDArray[np.bool_]] = {}
        for splits in found.fitting:
            sums = self._total({name: self.parts[name] for name in splits})
            if found.range is not None:
                low, high = found.range
                inside = (sums.low == low) & (sums.high == high)
            else:
                inside = np.maximum(np.abs(sums.low), np.abs(sums.high)) == 1
            keeps[splits] = inside | (sums.low == sums.high)
        asked = others & np.any(list(keeps.values()), axis=0)
        kept = tuple(splits for splits in found.fitting if (keeps[splits] | ~asked).all())
        return replace(found, fitting=kept) if kept else found

    def _fixed_steps(self, scaled: NDArray[np.bool_], low: float, high: float) -> int | None:
        rows = np.concatenate([state.sample() for state in self.states.values()])
        rows = rows.reshape(len(rows), len(self.columns), -1)[:, scaled]
        rows = rows[np.isfinite(rows)]
        return on_fixed_steps(rows, low, high)

    def _clipped(self, parts: Mapping[str, UnitSums], columns: NDArray[np.bool_]) -> bool:
        """Whether the ends of a range are taken by so many values that they were cut off there."""
        ends = np.max([np.minimum(part.at_low, part.at_high) for part in parts.values()], axis=0)[columns]
        if len(ends) < 2 or float(np.median(ends)) < 3:
            return False
        # Whole or rounded numbers have ties everywhere, and not only at the ends.
        return self.layout != "features" or float(np.median(self._distinct[columns])) > 0.7

    def _worth_of_order(
        self, splits: frozenset[str], found: OrderFits, parts: Mapping[str, UnitSums], scope: Scope
    ) -> Worth | None:
        if found.family not in ("min-max", "max-abs"):
            return None
        train = self._total({name: parts[name] for name in self.training})
        if found.range is not None:
            low, high = found.range
            width = np.where(train.high > train.low, train.high - train.low, 1.0) / (high - low)
            centre = train.low - low * width
        else:
            width = np.maximum(np.abs(train.low), np.abs(train.high))
            width, centre = np.where(width > 0, width, 1.0), np.zeros_like(train.low)
        own = np.sqrt(np.where(train.variance > 0, train.variance, np.inf)) / width
        return self._worth(splits, parts, centre, width, 1 / own, scope, found.columns)

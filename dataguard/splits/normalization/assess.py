"""From normalized splits to the data that their statistics were fitted on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.split_roles import is_training, split_order
from dataguard.splits.normalization.accumulate import SplitState, UnitSums
from dataguard.splits.normalization.before import before
from dataguard.splits.normalization.by_sample import scaled_by_sample
from dataguard.splits.normalization.candidates import Union, pooled
from dataguard.splits.normalization.moments import (
    LEAST_DECADES,
    LEAST_SHARE,
    MUCH_WORSE,
    SETTLED,
    Family,
    Fit,
    Residuals,
    best_fits,
    conditional_spreads,
    fits_of,
    least_steps,
    minimal,
    residuals_of,
)
from dataguard.splits.normalization.order_statistics import (
    OrderFits,
    different_steps,
    extreme_fits,
    on_fixed_steps,
    quartile_fits,
    rank_fits,
    shared_values,
)
from dataguard.splits.normalization.verdict import Evidence, NormalizationVerdict, Scope, Worth

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLED_ROWS = (256, 1024)
ROWS_A_COLUMN = 8
"""Rows of all splits from which it is told how columns depend on one another, between `SAMPLED_ROWS`."""
SHARED = 0.2
"""Share of values in common from which two splits went through one map: of limited precision, they share most."""
LEAST_SHARED_DECADES = 2.5
"""−log10 of the chance that such sharing is accidental, from which it is not."""
NOT_SHARED = 0.05
LEAST_PITCH = 1e-3
"""Least distance of values, in standard deviations, from which they are rounded measurements."""
LEAST_STEPS_DECADES = 3.0
"""−log10 of the chance that one map leaves splits on so different steps."""
WEAK_SHARE = 0.5
WITH_MAPS = 0.5
"""Decades that a split must fit with, where the maps are seen to differ."""
LOW_PRECISION_FROM = 100_000
"""Values from which a standard deviation summed one by one in float32 is off by more than rounding."""
UNCORRELATED = 1e-3
"""Largest correlation between columns that were made uncorrelated; float32 leaves some 1e-5."""
NEAR_NORMALIZED = (1.0, 0.25, 4.0)
"""A column looks normalized with a mean of at most so many standard deviations, and a standard deviation between."""


def judge(
    states: Mapping[str, SplitState],
    *,
    columns: Sequence[str] | None = None,
    training: Sequence[str] | None = None,
    notes: Sequence[str] = (),
) -> NormalizationVerdict:
    """Which data the statistics come from, from what was gathered of each split.

    Args:
        states: Of each split, by name.
        columns: Names of the columns or channels; numbers by default.
        training: Names of the splits that are trained on; by default those that are called so, or else the first.
        notes: What the verdict is to say besides.

    Raises:
        ValueError: there is no split with samples, or they differ in the number of columns.
    """
    kept = {name: states[name] for name in sorted(states, key=split_order) if states[name].n}
    if not kept:
        raise ValueError("no split has a sample")
    widths = {name: state.width for name, state in kept.items()}
    if len(set(widths.values())) > 1:
        said = ", ".join(f"{name!r} {width}" for name, width in widths.items())
        raise ValueError(f"the splits have different numbers of columns: {said}")
    width = next(iter(widths.values()))
    named = tuple(columns) if columns is not None else tuple(str(index) for index in range(width))
    trained = tuple(name for name in kept if (name in training if training is not None else is_training(name)))
    if not trained:
        trained = (next(iter(kept)),)
    verdict = _Case(kept, named, trained, notes).verdict()
    if not verdict.before_sentence or verdict.scope != "feature":
        return verdict
    # One split has one map.
    rows = max((state.sample() for state in kept.values()), key=len)
    return replace(verdict, before=before(rows, verdict.scaled))


class _Case:
    """One set of splits, looked at method by method."""

    def __init__(
        self, states: dict[str, SplitState], columns: tuple[str, ...], training: tuple[str, ...], notes: Sequence[str]
    ) -> None:
        self.states, self.columns, self.training = states, columns, training
        self.notes = [*notes]
        self.parts: dict[str, UnitSums] = {name: _units(state) for name, state in states.items()}
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

    def verdict(self) -> NormalizationVerdict:
        if len(self.states) == 1 and not self.varies.any():
            return self._undecided("there is nothing but constant columns")
        if not self.varies.any():
            return self._undecided("all columns are constant")
        if detail := scaled_by_sample(state.rows for state in self.states.values()):
            return self._made(
                status="identified", origin="sample", method="sample", scope="sample", detail=detail, scaled=self.varies
            )
        for attempt in (
            self._standard,
            self._everything_standard,
            self._by_extremes,
            self._by_largest_of_sample,
            self._by_quartiles,
            self._by_columns,
            self._over_everything,
            self._by_extremes_of_everything,
            self._different_maps,
            self._changed_afterwards,
        ):
            if (found := attempt()) is not None:
                return found
        return self._unexplained()

    # Moments

    def _standard(self) -> NormalizationVerdict | None:
        """Mean and variance of each column; where one of the two alone fits more columns, other methods come first."""
        found = self._by_moments(self.parts, self.scope, self._apart)
        if found is None or found.method not in ("standard", "whitening"):
            return None
        residual = _least_ratio(found)
        if residual > SETTLED:
            # Near only: data that came standardized, and were standardized again over all values.
            evidence = self.evidence
            whole = self._everything_standard()
            if whole is not None and _least_ratio(whole) * MUCH_WORSE < residual:
                return whole
            self.evidence = evidence
        return found

    def _everything_standard(self) -> NormalizationVerdict | None:
        found = self._over_everything()
        return found if found is None or found.method == "standard" else None

    def _by_columns(self) -> NormalizationVerdict | None:
        return self._by_moments(self.parts, self.scope, self._apart)

    def _by_largest_of_sample(self) -> NormalizationVerdict | None:
        detail = scaled_by_sample((state.rows for state in self.states.values()), magnitude=True)
        if detail is None:
            return None
        return self._made(
            status="identified", origin="sample", method="sample", scope="sample", detail=detail, scaled=self.varies
        )

    def _over_everything(self) -> NormalizationVerdict | None:
        if len(self.columns) < 2 and self.scope == "feature":
            return None
        whole = self._whole
        if len(whole) < len(self.states):
            return None
        return self._by_moments(whole, "everything", lambda: (np.ones(1), np.ones(1)))

    def _by_moments(
        self,
        parts: Mapping[str, UnitSums],
        scope: Scope,
        apart: Callable[[], tuple[NDArray[np.float64], NDArray[np.float64]]],
    ) -> NormalizationVerdict | None:
        unions = self._unions(parts)
        residuals = residuals_of(unions, self._pitch(scope))
        families: tuple[Family, ...] = ("standard", "centre", "scale")
        fits = {family: fits_of(residuals, family, apart) for family in families}
        best = {family: best_fits(fits[family]) for family in families}
        columns = {family: max((int(fit.speaks.sum()) for fit in best[family]), default=0) for family in families}
        typical = {name: min((fit.typical for fit in best[name]), default=math.inf) for name in families}
        if SETTLED < typical["standard"] < math.inf and typical["standard"] > MUCH_WORSE * min(typical.values()):
            best["standard"], columns["standard"] = [], 0
        centred, scaled = ({fit.splits for fit in best[name]} for name in ("centre", "scale"))
        if centred and scaled and not centred & scaled and columns["scale"] >= LEAST_SHARE * columns["centre"]:
            # Data that came with mean 0 keep it through a division, which is what was done last.
            note = " + ".join(self._ordered(min(centred, key=len)))
            self.notes.append(f"the columns had mean 0 over {note} before they were divided")
            best["centre"], columns["centre"] = [], 0
        # Of columns with mean 0 some have variance 1 by chance, and the other way round.
        family = next((name for name in families if columns[name] >= LEAST_SHARE * max(columns.values())), families[0])
        chosen = best[family]
        shown = fits[family] if chosen else fits["standard"]
        if chosen or (scope == self.scope and not self.evidence):
            self.evidence = tuple(_evidence(fit) for fit in sorted(shown, key=lambda fit: -fit.decades))
        return self._of_fits(chosen, shown, residuals, parts, scope) if chosen else None

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

    def _of_fits(
        self, best: list[Fit], fits: list[Fit], residuals: Residuals, parts: Mapping[str, UnitSums], scope: Scope
    ) -> NormalizationVerdict:
        sets = [fit.splits for fit in best]
        chosen = minimal(sets)
        fit_of = {fit.splits: fit for fit in best}
        if not any(one & set(self.training) for one in chosen):
            # A held-out split by itself: training may have lost more digits, and fit in fewer columns.
            weaker = [fit for fit in fits if fit.decades >= LEAST_DECADES and fit.share >= WEAK_SHARE]
            weaker = [fit for fit in weaker if not any(fit.splits & one for one in chosen)]
            fit_of |= {fit.splits: fit for fit in weaker}
            chosen = [*chosen, *minimal([fit.splits for fit in weaker])]
        speaks = np.any([fit_of[one].speaks for one in chosen], axis=0)
        scaled = np.full(len(self.columns), True) if scope == "everything" else speaks
        method, ddof = self._named(fit_of[chosen[0]], residuals, scope)
        ddofs = {fit_of[one].ddof for one in chosen}
        common = {"method": method, "scope": scope, "ddof": ddof if len(ddofs) == 1 else None, "scaled": scaled}
        blocks = self._with_single_rows(chosen, scaled) if scope == self.scope else chosen
        if len(blocks) == 1:
            wider = [one for one in sets if one != chosen[0]]
            if wider:
                return self._same_map([*blocks, *wider], "their statistics are equal", **common)
            return self._made(
                status="identified",
                origin="splits",
                fitted_on=(self._ordered(blocks[0]),),
                worth=self._worth_of_moments(blocks[0], parts, method, scope, speaks),
                **common,
            )
        if any(one & other for index, one in enumerate(blocks) for other in blocks[index + 1 :]):
            return self._undecided("the statistics of overlapping unions fit equally well", **common)
        if self._one_map(blocks, scaled):
            if self._shared_decades(blocks, scaled, method) < LEAST_SHARED_DECADES:
                reason = "the splits are too small to tell one map for all from one for each, which both leave this"
                return self._undecided(reason, **common)
            return self._same_map(sets, "the splits share their values, so that one map was applied to all", **common)
        return self._made(
            status="identified",
            origin="itself",
            fitted_on=tuple(sorted((self._ordered(one) for one in blocks), key=lambda one: split_order(one[0]))),
            **common,
        )

    def _with_single_rows(self, chosen: list[frozenset[str]], scaled: NDArray[np.bool_]) -> list[frozenset[str]]:
        """With splits of one sample that a scaling by itself has made all 0."""
        covered = frozenset().union(*chosen)
        single = [
            frozenset([name])
            for name, sums in self.parts.items()
            if name not in covered
            and scaled.sum() > 1
            and bool(((sums.low == sums.high) & (sums.mean == 0))[scaled].all())
        ]
        return [*chosen, *single]

    def _named(self, fit: Fit, residuals: Residuals, scope: Scope) -> tuple[str, int | None]:
        """The method, and the ddof where the numbers tell."""
        method: str = fit.family
        ddof = fit.ddof
        at = next(index for index, union in enumerate(residuals.unions) if union.splits == fit.splits)
        sums = residuals.unions[at].sums
        mask = fit.speaks
        if method == "centre":
            variance = sums.variance[mask]
            low = self.epsilon > 1e-8 and sums.values.max() > LOW_PRECISION_FROM
            if low and len(variance) and bool((np.abs(np.sqrt(variance) - 1) < 0.05).all()):
                # Standard deviations summed in low precision.
                return "standard", None
        if ddof is not None:
            ratios = [float(np.median(ratio[at][mask])) for ratio in residuals.variance]
            if max(ratios) < 10 * max(min(ratios), 1e-300):
                ddof = None
        if scope == "feature" and method in ("standard", "centre") and mask.sum() >= 2:
            correlation = self._largest_correlation(fit.splits, mask)
            if correlation is not None and correlation < UNCORRELATED:
                method = "whitening" if method == "standard" else "rotation"
        return method, ddof

    def _largest_correlation(self, splits: frozenset[str], mask: NDArray[np.bool_]) -> float | None:
        """Largest correlation between columns over some splits; None where not gathered."""
        total: NDArray[np.float64] | None = None
        n = 0
        moments = np.zeros(len(mask))
        shift: NDArray[np.float64] | None = None
        for name in splits:
            state = self.states[name]
            units = _units(state)
            if state.products is None or state.not_a_number or state.infinite:
                return None
            if shift is None:
                shift = units.shift
            t = units.shift - shift
            sums = units.mean_u * units.n
            cross = np.outer(sums, t)
            product = state.products + cross + cross.T + state.n * np.outer(t, t)
            total = product if total is None else total + product
            moments = moments + sums + state.n * t
            n += state.n
        if total is None or n <= int(mask.sum()) + 1:
            return None
        covariance = (total / n - np.outer(moments / n, moments / n))[np.ix_(mask, mask)]
        scale = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
        correlation = np.abs(covariance / np.outer(scale, scale))
        np.fill_diagonal(correlation, 0)
        # Components of almost no variance have lost their digits.
        return float(np.median(correlation.max(axis=0)))

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
            rows.append(sample - np.nan_to_num(_units(state).mean))
        return conditional_spreads(np.concatenate(rows))

    # Order statistics

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
            ranked = extreme_fits(unions, usable, epsilon)
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

    @cached_property
    def _distinct(self) -> NDArray[np.float64]:
        """Share of the values of each column that differ, in the sample of rows of the largest split."""
        rows = max((state.sample() for state in self.states.values()), key=len)
        return np.array([len(np.unique(rows[:, column])) / max(len(rows), 1) for column in range(rows.shape[1])])

    def _different_maps(self) -> NormalizationVerdict | None:
        """Splits of so few values that chance might make each fit, but which went through maps of their own.

        Rounded measurements share values across splits under one map. Where they share none, there were several, and
        only what they are is left to say.
        """
        if self.layout != "features" or len(self.states) < 2:
            return None
        pitch = self._pitch(self.scope)
        rounded = self.varies & (pitch > LEAST_PITCH)
        if rounded.sum() < 2:
            return None
        residuals = residuals_of(self._unions(self.parts), pitch)
        for family in ("standard", "centre", "scale"):
            fits = fits_of(residuals, family, self._apart)
            single = [fit for fit in fits if len(fit.splits) == 1]
            if any(fit.typical > SETTLED or fit.share < LEAST_SHARE or fit.decades < WITH_MAPS for fit in single):
                continue
            blocks = [fit.splits for fit in single]
            if self._shared(blocks, rounded & single[0].speaks) > NOT_SHARED:
                continue
            self.evidence = tuple(_evidence(fit) for fit in sorted(fits, key=lambda fit: -fit.decades))
            return self._of_fits(single, fits, residuals, self.parts, self.scope)
        return None

    # What happened after scaling

    def _changed_afterwards(self) -> NormalizationVerdict | None:
        """Rows of training that were repeated, or made, after it was scaled."""
        if self.layout != "features":
            return None
        repeated = [name for name in self.training if self.states[name].n_repeated]
        if repeated:
            parts = dict(self.parts)
            for name in repeated:
                distinct = self.states[name].distinct
                if distinct is not None:
                    parts[name] = distinct
            found = self._by_moments(parts, self.scope, self._apart)
            if found is not None:
                names = " and ".join(repr(name) for name in repeated)
                note = f"rows of {names} were repeated after scaling; each counts once here"
                return replace(found, notes=(*found.notes, note))
        return self._with_added_rows()

    def _with_added_rows(self) -> NormalizationVerdict | None:
        """Rows that were added below training's own, as SMOTE does."""
        if len(self.training) != 1:
            return None
        name = self.training[0]
        values = self.states[name].values()
        if values is None or len(values) < 20 or not np.isfinite(values).all():
            return None
        usable = values[:, self.usable]
        if not usable.shape[1]:
            return None
        others = [one for one in self.states if one != name]
        rest: list[list[str]] = [[], *([one] for one in others)]
        if len(others) > 1:
            rest.append(others)
        counts = np.arange(1, len(usable) + 1)[:, None]
        scale = usable.std(axis=0)
        sums = np.cumsum(usable, axis=0)
        best: tuple[float, int] | None = None
        for members in rest:
            n = counts + sum(self.samples[one] for one in members)
            added = sum((self.parts[one].mean * self.parts[one].n for one in members), np.zeros(len(self.columns)))
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.abs(sums + added[self.usable]) / np.sqrt(n) / np.where(scale > 0, scale, np.inf)
            typical = np.median(ratio, axis=1)
            typical[: max(10, len(usable) // 10)] = np.inf
            at = int(np.argmin(typical[:-1])) if len(typical) > 1 else 0
            if best is None or typical[at] < best[0]:
                best = float(typical[at]), at + 1
        if best is None or best[0] > SETTLED_PREFIX:
            return None
        parts = {**self.parts, name: UnitSums.of(values[: best[1]])}
        found = self._by_moments(parts, self.scope, self._apart)
        if found is None:
            return None
        note = f"{len(values) - best[1]:,} rows of {name!r} after the first {best[1]:,} were added after scaling"
        return replace(found, notes=(*found.notes, note))

    # Conclusions

    def _unexplained(self) -> NormalizationVerdict:
        total = self._total(self.parts)
        clipped = self._clip_limits(total)
        if clipped:
            return self._undecided(clipped)
        mean, scale = np.abs(total.mean[self.varies]), np.sqrt(total.variance[self.varies])
        far, low, high = NEAR_NORMALIZED
        with np.errstate(divide="ignore", invalid="ignore"):
            near = (mean <= far * scale) & (scale >= low) & (scale <= high)
        normalized = bool(near.mean() >= 0.5) and bool(self.usable.any())
        return self._made(
            status="identified",
            origin="outside" if normalized else "raw",
            method="",
            scope="",
            scaled=np.zeros(len(self.columns), dtype=bool),
        )

    def _clip_limits(self, total: UnitSums) -> str:
        """In words, where several columns end at one value that many samples have."""
        for ends, counts, side in ((total.high, total.at_high, "above"), (total.low, total.at_low, "below")):
            chosen = ends[self.usable & (counts >= 3)]
            if len(chosen) < 2:
                continue
            values, times = np.unique(np.round(chosen, 6), return_counts=True)
            if times.max() >= max(2, 0.3 * int(self.usable.sum())) and values[times.argmax()] not in (0.0, 1.0):
                limit = values[times.argmax()]
                return f"values {side} {limit:g} were clipped, which moves mean and variance"
        return ""

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

    # What a leak is worth

    def _worth_of_moments(
        self,
        splits: frozenset[str],
        parts: Mapping[str, UnitSums],
        method: str,
        scope: Scope,
        columns: NDArray[np.bool_],
    ) -> Worth | None:
        train = self._total({name: parts[name] for name in self.training})
        mean = np.zeros_like(train.mean) if method == "scale" else train.mean
        own = np.sqrt(np.where(train.variance > 0, train.variance, 1.0))
        scale = np.ones_like(own) if method in ("centre", "rotation") else own
        return self._worth(
            splits, parts, mean, scale, 1 / own if method in ("centre", "rotation") else 1.0, scope, columns
        )

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


SETTLED_PREFIX = 1e-3
"""Ratio of a residual to sampling below which a prefix of training may be what was scaled."""


def _least_ratio(verdict: NormalizationVerdict) -> float:
    return min((item.ratio for item in verdict.evidence if item.fits and item.ratio is not None), default=math.inf)


def _units(state: SplitState) -> UnitSums:
    if state.units is None:
        raise ValueError("a split has no sample")
    return state.units


def _evidence(fit: Fit) -> Evidence:
    return Evidence(
        splits=tuple(sorted(fit.splits, key=split_order)),
        n=fit.n,
        decades=round(fit.decades, 2),
        ratio=fit.typical if math.isfinite(fit.typical) else None,
        columns=int(fit.speaks.sum()),
        fits=fit.fits,
    )

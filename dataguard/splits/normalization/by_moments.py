"""Statistics that are found again in means and variances."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.split_roles import split_order
from dataguard.splits.normalization.moments import (
    LEAST_DECADES,
    LEAST_SHARE,
    MUCH_WORSE,
    SETTLED,
    Family,
    Fit,
    Residuals,
    best_fits,
    fits_of,
    minimal,
    residuals_of,
)
from dataguard.splits.normalization.sums import UnitSums
from dataguard.splits.normalization.verdict import Evidence, NormalizationVerdict, Scope, Worth

if TYPE_CHECKING:
    from numpy.typing import NDArray
from dataguard.splits.normalization.case import Case, units_of

LEAST_SHARED_DECADES = 2.5
"""−log10 of the chance that such sharing is accidental, from which it is not."""
NOT_SHARED = 0.05
LEAST_PITCH = 1e-3
"""Least distance of values, in standard deviations, from which they are rounded measurements."""
WEAK_SHARE = 0.5
WITH_MAPS = 0.5
"""Decades that a split must fit with, where the maps are seen to differ."""
LOW_PRECISION_FROM = 100_000
"""Values from which a standard deviation summed one by one in float32 is off by more than rounding."""
UNCORRELATED = 1e-3
"""Largest correlation between columns that were made uncorrelated; float32 leaves some 1e-5."""


class ByMoments(Case):
    """What means and variances of the splits say."""

    def _by_columns(self) -> NormalizationVerdict | None:
        return self._by_moments(self.parts, self.scope, self._apart)

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
            units = units_of(state)
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


def _evidence(fit: Fit) -> Evidence:
    return Evidence(
        splits=tuple(sorted(fit.splits, key=split_order)),
        n=fit.n,
        decades=round(fit.decades, 2),
        ratio=fit.typical if math.isfinite(fit.typical) else None,
        columns=int(fit.speaks.sum()),
        fits=fit.fits,
    )

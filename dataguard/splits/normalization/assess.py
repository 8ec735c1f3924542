"""From normalized splits to the data that their statistics were fitted on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dataguard.core.split_roles import is_training, split_order
from dataguard.splits.normalization.accumulate import SplitState
from dataguard.splits.normalization.before import before
from dataguard.splits.normalization.by_moments import ByMoments
from dataguard.splits.normalization.by_order import ByOrder
from dataguard.splits.normalization.by_sample import scaled_by_sample
from dataguard.splits.normalization.moments import (
    MUCH_WORSE,
    SETTLED,
)
from dataguard.splits.normalization.sums import UnitSums
from dataguard.splits.normalization.verdict import NormalizationVerdict

NEAR_NORMALIZED = (1.0, 0.25, 4.0)
"""A column looks normalized with a mean of at most so many standard deviations, and a standard deviation between."""
SETTLED_PREFIX = 1e-3
"""Ratio of a residual to sampling below which a prefix of training may be what was scaled."""


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
    verdict = _Assessment(kept, named, trained, notes).verdict()
    if not verdict.before_sentence or verdict.scope != "feature":
        return verdict
    # One split has one map.
    rows = max((state.sample() for state in kept.values()), key=len)
    return replace(verdict, before=before(rows, verdict.scaled))


class _Assessment(ByMoments, ByOrder):
    """One set of splits, looked at method by method."""

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


def _least_ratio(verdict: NormalizationVerdict) -> float:
    return min((item.ratio for item in verdict.evidence if item.fits and item.ratio is not None), default=math.inf)

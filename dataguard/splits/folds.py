"""What mixing is worth: out-of-fold scores where groups, or times, are mixed, against those where they are kept apart.

One split scores few samples, and another split others. Folds score every sample in both ways, so that the difference is
paired and an interval of two points takes hundreds of samples and not thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.finding import Measurement
from dataguard.splits.worth.models import predictions
from dataguard.splits.worth.problem import Problem, Task
from dataguard.splits.worth.record import NoWorth, Worth, describe, measurements
from dataguard.splits.worth.scores import compared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataguard.splits.worth.problem import Fit

FOLDS = 5
MOST = 5000
"""Samples that the folds are made of at most, whole groups of them: ten fits then take seconds."""
TIME_BLOCKS = 4
"""The later half of them is predicted, each from what was before it: a quarter is what a split commonly holds out."""
REPEATS = 2
"""Draws and models that predictions over time are averaged over: half of the discordant pairs is their chance."""
TIME_CHUNKS = 60
"""Stretches of time that are resampled together, because what lies together in time is alike."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixing:
    """What mixing is worth."""

    worth: Worth | NoWorth
    better: int = 0
    """Groups, or stretches of time, that are predicted better where they are mixed."""
    compared: int = 0
    """Groups or stretches that are predicted differently."""
    p_value: float = 1.0
    """Wilcoxon's signed-rank test over them, one-sided; of a regression only.

    A few groups that are predicted wildly wrong make the interval of an R² as wide as the scale, and hide that all the
    others are predicted better: ranks do not.
    """

    @property
    def is_gain(self) -> bool:
        """Whether mixing adds to the score: the interval lies above 0, or the ranks say so at the same level."""
        if isinstance(self.worth, NoWorth):
            return False
        return self.worth.is_gain or (self.worth.difference > 0 and self.p_value <= (1 - self.worth.level) / 2)

    @property
    def words(self) -> str:
        """One to three sentences that hold the figures."""
        if self.compared == 0:
            return describe(self.worth)
        return (
            f"{describe(self.worth)} {self.better:,} of {self.compared:,} groups or stretches are predicted better "
            f"with it (signed-rank p = {self.p_value:.2g})."
        )

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """The figures as a finding carries them."""
        made = measurements(self.worth)
        if self.compared == 0:
            return made
        return (
            *made,
            Measurement(
                name="groups or stretches that are predicted better with it",
                value=self.better,
                p_value=self.p_value,
                n=self.compared,
            ),
        )


def worth_of_mixing(
    features: NDArray[np.float32],
    target: NDArray[np.generic],
    groups: NDArray[np.intp],
    *,
    subject: str,
    task: Task | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Mixing:
    """Samples of a group in all folds against each group in one: 5 folds either way, as many samples in each.

    Args:
        features: Shape (n, d); NaN for a missing value, ±inf allowed.
        target: n class names or codes (None or NaN for none), or n numbers (NaN for none).
        groups: A number a sample; −1 leaves it out. Shape (n,).
        subject: What the report calls the mixing.
        task: By default floating-point targets are a regression.
        level: Coverage of the interval.
        seed: Of the folds and the model.
    """
    rng = np.random.default_rng([seed, 17])
    problem = Problem.of(features, target, [str(group) for group in groups.tolist()], task)
    usable = problem.known & (groups >= 0)
    rows = _whole_groups(groups, usable, rng)
    present, inverse, sizes = np.unique(groups[rows], return_inverse=True, return_counts=True)
    if len(present) < 2 * FOLDS:
        reason = f"{len(present)} groups are too few for {FOLDS} folds (10 at least)"
        return Mixing(worth=NoWorth(subject=subject, reason=reason))
    kept_apart = _balanced(sizes, rng)[inverse]
    mixed = np.empty(len(rows), dtype=np.intp)
    mixed[rng.permutation(len(rows))] = np.sort(kept_apart)  # as many samples in each fold
    fits = [_fits(rows, fold) for fold in (mixed, kept_apart)]
    notes = [f"{FOLDS} folds of {len(rows):,} samples, mixed and with each group in one fold"]
    return _paired(problem, [fits[0]], [fits[1]], subject=subject, level=level, seed=seed, notes=notes)


def worth_of_future(
    features: NDArray[np.float32],
    target: NDArray[np.generic],
    times: NDArray[np.datetime64],
    *,
    subject: str,
    task: Task | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Mixing:
    """Learning from all times against learning from the past alone, scored on the same samples.

    The samples are cut into six blocks of time. Each of the last three is predicted by a model of what was before it,
    and, half by half, by one of equally many samples drawn from all times, the other half of the block included.

    Args:
        features: Shape (n, d); NaN for a missing value, ±inf allowed.
        target: n class names or codes (None or NaN for none), or n numbers (NaN for none).
        times: Shape (n,); samples at NaT take no part.
        subject: What the report calls it.
        task: By default floating-point targets are a regression.
        level: Coverage of the interval.
        seed: Of the draws and the model.
    """
    rng = np.random.default_rng([seed, 19])
    timed = np.flatnonzero(~np.isnat(times))
    rank = np.full(len(times), -1, dtype=np.intp)
    rank[timed] = np.unique(times[timed], return_inverse=True)[1]
    chunks = np.full(len(times), -1, dtype=np.intp)
    # Equal times stay in one chunk and one block.
    chunks[timed] = _cut(rank[timed], TIME_CHUNKS)
    problem = Problem.of(features, target, [str(chunk) for chunk in chunks.tolist()], task)
    rows = np.flatnonzero(problem.known & (chunks >= 0))
    if len(rows) > MOST:
        rows = np.sort(rng.choice(rows, MOST, replace=False))
    block = _cut(rank[rows], TIME_BLOCKS)
    any_time: list[list[Fit]] = [[] for _ in range(REPEATS)]
    past: list[Fit] = []
    for number in range(TIME_BLOCKS // 2, TIME_BLOCKS):
        inside, before = rows[block == number], rows[block < number]
        if len(inside) < 2 or len(before) < 2:
            continue
        past.append((before, inside))
        for fits in any_time:
            for half in np.array_split(rng.permutation(inside), 2):
                others = np.setdiff1d(rows, half)
                drawn = rng.choice(others, min(len(before), len(others)), replace=False)
                fits.append((np.sort(drawn), np.sort(half)))
    notes = [
        f"the later half of {len(rows):,} samples, learnt from the past or from as many of all times, {REPEATS} times"
    ]
    if not past:
        return Mixing(worth=NoWorth(subject=subject, reason="too few different times"))
    return _paired(problem, any_time, [past] * REPEATS, subject=subject, level=level, seed=seed, notes=notes)


def _paired(
    problem: Problem,
    with_it: Sequence[Sequence[Fit]],
    without: Sequence[Sequence[Fit]],
    *,
    subject: str,
    level: float,
    seed: int,
    notes: list[str],
) -> Mixing:
    reason = next((said for fits in (*with_it, *without) if (said := problem.refusal(fits))), "")
    if reason:
        return Mixing(worth=NoWorth(subject=subject, reason=reason))
    # Each side's fits are held against all of the other's, so that every repetition scores the same samples.
    every = [[fit for fits in side for fit in fits] for side in (with_it, without)]
    kept = [[problem.kept(fits, [*every[0], *every[1]]) for fits in side] for side in (with_it, without)]
    used = problem.chosen(problem.rememberer)
    predicted = [
        [predictions(problem, problem.features, fits, used, seed + number) for number, fits in enumerate(side)]
        for side in kept
    ]
    both = ~np.any([np.isnan(array) for side in predicted for array in side], axis=0)
    for array in (*predicted[0], *predicted[1]):
        array[~both] = np.nan
    if not both.any():
        return Mixing(worth=NoWorth(subject=subject, reason="no sample is predicted in both ways"))
    worth = compared(problem, subject, used, (predicted[0], predicted[1]), (kept[0][0], kept[1][0]), level, seed, notes)
    if problem.n_classes:
        return Mixing(worth=worth)
    return _ranked(worth, problem, np.mean(predicted[0], axis=0), np.mean(predicted[1], axis=0), both)


def _ranked(
    worth: Worth,
    problem: Problem,
    with_it: NDArray[np.float64],
    without: NDArray[np.float64],
    scored: NDArray[np.bool_],
) -> Mixing:
    from scipy import stats

    scale = float(np.abs(problem.values[scored]).max()) or 1.0
    errors = [np.square((problem.values - guess)[scored] / scale) for guess in (without, with_it)]
    _, cluster = np.unique(problem.clusters[scored], return_inverse=True)
    gained = np.bincount(cluster, errors[0] - errors[1])
    gained = gained[gained != 0]
    if not len(gained):
        return Mixing(worth=worth)
    p_value = float(stats.wilcoxon(gained, alternative="greater", method="approx").pvalue)
    return Mixing(worth=worth, better=int((gained > 0).sum()), compared=len(gained), p_value=p_value)


def _fits(rows: NDArray[np.intp], fold: NDArray[np.intp]) -> list[Fit]:
    return [(rows[fold != number], rows[fold == number]) for number in range(FOLDS) if (fold == number).any()]


def _whole_groups(groups: NDArray[np.intp], usable: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.intp]:
    if usable.sum() <= MOST:
        return np.flatnonzero(usable)
    present, sizes = np.unique(groups[usable], return_counts=True)
    order = rng.permutation(len(present))
    taken = present[order[np.cumsum(sizes[order]) <= MOST]]
    if len(taken) < 2 * FOLDS:
        # Groups larger than a tenth of the bound: a part of each.
        return np.sort(rng.choice(np.flatnonzero(usable), MOST, replace=False))
    return np.flatnonzero(usable & np.isin(groups, taken))


def _balanced(sizes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """A fold for each group, largest first into the emptiest fold, equal ones in random order."""
    fold = np.empty(len(sizes), dtype=np.intp)
    filled = np.zeros(FOLDS)
    for group in np.lexsort((rng.random(len(sizes)), -sizes)):
        emptiest = int((filled + 1e-9 * rng.random(FOLDS)).argmin())
        fold[group] = emptiest
        filled[emptiest] += sizes[group]
    return fold


def _cut(rank: NDArray[np.intp], parts: int) -> NDArray[np.intp]:
    """The part, 0 … parts − 1, that each rank falls into: parts of about equal size, equal ranks together."""
    ordered = np.sort(rank)
    below = np.searchsorted(ordered, rank, side="left")
    made: NDArray[np.intp] = below * parts // max(len(rank), 1)
    return made

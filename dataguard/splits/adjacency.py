"""Groups without an id: samples that look alike lie together in the order of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.finding import Inconclusive
from dataguard.splits.exchange import PERMUTATIONS, QUERIES, exchange, narrowed, nearest_in_stratum, slots

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 50
"""Samples below which shuffles of windows cannot tell a group."""
MOST = 20_000
"""Of more samples, so many in stretches of `STRETCH` are looked at: neighbours in the order stay beside each other."""
STRETCH = 2000
WINDOWS = 4
"""Windows of a class. What changes over a quarter of the file or more is a trend, and no group."""
SMALLEST_WINDOW = 8
NARROW = 8
"""Reaches that a window is wide where the order is shuffled once more, to tell groups from a kink of the trend."""
CLOSER_LOOK = 0.05
"""p-value up to which that is worth the time."""
DEGREE = 5
"""Of the polynomial over the order that is taken out of the features: drift, and what it is sorted by."""
KEY_STEPS = 0.9
"""A column is sorted where it rises in this share of the steps that change it, or falls: by chance half of them do."""
FEW_VALUES = 3
"""Distinct values of a column of categories, as the indicator of one."""
FEW_STEPS = 0.2
"""A sorted column of categories changes in at most this share of the steps in which it would by chance."""
KEY_FEWEST = 20
"""Steps that change it, below which a column is not said to be sorted: P(18 of 20 by chance) = 0.0004."""
SMOOTH = 0.25
"""A column is a function of what the file is sorted by where neighbours in that order differ by less than this share of
what any two samples differ by, in squares: 1 where the order says nothing, 0 for a curve without noise."""
MOST_KEYS = 16
TRENDING = 0.05
"""Share of a column's variance that the trend explains, above which the column is turned to ranks first."""
RESIDUE = 0.02
"""A column of which the trend leaves less than this share of the variance is left out: what remains is rounding."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Adjacency:
    """How much more often than by chance a sample's nearest neighbour lies near it in the order."""

    reach: int
    """Places within which it shows most, counted among samples of one class."""
    rows: int
    """The same in rows of the file: the median distance of samples `reach` places apart."""
    share: float
    """Of samples whose nearest neighbour is within `reach`."""
    expected: float
    """The same in shuffled orders."""
    score: float
    """The excess in standard deviations of the shuffles."""
    p_value: float
    n: int
    """Samples whose neighbour was looked for."""
    permutations: int
    keys: tuple[int, ...]
    """Columns of the features that the file is sorted by; they are left out."""

    @property
    def ratio(self) -> float:
        """How many times as often as by chance the nearest neighbour is near."""
        return self.share / max(self.expected, 1e-12)


def adjacency(
    features: NDArray[np.float32],
    order: NDArray[np.int64],
    strata: NDArray[np.intp] | None,
    *,
    seed: int,
    permutations: int = PERMUTATIONS,
) -> Adjacency | Inconclusive:
    """Test whether neighbours in the features are neighbours in the order, class by class.

    A file sorted by class puts alike samples together, so neighbours are looked for within a class, and distances in
    the order count samples of that class. One sorted by a column, or with drift, does so too: sorted columns and a
    smooth trend are taken out of the features, and the order is shuffled only within windows of a quarter of a class;
    then, as trends have kinks, within windows of eight reaches. The larger p-value counts.

    Args:
        features: Shape (n, d), finite.
        order: Where each sample is in the file, shape (n,).
        strata: Class codes, −1 for none; None for data without classes. Shape (n,).
        seed: Of the shuffles, of ties, and of the samples that are looked at.
        permutations: How many shuffles at most.
    """
    rng = np.random.default_rng(seed)
    chosen = _stretches(order, rng)
    features, order = features[chosen], order[chosen]
    classes = np.zeros(len(order), dtype=np.intp) if strata is None else strata[chosen]
    sizes = np.bincount(classes[classes >= 0], minlength=1)
    classes = np.where((classes >= 0) & (sizes[np.maximum(classes, 0)] >= SMALLEST_WINDOW), classes, -1)
    n = int((classes >= 0).sum())
    if n < FEWEST:
        return Inconclusive(
            reason=f"{n:,} samples of a class with {SMALLEST_WINDOW} or more are too few to tell groups by their order "
            f"(at least {FEWEST})"
        )
    place = slots(order, classes)
    keys = sort_keys(features, order, place, classes)
    others = np.delete(features, keys, axis=1)
    for key in keys:
        others = others[:, ~smooth_in(others, features[:, key], classes)]
    left = without_trend(others, features[:, keys], order, rng)
    if not left.shape[1]:
        return Inconclusive(reason="no feature varies beyond what the file is sorted by and a trend over it")
    neighbours = nearest_in_stratum(narrowed(left), classes, most=QUERIES, rng=rng)
    windows = np.maximum(sizes // WINDOWS, SMALLEST_WINDOW)
    typical = int(np.median(windows[classes[classes >= 0]]))
    reaches = [2**power for power in range(20) if 2**power <= max(1, typical // 3)]

    def together(first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.float64]:
        lags = np.sort(np.abs(first - second))
        return np.searchsorted(lags, reaches, side="right") / len(lags)

    found = exchange(neighbours, place, classes, together, windows=windows, rng=rng, permutations=permutations)
    p_value, done = found.p_value, found.permutations
    reach = reaches[found.best]
    narrow = np.minimum(windows, max(SMALLEST_WINDOW, NARROW * reach))
    if p_value <= CLOSER_LOOK and (narrow < windows).any():
        # A kink or a steep end of a trend lies within one wide window; few reaches away it is straight.
        reaches = [item for item in reaches if item <= reach]
        found = exchange(neighbours, place, classes, together, windows=narrow, rng=rng, permutations=permutations)
        p_value = max(p_value, found.p_value)
        reach = reaches[found.best]
    return Adjacency(
        reach=reach,
        rows=_rows(reach, order, place, classes),
        share=float(found.observed[found.best]),
        expected=float(found.expected[found.best]),
        score=found.score,
        p_value=p_value,
        n=found.n,
        permutations=done,
        keys=tuple(keys),
    )


def sort_keys(
    features: NDArray[np.float32],
    order: NDArray[np.int64],
    place: NDArray[np.intp] | None = None,
    strata: NDArray[np.intp] | None = None,
) -> list[int]:
    """Columns that the file is sorted by, wholly, class by class or within runs of another column.

    Of a column that is constant within groups, the steps between groups go up as often as down, so that it is none.

    Args:
        features: Shape (n, d).
        order: Where each sample is in the file, shape (n,).
        place: The same with classes one after another, where that is to be looked at too; −1 leaves a sample out.
        strata: The classes of `place`.
    """
    rankings: list[tuple[NDArray[np.intp], NDArray[np.intp] | None]] = [(np.argsort(order, kind="stable"), None)]
    if place is not None:
        used = np.flatnonzero(place >= 0)
        rankings.append((used[np.argsort(place[used], kind="stable")], strata))
    found = np.zeros(features.shape[1], dtype=bool)
    for ranking, known in rankings:
        values = features[ranking]
        steps = np.diff(values, axis=0)
        few = np.array([len(np.unique(column[:1000])) <= FEW_VALUES for column in values.T], dtype=bool)
        chance = _chance_of_step(values)
        within = np.ones(len(steps), dtype=bool) if known is None else np.diff(known[ranking]) == 0
        keys = np.zeros(features.shape[1], dtype=bool)
        while within.any():
            inside = steps[within]
            up, down = (inside > 0).sum(axis=0), (inside < 0).sum(axis=0)
            moved = up + down
            sorted_by = (moved >= KEY_FEWEST) & (np.maximum(up, down) >= KEY_STEPS * moved)
            # Sorted categories, and their indicators, form one block a run: two steps at most, in and out.
            runs = 1 + int((~within).sum())
            sorted_by |= (
                few
                & (chance > 0)
                & (moved <= 2 * (FEW_VALUES - 1) * runs)
                & (moved <= FEW_STEPS * chance * len(inside))
            )
            new = sorted_by & ~keys
            if not new.any():
                break
            keys |= new
            # What comes next in the order of sorting is sorted within what is equal so far.
            within &= (steps[:, new] == 0).all(axis=1)
        found |= keys
    return [int(column) for column in np.flatnonzero(found)]


def _chance_of_step(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Chance that two rows drawn at random differ in a column; shape (d,)."""
    return np.array(
        [1 - np.square(np.unique(column, return_counts=True)[1] / max(1, len(column))).sum() for column in values.T]
    )


def smooth_in(
    features: NDArray[np.float32], values: NDArray[np.generic], strata: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Which columns are curves over some values: neighbours of *different* value are nearly equal (von Neumann 1941).

    Args:
        features: Shape (n, d).
        values: What they may be curves over, shape (n,).
        strata: Class codes: curves may differ from class to class. Shape (n,).
    """
    ranking = np.lexsort((values, strata))
    step = (np.diff(values[ranking]) != 0) & (np.diff(strata[ranking]) == 0)
    ordered = features[ranking].astype(np.float64)
    if step.sum() < KEY_FEWEST:
        return np.zeros(features.shape[1], dtype=np.bool_)
    apart = np.square(np.diff(ordered, axis=0)[step]).mean(axis=0) / 2
    smooth: NDArray[np.bool_] = apart < SMOOTH * ordered.var(axis=0)
    return smooth


def without_trend(
    features: NDArray[np.float32],
    keys: NDArray[np.float32],
    order: NDArray[np.int64] | NDArray[np.intp],
    rng: np.random.Generator,
    *,
    degree: int = DEGREE,
) -> NDArray[np.float32]:
    """What a smooth function of the order and of the sorted columns leaves of the features.

    Only columns with a clear trend are changed, and those become ranks first, equal values in random order. A curve
    that is taken from whole numbers would move all those at one place by one fraction, and make them alike by that.

    Args:
        features: Shape (n, d).
        keys: The columns that the file is sorted by, shape (n, k); the first 16 count.
        order: Shape (n,).
        rng: Orders equal values.
        degree: Of the polynomial over the order.

    Returns:
        Shape (n, e) with e ≤ d: columns that are constant, or all trend, are left out.
    """
    n = len(order)
    bases = [_polynomials(order, degree)]
    bases += [_polynomials(keys[:, column], DEGREE)[:, 1:] for column in range(min(keys.shape[1], MOST_KEYS))]
    vectors, weights, _ = np.linalg.svd(np.hstack(bases), full_matrices=False)
    # Polynomials over few values depend on one another.
    basis = vectors[:, weights > 1e-8 * weights[0]]
    centred = features.astype(np.float64)
    centred -= centred.mean(axis=0)
    spread, rest = _squares(centred), _squares(centred - basis @ (basis.T @ centred))
    kept = (spread > 1e-12 * n) & (rest > RESIDUE * spread)
    for column in np.flatnonzero(kept & (rest < (1 - TRENDING) * spread)):
        # Polynomials do not follow a long tail either, and what is left there would lie together. Ranks have none.
        ranks = np.lexsort((rng.random(n), features[:, column])).argsort() - (n - 1) / 2
        ranks *= np.sqrt(spread[column] / np.square(ranks).sum())
        residue = ranks - basis @ (basis.T @ ranks)
        kept[column] = np.square(residue).sum() > RESIDUE * spread[column]
        centred[:, column] = residue
    left: NDArray[np.float32] = centred[:, kept].astype(np.float32)
    return left


def _squares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    sums: NDArray[np.float64] = np.einsum("ij,ij->j", values, values)
    return sums


def _ranks(values: Sequence[float] | NDArray[np.generic]) -> NDArray[np.float64]:
    """Ranks from −1 to 1, equal values at their mean rank; shape (n,)."""
    _, codes, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - (counts + 1) / 2)[codes]
    ranks: NDArray[np.float64] = 2 * middle / max(len(codes) - 1, 1) - 1
    return ranks


def _polynomials(values: Sequence[float] | NDArray[np.generic], degree: int) -> NDArray[np.float64]:
    """Legendre polynomials of the values' ranks: shape (n, degree + 1)."""
    made: NDArray[np.float64] = np.polynomial.legendre.legvander(_ranks(values), degree).astype(np.float64)
    return made


def _stretches(order: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.intp]:
    ranked = np.argsort(order, kind="stable")
    if len(ranked) <= MOST:
        return ranked
    spacing = len(ranked) / (MOST // STRETCH)
    starts = (np.arange(MOST // STRETCH) * spacing + rng.random() * (spacing - STRETCH)).astype(np.intp)
    chosen: NDArray[np.intp] = ranked[(starts[:, None] + np.arange(STRETCH)).ravel()]
    return chosen


def _rows(reach: int, order: NDArray[np.int64], place: NDArray[np.intp], classes: NDArray[np.intp]) -> int:
    used = np.flatnonzero(place >= 0)
    by_place = used[np.argsort(place[used])]
    apart = np.abs(order[by_place[reach:]] - order[by_place[:-reach]])
    same = classes[by_place[reach:]] == classes[by_place[:-reach]]
    return int(np.median(apart[same])) if same.any() else reach

"""Missing values, and single values, that know the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.columns import Column, Goal

if TYPE_CHECKING:
    from numpy.typing import NDArray


MIN_OF_VALUE = 5
"""Samples of a value for it to be judged by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TellingGaps:
    """Which class a column's missing values, or one of its values, tell of."""

    label: str
    """The class."""
    missing: bool
    """True where the class is missing a value, and the others have one; False the other way round."""
    n: int
    """Samples in the telling state (missing, or present)."""
    n_right: int
    """Those of them that are of the class."""
    n_class: int
    """Samples of the class."""
    p_value: float
    """Fisher's exact test, one-sided, before any correction."""
    youden: float
    """Share of the class in that state, less the share of the others."""
    design_effect: float = 1.0
    """How many samples count as one, for coming in clusters."""
    value: str | None = None
    """The one value that the samples have; None where it is whether there is any."""
    by_size: bool = False
    """Whether the values next to it are of the class too, so that its size tells it and not itself."""

    @property
    def purity(self) -> float:
        """Share of the class among the samples in that state."""
        return self.n_right / self.n

    @property
    def coverage(self) -> float:
        """Share of the class that is in that state."""
        return self.n_right / self.n_class


def telling_gaps(column: Column, goal: Goal, clusters: NDArray[np.intp] | None = None) -> tuple[TellingGaps, ...]:
    """For every class, how far it is told by a missing value, by one that is there, and by each common value.

    A value is judged where it occurs at least `MIN_OF_VALUE` times and a tenth as often as the class, which is decided
    by the margins that Fisher's test holds fixed. Where it comes in clusters, the test counts by Kish's design effect.
    """
    from scipy import stats

    codes = column.codes
    labels = goal.codes
    n, k = len(codes), goal.n_classes
    present = np.bincount(codes + 1, minlength=column.n_distinct + 1)
    sizes = np.bincount(labels, minlength=k)
    common = np.flatnonzero(present[1:] >= max(MIN_OF_VALUE, 0.1 * sizes[sizes > 0].min(initial=n)))
    # Two values and no gap are one table, and a copy or a recoding where they tell everything.
    states: list[tuple[bool, int, NDArray[np.intp]]] = []
    if 0 < present[0] < n:
        gone = np.bincount(labels[codes < 0], minlength=k)
        states = [(True, -1, gone), (False, -1, sizes - gone)]
    if column.n_distinct > 1:
        place = np.full(column.n_distinct, -1)
        place[common] = np.arange(len(common))
        mine = np.where(codes < 0, -1, place[codes])
        inside = mine >= 0
        table = np.bincount(mine[inside] * k + labels[inside], minlength=len(common) * k).reshape(-1, k)
        states += [(False, int(code), row) for code, row in zip(common, table, strict=True)]
    made = [
        (missing, code, label, int(row.sum()), int(row[label]), int(sizes[label]))
        for missing, code, row in states
        for label in range(k)
        if 0 < sizes[label] < n and (code < 0 or row.sum() >= max(MIN_OF_VALUE, 0.1 * sizes[label]))
    ]
    if not made:
        return ()
    n_inside, right, n_class = (np.array([item[place] for item in made]) for place in (3, 4, 5))
    youden = right / n_class - (n_inside - right) / (n - n_class)
    effects = np.ones(len(made))
    if clusters is not None:
        cells = np.unique(np.column_stack([clusters, labels]), axis=0, return_inverse=True)[1].ravel()
        for number, (missing, code, label, _, _, _) in enumerate(made):
            # Where the one is not even commoner in the class there is nothing to correct.
            if youden[number] > 0:
                inside = (codes == code) if code >= 0 else (codes < 0) == missing
                mine = labels == label
                shares = np.where(mine, right[number] / n_class[number], 0.0)
                shares[~mine] = (n_inside[number] - right[number]) / (n - n_class[number])
                effects[number] = design_effect(inside - shares, clusters, cells)
    units = [np.rint(counts / effects) for counts in (right, np.full(len(made), n), n_class, n_inside)]
    p_values = np.nan_to_num(np.atleast_1d(stats.hypergeom.sf(units[0] - 1, *units[1:])), nan=1.0)
    ordered = np.unique(column.values[~column.missing])
    return tuple(
        TellingGaps(
            label=goal.classes[label],
            missing=missing,
            value=None if code < 0 else shown(column, ordered[code]),
            n=size,
            n_right=hits,
            n_class=of_class,
            design_effect=float(effects[number]),
            p_value=float(p_values[number]),
            youden=float(youden[number]),
            by_size=code >= 0 and column.kind == "number" and _is_by_size(codes, labels, code, label),
        )
        for number, (missing, code, label, size, hits, of_class) in enumerate(made)
    )


def design_effect(
    residuals: NDArray[np.float64], clusters: NDArray[np.intp] | None, cells: NDArray[np.intp] | None = None
) -> float:
    """How many samples of clusters count as one: Kish's design effect of the sum of residuals, at least 1.

    Where there is nothing left over, all that is known is that clusters agree, within a label where they have several:
    then it is the mean size of a sample's cell (of its cluster, where no cells are given).
    """
    if clusters is None:
        return 1.0
    place = np.unique(clusters, return_inverse=True)[1]
    total = float(residuals @ residuals)
    if total <= 1e-12 * len(residuals):
        sizes = np.bincount(place if cells is None else cells).astype(np.float64)
        sizes = sizes[sizes > 0]
        return float((sizes**2).sum() / sizes.sum())
    return max(1.0, float((np.bincount(place, residuals) ** 2).sum()) / total)


def shown(column: Column, value: float) -> str:
    """A value of a column as it is written in a report."""
    if column.kind == "category" and column.categories:
        return repr(column.categories[int(value)])
    return f"{value:.10g}"


def _is_by_size(codes: NDArray[np.intp], labels: NDArray[np.intp], code: int, label: int) -> bool:
    """Whether the values next to one, ten samples on either side, are mostly of its class: then its size tells it."""
    if int(codes.max()) < 2:
        return False
    order = np.argsort(codes, kind="stable")
    ranked = codes[order]
    low, high = np.searchsorted(ranked, [code, code + 1])
    start = int(np.searchsorted(ranked, 0))
    for near in (order[max(start, low - 10) : low], order[high : high + 10]):
        if len(near) and np.mean(labels[near] == label) >= 0.8:
            return True
    return False

"""Groups that lie on both sides of a split, and whether a proposed group matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.splits.adjacency import DEGREE, SMALLEST_WINDOW, smooth_in, without_trend
from dataguard.splits.exchange import PERMUTATIONS, QUERIES, exchange, narrowed, nearest_in_stratum, slots

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUPS_A_WINDOW = 6
"""Groups among which samples are shuffled: near ones in the order of the ids, so that a trend over them stays."""
GROUPS_A_DEGREE = 5
MOST = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Straddling:
    """Groups that two splits share."""

    left: str
    right: str
    groups: tuple[str, ...]
    """Those that both have, most samples in `right` first."""
    left_rows: tuple[tuple[int, ...], ...]
    """Indexes of each group's samples in `left`."""
    right_rows: tuple[tuple[int, ...], ...]
    """Indexes of each group's samples in `right`."""
    n_right_groups: int
    """All groups of `right`."""
    n_right: int
    """All samples of `right`."""

    @property
    def n_shared(self) -> int:
        """Samples of `right` of which a group's member is in `left`."""
        return sum(map(len, self.right_rows))


def straddling(groups: Sequence[str | None], splits: Sequence[str], left: str, right: str) -> Straddling:
    """The groups with samples in both of two splits; samples without a group are in none."""
    members: tuple[dict[str, list[int]], dict[str, list[int]]] = ({}, {})
    n_right = 0
    for row, (group, split) in enumerate(zip(groups, splits, strict=True)):
        n_right += split == right
        if group is not None and split in (left, right):
            members[split == right].setdefault(group, []).append(row)
    shared = sorted(set(members[0]) & set(members[1]), key=lambda group: (-len(members[1][group]), group))
    return Straddling(
        left=left,
        right=right,
        groups=tuple(shared),
        left_rows=tuple(tuple(members[0][group]) for group in shared),
        right_rows=tuple(tuple(members[1][group]) for group in shared),
        n_right_groups=len(members[1]),
        n_right=n_right,
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Likeness:
    """How much more often than by chance a sample's nearest neighbour is of its group."""

    share: float
    expected: float
    """The same where samples are shuffled among neighbouring groups."""
    score: float
    """The excess in standard deviations of the shuffles."""
    p_value: float
    n: int
    permutations: int


def likeness(
    features: NDArray[np.float32],
    codes: NDArray[np.intp],
    strata: NDArray[np.intp],
    *,
    seed: int,
    permutations: int = PERMUTATIONS,
) -> Likeness | None:
    """Test whether samples of a group are more alike than samples of a class are.

    H0: given the class, and up to a smooth change from one id to the next, a sample's features say nothing of its
    group. A column such as an age has groups of equal values too, but its neighbours 40 and 41 are as alike as two
    of 40: columns that are curves over the ids are left out, and samples are shuffled among about six groups next to
    one another, after a smooth trend over the ids has been taken out.

    Args:
        features: Shape (n, d), finite, without what tells the group by itself.
        codes: Groups in their natural order, −1 for none. Shape (n,).
        strata: Class codes, −1 for none; all zero for data without classes. Shape (n,).
        seed: Of shuffles and ties.
        permutations: How many shuffles at most.

    Returns:
        None where no feature or too few samples are left.
    """
    rng = np.random.default_rng(seed)
    used = np.flatnonzero((codes >= 0) & (strata >= 0))
    if len(used) > MOST:
        present = rng.permutation(np.unique(codes[used]))
        sizes = np.bincount(codes[used])
        kept = present[np.cumsum(sizes[present]) <= MOST]
        used = used[np.isin(codes[used], kept)] if len(kept) > 2 else rng.choice(used, MOST, replace=False)
    if len(used) < 2 * SMALLEST_WINDOW:
        return None
    _, groups = np.unique(codes[used], return_inverse=True)
    classes = strata[used]
    told = features[used]
    told = told[:, ~smooth_in(told, groups, classes)]
    # A polynomial of as many degrees as groups would take out the groups themselves.
    degree = min(DEGREE, (int(groups.max()) + 1) // GROUPS_A_DEGREE)
    left = without_trend(told, np.zeros((len(used), 0), dtype=np.float32), groups, rng, degree=degree)
    if not left.shape[1]:
        return None
    neighbours = nearest_in_stratum(narrowed(left), classes, most=QUERIES, rng=rng)
    if not len(neighbours.samples):
        return None
    # Ties within a group in any order: the shuffle moves them anyway.
    place = slots(groups, classes)
    group_at = np.empty(len(used), dtype=np.intp)
    group_at[place] = groups
    sizes = np.bincount(classes)
    n_cells = np.array([len(np.unique(groups[classes == number])) if size else 1 for number, size in enumerate(sizes)])
    windows = np.maximum(np.ceil(GROUPS_A_WINDOW * sizes / n_cells).astype(np.intp), SMALLEST_WINDOW)

    def together(first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.array([np.mean(group_at[first] == group_at[second])])

    found = exchange(neighbours, place, classes, together, windows=windows, rng=rng, permutations=permutations)
    return Likeness(
        share=float(found.observed[0]),
        expected=float(found.expected[0]),
        score=found.score,
        p_value=found.p_value,
        n=found.n,
        permutations=found.permutations,
    )

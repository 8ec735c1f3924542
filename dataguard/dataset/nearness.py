"""Which pairs are nearer than the rest of the same data can explain: a test of the gap below the natural ones.

Distances to a nearest neighbour have a tail that falls like a power towards zero, with the dimension of the data as
its exponent. Copies that were changed a little lie below that tail, with a gap in between. Both are seen in one sorted
list of distances, whatever the dataset is, so that no threshold on a distance is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXPECTED_BY_CHANCE = 0.02
"""Pairs that chance may make below the gap, by the tail's own exponent: one clean dataset in 50 has one at most."""
MOST = 0.5
"""More than this share of all is no exception, unless it is nearer than `CERTAIN`."""
CERTAIN = 0.01
LEAST_GAP = 3.0
"""Factor between the farthest pair below the gap and the nearest above: bulks are dense and have none such."""
GAP_P_VALUE = 1e-3
"""Probability of the gap where distances are as dense towards zero as one continuous column makes them."""
TAIL = (20, 80, 320)
"""How many of the nearest natural distances the exponent is taken from; the most cautious answer counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """Where the natural distances end, and what lies below."""

    threshold: float
    """Pairs at most so far apart are no coincidence; a negative number where there are none."""
    n: int
    """How many lie below."""
    natural: float | None
    """The nearest natural distance; None where there is none."""
    expected: float
    """How many pairs chance makes below ``threshold``."""
    p_value: float
    """Probability of the gap under the most generous tail, of exponent 1."""


def find_gap(
    distances: NDArray[np.float64],
    *,
    largest: float = 0.5,
    least_gap: float = LEAST_GAP,
    most_p_value: float = GAP_P_VALUE,
    most: float = MOST,
) -> Gap:
    """The lowest distances that are cut off from the rest.

    With n pairs below, the largest of them at r, and natural distances y₁ ≤ y₂ ≤ … above, the pairs below are no
    coincidence if all hold:

    - m·(r/yₘ)^s ≤ `EXPECTED_BY_CHANCE` for m in `TAIL` (as far as there are so many), where s is Hill's (1975)
      estimate of the exponent from y₁ … yₘ at the lower end of its 95 % interval (one-sided), and at least 1;
    - y₁/r ≥ `LEAST_GAP`, and they are no more than `MOST` of all, or r ≤ `CERTAIN`;
    - (r/y₁)ⁿ ≤ `GAP_P_VALUE`: the probability that n pairs below y₁ all lie below r, with the exponent 1 of one
      continuous column. Fewer dimensions there are not, so that this holds even where a few pairs of another kind
      (equal in all but one column) hide under a steep tail.

    Of all cuts that hold, the highest is taken: what lies below it is no coincidence either.

    Args:
        distances: Of each sample to its nearest neighbour, relative to what is usual around it; 1 is usual.
        largest: No pair above counts as near.
        least_gap: Instead of `LEAST_GAP`.
        most_p_value: Instead of `GAP_P_VALUE`; 1 where the exponent cannot be small.
        most: Instead of `MOST`; 1 where the usual distance is 1 and no estimate.

    >>> natural = np.random.default_rng(0).uniform(0.3, 1, 500)
    >>> find_gap(np.append(natural, [0.001, 0.002, 0.004])).n
    3
    >>> find_gap(natural).n
    0
    """
    ordered = np.sort(distances[np.isfinite(distances)])
    total = len(ordered)
    # Where few natural distances are known, what is usual stands for them.
    padded = np.concatenate([ordered, np.ones(TAIL[0])])
    logs = np.log(np.maximum(padded, 1e-12))
    sums = np.concatenate([[0.0], np.cumsum(logs)])
    least = -np.log(least_gap)
    for n in range(int(np.searchsorted(ordered, largest, side="right")), 0, -1):
        reached, nearest = logs[n - 1], logs[n]
        if n > most * total and ordered[n - 1] > CERTAIN:
            continue
        if reached - nearest > least or n * (reached - nearest) > np.log(most_p_value):
            continue
        expected = 0.0
        for m in TAIL:
            if n + m > len(padded):
                break
            top = logs[n + m - 1]
            spread = m * top - (sums[n + m] - sums[n])
            exponent = max(1.0, (m - 1) / max(spread, 1e-9) * (1 - 1.64 / m**0.5))
            expected = max(expected, float(m * np.exp(min(0.0, exponent * (reached - top)))))
        if expected <= EXPECTED_BY_CHANCE:
            return Gap(
                threshold=float(ordered[n - 1]),
                n=n,
                natural=float(ordered[n]) if n < total else None,
                expected=expected,
                p_value=float(np.exp(n * (reached - nearest))),
            )
    return Gap(threshold=-1.0, n=0, natural=float(ordered[0]) if total else None, expected=0.0, p_value=1.0)

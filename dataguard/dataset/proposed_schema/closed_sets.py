"""Whether the values seen are all that there are: Good and Turing's question, answered by halving the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MOST_CATEGORIES = 1000
"""Values above which a list of them is no schema, however often each was seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedSet:
    """What the counts of a column's values say of values not seen."""

    n_values: int
    """Different ones."""
    n_rows: int
    least: int
    """How often the rarest was seen."""
    unseen_share: float
    """Good and Turing's estimate of the chance that the next row holds a value not seen: f1 / n."""
    surprises: float
    """How many values half of the rows, drawn at random, lacks while the other half has them: expected, exact."""

    def is_closed(self, chance: float) -> bool:
        """Whether a list of the values would be broken by as many rows again with at most this chance."""
        return 0 < self.n_values <= MOST_CATEGORIES and self.surprises <= chance


def closed_set(counts: Iterable[int]) -> ClosedSet:
    """What the counts of a column's values say of values not seen.

    Good and Turing (Good, Biometrika 40, 1953) estimate the chance of an unseen value by the share of values seen
    once, f1 / n. That is no bound for many further rows, so the data are asked to foretell themselves: put each row
    in one of two halves by a coin, then a value seen c times is wholly in the second with probability 2^-c, and the
    expected number of values that the second half has and the first lacks is the sum of 2^-c. By exchange of the
    halves, that is how often a list made from n/2 rows is surprised by n/2 more; from n rows it is less.

    >>> closed_set([500, 500]).is_closed(0.001)
    True
    >>> closed_set([500, 500, 3]).surprises
    0.125

    Args:
        counts: How often each value was seen, at least once.
    """
    seen = list(counts)
    n_rows = sum(seen)
    return ClosedSet(
        n_values=len(seen),
        n_rows=n_rows,
        least=min(seen, default=0),
        unseen_share=sum(count == 1 for count in seen) / max(1, n_rows),
        surprises=sum(2.0 ** -min(count, 1000) for count in seen),
    )

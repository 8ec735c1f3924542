"""Histograms of numbers whose bins depend on the numbers alone, so that any two can be compared and added.

A float64 is, read as an integer, in the order of the number itself. Bins are made by cutting bits off that integer:
fewer bits make wider bins, each of them made of whole narrower ones. Two histograms of different widths are compared at
the wider one, and nothing has to be agreed on beforehand, neither range nor scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BINS = 256
"""Bins at most: the distribution function is then known at 256 places, and a Kolmogorov–Smirnov distance to about
1/256 of what the bins hide, always to the smaller side."""
_WIDEST = 63


@dataclass(frozen=True, kw_only=True, slots=True)
class Bins:
    """How many numbers lie in each of some bins; those without any are left out."""

    dropped_bits: int
    """Bits of the float64 that are cut off: 0 where every distinct number has a bin of its own."""
    starts: tuple[float, ...]
    """The smallest number of each bin, ascending."""
    counts: tuple[int, ...]
    """How many numbers lie in each."""

    @property
    def total(self) -> int:
        """How many numbers there are."""
        return sum(self.counts)


def binned(values: NDArray[np.float64], most: int = MOST_BINS) -> Bins:
    """The finest histogram of at most so many bins.

    Args:
        values: Finite numbers, shape (n,).
        most: Bins at most.

    Example:
        >>> binned(np.array([0.0, 1.0, 1.0, -2.0]))
        Bins(dropped_bits=0, starts=(-2.0, 0.0, 1.0), counts=(1, 1, 2))
    """
    keys, counts = np.unique(_keys(values), return_counts=True)
    # Cutting a bit off never makes more bins, so that the least cut is found by halving.
    low, high = 0, _WIDEST
    while low < high:
        middle = (low + high) // 2
        if _n_distinct(keys >> middle) <= most:
            high = middle
        else:
            low = middle + 1
    return _made(keys, counts, low)


def coarsened(bins: Bins, dropped_bits: int) -> Bins:
    """The same numbers in wider bins.

    Raises:
        ValueError: they would be narrower.
    """
    if dropped_bits < bins.dropped_bits:
        raise ValueError(f"bins without {bins.dropped_bits} bits cannot be told apart by {dropped_bits}")
    return _made(_keys(np.array(bins.starts, dtype=np.float64)), np.array(bins.counts, dtype=np.int64), dropped_bits)


def side_by_side(one: Bins, other: Bins) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Two histograms over the same bins.

    Returns:
        The bins' starts, shape (k,), ascending, and the counts, shape (2, k).
    """
    bits = max(one.dropped_bits, other.dropped_bits)
    both = [coarsened(item, bits) for item in (one, other)]
    starts = np.unique(np.concatenate([np.array(item.starts, dtype=np.float64) for item in both]))
    table = np.zeros((2, len(starts)), dtype=np.int64)
    for row, item in enumerate(both):
        table[row, np.searchsorted(starts, np.array(item.starts, dtype=np.float64))] = item.counts
    return starts, table


def median_of(bins: Bins) -> float:
    """The start of the bin that the median lies in; NaN where there are no numbers."""
    if not bins.counts:
        return float("nan")
    reached = np.cumsum(bins.counts)
    return bins.starts[int(np.searchsorted(reached, (reached[-1] + 1) // 2))]


def _keys(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Integers in the order of the numbers; −0 is 0."""
    bits = (np.asarray(values, dtype=np.float64) + 0.0).view(np.int64)
    return np.where(bits < 0, bits ^ np.int64(0x7FFF_FFFF_FFFF_FFFF), bits)


def _numbers(keys: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(keys < 0, keys ^ np.int64(0x7FFF_FFFF_FFFF_FFFF), keys).view(np.float64)


def _n_distinct(ascending: NDArray[np.int64]) -> int:
    return int((np.diff(ascending) != 0).sum()) + 1 if len(ascending) else 0


def _made(keys: NDArray[np.int64], counts: NDArray[np.int64], dropped: int) -> Bins:
    kept, place = np.unique(keys >> dropped, return_inverse=True)
    sums = np.zeros(len(kept), dtype=np.int64)
    np.add.at(sums, place, counts)
    starts = _numbers(kept << dropped)
    # The first bin of all begins at a number that is none, where the range is cut that wide.
    starts = np.where(np.isfinite(starts), starts, np.copysign(np.finfo(np.float64).max, starts))
    return Bins(dropped_bits=dropped, starts=tuple((starts + 0.0).tolist()), counts=tuple(sums.tolist()))

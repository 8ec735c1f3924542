"""Ranks around 0 of any number of values, in one pass and little memory: is 0 the median, and is a quartile distance 1?

The middle values of a column are known exactly where they lie next to 0, which is where a robust scaling puts the
median: how many values are below 0 and above it decides. Quantiles between −1 and 1, where those lie that are 1
apart, are known to the width of a bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BINS = 1 << 20
"""Of all columns together, 8 MB."""
LEAST_BINS, MOST_BINS = 256, 1 << 16
"""Of a column, over −1 to 1."""
MOST_COLUMNS = BINS // LEAST_BINS


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RankCounts:
    """How many values of each column lie where; `merge` those of parts."""

    below: NDArray[np.float64]
    """Values below 0, shape (columns,); ``at`` and ``above`` likewise."""
    at: NDArray[np.float64]
    above: NDArray[np.float64]
    nearest_below: NDArray[np.float64]
    """The largest value below 0; −inf for none."""
    nearest_above: NDArray[np.float64]
    """The least value above 0; inf for none."""
    under: NDArray[np.float64]
    """Values below −1."""
    bins: NDArray[np.int64]
    """Values in equal bins from −1 to 1, shape (columns, bins)."""

    @classmethod
    def of(cls, rows: NDArray[np.float64]) -> RankCounts | None:
        """Of rows, shape (n, columns); what is not finite is left out. None for more columns than `MOST_COLUMNS`."""
        width = rows.shape[1]
        if width > MOST_COLUMNS:
            return None
        n_bins = min(max(BINS // max(width, 1), LEAST_BINS), MOST_BINS)
        finite = np.isfinite(rows)
        values = rows if finite.all() else np.where(finite, rows, np.nan)
        column, inside = np.arange(width), (values >= -1) & (values < 1)
        place = np.where(inside, np.floor((np.where(inside, values, 0) + 1) * (n_bins / 2)), 0).astype(np.int64)
        # Just below 1, adding 1 may round up to 2.
        place = np.minimum(place, n_bins - 1) + column * n_bins
        return cls(
            below=(values < 0).sum(axis=0).astype(np.float64),
            at=(values == 0).sum(axis=0).astype(np.float64),
            above=(values > 0).sum(axis=0).astype(np.float64),
            nearest_below=np.where(values < 0, values, -np.inf).max(axis=0, initial=-np.inf),
            nearest_above=np.where(values > 0, values, np.inf).min(axis=0, initial=np.inf),
            under=(values < -1).sum(axis=0).astype(np.float64),
            bins=np.bincount(place[inside], minlength=width * n_bins).reshape(width, n_bins),
        )

    @classmethod
    def restored(cls, counts: NDArray[np.float64], bins: NDArray[np.int64]) -> RankCounts:
        """What `counts` and ``bins`` were taken from."""
        below, at, above, nearest_below, nearest_above, under = counts
        return cls(
            below=below,
            at=at,
            above=above,
            nearest_below=nearest_below,
            nearest_above=nearest_above,
            under=under,
            bins=bins,
        )

    @property
    def counts(self) -> NDArray[np.float64]:
        """All but the bins, shape (6, columns)."""
        return np.array([self.below, self.at, self.above, self.nearest_below, self.nearest_above, self.under])

    @property
    def n(self) -> NDArray[np.float64]:
        """Values of each column, shape (columns,)."""
        return self.below + self.at + self.above

    def merge(self, other: RankCounts) -> RankCounts:
        """Of both; neither is changed."""
        return RankCounts(
            below=self.below + other.below,
            at=self.at + other.at,
            above=self.above + other.above,
            nearest_below=np.maximum(self.nearest_below, other.nearest_below),
            nearest_above=np.minimum(self.nearest_above, other.nearest_above),
            under=self.under + other.under,
            bins=self.bins + other.bins,
        )

    def median(self) -> NDArray[np.float64]:
        """The median of each column where it lies next to 0, and NaN elsewhere; shape (columns,)."""
        n = self.n
        found = np.zeros(len(n))
        for rank in (np.floor((n - 1) / 2), np.floor(n / 2)):
            value = np.where((rank >= self.below) & (rank < self.below + self.at), 0.0, np.nan)
            value = np.where(rank == self.below - 1, self.nearest_below, value)
            value = np.where(rank == self.below + self.at, self.nearest_above, value)
            found = found + value / 2
        return np.where(np.isfinite(found) & (n > 0), found, np.nan)

    def quantiles(self, levels: Sequence[float]) -> NDArray[np.float64]:
        """Lower ends of what each quantile may be, shape (levels, columns); it is at most `width` above.

        NaN where it is not between −1 and 1. Interpolated linearly, as `numpy.quantile` does.
        """
        n = self.n
        up_to = np.cumsum(self.bins, axis=1) + self.under[:, None]
        found = np.full((len(levels), len(n)), np.nan)
        for column in np.flatnonzero(n > 0):
            at = np.asarray(levels) * (n[column] - 1)
            ends = []
            for rank in (np.floor(at), np.ceil(at)):
                place = np.searchsorted(up_to[column], rank, side="right")
                known = (rank >= self.under[column]) & (place < self.bins.shape[1])
                ends.append(np.where(known, -1 + place * self.width, np.nan))
            share = at - np.floor(at)
            found[:, column] = ends[0] * (1 - share) + ends[1] * share
        return found

    @property
    def width(self) -> float:
        """Of a bin."""
        return 2 / int(self.bins.shape[1])

"""Everything that a split's numbers are judged by, gathered in one pass and mergeable.

Sums are kept about a shift (the mean of the first batch), so that a column of 1e6 ± 1 loses no digit, and are float64
whatever the data are. Means of `n` numbers are then right to a few 1e-16 of their spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from dataguard.splits.normalization.ranks import RankCounts
from dataguard.splits.normalization.sums import RowFacts, UnitSums

if TYPE_CHECKING:
    from numpy.typing import NDArray


Layout: TypeAlias = Literal["features", "NCHW", "NHWC"]

KEPT_VALUES = 4_000_000
"""Values of a split up to which all are kept, 32 MB. Of more, `ranks` are counted: whether 0 is the median stays exact,
and distances of quantiles are known to a bin. What looks at the order of all rows does without then."""
SAMPLED_VALUES = 1 << 20
"""Values of the rows that are kept of a split of any size."""
LEAST_ROWS, MOST_ROWS = 64, 4096
"""Rows that are kept of a split of any size: as many as `SAMPLED_VALUES` allows, between these."""
MOST_COVARIANCES = 256
"""Columns up to which all covariances are gathered."""
MOST_HASHES = 4_000_000
"""Rows of a split up to which repeated ones are told."""


class SplitState:
    """What is known of one split; `add` batches to it, or `merge` those of its parts.

    Args:
        layout: 'features': batches of shape (n, features), or (n,) for one. 'NCHW', 'NHWC': pictures.
        seed: Of the rows that are kept.

    Attributes:
        units: Sums a column; a channel of pictures.
        whole: Sums over everything as one unit; None where there is but one unit of one value.
        distinct: Sums of the first of equal rows only; None where not told.
        ends_known: Whether least and largest values were seen, and are not those that there could be.
        precision: Machine epsilon of the coarsest kind of number that was seen.
    """

    def __init__(self, layout: Layout = "features", *, seed: int = 0) -> None:
        self.layout: Layout = layout
        self.units: UnitSums | None = None
        self.whole: UnitSums | None = None
        self.distinct: UnitSums | None = None
        self.rows = RowFacts(ranges=np.column_stack([np.full(8, np.inf), np.full(8, -np.inf)]))
        self.n = 0
        self.not_a_number = 0
        self.infinite = 0
        self.precision = 0.0
        self.ends_known = True
        self.products: NDArray[np.float64] | None = None
        self._generator = np.random.default_rng(seed)
        self._parts: list[NDArray[np.float64]] | None = []
        self._kept = 0
        self._ranks: RankCounts | None = None
        self._sample: NDArray[np.float64] | None = None
        self._keys: NDArray[np.float64] = np.empty(0)
        self._hashes: NDArray[np.uint64] | None = np.empty(0, dtype=np.uint64)

    @property
    def width(self) -> int:
        """Units; 0 before the first batch."""
        return 0 if self.units is None else len(self.units.n)

    def add(self, batch: NDArray[np.generic]) -> None:
        """Take in a batch.

        Raises:
            ValueError: it holds no numbers, or its shape does not fit the layout or the batches before.
        """
        array = np.asarray(batch)
        if array.dtype.kind not in "fiub":
            raise ValueError(f"expected numbers, got {array.dtype}")
        cube = arranged(array, self.layout)
        if not len(cube):
            return
        if self.units is not None and cube.shape[1] != self.width:
            raise ValueError(f"expected {self.width} {unit_word(self.layout)}, got {cube.shape[1]}")
        epsilon = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0
        self.precision = max(self.precision, epsilon)
        values = cube.astype(np.float64)
        flat = values.reshape(len(values), -1)
        finite = np.isfinite(flat)
        if not finite.all():
            nans = int(np.isnan(flat).sum())
            self.not_a_number += nans
            self.infinite += int(finite.size - finite.sum()) - nans
        self.n += len(values)
        units = UnitSums.of(values, None if self.units is None else self.units.shift)
        self.units = units if self.units is None else self.units.merge(units)
        if flat.shape[1] > 1:
            whole = UnitSums.over_all(flat, units, None if self.whole is None else self.whole.shift)
            self.whole = whole if self.whole is None else self.whole.merge(whole)
        self.rows = self.rows.merge(RowFacts.of(flat))
        if self.layout == "features":
            self._add_rows(flat, finite, units)
        self._keep(flat)

    def _add_rows(self, rows: NDArray[np.float64], finite: NDArray[np.bool_], units: UnitSums) -> None:
        if self.units is None:
            return
        if rows.shape[1] <= MOST_COVARIANCES:
            moved = np.where(finite, rows - self.units.shift, 0.0)
            product = moved.T @ moved
            self.products = product if self.products is None else self.products + product
        if self._hashes is None:
            return
        hashes, first = np.unique(row_hashes(rows), return_index=True)
        fresh = ~among(hashes, self._hashes)
        new = np.sort(first[fresh])
        self._hashes = np.sort(np.concatenate([self._hashes, hashes[fresh]]), kind="stable")
        if len(self._hashes) > MOST_HASHES:
            self._hashes, self.distinct = None, None
            return
        if len(new):
            sums = units if len(new) == len(rows) else UnitSums.of(rows[new], self.units.shift)
            self.distinct = sums if self.distinct is None else self.distinct.merge(sums)

    def _keep(self, flat: NDArray[np.float64]) -> None:
        if self._parts is not None:
            self._parts.append(flat)
            self._kept += flat.size
            if self._kept > KEPT_VALUES:
                self._count_ranks()
        elif self.layout == "features":
            self._merge_ranks(RankCounts.of(flat))
        limit = min(max(SAMPLED_VALUES // flat.shape[1], LEAST_ROWS), MOST_ROWS)
        keys = self._generator.random(len(flat))
        if self._sample is None:
            joined, all_keys = flat, keys
        else:
            worst = self._keys.max() if len(self._keys) >= limit else np.inf
            chosen = keys < worst
            joined, all_keys = np.concatenate([self._sample, flat[chosen]]), np.concatenate([self._keys, keys[chosen]])
        if len(all_keys) > limit:
            best = np.sort(np.argpartition(all_keys, limit)[:limit])
            joined, all_keys = joined[best], all_keys[best]
        self._sample, self._keys = joined, all_keys

    def _count_ranks(self) -> None:
        """Keep no values any more, but their ranks."""
        parts, self._parts = self._parts or [], None
        if self.layout == "features" and parts:
            self._ranks = RankCounts.of(parts[0])
            for part in parts[1:]:
                self._merge_ranks(RankCounts.of(part))

    def _merge_ranks(self, other: RankCounts | None) -> None:
        self._ranks = None if self._ranks is None or other is None else self._ranks.merge(other)

    def ranks(self) -> RankCounts | None:
        """Ranks around 0 of each column; None of pictures, and where there are too many columns."""
        if self.layout != "features":
            return None
        values = self.values()
        return self._ranks if values is None else RankCounts.of(values)

    def values(self) -> NDArray[np.float64] | None:
        """Every value, shape (n, values of a sample), in order; None where they were too many to keep."""
        if self._parts is None:
            return None
        if len(self._parts) != 1:
            self._parts = [np.concatenate(self._parts)] if self._parts else [np.empty((0, self.width))]
        return self._parts[0]

    def arrays(self) -> dict[str, NDArray[np.generic] | None]:
        """What is kept of single rows, by name, for `restore`; None for what is not kept."""
        return {
            "values": self.values(),
            "sample": self._sample,
            "keys": self._keys,
            "hashes": self._hashes,
            "products": self.products,
            "rank_counts": None if self._ranks is None else self._ranks.counts,
            "rank_bins": None if self._ranks is None else self._ranks.bins,
        }

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Take back what `arrays` gave."""
        values = arrays["values"]
        self._parts = None if values is None else [values]
        self._kept = 0 if values is None else values.size
        self._sample, self._keys = arrays["sample"], arrays["keys"]
        self._hashes, self.products = arrays["hashes"], arrays["products"]
        counts, bins = arrays["rank_counts"], arrays["rank_bins"]
        self._ranks = None if counts is None or bins is None else RankCounts.restored(counts, bins)

    def sample(self) -> NDArray[np.float64]:
        """Some rows at random, shape (rows, values of a sample)."""
        return np.empty((0, self.width)) if self._sample is None else self._sample

    @property
    def n_repeated(self) -> int | None:
        """Rows that are equal to one before; None where not told."""
        return None if self._hashes is None or self.layout != "features" else self.n - len(self._hashes)

    def merge(self, other: SplitState) -> None:
        """Take in the state of another part of the same split, which comes after this one.

        Raises:
            ValueError: the two differ in layout or number of units.
        """
        if other.units is None:
            return
        if self.units is None:
            for name, value in vars(other).items():
                setattr(self, name, value)
            return
        if (self.layout, self.width) != (other.layout, other.width):
            raise ValueError(f"cannot merge {other.layout} of {other.width} with {self.layout} of {self.width}")
        if self.products is not None and other.products is not None:
            # Products about another shift: Σ(x−a)(x−a)ᵀ with t = b − a.
            t = other.units.shift - self.units.shift
            sums = other.units.mean_u * other.units.n
            cross = np.outer(sums, t)
            self.products = self.products + other.products + cross + cross.T + other.n * np.outer(t, t)
        self.units = self.units.merge(other.units)
        if self.whole is not None and other.whole is not None:
            self.whole = self.whole.merge(other.whole)
        self._merge_distinct(other)
        self.rows = self.rows.merge(other.rows)
        self.n += other.n
        self.not_a_number += other.not_a_number
        self.infinite += other.infinite
        self.precision = max(self.precision, other.precision)
        if self._parts is not None and other._parts is not None and self._kept + other._kept <= KEPT_VALUES:
            self._parts = [*self._parts, *other._parts]
            self._kept += other._kept
        else:
            mine, theirs = self.ranks(), other.ranks()
            self._parts, self._ranks = None, mine
            self._merge_ranks(theirs)
        if self._sample is not None and other._sample is not None:
            limit = min(max(SAMPLED_VALUES // self._sample.shape[1], LEAST_ROWS), MOST_ROWS)
            # The smallest of random keys: a random part of both.
            keys = np.concatenate([self._keys, other._keys])
            rows = np.concatenate([self._sample, other._sample])
            best = np.sort(np.argsort(keys, kind="stable")[:limit])
            self._sample, self._keys = rows[best], keys[best]

    @classmethod
    def of_pictures(
        cls, values: NDArray[np.float64], means: NDArray[np.float64], squares: NDArray[np.float64], largest: float
    ) -> SplitState:
        """The state of pictures of which only sums are known.

        Args:
            values: Pixels of each picture, shape (n,).
            means: Mean of each channel, shape (n, channels).
            squares: Mean of the squares, shape (n, channels).
            largest: What white is; the ends of the range are taken to be 0 and that.
        """
        state = cls("NCHW")
        n, width = means.shape
        weight = (values / values.sum())[:, None] * n
        shift = (means * weight).mean(axis=0)
        u, w = means - shift, squares - 2 * shift * means + shift**2
        mean_u, mean_w = (u * weight).mean(axis=0), (w * weight).mean(axis=0)
        du, dw = u - mean_u, w - mean_w
        every = np.full(width, float(n))
        state.units = UnitSums(
            shift=shift,
            n=every,
            values=np.full(width, values.sum()),
            mean_u=mean_u,
            mean_w=mean_w,
            uu=(du * du).sum(axis=0),
            ww=(dw * dw).sum(axis=0),
            uw=(du * dw).sum(axis=0),
            low=np.zeros(width),
            high=np.full(width, largest),
            at_low=np.ones(width),
            at_high=np.ones(width),
            fractions=np.ones(width, dtype=bool),
        )
        state.n = n
        state.ends_known = False
        state._parts = None
        state._sample = means[:MOST_ROWS]
        return state

    def rescale(self, centre: NDArray[np.float64], divisor: NDArray[np.float64]) -> None:
        """Make this the state of (x − centre) / divisor; both of shape (units,), ``divisor`` above 0.

        Sums over everything cannot follow maps that differ between units, and are dropped then.
        """
        if self.units is None or self._sample is None:
            return
        repeat = self._sample.shape[1] // self.width
        centres, divisors = np.repeat(centre, repeat), np.repeat(divisor, repeat)
        self.units = self.units.mapped(centre, divisor)
        if self.distinct is not None:
            self.distinct = self.distinct.mapped(centre, divisor)
        one = bool((centre == centre[0]).all() and (divisor == divisor[0]).all())
        self.whole = self.whole.mapped(centre[:1], divisor[:1]) if one and self.whole is not None else None
        if self.products is not None:
            self.products = self.products / np.outer(divisor, divisor)
        if self._parts is not None:
            self._parts = [(part - centres) / divisors for part in self._parts]
        self._ranks = None
        self._sample = (self._sample - centres) / divisors
        self.rows = RowFacts(ranges=np.column_stack([np.full(8, np.inf), np.full(8, -np.inf)]))

    def _merge_distinct(self, other: SplitState) -> None:
        if self._hashes is None or other._hashes is None or self.distinct is None or other.distinct is None:
            self._hashes, self.distinct = None, None
            return
        if among(other._hashes, self._hashes).any():
            # Which sums the rows in both would take away is not known without the rows.
            values = other.values()
            if values is None:
                self._hashes, self.distinct = None, None
                return
            hashes, first = np.unique(row_hashes(values), return_index=True)
            fresh = ~among(hashes, self._hashes)
            new = np.sort(first[fresh])
            self._hashes = np.sort(np.concatenate([self._hashes, hashes[fresh]]), kind="stable")
            if len(new):
                self.distinct = self.distinct.merge(UnitSums.of(values[new], self.distinct.shift))
            return
        self._hashes = np.sort(np.concatenate([self._hashes, other._hashes]), kind="stable")
        self.distinct = self.distinct.merge(other.distinct)


def arranged(array: NDArray[np.generic], layout: Layout) -> NDArray[np.generic]:
    """A batch as (n, units, values of a sample in each unit).

    Raises:
        ValueError: its shape does not fit the layout.
    """
    if layout == "features":
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim < 2:
            raise ValueError(f"expected an array of samples, got shape {array.shape}")
        return array.reshape(len(array), int(np.prod(array.shape[1:])))[:, :, None]
    if array.ndim == 3:
        array = array[:, None] if layout == "NCHW" else array[..., None]
    if array.ndim != 4:
        raise ValueError(f"expected pictures of shape {tuple(layout)}, got shape {array.shape}")
    if layout == "NHWC":
        array = np.moveaxis(array, 3, 1)
    return array.reshape(*array.shape[:2], int(np.prod(array.shape[2:])))


def unit_word(layout: Layout) -> str:
    """What units are called: 'features' or 'channels'."""
    return "features" if layout == "features" else "channels"


def row_hashes(rows: NDArray[np.float64]) -> NDArray[np.uint64]:
    """64 bits that equal rows share, shape (n,); -0.0 equals 0.0."""
    words = np.ascontiguousarray(rows + 0.0).view(np.uint64)
    factors = np.random.default_rng(1).integers(1, 2**63, rows.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    # Multiplying keeps low bits low, where floats of few digits are all zero: fold before and after.
    words = words ^ (words >> np.uint64(32))
    mixed = words * factors
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray(mixed.sum(axis=1, dtype=np.uint64))


def among(values: NDArray[np.uint64], ordered: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which values are in an ascending array."""
    if not len(ordered):
        return np.zeros(len(values), dtype=bool)
    at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[at] == values)

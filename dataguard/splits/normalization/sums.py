"""Sums that say all that is asked of the moments and the extremes of values, and that merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONG = 1_000
"""Rows from which columns are gone through one by one."""
_NARROW = 64
"""Columns up to which what is summed over a row is summed column by column."""


@dataclass(kw_only=True, slots=True, eq=False)
class UnitSums:
    """Sums over samples of what each unit (a column, a channel, or everything) holds.

    A sample gives each unit two numbers: ``u``, the mean of its values less the shift, and ``w``, the mean of their
    squares. Of a column both are of one value.
    """

    shift: NDArray[np.float64]
    n: NDArray[np.float64]
    """Samples with a finite value, shape (units,)."""
    values: NDArray[np.float64]
    """Finite values, shape (units,)."""
    mean_u: NDArray[np.float64]
    mean_w: NDArray[np.float64]
    uu: NDArray[np.float64]
    """Sum of squared differences of ``u`` from its mean; ``ww`` and ``uw`` likewise."""
    ww: NDArray[np.float64]
    uw: NDArray[np.float64]
    low: NDArray[np.float64]
    """Least value."""
    high: NDArray[np.float64]
    """Largest value."""
    at_low: NDArray[np.float64]
    """How often the least value occurs."""
    at_high: NDArray[np.float64]
    fractions: NDArray[np.bool_]
    """Whether a value is not whole."""

    @classmethod
    def of(cls, values: NDArray[np.float64], shift: NDArray[np.float64] | None = None) -> UnitSums:
        """The sums of some samples.

        Args:
            values: Shape (n, units) or (n, units, values of a sample in each unit).
            shift: What is subtracted before summing; by default the mean of these values.
        """
        if values.ndim == 2:
            values = values[:, :, None]
        if values.shape[2] == 1 and len(values) >= _LONG:
            return cls._of_columns(values[:, :, 0], shift)
        if values.size and np.isfinite(values.min()) and np.isfinite(values.max()):
            return cls._of_all(values, shift)
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0)
        count = known.sum(axis=2)
        per_unit = count.sum(axis=0).astype(np.float64)
        if shift is None:
            shift = filled.sum(axis=(0, 2)) / np.maximum(per_unit, 1)
        moved = filled - shift[None, :, None]
        moved[~known] = 0.0
        share = 1.0 / np.maximum(count, 1)
        u = moved.sum(axis=2) * share
        w = np.einsum("nup,nup->nu", moved, moved) * share
        present = count > 0
        n = present.sum(axis=0).astype(np.float64)
        # Where samples have unequally many values, the mean over samples would not be that over values.
        weight = count * (n / np.maximum(per_unit, 1))[None, :]
        least = np.maximum(n, 1)
        mean_u, mean_w = (u * weight).sum(axis=0) / least, (w * weight).sum(axis=0) / least
        du, dw = np.where(present, u - mean_u, 0.0), np.where(present, w - mean_w, 0.0)
        low = np.where(known, values, np.inf).min(axis=2).min(axis=0, initial=np.inf)
        high = np.where(known, values, -np.inf).max(axis=2).max(axis=0, initial=-np.inf)
        return cls(
            shift=shift,
            n=n,
            values=per_unit,
            mean_u=mean_u,
            mean_w=mean_w,
            uu=(du * du).sum(axis=0),
            ww=(dw * dw).sum(axis=0),
            uw=(du * dw).sum(axis=0),
            low=low,
            high=high,
            # NaN and infinite values equal neither end.
            at_low=np.count_nonzero(values == low[None, :, None], axis=(0, 2)).astype(np.float64),
            at_high=np.count_nonzero(values == high[None, :, None], axis=(0, 2)).astype(np.float64),
            fractions=np.any(filled != np.rint(filled), axis=(0, 2)),
        )

    @classmethod
    def _of_all(cls, values: NDArray[np.float64], shift: NDArray[np.float64] | None) -> UnitSums:
        """`of` values that are all finite, shape (n, units, values)."""
        n, _, each = values.shape
        if shift is None:
            shift = values.sum(axis=(0, 2)) / (n * each)
        if each == 1:
            flat = values[:, :, 0]
            u = flat - shift
            w = u * u
            low, high = flat.min(axis=0), flat.max(axis=0)
            at_low, at_high = (flat == low).sum(axis=0), (flat == high).sum(axis=0)
            fractions = (flat != np.rint(flat)).any(axis=0)
        else:
            moved = values - shift[None, :, None]
            u = moved.sum(axis=2) / each
            w = np.einsum("nup,nup->nu", moved, moved) / each
            low, high = values.min(axis=2).min(axis=0), values.max(axis=2).max(axis=0)
            at_low = np.count_nonzero(values == low[None, :, None], axis=(0, 2))
            at_high = np.count_nonzero(values == high[None, :, None], axis=(0, 2))
            fractions = np.any(values != np.rint(values), axis=(0, 2))
        return cls._of_samples(u, w, shift, each, low, high, at_low, at_high, fractions)

    @classmethod
    def _of_columns(cls, rows: NDArray[np.float64], shift: NDArray[np.float64] | None) -> UnitSums:
        """`of` one value of each unit, shape (n, units): one unit after the other, which stays in the cache."""
        width = rows.shape[1]
        names = ("shift", "n", "values", "mean_u", "mean_w", "uu", "ww", "uw", "low", "high", "at_low", "at_high")
        found = {name: np.zeros(width) for name in names}
        fractions = np.zeros(width, dtype=np.bool_)
        found["low"][:], found["high"][:] = np.inf, -np.inf
        if shift is not None:
            found["shift"][:] = shift
        for unit in range(width):
            x = np.ascontiguousarray(rows[:, unit])
            low, high = x.min(), x.max()
            if not (np.isfinite(low) and np.isfinite(high)):
                x = x[np.isfinite(x)]
                if not len(x):
                    continue
                low, high = x.min(), x.max()
            n = len(x)
            moved = x.sum() / n if shift is None else shift[unit]
            u = x - moved
            w = u * u
            mean_u, mean_w = u.sum() / n, w.sum() / n
            u -= mean_u
            w -= mean_w
            sums = (moved, n, n, mean_u, mean_w, u @ u, w @ w, u @ w, low, high)
            for name, value in zip(
                names, (*sums, np.count_nonzero(x == low), np.count_nonzero(x == high)), strict=True
            ):
                found[name][unit] = value
            np.rint(x, out=u)
            fractions[unit] = bool((u != x).any())
        return cls(fractions=fractions, **found)

    @classmethod
    def _of_samples(
        cls,
        u: NDArray[np.float64],
        w: NDArray[np.float64],
        shift: NDArray[np.float64],
        each: int,
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        at_low: NDArray[Any],
        at_high: NDArray[Any],
        fractions: NDArray[np.bool_],
    ) -> UnitSums:
        n, width = u.shape
        mean_u, mean_w = u.sum(axis=0) / n, w.sum(axis=0) / n
        du, dw = u - mean_u, w - mean_w
        return cls(
            shift=shift,
            n=np.full(width, float(n)),
            values=np.full(width, float(n * each)),
            mean_u=mean_u,
            mean_w=mean_w,
            uu=np.einsum("nu,nu->u", du, du),
            ww=np.einsum("nu,nu->u", dw, dw),
            uw=np.einsum("nu,nu->u", du, dw),
            low=low,
            high=high,
            at_low=at_low.astype(np.float64),
            at_high=at_high.astype(np.float64),
            fractions=fractions,
        )

    @classmethod
    def over_all(cls, rows: NDArray[np.float64], units: UnitSums, shift: NDArray[np.float64] | None = None) -> UnitSums:
        """The sums of some samples over all their values, shape (n, values), as one unit.

        Args:
            rows: Shape (n, values of a sample).
            units: Of the same samples, unit by unit.
            shift: What is subtracted before summing; by default the mean of these values.
        """
        if len(rows) >= _LONG and rows.shape[1] <= _NARROW and units.values.any():
            return cls._over_columns(rows, units, shift)
        if not len(rows) or units.values.sum() < rows.size:
            return cls.of(rows[:, None, :], shift)
        if shift is None:
            shift = np.array([rows.sum() / rows.size])
        moved = rows - shift
        each = rows.shape[1]
        low, high = units.low.min(keepdims=True), units.high.max(keepdims=True)
        return cls._of_samples(
            moved.sum(axis=1)[:, None] / each,
            np.einsum("np,np->n", moved, moved)[:, None] / each,
            shift,
            each,
            low,
            high,
            units.at_low[units.low == low].sum(keepdims=True),
            units.at_high[units.high == high].sum(keepdims=True),
            np.array([bool(units.fractions.any())]),
        )

    @classmethod
    def _over_columns(cls, rows: NDArray[np.float64], units: UnitSums, shift: NDArray[np.float64] | None) -> UnitSums:
        """`over_all` of few columns: one after the other, which numpy adds up faster than the values of each row."""
        per_unit = units.values.sum()
        if shift is None:
            shift = np.array([(units.mean * units.values).sum() / per_unit])
        count, u, w = np.zeros(len(rows)), np.zeros(len(rows)), np.zeros(len(rows))
        for column, values in enumerate(units.values):
            x = np.ascontiguousarray(rows[:, column])
            if values < len(rows):
                known = np.isfinite(x)
                x = np.where(known, x, shift[0])
                count += known
            else:
                count += 1
            moved = x - shift[0]
            u += moved
            moved *= moved
            w += moved
        if not count.all():
            present = count > 0
            count, u, w = count[present], u[present], w[present]
        u /= count
        w /= count
        n = len(count)
        weight = count * (n / per_unit)
        mean_u, mean_w = u @ weight / n, w @ weight / n
        u -= mean_u
        w -= mean_w
        low, high = units.low.min(), units.high.max()
        single = {
            "n": float(n),
            "values": per_unit,
            "mean_u": mean_u,
            "mean_w": mean_w,
            "uu": u @ u,
            "ww": w @ w,
            "uw": u @ w,
            "low": low,
            "high": high,
            "at_low": units.at_low[units.low == low].sum(),
            "at_high": units.at_high[units.high == high].sum(),
        }
        arrays = {name: np.array([value], dtype=np.float64) for name, value in single.items()}
        return cls(shift=shift, fractions=np.array([bool(units.fractions.any())]), **arrays)

    def merge(self, other: UnitSums) -> UnitSums:
        """The sums of both; neither is changed."""
        # To the shift of self: u' = u + t, w' = w + 2tu + t².
        t = other.shift - self.shift
        u2, w2 = other.mean_u + t, other.mean_w + 2 * t * other.mean_u + t * t
        uw2 = other.uw + 2 * t * other.uu
        ww2 = other.ww + 4 * t * other.uw + 4 * t * t * other.uu
        n = self.n + other.n
        values = self.values + other.values
        # A mean is over values, and what it varies by over samples.
        part = other.values / np.maximum(values, 1)
        du, dw = u2 - self.mean_u, w2 - self.mean_w
        cross = self.n * other.n / np.maximum(n, 1)
        return UnitSums(
            shift=self.shift,
            n=n,
            values=values,
            mean_u=self.mean_u + du * part,
            mean_w=self.mean_w + dw * part,
            uu=self.uu + other.uu + du * du * cross,
            ww=self.ww + ww2 + dw * dw * cross,
            uw=self.uw + uw2 + du * dw * cross,
            low=np.minimum(self.low, other.low),
            high=np.maximum(self.high, other.high),
            at_low=self.at_low * (self.low <= other.low) + other.at_low * (other.low <= self.low),
            at_high=self.at_high * (self.high >= other.high) + other.at_high * (other.high >= self.high),
            fractions=self.fractions | other.fractions,
        )

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of all values, shape (units,); 0 where there is none."""
        return self.shift + self.mean_u

    @property
    def variance(self) -> NDArray[np.float64]:
        """Variance of all values, divided by their number (ddof 0), shape (units,)."""
        found = np.maximum(self.mean_w - self.mean_u**2, 0.0)
        return np.where(self.low == self.high, 0.0, found)

    @property
    def spread(self) -> NDArray[np.float64]:
        """Standard deviation over samples of a sample's mean, shape (units,)."""
        return np.sqrt(self.uu / np.maximum(self.n, 1))

    @property
    def variance_spread(self) -> NDArray[np.float64]:
        """Standard deviation over samples of what a sample adds to the variance, shape (units,)."""
        m = self.mean_u
        found = self.ww - 4 * m * self.uw + 4 * m * m * self.uu
        return np.sqrt(np.maximum(found, 0.0) / np.maximum(self.n, 1))

    def mapped(self, centre: NDArray[np.float64], scale: NDArray[np.float64]) -> UnitSums:
        """The sums of (x − centre)/scale, ``scale`` above 0."""
        square = scale * scale
        return UnitSums(
            shift=(self.shift - centre) / scale,
            n=self.n,
            values=self.values,
            mean_u=self.mean_u / scale,
            mean_w=self.mean_w / square,
            uu=self.uu / square,
            ww=self.ww / square**2,
            uw=self.uw / (square * scale),
            low=(self.low - centre) / scale,
            high=(self.high - centre) / scale,
            at_low=self.at_low,
            at_high=self.at_high,
            fractions=np.ones_like(self.fractions),
        )


@dataclass(kw_only=True, slots=True, eq=False)
class RowFacts:
    """Ranges over samples of what a scaling of each sample by itself makes constant."""

    n: int = 0
    """Samples that are not all zero."""
    ranges: NDArray[np.float64]
    """Least and largest of: L2 norm, L1 norm, largest magnitude, least, largest, mean, standard deviation with ddof 0
    and 1. Shape (8, 2)."""

    @classmethod
    def of(cls, rows: NDArray[np.float64]) -> RowFacts:
        """Of samples, shape (n, values); those with a value that is not finite are left out."""
        empty = np.column_stack([np.full(8, np.inf), np.full(8, -np.inf)])
        if rows.shape[1] < 2:
            return cls(n=0, ranges=empty)
        d = rows.shape[1]
        if len(rows) >= _LONG and d <= _NARROW:
            squares, kinds = _over_columns(rows)
            said = (squares > 0) & np.isfinite(squares)
            if not said.all():
                squares, kinds = squares[said], tuple(kind[said] for kind in kinds)
        else:
            squares = np.einsum("nd,nd->n", rows, rows)
            said = (squares > 0) & np.isfinite(squares)
            if not said.all():
                rows, squares = rows[said], squares[said]
            magnitude = np.abs(rows)
            ends = (rows.min(axis=1, initial=np.inf), rows.max(axis=1, initial=-np.inf))
            kinds = (magnitude.sum(axis=1), magnitude.max(axis=1, initial=0.0), *ends, rows.sum(axis=1))
        if not len(squares):
            return cls(n=0, ranges=empty)
        absolute, largest, low, high, total = kinds
        mean = total / d
        # Of rows about 0, the only ones for which it counts, no digit is lost.
        std = np.sqrt(np.maximum(squares / d - mean * mean, 0.0))
        facts = (np.sqrt(squares), absolute, largest, low, high, mean, std, std * np.sqrt(d / (d - 1)))
        return cls(n=len(squares), ranges=np.array([[fact.min(), fact.max()] for fact in facts]))

    def merge(self, other: RowFacts) -> RowFacts:
        """Of both."""
        low = np.minimum(self.ranges[:, 0], other.ranges[:, 0])
        high = np.maximum(self.ranges[:, 1], other.ranges[:, 1])
        return RowFacts(n=self.n + other.n, ranges=np.column_stack([low, high]))


def _over_columns(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], ...]]:
    """Of each row the sum of squares; and of magnitudes the sum and the largest, of values least, largest and sum."""
    n = len(rows)
    squares, absolute, total = np.zeros(n), np.zeros(n), np.zeros(n)
    largest, low, high = np.zeros(n), np.full(n, np.inf), np.full(n, -np.inf)
    # Rows that are not finite are left out afterwards.
    with np.errstate(all="ignore"):
        for column in range(rows.shape[1]):
            x = np.ascontiguousarray(rows[:, column])
            total += x
            np.minimum(low, x, out=low)
            np.maximum(high, x, out=high)
            size = np.abs(x)
            absolute += size
            np.maximum(largest, size, out=largest)
            size *= size
            squares += size
    return squares, (absolute, largest, low, high, total)

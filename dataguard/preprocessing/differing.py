"""One place where two preprocessing paths differ, or cannot be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.provenance import Provenance

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONE_LEVEL = 1.02
"""Levels that two ways to write one path may be apart: 8-bit arithmetic rounds, and libraries do so in other places."""

_ROUNDED_SHARE = 0.002
_ROUNDED_MEAN = 0.25
_ROUNDED_LARGEST = 14.0
"""Twice the most that was measured: a mark over a few pixels is no rounding, however few they are."""

Aspect: TypeAlias = Literal[
    "decoder",
    "channel order",
    "kernel",
    "step order",
    "value range",
    "mean and std",
    "layout or dtype",
    "geometry",
    "policy",
    "random",
    "normalized twice",
    "unexplained",
]
"""What a difference is about. ``unexplained``: the two give different pixels, which no step that was found explains."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """How far apart one difference by itself takes the pixels."""

    mean: float
    """Levels of 0 to 255, on average over all pixels of all pictures; infinite where the sizes differ."""
    largest: float
    """Levels."""
    n: int
    """Pictures."""
    measured: str
    """On what, in words."""
    beyond: float = 1.0
    """The share of values that are more than one level apart."""
    sizes: str = ""
    """Where the outputs have other sizes: 'of 375×500, 224×224 against 224×299'."""

    @property
    def none(self) -> bool:
        """Whether it is nothing but rounding."""
        return not self.sizes and self.largest <= ONE_LEVEL

    @property
    def rounding(self) -> bool:
        """Whether it can be what two libraries round and clip otherwise between the two passes of one kernel.

        That is more than a level in at most 0.2 % of values, 0.25 levels on average, and 14 at most. Pillow's and
        torch's bicubic with antialiasing: 0.08 %, 0.14 on average, at most 7 levels.
        """
        few = self.beyond <= _ROUNDED_SHARE and self.mean <= _ROUNDED_MEAN and self.largest <= _ROUNDED_LARGEST
        return self.none or (not self.sizes and few)

    @property
    def words(self) -> str:
        """'4.4 levels on average, at most 104'; of what lies beyond all levels, how many times their range it is."""
        if self.sizes:
            return f"other sizes: {self.sizes}"
        if self.mean > 255:
            return (
                f"{self.mean / 255:.3g} times the range of 0 to 255 on average, at most {self.largest / 255:.3g} times"
            )
        return f"{self.mean:.3g} levels on average, at most {self.largest:.3g}"

    @property
    def in_full(self) -> str:
        """The same, with the range that levels are of."""
        return self.words if self.sizes or self.mean > 255 else f"{self.words}, of 0 to 255"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Where two paths differ; or where that cannot be told, with the reason in `unknown`."""

    field: str
    """As 'geometry[0].kernel'."""
    aspect: Aspect
    left: str
    """What the first does, in words."""
    right: str
    left_origin: Provenance | None = None
    right_origin: Provenance | None = None
    effect: Effect | None = None
    """Of this difference by itself; None where pixels do not change, as with a layout, or it cannot be measured."""
    unknown: str = ""
    """Why it cannot be compared; '' where it was, and differs."""
    share: float | None = None
    """The share of pictures' sizes at which it shows, where that is not all."""
    changed: Pipeline | None = dataclasses.field(default=None, compare=False, repr=False)
    """The first path with this difference alone taken over from the second; None where it cannot be written."""

    @property
    def words(self) -> str:
        """One line."""
        if self.unknown:
            return f"{self.field} cannot be compared: {self.unknown}"
        after = "" if self.effect is None else f" ({self.effect.words})"
        return f"{self.aspect}: {self.left} against {self.right}{after}"


def measured_effect(
    pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]],
    *,
    on: str,
    names: Sequence[str] = (),
) -> Effect:
    """How far apart pairs of pictures are, in levels; those of another shape are named and count as infinite."""
    largest, means, beyond, other = 0.0, [], [], ""
    for index, (one, two) in enumerate(pairs):
        if one.shape != two.shape:
            if not other:
                given = f"of {names[index]}, " if index < len(names) else ""
                other = f"{given}{_size(one)} against {_size(two)}"
            continue
        if one.size:
            apart = np.abs(one.astype(np.float64) - two.astype(np.float64))
            largest = max(largest, float(apart.max()))
            means.append(float(apart.mean()))
            beyond.append(float((apart > ONE_LEVEL).mean()))
    if other:
        return Effect(mean=np.inf, largest=np.inf, n=len(pairs), measured=on, sizes=other)
    if not means:
        return Effect(mean=0.0, largest=0.0, n=len(pairs), measured=on, beyond=0.0)
    return Effect(mean=float(np.mean(means)), largest=largest, n=len(pairs), measured=on, beyond=float(np.mean(beyond)))


def _size(pixels: NDArray[Any]) -> str:
    channels = "" if pixels.ndim < 3 or pixels.shape[2] == 3 else f"×{pixels.shape[2]}"
    return f"{pixels.shape[0]}×{pixels.shape[1]}{channels}"

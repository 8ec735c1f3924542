"""Statistics of pictures that were summed in float32, one value after another: recovered, and summed again.

``x.mean(axis=(0, 1, 2))`` of float32 pictures with channels last adds every pixel to a float32 sum. From about 10⁷
pixels that is off by more than sampling is, and no union of splits has mean 0 any more. But 8-bit pixels lie on 256
levels, so that the affine map can be read from the numbers (0 goes to −mean/std, one step to 1/std), the pixels
restored, and the sum repeated in the same order over each candidate: the right one gives the very same mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.split_roles import split_order
from dataguard.splits.normalization.accumulate import SplitState, arranged
from dataguard.splits.normalization.candidates import unions_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = 256
OFF_LEVEL = 0.05
"""How far from a level a value may lie, in steps between levels."""
SAME = 2e-5
"""How far apart, in standard deviations, two means may lie that are the same: reading them from float32 costs 10⁻⁶."""
MEANS = ("of 0 to 1", "of 0 to 255")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Levels:
    """The affine map of 8-bit channels: z = low + step·level; shape (channels,) each."""

    low: NDArray[np.float64]
    step: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """What was subtracted, in levels."""
        return -self.low / self.step

    @property
    def std(self) -> NDArray[np.float64]:
        """What was divided by, in levels."""
        return 1 / self.step


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What the repeated sums say."""

    fitting: tuple[tuple[str, ...], ...]
    """One union for all, or one for each split that has statistics of its own."""
    itself: bool
    inexact_std: float
    """The divisor over the standard deviation of the pixels it was computed from, less 1; the largest in size."""


def levels_of(state: SplitState) -> Levels | None:
    """The map of 8-bit channels that a split went through; None where its values are not on 256 levels.

    The darkest and the brightest level must both occur: otherwise it is not known which level is 0.
    """
    if state.units is None or state.layout == "features":
        return None
    rows = state.sample()
    rows = rows.reshape(len(rows), state.width, -1)
    low, step = [], []
    for channel in range(state.width):
        values = np.unique(rows[:, channel])
        first, last = float(state.units.low[channel]), float(state.units.high[channel])
        if not 2 <= len(values) <= LEVELS or not np.isfinite(last - first) or last <= first:
            return None
        pitch = (last - first) / (LEVELS - 1)
        level = (values - first) / pitch
        # Some neighbours must be one step apart, or the step is a fraction of the true one.
        if np.abs(level - np.rint(level)).max() > OFF_LEVEL or np.diff(np.rint(level)).min() > 1:
            return None
        low.append(first)
        step.append(pitch)
    return Levels(low=np.array(low), step=np.array(step))


def replay(
    batches: Mapping[str, Iterable[NDArray[np.generic]]], states: Mapping[str, SplitState], training: Sequence[str]
) -> Replayed | None:
    """Sum the pixels of each union of splits again as float32, one after another, and see which gives the mean used.

    Args:
        batches: The pictures of each split, in the order of the first pass.
        states: What was gathered in it.
        training: Names of the splits that are trained on.

    Returns:
        Which union explains the numbers; None where they are not 8-bit pixels, or none does.
    """
    maps: dict[str, Levels] = {}
    for name, state in states.items():
        found = levels_of(state)
        if found is None:
            return None
        maps[name] = found
    unions = unions_of(list(states), training)
    width = next(iter(states.values())).width
    sums = {(variant, union): np.zeros(width, dtype=np.float32) for variant in range(len(MEANS)) for union in unions}
    for name, items in batches.items():
        for batch in items:
            cube = arranged(np.asarray(batch), states[name].layout).astype(np.float64)
            level = np.rint((cube - maps[name].low[None, :, None]) / maps[name].step[None, :, None])
            pixels = np.ascontiguousarray(np.moveaxis(level.astype(np.float32), 1, 2).reshape(-1, width))
            for variant, unit in enumerate((pixels / np.float32(LEVELS - 1), pixels)):
                for union in unions:
                    if name in union:
                        start = sums[variant, union]
                        sums[variant, union] = np.add.reduce(np.concatenate([start[None], unit]), axis=0)
    return _explained(sums, maps, states, unions)


def _explained(
    sums: Mapping[tuple[int, frozenset[str]], NDArray[np.float32]],
    maps: Mapping[str, Levels],
    states: Mapping[str, SplitState],
    unions: Sequence[frozenset[str]],
) -> Replayed | None:
    for variant in range(len(MEANS)):
        factor = LEVELS - 1 if variant == 0 else 1
        means = {}
        for union in unions:
            values = sum(float(_values(states[name])) for name in union)
            means[union] = (sums[variant, union] / np.float32(values)).astype(np.float64) * factor
        matches: dict[str, list[frozenset[str]]] = {
            name: [union for union in unions if bool((np.abs(means[union] - found.mean) <= SAME * found.std).all())]
            for name, found in maps.items()
        }
        everywhere = [union for union in unions if all(union in found for found in matches.values())]
        if len(everywhere) == 1:
            off = _off([states[name] for name in everywhere[0]])
            return Replayed(fitting=(_ordered(everywhere[0]),), itself=False, inexact_std=off)
        chosen = {name: found[0] for name, found in matches.items() if len(found) == 1}
        if not everywhere and len(chosen) == len(maps) and len(set(chosen.values())) > 1:
            blocks = sorted({_ordered(union) for union in chosen.values()}, key=lambda one: split_order(one[0]))
            off = max((_off([states[name] for name in block]) for block in blocks), key=abs)
            return Replayed(fitting=tuple(blocks), itself=True, inexact_std=off)
    return None


def _values(state: SplitState) -> float:
    return 0.0 if state.units is None else float(state.units.values[0])


def _off(states: Sequence[SplitState]) -> float:
    sums = [state.units for state in states if state.units is not None]
    total = sums[0]
    for item in sums[1:]:
        total = total.merge(item)
    inexact: NDArray[np.float64] = np.sqrt(total.variance) ** -1 - 1
    return float(inexact[np.argmax(np.abs(inexact))])


def _ordered(union: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(union, key=split_order))

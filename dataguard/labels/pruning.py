"""Which labels confident learning flags, once the joint of given and true labels is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.labels.probabilities import (
    picked,
)
from dataguard.labels.scores import by_class

if TYPE_CHECKING:
    from numpy.typing import NDArray

TINY = 1e-100
"""Stands for 0 where a sum is divided by, as in cleanlab."""

EQUAL = 1e-6
"""Probabilities nearer than this count as equal, as in cleanlab."""

SMALL_CLASS = 1000
"""Below so many samples a class the calls for each cost more than sorting all at once. Decides speed alone."""

GATHERED = 500_000
"""How many margins at a time are gathered for the other pairs, unless one class holds more."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LargeMargins:
    """Margins p_other − p_given of some samples that are above a floor; arrays of one shape (m,)."""

    pair: NDArray[np.integer[Any]]
    """given · classes + other."""
    margin: NDArray[Any]
    row: NDArray[np.integer[Any]]


def filled(matrix: NDArray[np.int64]) -> NDArray[np.intp]:
    """Where a matrix of many zeros has none, row by row."""
    flags = np.zeros(-(-matrix.size // 8) * 8, dtype=bool)
    np.not_equal(matrix, 0, out=flags[: matrix.size].reshape(matrix.shape))
    return true_places(flags, matrix.size)


def true_places(flags: NDArray[np.bool_], size: int) -> NDArray[np.intp]:
    """Where the first `size` flags are true; a multiple of eight of them is writeable. Fastest where few are."""
    whole = -(-size // 8) * 8
    flags[size:whole] = False
    words = (flags[:whole].view(np.uint64) != 0).nonzero()[0]
    inner = flags[:whole].reshape(-1, 8).take(words, axis=0).reshape(-1).nonzero()[0]
    places: NDArray[np.intp] = words.take(inner >> 3)
    places <<= 3
    inner &= 7
    places += inner
    return places


def left_after(calibrated: NDArray[np.int64], least: int) -> NDArray[np.int64]:
    """How many samples given as the row's class to take for the column's, the diagonal raised to `least`."""
    diagonal = calibrated.diagonal()
    raised = np.maximum(diagonal, least)
    if (raised == diagonal).all():
        return calibrated
    spread = np.maximum(np.count_nonzero(calibrated, axis=1) - 1.0, 1.0)
    lowered: NDArray[Any] = calibrated - ((raised - diagonal) / spread)[:, None]
    lowered[lowered < 0] = 0
    np.fill_diagonal(lowered, raised)
    return lowered.astype(np.int64)


def lowest_by_class(
    confidence: NDArray[Any], order: NDArray[np.intp], starts: NDArray[np.intp], remove: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """The least confident labels of each given class, as many as the joint says are wrong."""
    chosen = np.zeros(len(confidence), dtype=bool)
    left = np.flatnonzero(remove > 0)
    if len(order) < SMALL_CLASS * len(remove):
        # Many small classes are ranked together; what equal values leave open is ranked by itself.
        sizes = np.diff(starts)[left]
        slots = np.repeat(np.arange(len(left), dtype=np.int32), sizes)
        places = np.arange(len(slots)) + np.repeat(starts[left] - np.cumsum(sizes) + sizes, sizes)
        rows = order[places]
        top, decided = _largest(slots, -confidence[rows], remove[left], above=None)
        chosen[rows[top]] = True
        left = left[~decided]
    if len(left):
        # One class after the other, as they lie in memory.
        ordered = confidence.take(order)
        flags = np.zeros(len(order), dtype=bool)
        for k in left.tolist():
            members = slice(starts[k], starts[k + 1])
            flags[members] = lowest(ordered[members], int(remove[k]))
        chosen[order.take(flags.nonzero()[0])] = True
    return chosen


def lowest(values: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """Which are the `count` lowest; among equal ones those that NumPy's sort puts first, as in cleanlab."""
    if count <= 0:
        return np.zeros(len(values), dtype=bool)
    if count >= len(values):
        return np.ones(len(values), dtype=bool)
    chosen: NDArray[np.bool_] = values <= np.partition(values, count - 1)[count - 1]
    if int(np.count_nonzero(chosen)) != count:
        chosen[:] = False
        chosen[np.argsort(values)[:count]] = True
    return chosen


def by_noise_rate(
    array: NDArray[Any],
    codes: NDArray[np.int32],
    confidence: NDArray[Any],
    order: NDArray[np.intp],
    starts: NDArray[np.intp],
    floor: float,
    large: list[LargeMargins],
    remove: NDArray[np.int64],
    doubted: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """For each pair (given, other) the samples with the largest margins p_other − p_given, as many as `remove` says.

    Only samples of `wanted` are told right. Samples that are not `doubted` have no margin above 1e-6, so larger margins
    are ranked without them; the few pairs that need more are looked at whole.
    """
    n, k = array.shape
    native = confidence.dtype
    asked = filled(remove)
    chosen = np.zeros(n, dtype=bool)
    if not len(asked):
        return chosen
    wants = remove.reshape(-1)[asked]
    pair = np.concatenate([one.pair for one in large])
    slot_of = np.full(k * k, -1, dtype=np.int32)
    slot_of[asked] = np.arange(len(asked), dtype=np.int32)
    slots = slot_of.take(pair)
    kept = np.flatnonzero(slots >= 0)
    slots = slots.take(kept)
    margins = np.concatenate([one.margin for one in large]).take(kept)
    # A margin that rounds to the floor may have equals that were passed over.
    top, decided = _largest(slots, margins, wants, above=native.type(floor))
    chosen[np.concatenate([one.row for one in large]).take(kept[top])] = True
    del slots, margins, kept
    doubts = np.flatnonzero(doubted)

    # What is left undecided there needs the doubted samples with smaller margins, or all samples of the given class.
    doubt_order, doubt_starts = by_class(codes.take(doubts), k)
    for group, bounds, above in (
        (doubts.take(doubt_order), doubt_starts, native.type(2 * EQUAL)),
        (order, starts, None),
    ):
        open_classes = np.bincount(codes[wanted & ~chosen], minlength=k) > 0
        left = np.flatnonzero(~decided)
        left = left[open_classes[asked[left] // k]]
        sizes = np.diff(bounds)[asked[left] // k]
        ends = np.cumsum(sizes)
        first = 0
        while first < len(left):
            done = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, done + GATHERED, side="right")))
            batch, size = left[first:last], sizes[first:last]
            stops = np.cumsum(size)
            places = np.arange(int(size.sum())) + np.repeat(bounds[asked[batch] // k] - stops + size, size)
            members = group[places]
            margins = picked(array, members, np.repeat(asked[batch] % k, size)).astype(native, copy=False)
            margins = margins - confidence[members]
            slots = np.repeat(np.arange(len(batch), dtype=np.int32), size)
            top, found = _largest(slots, margins, wants[batch], above=above)
            chosen[members[top]] = True
            decided[batch] = found
            for index in np.flatnonzero(~found).tolist() if above is None else ():
                part = slice(int(stops[index] - size[index]), int(stops[index]))
                # Equal margins on both sides of the edge: as NumPy sorts them, which is what cleanlab goes by.
                if (wanted[members[part]] & ~chosen[members[part]]).any():
                    ranked = np.argsort(-margins[part])[: int(wants[batch[index]])]
                    chosen[members[part][ranked]] = True
            first = last
    return chosen


def _largest(
    slots: NDArray[np.int32], margins: NDArray[Any], wants: NDArray[np.int64], *, above: Any
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the margins are among the largest of their class pair, as many as it wants.

    Args:
        slots: Which pair each margin is of, 0 … len(wants) − 1.
        margins: Shape as `slots`.
        wants: How many each pair wants, 1 or more.
        above: Margins of up to so much may be missing; None where all are here.

    Returns:
        Which margins, False in pairs that are not decided; and which pairs are decided: those with enough margins here,
        and without equal ones on both sides of the edge.
    """
    decided = np.zeros(len(wants), dtype=bool)
    if not len(slots):
        return np.zeros(0, dtype=bool), decided
    # Floats are ordered as their bits are, but for the sign: one sort of whole numbers ranks the margins of all pairs.
    # Rounding float64 to float32 keeps the order; what it makes equal at an edge is left undecided.
    bits = (margins.astype(np.float32, copy=False) + np.float32(0)).view(np.int32)
    np.bitwise_xor(bits, np.int32(0x7FFFFFFF), out=bits, where=bits < 0)
    keys = slots.astype(np.int64)
    keys <<= 32
    keys += 0x7FFFFFFF
    keys -= bits
    ranked = np.sort(keys)
    ends = np.cumsum(np.bincount(slots, minlength=len(wants)))
    edges = np.concatenate([[0], ends[:-1]]) + wants
    limit = np.full(len(wants), -1, dtype=np.int64)
    if above is None:
        whole = (edges >= ends) & (np.diff(ends, prepend=0) > 0)
        limit[whole] = ranked[ends[whole] - 1]
        decided |= edges >= ends
    enough = np.flatnonzero(edges <= ends)
    edge = ranked[edges[enough] - 1]
    clear = (edges[enough] == ends[enough]) | (ranked[np.minimum(edges[enough], len(ranked) - 1)] != edge)
    if above is not None:
        clear &= 0x7FFFFFFF - (edge & 0xFFFFFFFF) > int(np.float32(above).view(np.int32))
    limit[enough[clear]] = edge[clear]
    decided[enough[clear]] = True
    return keys <= limit.take(slots), decided


def clipped_rates(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rates off the diagonal below 1, which the reference does before it counts."""
    clipped = np.clip(matrix, 0, 0.9999)
    np.fill_diagonal(clipped, matrix.diagonal())
    normalized: NDArray[np.float64] = clipped / np.clip(clipped.sum(axis=0), TINY, None)
    return normalized


def rounded_up(values: NDArray[Any], kind: type[np.float32 | np.float64]) -> NDArray[Any]:
    """The least numbers of a type that are not below: x ≥ value then holds for the same x of that type."""
    near = values.astype(kind)
    below = near < values
    near[below] = np.nextafter(near[below], kind(np.inf))
    return near

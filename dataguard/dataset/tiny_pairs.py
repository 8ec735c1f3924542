"""Pairs of tiny pictures that no edit explains, told many at a time.

A second look at a pair of tiny pictures tries dozens of ways to make the one from the other. Of two pictures of one
size, neither of which is a JPEG, most of these are the same, and what they leave unexplained is had for thousands of
pairs at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataguard.dataset.likeness import LUMA
from dataguard.dataset.registration import WHOLE, Window, as_window, cut_off, inverse, register, warped
from dataguard.dataset.second_look import TINY, Decoded, cropped
from dataguard.dataset.table import THUMBNAIL_SIDE
from dataguard.dataset.tone_curves import toned, unexplained

if TYPE_CHECKING:
    from numpy.typing import NDArray


def least_residuals(
    pairs: Sequence[tuple[Decoded, Decoded]], windows: Sequence[Window], *, max_cut: float
) -> NDArray[np.float64]:
    """What a second look at each pair leaves unexplained at least.

    Args:
        pairs: The left and the right picture of each.
        windows: What the right one shows of the left one, roughly, as in `second_look`.
        max_cut: Pairs that lack more of a side are not believed, so that what these windows leave is left out.

    Returns:
        Shape (n,): the least of all ways that lead to a pair that may be believed; 0 where it takes a second look.
    """
    found = np.zeros(len(pairs))
    by_shape: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, (left, right) in enumerate(pairs):
        if _is_simple(left, right):
            by_shape[left.pixels.shape].append(index)
    for members in by_shape.values():
        one, other = (np.stack([pairs[index][side].pixels for index in members]).astype(np.float32) for side in (0, 1))
        found[members] = np.minimum(*_both_ways(one, other))
        cut = np.flatnonzero([windows[index] != WHOLE for index in members])
        if len(cut):
            chosen = [members[place] for place in cut]
            start = [windows[index] for index in chosen]
            fitted, within = _in_windows(one[cut], other[cut], np.array(start, dtype=np.float32))
            crops = [
                any(_may_be_crop(*pairs[index], guess, max_cut) for guess in guesses)
                for index, *guesses in zip(chosen, start, fitted, strict=True)
            ]
            found[chosen] = np.where(crops, 0, np.minimum(found[chosen], within))
    return found


def _is_simple(left: Decoded, right: Decoded) -> bool:
    """Whether all ways to make the one from the other are tone curves."""
    height, width = left.pixels.shape[:2]
    return (
        left.pixels.shape == right.pixels.shape
        and left.tables is None
        and right.tables is None
        and 2 <= min(height, width) <= THUMBNAIL_SIDE
        and max(height, width) <= TINY
    )


def _may_be_crop(left: Decoded, right: Decoded, window: Window, max_cut: float) -> bool:
    """Whether one may be the other with some whole rows or columns cut off, and resized."""
    exact = (cropped(left, window)[1], inverse(cropped(right, inverse(window))[1]))
    return any(part != WHOLE and cut_off(part) <= max_cut for part in exact)


def _both_ways(one: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return unexplained(toned(one, other), other), unexplained(toned(other, one), one)


def _in_windows(
    one: NDArray[np.float32], other: NDArray[np.float32], start: NDArray[np.float32]
) -> tuple[list[Window], NDArray[np.float64]]:
    """The windows that fit the right pictures best, and what the larger of both ways leaves in them."""
    grays = [np.asarray(pictures @ LUMA, dtype=np.float32) for pictures in (one, other)]
    windows = register(grays[0], grays[1], start, steps=5)
    values = np.stack([warped(np.ascontiguousarray(one[..., band]), windows)[0] for band in range(3)], axis=-1)
    inside = warped(grays[0], windows)[1]
    by_box: defaultdict[tuple[int, int, int, int], list[int]] = defaultdict(list)
    found = np.ones(len(one))
    for index, mask in enumerate(inside):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if min(len(rows), len(columns)) >= 2:
            by_box[rows[0], rows[-1] + 1, columns[0], columns[-1] + 1].append(index)
    for (top, bottom, left, right), members in by_box.items():
        box = (members, slice(top, bottom), slice(left, right))
        found[members] = np.maximum(*_both_ways(values[box], other[box]))
    return [as_window(window) for window in windows], found

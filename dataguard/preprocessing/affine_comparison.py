"""Whether two maps of levels are one, however they are written, and which known slip leads from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataguard.preprocessing.differing import ONE_LEVEL, Aspect, Effect
from dataguard.preprocessing.pipeline import Affine
from dataguard.preprocessing.words import range_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RELATIVE = 5e-3
"""What measured scales and offsets may be off by: half-precision answers know a scale to about 0.1 %."""
_FACTORS = (255.0, 256.0, 257.0, 127.5, 128.0, 65535.0)
_FAR = 8.0
"""Scales that are further apart than this are of another range of values: deviations in use differ by less than 4."""


def affine_effect(left: Affine, right: Affine, pixels: Sequence[NDArray[np.uint8]], on: str, *, turned: bool) -> Effect:
    """How far apart two maps are on some pictures, in levels of the first.

    Args:
        left: The map that levels are counted by.
        right: The other.
        pixels: Pictures, uint8, shape (height, width, channels), in the order of the first.
        on: What they are, in words.
        turned: Whether the second has its channels in reversed order.
    """
    largest, means = 0.0, []
    for picture in pixels:
        for channel in range(picture.shape[2]):
            counts = np.bincount(picture[:, :, channel].ravel(), minlength=256)
            apart = _apart(left, right, channel, picture.shape[2], turned)
            largest = max(largest, float(apart[counts > 0].max(initial=0.0)))
            means.append(float((apart * counts).sum() / counts.sum()))
    return Effect(mean=float(np.mean(means)), largest=largest, n=len(pixels), measured=on)


def farthest(left: Affine, right: Affine, *, channels: int = 3, turned: bool = False) -> float:
    """The most that two maps differ by at any level, in levels of the first."""
    return max(float(_apart(left, right, channel, channels, turned).max()) for channel in range(channels))


def _apart(left: Affine, right: Affine, channel: int, channels: int, turned: bool) -> NDArray[np.float64]:
    scale, offset = left.channel(channel)
    other_scale, other_offset = right.channel(channels - 1 - channel if turned else channel)
    if scale == 0:
        return np.full(256, np.inf if other_scale else 0.0)
    apart: NDArray[np.float64] = np.abs((other_scale - scale) * np.arange(256) + other_offset - offset) / abs(scale)
    return apart


def same_map(left: Affine, right: Affine, *, turned: bool = False) -> bool:
    """Whether two maps differ by no more than rounding does."""
    return farthest(left, right, turned=turned) <= ONE_LEVEL


def slip(left: Affine, right: Affine, *, turned: bool = False) -> tuple[Aspect, str]:
    """What kind of difference two maps have, and what leads from the first to the second, '' where that is unknown.

    Normalized twice: one is the other followed by itself, or by its own mean and deviation once more. Another value
    range: both are plain ranges (0 to 255, 0 to 1, −1 to 1, …), or their scales are far apart (above 8 times). Else it
    is the mean and deviation.
    """
    ours = _channels(left)
    theirs = _channels(right)[::-1] if turned else _channels(right)
    for first, second, where in ((ours, theirs, "the second"), (theirs, ours, "the first")):
        if _is(second, _after(first, first)):
            return "normalized twice", f"{where} applies the same map twice"
        if (first[:, 0] != 0).all() and _is(second, _after(first, _normalization(first))):
            return "normalized twice", f"{where} subtracts the mean and divides by the deviation twice"
    ratio = theirs[:, 0] / np.where(ours[:, 0] == 0, np.nan, ours[:, 0])
    for factor in _FACTORS:
        for value, words in ((factor, "lacks a division by"), (1 / factor, "divides once more by")):
            if np.allclose(ratio, value, rtol=_RELATIVE):
                return "value range", f"the second {words} {factor:g}"
    if np.allclose(ratio, -1, rtol=_RELATIVE):
        return "value range", "the second is inverted"
    if range_words(left) is not None and range_words(right) is not None:
        return "value range", ""
    if not (np.abs(ratio) < _FAR).all() or not (np.abs(ratio) > 1 / _FAR).all():
        return "value range", ""
    return "mean and std", ""


def _channels(affine: Affine) -> NDArray[np.float64]:
    """Scale and offset of three channels; shape (3, 2)."""
    return np.array([affine.channel(index) for index in range(3)])


def _normalization(channels: NDArray[np.float64]) -> NDArray[np.float64]:
    """(x − mean)/std alone, of a map that divides by 255 first; shape (3, 2)."""
    scale = channels[:, 0] * 255
    return np.stack([scale, channels[:, 1]], axis=1)


def _after(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([second[:, 0] * first[:, 0], second[:, 0] * first[:, 1] + second[:, 1]], axis=1)


def _is(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> bool:
    """Whether two maps agree to the precision that maps are measured with, relative to what they span."""
    span = np.abs(255 * wanted[:, 0])
    if (span == 0).any():
        return False
    ends = [np.abs((found[:, 0] - wanted[:, 0]) * level + found[:, 1] - wanted[:, 1]) for level in (0.0, 255.0)]
    return bool((np.maximum(*ends) <= _RELATIVE * span).all())

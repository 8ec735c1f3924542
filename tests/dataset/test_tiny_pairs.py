from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.dataset.registration import WHOLE, Window, cut_off
from dataguard.dataset.second_look import Decoded, second_look
from dataguard.dataset.tiny_pairs import least_residuals

MAX_CUT = 0.08
CUT: Window = (0.95, 0.0, 0.95, 0.0)


def smooth(seed: int, side: int, colours: int = 3) -> NDArray[np.uint8]:
    """A picture with more in its low frequencies, as a scan is."""
    noise = np.random.default_rng(seed).normal(0, 1, (side, side, colours)).astype(np.float32)
    blurred = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.2)).reshape(side, side, colours)
    levels = 128 + 60 * blurred / blurred.std()
    picture: NDArray[np.uint8] = np.clip(np.broadcast_to(levels, (side, side, 3)), 0, 255).astype(np.uint8)
    return picture


def least(left: NDArray[np.uint8], right: NDArray[np.uint8], window: Window = WHOLE) -> float:
    return float(least_residuals([(Decoded(pixels=left), Decoded(pixels=right))], [window], max_cut=MAX_CUT)[0])


def test_a_brighter_copy_leaves_nothing_and_another_picture_much() -> None:
    left = smooth(0, 8)
    assert least(left, np.clip(left * 0.7 + 30, 0, 255).astype(np.uint8)) < 0.001
    assert least(left, smooth(1, 8)) > 0.1


def test_what_takes_more_than_tone_curves_is_left_to_the_second_look() -> None:
    left, other = smooth(0, 28), smooth(1, 28)
    tables = Decoded(pixels=other, tables={0: [1] * 64})
    pairs = [
        (Decoded(pixels=left), Decoded(pixels=smooth(1, 14))),
        (Decoded(pixels=left), tables),
        (Decoded(pixels=smooth(0, 48)), Decoded(pixels=smooth(1, 48))),
        (Decoded(pixels=left), Decoded(pixels=other)),
    ]
    # Of 28 pixels, one may have been cut off: that is within what is looked for.
    windows = [WHOLE, WHOLE, WHOLE, CUT]
    assert least_residuals(pairs, windows, max_cut=MAX_CUT).tolist() == [0, 0, 0, 0]
    assert least(left, other) > 0


@pytest.mark.parametrize("window", [WHOLE, CUT, (1.05, 0.02, 1.0, 0.05)])
@given(seed=st.integers(0, 10_000), likeness=st.sampled_from([0.0, 0.5, 0.9, 1.0]), side=st.sampled_from([6, 8, 12]))
@settings(max_examples=8, deadline=None)
def test_no_second_look_that_may_be_believed_leaves_less(window: Window, seed: int, likeness: float, side: int) -> None:
    """The law that rejecting by it rests on."""
    left, other = smooth(seed, side), smooth(seed + 1, side, colours=1)
    right = np.rint(likeness * left + (1 - likeness) * other).astype(np.uint8)
    seen = second_look(Decoded(pixels=left), Decoded(pixels=right), window=window)
    if cut_off(seen.window) <= MAX_CUT:
        assert least(left, right, window) <= seen.residual + 1e-5

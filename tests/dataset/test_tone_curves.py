from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.dataset.tone_curves import one_tone_change, spread, toned, unexplained

CURVES: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "contrast": lambda x: 0.5 * x + 60,
    "clipped": lambda x: np.clip(1.6 * x - 20, 0, 255),
    "power": lambda x: 255 * (x / 255) ** np.float32(0.5),
    "quadratic": lambda x: 40 + 0.4 * x + 0.0015 * x * x,
}


def pictures(seed: int, n: int = 1, side: int = 12) -> NDArray[np.float32]:
    """Independent values in colour."""
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3)).astype(np.float32)


@pytest.mark.parametrize("name", CURVES)
def test_every_curve_that_is_looked_for_is_found(name: str) -> None:
    source = pictures(0)
    target = CURVES[name](source).astype(np.float32)
    assert np.abs(toned(source, target) - target).max() < 1
    assert unexplained(toned(source, target), target)[0] < 1e-4


def test_gray_pictures_have_curves_too() -> None:
    source = np.repeat(pictures(1)[..., :1], 3, axis=-1)
    assert spread(source)[0] < 1e-3
    target = (20 + source / 2).astype(np.float32)
    assert np.abs(toned(source, target) - target).max() < 1


def test_an_unrelated_picture_stays_unexplained() -> None:
    assert unexplained(toned(pictures(0), pictures(1)), pictures(1))[0] > 0.9


def test_blur_is_left_out_and_a_negative_is_none() -> None:
    source = pictures(2)
    blurred = source + np.float32(0.1) * np.asarray(cv2.Laplacian(source[0], cv2.CV_32F), dtype=np.float32)
    assert unexplained(source, blurred)[0] < 0.01
    assert unexplained(255 - source, source)[0] == 1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_of_one_tone_leaves_all_or_nothing(value: int) -> None:
    flat = np.full((1, 8, 8, 3), value, np.float32)
    assert unexplained(toned(pictures(0, side=8), flat), flat)[0] == 1
    assert np.isfinite(toned(flat, pictures(0, side=8))).all()
    assert one_tone_change(pictures(0, side=8)[0], flat[0]) == 1


@given(seed=st.integers(0, 1000), n=st.integers(2, 5))
@settings(max_examples=10, deadline=None)
def test_many_at_a_time_are_told_as_one_by_one(seed: int, n: int) -> None:
    """Gray ones, clipped ones and flat ones among them."""
    one, other = pictures(seed, n, 6), pictures(seed + 1, n, 6)
    one[0] = one[0, ..., :1]
    other[1] = np.clip(one[1] * 2, 0, 255)
    one[-1] = 7
    together = toned(one, other)
    single = np.concatenate([toned(a[None], b[None]) for a, b in zip(one, other, strict=True)])
    assert np.abs(together - single).max() < 0.5
    assert unexplained(together, other) == pytest.approx(
        [unexplained(a[None], b[None])[0] for a, b in zip(together, other, strict=True)], abs=1e-5
    )

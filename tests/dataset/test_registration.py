from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.dataset.registration import WHOLE, register, warped, window_residuals


def smooth(seed: int, n: int = 1) -> NDArray[np.float32]:
    """Random pictures of a few low frequencies, shape (n, 32, 32)."""
    generator = np.random.default_rng(seed)
    position = (np.arange(32) + 0.5) / 32
    basis = np.cos(np.pi * np.arange(6)[:, None] * position)
    weights = generator.normal(0, 60, (n, 6, 6)) / (1 + np.add.outer(np.arange(6), np.arange(6)))
    made: NDArray[np.float32] = (128 + np.einsum("nij,iy,jx->nyx", weights, basis, basis)).astype(np.float32)
    return made


def test_the_whole_window_is_the_picture() -> None:
    pictures = smooth(0, 3)
    same, inside = warped(pictures, np.tile(np.array(WHOLE, dtype=np.float32), (3, 1)))
    np.testing.assert_allclose(same, pictures, rtol=1e-5)
    assert inside.all()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    window=st.tuples(st.floats(0.9, 1.0), st.floats(-0.04, 0.04), st.floats(0.9, 1.0), st.floats(-0.04, 0.04)),
    gain=st.floats(0.4, 1.5),
)
def test_finds_the_window_whatever_the_light(seed: int, window: tuple[float, float, float, float], gain: float) -> None:
    left = smooth(seed)
    right = gain * warped(left, np.array([window], dtype=np.float32))[0] + 10
    found = register(left, right.astype(np.float32), steps=10)
    assert window_residuals(left, right.astype(np.float32), found)[0] < 0.01


def test_unrelated_pictures_do_not_fit() -> None:
    left, right = smooth(1, 40), smooth(2, 40)
    residual = window_residuals(left, right, register(left, right))
    assert np.median(residual) > 0.3
    assert residual.min() > 0.01


def test_a_flat_picture_stays_where_it_is() -> None:
    flat = np.full((1, 32, 32), 7, np.float32)
    assert register(flat, smooth(3))[0] == pytest.approx(WHOLE)
    assert window_residuals(flat, smooth(3), np.array([WHOLE], dtype=np.float32))[0] == 1

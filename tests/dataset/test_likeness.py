from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.dataset.likeness import (
    Background,
    gray,
    paired_residuals,
    residuals,
    tone_basis,
)


def textures(n: int, seed: int = 0, dimension: int = 40) -> NDArray[np.float32]:
    """Points of a linear subspace of that dimension, as pictures of 1,024 pixels."""
    generator = np.random.default_rng(seed)
    directions = generator.normal(size=(dimension, 1024))
    return (generator.normal(size=(n, dimension)) @ directions * 10 + 128).astype(np.float32)


def between(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    return float(paired_residuals(tone_basis(left), tone_basis(right)[0])[0])


@settings(max_examples=25, deadline=None)
@given(gain=st.floats(0.1, 10), offset=st.floats(-100, 100), seed=st.integers(0, 1000))
def test_residual_ignores_gain_and_offset(gain: float, offset: float, seed: int) -> None:
    picture = textures(1, seed)
    assert between(picture, (gain * picture + offset).astype(np.float32)) < 1e-4


def test_residual_ignores_most_of_gamma() -> None:
    picture = (np.clip(textures(1), 0, 255) / 255).astype(np.float32)
    straight = 1 - np.corrcoef(picture[0], picture[0] ** 2)[0, 1] ** 2
    assert between(picture, picture**2) < straight / 20


def test_residual_of_a_negative_and_of_unrelated_pictures_is_large() -> None:
    pictures = textures(2)
    assert between(pictures[:1], -pictures[:1]) == 1
    assert between(pictures[:1], pictures[1:]) > 0.5


def test_constant_and_two_level_pictures_give_finite_residuals() -> None:
    constant = np.full((1, 1024), 7, dtype=np.float32)
    levels = np.where(np.arange(1024) % 3 == 0, 10, 200).astype(np.float32)[None]
    assert between(constant, levels) == 1
    assert between(levels, 3 * levels) < 1e-5


def test_residuals_is_the_matrix_of_paired_residuals() -> None:
    pictures = textures(6)
    basis = tone_basis(pictures)
    matrix = residuals(basis, basis[0])
    for i in range(6):
        for j in range(6):
            assert matrix[i, j] == pytest.approx(between(pictures[i : i + 1], pictures[j : j + 1]), abs=1e-5)


def test_gray_is_luma() -> None:
    picture = np.array([[[[255, 0, 0], [0, 255, 0], [10, 10, 10]]]], dtype=np.uint8)
    assert gray(picture)[0] == pytest.approx([0.299 * 255, 0.587 * 255, 10], abs=1e-3)


@pytest.mark.parametrize("dimension", [4, 10])
def test_background_finds_the_dimension(dimension: int) -> None:
    background = Background.estimate(textures(1_500, dimension=dimension), np.arange(1_500), 1_500)
    # Directions of d numbers have d − 1 degrees of freedom; the estimate is cautious, and edges bias it downwards.
    assert 0.6 * (dimension - 1) <= background.dimension <= dimension


def test_chance_pairs_agree_with_what_unrelated_pictures_show() -> None:
    values = textures(1_000, dimension=5)
    background = Background.estimate(values, np.arange(1_000), 1_000)
    yardsticks = background.yardsticks(values, np.arange(1_000))
    basis = tone_basis(values)
    matrix = residuals(basis, basis[0])
    np.fill_diagonal(matrix, 2)
    expected = background.chance_pairs(matrix.min(axis=1), *yardsticks)
    # Where at most 10 are expected there are no more than a Poisson number of mean 10, each seen from both sides.
    assert (expected <= 10).sum() <= 2 * 22


def test_a_copy_stands_out_of_the_background() -> None:
    values = textures(500)
    background = Background.estimate(values, np.arange(500), 500)
    copy = values[:1] + np.random.default_rng(1).normal(0, 3, (1, 1024)).astype(np.float32)
    residual = np.array([between(values[:1], copy)], dtype=np.float32)
    assert background.chance_pairs(residual, *background.yardsticks(values[:1], np.array([0])))[0] < 1e-6


def test_yardstick_leaves_the_picture_itself_out() -> None:
    values = textures(12)
    background = Background.estimate(values, np.arange(12), 12)
    with_itself = background.yardsticks(values[:1], np.array([99]))
    assert background.yardsticks(values[:1], np.array([0]))[0] > with_itself[0]


def picture(seed: int, height: int = 90, width: int = 120) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (height // 3, width // 3, 3)).astype(np.uint8)
    return np.repeat(np.repeat(coarse, 3, axis=0), 3, axis=1)

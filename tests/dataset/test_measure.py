from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.dataset import measure as module
from dataguard.dataset import native_measure
from dataguard.dataset.measure import measure
from tests.dataset.compiled import compiled_library

SIZES = [(1, 1), (1, 7), (8, 8), (31, 33), (64, 100), (127, 300), (128, 128), (129, 255), (375, 500), (401, 263)]


@pytest.fixture(params=["measure.c", "OpenCV and numpy"], autouse=True)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either way of measuring."""
    if request.param == "measure.c":
        monkeypatch.setattr(native_measure, "LIBRARY", compiled_library())
    else:
        monkeypatch.setattr(module, "native_measure", lambda pixels, order: None)


def picture(height: int, width: int, channels: int, dtype: Any = np.uint8) -> NDArray[Any]:
    """Smooth enough to look like one, with noise, and with all values from lowest to highest."""
    generator = np.random.default_rng(height * 1000 + width)
    y, x = np.mgrid[0:height, 0:width]
    top = np.iinfo(dtype).max
    waves = np.stack([np.sin(x / (9 + k) + k) + np.cos(y / (7 + 2 * k)) for k in range(channels)], axis=-1)
    values = np.clip((waves + 2) / 4 + generator.normal(0, 0.02, waves.shape), 0, 1) * top
    result = values.astype(dtype)
    return np.ascontiguousarray(result[..., 0] if channels == 1 else result)


def cell_means(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Means over equal areas, written down as their definition."""

    def weights(length: int) -> NDArray[np.float64]:
        cells = np.zeros((32, length))
        for cell in range(32):
            low, high = cell * length / 32, (cell + 1) * length / 32
            for pixel in range(int(low), min(length, int(np.ceil(high)))):
                cells[cell, pixel] = min(high, pixel + 1) - max(low, pixel)
        return cells / (length / 32)

    means: NDArray[np.float64] = np.einsum(
        "ki,ijc,lj->klc", weights(pixels.shape[0]), pixels.astype(float), weights(pixels.shape[1]), optimize=True
    )
    return means


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_sums_are_exact(height: int, width: int) -> None:
    for dtype in (np.uint8, np.uint16):
        pixels = picture(height, width, 3, dtype)
        found = measure(pixels, (2, 1, 0))
        flat = pixels.reshape(-1, 3).astype(object)[:, ::-1]
        assert found.sums == tuple(flat.sum(axis=0))
        assert found.squares == tuple((flat * flat).sum(axis=0))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_sums_of_the_brightest_picture_are_exact(dtype: Any) -> None:
    pixels = np.full((1111, 1999), np.iinfo(dtype).max, dtype=dtype)
    found = measure(pixels, (0,))
    top = int(np.iinfo(dtype).max)
    assert found.sums == (pixels.size * top,)
    assert found.squares == (pixels.size * top * top,)
    assert (found.thumbnail == 255).all()


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_thumbnail_is_the_mean_over_cells(height: int, width: int) -> None:
    pixels = picture(height, width, 3)
    found = measure(pixels, (0, 1, 2)).thumbnail
    assert found.shape == (32, 32, 3)
    error = np.abs(found - cell_means(pixels))
    # Exact up to rounding; two halvings may round twice more and move an edge by a fraction of a pixel.
    assert error.max() <= (0.51 if min(height, width) < 128 else 12)
    assert error.mean() <= 1


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channels_come_in_the_order_asked_for(channels: int) -> None:
    pixels = picture(150, 140, channels)
    order = {1: (0,), 2: (0, 1), 3: (2, 1, 0), 4: (2, 1, 0, 3)}[channels]
    found = measure(pixels, order)
    planes = pixels.reshape(150, 140, channels)
    assert found.sums == tuple(int(planes[..., channel].sum()) for channel in order)
    colours = order[:3] if channels > 2 else (0, 0, 0)
    for position, channel in enumerate(colours):
        alone = measure(np.ascontiguousarray(planes[..., channel]), (0,)).thumbnail[..., 0]
        assert (found.thumbnail[..., position] == alone).all()


def test_gray_with_alpha_among_four_channels() -> None:
    pixels = picture(40, 50, 4)
    found = measure(pixels, (0, 3))
    assert found.sums == (int(pixels[..., 0].sum()), int(pixels[..., 3].sum()))
    assert (found.thumbnail == measure(np.ascontiguousarray(pixels[..., 0]), (0,)).thumbnail).all()


def test_a_picture_in_strips_is_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = picture(301, 200, 3)
    whole = measure(pixels, (2, 1, 0))
    monkeypatch.setattr(module, "_STRIP", 5_000)
    strips = measure(pixels, (2, 1, 0))
    assert (strips.sums, strips.squares) == (whole.sums, whole.squares)
    assert (strips.thumbnail == whole.thumbnail).all()


def test_a_very_long_picture() -> None:
    pixels = np.full((3, 40_000), 77, dtype=np.uint8)
    found = measure(pixels, (0,))
    assert found.sums == (3 * 40_000 * 77,)
    assert (found.thumbnail == 77).all()


def test_16_bit_thumbnails_are_scaled_to_8() -> None:
    eight = picture(60, 60, 1)
    assert (measure(eight.astype(np.uint16) * 257, (0,)).thumbnail == measure(eight, (0,)).thumbnail).all()

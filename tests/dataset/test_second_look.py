from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dataguard.dataset.registration import WHOLE
from dataguard.dataset.second_look import Decoded, second_look

Picture = NDArray[np.uint8]


def leaves(seed: int, height: int = 96, width: int = 128) -> Picture:
    """Overlapping discs of all sizes."""
    generator = np.random.default_rng(seed)
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = generator.integers(0, 256, 3)
    for _ in range(150):
        centre = int(generator.integers(0, width)), int(generator.integers(0, height))
        colour = [int(value) for value in generator.integers(0, 256, 3)]
        cv2.circle(picture, centre, int(3 / (generator.random() ** 0.5 + 0.06)), colour, -1, cv2.LINE_AA)
    return picture


def disc(colour: tuple[int, int, int], radius: int = 30) -> Picture:
    picture = np.full((96, 96, 3), 255, np.uint8)
    cv2.circle(picture, (48, 48), radius, colour, -1, cv2.LINE_AA)
    return picture


def jpeg(picture: Picture, quality: int) -> Decoded:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as image:
        return Decoded(pixels=np.asarray(image.convert("RGB")), tables=image.quantization, subsampling=2)  # type: ignore[attr-defined]


def test_tells_a_copy_from_another_picture() -> None:
    left = leaves(0)
    copy = second_look(Decoded(pixels=left), Decoded(pixels=np.asarray(cv2.resize(left, (100, 75)), dtype=np.uint8)))
    other = second_look(Decoded(pixels=left), Decoded(pixels=leaves(1)))
    assert copy.detail is not None
    assert copy.detail > 0.8
    assert copy.residual < 0.02
    assert other.detail is None or other.detail < 0.3
    assert other.residual > 0.5


def test_saves_again_what_was_saved_so_that_nothing_is_left_over() -> None:
    scan = np.asarray(cv2.resize(leaves(3), (8, 8), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    found = second_look(Decoded(pixels=scan), jpeg(scan, 40))
    assert found.saved_again
    assert found.residual < 1e-4
    assert second_look(Decoded(pixels=scan), Decoded(pixels=jpeg(scan, 40).pixels)).residual > 100 * found.residual


def test_finds_the_window_that_a_crop_left() -> None:
    left = leaves(5)
    cut = np.asarray(cv2.resize(left[5:91, 6:122], (128, 96), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    found = second_look(Decoded(pixels=left), Decoded(pixels=cut), window=(0.93, 0.0, 0.93, 0.0))
    assert found.window[0] == pytest.approx(116 / 128, abs=0.005)
    assert found.window[2] == pytest.approx(86 / 96, abs=0.005)
    assert found.detail is not None
    assert found.detail > 0.7


def test_prefers_the_whole_where_nothing_was_cut() -> None:
    left = leaves(6)
    assert second_look(Decoded(pixels=left), jpeg(left, 90), window=(0.93, 0.0, 0.93, 0.0)).window == WHOLE


def test_tells_a_shape_in_another_colour_from_one_that_was_made_brighter() -> None:
    blue = disc((40, 60, 160))
    brighter = np.clip(blue.astype(int) + 40, 0, 255).astype(np.uint8)
    same = second_look(Decoded(pixels=blue), Decoded(pixels=brighter))
    turned = second_look(Decoded(pixels=brighter), Decoded(pixels=blue))
    other = second_look(Decoded(pixels=blue), Decoded(pixels=disc((20, 60, 110))))
    assert same.silhouette
    assert other.silhouette
    assert max(same.one_tone_change, turned.one_tone_change) < 0.001
    assert other.one_tone_change > 0.01


def test_colours_are_nothing_to_compare_where_one_is_gray() -> None:
    left = leaves(7)
    luma = np.asarray(cv2.cvtColor(left, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    gray = np.repeat(luma[..., None], 3, axis=2)
    assert second_look(Decoded(pixels=left), Decoded(pixels=gray)).chroma is None
    swapped = second_look(Decoded(pixels=left), Decoded(pixels=np.ascontiguousarray(left[..., ::-1])))
    assert swapped.chroma is not None
    assert swapped.chroma < 0.9


@pytest.mark.parametrize("size", [(2, 2), (1, 5), (3, 200)])
def test_takes_pictures_of_any_size(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
    found = second_look(Decoded(pixels=picture), Decoded(pixels=picture))
    assert found.detail is None
    assert 0 <= found.residual <= 1


def test_a_disc_cut_to_fit_a_larger_one_has_nothing_within_to_speak_for_it() -> None:
    def on_white(radius: int, grain: float) -> Picture:
        picture = np.full((128, 128, 3), 255, np.uint8)
        cv2.circle(picture, (64, 64), radius, (40, 60, 90), -1, cv2.LINE_AA)
        inside = (picture.min(axis=2) < 100).astype(np.float64)
        noise = np.random.default_rng(0).normal(0, grain, (128, 128)) * inside
        grained: Picture = np.clip(picture + noise[..., None], 0, 255).astype(np.uint8)
        return grained

    plain = second_look(Decoded(pixels=on_white(40, 0)), Decoded(pixels=on_white(44, 0)), window=(0.91, 0.0, 0.91, 0.0))
    assert plain.silhouette
    assert plain.inner is None
    grainy = on_white(40, 8)
    cut = np.ascontiguousarray(grainy[6:-6, 6:-6])
    kept = second_look(Decoded(pixels=grainy), Decoded(pixels=cut), window=(0.9, 0.0, 0.9, 0.0))
    assert kept.silhouette
    assert kept.inner is not None
    assert kept.inner > 0.5


def test_a_power_is_a_tone_curve() -> None:
    left = np.asarray(cv2.resize(leaves(0), (24, 24), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    right = np.rint(255 * (left / 255) ** 0.6).astype(np.uint8)
    found = second_look(Decoded(pixels=left), Decoded(pixels=right))
    assert found.error < 0.75

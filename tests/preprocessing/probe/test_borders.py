"""Borders that come before a resize, that repeat the picture, and that are wide."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from dataguard.preprocessing.probe.identify import Identified, identify
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.steps import Pad, Resize
from dataguard.preprocessing.words import step_words

pytestmark = pytest.mark.slow  # Functions are asked from the first stimulus to the last.

Pixels = Any


def words(found: Identified) -> list[str]:
    return [step_words(step) for step in found.pipeline.geometry or ()]


def check(found: Identified, function: Any) -> None:
    for size in ((211, 173), (140, 333)):
        pixels = photograph(*size, 4)
        np.testing.assert_array_equal(found.pipeline.run(pixels), function(pixels))


def test_a_border_before_a_resize() -> None:
    def function(pixels: Pixels) -> Pixels:
        made = cv2.copyMakeBorder(pixels, 2, 6, 1, 3, cv2.BORDER_CONSTANT, value=(10, 20, 30))
        return np.asarray(Image.fromarray(made).resize((96, 96), Image.Resampling.BILINEAR))

    found = identify(function, takes="array")
    assert words(found) == ["pad by 2, 6, 1, 3 (top, bottom, left, right) with (10, 20, 30)", "resize to 96×96"]
    check(found, function)


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "edge"])
def test_a_narrow_border_that_repeats_the_picture(mode: Any) -> None:
    def function(pixels: Pixels) -> Pixels:
        return np.pad(pixels, ((2, 4), (1, 3), (0, 0)), mode=mode)

    found = identify(function, takes="array")
    (pad,) = found.pipeline.geometry or ()
    assert isinstance(pad, Pad)
    assert (pad.mode, pad.sides) == (mode, (2, 4, 1, 3))
    check(found, function)


@pytest.mark.parametrize("rounding", ["half_even", "half_up"])
def test_a_letterbox_that_repeats_the_picture_and_how_its_side_is_rounded(rounding: Any) -> None:
    step = Resize(rule="fit", height=96, width=96, rounding=rounding)

    def function(pixels: Pixels) -> Pixels:
        height, width = step.target(*pixels.shape[:2])
        made = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        down, across = 96 - height, 96 - width
        sides = down // 2, down - down // 2, across // 2, across - across // 2
        return cv2.copyMakeBorder(made, *sides, borderType=cv2.BORDER_REFLECT_101)

    found = identify(function, takes="array")
    first, pad = found.pipeline.geometry or ()
    assert isinstance(first, Resize)
    assert isinstance(pad, Pad)
    assert pad.mode == "reflect"
    ties = [(192, 4 * k + 1) for k in range(8, 40)]
    assert [first.target(*size) for size in ties] == [step.target(*size) for size in ties]
    check(found, function)


def test_a_crop_out_of_a_resize_that_covers_more_than_it() -> None:
    step = Resize(rule="cover", height=107, width=142, rounding="half_even")

    def function(pixels: Pixels) -> Pixels:
        height, width = step.target(*pixels.shape[:2])
        made = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
        top, left = round((height - 96) / 2), round((width - 128) / 2)
        return made[top : top + 96, left : left + 128]

    found = identify(function, takes="array")
    assert words(found)[0] == "resize to cover 107×142, rounded half to even"
    check(found, function)

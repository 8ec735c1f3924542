"""Running functions that do the same in other words: nothing may be found between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from dataguard.config import PreprocessingConfig
from dataguard.inputs.preprocessing import compared

pytestmark = pytest.mark.slow

MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
Pixels = Any


def pil_short_crop(pixels: Pixels) -> Pixels:
    picture = Image.fromarray(pixels)
    width, height = picture.size
    size = (72, int(72 * height / width)) if width < height else (int(72 * width / height), 72)
    picture = picture.resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - 64) / 2.0), round((size[1] - 64) / 2.0)
    x = np.asarray(picture.crop((left, top, left + 64, top + 64)), np.float32) / 255
    return ((x - MEAN) / STD).transpose(2, 0, 1)


def torch_short_crop(pixels: Pixels) -> Pixels:
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
    height, width = x.shape[2:]
    size = (int(72 * height / width), 72) if width < height else (72, int(72 * width / height))
    x = torch.nn.functional.interpolate(x, size, mode="bilinear", antialias=True)
    left, top = round((size[1] - 64) / 2.0), round((size[0] - 64) / 2.0)
    x = x[:, :, top : top + 64, left : left + 64].float()
    return (x - torch.tensor(MEAN * 255)[:, None, None]) * torch.tensor(1 / (255 * STD))[:, None, None]


def cv_letterbox(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    ratio = min(96 / height, 96 / width)
    wide, high = round(width * ratio), round(height * ratio)
    x = cv2.resize(pixels, (wide, high), interpolation=cv2.INTER_LINEAR)
    top, left = (96 - high) // 2, (96 - wide) // 2
    x = cv2.copyMakeBorder(x, top, 96 - high - top, left, 96 - wide - left, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    return x.astype(np.float32) / 255


def canvas_letterbox(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    ratio = 96 / max(height, width)
    wide, high = round(width * ratio), round(height * ratio)
    canvas = np.full((96, 96, 3), 114 / 255, np.float32)
    top, left = (96 - high) // 2, (96 - wide) // 2
    canvas[top : top + high, left : left + wide] = cv2.resize(pixels, (wide, high)) * np.float32(1 / 255)
    return canvas


def cv_half(pixels: Pixels) -> Pixels:
    return cv2.resize(pixels, (80, 64), interpolation=cv2.INTER_CUBIC)[:, :, ::-1].astype(np.float32) / 127.5 - 1


def cv_half_first(pixels: Pixels) -> Pixels:
    turned = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), (80, 64), interpolation=cv2.INTER_CUBIC)
    return (turned / np.float32(255) - np.float32(0.5)) / np.float32(0.5)


def pil_gray(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BOX), np.float32)[None] / 255


def pil_gray_again(pixels: Pixels) -> Pixels:
    x = np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BOX))
    return np.divide(x, 255, dtype=np.float32)


def normalized_first(pixels: Pixels) -> Pixels:
    x = (pixels.astype(np.float32) / 255 - MEAN) / STD
    return cv2.resize(x, (72, 56), interpolation=cv2.INTER_LINEAR).transpose(2, 0, 1)


def normalized_last(pixels: Pixels) -> Pixels:
    x = cv2.resize(pixels, (72, 56), interpolation=cv2.INTER_LINEAR)
    return ((x.astype(np.float32) / 255 - MEAN) / STD).transpose(2, 0, 1)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (pil_short_crop, torch_short_crop),
        (cv_letterbox, canvas_letterbox),
        (cv_half, cv_half_first),
        (pil_gray, pil_gray_again),
        (normalized_first, normalized_last),
    ],
    ids=lambda function: function.__name__,
)
def test_nothing_is_found_between_functions_that_do_the_same(
    one: Callable[[Pixels], Pixels], two: Callable[[Pixels], Pixels]
) -> None:
    settings = PreprocessingConfig(train="one", serve="two", takes="array")
    pair = compared(one, two, settings, base=Path())
    assert [found.words for found in pair.differences] == []
    assert pair.observed is not None
    assert pair.observed.none


def test_what_no_step_explains_is_still_told() -> None:
    def drawn_over(pixels: Pixels) -> Pixels:
        x = cv_letterbox(pixels)
        # A mark that the probe's steps have no word for.
        x[40:44, 40:44] = 1 - x[40:44, 40:44]
        return x

    settings = PreprocessingConfig(train="one", serve="two", takes="array")
    pair = compared(cv_letterbox, drawn_over, settings, base=Path())
    assert pair.differences
    assert all(found.aspect in ("unexplained", "geometry", "kernel", "step order") for found in pair.differences)

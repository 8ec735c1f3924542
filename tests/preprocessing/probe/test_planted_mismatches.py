"""Functions written by hand that differ in one thing: it is found, named, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from dataguard.config import PreprocessingConfig
from dataguard.inputs.preprocessing import compared

pytestmark = pytest.mark.slow

MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
Path_ = Callable[[str], Any]


def sized(width: int, height: int, side: int) -> tuple[int, int]:
    return (side, int(side * height / width)) if width < height else (int(side * width / height), side)


def with_pillow(
    path: str,
    *,
    side: int = 72,
    crop: int = 64,
    kernel: Image.Resampling = Image.Resampling.BILINEAR,
    mean: Any = MEAN,
    std: Any = STD,
    largest: float = 255.0,
    turned: bool = False,
    order: int = 1,
    last: bool = False,
    dtype: str = "float32",
    times: int = 1,
) -> Any:
    picture: Image.Image = Image.open(path)
    if turned:
        picture = ImageOps.exif_transpose(picture)
    picture = picture.convert("RGB")
    picture = picture.resize(sized(*picture.size, side), kernel)
    left, top = (round((length - crop) / 2) for length in picture.size)
    x = np.asarray(picture.crop((left, top, left + crop, top + crop)), np.float32) / largest
    for _ in range(times):
        x = (x - mean) / std
    x = x[:, :, ::order]
    return np.ascontiguousarray(x if last else x.transpose(2, 0, 1)).astype(dtype)


def with_opencv(path: str) -> Any:
    pixels = cv2.imread(path)
    assert pixels is not None
    pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    wide, high = sized(pixels.shape[1], pixels.shape[0], 72)
    left, top = round((wide - 64) / 2), round((high - 64) / 2)
    x = cv2.resize(pixels, (wide, high))[top : top + 64, left : left + 64]
    return ((x / np.float32(255) - MEAN) / STD).transpose(2, 0, 1)


def at_random(path: str) -> Any:
    x = with_pillow(path)
    return x[:, :, ::-1].copy() if np.random.default_rng().random() < 0.5 else x


def other(**changes: Any) -> Path_:
    return partial(with_pillow, **changes)


@pytest.mark.parametrize(
    ("served", "aspects"),
    [
        (other(), set()),
        (other(order=-1), {"channel order"}),
        (other(kernel=Image.Resampling.BICUBIC), {"kernel"}),
        (with_opencv, {"kernel", "policy"}),
        (other(largest=1.0), {"value range"}),
        (other(mean=np.float32(0.5), std=np.float32(0.25)), {"mean and std"}),
        (other(last=True), {"layout or dtype"}),
        (other(dtype="float16"), {"layout or dtype"}),
        (other(side=80), {"geometry"}),
        (other(crop=48), {"geometry"}),
        (other(turned=True), {"policy"}),
        (other(times=2), {"normalized twice"}),
        (at_random, {"random"}),
        (other(order=-1, kernel=Image.Resampling.LANCZOS), {"channel order", "kernel"}),
    ],
)
def test_what_is_planted_is_named_and_nothing_else(served: Path_, aspects: set[str]) -> None:
    settings = PreprocessingConfig(train="train", serve="serve", takes="path")
    pair = compared(with_pillow, served, settings, base=Path())
    assert {found.aspect for found in pair.differences if not found.unknown} == aspects

"""Steps that chance decides are named, and by what they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from dataguard.preprocessing.errors import UndeterminedError
from dataguard.preprocessing.probe.identify import identify
from dataguard.preprocessing.probe.stimuli import photograph

Augment = Callable[[Any, np.random.Generator], Any]


def small(pixels: Any, side: int = 96) -> Any:
    return cv2.resize(pixels, (side, side)).astype(np.float32) / 255


def cropped(pixels: Any, rng: np.random.Generator) -> Any:
    top, left = rng.integers(0, 17, 2)
    return small(pixels, 112)[top : top + 96, left : left + 96]


def resized_crop(pixels: Any, rng: np.random.Generator) -> Any:
    side = int(96 * rng.uniform(0.5, 1))
    top, left = rng.integers(0, 97 - side, 2)
    return cv2.resize(small(pixels)[top : top + side, left : left + side], (96, 96))


def erased(pixels: Any, rng: np.random.Generator) -> Any:
    made = small(pixels)
    top, left = rng.integers(0, 60, 2)
    made[top : top + 30, left : left + 30] = 0
    return made


RANDOM: dict[str, Augment] = {
    "RandomHorizontalFlip": lambda p, rng: small(p)[:, :: rng.choice([-1, 1])],
    "RandomVerticalFlip": lambda p, rng: small(p)[:: rng.choice([-1, 1])],
    "RandomCrop": cropped,
    "RandomResizedCrop": resized_crop,
    "ColorJitter": lambda p, rng: np.clip(small(p) * rng.uniform(0.7, 1.3), 0, 1),
    "GaussianNoise": lambda p, rng: small(p) + rng.normal(0, 0.05, (96, 96, 3)).astype(np.float32),
    "RandomErasing": erased,
}


@pytest.mark.parametrize("name", RANDOM)
def test_what_varies_is_named(name: str) -> None:
    rng = np.random.default_rng(1)
    found = identify(lambda p: RANDOM[name](p, rng), takes="array")
    assert [step.name for step in found.random] == [name]
    assert found.pipeline.geometry == found.random
    assert found.fidelity == "not reproducible: chance decides"
    assert (found.pipeline.layout, found.pipeline.dtype) == ("HWC", "float32")
    with pytest.raises(UndeterminedError):
        found.pipeline.run(photograph(64, 64))


def test_seeded_generators_are_noticed() -> None:
    found = identify(lambda p: small(p)[:, :: int(np.random.choice([-1, 1]))], takes="array")
    assert any("seeded" in note for note in found.notes)
    assert found.pipeline.affine.scale == pytest.approx([1 / 255] * 3)


def test_a_steady_function_is_not_called_random() -> None:
    assert identify(small, takes="array").random == ()

"""Borders that augmentation libraries put about pictures: of which kind they are, and of which value."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad
from tests.preprocessing.static.repositories import served, steps_of


@pytest.mark.parametrize(
    ("given", "mode", "fill"),
    [
        ("", "reflect", (0.0,)),
        (", border_mode=cv2.BORDER_CONSTANT, value=(114, 114, 114)", "constant", (114.0,) * 3),
        (", border_mode=0, value=7", "constant", (7.0,)),
        (", border_mode=cv2.BORDER_CONSTANT, value=None", "constant", (0.0,)),
        (", border_mode=cv2.BORDER_CONSTANT, value=config.white", "constant", None),
        (", border_mode=cv2.BORDER_REPLICATE", "edge", (0.0,)),
        (", border_mode=cv2.BORDER_REFLECT", "symmetric", (0.0,)),
        (", border_mode=4", "reflect", (0.0,)),
    ],
)
def test_a_border_of_albumentations(tmp_path: Path, given: str, mode: str, fill: tuple[float, ...] | None) -> None:
    path = served(
        tmp_path,
        f"""
        import albumentations as A
        padded = A.PadIfNeeded(64, 96{given})
        model(padded(image=cv2.imread(path))["image"][None] / 255.0)
        """,
    )
    (pad,) = steps_of(path)
    assert isinstance(pad, Pad)
    assert (pad.rule, pad.height, pad.width, pad.mode, pad.fill) == ("to", 64, 96, mode, fill)


def test_a_border_of_a_kind_that_is_not_known(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import albumentations as A
        padded = A.PadIfNeeded(64, 96, border_mode=config.mode)
        model(padded(image=cv2.imread(path))["image"][None] / 255.0)
        """,
    )
    assert path.pipeline.geometry is None


@pytest.mark.parametrize(("kind", "mode"), [("1", "edge"), ("cv2.BORDER_REFLECT", "symmetric"), ("0", "constant")])
def test_a_kind_of_border_by_its_number(tmp_path: Path, kind: str, mode: str) -> None:
    path = served(tmp_path, f"model(cv2.copyMakeBorder(cv2.imread(path), 2, 2, 2, 2, {kind})[None] / 255.0)")
    (pad,) = steps_of(path)
    assert isinstance(pad, Pad)
    assert (pad.mode, pad.sides) == (mode, (2, 2, 2, 2))


def test_a_border_of_imgaug_of_a_value_that_is_not_known(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import imgaug.augmenters as iaa
        padded = iaa.CenterPadToFixedSize(96, 64, pad_cval=config.white)
        model(padded(image=cv2.imread(path))[None] / 255.0)
        """,
    )
    (pad,) = steps_of(path)
    assert isinstance(pad, Pad)
    assert (pad.height, pad.width, pad.fill) == (64, 96, None)

"""What Python means by what it is written with: names that are unpacked, attributes, classes of constants."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, served


@pytest.mark.parametrize("names", ["height, *rest", "*rest, channels", "(height, *rest)", "height, width, *rest"])
def test_a_starred_name_takes_what_is_left_of_a_shape(tmp_path: Path, names: str) -> None:
    scaled = "image = image / 255.0 if rest[-1] == 3 else image / 2.0"
    if names.startswith("*"):
        scaled = "image = image / 255.0 if channels == 3 and len(rest) == 2 else image / 2.0"
    path = served(tmp_path, f"image = cv2.imread(path)\n{names} = image.shape\n{scaled}\nmodel(image[None])\n")
    assert levels(path) == pytest.approx((1 / 255, 0.0))


@pytest.mark.parametrize("asked", ["made().box.value", "made().box.name"])
def test_what_an_attribute_is_asked_of_is_made_once(tmp_path: Path, asked: str) -> None:
    script = f"""
        made_before = []

        class Box:
            name = value = 255.0

        class Holder:
            box = Box()

        def made():
            made_before.append(1)
            return Holder()

        image = cv2.imread(path) / {asked}
        model(image[None] * len(made_before))
        """
    assert levels(served(tmp_path, script)) == pytest.approx((1 / 255, 0.0))

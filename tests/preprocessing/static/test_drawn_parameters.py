"""What torchvision draws by chance for a transform, and functions that are given it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import drawn, steps_of, trained


def _trained(folder: Path, body: str) -> FoundPath:
    opened = 'img = Image.open(self.paths[index]).convert("RGB")'
    return trained(folder, f"{opened}\n{body}\nreturn TF.to_tensor(img)")


def test_a_crop_whose_corner_is_drawn(tmp_path: Path) -> None:
    path = _trained(
        tmp_path,
        "top, left, high, wide = transforms.RandomCrop.get_params(img, output_size=(256, 512))\n"
        "img = TF.crop(img, top, left, high, wide)",
    )
    assert dict(drawn(path).parameters)["size"] == "256x512"


def test_a_box_that_is_drawn_and_resized(tmp_path: Path) -> None:
    path = _trained(
        tmp_path,
        "box = transforms.RandomResizedCrop.get_params(img, scale=(0.5, 1), ratio=(0.7, 1.3))\n"
        "img = TF.resized_crop(img, *box, (224, 224), interpolation=TF.InterpolationMode.BICUBIC)",
    )
    assert dict(drawn(path).parameters) == {"size": "224x224", "interpolation": "bicubic", "engine": "pillow"}


def test_a_known_box_that_is_resized(tmp_path: Path) -> None:
    path = _trained(tmp_path, "img = TF.resized_crop(img, 10, 20, 100, 90, (224, 224))")
    last = steps_of(path)[-1]
    assert isinstance(last, Resize)
    assert (last.height, last.kernel) == (224, "linear")


@pytest.mark.parametrize(
    "body",
    [
        "jitter = transforms.ColorJitter.get_params((.8, 1.2), (.8, 1.2), (.8, 1.2), (-.1, .1))\nimg = jitter(img)",
        (
            "jitter = transforms.ColorJitter.get_params((.8, 1.2), (.8, 1.2), (.8, 1.2), (-.1, .1))\n"
            "change = jitter if random.random() > 0.5 else (lambda x: x)\nimg = change(img)"
        ),
        "angle = transforms.RandomRotation.get_params([-10, 10])\nimg = TF.rotate(img, angle)",
        (
            "drawn = transforms.RandomAffine.get_params((-20, 20), (0.1, 0.1), (1, 1), (-10, 10), img.size)\n"
            "img = TF.affine(img, *drawn, interpolation=TF.InterpolationMode.BILINEAR)"
        ),
    ],
)
def test_what_is_drawn_changes_by_chance_alone(tmp_path: Path, body: str) -> None:
    path = _trained(tmp_path, body)
    assert drawn(path)
    assert (path.pipeline.affine.scale, path.pipeline.affine.offset) == ((1 / 255,), (0.0,))
    assert (path.pipeline.order, path.pipeline.layout) == ("RGB", "NCHW")

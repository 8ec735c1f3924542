"""Sizes that scikit-image is asked for: of height, width and channels in either order, and by factors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import resized, served

_BEFORE = "from skimage import transform as sktsf\nimage = np.asarray(Image.open(path).convert('RGB'), np.float32)\n"


@pytest.mark.parametrize(
    "lines",
    [
        "image = sktsf.resize(image.transpose((2, 0, 1)) / 255.0, (3, 96, 128), anti_aliasing=False)",
        "image = sktsf.resize(image / 255.0, (96, 128, 3), anti_aliasing=False)",
        "image = sktsf.resize(image / 255.0, (96.0, 128.0), anti_aliasing=False)",
    ],
)
def test_the_length_of_the_channels_is_no_side(tmp_path: Path, lines: str) -> None:
    step = resized(served(tmp_path, f"{_BEFORE}{lines}\nmodel(torch.from_numpy(image[None]))"))
    assert (step.height, step.width, step.kernel, step.engine) == (96, 128, "linear", "scikit-image")


def test_a_picture_by_a_factor(tmp_path: Path) -> None:
    lines = "image = sktsf.rescale(image / 255.0, 600 / min(image.shape[:2]), anti_aliasing=False)"
    step = resized(served(tmp_path, f"{_BEFORE}{lines}\nmodel(torch.from_numpy(image[None]))"))
    assert (step.rule, step.side) == ("short", 600)

"""``scipy.ndimage.zoom``: a factor for every axis."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import resized, served

GIVEN = (
    "from scipy import ndimage\n"
    "x = cv2.resize(cv2.imread(path), (200, 100)).transpose(2, 0, 1)[None].astype('float32')\n"
)


@pytest.mark.parametrize(
    ("zoom", "kernel"),
    [
        ("(1, 1, 0.5, 0.25), order=1", "linear"),
        ("(1, 1, 0.5, 0.25), order=0", "nearest"),
        ("[1.0, 1.0, 0.5, 0.25]", None),
    ],
)
def test_a_factor_for_every_axis(tmp_path: Path, zoom: str, kernel: str | None) -> None:
    path = served(tmp_path, GIVEN + f"model(torch.from_numpy(ndimage.zoom(x, {zoom})))\n")
    step = resized(path)
    assert (step.height, step.width, step.kernel, step.align) == (50, 50, kernel, "align_corners")
    assert (path.pipeline.layout, path.pipeline.dtype, path.pipeline.order) == ("NCHW", "float32", "BGR")


def test_a_factor_of_one_changes_nothing(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        GIVEN + "for scale in [1.0]:\n    model(torch.from_numpy(ndimage.zoom(x, (1, 1, scale, scale), order=1)))\n",
    )
    assert len(path.pipeline.geometry or ()) == 1
    assert resized(path).align == "half_pixel"


def test_channels_that_are_resized_are_not_known(tmp_path: Path) -> None:
    path = served(tmp_path, GIVEN + "model(torch.from_numpy(ndimage.zoom(x, (1, 2, 1, 1))))\n")
    assert path.pipeline.order is None


def test_factors_that_are_not_known(tmp_path: Path) -> None:
    path = served(
        tmp_path, "import json\n" + GIVEN + "model(torch.from_numpy(ndimage.zoom(x, json.load(open(path)))))\n"
    )
    assert path.pipeline.geometry is None
    assert path.pipeline.affine.scale == (1.0,)


@pytest.mark.parametrize("factor", ["0.3", "0.5", "1.5"])
def test_opencv_rounds_after_another_resize_too(tmp_path: Path, factor: str) -> None:
    lines = f"""
    image = cv2.imread("a.png")
    scale = 600 / min(image.shape[:2])
    image = cv2.resize(image, None, fx=scale, fy=scale)
    model(cv2.resize(image, None, fx={factor}, fy={factor}) / 255)
    """
    step = resized(served(tmp_path, lines))
    assert (step.rule, step.side, step.rounding) == ("short", 600 * float(factor), "half_even")


def test_lengths_that_are_cut_off_are_not_rounded(tmp_path: Path) -> None:
    lines = """
    image = cv2.imread("a.png")
    scale = 600 / min(image.shape[:2])
    h, w = image.shape[:2]
    model(cv2.resize(image, (int(w * scale), int(h * scale))) / 255)
    """
    assert resized(served(tmp_path, lines)).rounding == "floor"

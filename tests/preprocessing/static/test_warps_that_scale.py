"""``warpAffine`` by a matrix of a scale and a shift: a resize, and a border."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import UNLIMITED, Flip, Pad, Resize
from tests.preprocessing.static.repositories import drawn, resized, served, steps_of

_LINES = """
    image = cv2.imread("a.png", cv2.IMREAD_GRAYSCALE)
    h, w = image.shape
    wt, ht = 2048, 64
    f = min(wt / w, ht / h)
    {matrix}
    canvas = np.ones([ht, wt]) * 255
    image = cv2.warpAffine(image, M, dsize=(wt, ht), dst=canvas, borderMode=cv2.BORDER_TRANSPARENT)
    model(image / 255)
    """


def warped(folder: Path, matrix: str) -> FoundPath:
    """The path of a picture that is warped."""
    return served(folder, _LINES.format(matrix=matrix))


def test_a_scale_and_a_shift_to_the_middle(tmp_path: Path) -> None:
    found = warped(tmp_path, "M = np.float32([[f, 0, (wt - w * f) / 2], [0, f, (ht - h * f) / 2]])")
    resize, pad = steps_of(found)
    assert isinstance(resize, Resize)
    assert isinstance(pad, Pad)
    assert (resize.rule, resize.height, resize.engine, resize.kernel) == ("fit", 64, "opencv", "linear")
    assert (pad.rule, pad.height, pad.width, pad.position, pad.fill) == ("to", 64, 2048, "center", (255.0,))


@pytest.mark.parametrize(
    ("factor", "width"), [("min(128 / w, 32 / h)", 128), ("min(32 / h, 128 / w)", 128), ("32 / h", UNLIMITED)]
)
def test_the_limit_of_a_width_that_only_lines_of_text_reach(tmp_path: Path, factor: str, width: int) -> None:
    lines = """
    image = cv2.imread("a.png", cv2.IMREAD_GRAYSCALE)
    h, w = image.shape
    f = {factor}
    M = np.float32([[f, 0, (128 - w * f) / 2], [0, f, (32 - h * f) / 2]])
    model({called} / 255)
    """
    warped_ = "cv2.warpAffine(image, M, dsize=(128, 32), borderValue=255)"
    called = warped_ if width == 128 else "cv2.resize(image, (int(w * f), int(h * f)))"
    step = resized(served(tmp_path, lines.format(factor=factor, called=called)))
    assert (step.rule, step.height, step.width) == ("fit", 32, width)


def test_a_matrix_of_chance(tmp_path: Path) -> None:
    found = warped(tmp_path, "M = np.float32([[f * np.random.uniform(0.7, 1), 0, 3], [0, f, np.random.uniform(0, 5)]])")
    step = drawn(found)
    assert step.name == "affine"
    assert dict(step.parameters) == {"interpolation": "bilinear", "engine": "opencv", "size": "64x2048"}


def test_a_matrix_that_turns_is_no_plain_resize(tmp_path: Path) -> None:
    (step,) = steps_of(warped(tmp_path, "M = np.float32([[f, 0.3, 0], [0.2, f, 0]])"))
    assert isinstance(step, Resize)
    assert step.rule is None


def test_transpose_exchanges_rows_and_columns(tmp_path: Path) -> None:
    found = served(tmp_path, 'image = cv2.transpose(cv2.imread("a.png"))\nmodel(image / 255)')
    (step,) = steps_of(found)
    assert isinstance(step, Flip)
    assert (step.kind, found.pipeline.layout) == ("transpose", "HWC")


@pytest.mark.parametrize(
    ("given", "mode", "fill"),
    [
        ("borderValue=7", "constant", 7.0),
        ("borderMode=0, borderValue=7", "constant", 7.0),
        ("None, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT, 7", "constant", 7.0),
        ("borderMode=cv2.BORDER_REPLICATE, borderValue=7", "edge", None),
        ("borderMode=1", "edge", None),
        ("borderMode=cv2.BORDER_WRAP", None, None),
        ("dst=canvas, borderValue=7", "constant", 7.0),
        ("canvas, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT", "constant", 255.0),
    ],
)
def test_what_lies_beyond_the_picture(tmp_path: Path, given: str, mode: str | None, fill: float | None) -> None:
    lines = _LINES.replace("dsize=(wt, ht), dst=canvas, borderMode=cv2.BORDER_TRANSPARENT", f"(wt, ht), {given}")
    found = served(tmp_path, lines.format(matrix="M = np.float32([[f, 0, 0], [0, f, 0]])"))
    (pad,) = (step for step in steps_of(found) if isinstance(step, Pad))
    assert (pad.mode, pad.fill) == (mode, None if fill is None else (fill,))


@pytest.mark.parametrize(
    ("given", "bordered"),
    [("borderMode=0", True), ("borderMode=cv2.BORDER_CONSTANT", True), ("borderMode=4", False), ("", True)],
)
def test_a_constant_border_of_any_matrix(tmp_path: Path, given: str, bordered: bool) -> None:
    found = served(
        tmp_path, f"model(cv2.warpAffine(cv2.imread(path), matrix(), (96, 64), flags=cv2.INTER_CUBIC, {given}) / 255)"
    )
    assert [type(step) for step in steps_of(found)] == [Resize, Pad][: 1 + bordered]


@pytest.mark.parametrize(
    ("called", "kernel"),
    [
        ("warpAffine(image, matrix(), (96, 64), cv2.INTER_CUBIC)", "linear"),
        ("warpAffine(image, matrix(), (96, 64), None, cv2.INTER_CUBIC)", "cubic"),
        ("remap(image, across(), down(), cv2.INTER_CUBIC)", "cubic"),
        ("remap(image, across(), down(), interpolation=cv2.INTER_CUBIC)", "cubic"),
        ("remap(image, across(), down(), cv2.INTER_CUBIC, None, cv2.BORDER_REFLECT)", "cubic"),
    ],
)
def test_the_kernel_of_a_warp(tmp_path: Path, called: str, kernel: str) -> None:
    found = served(tmp_path, f"image = cv2.imread(path)\nmodel(cv2.{called} / 255)")
    assert resized(found).kernel == kernel

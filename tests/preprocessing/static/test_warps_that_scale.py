"""``warpAffine`` by a matrix of a scale and a shift: a resize, and a border."""

from __future__ import annotations

from pathlib import Path

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Flip, Pad, Resize
from tests.preprocessing.static.repositories import drawn, served, steps_of

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

"""Arrays that pictures are written into one by one, and that are changed one by one afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, served, steps_of

FILLED = """
batch = np.zeros((16, 48, 48, 3), dtype="{dtype}")
for number in range(16):
    image = cv2.resize(cv2.imread(path), (48, 48))
    batch[number, :, :, :] = image / {by}
"""


def test_an_array_keeps_its_type(tmp_path: Path) -> None:
    path = served(tmp_path, FILLED.format(dtype="float32", by="255.0") + "model(batch)\n")
    assert (path.pipeline.layout, path.pipeline.dtype) == ("NHWC", "float32")
    assert levels(path) == pytest.approx((1 / 255, 0.0))


def test_fractions_in_an_array_of_whole_numbers_are_cut_off(tmp_path: Path) -> None:
    changed = "for number in range(16):\n    batch[number] = batch[number] / 255.0\n"
    path = served(tmp_path, FILLED.format(dtype="uint8", by="1") + f"{changed}model(batch)\n")
    assert (path.pipeline.dtype, levels(path)) == ("uint8", (None, None))


@pytest.mark.parametrize(
    "changed",
    [
        "batch[number, :, :, :] = batch[number] - 0.5",
        "image = batch[number]\n    image = image - 0.25\n    batch[number] = image - 0.25",
        "batch[number] = batch[number] - 0.25\n    batch[number] = batch[number] - 0.25",
        "batch[number] = batch[number] - 0.5\n    batch[number] = batch[number][:, ::-1]",
    ],
)
def test_each_picture_is_changed_once(tmp_path: Path, changed: str) -> None:
    filled = FILLED.format(dtype="float32", by="255.0")
    path = served(tmp_path, f"{filled}for number in range(16):\n    {changed}\nmodel(batch)\n")
    assert levels(path) == pytest.approx((1 / 255, -0.5))
    assert len(steps_of(path)) == (2 if "::-1" in changed else 1)


@pytest.mark.parametrize("index", ["slice()", "slice(None)", "slice(48)", "slice(0, 48)"])
def test_a_part_that_is_kept_by_a_name(tmp_path: Path, index: str) -> None:
    lines = f"""
        rows = {index}
        canvas = np.zeros((64, 48, 3), dtype="uint8")
        canvas[rows, :] = cv2.resize(cv2.imread(path), (48, 48))
        model(canvas / 255.0)
        """
    border = steps_of(served(tmp_path, lines))[-1]
    assert (border.rule, border.sides) == ("by", (0, 16, 0, 0))

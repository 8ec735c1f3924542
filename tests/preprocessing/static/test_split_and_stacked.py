"""Arrays that are split, batches that are filled item by item, and shorter names for what OpenCV does."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import only, reading, served

FIT = """
    import cv2, numpy as np
    from sklearn.model_selection import train_test_split
    pictures = np.asarray([cv2.resize(cv2.imread(one), (48, 48)) for one in names]) / 255.0
    x, held, y, held_y = train_test_split(pictures, labels, test_size=0.2)
    model.fit(x, y, epochs=3)
"""


def test_an_array_is_the_same_in_both_parts_of_a_split(tmp_path: Path) -> None:
    found = only(reading(tmp_path, {"train.py": FIT})).pipeline
    assert found.affine.scale == (1 / 255,)
    (step,) = found.geometry or ()
    assert isinstance(step, Resize)
    assert (step.height, step.width, step.kernel) == (48, 48, "linear")


def test_torch_float_is_of_32_bits(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "batch = torch.zeros([2, 3, 8, 8], dtype=torch.float)\n"
        "picture = cv2.resize(cv2.imread(path), (8, 8)).transpose(2, 0, 1)\n"
        "batch[0] = torch.from_numpy(picture) / 255\nmodel(batch)\n",
    )
    assert path.pipeline.dtype == "float32"


@pytest.mark.parametrize(("swap", "order"), [("1", "RGB"), ("True", "RGB"), ("0", "BGR")])
def test_a_swap_of_channels_is_a_truth_in_any_writing(tmp_path: Path, swap: str, order: str) -> None:
    path = served(
        tmp_path,
        f"blob = cv2.dnn.blobFromImage(cv2.imread(path), 1 / 255, (416, 416), [0, 0, 0], {swap}, crop=False)\n"
        "net.setInput(blob)\nnet.forward()\n",
    )
    assert path.pipeline.order == order


@pytest.mark.parametrize(
    ("given", "kernel", "target"),
    [("width=300", "area", (225, 300)), ("height=240", "area", (240, 320)),
     ("width=300, inter=cv2.INTER_CUBIC", "cubic", (225, 300)), ("300", "area", (225, 300))],
)  # fmt: skip
def test_imutils_keeps_proportions(tmp_path: Path, given: str, kernel: str, target: tuple[int, int]) -> None:
    path = served(
        tmp_path,
        f"import imutils\nframe = imutils.resize(cv2.imread(path), {given})\n"
        "model(torch.from_numpy(frame.transpose(2, 0, 1)[None]).float())\n",
    )
    (step,) = path.pipeline.geometry or ()
    assert isinstance(step, Resize)
    assert step.kernel == kernel
    assert step.target(480, 640) == target

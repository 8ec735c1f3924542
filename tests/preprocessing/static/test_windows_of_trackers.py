"""What trackers cut out about their target: with a border where it reaches over an edge, then resized."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Crop, Pad, Resize
from tests.preprocessing.static.repositories import levels, served, steps_of

_WINDOW = """
def window(im, pos, size, wanted, average):
    c = (wanted + 1) / 2
    x1, y1 = np.floor(pos[0] - c + 0.5), np.floor(pos[1] - c + 0.5)
    x2, y2 = x1 + wanted - 1, y1 + wanted - 1
    left, top = int(max(0.0, -x1)), int(max(0.0, -y1))
    right, bottom = int(max(0.0, x2 - im.shape[1] + 1)), int(max(0.0, y2 - im.shape[0] + 1))
    x1, x2, y1, y2 = x1 + left, x2 + left, y1 + top, y2 + top
    r, c, k = im.shape
    if any([top, bottom, left, right]):
        larger = np.zeros((r + top + bottom, c + left + right, k), np.uint8)
        larger[top:top + r, left:left + c, :] = im
        if top:
            larger[0:top, left:left + c, :] = average
        if bottom:
            larger[r + top:, left:left + c, :] = average
        if left:
            larger[:, 0:left, :] = average
        if right:
            larger[:, c + left:, :] = average
        patch = larger[int(y1):int(y2 + 1), int(x1):int(x2 + 1), :]
    else:
        patch = im[int(y1):int(y2 + 1), int(x1):int(x2 + 1), :]
    if CONDITION:
        patch = cv2.resize(patch, (size, size))
    return torch.from_numpy(patch.transpose(2, 0, 1)[np.newaxis].astype(np.float32))

image = cv2.imread(path)
average = np.mean(image, axis=(0, 1))
box = cv2.selectROI("target", image)
wanted = round(np.sqrt(box[2] * box[3]))
model(window(image, [box[0], box[1]], 127, wanted, average))
"""


@pytest.mark.parametrize(
    "condition", ["not np.array_equal(size, wanted)", "size != wanted", "not np.allclose(size, wanted)"]
)
def test_a_window_is_a_crop_that_may_have_a_border(tmp_path: Path, condition: str) -> None:
    path = served(tmp_path, _WINDOW.replace("CONDITION", condition))
    border, crop, step = steps_of(path)
    assert isinstance(border, Pad)
    assert (border.rule, border.fill) == (None, None)
    assert isinstance(crop, Crop)
    assert isinstance(step, Resize)
    assert (step.height, step.width, step.engine) == (127, 127, "opencv")
    assert (levels(path), path.pipeline.order) == ((1, 0), "BGR")


def test_a_picture_by_its_name_or_as_it_is_is_read(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        """
        import os
        def run(img):
            if isinstance(img, str):
                img = cv2.imread(img)
            scale = min(640 / img.shape[0], 640 / img.shape[1])
            img = cv2.resize(img, (int(img.shape[1] * scale), int(img.shape[0] * scale)))
            model(torch.from_numpy(img[None] / 255.0))
        for folder, _, names in os.walk(path):
            for name in names:
                run(os.path.join(folder, name))
        """,
    )
    (step,) = steps_of(path)
    assert isinstance(step, Resize)
    assert (path.pipeline.decode.library, step.rule, step.side) == ("opencv", "long", 640)

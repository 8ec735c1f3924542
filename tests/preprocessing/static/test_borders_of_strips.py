"""Borders that are put together of strips, and sides that have no limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad, Resize
from dataguard.preprocessing.words import size_words
from tests.preprocessing.static.repositories import served

PADDED = """
    def padded(img, stride, value):
        height, width = img.shape[0], img.shape[1]
        pad = 4 * [None]
        pad[0] = 0
        pad[1] = 0
        pad[2] = 0 if (height % stride == 0) else stride - (height % stride)
        pad[3] = 0 if (width % stride == 0) else stride - (width % stride)
        up = np.tile(img[0:1, :, :] * 0 + value, (pad[0], 1, 1))
        img = np.concatenate((up, img), axis=0)
        left = np.tile(img[:, 0:1, :] * 0 + value, (1, pad[1], 1))
        img = np.concatenate((left, img), axis=1)
        down = np.tile(img[-2:-1, :, :] * 0 + value, (pad[2], 1, 1))
        img = np.concatenate((img, down), axis=0)
        right = np.tile(img[:, -2:-1, :] * 0 + value, (1, pad[3], 1))
        return np.concatenate((img, right), axis=1)
    img = padded(cv2.imread(path), 8, 128)
    model(torch.from_numpy(img.transpose(2, 0, 1)[None]).float() / 256 - 0.5)
"""


def test_strips_of_one_value_are_a_border(tmp_path: Path) -> None:
    found = served(tmp_path, PADDED).pipeline
    steps = found.geometry or ()
    assert steps
    assert all(isinstance(step, Pad) and step.fill == (128.0,) for step in steps)
    assert (found.affine.scale, found.affine.offset) == ((1 / 256,), (-0.5,))


def test_pictures_one_after_another_have_no_border(tmp_path: Path) -> None:
    path = served(
        tmp_path,
        "a = cv2.resize(cv2.imread(path), (8, 8))[None]\nbatch = np.concatenate((a, a[:, ::-1]), axis=0)\n"
        "model(torch.from_numpy(batch.transpose(0, 3, 1, 2)).float() / 255)\n",
    )
    assert not any(isinstance(step, Pad) for step in path.pipeline.geometry or ())


@pytest.mark.parametrize(("side", "wide"), [("shape[0]", (480, 6400)), ("shape[1]", (6400, 480))])
def test_a_picture_of_a_fixed_height_may_be_of_any_width(tmp_path: Path, side: str, wide: tuple[int, int]) -> None:
    path = served(
        tmp_path,
        f"img = cv2.imread(path)\nscale = 184 / img.{side}\nimg = cv2.resize(img, (0, 0), fx=scale, fy=scale)\n"
        "model(torch.from_numpy(img.transpose(2, 0, 1)[None]).float())\n",
    )
    (step,) = path.pipeline.geometry or ()
    assert isinstance(step, Resize)
    assert min(step.target(*wide)) == 184
    assert size_words(step).startswith("height to 184," if side == "shape[0]" else "width to 184,")
    assert max(step.target(*wide)) in (2453, 2454)

"""Pictures of which a mask leaves a part, as what paints holes over is given them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading, served

TORCH = """
image = torch.from_numpy(cv2.imread(path)).float().permute(2, 0, 1)[None] / 127.5 - 1
mask = torch.from_numpy(cv2.imread(other)).float().permute(2, 0, 1)[None]
holes = {holes}
model(image * (1.0 - holes))
"""


@pytest.mark.parametrize("holes", ["(mask > 127.5).float()", "(mask[:, 0:1] > 0).float()"])
def test_a_mask_leaves_levels_and_order(tmp_path: Path, holes: str) -> None:
    path = served(tmp_path, TORCH.format(holes=holes))
    assert levels(path) == pytest.approx((1 / 127.5, -1.0))
    assert path.pipeline.order == "BGR"


def test_what_was_put_beside_a_mask_is_taken_apart_in_a_graph(tmp_path: Path) -> None:
    script = """
        import cv2
        import numpy as np
        import tensorflow as tf
        import neuralgym as ng

        FLAGS = ng.Config("inpaint.yml")
        both = np.concatenate([cv2.imread("a.png")[None], cv2.imread("mask.png")[None]], axis=2)
        data = tf.constant(both, dtype=tf.float32)
        if FLAGS.guided:
            raw, edge, masks = tf.split(data, 3, axis=2)
        else:
            raw, masks = tf.split(data, 2, axis=2)
        masks = tf.cast(masks[0:1, :, :, 0:1] > 127.5, tf.float32)
        x = (raw / 127.5 - 1.0) * (1.0 - masks)
        net(x)
    """
    path = only(reading(tmp_path, {"test.py": script, "inpaint.yml": "guided: False"}))
    assert levels(path) == pytest.approx((1 / 127.5, -1.0))
    assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "NHWC")


@pytest.mark.parametrize("masked", ["x * (x > 0.1)", "(x > 0.1) * x", "np.multiply(x > 0.1, x)"])
def test_a_mask_of_the_picture_itself_stands_on_either_side(tmp_path: Path, masked: str) -> None:
    path = served(tmp_path, f"x = cv2.imread(path) / 255.0\nx = {masked}\nmodel(x[None])\n")
    assert levels(path) == pytest.approx((1 / 255, 0.0))


@pytest.mark.parametrize(
    ("index", "known"),
    [
        ("image > 255", True),
        ("mask > 255", False),
        ("np.isnan(image)", True),
        ("np.isnan(mask)", False),
        ("image.isnan()", True),
        ("mask.isnan()", False),
    ],
)
def test_what_a_mask_says_is_no_bound_of_the_picture(tmp_path: Path, index: str, known: bool) -> None:
    script = "image, mask = cv2.imread(path), cv2.imread(other)\n"
    path = served(tmp_path, f"{script}image[{index}] = 255\nmodel(image[None] / 255.0)\n")
    assert (path.pipeline.affine.scale == pytest.approx((1 / 255,))) is known

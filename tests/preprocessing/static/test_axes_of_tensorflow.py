"""What TensorFlow's functions do to axes, colours and types of pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Flip
from tests.preprocessing.static.repositories import levels, only, reading, steps_of


def _fed(folder: Path, lines: str, channels: int = 3) -> FoundPath:
    script = f"""
import tensorflow as tf
x = tf.io.decode_jpeg(tf.io.read_file("a.jpg"), channels={channels})
{lines}
if __name__ == "__main__":
    model(x)
"""
    return only(reading(folder, {"predict.py": script}))


@pytest.mark.parametrize(
    ("axis", "kind", "order"),
    [("[1]", "left_right", "RGB"), ("[0]", "up_down", "RGB"), ("axis=[-2]", "left_right", "RGB"), ("[-1]", "", "BGR")],
)
def test_what_is_reversed(tmp_path: Path, axis: str, kind: str, order: str) -> None:
    path = _fed(tmp_path, f"x = tf.reverse(x, {axis})[tf.newaxis]")
    assert [step.kind for step in steps_of(path) if isinstance(step, Flip)] == ([kind] if kind else [])
    assert (path.pipeline.order, path.pipeline.layout) == (order, "NHWC")


@pytest.mark.parametrize(
    ("lines", "layout"),
    [
        ("x = tf.reshape(x, [1, 64, 64, 3])", "NHWC"),
        ("x = tf.reshape(x, [-1, 64, 64, 3])", "NHWC"),
        ("x = tf.reshape(x, [64, 64, 3])", "HWC"),
        ("x = tf.squeeze(x[tf.newaxis], [0])", "HWC"),
        ("x = tf.squeeze(x[tf.newaxis])", "HWC"),
        ("x = tf.squeeze(x[tf.newaxis, :, :, :1], axis=3)", "NHW"),
    ],
)
def test_axes_of_length_one(tmp_path: Path, lines: str, layout: str) -> None:
    assert _fed(tmp_path, f"{lines}\nx = x / 255").pipeline.layout == layout


def test_gray_that_is_repeated_is_no_order_of_colours(tmp_path: Path) -> None:
    path = _fed(tmp_path, "x = tf.image.grayscale_to_rgb(x) / 255", channels=1)
    assert "three equal channels of gray" in path.pipeline.undetermined["order"]


@pytest.mark.parametrize(
    ("lines", "dtype", "scale"),
    [
        ("x = tf.image.convert_image_dtype(x, tf.float32)", "float32", 1 / 255),
        ("x = tf.image.convert_image_dtype(tf.cast(x, tf.float32) / 255.0, tf.uint8)", "uint8", 1.0),
        ("x = tf.image.convert_image_dtype(tf.cast(x, tf.float32) / 255.0, tf.float32)", "float32", 1 / 255),
        ("x = tf.image.resize_with_pad(x, 64, 64, method='nearest')", "uint8", 1.0),
        ("x = tf.image.resize_with_pad(x, 64, 64)", "float32", 1.0),
    ],
)
def test_types_that_are_converted(tmp_path: Path, lines: str, dtype: str, scale: float) -> None:
    path = _fed(tmp_path, f"{lines}\nx = x[tf.newaxis]")
    assert path.pipeline.dtype == dtype
    assert levels(path) == pytest.approx((scale, 0.0))

"""Borders that a function adds which calls a layer of a network: they are the layer's, and no preparation."""

from __future__ import annotations

from pathlib import Path

from tests.preprocessing.static.repositories import only, reading, resized, steps_of

SCRIPT = """
    import tensorflow as tf
    import tensorflow.contrib.slim as slim

    def conv(x, count, kernel):
        p = (kernel - 1) // 2
        padded = tf.pad(x, [[0, 0], [p, p], [p, p], [0, 0]])
        return slim.conv2d(padded, count, kernel, 2, "VALID")

    picture = tf.image.decode_jpeg(tf.read_file(path), channels=3)
    picture = tf.image.convert_image_dtype(picture, tf.float32)
    picture = tf.image.resize_images(picture, [256, 512], tf.image.ResizeMethod.AREA)
    {more}
    out = conv(tf.expand_dims(picture, 0), 32, 7)
"""


def test_a_layers_own_border_is_no_step(tmp_path: Path) -> None:
    path = only(reading(tmp_path, {"train.py": SCRIPT.format(more="")}))
    assert steps_of(path) == (resized(path),)


def test_a_border_that_is_added_before_the_network_stays(tmp_path: Path) -> None:
    path = only(
        reading(tmp_path, {"train.py": SCRIPT.format(more="picture = tf.pad(picture, [[8, 8], [8, 8], [0, 0]])")})
    )
    assert [type(one).__name__ for one in steps_of(path)] == ["Resize", "Pad"]

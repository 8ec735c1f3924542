"""TensorFlow 1: placeholders without a shape, which give what they are fed their type of numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

_SCRIPT = """
    import cv2
    import numpy as np
    import tensorflow as tf

    class Net:
        def __init__(self):
            self.input = tf.placeholder(dtype=tf.{type}, name="input")
            self.training = tf.placeholder(dtype=tf.bool)
            inner = tf.nn.leaky_relu(tf.nn.conv2d(self.input, 3))
            inner = tf.pad(inner, tf.constant([[0, 0], [1, 1], [1, 1], [0, 0]]))
            self.output = tf.nn.conv2d(inner, 3)
            self.session = tf.Session()

        def predict(self, image):
            return self.session.run([self.output], feed_dict={{self.training: False, self.input: {fed}}})

    Net().predict(cv2.imread("a.png") / np.float64(255.0))
    """


@pytest.mark.parametrize(("of", "dtype"), [("float32", "float32"), ("float64", "float64")])
def test_a_picture_gets_the_type_of_its_placeholder(tmp_path: Path, of: str, dtype: str) -> None:
    path = only(reading(tmp_path, {"evaluate.py": _SCRIPT.format(type=of, fed="image[np.newaxis]")}))
    assert (path.pipeline.dtype, path.pipeline.decode.library, path.pipeline.layout) == (dtype, "opencv", "NHWC")


def test_a_list_of_pictures_is_a_batch(tmp_path: Path) -> None:
    path = only(reading(tmp_path, {"evaluate.py": _SCRIPT.format(type="float32", fed="[image, image]")}))
    assert path.pipeline.layout == "NHWC"

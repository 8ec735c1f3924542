"""TensorFlow: windows that chance chooses, lengths that it computes, and data sets of a strategy."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Crop, Random, Resize
from tests.preprocessing.static.repositories import drawn, only, reading

START = """
import tensorflow as tf
image = tf.image.decode_jpeg(tf.io.read_file(path), channels=3)
"""
END = """
model(tf.cast(image, tf.float32)[None] / 255.0)
"""


def _read(folder: Path, body: str) -> FoundPath:
    return only(reading(folder, {"predict.py": START + body + END}))


@pytest.mark.parametrize(
    "body",
    [
        (
            "begin, size, _ = tf.image.sample_distorted_bounding_box(tf.shape(image), bounding_boxes=boxes)\n"
            "y, x, _ = tf.unstack(begin)\nh, w, _ = tf.unstack(size)\n"
            "image = tf.image.crop_to_bounding_box(image, y, x, h, w)\n"
        ),
        (
            "begin, size, _ = tf.image.sample_distorted_bounding_box(tf.shape(image), boxes)\n"
            "image = tf.slice(image, begin, size)\n"
        ),
    ],
)
def test_a_window_by_chance_is_a_crop_by_chance(tmp_path: Path, body: str) -> None:
    assert drawn(_read(tmp_path, body)).name == "crop"


def test_a_window_in_the_middle_is_computed_of_lengths(tmp_path: Path) -> None:
    body = (
        "shape = tf.shape(image)\nside = tf.minimum(shape[0], shape[1])\n"
        "top, left = (shape[0] - side) // 2, (shape[1] - side) // 2\n"
        "image = tf.image.crop_to_bounding_box(image, top, left, side, tf.cast(side, tf.int32))\n"
        "image = tf.image.resize([image], [96, 96])[0]\n"
    )
    crop, resize = _read(tmp_path, body).pipeline.geometry or ()
    assert isinstance(crop, Crop)
    assert crop.rule == "square"
    assert isinstance(resize, Resize)


APPLIED = """
def jitter(x):
    return tf.tile(tf.image.rgb_to_grayscale(x), [1, 1, 3])
def apply(func, p, x):
    return tf.cond(tf.less(tf.random.uniform([], minval=0, maxval=1), tf.cast(p, tf.float32)),
                   lambda: func(x), lambda: x)
image = apply(lambda x: tf.image.resize(x, [64, 64]), 1.0, image)
image = apply(jitter, 0.2, image)
"""


def test_what_is_done_with_a_share_of_one_is_always_done(tmp_path: Path) -> None:
    found = _read(tmp_path, APPLIED).pipeline
    resize, *rest = found.geometry or ()
    assert isinstance(resize, Resize)
    assert [step.name for step in rest if isinstance(step, Random)] == ["channels"]
    assert (found.order, found.affine.scale) == ("RGB", (1 / 255,))


STRATEGY = """
    import tensorflow as tf
    import tensorflow_datasets as tfds
    strategy = tf.distribute.MirroredStrategy()
    def build(is_training):
        def input_fn(context):
            data = tfds.builder("imagenet2012").as_dataset(split="train", as_supervised=True)
            data = data.map(lambda image, label: (tf.image.resize(image, [96, 96]) / 255.0, label))
            return data.batch(context.get_per_replica_batch_size(64))
        return strategy.{method}({given})
    dataset = build(True)
    model.fit(dataset)
"""


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("distribute_datasets_from_function", "input_fn"),
        ("experimental_distribute_datasets_from_function", "input_fn"),
        ("experimental_distribute_dataset", "input_fn(context)"),
    ],
)
def test_a_strategy_feeds_what_the_function_makes(tmp_path: Path, method: str, given: str) -> None:
    found = only(reading(tmp_path, {"train.py": STRATEGY.format(method=method, given=given)}))
    assert found.role == "train"
    assert (found.pipeline.affine.scale, found.pipeline.layout) == ((1 / 255,), "NHWC")

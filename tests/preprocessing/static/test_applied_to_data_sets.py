"""What is applied to TensorFlow's data sets, items that iterators give, and borders that layers put around them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Pad
from tests.preprocessing.static.repositories import only, reading, resized, steps_of

SCRIPT = """
    import glob
    import tensorflow as tf
    from {home} import map_and_batch, prefetch_to_device, shuffle_and_repeat

    def load(name):
        x = tf.image.decode_jpeg(tf.read_file(name), channels=3)
        x = tf.image.resize_images(x, [64, 64])
        return tf.cast(x, tf.float32) / 127.5 - 1

    def conv(x, channels, pad=0):
        if pad > 0:
            x = tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]], mode="REFLECT")
        w = tf.get_variable("kernel", shape=[3, 3, x.get_shape()[-1], channels])
        return tf.nn.conv2d(input=x, filter=w, strides=[1, 1, 1, 1], padding="VALID")

    images = tf.data.Dataset.from_tensor_slices(glob.glob("train/*.jpg"))
    images = images.apply(shuffle_and_repeat(100)).{mapped}.apply(prefetch_to_device("/gpu:0", None))
    x = images.make_one_shot_iterator().get_next()
    y = conv(x, 8, pad=3)
    """


@pytest.mark.parametrize("home", ["tensorflow.contrib.data", "tensorflow.data.experimental"])
@pytest.mark.parametrize("mapped", ["apply(map_and_batch(load, 4, num_parallel_batches=2))", "map(load).batch(4)"])
def test_what_is_applied_to_a_data_set(tmp_path: Path, home: str, mapped: str) -> None:
    path = only(reading(tmp_path, {"train.py": SCRIPT.format(home=home, mapped=mapped)}))
    pipeline = path.pipeline
    assert (pipeline.decode.library, pipeline.layout, pipeline.affine.offset) == ("tensorflow", "NHWC", (-1.0,))
    assert resized(path).height == 64
    assert not any(isinstance(one, Pad) for one in steps_of(path))


def test_a_border_that_no_layer_puts_there_is_kept(tmp_path: Path) -> None:
    text = SCRIPT.format(home="tensorflow.contrib.data", mapped="map(load).batch(4)").replace(
        "y = conv(x, 8, pad=3)", "y = conv(tf.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]]), 8)"
    )
    assert any(isinstance(one, Pad) for one in steps_of(only(reading(tmp_path, {"train.py": text}))))


def test_a_function_of_the_repository_that_is_applied(tmp_path: Path) -> None:
    text = SCRIPT.format(home="tensorflow.contrib.data", mapped="apply(prepared)").replace(
        "    images = tf.data",
        "    def prepared(several):\n        return several.map(load).batch(4)\n\n    images = tf.data",
        1,
    )
    assert resized(only(reading(tmp_path, {"train.py": text}))).height == 64


@pytest.mark.parametrize(
    ("chained", "layout"),
    [
        ("map(load).batch(4).unbatch()", "HWC"),
        ("map(load).batch(4).apply(tf.data.experimental.unbatch())", "HWC"),
        ("map(load).padded_batch(4)", "NHWC"),
        ("map(load).apply(tf.data.experimental.bucket_by_sequence_length(len, [2], [4, 4]))", "NHWC"),
        ("map(load).batch(2).unbatch().batch(4)", "NHWC"),
        ("map(load).apply(tf.data.experimental.assert_cardinality(3)).batch(4)", "NHWC"),
        ("interleave(lambda name: tf.data.Dataset.from_tensors(name).map(load)).batch(4)", "NHWC"),
        ("flat_map(lambda name: tf.data.Dataset.from_tensors(name).map(load)).batch(4)", "NHWC"),
    ],
)
def test_data_sets_are_put_into_batches_and_taken_apart(tmp_path: Path, chained: str, layout: str) -> None:
    script = f"""
        import tensorflow as tf
        def load(name):
            return tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(name), channels=3), [64, 64]) / 255.0
        images = tf.data.Dataset.list_files("train/*.jpg").{chained}
        for x in images:
            model(x)
        """
    assert only(reading(tmp_path, {"predict.py": script})).pipeline.layout == layout


@pytest.mark.parametrize("counted", ["enumerate()", "apply(tf.data.experimental.enumerate_dataset())"])
def test_items_of_data_sets_that_are_counted(tmp_path: Path, counted: str) -> None:
    script = f"""
        import tensorflow as tf
        def load(name):
            return tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(name), channels=3), [64, 64]) / 255.0
        images = tf.data.Dataset.list_files("train/*.jpg").map(load).{counted}
        count = tf.data.experimental.cardinality(images)
        for number, x in images:
            model(x[tf.newaxis])
        """
    assert only(reading(tmp_path, {"predict.py": script})).pipeline.layout == "NHWC"

"""TensorFlow 1: pictures that queues bring into a graph, branches of a graph, and graphs that are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading, resized

_INPUT = """
    import numpy as np
    import tensorflow as tf
    from tensorflow.python.ops import data_flow_ops

    def turned(image):
        return np.fliplr(image)

    def pipeline(queue, size, count, flag):
        rows = []
        for _ in range(4):
            names, label = queue.dequeue()
            images = []
            for name in tf.unstack(names):
                image = tf.image.decode_image(tf.read_file(name), 3)
                image = tf.cond(flag, lambda: tf.py_func(turned, [image], tf.uint8), lambda: tf.identity(image))
                image = (tf.cast(image, tf.float32) - 127.5) / 128.0
                image.set_shape(size + (3,))
                images.append(image)
            rows.append([images, label])
        return tf.train.batch_join(rows, batch_size=count, shapes=[size + (3,), ()], enqueue_many=True)

    def queue_of():
        return data_flow_ops.FIFOQueue(capacity=9, dtypes=[tf.string, tf.int32], shapes=[(1,), (1,)])
    """


def test_a_queue_brings_pictures_into_a_graph(tmp_path: Path) -> None:
    script = """
        import importlib
        import tensorflow as tf
        from images import pipeline, queue_of

        network = importlib.import_module("models.net")
        flag = tf.placeholder(tf.bool)
        image_batch, label_batch = pipeline(queue_of(), (160, 160), 90, flag)
        image_batch = tf.identity(image_batch, "input")
        logits = network.inference(image_batch, 0.5)
        train_op = tf.train.AdamOptimizer(0.1).minimize(logits)
        """
    path = only(reading(tmp_path, {"train.py": script, "images.py": _INPUT}))
    assert (path.role, path.pipeline.decode.library, path.pipeline.order) == ("train", "tensorflow", "RGB")
    assert (path.pipeline.layout, path.pipeline.dtype) == ("NHWC", "float32")
    assert path.pipeline.affine.scale == pytest.approx((1 / 128,))


def test_pictures_in_the_place_of_a_loaded_graphs_inputs(tmp_path: Path) -> None:
    script = """
        import tensorflow as tf
        from images import pipeline, queue_of

        image_batch, label_batch = pipeline(queue_of(), (160, 160), 90, tf.placeholder(tf.bool))
        graph = tf.GraphDef()
        tf.import_graph_def(graph, input_map={"image_batch": image_batch}, name="")
        """
    path = only(reading(tmp_path, {"validate.py": script, "images.py": _INPUT}))
    assert (path.role, path.pipeline.layout, path.pipeline.dtype) == ("eval", "NHWC", "float32")


def test_the_bytes_of_a_record_arranged_to_a_picture(tmp_path: Path) -> None:
    script = """
        import tensorflow as tf
        from tensorflow.contrib import slim

        reader = tf.TFRecordReader()
        _, example = reader.read(tf.train.string_input_producer(["train.tfrecords"]))
        features = tf.parse_single_example(example, features={"raw": tf.FixedLenFeature([], tf.string)})
        image = tf.reshape(tf.decode_raw(features["raw"], tf.uint8), [112, 96, 3])
        image = tf.cast(image, tf.float32) / 255.0
        images = tf.train.shuffle_batch([image], batch_size=32, capacity=1000, min_after_dequeue=100)
        scores = slim.fully_connected(slim.conv2d(images, 32, 3), 10)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.layout, path.pipeline.dtype) == ("array", "NHWC", "float32")
    assert path.pipeline.decode.size == (112, 96)
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))


def test_a_method_that_is_not_known_leaves_where_pixels_lie(tmp_path: Path) -> None:
    script = """
        import tensorflow as tf
        image = tf.image.decode_jpeg(tf.read_file("a.jpg"), channels=3)
        model.predict(tf.image.resize_images(image, (64, 48), method=unheard.of())[None] / 255.0)
        """
    step = resized(only(reading(tmp_path, {"predict.py": script})))
    assert (step.height, step.width, step.kernel, step.align) == (64, 48, None, "asymmetric")
    assert "kernel" in step.undetermined
    assert "align" not in step.undetermined


def test_a_batch_of_one_that_is_arranged_to_a_picture(tmp_path: Path) -> None:
    script = """
        import tensorflow as tf

        image = tf.expand_dims(tf.image.decode_jpeg(tf.read_file("a.jpg"), channels=3), 0)
        image = tf.image.resize_images(image, [64, 48])
        image = tf.reshape(image, tf.stack([64, 48, image.get_shape()[3]]))
        model.predict(tf.transpose(image, perm=(2, 0, 1)))
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (path.pipeline.layout, path.pipeline.order) == ("CHW", "RGB")

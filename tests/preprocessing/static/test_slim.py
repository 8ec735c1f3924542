"""TF-Slim: data sets that give items by name, their preprocessing, and which one of several a drawn number takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

_PREPROCESSING = """
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_ops

    def resized(image, method):
        return tf.image.resize_images(image, [300, 300], method=method)

    def any_of(image):
        drawn = tf.random_uniform([], maxval=2, dtype=tf.int32)
        return control_flow_ops.merge([
            resized(control_flow_ops.switch(image, tf.equal(drawn, case))[1], case) for case in range(2)])[0]

    def prepare(image):
        if image.dtype != tf.float32:
            image = tf.image.convert_image_dtype(image, dtype=tf.float32)
        return any_of(image) * 255.0 - tf.constant([123.0, 117.0, 104.0])
    """
_TRAIN = """
    import tensorflow as tf
    from prepare import prepare
    slim = tf.contrib.slim

    def main(_):
        {decoder}
        dataset = slim.dataset.Dataset("data", tf.TFRecordReader, decoder, 10, {{}})
        provider = slim.dataset_data_provider.DatasetDataProvider(dataset, num_readers=4)
        [image, label] = provider.get(["{name}", "label"])
        image = prepare(image)
        images, labels = tf.train.batch([image, label], batch_size=8)
        net = slim.repeat(images, 2, slim.conv2d, 64, [3, 3], scope="conv1")
        slim.learning.train(slim.learning.create_train_op(loss(net, labels), tf.train.AdamOptimizer()), "logs")

    if __name__ == "__main__":
        tf.app.run()
    """


@pytest.mark.parametrize(("decoder", "name"), [
    ("decoder = slim.tfexample_decoder.TFExampleDecoder({}, {'picture': slim.tfexample_decoder.Image('a', 'b')})",
     "picture"),
    ("decoder = made_elsewhere()", "image"),
])  # fmt: skip
def test_items_that_a_provider_gives_by_name(tmp_path: Path, decoder: str, name: str) -> None:
    train = _TRAIN.format(decoder=decoder, name=name)
    path = only(reading(tmp_path, {"train.py": train, "prepare.py": _PREPROCESSING}))
    assert (path.pipeline.order, path.pipeline.layout) == ("RGB", "NHWC")
    assert path.pipeline.affine.scale == pytest.approx((1.0, 1.0, 1.0))
    assert path.pipeline.affine.offset == pytest.approx((-123.0, -117.0, -104.0))
    assert path.pipeline.geometry is not None
    assert [type(one).__name__ for one in path.pipeline.geometry] == ["Random"]


def test_a_placeholder_of_one_picture(tmp_path: Path) -> None:
    script = """
        import cv2
        import tensorflow as tf

        slim = tf.contrib.slim

        given = tf.placeholder(tf.uint8, shape=(None, None, 3))
        image = tf.image.resize_images(tf.to_float(given) - [123.0, 117.0, 104.0], (300, 300))
        net = slim.conv2d(tf.expand_dims(image, 0), 64, [3, 3])
        with tf.Session() as session:
            session.run([net], feed_dict={given: cv2.imread("a.jpg")})
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert path.pipeline.affine.offset == pytest.approx((-123.0, -117.0, -104.0))
    assert path.pipeline.geometry is not None
    assert [getattr(one, "height", None) for one in path.pipeline.geometry] == [300]

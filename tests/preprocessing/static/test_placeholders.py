"""TensorFlow 1: what a graph does to a placeholder is done to what is fed; threads and queues that feed it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

_NET = """
    import tensorflow as tf
    from tensorflow.contrib import slim

    def less_mean(images, means=[123.0, 117.0, 104.0]):
        count = images.get_shape().as_list()[-1]
        if len(means) != count:
            raise ValueError("means")
        channels = tf.split(axis=3, num_or_size_splits=count, value=images)
        for i in range(count):
            channels[i] -= means[i]
        return tf.concat(axis=3, values=channels)

    def net(images):
        images = less_mean(images)
        images = tf.pad(images, [[0, 0], [3, 3], [3, 3], [0, 0]])
        return slim.conv2d(images, 64, 7)
    """


def test_what_the_graph_does_is_done_to_what_is_fed(tmp_path: Path) -> None:
    script = """
        import cv2
        import tensorflow as tf
        from net import net

        FLAGS = tf.app.flags.FLAGS
        tf.app.flags.DEFINE_integer("side", 320, "")

        def main(argv=None):
            images = tf.placeholder(tf.float32, shape=[None, None, None, 3])
            score = net(images)
            with tf.Session() as sess:
                image = cv2.resize(cv2.imread("a.png")[:, :, ::-1], (FLAGS.side, FLAGS.side))
                sess.run([score], feed_dict={images: [image]})

        if __name__ == "__main__":
            tf.app.run()
        """
    path = only(reading(tmp_path, {"eval.py": script, "net.py": _NET}))
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.dtype) == ("RGB", "NHWC", "float32")
    assert path.pipeline.affine.offset == pytest.approx((-123.0, -117.0, -104.0))
    assert path.pipeline.geometry is not None
    assert [(type(one).__name__, getattr(one, "height", None)) for one in path.pipeline.geometry] == [("Resize", 320)]


def test_a_graph_that_exchanges_channels(tmp_path: Path) -> None:
    script = """
        import cv2
        import tensorflow as tf

        images = tf.placeholder("float", [None, 224, 224, 3])
        red, green, blue = tf.split(images * 255.0, 3, 3)
        score = tf.nn.conv2d(tf.concat([blue - 104.0, green - 117.0, red - 123.0], 3), weights, [1, 1, 1, 1], "SAME")
        image = cv2.cvtColor(cv2.imread("a.png"), cv2.COLOR_BGR2RGB) / 255.0
        tf.Session().run(score, feed_dict={images: image[None]})
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert path.pipeline.order == "BGR"
    assert path.pipeline.affine.scale == pytest.approx((1.0, 1.0, 1.0))
    assert path.pipeline.affine.offset == pytest.approx((-104.0, -117.0, -123.0))


def test_a_graph_that_is_not_followed_leaves_the_levels_open(tmp_path: Path) -> None:
    script = """
        import cv2
        import tensorflow as tf

        images = tf.placeholder(tf.float32, [None, None, None, 3])
        image = cv2.imread("a.png") / 255.0
        tf.Session().run("score:0", feed_dict={images: image[None]})
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert path.pipeline.affine.scale is None
    assert path.pipeline.decode.library == "opencv"


def test_a_thread_puts_pictures_into_a_queue(tmp_path: Path) -> None:
    script = """
        import cv2, queue, threading, torch

        class Reader(threading.Thread):
            def __init__(self, names):
                super().__init__()
                self.names, self.queue = names, queue.Queue(maxsize=8)
            def run(self):
                for name in self.names:
                    self.queue.put((name, cv2.resize(cv2.imread(name), (64, 32)) / 255.0))
                self.queue.put((None, None))

        reader = Reader(names)
        reader.start()
        while True:
            found = None
            while alive():
                if not reader.queue.empty():
                    found = reader.queue.get()
                    break
            if found is None:
                break
            model(torch.from_numpy(found[1].transpose(2, 0, 1))[None])
        """
    path = only(reading(tmp_path, {"predict.py": script}))
    assert (path.pipeline.order, path.pipeline.layout) == ("BGR", "NCHW")
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))

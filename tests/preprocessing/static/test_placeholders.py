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


_LOADED = """
    import numpy as np
    import scipy.io
    import tensorflow as tf

    MEAN = np.array([123.68, 116.779, 103.939])

    def loss_net(file, image):
        layers = scipy.io.loadmat(file)["layers"][0]
        kernels = np.transpose(layers[0][0], (1, 0, 2, 3))
        current = tf.nn.conv2d(input=image - MEAN, filters=tf.constant(kernels), strides=[1, 1, 1, 1], padding="SAME")
        return tf.nn.relu(tf.nn.bias_add(current, layers[0][1]))

    def net(image):
        weights = tf.Variable(tf.random.truncated_normal([9, 9, 3, 32], stddev=0.1))
        return tf.nn.conv2d(input=image, filters=weights, strides=[1, 1, 1, 1], padding="SAME")
    """


def test_the_network_that_is_trained_is_told_from_one_whose_weights_are_read(tmp_path: Path) -> None:
    script = """
        import imageio
        import numpy as np
        import tensorflow as tf
        from nets import loss_net, net

        def train(paths, batch_size=4):
            shape = (batch_size, 256, 256, 3)
            content = tf.placeholder(tf.float32, shape=shape)
            wanted = loss_net("vgg.mat", content)
            loss = tf.nn.l2_loss(net(content / 255.0) - wanted)
            step = tf.train.AdamOptimizer(1e-3).minimize(loss)
            batch = np.zeros(shape, dtype=np.float32)
            for at, path in enumerate(paths[:batch_size]):
                batch[at] = imageio.imread(path, pilmode="RGB").astype(np.float32)
            step.run(feed_dict={content: batch})

        train(open("list.txt").read().split())
        """
    path = only(reading(tmp_path, {"style.py": script, "nets.py": _LOADED}))
    assert path.role == "train"
    assert path.pipeline.affine.scale == pytest.approx((1 / 255,))
    assert path.pipeline.affine.offset == (0.0,)
    assert (path.pipeline.decode.library, path.pipeline.order, path.pipeline.layout) == ("pillow", "RGB", "NHWC")


def test_a_placeholder_of_the_shape_of_one_of_several(tmp_path: Path) -> None:
    script = """
        import sys
        import imageio
        import numpy as np
        import tensorflow as tf
        from nets import net

        def load(path):
            return imageio.imread(path, pilmode="RGB")

        def run(given):
            is_paths = type(given[0]) == str
            if is_paths:
                shape = load(given[0]).shape
            else:
                shape = given[0].shape
            shape = (4,) + shape
            images = tf.placeholder(tf.float32, shape=shape)
            out = net(images)
            if is_paths:
                batch = np.zeros(shape, dtype=np.float32)
                for at, path in enumerate(given):
                    batch[at] = load(path)
            else:
                batch = given
            tf.Session().run(out, feed_dict={images: batch})

        run([one for one in sys.argv[1:]])
        """
    path = only(reading(tmp_path, {"stylize.py": script, "nets.py": _LOADED}))
    assert (path.pipeline.affine.scale, path.pipeline.layout, path.pipeline.dtype) == ((1.0,), "NHWC", "float32")


def test_a_layer_that_is_a_function_is_fed(tmp_path: Path) -> None:
    script = """
        import tensorflow as tf
        from tensorflow.contrib import slim

        image = tf.image.decode_jpeg(tf.read_file(path), channels=3)
        image = tf.image.resize_images(image, [224, 224])
        batch = tf.expand_dims(tf.cast(image, tf.float32) / 127.5 - 1.0, 0)
        out = slim.conv2d(batch, 64, 3)
        """
    path = only(reading(tmp_path, {"train.py": script}))
    assert (path.pipeline.layout, path.pipeline.affine.offset) == ("NHWC", (-1.0,))


def test_a_graph_that_adds_what_it_is_fed_to_what_it_gives(tmp_path: Path) -> None:
    script = """
        import imageio
        import numpy as np
        from helper import args

        FLAGS = args.get()

        class Model:
            def __init__(self, flags):
                import tensorflow.compat.v1 as tf
                self.scale = flags.scale
                self.x = tf.placeholder(tf.float32, shape=[None, None, None, flags.channels])
                self.x2 = tf.placeholder(tf.float32, shape=[None, None, None, flags.channels])
                weights = tf.Variable(tf.random_normal([3, 3, 1, 32]))
                self.y = tf.add(tf.nn.conv2d(self.x, weights, [1, 1, 1, 1], "SAME"), self.x2)
                self.session = tf.Session()

            def do(self, image):
                if self.scale == 2:
                    image = image / 255.0
                h, w, c = image.shape
                larger = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
                feed = {self.x: image.reshape(1, h, w, c), self.x2: larger.reshape(1, 2 * h, 2 * w, c)}
                return self.session.run(self.y, feed_dict=feed)

        mix = np.array([[65.738 / 256.0, 129.057 / 256.0, 25.064 / 256.0]])
        Model(FLAGS).do(imageio.imread(FLAGS.file).dot(mix.T))
        """
    helper = """
        import tensorflow.compat.v1 as tf

        flags = tf.app.flags
        FLAGS = flags.FLAGS
        flags.DEFINE_integer("scale", 2, "")
        flags.DEFINE_integer("channels", 1, "")
        flags.DEFINE_string("file", "a.png", "")

        def get():
            return FLAGS
        """
    path = only(reading(tmp_path, {"sr.py": script, "helper/__init__.py": "", "helper/args.py": helper}))
    assert (path.pipeline.decode.library, path.pipeline.order, path.pipeline.layout) == ("pillow", "GRAY", "NHWC")
    assert path.pipeline.geometry == ()


def test_a_placeholder_that_is_arranged_is_no_picture_of_its_own(tmp_path: Path) -> None:
    script = """
        import cv2
        import tensorflow as tf
        from tensorflow.contrib import slim

        images = tf.placeholder(tf.float32, name="images")
        height = tf.placeholder(tf.int32)
        score = slim.conv2d(tf.reshape(images, [1, height, height, 3]), 64, 7)
        with tf.Session() as sess:
            sess.run(score, feed_dict={images: cv2.imread("a.png") / 255.0, height: 64})
        """
    path = only(reading(tmp_path, {"eval.py": script}))
    assert (path.pipeline.decode.library, path.pipeline.order, path.pipeline.dtype) == ("opencv", "BGR", "float32")

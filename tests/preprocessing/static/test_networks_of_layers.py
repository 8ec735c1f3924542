"""Networks of TensorFlow 1 that are made with their input, and networks of modules that options name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import only, reading

NETWORK = """
    import tensorflow as tf

    def layer(op):
        def decorated(self, *args, **kwargs):
            self.layers[kwargs["name"]] = op(self, self.terminals[0], *args, **kwargs)
            return self.feed(self.layers[kwargs["name"]])
        return decorated

    class Network(object):
        def __init__(self, inputs, trainable=True):
            self.inputs, self.terminals, self.layers = inputs, [], dict(inputs)
            self.setup()
        def setup(self):
            raise NotImplementedError
        def feed(self, *args):
            self.terminals = [self.layers[one] if isinstance(one, str) else one for one in args]
            return self
        @layer
        def conv(self, input, size, name):
            return tf.nn.conv2d(input, self.kernel(size), [1, 1, 1, 1], "SAME")

    class Deep(Network):
        def setup(self):
            self.feed("data").conv(3, name="one").conv(3, name="two")
    """
INFER = """
    import numpy as np
    import tensorflow as tf
    from network import Deep

    MEAN = np.array((104.0, 117.0, 123.0), dtype=np.float32)

    def main(path):
        image = tf.image.decode_jpeg(tf.read_file(path), channels=3)
        red, green, blue = tf.split(axis=2, num_or_size_splits=3, value=image)
        image = tf.cast(tf.concat(axis=2, values=[blue, green, red]), dtype=tf.float32)
        image -= MEAN
        {labels}
        net = Deep({{"data": tf.expand_dims(image, dim=0)}}{more})
        return tf.argmax(net.layers["two"], dimension=3)

    if __name__ == "__main__":
        main("a.jpg")
    """
LABELS = """label = tf.cast(tf.image.decode_png(tf.read_file(path + ".png"), channels=1), tf.float32) - 255
        both = tf.random_crop(tf.concat(axis=2, values=[image, label]), [321, 321, 4])
        image, label = both[:, :, :tf.shape(image)[-1]], both[:, :, tf.shape(image)[-1]:] + 255"""


@pytest.mark.parametrize("labels", ["pass", LABELS])
@pytest.mark.parametrize("more", ["", ", trainable=False"])
def test_a_network_that_is_made_with_its_input(tmp_path: Path, labels: str, more: str) -> None:
    path = only(reading(tmp_path, {"infer.py": INFER.format(labels=labels, more=more), "network.py": NETWORK}))
    pipeline = path.pipeline
    assert (path.fed, pipeline.decode.library, pipeline.order, pipeline.layout) == (True, "tensorflow", "BGR", "NHWC")
    assert pipeline.affine.offset == (-104.0, -117.0, -123.0)


NAMED = """
    import numpy as np

    class Model:
        def __init__(self):
            from keras.models import load_model
            self.model = load_model("net.h5")
        def predict(self, image):
            return self.model.predict(np.expand_dims(image / 255.0, axis=0))[0]

    def make_model():
        return Model()
    """
ASKING = """
    import sys
    from importlib import import_module
    import imageio

    name = "small" if len(sys.argv) > 1 else "large"
    model = import_module("models." + name).make_model()
    model.predict(imageio.imread("a.png"))
    """


def test_a_network_of_one_of_several_modules(tmp_path: Path) -> None:
    files = {"models/__init__.py": "", "models/small.py": NAMED, "models/large.py": NAMED, "predict.py": ASKING}
    paths = reading(tmp_path, files).paths
    assert {path.name for path in paths if path.reachable} == {"predict.py: Model.predict"}
    assert {(path.networks, path.pipeline.affine.scale) for path in paths} == {(("weights:net",), (1 / 255,))}

"""Networks that are written as a chain of layers, which a decorator gives what came before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import levels, only, reading

_NETWORK = """
    import cv2
    import numpy as np
    import tensorflow as tf

    def layer(op):
        def layer_decorated(self, *args, **kwargs):
            name = kwargs.setdefault("name", op.__name__)
            if len(self.inputs) == 0:
                raise RuntimeError("no input")
            elif len(self.inputs) == 1:
                layer_input = self.inputs[0]
            else:
                layer_input = list(self.inputs)
            layer_output = op(self, layer_input, *args, **kwargs)
            self.layers[name] = layer_output
            self.feed(layer_output)
            return self
        return layer_decorated

    def timed(op):
        def wrapped(self, *args, **kwargs):
            return op(self, *args, **kwargs)
        return wrapped

    class Network(object):
        def __init__(self):
            self.inputs = []
            self.data = tf.placeholder(tf.float32, shape=[None, None, None, 3])
            self.layers = dict({{"data": self.data}})
            self.setup()
        def feed(self, *args):
            self.inputs = []
            for layer in args:
                if isinstance(layer, str):
                    layer = self.layers[layer]
                self.inputs.append(layer)
            return self
        @layer
        def scaled(self, input, factor, name):
            return input / factor
        @layer
        def conv(self, input, k_h, k_w, name):
            convolve = lambda i, k: tf.nn.conv2d(i, k, [1, 1, 1, 1])
            return tf.nn.relu(convolve(input, self.weights(name, [k_h, k_w])))
        @timed
        def setup(self):
            (self.feed("data"){chain}.conv(3, 3, name="conv1_2"))

    def detect(sess, net, im):
        blob = np.zeros((1, im.shape[0], im.shape[1], 3), dtype=np.float32)
        blob[0, 0:im.shape[0], 0:im.shape[1], :] = im - np.array([[[102.0, 115.0, 122.0]]])
        return sess.run(net.layers["conv1_2"], feed_dict={{net.data: blob}})

    with tf.Session() as sess:
        net = Network()
        detect(sess, net, cv2.imread(path))
    """


@pytest.mark.parametrize(
    ("chain", "scale"),
    [('.conv(3, 3, name="conv1_1")', 1.0), ('.scaled(255.0, name="input").conv(3, 3, name="conv1_1")', 1 / 255)],
)
def test_layers_of_a_chain(tmp_path: Path, chain: str, scale: float) -> None:
    path = only(reading(tmp_path, {"demo.py": _NETWORK.format(chain=chain)}))
    affine = path.pipeline.affine
    assert levels(path)[0] == pytest.approx(scale)
    assert affine.offset == pytest.approx((-102.0 * scale, -115.0 * scale, -122.0 * scale))


def test_decorators_that_decorate_one_another(tmp_path: Path) -> None:
    layer = "    def layer(op):\n        def layer_decorated(self, *args, **kwargs):"
    turned = (
        "    def again(op):\n        @layer\n        def wrapped(self, *args):\n"
        "            return op(self, self.inputs, *args)\n        return wrapped\n\n"
        "    def layer(op):\n        @again\n        def layer_decorated(self, *args, **kwargs):"
    )
    script = _NETWORK.replace(layer, turned).format(chain='.scaled(255.0, name="input").conv(3, 3, name="conv1_1")')
    assert levels(only(reading(tmp_path, {"demo.py": script})))[0] == pytest.approx(1 / 255)

"""What a model of Keras does to its input before its first layer of weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.static.reading import FoundPath
from dataguard.preprocessing.steps import Flip, Random
from tests.preprocessing.static.repositories import levels, only, reading


def predicted(folder: Path, network: str) -> FoundPath:
    """The path of a script that gives pictures of OpenCV, put into RGB, to a model of these lines."""
    script = f"""
import cv2
import tensorflow as tf
from tensorflow.keras.layers import Add, Conv2D, Input, Lambda, Normalization, RandomFlip, Rescaling
from tensorflow.keras.models import Model, Sequential
{network}
model.predict(cv2.imread("a.png")[None, :, :, ::-1])
"""
    return only(reading(folder, {"predict.py": script}))


FUNCTIONAL = """
def normalized(x):
    return {done}

def network():
    x_in = Input(shape=(None, None, 3))
    x = {layer}(x_in)
    x = b = Conv2D(64, 3, padding="same")(x)
    x = Add()([x, b])
    return Model(x_in, Lambda(lambda x: x * 127.5)(x))

model = network()
"""


@pytest.mark.parametrize(
    ("layer", "done", "scale", "offset"),
    [
        ("Lambda(normalized)", "x / 127.5 - 1", 1 / 127.5, -1.0),
        ("Lambda(lambda x: x / 255.0)", "x", 1 / 255, 0.0),
        ("Rescaling(1 / 127.5, offset=-1)", "x", 1 / 127.5, -1.0),
        ("Normalization(mean=[100.0, 100, 100], variance=[2500.0, 2500, 2500])", "x", 0.02, -2.0),
        ("RandomFlip()", "x", 1.0, 0.0),
    ],
)
def test_the_first_layers_of_a_functional_model(
    tmp_path: Path, layer: str, done: str, scale: float, offset: float
) -> None:
    path = predicted(tmp_path, FUNCTIONAL.format(layer=layer, done=done))
    assert levels(path) == pytest.approx((scale, offset))
    assert (path.pipeline.order, path.pipeline.layout, path.pipeline.geometry or ()) == ("RGB", "NHWC", ())
    assert path.pipeline.dtype == ("uint8" if scale == 1 else "float32")


@pytest.mark.parametrize(
    "network",
    [
        "model = Sequential([Rescaling(1 / 255), Conv2D(8, 3), Rescaling(2.0)])",
        "model = Sequential([Sequential([RandomFlip(), Rescaling(1 / 255)]), Conv2D(8, 3)])",
        "model = Sequential()\nmodel.add(Rescaling(1 / 255, input_shape=(64, 64, 3)))\nmodel.add(Conv2D(8, 3))",
        "model = Sequential()\nmodel.add(Lambda(lambda x: x / 255))\nmodel.add(Conv2D(8, 3))",
    ],
)
def test_the_first_layers_of_a_sequence(tmp_path: Path, network: str) -> None:
    path = predicted(tmp_path, network)
    assert path.pipeline.dtype == "float32"
    assert levels(path) == pytest.approx((1 / 255, 0.0))
    assert not any(isinstance(one, Random) for one in path.pipeline.geometry or ())


def test_layers_after_those_of_weights_say_nothing(tmp_path: Path) -> None:
    path = predicted(tmp_path, "model = Sequential([Conv2D(8, 3), Rescaling(1 / 255)])")
    assert levels(path) == (1.0, 0.0)


ZIPPED = """
import tensorflow as tf

def read(files):
    set = tf.data.Dataset.from_tensor_slices(files)
    set = set.map(tf.io.read_file)
    return set.map(lambda x: tf.image.decode_png(x, channels=3))

def rotated(low, high):
    times = tf.random.uniform(shape=(), maxval=4, dtype=tf.int32)
    return tf.image.rot90(low, times), tf.image.rot90(high, times)

def dataset(low, high, turned):
    set = tf.data.Dataset.zip((read(low), read(high)))
    if turned:
        set = set.map(rotated)
    return set.batch(16).repeat()

train_set = dataset(["a.png"], ["b.png"], True)
valid_set = dataset(["c.png"], ["d.png"], False)
for low, high in train_set.take(100):
    model(low, training=True)
for low, high in valid_set.take(10):
    model(low)
"""


def test_data_sets_put_side_by_side(tmp_path: Path) -> None:
    paths = {one.role: one.pipeline for one in reading(tmp_path, {"train.py": ZIPPED}).paths}
    assert set(paths) == {"train", "val"}
    assert [type(one) for one in paths["train"].geometry or ()] == [Random]
    assert not paths["val"].geometry
    assert all((one.order, one.layout, one.dtype) == ("RGB", "NHWC", "uint8") for one in paths.values())


def test_a_quarter_turn(tmp_path: Path) -> None:
    script = """
import tensorflow as tf
picture = tf.io.decode_png(tf.io.read_file("a.png"), channels=3)
model.predict(tf.image.rot90(picture, k=2)[None])
"""
    (step,) = only(reading(tmp_path, {"predict.py": script})).pipeline.geometry or ()
    assert isinstance(step, Flip)
    assert step.kind == "rotate_180"

"""Iterators of TensorFlow 1 over data sets whose batches a function of Python reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataguard.preprocessing.steps import Resize
from tests.preprocessing.static.repositories import reading

DATA = """
    import cv2, numpy as np
    def read(lines, side, mode):
        pictures = []
        for line in lines:
            picture = cv2.resize(cv2.imread(line), (side, side), interpolation=1 if mode == "train" else 0)
            pictures.append(picture.astype(np.float32) / 255.0)
        return np.asarray(pictures)
"""
SCRIPT = """
    import tensorflow as tf
    from data import read
    train_set = tf.data.TextLineDataset("train.txt").batch(8)
    train_set = train_set.map(lambda x: tf.py_func(read, [x, 96, "train"], [tf.float32]))
    val_set = tf.data.TextLineDataset("val.txt").batch(1)
    val_set = val_set.map(lambda x: tf.py_func(read, [x, 64, "val"], [tf.float32]))
"""


def _sizes(folder: Path, rest: str) -> dict[str, list[int | None]]:
    found = reading(folder, {"data.py": DATA, "train.py": SCRIPT + rest}).paths
    assert all((one.pipeline.layout, one.pipeline.affine.scale) == ("NHWC", (1 / 255,)) for one in found)
    steps = {one.role: one.pipeline.geometry or () for one in found}
    return {role: [step.height for step in way if isinstance(step, Resize)] for role, way in steps.items()}


@pytest.mark.parametrize("kind", ["make_one_shot_iterator", "make_initializable_iterator"])
def test_what_a_function_of_python_reads_of_a_batch_of_lines_is_a_batch(tmp_path: Path, kind: str) -> None:
    rest = f"""
    image = val_set.{kind}().get_next()
    with tf.Session() as session:
        session.run(net(image))
"""
    assert _sizes(tmp_path, rest) == {"train": [96], "val": [64]}


def test_an_iterator_that_is_started_with_several_data_sets_gives_each(tmp_path: Path) -> None:
    rest = """
    iterator = tf.data.Iterator.from_structure(train_set.output_types, train_set.output_shapes)
    train_init, val_init = iterator.make_initializer(train_set), iterator.make_initializer(val_set)
    logits = tf.layers.conv2d(iterator.get_next(), 8, 3)
    with tf.Session() as session:
        session.run(train_init)
        session.run(logits)
"""
    assert _sizes(tmp_path, rest) == {"train": [96], "val": [64]}

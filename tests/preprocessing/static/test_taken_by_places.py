"""Pictures of a batch, channels and rows that are taken by their places: take, gather, index_select."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.preprocessing.static.repositories import served

_BATCH = """
import tensorflow as tf
image = cv2.imread("a.png") / 255.
array = np.stack([image, image])
tensor = torch.from_numpy(array)
"""
_OF_MANY = [
    "model(np.take(array, [0, 1], axis=0))",
    "model(np.take(array, range(1), 0))",
    "model(array.take([1], axis=0))",
    "model(torch.index_select(tensor, 0, places()))",
    "model(tensor.index_select(0, index=places()))",
    "model(tf.gather(tf.convert_to_tensor(array), [1, 0]))",
    "model(tf.gather(tf.convert_to_tensor(array), [1, 0], axis=0))",
    "model(np.take(array, 0, axis=0)[None])",
    "model(tf.gather(tf.convert_to_tensor(array), 0)[None])",
]


@pytest.mark.parametrize("line", _OF_MANY)
def test_pictures_of_a_batch_are_what_they_were(tmp_path: Path, line: str) -> None:
    pipeline = served(tmp_path, _BATCH + line).pipeline
    assert (pipeline.layout, pipeline.order, pipeline.geometry, pipeline.undetermined) == ("NHWC", "BGR", (), {})


@pytest.mark.parametrize(
    ("line", "lost"),
    [
        ("model(np.take(array, places(), axis=0))", {"layout"}),
        ("model(np.take(array, places(), axis=3))", {"order"}),
        ("model(tensor.index_select(3, places()))", {"order"}),
        ("model(np.take(array, [1, 2], axis=2))", {"geometry"}),
        ("model(np.take(array, [1, 2]))", {"layout", "order", "geometry"}),
        ("model(np.take(array, [1, 2], axis=9))", {"layout", "order", "geometry"}),
    ],
)
def test_what_is_not_known_of_a_part(tmp_path: Path, line: str, lost: set[str]) -> None:
    assert served(tmp_path, _BATCH + line).pipeline.undetermined.keys() == lost


@pytest.mark.parametrize("line", ["np.take(array, [2, 1, 0], axis=-1)", "array.take([2, 1, 0], 3)"])
def test_channels_are_taken_in_another_order(tmp_path: Path, line: str) -> None:
    pipeline = served(tmp_path, f"{_BATCH}model({line})").pipeline
    assert (pipeline.order, pipeline.undetermined) == ("RGB", {})

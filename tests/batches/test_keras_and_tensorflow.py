"""Loaders of Keras and TensorFlow themselves, recorded and guarded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dataguard.batches.guard import guard
from dataguard.batches.kinds import Ending, LabelKind
from dataguard.batches.record import record
from dataguard.batches.stream import BatchStream

tf: Any = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
keras: Any = pytest.importorskip("keras", reason="Keras is not installed")

X = np.random.default_rng(0).random((640, 8, 8, 1)).astype(np.float32)
Y = np.arange(640) % 10


class Sequence(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffles at the end of each epoch."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.rng = np.random.default_rng(0)
        self.order, self.ended = self.rng.permutation(640), 0

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        rows = self.order[index * 32 : (index + 1) * 32]
        return X[rows], Y[rows]

    def on_epoch_end(self) -> None:
        self.order, self.ended = self.rng.permutation(640), self.ended + 1


def dataset(x: Any = X, y: Any = Y) -> Any:
    return tf.data.Dataset.from_tensor_slices((x, y))


def test_a_keras_dataset_is_recorded_epoch_by_epoch() -> None:
    loader = Sequence()
    stream = record(loader, epochs=2)
    assert [(item.n_batches, item.ending) for item in stream.passes] == [(20, Ending.COMPLETE)] * 2
    assert loader.ended == 2
    assert sorted(stream.codes[:640].tolist()) == sorted(Y.tolist())
    assert not np.array_equal(stream.codes[:640], stream.codes[640:])
    assert str(stream.array_kinds[0]) == "float32 8×8×1"


def test_a_guarded_keras_dataset_goes_on_as_before() -> None:
    loader = Sequence()
    guarded = guard(loader, on_fault="raise")
    assert [len([*guarded]) for _ in range(2)] == [20, 20]
    assert loader.ended == 2
    assert guarded.stream().n_samples == 1280


@pytest.mark.parametrize("numpy", [False, True])
def test_a_tensorflow_dataset_is_recorded(numpy: bool) -> None:
    loader = dataset().shuffle(640, seed=0).batch(32)
    stream = record(loader.as_numpy_iterator() if numpy else loader, epochs=1)
    assert (stream.n_samples, stream.n_batches, stream.label_kind) == (640, 20, LabelKind.CLASSES)
    assert stream.facts.declared_batches == (None if numpy else 20)
    assert sorted(stream.codes.tolist()) == sorted(Y.tolist())


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (tf.one_hot(Y, 10), LabelKind.ONE_HOT),
        (Y.astype(str), LabelKind.CLASSES),
        (np.random.default_rng(0).random(640), LabelKind.CONTINUOUS),
    ],
    ids=["one-hot", "text", "continuous"],
)
def test_labels_of_tensorflow_are_told_apart(labels: Any, kind: LabelKind) -> None:
    assert record(dataset(y=labels).batch(32), epochs=1).label_kind is kind


def test_dictionaries_ragged_sparse_and_endless_datasets_are_recorded() -> None:
    named = tf.data.Dataset.from_tensor_slices({"image": X, "label": Y}).batch(32)
    assert record(named, epochs=1).label_kind is LabelKind.CLASSES
    halves = np.arange(40) % 2
    ragged = dataset(tf.ragged.constant([[1.0, 2.0], [3.0]] * 20), halves).batch(8)
    assert record(ragged, epochs=1).n_samples == 40
    sparse = dataset(tf.sparse.from_dense(np.eye(40)), halves).batch(8)
    assert record(sparse, epochs=1).mean.tolist() == pytest.approx([1 / 40] * 40)
    endless = record(dataset().batch(32).repeat(), batches=30)
    assert (endless.n_batches, endless.passes[0].ending) == (30, Ending.LIMIT)


def test_a_tensorflow_dataset_that_raises_gives_what_came_before() -> None:
    def samples() -> Iterator[Any]:
        yield from zip(X[:25], Y[:25], strict=True)
        raise ValueError("bad sample")

    kinds = (tf.TensorSpec((8, 8, 1)), tf.TensorSpec((), tf.int64))
    (item,) = record(tf.data.Dataset.from_generator(samples, output_signature=kinds).batch(8), epochs=1).passes
    assert (item.n_batches, item.ending) == (3, Ending.RAISED)
    assert "bad sample" in item.detail


def test_a_guarded_tensorflow_dataset_gives_its_own_tensors_and_costs_little() -> None:
    guarded = guard(dataset().batch(32), on_fault=lambda _: None)
    for _ in range(2):
        for x, _ in guarded:
            assert tf.is_tensor(x)
    stream: BatchStream = guarded.stream()
    assert np.array_equal(stream.codes, np.tile(Y, 2))
    assert str(stream.array_kinds[0]) == "float32 8×8×1"
    assert guarded._watch._route is not None, "batches after the first are not read in full"

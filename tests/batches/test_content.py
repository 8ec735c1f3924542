"""What is found in a batch, whatever it is made of."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

from dataguard.batches.content import read
from dataguard.batches.kinds import LabelKind
from dataguard.batches.labels_seen import classify, coded_labels
from dataguard.batches.values import as_array
from dataguard.core.errors import ConfigurationError

pytest.importorskip("torch", reason="torch is not installed")

import torch

N = 8
X = np.random.default_rng(0).random((N, 3, 16, 16)).astype(np.float32)
Y = np.arange(N) % 3
IDS = [f"s{number}" for number in range(N)]
Named = namedtuple("Named", "img note label")  # noqa: PYI024 - what collate functions return


@dataclasses.dataclass
class Record:
    pixel_values: Any
    labels: Any


@pytest.mark.parametrize(
    ("batch", "label_origin", "input_origin"),
    [
        ((X, Y), "second of 2 elements", "first of 2 elements"),
        ([torch.tensor(X), torch.tensor(Y)], "second of 2 elements", "first of 2 elements"),
        ((X, Y, IDS), "second of 3 elements", "first of 3 elements"),
        ({"image": X, "label": Y, "id": IDS}, "key 'label'", "key 'image'"),
        ({"Image": X, "Target": list(Y)}, "key 'Target'", "key 'Image'"),
        ({".jpg": X, ".cls": Y, "__key__": IDS}, "key '.cls'", "key '.jpg'"),
        ({"data": {"image": X, "mask": X[:, :1]}, "targets": {"class": Y}}, "key 'targets.class'", "key 'data.image'"),
        (Named(X, IDS, Y), "key 'label'", "key 'img'"),
        (Record(X, torch.tensor(Y)), "key 'labels'", "key 'pixel_values'"),
        (({"image": X, "label": Y},), "key 'label'", "key 'image'"),
        (({"image": X, "extra": Y}, Y), "second of 2 elements", "key 'image'"),
        ([(X[row], int(Y[row])) for row in range(N)], "second of 2 elements", "first of 2 elements"),
        ([[X[row], int(Y[row])] for row in range(N)], "second of 2 elements", "first of 2 elements"),
        ([{"x": X[row], "y": int(Y[row])} for row in range(N)], "key 'y'", "key 'x'"),
        ((tuple(X), tuple(Y)), "second of 2 elements", "first of 2 elements"),
    ],
)
def test_inputs_and_labels_are_found(batch: Any, label_origin: str, input_origin: str) -> None:
    content = read(batch)
    assert (content.n, content.n_labels) == (N, N)
    assert np.asarray(content.labels).tolist() == Y.tolist()
    assert (content.label_origin, content.input_origin) == (label_origin, input_origin)
    assert np.array_equal(np.stack([np.asarray(row) for row in content.inputs[0].rows]), X)


def test_ids_are_found() -> None:
    assert read((X, Y, IDS)).ids == IDS
    assert read((X, Y, np.arange(N))).ids == [str(row) for row in range(N)]
    assert read({"x": X, "y": Y, "idx": torch.arange(N)}).ids == [str(row) for row in range(N)]
    assert read((X, Y, np.ones(N))).ids is None, "weights are no ids"
    assert read({"x": X, "y": Y, "name": IDS}, sample_id="name").ids == IDS


def test_ragged_batches_keep_every_sample() -> None:
    rows = [np.zeros((3, 5 + row)) for row in range(N)]
    content = read([(row, int(label)) for row, label in zip(rows, Y, strict=True)])
    assert [row.shape for row in content.inputs[0].rows] == [row.shape for row in rows]
    assert read([np.zeros((3, 4)), np.zeros((5, 4))]).n == 2


def test_text_is_an_input() -> None:
    content = read({"text": ["a b", "c"], "label": [0, 1]})
    assert content.inputs[0].rows == ["a b", "c"]
    assert read((["a", "b"], ["pos", "neg"])).labels == ["pos", "neg"]


def test_single_samples_are_batches_of_one() -> None:
    for batch in ((X[0], 2), {"image": X[0], "label": 2}, (X[0], np.array([0.0, 0.0, 1.0, 0.0]))):
        content = read(batch)
        assert content.n == content.n_labels == 1
        assert content.inputs[0].rows.shape == (1, 3, 16, 16)  # type: ignore[union-attr]
        assert any("single samples" in note for note in content.notes)


@pytest.mark.parametrize("batch", [X, [X], (X,), {"image": X}, torch.tensor(X)])
def test_labels_may_be_absent(batch: Any) -> None:
    content = read(batch)
    assert content.n == N
    assert (content.labels, content.n_labels) == (None, -1)


@pytest.mark.parametrize("batch", [None, [], {}, (), "text", 5, object(), [None], {"a": None}])
def test_odd_batches_break_nothing(batch: Any) -> None:
    assert read(batch).n in (0, 1)


def test_a_wrong_number_of_labels_is_kept_in_view() -> None:
    content = read((X, Y[:-1]))
    assert (content.n, content.n_labels) == (N, N - 1)


def test_selectors_override() -> None:
    batch = {"a": X, "b": {"c": Y}, "label": Y[::-1]}
    assert read(batch, label="b.c").labels.tolist() == Y.tolist()
    assert read((Y, X), label=0).labels.tolist() == Y.tolist()
    assert read((Y, X), label=0).inputs[0].rows.shape == X.shape  # type: ignore[union-attr]
    chosen = read((Y, X, X[:, :1]), label=lambda parts: parts[0], inputs=lambda parts: parts[2])
    assert chosen.inputs[0].rows.shape == (N, 1, 16, 16)  # type: ignore[union-attr]


def test_a_selector_that_fits_nothing_says_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'bee'"):
        read({"a": X, "bee": Y}, label="be")
    with pytest.raises(ConfigurationError, match="no 5"):
        read((X, Y), label=5)
    with pytest.raises(ConfigurationError, match="ZeroDivisionError"):
        read((X, Y), label=lambda batch: 1 / 0)


def test_tensors_become_arrays() -> None:
    tensor = torch.arange(6.0, requires_grad=True).reshape(2, 3)
    assert np.array_equal(as_array(tensor), [[0, 1, 2], [3, 4, 5]])  # type: ignore[arg-type]
    half = as_array(torch.ones(2, dtype=torch.bfloat16))
    assert half is not None
    assert half.dtype == np.float32
    sparse = as_array(torch.eye(3).to_sparse())
    assert np.array_equal(sparse, np.eye(3))  # type: ignore[arg-type]
    assert as_array("text") is None
    assert read((torch.zeros(2, 3, dtype=torch.bfloat16), [0, 1])).inputs[0].dtype == "bfloat16"


@pytest.mark.parametrize(
    ("labels", "kind", "codes", "classes"),
    [
        (np.array([3, 1, 3]), LabelKind.CLASSES, [1, 0, 1], ("1", "3")),
        (np.array([[3.0], [1.0], [np.nan]]), LabelKind.CLASSES, [1, 0, -1], ("1", "3")),
        (["dog", "cat", None], LabelKind.CLASSES, [1, 0, -1], ("cat", "dog")),
        (np.array([True, False]), LabelKind.CLASSES, [1, 0], ("0", "1")),
        (np.array([10, 9, 2]), LabelKind.CLASSES, [2, 1, 0], ("2", "9", "10")),
        (np.eye(3)[[2, 0]], LabelKind.ONE_HOT, [1, 0], ("0", "2")),
        (np.eye(3)[[2, 0]] * 0.9 + 0.1 / 3, LabelKind.SOFT, [1, 0], ("0", "2")),
        (np.array([[1, 1, 0], [0, 0, 0], [0, 0, 1]]), LabelKind.MULTI_LABEL, [1, 2, 0], ("2", "0+1", "none")),
        (np.array([0.5, 1.5]), LabelKind.CONTINUOUS, [-1, -1], ()),
        (np.zeros((2, 5, 5), dtype=int), LabelKind.STRUCTURED, [-1, -1], ()),
        (np.array([[-1.0, 2.0]]), LabelKind.STRUCTURED, [-1], ()),
        (None, LabelKind.ABSENT, [-1, -1], ()),
    ],
)
def test_labels_become_codes(labels: Any, kind: LabelKind, codes: list[int], classes: tuple[str, ...]) -> None:
    coded = coded_labels([(*classify(labels), len(codes))])
    assert (coded.kind, coded.codes.tolist(), coded.classes) == (kind, codes, classes)


def test_labels_of_several_batches_share_their_codes() -> None:
    parts = [(*classify(np.array(values)), len(values)) for values in ([2, 2], [0, 1])]
    coded = coded_labels(parts, names=["ant", "bee", "cow"], source=classify(np.array([0, 1, 2, 2])))
    assert coded.classes == ("ant", "bee", "cow")
    assert coded.codes.tolist() == [2, 2, 0, 1]
    assert coded.source_codes is not None
    assert coded.source_codes.tolist() == [0, 1, 2, 2]


def test_one_fraction_makes_labels_continuous() -> None:
    coded = coded_labels([(*classify(np.array([1.0, 2.0])), 2), (*classify(np.array([2.5])), 1)])
    assert coded.kind is LabelKind.CONTINUOUS
    assert coded.targets is not None
    assert coded.targets.tolist() == [1.0, 2.0, 2.5]


def test_a_batch_short_of_labels_does_not_shift_the_next() -> None:
    coded = coded_labels([(*classify(np.array([1, 1])), 3), (*classify(np.array([0])), 1)])
    assert coded.codes.tolist() == [1, 1, -1, 0]

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.dataset.class_counts import ClassCounts, is_training, split_order
from dataguard.dataset.table import SampleTable


def test_counts_from_a_table() -> None:
    rows = [("train", "dog"), ("train", "cat"), ("train", "dog"), ("test", "cat"), ("test", None), (None, "cat")]
    table = SampleTable.from_rows(
        {"sample_id": str(number), "split": split, "label": label} for number, (split, label) in enumerate(rows)
    )
    counts = ClassCounts.from_table(table)
    assert counts.splits == ("", "train", "test")
    assert counts.classes == ("cat", "dog")
    assert counts.counts.tolist() == [[1, 0], [1, 2], [1, 0]]
    assert counts.unlabelled.tolist() == [0, 0, 1]
    assert counts.training.tolist() == [2, 2]
    assert counts.n_labelled == 5
    assert not counts.counts.flags.writeable
    assert not counts.unlabelled.flags.writeable


def test_samples_that_cannot_be_decoded_count() -> None:
    table = SampleTable.from_rows([{"sample_id": "a", "label": "cat", "decode_error": "truncated"}])
    assert ClassCounts.from_table(table).counts.tolist() == [[1]]


@pytest.mark.parametrize("rows", [[], [{"sample_id": "a"}], [{"sample_id": "a", "split": "train"}]])
def test_no_label_is_no_class(rows: list[dict[str, str]]) -> None:
    counts = ClassCounts.from_table(SampleTable.from_rows(rows))
    assert counts.classes == ()
    assert counts.n_labelled == 0
    assert counts.counts.shape == (len(counts.splits), 0)
    assert counts.unlabelled.sum() == len(rows)


def test_without_a_training_split_all_count() -> None:
    counts = ClassCounts.from_mapping({"one": {"a": 1}, "two": {"a": 2, "b": 3}})
    assert counts.training.tolist() == [3, 3]


def test_training_and_the_order_of_splits_go_by_name() -> None:
    assert [is_training(name) for name in ("", "train", "TRAINING", "val", "test", "trainval")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    names = ["zoo", "holdout", "test", "dev", "Val", "training", "train", ""]
    assert sorted(names, key=split_order) == ["", "train", "training", "Val", "dev", "holdout", "test", "zoo"]


LABELS = st.one_of(st.none(), st.sampled_from(["a", "b", "ß", ""]))
SPLITS = st.one_of(st.none(), st.sampled_from(["train", "test"]))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(SPLITS, LABELS), max_size=25), st.randoms(use_true_random=False))
def test_every_sample_is_counted_once_in_any_order(
    samples: list[tuple[str | None, str | None]], random: object
) -> None:
    def count(order: list[tuple[str | None, str | None]]) -> ClassCounts:
        return ClassCounts.from_table(
            SampleTable.from_rows(
                {"sample_id": str(number), "split": split, "label": label}
                for number, (split, label) in enumerate(order)
            )
        )

    one = count(samples)
    assert one.n_labelled + int(one.unlabelled.sum()) == len(samples)
    shuffled = list(samples)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = count(shuffled)
    assert (one.splits, one.classes) == (other.splits, other.classes)
    assert np.array_equal(one.counts, other.counts)
    assert np.array_equal(one.unlabelled, other.unlabelled)

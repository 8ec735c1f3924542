from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Finding, Observation, Severity, Skipped
from dataguard.dataset.class_counts import ClassCounts
from dataguard.rules.labels.dg108_inverted_split import inverted_split


def findings(
    counts: Mapping[str, Mapping[str, int]], unlabelled: Mapping[str, int] | None = None, **options: float
) -> list[Finding]:
    outcomes = inverted_split(ClassCounts.from_mapping(counts, unlabelled), **options)
    return [outcome for outcome in outcomes if isinstance(outcome, Finding)]


def drawn(n: int, seed: int) -> dict[str, int]:
    return dict(
        zip("abcde", np.random.default_rng(seed).multinomial(n, [0.3, 0.25, 0.2, 0.15, 0.1]).tolist(), strict=True)
    )


@pytest.mark.parametrize("name", ["test", "val", "Validation", "holdout"])
def test_fires_on_an_evaluation_split_larger_than_training(name: str) -> None:
    (finding,) = findings({"train": drawn(200, 0), name: drawn(800, 1)})
    assert finding.severity is Severity.WARNING
    assert finding.confidence is Confidence.MEDIUM
    assert finding.message.startswith(f"{name!r} has 4.0 times the samples of training, 800 against 200")
    assert "80 % of both would be for training" in finding.message
    assert [place.split for place in finding.locations] == [name]
    assert (finding.measurements[0].value, finding.measurements[0].threshold) == (4.0, 2.0)
    (listing,) = finding.exhibits
    assert isinstance(listing, Listing)
    assert sorted(listing.rows) == sorted([(name, 800, 800, 5), ("train", 200, 200, 5)])


def test_fires_once_a_split_largest_first() -> None:
    found = findings({"train": drawn(100, 0), "val": drawn(300, 1), "test": drawn(900, 2)})
    assert [finding.key for finding in found] == [("test",), ("val",)]


def test_fires_on_training_without_labels() -> None:
    (finding,) = findings({"test": drawn(100, 0)}, {"train": 1000})
    assert finding.severity is Severity.WARNING
    assert finding.key == ("labels",)
    assert "None of 1,000 training samples has a label, and 100 of 'test' have" in finding.message


def test_fires_as_information_where_training_was_counted_out() -> None:
    train = dict.fromkeys("abcde", 10)
    (finding,) = findings({"train": train, "val": train, "test": drawn(300, 0)})
    assert finding.severity is Severity.INFO
    assert finding.confidence is Confidence.LOW
    assert "Training has 10 of each class" in finding.message
    # Where both are balanced, so is the whole, and that says nothing.
    (finding,) = findings({"train": train, "test": dict.fromkeys("abcde", 50)})
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(
    "sizes",
    [(50, 50), (60, 40), (40, 60), (34, 66), (70, 30), (75, 25), (80, 20), (90, 10), (34, 33, 33), (20, 40, 40)],
)
def test_silent_on_usual_splits_and_near_halves(sizes: tuple[int, ...]) -> None:
    names = ("train", "test") if len(sizes) == 2 else ("train", "val", "test")
    assert findings({name: drawn(10 * n, n) for name, n in zip(names, sizes, strict=True)}) == []


def test_silent_on_a_test_set_without_labels() -> None:
    assert findings({"train": drawn(100, 0)}, {"test": 150}) == []


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_silent_on_one_of_two_directions(one: int, other: int) -> None:
    counts = {"a": one}, {"a": other}
    there = findings({"train": counts[0], "test": counts[1]})
    back = findings({"train": counts[1], "test": counts[0]})
    assert not (there and back)
    assert bool(there) == (other > 2 * one)


@pytest.mark.parametrize(
    "counts",
    [
        {"train": {"a": 5}},
        {"test": {"a": 5}, "val": {"a": 1}},
        {"": {"a": 2, "b": 1}},
        {"fold_1": {"a": 5}, "fold_2": {"a": 50}},
        {"train": {"a": 1}, "extra": {"a": 50}},
        {"train": {"a": 1}, "unlabeled": {"a": 50}},
    ],
)
def test_edge_nothing_to_compare_is_skipped(counts: dict[str, dict[str, int]]) -> None:
    (outcome,) = inverted_split(ClassCounts.from_mapping(counts))
    assert isinstance(outcome, Skipped)


def test_edge_samples_without_a_label_count() -> None:
    (finding,) = findings({"train": {"a": 60, "b": 40}, "test": {"a": 90, "b": 60}}, {"test": 100})
    assert finding.measurements[0].value == 2.5
    assert findings({"train": {"a": 60, "b": 40}, "test": {"a": 90, "b": 60}}, {"train": 50, "test": 100}) == []


def test_edge_training_of_two_names_is_taken_together() -> None:
    assert findings({"train": drawn(100, 0), "training": drawn(100, 1), "test": drawn(300, 2)}) == []


def test_edge_the_limit_itself_is_allowed_and_can_be_moved() -> None:
    counts = {"train": drawn(100, 0), "test": drawn(200, 1)}
    assert findings(counts) == []
    assert len(findings(counts, max_ratio=1.5)) == 1
    (observation,) = inverted_split(ClassCounts.from_mapping(counts))
    assert isinstance(observation, Observation)
    assert observation.message == "100 samples in training, 200 in 'test': 2.0 times (at most 2)."

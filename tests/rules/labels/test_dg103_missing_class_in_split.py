from __future__ import annotations

import itertools

import numpy as np
import pytest

from dataguard.core.finding import Finding, Observation, Outcome, Severity, Skipped
from dataguard.dataset.class_counts import ClassCounts
from dataguard.rules.labels.dg103_missing_class_in_split import miss_probabilities, missing_class_in_split


def findings(counts: dict[str, dict[str, int]]) -> list[Finding]:
    outcomes: list[Outcome] = missing_class_in_split(ClassCounts.from_mapping(counts))
    assert isinstance(outcomes[-1], Observation)
    return [outcome for outcome in outcomes if isinstance(outcome, Finding)]


def test_fires_on_a_class_that_cannot_be_learned() -> None:
    (finding,) = findings({"train": {"a": 100, "b": 100}, "test": {"a": 30, "b": 30, "c": 40}})
    assert finding.severity is Severity.ERROR
    assert [(place.split, place.label) for place in finding.locations] == [("test", "c")]
    assert "'c': 40 samples (40.0 % of 'test') cannot be predicted right" in finding.message
    assert "the split is broken" in finding.message


def test_fires_on_a_class_that_is_not_measured() -> None:
    (finding,) = findings({"train": {"a": 100, "b": 100}, "val": {"a": 20, "b": 20}, "test": {"a": 40}})
    assert finding.severity is Severity.WARNING
    assert finding.key == ("evaluation", "test")
    assert [(place.split, place.label) for place in finding.locations] == [("test", "b")]


def test_fires_and_tells_bad_luck_from_a_broken_split() -> None:
    (lucky,) = findings({"train": {"a": 700, "b": 2}, "test": {"a": 100}})
    assert "Bad luck explains it" in lucky.message
    p_value = lucky.measurements[0].p_value
    assert p_value is not None
    assert p_value > 0.5
    (broken,) = findings({"train": {"a": 700, "b": 300}, "test": {"a": 100}})
    assert "the split is broken" in broken.message
    p_value = broken.measurements[0].p_value
    assert p_value is not None
    assert p_value < 1e-6


def test_fires_as_broken_when_many_rare_classes_are_missing_at_once() -> None:
    # Each of them alone could be missed by luck; all of them together could not.
    rare = {f"rare{k:02d}": 3 for k in range(60)}
    (finding,) = findings({"train": {"a": 700, **rare}, "test": {"a": 700}})
    assert "the split is broken" in finding.message


@pytest.mark.parametrize(("one", "other"), [("Cat", "cat"), ("cat ", "cat"), ("big_cat", "big cat"), ("1.0", "1")])
def test_fires_and_names_a_spelling(one: str, other: str) -> None:
    error, warning = findings({"train": {one: 100, "dog": 100}, "test": {other: 40, "dog": 40}})
    assert error.severity is Severity.ERROR
    assert f"{other!r} is {one!r} spelled differently" in error.message
    assert warning.severity is Severity.WARNING
    assert f"{one!r} is {other!r} spelled differently" in warning.message


def test_silent_where_every_split_has_every_class() -> None:
    assert findings({"train": {"a": 10, "b": 10}, "val": {"a": 1, "b": 1}, "test": {"a": 1, "b": 2}}) == []


def test_silent_about_broken_splits_on_random_ones() -> None:
    rng = np.random.default_rng(0)
    totals = np.full(100, 3)
    said = 0
    for _ in range(40):
        test = rng.multivariate_hypergeometric(totals, 45)
        counts = {
            "train": {f"{k:02d}": int(n) for k, n in enumerate(totals - test) if n},
            "test": {f"{k:02d}": int(n) for k, n in enumerate(test) if n},
        }
        said += any("split is broken" in finding.message for finding in findings(counts))
    assert said <= 1


@pytest.mark.parametrize("counts", [{"train": {"a": 5}}, {"test": {"a": 5}, "val": {"a": 1}}, {"": {"a": 2, "b": 1}}])
def test_edge_nothing_to_compare_is_skipped(counts: dict[str, dict[str, int]]) -> None:
    (outcome,) = missing_class_in_split(ClassCounts.from_mapping(counts))
    assert isinstance(outcome, Skipped)


def test_edge_an_evaluation_split_without_labels_is_left_out() -> None:
    counts = ClassCounts.from_mapping({"train": {"a": 5, "b": 5}}, {"test": 10})
    (outcome,) = missing_class_in_split(counts)
    assert isinstance(outcome, Skipped)
    both = ClassCounts.from_mapping({"train": {"a": 5, "b": 5}, "val": {"a": 1, "b": 1}}, {"test": 10})
    assert [type(outcome) for outcome in missing_class_in_split(both)] == [Observation]


def test_edge_training_without_labels_is_skipped() -> None:
    (outcome,) = missing_class_in_split(ClassCounts.from_mapping({"test": {"a": 3}}, {"train": 9}))
    assert isinstance(outcome, Skipped)
    assert "training" in outcome.reason


def test_edge_two_training_splits_are_taken_together() -> None:
    assert findings({"train": {"a": 5}, "training": {"b": 5}, "test": {"a": 2, "b": 2}}) == []


def test_edge_the_probability_is_that_of_all_splits_counted_one_by_one() -> None:
    labels = [0, 0, 1, 1, 1, 2, 3]
    totals = np.bincount(labels)
    for n in range(len(labels) + 1):
        splits = list(itertools.combinations(range(len(labels)), n))
        counted = [np.mean([k not in {labels[i] for i in split} for split in splits]) for k in range(4)]
        assert miss_probabilities(totals, n) == pytest.approx(counted, abs=1e-12)

from __future__ import annotations

import pytest

from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.dataset.class_counts import ClassCounts
from dataguard.rules.labels.dg104_too_few_samples_per_class import error_bound, too_few_samples_per_class


def findings(counts: dict[str, dict[str, int]], **options: int) -> list[Finding]:
    outcomes = too_few_samples_per_class(ClassCounts.from_mapping(counts), **options)
    assert isinstance(outcomes[-1], Observation)
    return [outcome for outcome in outcomes if isinstance(outcome, Finding)]


def test_fires_on_small_training_classes_smallest_first() -> None:
    (finding,) = findings({"train": {"a": 100, "b": 29, "c": 5}})
    assert finding.severity is Severity.WARNING
    assert [place.label for place in finding.locations] == ["c", "b"]
    assert "2 classes of 3 have fewer than 30 training samples: 'c' (5), 'b' (29)." in finding.message
    assert "45 %" in finding.message
    assert finding.exhibits


def test_fires_as_an_error_on_a_class_of_one() -> None:
    (finding,) = findings({"train": {"a": 100, "b": 1}})
    assert finding.severity is Severity.ERROR
    assert finding.key == ("training", "single")


def test_fires_and_names_the_likely_misspelling() -> None:
    (finding,) = findings({"train": {"airplane": 50, "bird": 40, "airplne": 1}})
    assert "'airplne' (perhaps 'airplane' misspelled)" in finding.message


def test_fires_on_each_evaluation_split_by_itself() -> None:
    found = findings({"train": {"a": 100, "b": 100}, "val": {"a": 9, "b": 50}, "test": {"a": 50, "b": 2}})
    assert [finding.key for finding in found] == [("evaluation", "val"), ("evaluation", "test")]
    assert [[(place.split, place.label) for place in finding.locations] for finding in found] == [
        [("val", "a")],
        [("test", "b")],
    ]


def test_silent_at_the_thresholds() -> None:
    assert findings({"train": {"a": 30, "b": 30}, "test": {"a": 10, "b": 10}}) == []


def test_silent_about_a_class_that_a_split_lacks() -> None:
    assert findings({"train": {"a": 30}, "test": {"a": 10, "b": 10}}) == []


def test_edge_the_options_move_the_thresholds() -> None:
    counts = {"train": {"a": 4}, "test": {"a": 4}}
    assert len(findings(counts)) == 2
    assert findings(counts, min_train=4, min_evaluation=4) == []
    assert findings({"train": {"a": 1}}, min_train=0) == []


def test_edge_without_splits_all_samples_are_training() -> None:
    (finding,) = findings({"": {"a": 100, "b": 20}})
    assert finding.key == ("training", "few")
    assert finding.locations[0].split is None


def test_edge_without_a_training_split_the_splits_count_together() -> None:
    assert findings({"one": {"a": 20, "b": 20}, "two": {"a": 20, "b": 20}}) == []


def test_edge_no_label_at_all_is_skipped() -> None:
    (outcome,) = too_few_samples_per_class(ClassCounts.from_mapping({}, {"train": 4}))
    assert isinstance(outcome, Skipped)


@pytest.mark.parametrize(("n", "bound"), [(1, 0.95), (10, 0.259), (30, 0.095), (300, 0.00994)])
def test_edge_the_bound_is_exact(n: int, bound: float) -> None:
    from scipy.stats import binomtest

    assert error_bound(n) == pytest.approx(bound, abs=5e-4)
    # The one-sided 95 % bound is the upper end of the two-sided 90 % interval.
    assert error_bound(n) == pytest.approx(binomtest(0, n).proportion_ci(0.9, method="exact").high)

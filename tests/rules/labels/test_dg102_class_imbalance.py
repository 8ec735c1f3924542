from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.core.exhibit import Histogram
from dataguard.core.finding import Finding, Inconclusive, Observation, Severity, Skipped
from dataguard.dataset.class_counts import ClassCounts
from dataguard.rules.labels.dg102_class_imbalance import class_imbalance, ratio_upper_bound


def train(**counts: int) -> ClassCounts:
    return ClassCounts.from_mapping({"train": counts})


def test_fires_on_a_ratio_that_is_surely_below_the_threshold() -> None:
    (finding,) = class_imbalance(train(common=2000, middle=900, rare=40))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    ratio = finding.measurements[0]
    assert ratio.value == pytest.approx(0.02)
    assert ratio.threshold == 0.1
    assert ratio.high is not None
    assert 0.02 < ratio.high < 0.1
    assert [place.label for place in finding.locations] == ["rare"]
    assert "'rare' has 40 training samples against 2,000 of 'common'" in finding.message


def test_fires_and_says_what_the_figures_mean() -> None:
    (finding,) = class_imbalance(train(a=980, b=20))
    assert isinstance(finding, Finding)
    by_name = {item.name: item.value for item in finding.measurements}
    assert by_name["accuracy of always guessing the largest class"] == pytest.approx(0.98)
    entropy = -(0.98 * np.log(0.98) + 0.02 * np.log(0.02))
    assert by_name["effective number of classes"] == pytest.approx(np.exp(entropy))
    assert "98.0 %" in finding.remedy


def test_fires_on_the_training_classes_and_not_on_the_others() -> None:
    counts = ClassCounts.from_mapping({"train": {"a": 1000, "b": 10}, "test": {"a": 5, "b": 1000}})
    (finding,) = class_imbalance(counts)
    assert isinstance(finding, Finding)
    (histogram,) = finding.exhibits
    assert isinstance(histogram, Histogram)
    assert histogram.categories == ("a", "b")
    assert [series.values for series in histogram.series] == [(1000.0, 10.0)]


def test_silent_on_balanced_classes_and_shows_the_figures() -> None:
    (outcome,) = class_imbalance(train(a=100, b=90, c=110))
    assert isinstance(outcome, Observation)
    assert outcome.measurements[0].value == pytest.approx(90 / 110)
    assert outcome.exhibits


def test_silent_on_random_draws_from_balanced_classes() -> None:
    rng = np.random.default_rng(0)
    alarms = plain = 0
    for _ in range(60):
        row = rng.multinomial(500, np.full(100, 0.01))
        counts = ClassCounts.from_mapping({"train": {f"{k:02d}": int(n) for k, n in enumerate(row) if n}})
        alarms += any(isinstance(outcome, Finding) for outcome in class_imbalance(counts))
        plain += row[row > 0].min() < 0.1 * row.max()
    assert alarms == 0
    assert plain > 30  # The plain ratio would have alarmed, so the draws are a test.


def test_edge_too_few_samples_to_tell() -> None:
    (outcome,) = class_imbalance(train(a=30, b=1))
    assert isinstance(outcome, Inconclusive)
    assert "may be up to" in outcome.reason


def test_edge_level_zero_takes_the_counts_as_they_are() -> None:
    (outcome,) = class_imbalance(train(a=30, b=1), level=0)
    assert isinstance(outcome, Finding)


def test_edge_a_ratio_at_the_threshold_passes() -> None:
    (outcome,) = class_imbalance(train(a=100_000, b=10_000))
    assert isinstance(outcome, Observation)


@pytest.mark.parametrize("counts", [{"train": {"a": 5}}, {"train": {}}, {"train": {"a": 3}, "test": {"b": 3}}])
def test_edge_fewer_than_two_training_classes_are_skipped(counts: dict[str, dict[str, int]]) -> None:
    (outcome,) = class_imbalance(ClassCounts.from_mapping(counts, {"train": 3}))
    assert isinstance(outcome, Skipped)


def test_edge_a_class_without_training_samples_is_left_to_dg103() -> None:
    counts = ClassCounts.from_mapping({"train": {"a": 100, "b": 90}, "test": {"a": 10, "b": 10, "c": 10}})
    (outcome,) = class_imbalance(counts)
    assert isinstance(outcome, Observation)


def test_edge_ties_name_the_same_classes_in_any_order() -> None:
    one = class_imbalance(train(a=1000, b=1000, c=10, d=10))
    other = class_imbalance(train(d=10, c=10, b=1000, a=1000))
    assert one == other


@settings(max_examples=40, deadline=None)
@given(n_min=st.integers(1, 400), extra=st.integers(0, 4000), classes=st.integers(2, 200))
def test_edge_the_bound_lies_above_the_ratio_and_grows_with_the_classes(n_min: int, extra: int, classes: int) -> None:
    n_max = n_min + extra
    bound = ratio_upper_bound(n_min, n_max, n_classes=classes, level=0.95)
    assert bound > n_min / n_max
    assert bound <= ratio_upper_bound(n_min, n_max, n_classes=classes + 1, level=0.95)


def test_edge_the_bound_is_clopper_and_pearsons() -> None:
    from scipy.stats import binomtest

    # Two classes: one-sided at 1 - 0.05/2 is the upper end of the two-sided 95 % interval.
    share = binomtest(7, 7 + 90).proportion_ci(confidence_level=0.95, method="exact").high
    assert ratio_upper_bound(7, 90, n_classes=2, level=0.95) == pytest.approx(share / (1 - share))


def test_edge_equal_classes_are_not_compared_with_themselves() -> None:
    (observation,) = class_imbalance(ClassCounts.from_mapping({"train": {"a": 50, "b": 50, "c": 50}}))
    assert isinstance(observation, Observation)
    assert "'a' has 50 training samples against 50 of 'c'" in observation.message

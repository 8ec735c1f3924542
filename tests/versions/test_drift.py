"""Whether two profiles are of one distribution."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from dataguard.versions.drift import category_table, drifts
from dataguard.versions.made_up import made_up_split
from dataguard.versions.profile import Categories, SplitProfile, category_profile


def with_label(split: SplitProfile, counts: dict[str, int]) -> SplitProfile:
    return dataclasses.replace(split, label=category_profile("the label", list(counts), list(counts.values()), 0))


def test_numbers_are_compared_as_kolmogorov_and_smirnov_do() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 100, 400).astype(float), rng.integers(10, 110, 300).astype(float)
    (found,) = drifts([("train", made_up_split({"x": a}), made_up_split({"x": b}))])
    expected = stats.ks_2samp(a, b, method="asymp")
    assert found.effect == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(stats.kstwobign.sf(np.sqrt(400 * 300 / 700) * expected.statistic))
    assert (found.first, found.second) == (np.sort(a)[199], np.sort(b)[149])


def test_labels_are_compared_by_chi_square_and_rare_ones_pooled() -> None:
    split = made_up_split({"x": np.zeros(500)})
    old = with_label(split, {"cat": 300, "dog": 190, "rare": 5, "odd": 5})
    new = with_label(split, {"cat": 250, "dog": 245, "odd": 1, "rare": 4})
    (found,) = drifts([("train", old, new)])
    pooled = np.array([[300, 190, 10], [250, 245, 5]])
    assert found.test == "chi-square"
    assert found.p_value == pytest.approx(stats.chi2_contingency(pooled, correction=False).pvalue)
    assert found.effect == pytest.approx(0.5 * (50 + 55 + 5) / 500)
    assert found.said == "share of 'dog'"


def test_missing_values_are_compared_apart_and_constant_columns_not_at_all() -> None:
    a = np.ones(200)
    b = a.copy()
    b[:50] = np.nan
    (found,) = drifts([("train", made_up_split({"x": a}), made_up_split({"x": b}))])
    assert (found.test, found.effect) == ("missing values", 0.25)
    assert found.p_value == pytest.approx(stats.fisher_exact(np.array([[0, 200], [50, 150]])).pvalue)


def test_a_column_that_became_text_is_told() -> None:
    old = made_up_split({"x": np.arange(100.0)})
    text = Categories(name="x", n=100, missing=0, counts={"a": 100}, others=0, buckets=())
    new = dataclasses.replace(old, numbers=(), categories=(text,))
    (found,) = drifts([("train", old, new)])
    assert (found.test, found.effect, found.p_value) == ("kind of values", 1.0, 0.0)


def test_copies_count_as_what_they_are_worth() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=30), rng.normal(0.8, 1, size=30)
    one, other = (made_up_split({"x": np.repeat(side, 20)}) for side in (a, b))
    (naive,) = drifts([("train", one, other)])
    one, other = (dataclasses.replace(side, n_independent=30.0) for side in (one, other))
    (right,) = drifts([("train", one, other)])
    (plain,) = drifts([("train", made_up_split({"x": a}), made_up_split({"x": b}))])
    assert naive.p_value < 1e-10 < right.p_value
    assert right.p_value == pytest.approx(plain.p_value)


def test_few_samples_are_not_tested() -> None:
    small, large = made_up_split({"x": np.arange(19.0)}), made_up_split({"x": np.arange(500.0)})
    assert drifts([("train", small, large)]) == ()


def test_all_tests_of_all_splits_are_corrected_together() -> None:
    rng = np.random.default_rng(0)
    pairs = [
        (name, made_up_split({"x": rng.normal(size=50)}), made_up_split({"x": rng.normal(0.6, 1, size=50)}))
        for name in ("train", "test")
    ]
    together = drifts(pairs)
    assert len(together) == 2
    smallest = min(together, key=lambda item: item.p_value)
    assert smallest.adjusted == pytest.approx(2 * smallest.p_value)


def test_categories_that_either_counts_among_its_others_are_pooled() -> None:
    old = Categories(name="x", n=12, missing=0, counts={"a": 5, "b": 4}, others=3, buckets=())
    new = Categories(name="x", n=12, missing=0, counts={"a": 6, "c": 5}, others=1, buckets=())
    names, table = category_table(old, new)
    assert names == ("a",)
    assert table.tolist() == [[5, 7], [6, 6]]
    names, table = category_table(dataclasses.replace(old, others=0, n=9), dataclasses.replace(new, others=0, n=11))
    assert names == ("a", "b", "c")
    assert table.tolist() == [[5, 4, 0], [6, 0, 5]]


def test_of_many_categories_sets_are_compared_that_no_sample_has_chosen() -> None:
    rng = np.random.default_rng(0)
    base = made_up_split({"x": np.zeros(3_000)})
    p_values = []
    for shift in (0, 0, 40):
        sides = []
        for added in (0, shift):
            texts, counts = np.unique((rng.integers(0, 300, 3_000) + added).astype(str), return_counts=True)
            column = category_profile("kind", texts.tolist(), counts.tolist(), 0, most=200)
            assert column.others
            assert sum(column.buckets) == 3_000
            sides.append(dataclasses.replace(base, categories=(column,)))
        (found,) = drifts([("train", sides[0], sides[1])])
        p_values.append(found.p_value)
    assert min(p_values[:2]) > 0.01
    assert p_values[2] < 1e-6
    few = category_profile("kind", ["a"], [3_000], 0)
    (apart,) = drifts([("train", dataclasses.replace(base, categories=(few,)), sides[0])])
    assert apart.effect > 0.9


@pytest.mark.slow
def test_halves_of_one_dataset_are_said_to_differ_no_oftener_than_the_level() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(200):
        x = rng.exponential(size=(200, 6)).round(2)
        one, other = (made_up_split({f"c{k}": side[:, k] for k in range(6)}) for side in (x[:100], x[100:]))
        found += any(item.adjusted <= 0.05 for item in drifts([("train", one, other)]))
    # 10 are expected at most; 20 and more have a probability below 0.004.
    assert found < 20

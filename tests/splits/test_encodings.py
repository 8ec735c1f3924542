"""Target encodings are told from honest columns, and the rows that they were fitted on are named."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dataguard.splits.columns import Column, Goal
from dataguard.splits.encodings import Encoding, find_encodings

Floats = NDArray[np.float64]


def encoded(code: NDArray[np.int64], y: Floats, fitted: NDArray[np.bool_], form: str) -> Floats:
    """As libraries compute them: category_encoders' TargetEncoder, MEstimate and LeaveOneOut, scikit-learn's 'auto'."""
    size = int(code.max()) + 1
    counts = np.bincount(code[fitted], minlength=size).astype(np.float64)
    sums = np.bincount(code[fitted], y[fitted], size)
    prior = y[fitted].mean()
    means = np.divide(sums, counts, out=np.full(size, prior), where=counts > 0)
    if form == "mean":
        return np.asarray(means[code])
    if form == "additive smoothing":
        return np.asarray(((sums + 10 * prior) / (counts + 10))[code])
    if form == "sigmoid smoothing":
        weight = 1 / (1 + np.exp(-(counts - 20) / 10))
        weight[counts <= 1] = 0
        return np.asarray((weight * means + (1 - weight) * prior)[code])
    if form == "empirical Bayes":
        squares = np.bincount(code[fitted], y[fitted] ** 2, size)
        within = np.divide(squares, counts, out=np.zeros(size), where=counts > 0) - means**2
        total = y[fitted].var()
        weight = counts * total / (np.maximum(within, 0) + counts * total + 1e-300)
        return np.asarray((weight * means + (1 - weight) * prior)[code])
    left = (sums[code] - y) / np.maximum(counts[code] - 1, 1)
    return np.where(fitted, left, means[code])


def number(values: Floats, name: str = "encoded") -> Column:
    return Column(name=name, kind="number", values=values)


def planted(task: str, form: str, on: str, categories: int = 100, n: int = 2000) -> tuple[Encoding, ...]:
    rng = np.random.default_rng(categories)
    code = rng.integers(0, categories, n)
    signal = rng.normal(size=categories)[code] + rng.normal(size=n)
    y = signal if task == "target" else (signal > 0).astype(np.float64)
    goal = Goal(values=y, classes=() if task == "target" else ("no", "yes"))
    sets = {"the training split": rng.random(n) < 0.7, "all rows": np.ones(n, dtype=np.bool_)}
    place = Column(name="place", kind="category", values=code.astype(np.float64))
    return find_encodings([number(encoded(code, y, sets[on], form))], goal, sets, groupings=[place])


@pytest.mark.parametrize("task", ["classes", "target"])
@pytest.mark.parametrize("on", ["the training split", "all rows"])
@pytest.mark.parametrize(
    "form", ["mean", "additive smoothing", "sigmoid smoothing", "empirical Bayes", "leave-one-out"]
)
def test_every_form_is_found_with_the_rows_it_was_fitted_on(task: str, form: str, on: str) -> None:
    (found,) = planted(task, form, on)
    assert (found.form, found.fitted_on) == (form, on)
    assert found.explained > 0.98
    assert found.log10_chance < -8
    assert (found.own_weight == 0) == (form == "leave-one-out")


def test_the_smoothing_is_named() -> None:
    assert planted("target", "additive smoothing", "all rows")[0].parameter == "m = 10"
    assert planted("target", "sigmoid smoothing", "all rows")[0].parameter == "min_samples_leaf = 20, smoothing = 10"


def test_plain_means_need_no_category_column_and_survive_rounding() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 40, 1000)
    y = rng.integers(0, 2, 1000).astype(np.float64)
    goal, everything = Goal(values=y, classes=("no", "yes")), np.ones(1000, dtype=np.bool_)
    values = encoded(code, y, everything, "mean")
    for column in (values, np.round(values, 3)):
        (found,) = find_encodings([number(column)], goal, {"all rows": everything})
        assert found.by is None
        assert found.form == "mean"


@pytest.mark.slow
def test_honest_columns_are_left_alone() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        code = rng.integers(0, int(rng.choice([5, 20, 100])), 500)
        chance = 1 / (1 + np.exp(-rng.normal(size=100)[code] * 2))
        y = (rng.random(500) < chance).astype(np.float64)
        fold, out_of_fold = rng.integers(0, 5, 500), np.empty(500)
        for k in range(5):
            out_of_fold[fold == k] = encoded(code, y, fold != k, "mean")[fold == k]
        columns = [
            number(chance, "calibrated"),
            number(np.round(chance, 1), "calibrated, rounded"),
            number(out_of_fold, "out of fold"),
            number(rng.integers(0, 10, 500) / 10, "lattice"),
            number((rng.random(500) < 0.01).astype(np.float64), "nearly constant"),
        ]
        sets = {"the training split": rng.random(500) < 0.7, "all rows": np.ones(500, dtype=np.bool_)}
        place = Column(name="place", kind="category", values=code.astype(np.float64))
        assert find_encodings(columns, Goal(values=y, classes=("no", "yes")), sets, groupings=[place]) == ()


def test_a_copy_of_the_label_is_no_encoding() -> None:
    y = np.random.default_rng(0).integers(0, 2, 300).astype(np.float64)
    assert find_encodings([number(y)], Goal(values=y, classes=("a", "b")), {"all rows": y >= 0}) == ()


@pytest.mark.parametrize(("m", "prior"), [(10.0, 0.5), (3.5, 0.2)])
def test_smoothing_to_a_prior_of_its_own_is_solved_for_both(m: float, prior: float) -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 30, 600)
    y = (rng.random(600) < rng.uniform(0.2, 0.8, 30)[code]).astype(np.float64)
    values = ((np.bincount(code, y) + m * prior) / (np.bincount(code) + m))[code]
    values[:6] = 0.5  # edited since
    place = Column(name="place", kind="category", values=code.astype(np.float64))
    everything = np.ones(600, dtype=np.bool_)
    (found,) = find_encodings(
        [number(values)], Goal(values=y, classes=("no", "yes")), {"all rows": everything}, groupings=[place]
    )
    assert (found.form, found.parameter) == ("additive smoothing", f"m = {m:g}, prior = {prior:g}")


def test_three_large_groups_are_enough_as_long_as_their_shares_are_no_coarse_figures() -> None:
    code = np.repeat([0, 1, 2], [101, 157, 211])
    y = np.concatenate([np.arange(size) < hits for size, hits in ((101, 40), (157, 90), (211, 150))]).astype(float)
    everything, goal = np.ones(469, dtype=np.bool_), Goal(values=y, classes=("no", "yes"))
    (found,) = find_encodings([number(encoded(code, y, everything, "mean"))], goal, {"all rows": everything})
    assert found.n_groups == 3
    tenths = np.repeat([0.3, 0.5, 0.6], 100)
    y = np.concatenate([np.arange(100) < 100 * share for share in (0.3, 0.5, 0.6)]).astype(float)
    everything, goal = np.ones(300, dtype=np.bool_), Goal(values=y, classes=("no", "yes"))
    assert find_encodings([number(tenths)], goal, {"all rows": everything}) == ()

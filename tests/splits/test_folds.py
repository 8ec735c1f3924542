from __future__ import annotations

import numpy as np
import pytest

from dataguard.splits import folds
from dataguard.splits.folds import Mixing, worth_of_future, worth_of_mixing
from dataguard.splits.worth.record import NoWorth, Worth

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataguard.splits.worth.models.TREES", 25)


def worth_in(made: Mixing) -> Worth:
    assert isinstance(made.worth, Worth)
    return made.worth


def test_mixing_groups_is_worth_what_they_give_away() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 10)
    features = (rng.normal(size=(40, 5))[groups] + 0.3 * rng.normal(size=(400, 5))).astype(np.float32)
    label = rng.integers(0, 2, 40)[groups]
    made = worth_of_mixing(features, label, groups, subject="groups")
    assert made.is_gain
    worth = worth_in(made)
    assert worth.score_with > 0.85
    assert worth.score_without < 0.7
    assert worth.n_clusters == 40
    assert made == worth_of_mixing(features, label, groups, subject="groups")


def test_mixing_what_does_not_matter_is_worth_nothing() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(400, 3)).astype(np.float32)
    label = (features[:, 0] + rng.normal(size=400) > 0).astype(int)
    made = worth_of_mixing(features, label, rng.integers(0, 50, 400), subject="groups")
    assert not made.is_gain
    assert abs(worth_in(made).difference) < 0.08


def test_future_is_worth_something_in_a_random_walk_and_nothing_without_drift() -> None:
    rng = np.random.default_rng(0)
    n = 360
    times = np.datetime64("2024-01-01", "us") + np.arange(n) * np.timedelta64(1, "D")
    clock = (np.arange(n)[:, None] / n + 0.01 * rng.normal(size=(n, 2))).astype(np.float32)
    walk = worth_of_future(clock, np.cumsum(rng.normal(size=n)), times, subject="the future")
    assert walk.is_gain
    assert worth_in(walk).metric == "R²"
    assert walk.better > 0.7 * walk.compared
    assert "signed-rank p" in walk.words
    assert walk.measurements[-1].p_value == walk.p_value < 1e-3
    features = rng.normal(size=(n, 3)).astype(np.float32)
    still = worth_of_future(features, (features[:, 0] > 0).astype(int), times, subject="the future", level=0.99)
    assert not still.is_gain
    assert worth_in(still).n_training_with == worth_in(still).n_training_without
    assert still.measurements[-1].p_value is None


@pytest.mark.parametrize(
    ("groups", "reason"),
    [(np.zeros(100, dtype=np.intp), "too few"), (np.full(100, -1), "too few"), (np.arange(100) // 20, "too few")],
)
def test_too_few_groups_are_no_worth(groups: np.ndarray, reason: str) -> None:
    made = worth_of_mixing(np.ones((100, 2), dtype=np.float32), np.arange(100) % 2, groups, subject="x")
    assert isinstance(made.worth, NoWorth)
    assert reason in made.worth.reason
    assert not made.is_gain


def test_one_moment_or_one_class_is_no_worth() -> None:
    times = np.full(100, np.datetime64("2024-01-01", "us"))
    features = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    assert isinstance(worth_of_future(features, np.arange(100) % 2, times, subject="x").worth, NoWorth)
    ascending = times + np.arange(100) * np.timedelta64(1, "s")
    assert isinstance(worth_of_future(features, np.zeros(100, dtype=int), ascending, subject="x").worth, NoWorth)


def test_many_samples_are_drawn_by_whole_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folds, "MOST", 120)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(600, 2)).astype(np.float32)
    made = worth_of_mixing(features, rng.integers(0, 2, 600), np.arange(600) // 6, subject="x")
    worth = worth_in(made)
    assert worth.n <= 120
    assert worth.n_clusters == worth.n // 6


def test_a_regression_without_groups_gains_nothing_by_rank_either() -> None:
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(150, 2)).astype(np.float32)
        target = features[:, 0] + rng.standard_t(2, size=150)
        found.append(worth_of_mixing(features, target, rng.integers(0, 30, 150), subject="groups").p_value)
    assert sum(p <= 0.025 for p in found) <= 3

"""What a leak is worth: known answers, refusals, and laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.splits.worth.assignments import grouped_assignments, worth_of_assignment
from dataguard.splits.worth.leaks import worth_of_columns, worth_of_training_samples
from dataguard.splits.worth.record import NoWorth, Worth, describe, measurements

pytestmark = pytest.mark.slow


Floats = NDArray[np.float32]
Marks = NDArray[np.bool_]


def problem(n: int = 400, seed: int = 0) -> tuple[Floats, NDArray[np.int64], Marks]:
    """A label that the first of 5 columns tells in part; and training rows."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=n) > 0).astype(np.int64)
    return x, y, rng.random(n) < 0.7


def measured(worth: Worth | NoWorth) -> Worth:
    assert isinstance(worth, Worth), worth
    return worth


def test_a_copy_of_the_label_is_worth_what_was_missing_to_1() -> None:
    x, y, train = problem()
    leaky = np.column_stack([x, y]).astype(np.float32)
    worth = measured(worth_of_columns(leaky, y, [5], subject="copy", train=train, evaluation=~train))
    assert worth.score_with == 1.0
    assert worth.difference == pytest.approx(1 - worth.score_without)
    assert 0.1 < worth.low <= worth.difference <= worth.high
    assert worth.is_gain
    assert worth.metric == "balanced accuracy"
    assert worth.n == int((~train).sum())


def test_a_column_of_noise_is_worth_nothing() -> None:
    x, y, train = problem()
    worth = measured(worth_of_columns(x, y, [4], subject="noise", train=train, evaluation=~train))
    assert worth.low <= 0 <= worth.high


def test_without_a_split_folds_are_predicted_and_groups_kept_whole() -> None:
    x, y, _ = problem()
    names = [str(row // 4) for row in range(len(y))]
    worth = measured(worth_of_columns(x, y, [0], subject="x0", groups=names))
    assert worth.n == len(y)
    assert worth.n_clusters == 100
    assert "5 folds" in worth.note
    assert worth.is_gain


def test_all_columns_are_held_against_knowing_nothing() -> None:
    x, y, train = problem()
    worth = measured(worth_of_columns(x, y, range(5), subject="all", train=train, evaluation=~train))
    assert worth.score_without == 0.5


def test_a_target_is_scored_by_r_squared() -> None:
    x, _, train = problem()
    y = x[:, 0].astype(np.float64) * 3 + 1
    worth = measured(worth_of_columns(x, y, [0], subject="x0", train=train, evaluation=~train))
    assert worth.metric == "R²"
    assert worth.score_with > 0.9
    assert worth.score_without < 0.2


@pytest.mark.parametrize("model", ["extra trees", "nearest neighbours", "boosted trees"])
def test_copies_in_training_are_worth_something_to_what_remembers(model: str) -> None:
    x, y, train = problem(1200)
    rng = np.random.default_rng(1)
    into = rng.choice(np.flatnonzero(~train), 200, replace=False)
    source = rng.choice(np.flatnonzero(train), 200, replace=False)
    x[into], y[into] = x[source], y[source]
    in_training = np.isin(np.arange(len(y)), source)
    kind: dict[str, object] = {"model": model}
    unlearnt = measured(worth_of_training_samples(x, y, train, ~train, in_training, **kind))  # type: ignore[arg-type]
    if model != "boosted trees":
        assert unlearnt.is_gain
    assert unlearnt.n_training_with == unlearnt.n_training_without == int(train.sum()) - 200


def test_groups_on_both_sides_are_worth_the_whole_score_where_labels_are_of_groups() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 60, 600)
    x = (rng.normal(size=(60, 6))[group] + 0.1 * rng.normal(size=(600, 6))).astype(np.float32)
    y = rng.integers(0, 2, 60)[group]
    train = rng.random(600) < 0.7
    names = [str(code) for code in group]
    others = grouped_assignments(names, train, ~train)
    worth = measured(worth_of_assignment(x, y, train, ~train, others, groups=names))
    assert worth.score_with > 0.95
    assert worth.score_without < 0.7
    assert worth.is_gain


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 80), st.integers(2, 30))
def test_grouped_assignments_keep_groups_whole_and_sizes_alike(seed: int, n: int, n_groups: int) -> None:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, n_groups, n)
    train = rng.random(n) < 0.7
    evaluation = ~train & (rng.random(n) < 0.9)
    for learnt, scored in grouped_assignments([str(code) for code in group], train, evaluation, seed=seed):
        assert not (learnt & scored).any()
        assert ((learnt | scored) == (train | evaluation)).all()
        assert not set(group[learnt]) & set(group[scored])
        largest = np.bincount(group[train | evaluation], minlength=1).max()
        assert abs(int(scored.sum()) - int(evaluation.sum())) <= largest


def test_the_same_seed_gives_the_same_bits() -> None:
    x, y, train = problem()
    one, two = (worth_of_columns(x, y, [0], subject="x0", train=train, evaluation=~train, seed=3) for _ in range(2))
    assert one == two


def test_missing_values_infinities_and_constant_columns_are_learnt_from() -> None:
    x, y, train = problem()
    x[::3, 0], x[1, 1], x[2, 1] = np.nan, np.inf, -np.inf
    x[:, 2], x[:, 3] = 7, np.nan
    for model in ("boosted trees", "extra trees", "nearest neighbours"):
        worth = worth_of_columns(x, y, [0], subject="x0", train=train, evaluation=~train, model=model)
        assert measured(worth).score_with > 0.55


def test_many_columns_are_reduced_and_said_so() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    x = np.column_stack([rng.normal(size=(120, 70)), y]).astype(np.float32)
    train = np.arange(120) < 90
    worth = measured(worth_of_columns(x, y, [70], subject="copy", train=train, evaluation=~train))
    assert worth.score_with > 0.95
    assert "principal components" in worth.note


def test_more_rows_than_the_bound_are_drawn_from_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataguard.splits.worth import problem as module

    monkeypatch.setattr(module, "MAX_TRAINING", 100)
    monkeypatch.setattr(module, "MAX_EVALUATION", 50)
    x, y, train = problem(1000)
    worth = measured(worth_of_columns(x, y, [0], subject="x0", train=train, evaluation=~train))
    assert (worth.n, worth.n_training_with) == (50, 100)
    assert "100 of" in worth.note
    assert "50 of" in worth.note


def test_classes_that_were_not_learnt_are_not_scored() -> None:
    x, y, train = problem()
    labels = y.astype(str).astype(object)
    labels[np.flatnonzero(~train)[:7]] = "unseen"
    labels[np.flatnonzero(~train)[7]] = None
    worth = measured(worth_of_columns(x, labels, [0], subject="x0", train=train, evaluation=~train))
    assert worth.n == int((~train).sum()) - 8


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("one row", "1 evaluation samples are too few"),
        ("one class", "fewer than 2 classes"),
        ("no label", "0 training samples"),
        ("no features", "no features"),
        ("constant target", "the target is constant"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_a_reason(case: str, expected: str) -> None:
    x, y, train = problem(100)
    evaluation, target = ~train, y.astype(object)
    if case == "one row":
        evaluation = np.arange(100) == np.flatnonzero(~train)[0]
    elif case == "one class":
        target = np.full(100, "a", dtype=object)
    elif case == "no label":
        target = np.full(100, None, dtype=object)
    elif case == "no features":
        x = x[:, :0]
    else:
        target = np.full(100, 2.5)
    refused = worth_of_columns(
        x, target, [] if case == "no features" else [0], subject="x0", train=train, evaluation=evaluation
    )
    assert isinstance(refused, NoWorth)
    assert expected in refused.reason
    assert refused.reason in describe(refused)


def test_nothing_leaked_is_nothing_to_measure() -> None:
    x, y, train = problem(100)
    nothing = np.zeros(100, dtype=np.bool_)
    assert isinstance(worth_of_training_samples(x, y, train, ~train, nothing), NoWorth)


def test_wrong_shapes_are_the_callers_mistake() -> None:
    x, y, train = problem(100)
    with pytest.raises(ValueError, match="do not fit"):
        worth_of_columns(x[:50], y, [0], subject="x0")
    with pytest.raises(ValueError, match="have 5"):
        worth_of_columns(x, y, [5], subject="x0")
    with pytest.raises(ValueError, match="marks for 100 samples"):
        worth_of_columns(x, y, [0], subject="x0", train=train[:9], evaluation=~train)
    with pytest.raises(ValueError, match="no other assignment"):
        worth_of_assignment(x, y, train, ~train, [])


def test_the_figures_are_rendered_with_their_interval_and_seed() -> None:
    x, y, train = problem()
    worth = measured(worth_of_columns(x, y, [0], subject="column 'x0'", train=train, evaluation=~train, seed=9))
    made = {item.name: item for item in measurements(worth)}
    difference = made["worth of column 'x0' in balanced accuracy"]
    assert (difference.value, difference.low, difference.high) == (worth.difference, worth.low, worth.high)
    assert made["seed of the worth"].value == 9
    assert f"{worth.score_with:.3f}" in describe(worth)


def test_999_to_1_gives_a_wide_interval_and_no_crash() -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(4000) % 1000 == 0).astype(int)
    worth = worth_of_columns(rng.normal(size=(4000, 3)).astype(np.float32), y, [0], subject="x0")
    assert measured(worth).low < 0 < measured(worth).high

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from dataguard.core.exhibit import Listing, PairGallery
from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Outcome, Severity, Skipped
from dataguard.rules.splits.dg303_group_leakage import group_leakage
from dataguard.splits.samples import SplitSamples

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataguard.splits.worth.models.TREES", 30)


def samples(
    splits: Sequence[str],
    *,
    groups: Sequence[str | None] = (),
    features: NDArray[np.floating] | None = None,
    labels: Sequence[Any] | None = None,
    columns: dict[str, Any] | None = None,
    names: Sequence[str] | None = None,
) -> SplitSamples:
    n = len(splits)
    return SplitSamples(
        sample_ids=tuple(names or map(str, range(n))),
        splits=tuple(splits),
        positions=np.arange(n),
        n_total=n,
        kind="image" if names else "table",
        paths=tuple(names or (None,) * n),
        contents=(None,) * n,
        labels=None if labels is None else np.array([None if item is None else str(item) for item in labels], object),
        groups=tuple(groups),
        features=None if features is None else features.astype(np.float32),
        feature_names=() if columns is None or features is None else tuple(f"x{at}" for at in range(features.shape[1])),
        columns=None if columns is None else pd.DataFrame(columns),
        feature_columns=() if columns is None else tuple(columns),
    )


def patients(
    n_groups: int = 50, size: int = 8, seed: int = 0
) -> tuple[NDArray[np.intp], NDArray[np.float64], list[int]]:
    """Patients in the order of the file, their features, and a label that each has for itself."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), size)
    features = rng.normal(size=(n_groups, 6))[group] + 0.7 * rng.normal(size=(len(group), 6))
    return group, features, rng.integers(0, 2, n_groups)[group].tolist()


def drawn(n: int, seed: int = 1) -> list[str]:
    return ["train" if chance < 0.7 else "test" for chance in np.random.default_rng(seed).random(n)]


def findings(outcomes: Sequence[Outcome]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


# Named groups


def test_fires_on_named_groups_in_training_and_test() -> None:
    groups = ["a", "a", "b", "b", "c", "c", "c"]
    splits = ["train", "train", "train", "test", "test", "test", "train"]
    finding, observation = group_leakage(samples(splits, groups=groups))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.confidence is Confidence.HIGH
    assert finding.message.startswith(
        "3 of 3 samples of test (100.00 %) are of groups that have samples in train, 2 of 2 groups: 'c', 'b'."
    )
    assert [(place.sample_id, place.note) for place in finding.locations] == [
        ("4", "group 'c': 2 in test, 1 in train"),
        ("3", "group 'b': 1 in test, 1 in train"),
    ]
    assert finding.locations[0].related == ("5", "6")
    (listing,) = finding.exhibits
    assert isinstance(listing, Listing)
    assert listing.rows == (("c", 1, 2), ("b", 1, 1))
    assert isinstance(observation, Observation)


def test_fires_with_what_mixing_is_worth() -> None:
    group, features, labels = patients()
    (finding,) = findings(
        group_leakage(samples(drawn(400), groups=[f"p{g}" for g in group], features=features, labels=labels))
    )
    worth = next(item for item in finding.measurements if item.name.startswith("worth of groups"))
    assert isinstance(worth.value, float)
    assert worth.low is not None
    assert 0 < worth.low < worth.value
    assert "Worth +" in finding.message


def test_fires_with_the_worth_of_the_split_itself_where_few_groups_straddle() -> None:
    group, features, labels = patients(60)
    splits = np.where(group < 40, "train", "test")
    splits[(group < 12) & (np.arange(480) % 2 == 0)] = "test"
    (finding,) = findings(
        group_leakage(samples(splits.tolist(), groups=[f"p{g}" for g in group], features=features, labels=labels))
    )
    note = next(item.value for item in finding.measurements if item.name == "note on the worth")
    assert "both models learn from" in str(note)


def test_fires_as_a_warning_between_two_evaluation_splits() -> None:
    (finding,) = findings(group_leakage(samples(["train", "val", "test"], groups=["a", "b", "b"])))
    assert finding.severity is Severity.WARNING
    assert finding.key == ("val", "test")


def test_silent_on_whole_groups_and_below_the_allowed_share() -> None:
    splits = ["train", "train", "test", "test"]
    assert findings(group_leakage(samples(splits, groups=["a", "a", "b", "b"]))) == []
    assert findings(group_leakage(samples(splits, groups=["a", "a", None, "b"]))) == []
    assert findings(group_leakage(samples(splits, groups=["a", "c", "a", "b"]), max_share=0.5)) == []
    assert len(findings(group_leakage(samples(splits, groups=["a", "c", "a", "b"]), max_share=0.4))) == 1


# Proposed groups


def test_fires_on_patients_in_file_names() -> None:
    group, features, labels = patients()
    splits = drawn(400)
    names = [
        f"{split}/{'ill' if label else 'well'}/patient_{g:03d}_slice_{at % 8}_{at}.png"
        for at, (split, label, g) in enumerate(zip(splits, labels, group, strict=True))
    ]
    (finding,) = findings(group_leakage(samples(splits, features=features, labels=labels, names=names)))
    assert finding.severity is Severity.WARNING
    assert finding.confidence is Confidence.HIGH
    assert "/patient_{" in finding.message
    assert "50 groups" in finding.message
    assert "Worth +" in finding.message
    assert isinstance(finding.exhibits[0], PairGallery)
    assert finding.key == ("proposed", "file names", "")


def test_fires_once_for_several_evaluation_splits_and_says_how_they_differ() -> None:
    group, features, labels = patients()
    chances = np.random.default_rng(1).random(400)
    splits = np.where(chances < 0.6, "train", np.where(chances < 0.8, "val", "test")).tolist()
    names = [f"{split}/patient_{g:03d}_{at}.png" for at, (split, g) in enumerate(zip(splits, group, strict=True))]
    (named,) = findings(group_leakage(samples(splits, features=features, labels=labels, names=names)))
    (hidden,) = findings(group_leakage(samples(splits, features=features, labels=labels)))
    for split in ("val", "test"):
        assert f"of {splits.count(split)} samples of {split} (" in named.message
        assert f"% of {split}" in hidden.message
        assert any(place.split == split for place in named.locations)
        assert any(place.split == split for place in hidden.locations)
        assert any(item.name.startswith(f"share of {split} ") for item in hidden.measurements)


def test_fires_on_a_column_of_ids_among_columns_that_are_none() -> None:
    group, features, labels = patients()
    rng = np.random.default_rng(3)
    order = rng.permutation(400)
    ids = rng.permutation(9999)[:50][group]
    columns = {
        "age": np.clip(45 + 10 * features[:, 0] + rng.normal(size=400), 18, 90).astype(int)[order],
        "zip": rng.integers(0, 40, 400),
        "who": ids[order],
    }
    made = samples(drawn(400), features=features[order], labels=np.array(labels)[order].tolist(), columns=columns)
    (finding,) = findings(group_leakage(made))
    assert finding.message.startswith("Column 'who' puts samples into 50 groups")
    assert finding.confidence is Confidence.MEDIUM
    assert finding.locations[0].column == "who"


def test_fires_on_hidden_groups_in_the_order() -> None:
    group, features, labels = patients(30, 16)
    (finding,) = findings(group_leakage(samples(drawn(480), features=features, labels=labels)))
    assert "the order holds groups that no column names" in finding.message
    assert finding.key == ("order",)
    assert finding.confidence is Confidence.MEDIUM
    assert len(group) == 480


def test_silent_where_stretches_of_the_file_are_whole() -> None:
    group, features, labels = patients(30, 16)
    splits = np.where(group < 20, "train", "test").tolist()
    outcomes = group_leakage(samples(splits, features=features, labels=labels))
    assert findings(outcomes) == []
    assert any(isinstance(item, Observation) and "the order holds groups" in item.message for item in outcomes)


@pytest.mark.parametrize("case", ["random", "sorted by class", "sorted by a column", "drift"])
def test_silent_on_data_without_groups(case: str) -> None:
    rng = np.random.default_rng(7)
    features = rng.normal(size=(400, 5))
    labels = (features[:, 0] + rng.normal(size=400) > 0).astype(int)
    if case == "drift":
        features += 3 * np.linspace(0, 1, 400)[:, None]
    order = {
        "sorted by class": np.argsort(labels, kind="stable"),
        "sorted by a column": np.argsort(features[:, 1]),
    }.get(case, np.arange(400))
    columns = {
        "user_id": rng.integers(0, 60, 400),
        "age": np.round(40 + 10 * features[order, 2]).astype(int),
        "count": np.arange(400) // 7,
    }
    outcomes = group_leakage(
        samples(drawn(400), features=features[order], labels=labels[order].tolist(), columns=columns)
    )
    (observation,) = outcomes
    assert isinstance(observation, Observation)
    assert "neither names, columns nor the order" in observation.message


# Edges


def test_edge_without_a_split_the_groups_to_keep_together_are_said() -> None:
    observation, skipped = group_leakage(samples(["train"] * 4, groups=["a", "a", "b", None]))
    assert isinstance(observation, Observation)
    assert observation.message == "A split must keep 2 groups together, of 1 to 2 samples."
    assert isinstance(skipped, Skipped)
    group, features, labels = patients()
    outcomes = group_leakage(samples([""] * 400, features=features, labels=labels))
    assert isinstance(outcomes[0], Observation)
    assert "A split must keep these together" in outcomes[0].message
    assert isinstance(outcomes[1], Skipped)
    assert len(group) == 400


def test_edge_one_group_for_all_is_inconclusive() -> None:
    (outcome,) = group_leakage(samples(["train", "test"], groups=["a", "a"]))
    assert isinstance(outcome, Inconclusive)
    assert "no split keeps it together" in outcome.reason


def test_edge_every_row_its_own_group() -> None:
    (outcome,) = group_leakage(samples(["train", "test"], groups=["a", "b"]))
    assert isinstance(outcome, Observation)
    assert "Every sample is a group of its own" in outcome.message


def test_edge_no_groups_and_no_features_is_skipped() -> None:
    (outcome,) = group_leakage(samples(["train", "test"]))
    assert isinstance(outcome, Skipped)
    assert "dataset.group" in outcome.hint


def test_edge_a_split_of_one_row_and_groups_of_strange_names() -> None:
    (finding,) = findings(group_leakage(samples(["train", "train", "test"], groups=["", "\n", ""])))
    assert "1 of 1 samples of test (100.00 %) is of a group that has samples in train" in finding.message


@pytest.mark.parametrize("n", [2, 20, 60])
def test_edge_constant_features_and_few_samples_come_to_an_outcome(n: int) -> None:
    made = samples(
        ["train", "test"] * (n // 2), features=np.ones((n, 3)), labels=["a", None] * (n // 2), columns={"c": [1] * n}
    )
    outcomes = group_leakage(made)
    assert outcomes
    assert findings(outcomes) == []
    assert any(isinstance(item, Inconclusive) for item in outcomes)


def test_edge_the_same_data_give_the_same_outcome() -> None:
    group, features, labels = patients(30, 16)
    made = samples(drawn(480), features=features, labels=labels)
    assert group_leakage(made) == group_leakage(made)
    assert len(group) == 480


def test_edge_folds_are_no_split_to_train_on() -> None:
    group, features, labels = patients(30, 16)
    folds = [str(at % 5) for at in range(480)]
    outcomes = group_leakage(samples(folds, features=features, labels=labels))
    assert findings(outcomes) == []
    assert isinstance(outcomes[-1], Skipped)
    assert len(group) == 480

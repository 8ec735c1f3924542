"""DG309 split-drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from dataguard.core.finding import Finding, Inconclusive, Observation, Outcome, Severity, Skipped
from dataguard.rules.splits.dg309_split_drift import split_drift
from dataguard.splits.samples import SplitSamples

pytestmark = pytest.mark.slow


def samples_of(
    frame: pd.DataFrame | None, splits: Sequence[str], *, label: str | None = None, **more: Any
) -> SplitSamples:
    """Rows of a table, or whatever else is given."""
    n = len(splits)
    features = None if frame is None else frame.select_dtypes("number").to_numpy(dtype=np.float32)
    fields: dict[str, Any] = {
        "sample_ids": tuple(map(str, range(n))),
        "splits": tuple(splits),
        "positions": np.arange(n),
        "n_total": n,
        "kind": "table",
        "paths": (None,) * n,
        "contents": (None,) * n,
        "labels": None if frame is None or label is None else frame[label].to_numpy(dtype=object),
        "features": features,
        "columns": frame,
        "feature_columns": () if frame is None else tuple(name for name in frame.columns if name != label),
    }
    return SplitSamples(**{**fields, **more})


def drawn(n: int = 600, seed: int = 0) -> tuple[pd.DataFrame, NDArray[np.str_]]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=["a", "b", "c"])
    frame["kind"] = rng.choice(["u", "v", "w"], n)
    frame["y"] = np.where(frame.a > 0, "yes", "no")
    return frame, rng.choice(["train", "val", "test"], n, p=[0.5, 0.25, 0.25])


def found(outcomes: list[Outcome]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


def test_fires_on_the_shifted_split_alone_and_names_the_column() -> None:
    frame, splits = drawn()
    frame.loc[splits == "test", "b"] += 1.5
    outcomes = split_drift(samples_of(frame, splits.tolist(), label="y"))
    (finding,) = found(outcomes)
    assert finding.severity is Severity.WARNING
    assert "'test'" in finding.message
    assert [place.column for place in finding.locations] == ["b"]
    assert "median" in finding.locations[0].note
    assert any(item.name.startswith("worth of split 'test'") for item in finding.measurements)
    assert sum(isinstance(item, Observation) for item in outcomes) == 1


def test_fires_on_other_categories_missing_values_and_labels() -> None:
    frame, splits = drawn(1000)
    test = splits == "test"
    frame.loc[test, "kind"] = "u"
    frame.loc[test & (np.arange(1000) % 2 == 0), "c"] = np.nan
    frame.loc[test & (np.arange(1000) % 3 > 0), "y"] = "yes"
    (finding,) = found(split_drift(samples_of(frame, splits.tolist(), label="y")))
    assert {(place.column, place.note.partition(" ")[0]) for place in finding.locations} >= {
        ("kind", "share"),
        ("c", "share"),
        (None, "share"),
    }


def test_fires_on_pictures_by_features_and_files() -> None:
    rng = np.random.default_rng(0)
    splits = rng.choice(["train", "test"], 400)
    features = rng.normal(size=(400, 100)).astype(np.float32)
    features[splits == "test", :50] += 0.5
    width = np.where(splits == "test", 64.0, 128.0)
    (finding,) = found(
        split_drift(samples_of(None, splits.tolist(), kind="image", features=features, facts={"width": width}))
    )
    assert "'width'" in finding.message
    assert "principal components" in str([item.value for item in finding.measurements])


def test_fires_as_worth_knowing_where_the_split_is_later() -> None:
    frame, splits = drawn()
    frame.loc[splits == "test", "b"] += 1.5
    times = np.datetime64("2024-01-01", "us") + np.where(splits == "test", 400, 0).astype("timedelta64[D]")
    (finding,) = found(split_drift(samples_of(frame, splits.tolist(), label="y", times=times)))
    assert finding.severity is Severity.INFO
    assert "later" in finding.message


def test_silent_on_equal_splits() -> None:
    frame, splits = drawn()
    outcomes = split_drift(samples_of(frame, splits.tolist(), label="y"))
    assert [type(item) for item in outcomes] == [Observation, Observation]
    assert all(isinstance(item, Observation) and item.measurements for item in outcomes)


def test_silent_on_a_shift_that_is_significant_and_tiny() -> None:
    rng = np.random.default_rng(0)
    test = rng.random(60_000) < 0.5
    frame = pd.DataFrame({"a": rng.normal(size=60_000) + 0.05 * test})
    (seen,) = split_drift(samples_of(frame, np.where(test, "test", "train").tolist(), features=None))
    assert isinstance(seen, Observation)
    assert "1 columns differ, all by less than 0.08" in seen.message


def test_silent_on_an_index_where_rows_were_cut_in_two() -> None:
    frame, _ = drawn()
    frame["row_id"] = np.arange(600)
    outcomes = split_drift(samples_of(frame, ["train"] * 400 + ["test"] * 200, label="y"))
    assert found(outcomes) == []
    assert "row_id" in str(outcomes)


def test_silent_on_groups_that_differ_as_groups_do() -> None:
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(40), 25)
    frame = pd.DataFrame({"a": rng.normal(size=40)[group], "b": rng.normal(size=1000)})
    splits = np.where(rng.permutation(40)[group] < 14, "test", "train").tolist()
    grouped = samples_of(frame, splits, groups=tuple(map(str, group)))
    assert found(split_drift(samples_of(frame, splits)))
    assert found(split_drift(grouped)) == []


@pytest.mark.parametrize("n_test", [0, 1])
def test_edge_no_split_and_a_split_of_one_row(n_test: int) -> None:
    frame, _ = drawn(100)
    (outcome,) = split_drift(samples_of(frame, ["train"] * (100 - n_test) + ["test"] * n_test, label="y"))
    assert isinstance(outcome, Inconclusive if n_test else Skipped)


def test_edge_no_training_split_and_nothing_to_compare() -> None:
    frame, _ = drawn(100)
    assert isinstance(split_drift(samples_of(frame, ["test"] * 100))[0], Skipped)
    assert isinstance(split_drift(samples_of(None, ["train", "test"] * 50))[0], Skipped)


def test_edge_constant_infinite_mixed_columns_and_new_categories() -> None:
    frame, splits = drawn()
    frame["constant"], frame["empty"] = 1, None
    frame.loc[::7, "a"] = np.inf
    frame["mixed"] = pd.Series([(1, "a", None, [2])[row % 4] for row in range(600)], dtype=object)
    frame.loc[splits == "val", "kind"] = "new"
    (finding,) = found(split_drift(samples_of(frame, splits.tolist(), label="y", features=None)))
    assert "'val'" in finding.message
    assert [place.column for place in finding.locations] == ["kind"]


@pytest.mark.parametrize(("names", "level"), [(["train", "test"], "0.005"), (["train", "val", "test"], "0.0025")])
def test_the_level_is_shared_by_the_evaluation_splits_and_their_two_tests(names: list[str], level: str) -> None:
    frame, _ = drawn()
    splits = [names[row % len(names)] for row in range(600)]
    outcomes = split_drift(samples_of(frame, splits, label="y"))
    assert len(outcomes) == len(names) - 1
    for outcome in outcomes:
        assert isinstance(outcome, Observation)
        assert any(f"level {level})" in item.name for item in outcome.measurements)

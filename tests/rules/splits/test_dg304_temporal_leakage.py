from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Finding, Inconclusive, Observation, Outcome, Severity, Skipped
from dataguard.rules.splits.dg304_temporal_leakage import temporal_leakage
from dataguard.splits.samples import SplitSamples

pytestmark = pytest.mark.slow

N = 400


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataguard.splits.worth.models.TREES", 25)


def days(n: int = N) -> NDArray[np.datetime64]:
    return np.datetime64("2024-01-01", "us") + np.arange(n) * np.timedelta64(1, "D")


def samples(
    splits: Sequence[str],
    *,
    times: NDArray[np.datetime64] | None = None,
    features: NDArray[np.floating] | None = None,
    labels: NDArray[np.integer] | None = None,
    targets: NDArray[np.float64] | None = None,
    columns: pd.DataFrame | None = None,
) -> SplitSamples:
    n = len(splits)
    return SplitSamples(
        sample_ids=tuple(map(str, range(n))),
        splits=tuple(splits),
        positions=np.arange(n),
        n_total=n,
        kind="table",
        paths=(None,) * n,
        contents=(None,) * n,
        labels=None if labels is None else labels.astype(str).astype(object),
        targets=targets,
        times=times,
        features=None if features is None else features.astype(np.float32),
        columns=columns,
        feature_columns=() if columns is None else tuple(columns.columns),
    )


def drawn(n: int = N) -> list[str]:
    return ["train" if chance < 0.7 else "test" for chance in np.random.default_rng(1).random(n)]


def in_order(n: int = N) -> list[str]:
    return ["train"] * (n * 7 // 10) + ["test"] * (n - n * 7 // 10)


def walk() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features that tell the time, and a level that wanders."""
    rng = np.random.default_rng(0)
    clock = np.arange(N)[:, None] / N + 0.01 * rng.normal(size=(N, 2))
    return clock, np.cumsum(rng.normal(size=N))


def windows(n: int = N, lags: int = 4) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    series = np.cumsum(np.random.default_rng(0).normal(size=n + lags))
    rows = np.lib.stride_tricks.sliding_window_view(series, lags + 1)
    return pd.DataFrame(rows[:, :lags], columns=[f"lag{lags - at}" for at in range(lags)]), rows[:, lags].copy()


def findings(outcomes: Sequence[Outcome]) -> list[Finding]:
    return [item for item in outcomes if isinstance(item, Finding)]


def test_fires_on_a_random_split_of_a_series_that_wanders() -> None:
    features, level = walk()
    (finding,) = temporal_leakage(samples(drawn(), times=days(), features=features, targets=level))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert finding.confidence is Confidence.HIGH
    assert finding.key == ("time", "test")
    assert "is the later in 5" in finding.message
    assert "Worth +" in finding.message
    worth = next(item for item in finding.measurements if item.name.startswith("worth of"))
    assert worth.level == 0.99
    better = next(item for item in finding.measurements if "predicted better" in item.name)
    assert better.p_value is not None
    assert better.p_value < 0.005
    (listing,) = finding.exhibits
    assert isinstance(listing, Listing)
    assert [row[0] for row in listing.rows] == ["train", "test"]
    assert str(listing.rows[0][3]).startswith("2024-01-0")


def test_fires_on_training_that_is_later_altogether() -> None:
    features, level = walk()
    splits = in_order()[::-1]
    (finding,) = findings(temporal_leakage(samples(splits, times=days(), features=features, targets=level)))
    assert "train is the later in 100 %" in finding.message


def test_fires_on_windows_in_random_order_without_times() -> None:
    frame, target = windows()
    order = np.random.default_rng(2).permutation(N)
    made = samples(
        drawn(),
        features=frame.to_numpy()[order],
        targets=target[order],
        columns=frame.iloc[order].reset_index(drop=True),
    )
    (finding,) = temporal_leakage(made)
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.key == ("windows", "test")
    assert "hold the same values one row apart" in finding.message
    n_test = drawn().count("test")
    assert len(finding.locations) > 0.9 * n_test
    place = finding.locations[0]
    row, other = int(str(place.sample_id)), int(place.related[0])
    assert 1 <= abs(int(order[row]) - int(order[other])) <= 4
    assert made.splits[other] == "train"


def test_silent_on_windows_split_in_time() -> None:
    frame, target = windows()
    (outcome,) = temporal_leakage(samples(in_order(), features=frame.to_numpy(), targets=target, columns=frame))
    assert isinstance(outcome, Observation)
    assert "4 of 120 of test overlap with training" in outcome.message


def test_silent_where_training_is_the_past() -> None:
    features, level = walk()
    (outcome,) = temporal_leakage(samples(in_order(), times=days(), features=features, targets=level))
    assert isinstance(outcome, Observation)
    assert outcome.message == "Training is earlier than evaluation."


def test_silent_where_time_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N, 4))
    labels = (features[:, 0] + rng.normal(size=N) > 0).astype(int)
    (outcome,) = temporal_leakage(samples(drawn(), times=days(), features=features, labels=labels))
    assert isinstance(outcome, Observation)
    assert "do not change over time as far as can be seen" in outcome.message


def test_silent_where_what_drifts_has_nothing_to_do_with_the_label() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N, 4))
    labels = (features[:, 0] > 0).astype(int)
    features[:, 3] += np.linspace(0, 5, N)
    (outcome,) = temporal_leakage(samples(drawn(), times=days(), features=features, labels=labels))
    assert isinstance(outcome, Observation)
    assert "learning from later times does not help" in outcome.message


def test_edge_without_a_split_what_matters_is_said() -> None:
    features, level = walk()
    observation, skipped = temporal_leakage(samples([""] * N, times=days(), features=features, targets=level))
    assert isinstance(observation, Observation)
    assert observation.message.startswith("Time matters: a split must train on the past.")
    assert isinstance(skipped, Skipped)
    frame, target = windows()
    observation, skipped = temporal_leakage(samples([""] * N, features=frame.to_numpy(), targets=target, columns=frame))
    assert isinstance(observation, Observation)
    assert "must keep windows that overlap together" in observation.message
    assert isinstance(skipped, Skipped)


def test_edge_no_times_are_skipped() -> None:
    (outcome,) = temporal_leakage(samples(["train", "test"]))
    assert isinstance(outcome, Skipped)
    assert "dataset.time" in outcome.hint


def test_edge_equal_times_are_inconclusive() -> None:
    (outcome,) = temporal_leakage(samples(drawn(), times=np.full(N, days()[0]), features=np.ones((N, 1))))
    assert isinstance(outcome, Inconclusive)
    assert "1 different times" in outcome.reason


@pytest.mark.parametrize(("known", "kind"), [(0.4, Inconclusive), (0.9, Finding)])
def test_edge_some_times_are_missing(known: float, kind: type[Outcome]) -> None:
    features, level = walk()
    times = np.where(np.random.default_rng(5).random(N) < known, days(), np.datetime64("NaT"))
    (outcome,) = temporal_leakage(samples(drawn(), times=times, features=features, targets=level))
    assert isinstance(outcome, kind)


def test_edge_no_features_or_no_labels_leave_open_what_it_is_worth() -> None:
    labels = (np.arange(N) > 200).astype(int)
    (outcome,) = temporal_leakage(samples(drawn(), times=days(), labels=labels))
    assert isinstance(outcome, Observation)
    assert "whether that matters is open" in outcome.message
    features, _ = walk()
    (outcome,) = temporal_leakage(samples(drawn(), times=days(), features=features))
    assert isinstance(outcome, Observation)
    assert "no sample has a label" in outcome.message


def test_edge_a_split_of_one_row_and_columns_of_nothing() -> None:
    frame = pd.DataFrame({"constant": np.ones(N), "gone": np.nan, "infinite": np.inf, "text": ["a"] * N})
    made = samples(
        ["train"] * (N - 1) + ["test"],
        times=days(),
        features=np.zeros((N, 2)),
        labels=np.arange(N) % 2,
        columns=frame,
    )
    (outcome,) = temporal_leakage(made)
    assert isinstance(outcome, Observation)


def test_edge_the_share_that_may_be_later_can_be_set() -> None:
    features, level = walk()
    made = samples(drawn(), times=days(), features=features, targets=level)
    assert findings(temporal_leakage(made, max_later=0.9)) == []

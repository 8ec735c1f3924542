"""DG806, called directly."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from dataguard.core.exhibit import Histogram
from dataguard.core.finding import Finding, Inconclusive, Observation, Severity
from dataguard.rules.versions.dg806_drift_from_baseline import drift_from_baseline
from dataguard.versions.comparison import VersionComparison
from dataguard.versions.drift import drifts
from dataguard.versions.made_up import made_up_comparison, made_up_split


def compared(old: dict[str, NDArray[np.float64]], new: dict[str, NDArray[np.float64]]) -> VersionComparison:
    """Two versions with those columns."""
    base = made_up_comparison(removed=1)
    one, other = made_up_split(old), made_up_split(new)
    return dataclasses.replace(
        base,
        old=dataclasses.replace(base.old, profile=dataclasses.replace(base.old.profile, splits=(one,))),
        new=dataclasses.replace(base.new, profile=dataclasses.replace(base.new.profile, splits=(other,))),
        drifts=drifts([("train", one, other)]),
    )


def test_fires_on_the_column_that_drifted_and_shows_it() -> None:
    rng = np.random.default_rng(0)
    old = {"a": rng.normal(size=300), "b": rng.normal(size=300)}
    (finding,) = drift_from_baseline(compared(old, {"a": old["a"], "b": old["b"] * 10}))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert [place.column for place in finding.locations] == ["b"]
    shown = [item for item in finding.exhibits if isinstance(item, Histogram)]
    assert [item.title for item in shown] == ["Distribution of 'b' in split 'train'"]
    assert all(abs(sum(series.values) - 1) < 1e-3 for item in shown for series in item.series)


def test_fires_on_labels_and_as_info_where_little_changed() -> None:
    (finding,) = drift_from_baseline(made_up_comparison(n=800, relabelled=100))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.INFO
    assert "the label (share of 'cat' 0.5 → 0.375, effect 0.125)" in finding.message


def test_silent_on_the_same_distribution_and_on_the_same_content() -> None:
    rng = np.random.default_rng(0)
    old, new = ({"a": rng.normal(size=200)} for _ in range(2))
    (seen,) = drift_from_baseline(compared(old, new))
    assert isinstance(seen, Observation)
    assert seen.measurements
    (same,) = drift_from_baseline(made_up_comparison())
    assert isinstance(same, Observation)


def test_silent_where_a_shift_is_significant_and_tiny() -> None:
    x = np.arange(100_000.0)
    (seen,) = drift_from_baseline(compared({"a": x}, {"a": x + 3_000}))
    assert isinstance(seen, Observation)


def test_edge_too_few_samples_and_a_split_that_is_new() -> None:
    (few,) = drift_from_baseline(made_up_comparison(n=12, removed=1))
    assert isinstance(few, Inconclusive)
    assert "too few" in few.reason
    base = made_up_comparison(n=100, removed=1)
    profile = dataclasses.replace(base.old.profile, splits=())
    (new,) = drift_from_baseline(dataclasses.replace(base, old=dataclasses.replace(base.old, profile=profile)))
    assert isinstance(new, Inconclusive)
    assert "no split 'train'" in new.reason

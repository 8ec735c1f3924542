"""DG808, called directly."""

from __future__ import annotations

import numpy as np

from dataguard.core.finding import Finding, Inconclusive, Observation, Outcome, Severity
from dataguard.rules.versions.dg808_train_serve_distribution_skew import train_serve_distribution_skew
from dataguard.versions.comparison import compare_serving
from dataguard.versions.made_up import made_up_split


def judged(training: dict[str, object], serving: dict[str, object]) -> list[Outcome]:
    one, other = (
        made_up_split({name: np.asarray(values, dtype=np.float64) for name, values in side.items()})
        for side in (training, serving)
    )
    return train_serve_distribution_skew(compare_serving(one, other, place="log.csv"))


def test_fires_on_another_unit_and_on_values_that_serving_fills_in() -> None:
    rng = np.random.default_rng(0)
    training = {"age": rng.normal(40, 9, 400), "dose": rng.normal(1, 0.1, 400), "gap": rng.normal(size=400)}
    training["gap"][::2] = np.nan
    serving = {"age": rng.normal(40, 9, 300), "dose": rng.normal(1000, 100, 300), "gap": rng.normal(size=300)}
    (finding,) = judged(dict(training), dict(serving))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert [(place.column, place.note.partition(" →")[0]) for place in finding.locations] == [
        ("dose", "median 0.9971"),
        ("gap", "share of missing values 0.5"),
    ]


def test_fires_on_a_column_that_serving_lacks() -> None:
    x = np.random.default_rng(0).normal(size=100)
    missing, seen = judged({"a": x, "b": x}, {"a": x, "c": x})
    assert isinstance(missing, Finding)
    assert missing.message == "Serving lacks 'b', which training has."
    assert any(item.value == "c" for item in missing.measurements)
    assert isinstance(seen, Observation)


def test_silent_on_a_log_of_the_same_distribution() -> None:
    rng = np.random.default_rng(1)
    (seen,) = judged({"a": rng.normal(size=500)}, {"a": rng.normal(size=200)})
    assert isinstance(seen, Observation)
    assert seen.message.startswith("200 samples of serving against 500 of training: 1 tests")


def test_edge_a_log_of_a_few_rows_and_one_with_nothing_in_common() -> None:
    x = np.arange(100.0)
    (few,) = judged({"a": x}, {"a": x[:5]})
    assert isinstance(few, Inconclusive)
    assert "5 independent samples are too few" in few.reason
    _, nothing = judged({"a": x}, {"b": x})
    assert isinstance(nothing, Inconclusive)
    assert "no column in common" in nothing.reason

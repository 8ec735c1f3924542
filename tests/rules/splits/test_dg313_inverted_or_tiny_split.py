from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.finding import Confidence, Finding, Observation, Outcome, Severity, Skipped
from dataguard.rules.splits.dg313_inverted_or_tiny_split import inverted_or_tiny_split
from dataguard.splits.samples import SplitSamples


def samples(sizes: Mapping[str, int], *, classes: bool = True, n_total: int | None = None, **more: Any) -> SplitSamples:
    splits = tuple(name for name, n in sizes.items() for _ in range(n))
    n = len(splits)
    labels = np.array([str(at % 2) for at in range(n)], dtype=object) if classes else None
    return SplitSamples(
        sample_ids=tuple(map(str, range(n))),
        splits=splits,
        positions=np.arange(n),
        n_total=n_total or n,
        kind="",
        paths=(None,) * n,
        contents=(None,) * n,
        **{"labels": labels, **more},
    )


def outcomes(sizes: Mapping[str, int], **more: Any) -> list[Outcome]:
    return inverted_or_tiny_split(samples(sizes, **more))


def findings(sizes: Mapping[str, int], **more: Any) -> list[Finding]:
    return [item for item in outcomes(sizes, **more) if isinstance(item, Finding)]


@pytest.mark.parametrize(
    ("n", "severity"), [(4, Severity.ERROR), (5, Severity.WARNING), (11, Severity.WARNING), (12, Severity.INFO)]
)
def test_fires_as_severely_as_no_score_can_tell(n: int, severity: Severity) -> None:
    (finding,) = findings({"train": 300, "test": n})
    assert finding.severity is severity


def test_fires_on_a_split_too_small_to_compare_as_information() -> None:
    (finding,) = findings({"train": 300, "val": 93, "test": 30})
    assert finding.severity is Severity.INFO
    assert finding.confidence is Confidence.HIGH
    assert finding.key == ("tiny", "test")
    assert finding.message == (
        "test has 30 samples: the 95 % interval of an accuracy on it is up to ±0.17 wide, and 93 samples make it ±0.10."
    )
    assert finding.measurements[0].value == pytest.approx(0.168, abs=0.001)
    assert [place.split for place in finding.locations] == ["test"]


@pytest.mark.parametrize(("n", "bound"), [(1, 5), (4, 47)])
def test_fires_as_an_error_where_even_a_perfect_score_says_nothing(n: int, bound: int) -> None:
    (finding,) = findings({"train": 300, "test": n})
    assert finding.severity is Severity.ERROR
    assert f"the accuracy may be {bound} %" in finding.message


def test_fires_on_few_groups_as_information() -> None:
    groups = tuple(f"p{at % 7}" for at in range(300)) + tuple(f"q{at % 3}" for at in range(200))
    (finding,) = findings({"train": 300, "test": 200}, groups=groups)
    assert finding.severity is Severity.INFO
    assert "test has 200 samples of 3 groups" in finding.message
    assert findings({"train": 300, "test": 200}, groups=tuple(map(str, range(500)))) == []
    assert findings({"train": 300, "test": 200}, groups=(*groups[:-1], None)) == []


@pytest.mark.parametrize(
    ("sizes", "classes", "severity"),
    [
        ({"train": 200, "test": 300}, True, Severity.INFO),
        ({"train": 200, "val": 300}, True, Severity.INFO),
        ({"train": 200, "test": 300}, False, Severity.INFO),
        ({"train": 200, "test": 500}, False, Severity.WARNING),
    ],
)
def test_fires_on_evaluation_larger_than_training(sizes: dict[str, int], classes: bool, severity: Severity) -> None:
    (finding,) = findings(sizes, classes=classes)
    assert finding.severity is severity
    assert "more is held out than learnt from" in finding.message


def test_fires_on_two_names_of_one_split() -> None:
    found = findings({"train": 300, "Test": 100, "test": 120})
    assert [finding.key for finding in found] == [("twice", "test")]
    assert "'Test' (100 samples) and 'test' (120 samples) mean the same split" in found[0].message
    assert found[0].confidence is Confidence.HIGH
    (finding,) = findings({"train": 300, "val": 100, "valid": 120})
    assert finding.confidence is Confidence.MEDIUM
    assert {place.split for place in finding.locations} == {"val", "valid"}


@pytest.mark.parametrize(
    "sizes",
    [
        {"train": 800, "test": 200},
        {"train": 500, "test": 500},
        {"train": 490, "test": 510},
        {"train": 600, "val": 200, "test": 200},
        {"train": 1000, "unlabeled": 5000},
        {"": 1000, "test": 200},
    ],
)
def test_silent_on_usual_splits(sizes: dict[str, int]) -> None:
    assert findings(sizes) == []


def test_silent_on_what_dg108_says() -> None:
    assert findings({"train": 200, "test": 500}) == []


def test_silent_on_folds() -> None:
    assert findings({f"fold{at}": 30 for at in range(5)}) == []


@given(st.integers(1, 10**4), st.integers(1, 10**4))
def test_silent_on_one_of_two_directions(one: int, other: int) -> None:
    # A part of a large source stands for all of it.
    small = {"train": 10, "test": 10}
    made = samples(small, n_total=20 * one)
    assert inverted_or_tiny_split(made) == inverted_or_tiny_split(made)
    larger = [
        any(item.key[0] == "larger" for item in findings(sizes, classes=False))
        for sizes in ({"train": one % 60 + 1, "test": other % 60 + 1}, {"train": other % 60 + 1, "test": one % 60 + 1})
    ]
    assert not all(larger)


def test_edge_one_split_is_skipped() -> None:
    (outcome,) = outcomes({"train": 100})
    assert isinstance(outcome, Skipped)
    (outcome,) = outcomes({"": 100})
    assert isinstance(outcome, Skipped)


def test_edge_samples_without_a_label_do_not_measure() -> None:
    labels = np.array(["a"] * 300 + ["b"] * 20 + [None] * 200, dtype=object)
    (finding,) = findings({"train": 300, "test": 220}, labels=labels)
    assert "test has 20 samples" in finding.message
    # A test set without any label is there for others to measure.
    labels[300:320] = None
    assert findings({"train": 300, "test": 220}, labels=labels) == []


def test_edge_targets_count_like_labels() -> None:
    targets = np.full(400, np.nan)
    targets[:350] = 1.0
    (finding,) = findings({"train": 300, "test": 100}, classes=False, targets=targets)
    assert "test has 50 samples" in finding.message


def test_edge_a_part_of_a_source_stands_for_all() -> None:
    assert findings({"train": 300, "test": 60}, n_total=3600) == []
    assert len(findings({"train": 300, "test": 60})) == 1


def test_edge_the_width_can_be_set() -> None:
    made = samples({"train": 300, "test": 60})
    assert not any(isinstance(item, Finding) for item in inverted_or_tiny_split(made, wide_half_width=0.2))
    (finding,) = (item for item in inverted_or_tiny_split(made, max_half_width=0.05) if isinstance(item, Finding))
    assert finding.severity is Severity.WARNING
    assert "381 samples make it ±0.05" in finding.message


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"train": 300, "test": 100}, "There is no validation split"),
        ({"train": 300, "val": 100}, "There is no test split"),
        ({"train": 300, "val": 100, "test": 100}, ""),
    ],
)
def test_edge_what_is_missing_is_an_observation(sizes: dict[str, int], said: str) -> None:
    (outcome,) = outcomes(sizes)
    assert isinstance(outcome, Observation)
    assert outcome.message.startswith("Samples: train 300, ")
    assert (said in outcome.message) if said else outcome.message.endswith("100.")

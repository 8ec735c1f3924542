from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from dataguard.core.exhibit import PairGallery
from dataguard.core.finding import Confidence, Finding, Observation, Outcome, Severity, Skipped
from dataguard.dataset.duplicates import Member
from dataguard.dataset.near_pairs import NearDuplicatePair, NearDuplicates
from dataguard.rules.splits.dg302_near_duplicate_across_splits import near_duplicate_across_splits

SIZES = {"train": 600, "val": 200, "test": 200}


def member(name: str) -> Member:
    return Member(sample_id=name, split=name.partition("/")[0], label="cat", path=name)


def pair(left: str, right: str, residual: float = 0.01, detail: float | None = 0.9) -> NearDuplicatePair:
    return NearDuplicatePair(
        left=member(left), right=member(right), distance=2, residual=residual, chance_pairs=1e-8, detail=detail
    )


def findings(outcomes: Iterable[Outcome]) -> list[Finding]:
    return [outcome for outcome in outcomes if isinstance(outcome, Finding)]


def test_fires_once_for_each_pair_of_splits_most_alike_first() -> None:
    pairs = [
        pair("test/a", "train/b", 0.001),
        pair("train/c", "test/d", 0.002),
        pair("test/a", "train/e", 0.003),
        pair("test/f", "val/g", 0.004, detail=None),
    ]
    found = findings(near_duplicate_across_splits(NearDuplicates.from_pairs(pairs, sizes=SIZES)))
    assert [(finding.key, finding.severity, finding.confidence) for finding in found] == [
        (("train", "test"), Severity.ERROR, Confidence.HIGH),
        (("val", "test"), Severity.WARNING, Confidence.MEDIUM),
    ]
    leak = found[0]
    assert leak.message == "2 of 200 pictures of test (1.00 %) are near-duplicates of some in train"
    assert [(location.sample_id, location.related) for location in leak.locations] == [
        ("test/a", ("train/b", "train/e")),
        ("test/d", ("train/c",)),
    ]
    assert leak.measurements[0].value == pytest.approx(0.01)
    (gallery,) = leak.exhibits
    assert isinstance(gallery, PairGallery)
    assert [(shown.left.sample_id, shown.right.sample_id) for shown in gallery.pairs] == [
        ("train/b", "test/a"),
        ("train/c", "test/d"),
        ("train/e", "test/a"),
    ]
    assert "2 of 64 hash bits differ" in gallery.pairs[0].caption


def test_silent_on_pairs_within_a_split() -> None:
    (outcome,) = near_duplicate_across_splits(NearDuplicates.from_pairs([pair("train/a", "train/b")], sizes=SIZES))
    assert isinstance(outcome, Observation)
    assert "1 confirmed" in outcome.message


def test_silent_up_to_the_tolerated_share() -> None:
    near = NearDuplicates.from_pairs([pair("train/a", "test/b")], sizes=SIZES)
    assert not findings(near_duplicate_across_splits(near, max_share=0.005))
    assert findings(near_duplicate_across_splits(near, max_share=0.0049))


def test_silent_on_two_splits_that_are_both_trained_on() -> None:
    near = NearDuplicates.from_pairs([pair("train/a", "training/b")], sizes={"train": 10, "training": 10})
    assert not findings(near_duplicate_across_splits(near))


def test_edge_one_split_is_skipped() -> None:
    (outcome,) = near_duplicate_across_splits(NearDuplicates.from_pairs([], sizes={"train": 10}))
    assert isinstance(outcome, Skipped)


def test_edge_a_lowered_distance_and_missing_looks_are_said() -> None:
    near = replace(NearDuplicates.from_pairs([], sizes=SIZES), max_distance=3, truncated=True)
    (outcome,) = near_duplicate_across_splits(near)
    assert isinstance(outcome, Observation)
    assert "lowered from 7" in outcome.message
    assert "there may be more" in outcome.message

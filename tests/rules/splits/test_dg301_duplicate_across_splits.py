from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from dataguard.core.exhibit import Listing, PairGallery
from dataguard.core.finding import Confidence, Finding, Observation, Outcome, Severity, Skipped
from dataguard.dataset.duplicates import DuplicateGroup, Duplicates, Member
from dataguard.rules.splits.dg301_duplicate_across_splits import duplicate_across_splits

SIZES = {"train": 600, "val": 200, "test": 200}


def group(content: str, *splits: str, pictures: bool = True) -> DuplicateGroup:
    members = (
        Member(sample_id=f"{split}/{content}{index}", split=split, path=f"{content}{index}" if pictures else None)
        for index, split in enumerate(splits)
    )
    return DuplicateGroup(content_hash=content, members=tuple(members))


def findings(outcomes: Iterable[Outcome]) -> list[Finding]:
    return [outcome for outcome in outcomes if isinstance(outcome, Finding)]


def test_fires_once_for_each_pair_of_splits() -> None:
    groups = [group("a", "train", "test"), group("b", "train", "train", "test", "test"), group("c", "val", "test")]
    found = findings(duplicate_across_splits(Duplicates.from_groups(groups, sizes=SIZES)))
    assert [(finding.key, finding.severity) for finding in found] == [
        (("train", "test"), Severity.ERROR),
        (("val", "test"), Severity.WARNING),
    ]
    leak = found[0]
    assert leak.confidence is Confidence.HIGH
    assert leak.message == "3 of 200 samples of test (1.50 %) have an exact copy in train"
    assert [location.sample_id for location in leak.locations] == ["test/a1", "test/b2", "test/b3"]
    assert leak.locations[1].related == ("train/b0", "train/b1")
    assert leak.measurements[0].value == pytest.approx(0.015)
    assert leak.measurements[1].value == pytest.approx(0.98 / 200**0.5)
    (gallery,) = leak.exhibits
    assert isinstance(gallery, PairGallery)
    assert gallery.total == 2


def test_fires_on_samples_without_a_split_as_on_training() -> None:
    duplicates = Duplicates.from_groups([group("a", "", "test")], sizes={"": 50, "test": 50})
    (finding,) = findings(duplicate_across_splits(duplicates))
    assert finding.severity is Severity.ERROR
    assert "the samples without a split" in finding.message


def test_fires_as_an_error_on_rows_copied_after_the_split() -> None:
    groups = [group(f"{index}-", "train", "test", pictures=False) for index in range(40)]
    (finding,) = findings(duplicate_across_splits(Duplicates.from_groups(groups, sizes=SIZES, pictures=False)))
    assert finding.severity is Severity.ERROR
    contents = finding.measurements[2]
    assert contents.p_value is not None
    assert contents.p_value < 1e-6
    (listing,) = finding.exhibits
    assert isinstance(listing, Listing)


def test_fires_as_a_doubtful_warning_on_one_pair_of_equal_rows() -> None:
    duplicates = Duplicates.from_groups([group("a", "train", "test", pictures=False)], sizes=SIZES, pictures=False)
    (finding,) = findings(duplicate_across_splits(duplicates))
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.LOW)
    assert "by chance" in finding.message


def test_silent_on_copies_within_a_split() -> None:
    (outcome,) = duplicate_across_splits(Duplicates.from_groups([group("a", "train", "train")], sizes=SIZES))
    assert isinstance(outcome, Observation)
    assert "1 content occurs" in outcome.message
    assert [measurement.value for measurement in outcome.measurements] == [0, 0, 0]


def test_silent_on_two_splits_that_are_both_trained_on() -> None:
    duplicates = Duplicates.from_groups([group("a", "", "train")], sizes={"": 50, "train": 50})
    assert not findings(duplicate_across_splits(duplicates))


def test_silent_up_to_the_tolerated_share() -> None:
    duplicates = Duplicates.from_groups([group("a", "train", "test")], sizes=SIZES)
    assert not findings(duplicate_across_splits(duplicates, max_share=0.005))
    assert findings(duplicate_across_splits(duplicates, max_share=0.0049))


def test_edge_one_split_is_skipped() -> None:
    (outcome,) = duplicate_across_splits(Duplicates.from_groups([], sizes={"train": 9}))
    assert isinstance(outcome, Skipped)
    (outcome,) = duplicate_across_splits(Duplicates.from_groups([], sizes={}))
    assert isinstance(outcome, Skipped)
    assert "readable" in outcome.reason


def test_edge_what_was_left_out_is_said() -> None:
    duplicates = replace(Duplicates.from_groups([], sizes=SIZES), n_textureless=4, n_unreadable=2)
    (outcome,) = duplicate_across_splits(duplicates)
    assert isinstance(outcome, Observation)
    assert "4 pictures without texture and 2 unreadable samples left out" in outcome.message

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dataguard.core.exhibit import Listing, PairGallery
from dataguard.core.finding import Confidence, Finding, Observation, Outcome, Severity, Skipped
from dataguard.dataset.duplicates import DuplicateGroup, Duplicates, Member
from dataguard.rules.labels.dg105_conflicting_duplicate_labels import conflicting_duplicate_labels


def group(content: str, *labels: str | None, pictures: bool = True) -> DuplicateGroup:
    members = (
        Member(
            sample_id=f"{content}{index}", split="train", label=label, path=f"{content}{index}" if pictures else None
        )
        for index, label in enumerate(labels)
    )
    return DuplicateGroup(content_hash=content, members=tuple(members))


def findings(outcomes: Iterable[Outcome]) -> list[Finding]:
    return [outcome for outcome in outcomes if isinstance(outcome, Finding)]


def test_fires_on_a_picture_with_two_labels() -> None:
    duplicates = Duplicates.from_groups(
        [group("a", "cat", "cat", "dog"), group("b", "cow", "cow")], sizes={"train": 200}
    )
    (finding,) = findings(conflicting_duplicate_labels(duplicates))
    assert finding.severity is Severity.ERROR
    assert finding.confidence is Confidence.HIGH
    assert "1 of 200 labels (0.50 %) is wrong" in finding.message
    assert [location.sample_id for location in finding.locations] == ["a0", "a1", "a2"]
    assert finding.locations[0].related == ("a2",)
    assert finding.locations[2].related == ("a0", "a1")
    assert "cat ×2, dog ×1" in finding.locations[0].note
    (gallery,) = finding.exhibits
    assert isinstance(gallery, PairGallery)
    assert {gallery.pairs[0].left.given, gallery.pairs[0].right.given} == {"cat", "dog"}


def test_fires_as_an_error_on_rows_that_chance_does_not_explain() -> None:
    groups = [group(f"{index}-", "yes", "no" if index < 5 else "yes", pictures=False) for index in range(100)]
    (finding,) = findings(
        conflicting_duplicate_labels(Duplicates.from_groups(groups, sizes={"train": 200}, pictures=False))
    )
    assert finding.severity is Severity.ERROR
    (listing,) = finding.exhibits
    assert isinstance(listing, Listing)
    assert listing.total == 5


def test_fires_as_a_warning_on_two_equal_rows() -> None:
    duplicates = Duplicates.from_groups([group("a", "yes", "no", pictures=False)], sizes={"train": 150}, pictures=False)
    (finding,) = findings(conflicting_duplicate_labels(duplicates))
    assert finding.severity is Severity.WARNING
    assert "chance" in finding.message


def test_fires_as_information_on_rows_that_chance_explains() -> None:
    groups = [group(f"{index}-", "yes", "no", pictures=False) for index in range(100)]
    groups += [group(f"{index}=", "yes", "no", "no", pictures=False) for index in range(60)]
    groups += [group(f"{index}+", *["yes"] * 4, pictures=False) for index in range(30)]
    groups += [group(f"{index}*", *["yes"] * 5, pictures=False) for index in range(15)]
    (finding,) = findings(
        conflicting_duplicate_labels(Duplicates.from_groups(groups, sizes={"train": 700}, pictures=False))
    )
    assert finding.severity is Severity.INFO


def test_silent_where_copies_agree() -> None:
    (outcome,) = conflicting_duplicate_labels(Duplicates.from_groups([group("a", "cat", "cat")], sizes={"train": 9}))
    assert isinstance(outcome, Observation)
    assert outcome.measurements[0].value == 0


def test_silent_where_one_copy_has_no_label() -> None:
    assert not findings(
        conflicting_duplicate_labels(Duplicates.from_groups([group("a", "cat", None)], sizes={"train": 9}))
    )


def test_edge_without_labels_it_is_skipped() -> None:
    duplicates = replace(Duplicates.from_groups([], sizes={"train": 9}), n_labelled=0)
    (outcome,) = conflicting_duplicate_labels(duplicates)
    assert isinstance(outcome, Skipped)

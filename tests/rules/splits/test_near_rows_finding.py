from __future__ import annotations

from dataclasses import replace

import numpy as np

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Finding, Observation, Severity, Skipped
from dataguard.dataset.duplicates import DuplicateGroup, Duplicates, Member, Origin
from dataguard.dataset.near_rows import CellDifference, NearRowPair, NearRows, NearRowsBetween
from dataguard.dataset.near_texts import NearTexts, find_near_texts
from dataguard.dataset.nearness import Gap
from dataguard.rules.splits.dg301_duplicate_across_splits import duplicate_across_splits
from dataguard.rules.splits.dg302_near_duplicate_across_splits import near_duplicate_across_splits
from dataguard.splits.samples import SplitSamples


def rows(*pairs: NearRowPair, total: int | None = None) -> NearRows:
    between = NearRowsBetween(
        left="train",
        right="test",
        pairs=pairs,
        total=len(pairs) if total is None else total,
        n_same=0,
        same_origin=Origin.UNDECIDED,
        expected_same=0.5,
        gap=Gap(threshold=0.001, n=len(pairs), natural=0.4, expected=1e-5, p_value=1e-6),
        n_compared=40,
        complete=True,
    )
    return NearRows(sizes={"train": 60, "test": 40}, between=(between,), columns=("a", "b", "c"), left_out=("index",))


def row_pair(number: int, *, n_changed: int = 0) -> NearRowPair:
    return NearRowPair(
        left=Member(sample_id=f"train.csv row {number}", split="train", label="x"),
        right=Member(sample_id=f"test.csv row {number}", split="test", label="x"),
        distance=1e-4,
        ratio=1e-3,
        n_equal=1,
        n_close=2 - n_changed,
        n_changed=n_changed,
        cells=(CellDifference(column="a", left="1.5", right="1.50001", close=n_changed == 0),),
    )


def test_fires_on_rows_that_are_nearly_the_same() -> None:
    outcomes = near_duplicate_across_splits(None, rows(row_pair(1), row_pair(2)))
    (finding,) = (outcome for outcome in outcomes if isinstance(outcome, Finding))
    assert finding.message == (
        "2 of 40 rows of test (5.00 %) are nearly rows of train: equal up to rounding, noise or spelling"
    )
    assert (finding.severity, finding.confidence) == (Severity.ERROR, Confidence.HIGH)
    assert finding.key == ("train", "test", "rows")
    assert [location.sample_id for location in finding.locations] == ["test.csv row 1", "test.csv row 2"]
    assert finding.locations[0].related == ("train.csv row 1",)
    (listing,) = finding.exhibits
    assert isinstance(listing, Listing)
    assert listing.rows[0] == (
        "train.csv row 1 (x)",
        "test.csv row 1 (x)",
        "1 of 3 cells equal, 2 the same but for rounding, noise or spelling",
        "a: 1.5 → 1.50001; 1 more",
    )


def test_fires_with_less_confidence_where_cells_were_changed() -> None:
    outcomes = near_duplicate_across_splits(None, rows(row_pair(1, n_changed=1)))
    (finding,) = (outcome for outcome in outcomes if isinstance(outcome, Finding))
    assert finding.confidence is Confidence.MEDIUM
    assert "1 of 40 rows of test (2.50 %) is nearly a row of train" in finding.message


def test_fires_on_texts_that_are_nearly_the_same_and_says_what_differs() -> None:
    texts = ["the quick brown fox jumps over the lazy dog today"] * 30
    found = find_near_texts(
        [f"{text} {number} {' '.join(f'w{number}x{k}' for k in range(12))}" for number, text in enumerate(texts)]
        + [f"Today 3 {' '.join(f'w3x{k}' for k in range(11))} END"],
        ["train"] * 30 + ["val"],
    )
    assert isinstance(found, NearTexts)
    outcomes = near_duplicate_across_splits(None, None, found)
    (finding,) = (outcome for outcome in outcomes if isinstance(outcome, Finding))
    assert finding.message == (
        "1 of 1 texts of val (100.00 %) is nearly a text of train: with a few words changed, left out or added"
    )
    (listing,) = finding.exhibits
    assert isinstance(listing, Listing)
    left, _, _, differs = map(str, listing.rows[0])
    assert left.startswith("4: the quick brown fox")
    assert "'w3x11' became 'END'" in differs


def test_silent_on_rows_up_to_the_tolerated_share() -> None:
    outcomes = near_duplicate_across_splits(None, rows(row_pair(1)), max_share=0.025)
    (outcome,) = outcomes
    assert isinstance(outcome, Observation)
    assert outcome.message == (
        "rows compared by 3 columns (index left out: constant, or a number or name of its own in every row): "
        "1 of 40 compared of test are nearly one of train"
    )


def test_edge_without_pictures_rows_and_texts_it_is_skipped() -> None:
    (outcome,) = near_duplicate_across_splits(None)
    assert isinstance(outcome, Skipped)
    assert "split column" in outcome.hint


def test_edge_what_the_copies_are_worth_is_said() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 3)).astype(np.float32)
    labels = generator.choice(["x", "y"], 200).astype(object)
    features[120:180], labels[120:180] = features[:60], labels[:60]
    samples = SplitSamples(
        sample_ids=tuple(str(row) for row in range(200)),
        splits=("train",) * 120 + ("test",) * 80,
        positions=np.arange(200),
        n_total=200,
        kind="table",
        paths=(None,) * 200,
        contents=tuple(str(row) for row in range(200)),
        labels=labels,
        features=features,
    )
    pairs = [
        replace(
            row_pair(number),
            left=Member(sample_id=str(number), split="train"),
            right=Member(sample_id=str(number + 120), split="test"),
        )
        for number in range(60)
    ]
    outcomes = near_duplicate_across_splits(None, rows(*pairs), samples=samples)
    (finding,) = (outcome for outcome in outcomes if isinstance(outcome, Finding))
    worth = next(item for item in finding.measurements if item.name.startswith("worth of the copies in train"))
    assert worth.low is not None
    assert worth.low > 0.1
    assert ". Worth +0." in finding.message


# What near rows tell DG301 of equal ones


def equal_rows() -> Duplicates:
    group = DuplicateGroup(
        content_hash="a",
        members=(Member(sample_id="0", split="train"), Member(sample_id="150", split="test")),
    )
    return Duplicates.from_groups([group], sizes={"train": 120, "test": 80}, pictures=False)


def test_one_equal_row_is_a_copy_where_hardly_any_are_nearly_equal() -> None:
    near = rows()
    rare = replace(near, between=(replace(near.between[0], expected_same=1e-4),))
    for found, severity, confidence in (
        (None, Severity.WARNING, Confidence.LOW),
        (near, Severity.WARNING, Confidence.LOW),
        (rare, Severity.ERROR, Confidence.HIGH),
    ):
        (finding,) = (item for item in duplicate_across_splits(equal_rows(), found) if isinstance(item, Finding))
        assert (finding.severity, finding.confidence) == (severity, confidence)
    assert next(item.value for item in finding.measurements if "differ in one or two" in item.name) == 1e-4


def test_too_few_rows_to_know_are_said_so() -> None:
    near = rows()
    few = replace(near, between=(replace(near.between[0], expected_same=float("inf")),))
    (finding,) = (item for item in duplicate_across_splits(equal_rows(), few) if isinstance(item, Finding))
    assert finding.confidence is Confidence.LOW
    assert "not known: too few rows" in [item.value for item in finding.measurements]

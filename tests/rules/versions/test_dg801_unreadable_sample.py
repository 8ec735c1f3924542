"""DG801, called directly."""

from __future__ import annotations

from typing import Any

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.dataset.table import SampleTable
from dataguard.rules.versions.dg801_unreadable_sample import unreadable_sample


def table(*errors: str | None, paths: bool = True) -> SampleTable:
    rows: list[dict[str, Any]] = [
        {
            "sample_id": f"{number}.png",
            "path": f"{number}.png" if paths else None,
            "split": "train",
            "label": "a",
            "bytes": 10 * number,
            "decode_error": error,
        }
        for number, error in enumerate(errors)
    ]
    return SampleTable.from_rows(rows)


def test_fires_on_every_broken_file_and_says_what_is_wrong() -> None:
    finding, observation = unreadable_sample(table(None, "truncated", None, "not an image"))
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.message == "2 of 4 files cannot be read."
    assert [(place.sample_id, place.note) for place in finding.locations] == [
        ("1.png", "truncated"),
        ("3.png", "not an image"),
    ]
    assert finding.measurements[0].value == 0.5
    assert isinstance(observation, Observation)


def test_silent_where_every_file_can_be_read() -> None:
    (observation,) = unreadable_sample(table(None, None))
    assert isinstance(observation, Observation)
    assert observation.measurements[0].value == 0


def test_silent_at_the_share_that_is_allowed() -> None:
    assert not any(isinstance(item, Finding) for item in unreadable_sample(table("x", None), max_share=0.5))


def test_edge_just_above_the_share_that_is_allowed() -> None:
    assert isinstance(unreadable_sample(table("x", "y", None), max_share=0.5)[0], Finding)


def test_edge_rows_of_a_table_are_no_files() -> None:
    (outcome,) = unreadable_sample(table(None, None, paths=False))
    assert isinstance(outcome, Skipped)


def test_edge_every_place_is_kept_where_the_exhibit_is_cut() -> None:
    finding = unreadable_sample(table(*["broken"] * 150))[0]
    assert isinstance(finding, Finding)
    assert len(finding.locations) == 150
    (listing,) = finding.exhibits
    assert isinstance(listing, Listing)
    assert (listing.total, len(listing.rows)) == (150, 100)

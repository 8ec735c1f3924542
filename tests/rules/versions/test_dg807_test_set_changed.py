"""DG807, called directly."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.rules.versions import dg807_test_set_changed
from dataguard.versions.comparison import compare
from dataguard.versions.made_up import made_up_comparison, made_up_snapshot

rule = dg807_test_set_changed.test_set_changed


@pytest.mark.parametrize(
    ("split", "severity"), [("test", Severity.ERROR), ("Holdout", Severity.ERROR), ("val", Severity.WARNING)]
)
def test_fires_by_what_the_split_is_for(split: str, severity: Severity) -> None:
    (finding,) = rule(made_up_comparison(removed=1, added=1, relabelled=1, split=split))
    assert isinstance(finding, Finding)
    assert finding.severity is severity
    assert "1 removed, 1 added, 1 relabelled; 8 of its 10 samples are the same, of 10 before." in finding.message
    assert {place.note for place in finding.locations} == {"removed", "added", "relabelled"}


def test_fires_on_samples_that_were_trained_on_before(tmp_path: Path) -> None:
    rows = [
        {"sample_id": f"{k}", "content_hash": f"{k}", "label": "a", "split": "train" if k < 8 else "test"}
        for k in range(12)
    ]
    moved = [{**row, "split": "test"} if row["sample_id"] == "3" else row for row in rows]
    compared = compare(made_up_snapshot(rows, tmp_path / "old"), made_up_snapshot(moved, tmp_path / "new"))
    (finding,) = rule(compared)
    assert isinstance(finding, Finding)
    assert finding.message.endswith("1 of them was trained on before.")
    assert finding.locations[0].note == "moved from 'train' to 'test', trained on before"


def test_silent_where_only_training_changed() -> None:
    (outcome,) = rule(made_up_comparison(removed=1))
    assert isinstance(outcome, Skipped)
    (same,) = rule(made_up_comparison(split="test"))
    assert isinstance(same, Observation)
    assert same.message == "Split 'test' is the former one: 10 samples, all the same."


def test_edge_a_test_set_that_is_gone_and_one_that_is_new() -> None:
    (gone,) = rule(made_up_comparison(n=4, removed=4, added=1, split="test"))
    assert isinstance(gone, Finding)
    assert "0 of its 1 samples" in gone.message
    base = made_up_comparison(split="test")
    new = dataclasses.replace(base.changes.splits[0], old=0, same=0)
    (outcome,) = rule(dataclasses.replace(base, changes=dataclasses.replace(base.changes, splits=(new,))))
    assert isinstance(outcome, Skipped)

"""What changed between two manifests."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from dataguard.core.errors import DataguardError
from dataguard.versions.changes import Changes, changes
from dataguard.versions.made_up import made_up_snapshot

pytestmark = pytest.mark.slow


def row(name: str, content: str | None, label: str | None = "cat", split: str | None = "train") -> dict[str, Any]:
    return {"sample_id": name, "content_hash": content, "label": label, "split": split}


def changed(
    folder: Path, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], *, rows: bool = False
) -> Changes:
    return changes(
        made_up_snapshot(old, folder / "old", keys_are_rows=rows),
        made_up_snapshot(new, folder / "new", keys_are_rows=rows),
    )


def counts(found: Changes) -> dict[str, int]:
    return {kind: n for kind, n in found.counts.items() if n}


def test_every_kind_of_change_is_told_apart(tmp_path: Path) -> None:
    old = [row(name, name) for name in "abcdefg"]
    new = [
        row("b", "other"),
        row("c", "c", label="dog"),
        row("d", "d", split="test"),
        row("x", "e"),
        row("f", "f"),
        row("g", "g"),
        row("new", "new"),
    ]
    found = changed(tmp_path, old, new)
    assert counts(found) == {"removed": 1, "added": 1, "modified": 1, "relabelled": 1, "moved": 1, "renamed": 1}
    assert [item.old_id for item in found.listed["removed"]] == ["a"]
    assert [item.new_id for item in found.listed["added"]] == ["new"]
    assert [(item.old_id, item.new_id) for item in found.listed["renamed"]] == [("e", "x")]
    assert found.unchanged == 2
    assert [(flow.old, flow.new, flow.n) for flow in found.relabelled] == [("cat", "dog", 1)]
    assert [(flow.old, flow.new, flow.n) for flow in found.moved] == [("train", "test", 1)]


def test_a_file_that_went_to_another_class_is_relabelled_and_not_lost(tmp_path: Path) -> None:
    old = [row("train/cat/1.png", "1"), row("train/dog/2.png", "2", "dog")]
    new = [row("train/dog/1.png", "1", "dog"), row("train/dog/2.png", "2", "dog")]
    assert counts(changed(tmp_path, old, new)) == {"relabelled": 1, "renamed": 1}


def test_of_copies_those_of_the_same_label_and_split_are_matched_first(tmp_path: Path) -> None:
    old = [row("a1", "same", "cat"), row("a2", "same", "dog"), row("a3", "same", "dog", "test")]
    new = [row("b3", "same", "cat"), row("b2", "same", "dog", "test"), row("b1", "same", "dog")]
    assert counts(changed(tmp_path, old, new)) == {"renamed": 3}


def test_a_copy_less_is_a_sample_less(tmp_path: Path) -> None:
    old = [row("a", "same"), row("b", "same"), row("c", "same")]
    assert counts(changed(tmp_path, old, old[:1])) == {"removed": 2}


def test_rows_without_an_id_are_recognised_by_content(tmp_path: Path) -> None:
    old = [row(str(number), f"content {number}") for number in range(1, 8)]
    inserted = [row("1", "new"), *(row(str(number + 1), f"content {number}") for number in range(1, 8))]
    found = changed(tmp_path, old, inserted, rows=True)
    assert counts(found) == {"added": 1}
    assert found.unchanged == 7
    edited = [row("1", "edited"), *old[1:]]
    assert counts(changed(tmp_path, old, edited, rows=True)) == {"modified": 1}
    relabelled = [row("1", "content 1", "dog"), *old[1:]]
    assert counts(changed(tmp_path, old, relabelled, rows=True)) == {"relabelled": 1}


def test_rows_that_were_edited_and_dropped_at_once_are_not_all_lost(tmp_path: Path) -> None:
    old = [row(str(number), f"content {number}", "ab"[number % 2]) for number in range(1, 21)]
    edited = [{**item, "content_hash": item["content_hash"] + "!"} for item in old]
    assert counts(changed(tmp_path, old, edited, rows=True)) == {"modified": 20}
    fewer = [{**item, "sample_id": str(place)} for place, item in enumerate(edited[2:], start=1)]
    found = changed(tmp_path / "fewer", old, fewer, rows=True)
    assert counts(found) == {"removed": 2, "modified": 18}
    mixed = [edited[0], *old[1:9], edited[9], *old[11:]]
    mixed = [{**item, "sample_id": str(place)} for place, item in enumerate(mixed, start=1)]
    assert counts(changed(tmp_path / "mixed", old, mixed, rows=True)) == {"removed": 1, "modified": 2}


def test_unreadable_samples_of_one_name_are_the_same_and_of_others_are_not_matched(tmp_path: Path) -> None:
    assert counts(changed(tmp_path, [row("a", None)], [row("a", None)])) == {}
    assert counts(changed(tmp_path, [row("a", None)], [row("b", None)])) == {"removed": 1, "added": 1}
    assert counts(changed(tmp_path, [row("a", None)], [row("a", "now")])) == {"modified": 1}


def test_samples_without_label_and_split(tmp_path: Path) -> None:
    old = [row("a", "a", None, None), row("b", "b", "cat", None)]
    new = [row("a", "a", "cat", None), row("b", "b", None, "test")]
    found = changed(tmp_path, old, new)
    assert counts(found) == {"relabelled": 2, "moved": 1}
    assert [item.name for item in found.splits] == ["", "test"]


def test_each_split_says_what_happened_to_it(tmp_path: Path) -> None:
    old = [row("a", "a", split="test"), row("b", "b", split="test"), row("c", "c"), row("d", "d")]
    new = [row("a", "a", split="test"), row("b", "b"), row("c", "c", split="test"), row("e", "e", split="test")]
    test, train = changed(tmp_path, old, new).splits
    assert (test.name, test.old, test.new, test.same) == ("test", 2, 3, 1)
    assert (test.moved_in, test.moved_out, test.added, test.removed) == (1, 1, 1, 0)
    assert (train.old, train.new, train.same, train.removed) == (2, 1, 0, 1)
    assert test.changed
    assert train.changed


@pytest.mark.parametrize("old_names", ["short", "long"])
def test_long_random_names_are_kept_as_hashes_and_still_recognised(tmp_path: Path, old_names: str) -> None:
    stream = random.Random(0)
    names = ["".join(stream.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=120)) for _ in range(400)]
    old = made_up_snapshot([row(name, name) for name in names], tmp_path / "old")
    short = names[:20]
    new = made_up_snapshot([row(name, name, "dog") for name in short], tmp_path / "new")
    assert (old.profile.manifest.keys, new.profile.manifest.keys) == ("hashed", "id")
    if old_names == "short":
        old, new = new, old
    found = changes(old, new)
    assert counts(found) == {"relabelled": 20, ("added" if old_names == "short" else "removed"): 380}
    assert {item.name for item in found.listed["relabelled"]} == set(short)


def test_hashed_targets_are_held_against_written_ones(tmp_path: Path) -> None:
    stream = random.Random(0)
    long = ["".join(stream.choices("0123456789abcdef", k=90)) for _ in range(300)]
    hashed = [row(f"{number}", f"{number}", text) for number, text in enumerate(long)]
    old = made_up_snapshot(hashed, tmp_path / "old")
    assert old.profile.manifest.labels == "hashed"
    new = made_up_snapshot([{**hashed[0], "label": "1.5"}, *hashed[1:20]], tmp_path / "new")
    assert new.profile.manifest.labels == "text"
    assert counts(changes(old, new)) == {"removed": 280, "relabelled": 1}


def test_different_hashes_cannot_be_compared(tmp_path: Path) -> None:
    import dataclasses

    old = made_up_snapshot([row("a", "a")], tmp_path / "old")
    facts = dataclasses.replace(old.profile.manifest, content_hash="md5")
    new = dataclasses.replace(old, profile=dataclasses.replace(old.profile, manifest=facts), place="other")
    with pytest.raises(DataguardError, match="named by blake3-128 there, and by md5 in other"):
        changes(old, new)

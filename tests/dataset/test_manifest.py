from __future__ import annotations

from functools import reduce
from operator import or_
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.dataset.manifest import BUCKETS, Manifest, leaf_sql

Entry = tuple[str, bytes | None, str | None, str | None]
TEXT = st.none() | st.text(max_size=3)
ENTRY = st.tuples(st.text(max_size=4), st.none() | st.binary(max_size=3), TEXT, TEXT)
ENTRIES = st.lists(ENTRY, max_size=12)


def manifest(entries: list[Entry]) -> Manifest:
    made = Manifest()
    for entry in entries:
        made.add(*entry)
    return made


@settings(max_examples=50)
@given(ENTRIES.flatmap(lambda entries: st.tuples(st.just(entries), st.permutations(entries))))
def test_the_order_of_samples_does_not_matter(orders: tuple[list[Entry], list[Entry]]) -> None:
    one, other = orders
    assert manifest(one).version_id == manifest(other).version_id


@settings(max_examples=50)
@given(st.lists(ENTRIES, min_size=1, max_size=4))
def test_parts_merge_to_the_whole_however_they_are_grouped(parts: list[list[Entry]]) -> None:
    whole = manifest([entry for part in parts for entry in part])
    forwards = reduce(or_, map(manifest, parts))
    backwards = reduce(lambda right, left: left | right, map(manifest, reversed(parts)))
    assert forwards.version_id == backwards.version_id == whole.version_id
    assert len(forwards) == len(whole)


@settings(max_examples=20, deadline=None)
@given(ENTRIES)
def test_a_database_tells_the_same_leaves(entries: list[Entry]) -> None:
    made = Manifest()
    leaf = f"SELECT unhex(sha256({leaf_sql('$1', '$2', '$3', '$4')}))"
    with duckdb.connect() as connection:
        for key, content, label, split in entries:
            given = [key, None if content is None else content.hex(), label, split]
            made.add_leaves(connection.execute(leaf, given).fetchall()[0][0])
    assert made.bucket_hashes() == manifest(entries).bucket_hashes()


@pytest.mark.parametrize("held", [0, 32 * 400, 32 * 10_000])
def test_what_goes_to_disk_comes_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr("dataguard.dataset.manifest._PARTED_FROM", 32 * 70)
    monkeypatch.setattr("dataguard.dataset.manifest.memory_share", lambda _: held)
    keys = [f"row {number % 900}" for number in range(1_000)]
    whole, spilled = Manifest(), Manifest(spill=tmp_path / "leaves")
    for number, key in enumerate(keys):
        whole.add(key, b"%d" % (number % 900), None, "train")
    for start in range(0, 1_000, 50):
        part = Manifest()
        for number in range(start, start + 50):
            part.add(keys[number], b"%d" % (number % 900), None, "train")
        spilled.update(part)
    n_files = len(list(tmp_path.glob("leaves/*")))
    assert n_files == 0 if held > 32 * 1_000 else n_files > 200
    assert len(spilled) == len(whole) == 1_000
    assert spilled.bucket_hashes() == whole.bucket_hashes()
    merged = Manifest()
    merged.update(spilled)
    assert merged.version_id == spilled.version_id == whole.version_id


@settings(max_examples=50)
@given(ENTRIES, ENTRY, ENTRY)
def test_an_edit_changes_the_id_and_two_buckets_at_most(rest: list[Entry], before: Entry, after: Entry) -> None:
    old, new = manifest([*rest, before]), manifest([*rest, after])
    changed = old.changed_buckets(new)
    assert (old.version_id == new.version_id) == (before == after)
    assert len(changed) <= 2
    assert bool(changed) == (before != after)
    assert all(0 <= bucket < BUCKETS for bucket in changed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", b"x", None, None), ("a", b"x", "", None)),
        (("a", b"x", "cat", None), ("a", b"x", None, "cat")),
        (("a", None, "x", None), ("a", b"x", None, None)),
        (("ab", b"c", None, None), ("a", b"bc", None, None)),
        (("a", b"x", "b", "c"), ("a", b"x", "bc", "")),
        (("1:a", b"x", None, None), ("a", b"1:x", None, None)),
    ],
)
def test_no_two_samples_share_an_encoding(one: Entry, other: Entry) -> None:
    assert manifest([one]).version_id != manifest([other]).version_id


def test_the_same_sample_twice_is_not_the_same_as_once() -> None:
    entry: Entry = ("a", b"x", None, None)
    assert manifest([entry, entry]).version_id != manifest([entry]).version_id
    assert manifest([]).version_id != manifest([entry]).version_id

"""What holds of any two versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.versions.changes import Changes, changes
from dataguard.versions.made_up import made_up_snapshot

pytestmark = pytest.mark.slow


def row(name: str, content: str, label: str | None, split: str | None) -> dict[str, Any]:
    return {"sample_id": name, "content_hash": content, "label": label, "split": split}


def changed(folder: Path, old: Any, new: Any, *, rows: bool) -> Changes:
    return changes(
        made_up_snapshot(old, folder / "old", keys_are_rows=rows),
        made_up_snapshot(new, folder / "new", keys_are_rows=rows),
    )


samples = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(st.sampled_from("123"), st.sampled_from(["cat", "dog", None]), st.sampled_from(["train", "test", None])),
    min_size=1,
    max_size=6,
)


@settings(max_examples=10, deadline=None)
@given(samples, samples, st.booleans())
def test_the_numbers_add_up_and_the_way_back_is_the_reverse(
    tmp_path_factory: pytest.TempPathFactory, one: Any, other: Any, rows: bool
) -> None:
    number = {name: str(place) for place, name in enumerate("abcdef", start=1)}
    sides = [[row(number[name] if rows else name, *values) for name, values in side.items()] for side in (one, other)]
    folder = tmp_path_factory.mktemp("versions")
    there = changed(folder / "there", *sides, rows=rows)
    back = changed(folder / "back", *reversed(sides), rows=rows)
    assert there.n_old - there.counts["removed"] == there.n_new - there.counts["added"]
    assert (there.counts["removed"], there.counts["added"]) == (back.counts["added"], back.counts["removed"])
    assert there.unchanged == back.unchanged
    assert sum(split.old for split in there.splits) == there.n_old
    assert sum(split.new for split in there.splits) == there.n_new
    for split in there.splits:
        gone = split.removed + split.moved_out
        assert split.old - gone == split.new - split.added - split.moved_in
        assert split.same <= split.old - gone
    assert there.any == (one != other) or not there.any
    if one == other:
        assert not there.any

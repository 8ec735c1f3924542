"""Versions sort as they should, and the table of changes is whole."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.behaviour import CHANGES, behaviour_at, canonical, changes_between, matches, version_key

ORDERED = [
    "0.9",
    "0.10.dev3",
    "0.10a1.dev2",
    "0.10a1",
    "0.10b2",
    "0.10rc1",
    "0.10",
    "0.10.post1",
    "0.10.1",
    "1.0",
    "4.12.0.88",
    "10.0",
    "1!0.1",
]


@pytest.mark.parametrize(("earlier", "later"), list(itertools.pairwise(ORDERED)))
def test_versions_sort_as_the_packaging_standard_says(earlier: str, later: str) -> None:
    assert version_key(earlier) < version_key(later)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_zeros_at_the_end_and_local_parts_do_not_count(parts: list[int]) -> None:
    version = ".".join(map(str, parts))
    assert version_key(version) == version_key(f"v{version}.0.0") == version_key(f"{version}+cu118")


@pytest.mark.parametrize("text", ["", "latest", "1.x", "1..2", "1.0 beta of sorts"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a version"):
        version_key(text)


@pytest.mark.parametrize(
    ("version", "specifier", "expected"),
    [
        ("0.16.2", ">=0.10,<0.17", True),
        ("0.17", ">=0.10,<0.17", False),
        ("0.17.0rc1", "<0.17", True),
        ("1.0", "== 1.0.0", True),
        ("1.0", "", False),
    ],
)
def test_ranges(version: str, specifier: str, expected: bool) -> None:
    assert matches(version, specifier) is expected


def test_what_is_no_range_is_refused() -> None:
    with pytest.raises(ValueError, match="not a range"):
        matches("1.0", "~=1.0")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.library}: {change.what}")
def test_every_entry_is_whole(change: object) -> None:
    from dataguard.core.behaviour import BehaviourChange

    assert isinstance(change, BehaviourChange)
    assert change.library == canonical(change.library)
    assert change.before
    assert change.source
    assert bool(change.after) == bool(change.after_versions)
    for version in ("0.0.1", "1.0", "4.12.0.88", "2024.1", "99"):
        assert not (matches(version, change.before_versions) and matches(version, change.after_versions))


def test_a_library_is_found_by_the_name_that_it_is_imported_by() -> None:
    found = changes_between("cv2", "4.12.0.88", "5.0.0.93")
    assert [change.what for change in found] == [
        "resize by INTER_NEAREST_EXACT",
        "resize of 8-bit pictures by INTER_CUBIC",
    ]
    assert changes_between("opencv-python-headless", "5.0.0.93", "4.12.0.88") == found
    assert len(changes_between("cv2", "4.13.0.92", "5.0.0.93")) == 1


def test_nothing_changes_between_versions_on_one_side_or_of_a_library_that_is_not_listed() -> None:
    assert changes_between("pillow", "9.1", "13.0.0") == ()
    assert changes_between("numpy", "1.0", "2.0") == ()
    assert behaviour_at("numpy", "2.0") == ()


def test_what_a_version_does() -> None:
    does = {one.what: one.does for one in behaviour_at("torchvision", "0.17.0")}
    assert does["antialias of Resize on tensors"] == "on"
    # Between the two versions that were looked at, it is not known.
    assert not any("transparency" in one.what for one in behaviour_at("transformers", "5.15.0"))


def test_what_no_version_changes_is_behaviour_and_no_change() -> None:
    assert [one.what for one in behaviour_at("keras", "3.12.0")] == ["the default kernel"]
    assert changes_between("keras", "2.0", "99") == ()

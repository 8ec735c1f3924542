from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.dataset import duplicates as module
from dataguard.dataset.duplicates import DuplicateGroup, Duplicates, Member, Origin
from dataguard.dataset.table import SampleTable

PICTURE = {"width": 8, "perceptual_hash": 1}


def of(rows: list[dict[str, Any]]) -> Duplicates:
    return Duplicates.from_table(SampleTable.from_rows(rows))


def sample(name: str, content: str | None, split: str | None = "train", label: str | None = "cat", **more: Any) -> Any:
    return {"sample_id": name, "path": name, "content_hash": content, "split": split, "label": label, **PICTURE, **more}


def of_contents(contents: Any, splits: Any) -> Duplicates:
    """What a table of rows with these contents gives, without the names of the rows."""
    splits = [str(split) for split in splits]
    sizes = {split: splits.count(split) for split in ("train", "test")}
    counts: dict[int, list[int]] = {}
    for content, split in zip(contents, splits, strict=True):
        counts.setdefault(int(content), [0, 0])[split == "test"] += 1
    patterns = Counter(tuple(count) for count in counts.values())
    return Duplicates(sizes=sizes, pictures=False, patterns=dict(patterns), groups=())


def test_groups_hold_every_sample_of_a_content_training_first() -> None:
    found = of([sample("b", "x", "test"), sample("a", "x"), sample("c", "y"), sample("d", "x", None, None)])
    (group,) = found.groups
    assert [member.sample_id for member in group.members] == ["d", "a", "b"]
    assert group.members[0] == Member(sample_id="d", split="", label=None, path="d")
    assert found.sizes == {"": 1, "train": 2, "test": 1}
    assert (found.n_groups, found.n_copies, found.n_samples) == (1, 3, 4)
    assert found.pictures


def test_unreadable_and_textureless_samples_are_left_out() -> None:
    found = of(
        [
            sample("a", "x", decode_error="empty"),
            sample("b", "x", "test", decode_error="empty"),
            sample("c", None),
            sample("d", "black", perceptual_hash=None),
            sample("e", "black", "test", perceptual_hash=None),
            sample("f", "z"),
        ]
    )
    assert found.groups == ()
    assert (found.n_samples, found.n_unreadable, found.n_textureless) == (1, 3, 2)


def test_rows_without_pictures_are_kept_without_a_perceptual_hash() -> None:
    rows = [("1", "a", "train"), ("2", "a", "test"), ("3", "b", "test")]
    found = of([{"sample_id": name, "content_hash": content, "split": split} for name, content, split in rows])
    assert not found.pictures
    assert found.n_groups == 1


def test_conflicts_count_all_but_the_most_frequent_label() -> None:
    found = of(
        [sample(f"x{i}", "x", label=label) for i, label in enumerate(["cat", "cat", "dog", "cow", None])]
        + [sample("y1", "y", label="dog"), sample("y2", "y", label="dog")]
    )
    assert (found.n_conflicts, found.n_conflict_samples, found.least_wrong, found.n_labelled) == (1, 4, 2, 6)


def test_an_empty_table_has_no_duplicates() -> None:
    found = of([])
    assert (found.n_samples, found.n_groups, list(found.overlaps)) == (0, 0, [])


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(["train", "val", "test"]), st.sampled_from([None, "a", "b"])),
        max_size=25,
    )
)
def test_aggregates_of_the_table_agree_with_those_of_the_groups(rows: list[tuple[int, str, str | None]]) -> None:
    found = of([sample(f"{i:03}", str(c), split, label) for i, (c, split, label) in enumerate(rows)])
    again = Duplicates.from_groups(found.groups, sizes=found.sizes)
    assert again.patterns == found.patterns
    assert (again.n_conflicts, again.n_conflict_samples, again.least_wrong) == (
        found.n_conflicts,
        found.n_conflict_samples,
        found.least_wrong,
    )
    for overlap in found.overlaps:
        left = {content for content, split, _ in rows if split == overlap.left}
        right = [content for content, split, _ in rows if split == overlap.right]
        assert overlap.shared_right == sum(content in left for content in right)
        assert overlap.n_groups == len(left & set(right))
        assert 0 <= overlap.p_value <= 1


def test_hashes_are_looked_through_a_part_at_a_time_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [sample(f"s{number:03d}", f"content {number % 37}", "train", str(number % 2)) for number in range(50)]
    whole = of(rows)
    monkeypatch.setattr(module, "memory_share", lambda _: 8 * 7)
    assert of(rows) == whole
    assert whole.n_groups == 13


def test_listing_is_bounded_and_keeps_what_rules_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LISTED_GROUPS", 2)
    monkeypatch.setattr(module, "MAX_LISTED_PER_CELL", 3)
    rows = [sample(f"a{i}", "a") for i in range(9)] + [sample("b1", "b"), sample("b2", "b")]
    rows += [sample("y1", "y"), sample("y2", "y", "test"), sample("z1", "z"), sample("z2", "z", label="dog")]
    found = of(rows)
    assert [group.content_hash for group in found.groups] == ["y", "z"]
    assert (found.n_groups, found.n_copies) == (4, 15)


def test_expected_groups_and_p_value_are_those_of_random_splits() -> None:
    generator = np.random.default_rng(0)
    contents = np.concatenate([np.repeat(np.arange(20), 2), np.repeat(np.arange(20, 26), 4), np.arange(100, 160)])
    n = len(contents)
    seen = []
    for _ in range(2_000):
        training = np.zeros(n, dtype=bool)
        training[generator.choice(n, round(0.7 * n), replace=False)] = True
        seen.append(len(set(contents[training]) & set(contents[~training])))
    training = np.arange(n) < round(0.7 * n)
    generator.shuffle(contents)
    (overlap,) = of_contents(contents, np.where(training, "train", "test")).overlaps
    assert overlap.expected_groups == pytest.approx(np.mean(seen), abs=0.2)
    assert overlap.p_value == pytest.approx(np.mean(np.array(seen) >= overlap.n_groups), abs=0.05)


def test_rows_copied_after_the_split_are_recognized() -> None:
    contents = np.arange(1_000)
    contents[800:830] = np.arange(30)
    found = of_contents(contents, ["train"] * 800 + ["test"] * 200)
    (overlap,) = found.overlaps
    assert (overlap.shared_right, overlap.n_groups) == (30, 30)
    assert overlap.p_value < 1e-6
    assert found.origin(overlap) is Origin.COPIED


def test_rows_written_twice_before_the_split_are_recognized_by_the_missing_triples() -> None:
    generator = np.random.default_rng(0)
    contents = np.repeat(np.arange(300), 2)
    found = of_contents(contents, generator.permutation(["train"] * 400 + ["test"] * 200))
    (overlap,) = found.overlaps
    assert overlap.p_value > 1e-3
    assert found.origin(overlap) is Origin.COPIED


def test_independent_discrete_rows_are_explained_by_chance() -> None:
    generator = np.random.default_rng(0)
    found = of_contents(generator.integers(0, 500, 1_000), generator.permutation(["train"] * 700 + ["test"] * 300))
    (overlap,) = found.overlaps
    assert overlap.n_groups > 100
    assert found.origin(overlap) is Origin.CHANCE


def test_few_equal_rows_are_undecided_and_pictures_never_are() -> None:
    contents = [*range(149), 0]
    splits = ["train"] * 100 + ["test"] * 50
    (overlap,) = of_contents(contents, splits).overlaps
    assert of_contents(contents, splits).origin(overlap) is Origin.UNDECIDED
    group = DuplicateGroup(content_hash="0", members=(Member(sample_id="a"), Member(sample_id="b")))
    assert Duplicates.from_groups([group], sizes={"": 9}).origin() is Origin.COPIED


def test_many_groups_take_the_normal_approximation() -> None:
    generator = np.random.default_rng(0)
    found = of_contents(np.repeat(np.arange(2_500), 2), generator.permutation(["train"] * 3_000 + ["test"] * 2_000))
    (overlap,) = found.overlaps
    assert overlap.expected_groups == pytest.approx(2_500 * 2 * 0.6 * 0.4, rel=0.01)
    assert 0.001 < overlap.p_value < 0.999

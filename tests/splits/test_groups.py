from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.core.multiple_tests import holm
from dataguard.splits.groups import likeness, straddling


@given(st.lists(st.tuples(st.sampled_from(["p", "q", "r", None]), st.sampled_from(["train", "val", "test"]))))
def test_straddling_is_what_both_have(rows: list[tuple[str | None, str]]) -> None:
    groups, splits = [row[0] for row in rows], [row[1] for row in rows]
    found = straddling(groups, splits, "train", "test")
    left = {group for group, split in rows if split == "train" and group is not None}
    right = {group for group, split in rows if split == "test" and group is not None}
    assert set(found.groups) == left & right
    assert found.n_right == splits.count("test")
    assert found.n_right_groups == len(right)
    assert found.n_shared == sum(split == "test" and group in left & right for group, split in rows)
    assert all(splits[row] == "train" for its in found.left_rows for row in its)
    sizes = [len(its) for its in found.right_rows]
    assert sizes == sorted(sizes, reverse=True)


def test_entities_are_found_and_random_ids_are_not() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 60, 480)
    features = (rng.normal(size=(60, 5))[codes] + rng.normal(size=(480, 5))).astype(np.float32)
    strata = codes % 2
    found = likeness(features, codes, strata, seed=0, permutations=499)
    assert found is not None
    assert found.p_value == 1 / 500
    assert found.share > 2 * found.expected
    none = likeness(features, rng.integers(0, 60, 480), strata, seed=0, permutations=499)
    assert none is not None
    assert none.p_value > 0.02


@pytest.mark.parametrize("seed", range(4))
def test_an_age_is_no_entity(seed: int) -> None:
    rng = np.random.default_rng(seed)
    age = rng.integers(20, 80, 600)
    features = np.column_stack(
        [age / 20 + rng.normal(size=600) / 3, np.sin(age / 9), np.exp(age / 15), rng.normal(size=600)]
    ).astype(np.float32)
    found = likeness(features, age, np.zeros(600, dtype=np.intp), seed=seed, permutations=499)
    assert found is not None
    assert found.p_value > 0.005


@pytest.mark.parametrize("seed", range(4))
def test_whole_numbers_do_not_tell_a_group(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = np.column_stack([np.round(rng.normal(size=600)), rng.normal(size=600)]).astype(np.float32)
    found = likeness(features, np.arange(600) // 10 % 7, np.zeros(600, dtype=np.intp), seed=seed, permutations=499)
    assert found is not None
    assert found.p_value > 0.005


def test_a_few_groups_are_not_taken_for_a_curve() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, 300)
    features = (rng.normal(size=(5, 4))[codes] + 0.5 * rng.normal(size=(300, 4))).astype(np.float32)
    found = likeness(features, codes, np.zeros(300, dtype=np.intp), seed=0, permutations=499)
    assert found is not None
    assert found.p_value == 1 / 500


def test_nothing_to_compare_is_none() -> None:
    codes, strata = np.arange(100) // 5, np.zeros(100, dtype=np.intp)
    assert likeness(np.ones((100, 2), dtype=np.float32), codes, strata, seed=0) is None
    assert likeness(np.zeros((100, 0), dtype=np.float32), codes, strata, seed=0) is None
    assert likeness(np.ones((100, 2), dtype=np.float32), np.full(100, -1), strata, seed=0) is None


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_between_the_p_value_and_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= min(1.0, len(p_values) * p) + 1e-12 for p, a in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    assert [adjusted[at] for at in order] == sorted(adjusted)

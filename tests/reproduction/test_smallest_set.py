from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.reproduction.smallest_set import Answer, SmallestSet, smallest_set

N = 20


def search(culprits: set[int], n: int = N, *, any_one: bool = False) -> SmallestSet[int]:
    """With an oracle that fails where all culprits are in, or any one of them."""

    def run(tried: tuple[int, ...]) -> Answer:
        there = culprits & set(tried)
        return Answer.CHANGED if (there if any_one else there == culprits) else Answer.SAME

    return smallest_set(range(n), run)


def test_one_culprit_among_twenty_takes_at_most_twelve_runs() -> None:
    found = [search({place}) for place in range(N)]
    assert [one.changes for one in found] == [(place,) for place in range(N)]
    assert max(one.runs for one in found) <= 8


def test_two_culprits_that_act_together_are_found_as_a_pair() -> None:
    found = {pair: search(set(pair)) for pair in combinations(range(N), 2)}
    assert all(one.changes == pair and one.minimal for pair, one in found.items())
    assert max(one.runs for one in found.values()) <= 16


def test_of_two_culprits_that_each_suffice_one_is_found() -> None:
    for pair in combinations(range(N), 2):
        (culprit,) = search(set(pair), any_one=True).changes
        assert culprit in pair


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 29), min_size=1, max_size=5))
def test_any_set_of_culprits_is_found_exactly(culprits: set[int]) -> None:
    found = search(culprits, 30)
    assert set(found.changes) == culprits
    assert found.minimal


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_found_fails_and_no_single_one_can_be_left_out(data: st.DataObject) -> None:
    """Whatever the oracle does, monotone or not, as long as everything fails and nothing does not."""
    n = data.draw(st.integers(1, 7))
    answers: dict[frozenset[int], Answer] = {frozenset(): Answer.SAME, frozenset(range(n)): Answer.CHANGED}
    runs = []

    def run(tried: tuple[int, ...]) -> Answer:
        key = frozenset(tried)
        assert key not in runs
        runs.append(key)
        if key not in answers:
            answers[key] = data.draw(st.sampled_from(Answer))
        return answers[key]

    found = smallest_set(range(n), run)
    assert answers[frozenset(found.changes)] is Answer.CHANGED
    assert found.minimal
    assert found.runs == len(runs)
    if len(found.changes) > 1:
        for left_out in found.changes:
            rest = frozenset(found.changes) - {left_out}
            assert answers[rest] is not Answer.CHANGED


def test_nothing_to_explain_takes_one_run() -> None:
    found = smallest_set(range(9), lambda tried: Answer.SAME)
    assert (found.changes, found.runs) == ((), 1)
    assert found.reason == "all changes together give the same result"


def test_a_cause_that_is_not_among_them_is_said() -> None:
    found = smallest_set(range(9), lambda tried: Answer.CHANGED)
    assert (found.changes, found.runs, found.minimal) == ((), 2, False)
    assert "not among them" in found.reason


def test_no_changes_at_all() -> None:
    assert smallest_set([], lambda tried: Answer.CHANGED).changes == ()


def test_what_cannot_be_run_at_all_is_said() -> None:
    found = smallest_set(range(3), lambda tried: Answer.UNRESOLVED)
    assert "could not be run" in found.reason
    assert found.unresolved == 1


@pytest.mark.parametrize("most", [1, 3, 6])
def test_the_budget_of_runs_holds(most: int) -> None:
    ran = []

    def run(tried: tuple[int, ...]) -> Answer:
        ran.append(tried)
        return Answer.CHANGED if {1, 7, 13} <= set(tried) else Answer.SAME

    found = smallest_set(range(16), run, most_runs=most)
    assert len(ran) == most == found.runs
    assert set(found.changes) >= {1, 7, 13}
    assert not found.minimal
    assert "stopped" in found.reason

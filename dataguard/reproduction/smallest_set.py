"""Delta debugging: the smallest set of changes that still gives the failure, in as few runs as it takes.

Where failing is monotone (more changes never cure it), the shortest failing prefix of a list ends in a culprit. So each
culprit costs one binary search: QuickXplain (Junker, 2004). Whether that held is checked by runs, and where it did not,
ddmin (Zeller and Hildebrandt, 2002), which assumes nothing, goes on. No set is ever run twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Generic, TypeVar

T = TypeVar("T")


class Answer(Enum):
    """What running with a set of changes gave."""

    SAME = "same"
    CHANGED = "changed"
    UNRESOLVED = "unresolved"
    """It could not be run: nothing is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SmallestSet(Generic[T]):
    """What the search found."""

    changes: tuple[T, ...]
    """The set, in the order that was given; empty where all changes together do nothing."""
    runs: int
    """How many sets were run."""
    unresolved: int
    """How many of them could not be."""
    minimal: bool
    """Whether leaving out any one of them was run, and does not give the failure."""
    reason: str = ""
    """Why there is no set, or why it may not be the smallest."""


class _Oracle(Generic[T]):
    """Runs sets of changes by their places, each once."""

    def __init__(self, changes: Sequence[T], run: Callable[[tuple[T, ...]], Answer], most_runs: int) -> None:
        self.changes = changes
        self.run = run
        self.most_runs = most_runs
        self.seen: dict[frozenset[int], Answer] = {}

    def __call__(self, places: Sequence[int]) -> Answer:
        key = frozenset(places)
        if key not in self.seen:
            if len(self.seen) >= self.most_runs:
                raise _TooManyRunsError
            self.seen[key] = self.run(tuple(self.changes[place] for place in sorted(key)))
        return self.seen[key]

    def fails(self, places: Sequence[int]) -> bool:
        return self(places) is Answer.CHANGED


class _TooManyRunsError(Exception):
    """The budget of runs is used up."""


def smallest_set(
    changes: Sequence[T], run: Callable[[tuple[T, ...]], Answer], *, most_runs: int = 100
) -> SmallestSet[T]:
    """The smallest set of changes that gives the failure; no part of it does (1-minimal).

    Args:
        changes: What may be the cause, the likeliest first: a culprit among the first is found sooner.
        run: What a subset of them gives.
        most_runs: When to stop, with the smallest failing set so far.

    Returns:
        The set. One culprit among n costs at most 3 + ⌈log2 n⌉ runs, two that act together some twice that.

    >>> found = smallest_set(range(20), lambda tried: Answer.CHANGED if {3, 17} <= set(tried) else Answer.SAME)
    >>> found.changes, found.minimal
    ((3, 17), True)
    """
    oracle = _Oracle(changes, run, most_runs)
    everything = list(range(len(changes)))
    best: list[int] = everything
    whole, nothing, minimal, reason = Answer.SAME, Answer.SAME, False, ""
    try:
        whole = oracle(everything)
        nothing = oracle([]) if whole is Answer.CHANGED else Answer.SAME
        if whole is Answer.CHANGED and nothing is not Answer.CHANGED:
            best = _by_prefixes(oracle, everything)
            if not oracle.fails(best):
                best = everything
            best = _ddmin(oracle, best)
            minimal = True
    except _TooManyRunsError:
        failing = [places for places, answer in oracle.seen.items() if answer is Answer.CHANGED]
        smallest = min((tuple(sorted(places)) for places in failing), key=lambda one: (len(one), one), default=())
        best = list(smallest)
        reason = f"stopped after {most_runs} runs"
    unresolved = sum(answer is Answer.UNRESOLVED for answer in oracle.seen.values())
    if whole is not Answer.CHANGED:
        best, minimal = [], False
        reason = (
            "all changes together give the same result"
            if whole is Answer.SAME
            else "it could not be run with all changes together"
        )
    elif nothing is Answer.CHANGED:
        best, minimal = [], False
        reason = "the result is another even with every change undone: the cause is not among them"
    elif unresolved and not reason and len(best) > 1:
        reason = f"{unresolved} of {len(oracle.seen)} sets could not be run"
    return SmallestSet(
        changes=tuple(changes[place] for place in sorted(best)),
        runs=len(oracle.seen),
        unresolved=unresolved,
        minimal=minimal,
        reason=reason,
    )


def _by_prefixes(oracle: _Oracle[T], candidates: list[int]) -> list[int]:
    """Culprits one after another: each is the last of the shortest failing prefix behind those that are known."""
    culprits: list[int] = []
    rest = candidates
    while True:
        # `low` changes do not fail, `high` do.
        low, high = 0, len(rest)
        while high - low > 1:
            middle = (low + high) // 2
            if oracle.fails([*culprits, *rest[:middle]]):
                high = middle
            else:
                low = middle
        culprits.append(rest[high - 1])
        rest = rest[: high - 1]
        if not rest or oracle.fails(culprits):
            return sorted(culprits)


def _ddmin(oracle: _Oracle[T], failing: list[int]) -> list[int]:
    """Zeller's ddmin: a failing set of which no single member can be left out."""
    parts = 2
    while len(failing) > 1:
        edges = [round(len(failing) * number / parts) for number in range(parts + 1)]
        chunks = [failing[start:end] for start, end in pairwise(edges)]
        smaller = next((chunk for chunk in chunks if oracle.fails(chunk)), None)
        if smaller is not None:
            failing, parts = smaller, 2
            continue
        # With two parts, what is left of one is the other.
        rests = [[place for place in failing if place not in chunk] for chunk in chunks] if parts > 2 else []
        rest = next((one for one in rests if oracle.fails(one)), None)
        if rest is not None:
            failing, parts = rest, max(parts - 1, 2)
        elif parts >= len(failing):
            break
        else:
            parts = min(2 * parts, len(failing))
    return failing

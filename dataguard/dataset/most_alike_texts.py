"""The most similar text of another split, among those that share rare phrases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.dataset.text_phrases import TextIndex, TokenSets, distinct_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHORT = 15
"""Texts of fewer words are compared by words, not by phrases: one word changed takes three phrases with it."""
LONGEST_BESIDE_SHORT = 2 * SHORT
"""Words of a text that a short one is looked for in."""
LEAST_SHARED = 0.1
"""Part of the rare phrases of the shorter text that candidates share."""
CONTAINED = 0.9
"""How alike a text is to one that it is a part of, if it has `SHORT` words."""
_PAIRS_AT_A_TIME = 2_000_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MostAlike:
    """For texts of the right split, the most similar of the left one that is not exactly equal."""

    right: NDArray[np.intp]
    """Places among the texts with words."""
    left: NDArray[np.intp]
    likeness: NDArray[np.float64]
    """What they are ordered by: the similarity, or of long texts `CONTAINED` of the containment."""
    similarity: NDArray[np.float64]
    containment: NDArray[np.float64]
    is_short: NDArray[np.bool_]
    """Whether the right one has fewer than `SHORT` words."""
    n_long: int
    """Right texts that were compared by phrases."""
    n_short: int
    """Right texts that were compared by words."""


def most_alike(
    index: TextIndex,
    left: NDArray[np.bool_],
    right: NDArray[np.bool_],
    exact: NDArray[np.int64],
    *,
    least_information: float,
) -> MostAlike:
    """The most similar left text of each right one.

    Args:
        index: All texts.
        left: Which are looked among.
        right: Which ask.
        exact: A number for each, equal where samples are exactly equal: these are left out.
        least_information: Weight of the words that a short text shares with another at least: what chance makes is no
            neighbour.
    """
    right = right & ~np.isin(exact, exact[left])
    n = len(index.rows)
    best = np.full(n, -1, dtype=np.intp)
    likeness, similarity, containment = np.zeros(n), np.zeros(n), np.zeros(n)
    # Word for word the same: no phrase is needed for that, nor must it be rare.
    order = np.flatnonzero(left)
    order = order[np.argsort(index.whole[order], kind="stable")]
    at = np.searchsorted(index.whole[order], index.whole)
    at[at == len(order)] = 0
    is_short = index.n_words < SHORT
    n_short = int((right & is_short).sum())
    n_long = int(right.sum()) - n_short
    if len(order):
        equal = right & (index.whole[order[at]] == index.whole)
        best[equal], likeness[equal], similarity[equal], containment[equal] = order[at][equal], 1.0, 1.0, 1.0
        right = right & ~equal
    searches = (
        (index.phrases, left, right & ~is_short, 0.0, CONTAINED),
        # That a few words are in another text says little: a turn of phrase is.
        (index.words, left & (index.n_words < LONGEST_BESIDE_SHORT), right & is_short, least_information, 0.0),
    )
    for sets, among, asking, least, contained in searches:
        for here, there in _candidates(sets, among, asking):
            shared = shared_weight(sets, here, there)
            one, other = sets.totals[here], sets.totals[there]
            score, part = shared / (one + other - shared), shared / np.minimum(one, other)
            value = np.where(shared >= least, np.maximum(score, contained * part), 0)
            chosen = np.lexsort((-value, there))
            chosen = chosen[np.concatenate([[True], there[chosen][1:] != there[chosen][:-1]])]
            better = chosen[value[chosen] > likeness[there[chosen]]]
            best[there[better]], likeness[there[better]] = here[better], value[better]
            similarity[there[better]], containment[there[better]] = score[better], part[better]
    found = np.flatnonzero(best >= 0)
    return MostAlike(
        right=found,
        left=best[found],
        likeness=likeness[found],
        similarity=similarity[found],
        containment=containment[found],
        is_short=is_short[found],
        n_long=n_long,
        n_short=n_short,
    )


def _candidates(
    sets: TokenSets, left: NDArray[np.bool_], right: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs that share enough rare words or phrases, a range of right texts at a time."""
    n_texts = len(sets.totals)
    frequency = sets.frequency[sets.tokens]
    text_of = np.repeat(np.arange(n_texts), np.diff(sets.begins))
    rare = frequency <= sets.common
    n_rare = np.bincount(text_of[rare], minlength=n_texts)
    usable = rare & (frequency > 1)
    on_left, on_right = usable & left[text_of], usable & right[text_of]
    phrases, texts = sets.tokens[on_left], text_of[on_left]
    order = np.argsort(phrases, kind="stable")
    phrases, texts = phrases[order], texts[order]
    wanted, seekers = sets.tokens[on_right], text_of[on_right]
    first = np.searchsorted(phrases, wanted, side="left")
    times = np.searchsorted(phrases, wanted, side="right") - first
    before = np.concatenate([[0], np.cumsum(times)])
    start = 0
    while start < len(wanted):
        stop = int(np.searchsorted(before, before[start] + _PAIRS_AT_A_TIME, side="right")) - 1
        stop = max(stop, start + 1)
        # All of one text are counted together.
        while stop < len(wanted) and seekers[stop] == seekers[stop - 1]:
            stop += 1
        n = times[start:stop]
        total = int(n.sum())
        if total:
            offset = np.repeat(first[start:stop] - (np.cumsum(n) - n), n) + np.arange(total)
            joined, shared = distinct_of(np.repeat(seekers[start:stop], n).astype(np.int64) * n_texts + texts[offset])
            there, here = joined // n_texts, joined % n_texts
            kept = shared >= LEAST_SHARED * np.minimum(n_rare[here], n_rare[there])
            if kept.any():
                yield here[kept], there[kept]
        start = stop


def shared_weight(sets: TokenSets, here: NDArray[np.intp], there: NDArray[np.intp]) -> NDArray[np.float64]:
    """Weight of what two sets have in common, for pairs of texts."""
    found = np.empty(len(here))
    sizes = np.diff(sets.begins)
    step_at = np.concatenate([[0], np.cumsum(sizes[here] + sizes[there])])
    start = 0
    while start < len(here):
        stop = max(start + 1, int(np.searchsorted(step_at, step_at[start] + 4_000_000, side="right")) - 1)
        keys = []
        for side in (here[start:stop], there[start:stop]):
            n = sizes[side]
            offset = np.repeat(sets.begins[:-1][side] - (np.cumsum(n) - n), n) + np.arange(int(n.sum()))
            keys.append(np.repeat(np.arange(stop - start, dtype=np.int64), n) * len(sets.weights) + sets.tokens[offset])
        # Both are ascending and hold each once, so that equal ones are next to each other in the sorted whole.
        joined = np.sort(np.concatenate(keys), kind="stable")
        both = joined[1:][joined[1:] == joined[:-1]]
        found[start:stop] = np.bincount(
            both // len(sets.weights), weights=sets.weights[both % len(sets.weights)], minlength=stop - start
        )
        start = stop
    return found

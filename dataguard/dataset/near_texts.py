"""Texts that are nearly the same in two splits, by the phrases they share.

Two texts are candidates if they share a phrase (three words in a row) that few texts have: phrases that many have are
boilerplate, and two texts that share nothing else are never looked at. Candidates are compared by all their phrases,
each weighed by how rare it is, so that a template weighs little however long it is.
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dataguard.core.finding import Skipped
from dataguard.core.progress import Progress, silent
from dataguard.core.split_roles import is_training, split_order
from dataguard.dataset.duplicates import Duplicates, Member, Origin
from dataguard.dataset.most_alike_texts import MostAlike, most_alike, shared_weight
from dataguard.dataset.nearness import Gap, find_gap
from dataguard.dataset.row_codes import content_codes, repeats
from dataguard.dataset.text_phrases import TextIndex, words_of

LEAST_SIMILARITY = 0.4
"""Weighed share of phrases (of both, or of the shorter text) below which two texts are not called nearly the same."""
LEAST_GAP = 2.0
"""Factor between the distance of the least alike pair that is called so and that of the most alike other one."""
CHANCE_PAIRS = 0.01
"""Pairs that may share so much by chance, if words came independently."""
MAX_PAIRS = 20_000
"""Pairs that are described."""
SHOWN_CHANGES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class NearTextPair:
    """Two texts that are no coincidence."""

    left: Member
    right: Member
    left_text: str
    right_text: str
    similarity: float
    """Weighed Jaccard similarity of the phrases: 1 where texts differ in case, punctuation or spaces only."""
    containment: float
    """Weighed share of the phrases of the text with fewer that the other has."""
    information: float
    """Of the shared words, in nats: minus the logarithm of the probability that a text has all of them by chance."""

    @property
    def difference(self) -> str:
        """What differs, in words."""
        return what_differs(self.left_text, self.right_text)


@dataclass(frozen=True, kw_only=True, slots=True)
class NearTextsBetween:
    """What was found between two splits."""

    left: str
    right: str
    pairs: tuple[NearTextPair, ...]
    """Most alike first; at most `MAX_PAIRS`."""
    total: int
    """Texts of the right split with such a text in the left one."""
    n_same: int
    """Texts of the right split that are word for word one of the left, in rows that are not exactly equal."""
    same_origin: Origin
    """Whether such equality is no coincidence; `UNDECIDED` counts for texts long enough, as their words are many."""
    gap: Gap
    """Of texts compared by phrases."""
    short_gap: Gap
    """Of short texts, compared by words."""
    n_compared: int
    """Texts of the right split that were compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NearTexts:
    """Texts that are nearly the same in two splits."""

    column: str
    sizes: Mapping[str, int]
    """Texts by split, ordered by `split_order`; empty ones left out."""
    between: tuple[NearTextsBetween, ...]
    n_common: int
    """Phrases that are boilerplate (`COMMON`)."""


def what_differs(left: str, right: str) -> str:
    """The words that differ, at most `SHOWN_CHANGES` places.

    >>> what_differs("The food was good.", "The food was bad.")
    "'good.' became 'bad.'"
    >>> what_differs("Good food", "good FOOD!")
    'case, punctuation or spaces only'
    """
    if words_of(left) == words_of(right):
        return "case, punctuation or spaces only"
    here, there = left.split()[:2_000], right.split()[:2_000]
    matcher = difflib.SequenceMatcher(None, [word.casefold() for word in here], [word.casefold() for word in there])
    found = []
    for kind, i, j, k, m in matcher.get_opcodes():
        one, other = _short(here[i:j]), _short(there[k:m])
        if kind == "replace":
            found.append(f"{one!r} became {other!r}")
        elif kind == "delete":
            found.append(f"without {one!r}")
        elif kind == "insert":
            found.append(f"with {other!r}")
    more = len(found) - SHOWN_CHANGES
    return "; ".join(found[:SHOWN_CHANGES]) + (f"; {more} more places" if more > 0 else "")


def _short(words: Sequence[str]) -> str:
    text = " ".join(words)
    return text if len(text) <= 60 else text[:59] + "…"


def find_near_texts(
    texts: Sequence[str | None],
    splits: Sequence[str],
    *,
    column: str = "text",
    sample_ids: Sequence[str] | None = None,
    contents: Sequence[str | None] | None = None,
    labels: Sequence[str | None] | None = None,
    progress: Progress = silent,
) -> NearTexts | Skipped:
    """Find texts of each split that are nearly a text of an earlier one.

    Args:
        texts: One a sample; None and texts without a word are left out.
        splits: The split of each, '' for none.
        column: What the texts are called.
        sample_ids: What each is called; by default its number from 1.
        contents: Something that is equal where samples are exactly equal, which are not looked for here; by default
            the texts decide.
        labels: The label of each, to be shown.
        progress: Told how far it is.

    Raises:
        ValueError: the lengths differ.
    """
    n = len(texts)
    if len(splits) != n or any(given is not None and len(given) != n for given in (sample_ids, contents, labels)):
        raise ValueError(f"{n} texts, and other numbers of splits, ids, contents or labels")
    names = sorted(set(splits), key=split_order)
    if len(names) < 2:
        return Skipped(reason="there is only one split", hint="name the splits, as a split column")
    ids = [str(row + 1) for row in range(n)] if sample_ids is None else sample_ids
    progress("reading the texts", 0, n)
    index = TextIndex.of(texts, progress)
    if index is None:
        return Skipped(reason=f"the column {column!r} holds no words")
    place = {name: code for code, name in enumerate(names)}
    split_codes = np.array([place[split] for split in splits])[index.rows]
    exact = content_codes(
        [texts[row] for row in index.rows] if contents is None else [contents[row] for row in index.rows]
    )
    same = repeats(index.whole, split_codes, names)
    found = []
    candidates = [pair for pair in itertools.combinations(names, 2) if not all(is_training(name) for name in pair)]
    for left, right in candidates:
        progress(f"comparing the texts of {right} with {left}", 0, 0)
        least_information = math.log(max(1.0, float(same.sizes[left]) * same.sizes[right]) / CHANCE_PAIRS)
        search = most_alike(
            index,
            split_codes == place[left],
            split_codes == place[right],
            exact,
            least_information=least_information,
        )
        found.append(_between(left, right, search, index, same, least_information, (texts, ids, splits, labels)))
    return NearTexts(
        column=column,
        sizes={name: int((split_codes == code).sum()) for name, code in place.items()},
        between=tuple(found),
        n_common=int((index.phrases.frequency > index.phrases.common).sum()),
    )


def _between(
    left: str,
    right: str,
    search: MostAlike,
    index: TextIndex,
    same: Duplicates,
    least_information: float,
    told: tuple[Sequence[str | None], Sequence[str], Sequence[str], Sequence[str | None] | None],
) -> NearTextsBetween:
    texts, ids, splits, labels = told
    equal = index.whole[search.left] == index.whole[search.right]
    information = shared_weight(index.words, search.left, search.right)
    telling = information >= least_information
    overlap = next(item for item in same.overlaps if (item.left, item.right) == (left, right))
    origin = same.origin(overlap)
    likeness = search.likeness
    near = np.zeros(len(equal), dtype=np.bool_)
    gaps = []
    for group, n in ((~search.is_short, search.n_long), (search.is_short, search.n_short)):
        others = ~equal & group
        # A text without a candidate is as far away as it gets.
        distances = np.ones(n - int((equal & group).sum()))
        distances[: int(others.sum())] = 1 - likeness[others]
        # Of many words, each its own: the tail is steep, and what they tell is looked at besides.
        gap = find_gap(distances, largest=1 - LEAST_SIMILARITY, least_gap=LEAST_GAP, most_p_value=1.0, most=1.0)
        near |= others & telling & (1 - likeness <= gap.threshold)
        gaps.append(gap)
    copied = equal & (origin is Origin.COPIED or (telling if origin is Origin.UNDECIDED else np.False_))
    chosen = np.flatnonzero(near | copied)
    chosen = chosen[np.lexsort((search.right[chosen], -likeness[chosen]))]
    pairs = []
    for place in chosen[:MAX_PAIRS]:
        rows = int(index.rows[search.left[place]]), int(index.rows[search.right[place]])
        members = [
            Member(sample_id=ids[row], split=splits[row], label=None if labels is None else labels[row]) for row in rows
        ]
        pairs.append(
            NearTextPair(
                left=members[0],
                right=members[1],
                left_text=texts[rows[0]] or "",
                right_text=texts[rows[1]] or "",
                similarity=float(search.similarity[place]),
                containment=float(search.containment[place]),
                information=float(information[place]),
            )
        )
    return NearTextsBetween(
        left=left,
        right=right,
        pairs=tuple(pairs),
        total=len(chosen),
        n_same=int(equal.sum()),
        same_origin=origin,
        gap=gaps[0],
        short_gap=gaps[1],
        n_compared=search.n_long + search.n_short,
    )

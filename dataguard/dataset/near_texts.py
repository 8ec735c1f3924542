"""Texts that are nearly the same in two splits, by the phrases they share.

Two texts are candidates if they share a phrase (three words in a row) that few texts have: phrases that many have are
boilerplate, and two texts that share nothing else are never looked at. Candidates are compared by all their phrases,
each weighed by how rare it is, so that a template weighs little however long it is.
"""

from __future__ import annotations

import difflib
import itertools
import re
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.finding import Skipped
from dataguard.core.progress import Progress, silent
from dataguard.core.split_roles import is_training, split_order
from dataguard.dataset.duplicates import Duplicates, Member, Origin
from dataguard.dataset.nearness import Gap, find_gap

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHINGLE = 3
"""Words in a phrase: one word changed in 20 leaves 15 of 18 phrases."""
LEAST_WORDS = 8
"""Texts of fewer words are compared as a whole only."""
COMMON, COMMON_SHARE, LEAST_COMMON = 64, 0.01, 8
"""A phrase is boilerplate, weighs nothing and makes no candidates if more than 1 % of the texts have it, or 64, and in
any case more than 8."""
LEAST_SHARED = 0.1
"""Part of the rare phrases of the shorter text that candidates share."""
LEAST_SIMILARITY = 0.4
"""Weighed share of phrases (of both, or of the shorter text) below which two texts are not called nearly the same."""
LEAST_GAP = 2.0
"""Factor between the distance of the least alike pair that is called so and that of the most alike other one."""
CHANCE_PAIRS = 0.01
"""Pairs that may share so much by chance, if words came independently."""
MAX_PAIRS = 20_000
"""Pairs that are described."""
SHOWN_CHANGES = 4
_MOST_WORDS = 5_000
"""Words of a text that are looked at: longer ones are told by their beginning."""
_PAIRS_AT_A_TIME = 2_000_000
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")


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


def words_of(text: str) -> list[str]:
    """The words of a text as texts are compared: NFKC, case folded, punctuation left out.

    A character of a script that is written without spaces is a word.

    >>> words_of("Don't PANIC -- it's ﬁne"), words_of("東京タワー")[:3]
    (['dont', 'panic', 'its', 'fine'], ['東', '京', 'タ'])
    """
    plain = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return _WORD.findall(plain.replace("'", "").replace("\u2019", ""))


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
    index = _Index.of(texts, progress)
    if index is None:
        return Skipped(reason=f"the column {column!r} holds no words")
    place = {name: code for code, name in enumerate(names)}
    split_codes = np.array([place[split] for split in splits])[index.rows]
    exact = _codes([texts[row] for row in index.rows] if contents is None else [contents[row] for row in index.rows])
    same = _same(index, split_codes, names)
    found = []
    candidates = [pair for pair in itertools.combinations(names, 2) if not all(is_training(name) for name in pair)]
    for left, right in candidates:
        progress(f"comparing the texts of {right} with {left}", 0, 0)
        search = _search(index, split_codes == place[left], split_codes == place[right], exact)
        found.append(_between(left, right, search, index, same, (texts, ids, splits, labels)))
    return NearTexts(
        column=column,
        sizes={name: int((split_codes == code).sum()) for name, code in place.items()},
        between=tuple(found),
        n_common=index.n_common,
    )


# Texts as sets of phrases


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Index:
    """The phrases of every text, as numbers, and how rare each is."""

    rows: NDArray[np.intp]
    """Which texts have words."""
    begins: NDArray[np.intp]
    """Where the phrases of each text begin in `phrases`, and the end."""
    phrases: NDArray[np.int64]
    """Ascending within a text, each once."""
    weights: NDArray[np.float64]
    """Of each phrase: log(n / how many texts have it); 0 for boilerplate."""
    frequency: NDArray[np.int64]
    """How many texts have each phrase."""
    totals: NDArray[np.float64]
    """Weight of all phrases of each text."""
    whole: NDArray[np.int64]
    """A number for each text that is equal where texts are word for word."""
    n_words: NDArray[np.int64]
    word_begins: NDArray[np.intp]
    words: NDArray[np.int64]
    """Distinct words of each text, as `phrases`."""
    word_weights: NDArray[np.float64]
    common: int
    """A phrase that more texts have is boilerplate."""

    @property
    def n_common(self) -> int:
        """How many phrases are boilerplate."""
        return int((self.frequency > self.common).sum())

    @classmethod
    def of(cls, texts: Sequence[str | None], progress: Progress) -> _Index | None:
        """None where no text has a word."""
        known: defaultdict[str, int] = defaultdict()
        known.default_factory = known.__len__
        number_of = known.__getitem__
        rows, lengths = [], []
        numbers = array("q")
        for row, text in enumerate(texts):
            if row % 10_000 == 0:
                progress("reading the texts", row, len(texts))
            found = words_of(text)[:_MOST_WORDS] if text else []
            if found:
                rows.append(row)
                lengths.append(len(found))
                numbers.extend(map(number_of, found))
        if not rows:
            return None
        words = np.frombuffer(numbers, dtype=np.int64)
        length = np.array(lengths, dtype=np.intp)
        text_of = np.repeat(np.arange(len(rows)), length)
        begin = np.concatenate([[0], np.cumsum(length)])
        keys = words.astype(np.uint64)
        phrase = np.zeros(len(words), dtype=np.uint64)
        for step in range(SHINGLE):
            # Around the end of a text the phrase is filled with nothing, so that short texts have phrases too.
            following = np.full(len(words), np.uint64(0))
            following[: len(words) - step] = keys[step:] + np.uint64(1)
            inside = np.arange(len(words)) + step < begin[1:][text_of]
            phrase = _mixed(phrase, np.where(inside, following, np.uint64(0)))
        partial = np.arange(len(words)) + SHINGLE > begin[1:][text_of]
        long = length[text_of] >= SHINGLE
        kept = ~(partial & long)
        whole = _whole(words, begin)
        distinct, phrases = np.unique(phrase[kept], return_inverse=True)
        phrase_begins, phrases = _sets(phrases.astype(np.int64), text_of[kept], len(rows), len(distinct))
        word_begins, word_sets = _sets(words, text_of, len(rows), len(known))
        frequency = np.bincount(phrases, minlength=len(distinct))
        common = int(max(LEAST_COMMON, min(COMMON, COMMON_SHARE * len(rows))))
        weights = np.where(frequency > common, 0.0, np.log(len(rows) / frequency))
        word_weights = np.log(len(rows) / np.maximum(np.bincount(word_sets, minlength=len(known)), 1))
        return cls(
            rows=np.array(rows, dtype=np.intp),
            begins=phrase_begins,
            phrases=phrases,
            weights=weights,
            frequency=frequency,
            totals=np.add.reduceat(weights[phrases], phrase_begins[:-1]),
            whole=whole,
            n_words=length.astype(np.int64),
            word_begins=word_begins,
            words=word_sets,
            word_weights=word_weights,
            common=common,
        )


def _mixed(key: NDArray[np.uint64], values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A hash of both (the mixing step of splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = (key * np.uint64(0x9E3779B97F4A7C15)) ^ values
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result


def _whole(words: NDArray[np.int64], begin: NDArray[np.intp]) -> NDArray[np.int64]:
    """A number for each text, equal where the words are the same in the same order."""
    place = np.arange(len(words)) - np.repeat(begin[:-1], np.diff(begin))
    with np.errstate(over="ignore"):
        sums = np.add.reduceat(_mixed(place.astype(np.uint64) + np.uint64(1), words.astype(np.uint64)), begin[:-1])
    return np.unique(sums, return_inverse=True)[1].astype(np.int64)


def _sets(
    values: NDArray[np.int64], text_of: NDArray[np.intp], n: int, n_values: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The distinct values of each text, ascending, and where each text begins."""
    joined = _distinct(text_of.astype(np.int64) * n_values + values)[0]
    begins = np.searchsorted(joined, np.arange(n + 1, dtype=np.int64) * n_values)
    return begins, joined % n_values


def _distinct(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct values, ascending, and how often each occurs; several times faster than ``np.unique`` where most do."""
    ordered = np.sort(values)
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])
    return ordered[first], np.diff(np.append(first, len(ordered)))


def _codes(values: Sequence[str | None]) -> NDArray[np.int64]:
    known: dict[str, int] = {}
    # What has no content equals nothing.
    return np.array(
        [-1 - row if value is None else known.setdefault(value, len(known)) for row, value in enumerate(values)],
        dtype=np.int64,
    )


def _same(index: _Index, split_codes: NDArray[np.intp], names: Sequence[str]) -> Duplicates:
    """Texts that are word for word the same, as `Duplicates` counts equal contents."""
    counts = np.zeros((int(index.whole.max()) + 1, len(names)), dtype=np.int64)
    np.add.at(counts, (index.whole, split_codes), 1)
    patterns, times = np.unique(counts, axis=0, return_counts=True)
    return Duplicates(
        sizes={name: int((split_codes == code).sum()) for code, name in enumerate(names)},
        pictures=False,
        patterns={tuple(int(value) for value in pattern): int(n) for pattern, n in zip(patterns, times, strict=True)},
        groups=(),
    )


# The most similar text of the other split


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Search:
    """For texts of the right split, the most similar of the left one that is not exactly equal."""

    right: NDArray[np.intp]
    """Places among the texts with words."""
    left: NDArray[np.intp]
    similarity: NDArray[np.float64]
    containment: NDArray[np.float64]
    n_compared: int


def _search(index: _Index, left: NDArray[np.bool_], right: NDArray[np.bool_], exact: NDArray[np.int64]) -> _Search:
    right = right & ~np.isin(exact, exact[left])
    n = len(index.rows)
    best = np.full(n, -1, dtype=np.intp)
    similarity, containment = np.zeros(n), np.zeros(n)
    # Word for word the same: no phrase is needed for that, nor must it be rare.
    order = np.flatnonzero(left)
    order = order[np.argsort(index.whole[order], kind="stable")]
    at = np.searchsorted(index.whole[order], index.whole)
    at[at == len(order)] = 0
    if len(order):
        equal = right & (index.whole[order[at]] == index.whole)
        best[equal], similarity[equal], containment[equal] = order[at][equal], 1.0, 1.0
        right = right & ~equal
    n_compared = int((right | (best >= 0)).sum())
    for here, there in _candidates(index, left, right):
        score, part = _similarities(index, here, there)
        value = np.maximum(score, 0.9 * part)
        chosen = np.lexsort((-value, there))
        chosen = chosen[np.concatenate([[True], there[chosen][1:] != there[chosen][:-1]])]
        better = chosen[value[chosen] > np.maximum(similarity, 0.9 * containment)[there[chosen]]]
        best[there[better]] = here[better]
        similarity[there[better]], containment[there[better]] = score[better], part[better]
    found = np.flatnonzero(best >= 0)
    return _Search(
        right=found,
        left=best[found],
        similarity=similarity[found],
        containment=containment[found],
        n_compared=n_compared,
    )


def _candidates(
    index: _Index, left: NDArray[np.bool_], right: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs that share enough rare phrases, a range of right texts at a time."""
    text_of = np.repeat(np.arange(len(index.rows)), np.diff(index.begins))
    rare = index.frequency[index.phrases] <= index.common
    n_rare = np.bincount(text_of[rare], minlength=len(index.rows))
    usable = rare & (index.frequency[index.phrases] > 1) & (index.n_words[text_of] >= LEAST_WORDS)
    on_left, on_right = usable & left[text_of], usable & right[text_of]
    phrases, texts = index.phrases[on_left], text_of[on_left]
    order = np.argsort(phrases, kind="stable")
    phrases, texts = phrases[order], texts[order]
    wanted, seekers = index.phrases[on_right], text_of[on_right]
    first = np.searchsorted(phrases, wanted, side="left")
    times = np.searchsorted(phrases, wanted, side="right") - first
    before = np.concatenate([[0], np.cumsum(times)])
    start = 0
    while start < len(wanted):
        stop = int(np.searchsorted(before, before[start] + _PAIRS_AT_A_TIME, side="right")) - 1
        stop = max(stop, start + 1)
        # All phrases of one text are counted together.
        while stop < len(wanted) and seekers[stop] == seekers[stop - 1]:
            stop += 1
        n = times[start:stop]
        total = int(n.sum())
        if total:
            offset = np.repeat(first[start:stop] - (np.cumsum(n) - n), n) + np.arange(total)
            joined, shared = _distinct(
                np.repeat(seekers[start:stop], n).astype(np.int64) * len(index.rows) + texts[offset]
            )
            there, here = joined // len(index.rows), joined % len(index.rows)
            kept = shared >= LEAST_SHARED * np.minimum(n_rare[here], n_rare[there])
            if kept.any():
                yield here[kept], there[kept]
        start = stop


def _similarities(
    index: _Index, here: NDArray[np.intp], there: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighed Jaccard similarity and containment of pairs of texts, by all their phrases."""
    shared = _shared(index.begins, index.phrases, index.weights, here, there)
    one, other = index.totals[here], index.totals[there]
    # Texts of boilerplate alone make no candidates, so that both sums are above 0.
    return shared / (one + other - shared), shared / np.minimum(one, other)


def _shared(
    begins: NDArray[np.intp],
    values: NDArray[np.int64],
    weights: NDArray[np.float64],
    here: NDArray[np.intp],
    there: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Weight of what two sets have in common, for pairs of texts."""
    found = np.empty(len(here))
    sizes = np.diff(begins)
    step_at = np.concatenate([[0], np.cumsum(sizes[here] + sizes[there])])
    start = 0
    while start < len(here):
        stop = max(start + 1, int(np.searchsorted(step_at, step_at[start] + 4_000_000, side="right")) - 1)
        keys = []
        for side in (here[start:stop], there[start:stop]):
            n = sizes[side]
            offset = np.repeat(begins[:-1][side] - (np.cumsum(n) - n), n) + np.arange(int(n.sum()))
            keys.append(np.repeat(np.arange(stop - start, dtype=np.int64), n) * len(weights) + values[offset])
        # Both are ascending and hold each once, so that equal ones are next to each other in the sorted whole.
        joined = np.sort(np.concatenate(keys), kind="stable")
        both = joined[1:][joined[1:] == joined[:-1]]
        found[start:stop] = np.bincount(
            both // len(weights), weights=weights[both % len(weights)], minlength=stop - start
        )
        start = stop
    return found


def _between(
    left: str,
    right: str,
    search: _Search,
    index: _Index,
    same: Duplicates,
    told: tuple[Sequence[str | None], Sequence[str], Sequence[str], Sequence[str | None] | None],
) -> NearTextsBetween:
    texts, ids, splits, labels = told
    equal = index.whole[search.left] == index.whole[search.right]
    information = _shared(index.word_begins, index.words, index.word_weights, search.left, search.right)
    n_pairs = float(same.sizes[left]) * same.sizes[right]
    telling = information >= np.log(n_pairs / CHANCE_PAIRS)
    overlap = next(item for item in same.overlaps if (item.left, item.right) == (left, right))
    origin = same.origin(overlap)
    likeness = np.maximum(search.similarity, 0.9 * search.containment)
    # A text without a candidate is as far away as it gets.
    distances = np.ones(search.n_compared - int(equal.sum()))
    distances[: int((~equal).sum())] = 1 - likeness[~equal]
    # Of many words, each its own: the tail is steep, and what they tell is looked at besides.
    gap = find_gap(distances, largest=1 - LEAST_SIMILARITY, least_gap=LEAST_GAP, most_p_value=1.0, most=1.0)
    near = ~equal & telling & (1 - likeness <= gap.threshold)
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
        gap=gap,
        n_compared=search.n_compared,
    )

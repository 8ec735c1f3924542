"""Texts as sets of words and of phrases, and how rare each is."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.progress import Progress
from dataguard.dataset.row_codes import mixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHINGLE = 3
"""Words in a phrase: one word changed in 20 leaves 15 of 18 phrases."""
COMMON, COMMON_SHARE, LEAST_COMMON = 64, 0.01, 8
"""A phrase is boilerplate, weighs nothing and makes no candidates if more than 1 % of the texts have it, or 64, and in
any case more than 8."""
_MOST_WORDS = 5_000
"""Words of a text that are looked at: longer ones are told by their beginning."""
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")


def words_of(text: str) -> list[str]:
    """The words of a text as texts are compared: NFKC, case folded, punctuation left out.

    A character of a script that is written without spaces is a word.

    >>> words_of("Don't PANIC -- it's ﬁne"), words_of("東京タワー")[:3]
    (['dont', 'panic', 'its', 'fine'], ['東', '京', 'タ'])
    """
    plain = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return _WORD.findall(plain.replace("'", "").replace("\u2019", ""))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TokenSets:
    """What every text is made of, words or phrases, as numbers, and how rare each is."""

    begins: NDArray[np.intp]
    """Where each text begins in `tokens`, and the end."""
    tokens: NDArray[np.int64]
    """Ascending within a text, each once."""
    frequency: NDArray[np.int64]
    """How many texts have each."""
    weights: NDArray[np.float64]
    """Of each: log(n / how many texts have it)."""
    totals: NDArray[np.float64]
    """Weight of each text."""
    common: int
    """What more texts have makes no candidates."""

    @classmethod
    def of(
        cls, values: NDArray[np.int64], text_of: NDArray[np.intp], n: int, n_values: int, *, boilerplate: bool
    ) -> TokenSets:
        """The sets of n texts.

        Args:
            values: From 0 to n_values, in any order within a text.
            text_of: Which text each is of, ascending.
            n: How many texts there are.
            n_values: How many values there are.
            boilerplate: Whether what is common weighs nothing.
        """
        begins, tokens = _sets(values, text_of, n, n_values)
        frequency = np.bincount(tokens, minlength=n_values)
        common = int(max(LEAST_COMMON, min(COMMON, COMMON_SHARE * n)))
        weights = np.log(n / np.maximum(frequency, 1))
        if boilerplate:
            weights[frequency > common] = 0.0
        return cls(
            begins=begins,
            tokens=tokens,
            frequency=frequency,
            weights=weights,
            totals=np.add.reduceat(weights[tokens], begins[:-1]),
            common=common,
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TextIndex:
    """The words and phrases of every text."""

    rows: NDArray[np.intp]
    """Which texts have words."""
    phrases: TokenSets
    words: TokenSets
    whole: NDArray[np.int64]
    """A number for each text that is equal where texts are word for word."""
    n_words: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str | None], progress: Progress) -> TextIndex | None:
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
            phrase = mixed(phrase, np.where(inside, following, np.uint64(0)))
        partial = np.arange(len(words)) + SHINGLE > begin[1:][text_of]
        long = length[text_of] >= SHINGLE
        kept = ~(partial & long)
        whole = _whole(words, begin)
        distinct, phrases = np.unique(phrase[kept], return_inverse=True)
        return cls(
            rows=np.array(rows, dtype=np.intp),
            phrases=TokenSets.of(phrases.astype(np.int64), text_of[kept], len(rows), len(distinct), boilerplate=True),
            words=TokenSets.of(words, text_of, len(rows), len(known), boilerplate=False),
            whole=whole,
            n_words=length.astype(np.int64),
        )


def _whole(words: NDArray[np.int64], begin: NDArray[np.intp]) -> NDArray[np.int64]:
    """A number for each text, equal where the words are the same in the same order."""
    place = np.arange(len(words)) - np.repeat(begin[:-1], np.diff(begin))
    with np.errstate(over="ignore"):
        sums = np.add.reduceat(mixed(place.astype(np.uint64) + np.uint64(1), words.astype(np.uint64)), begin[:-1])
    return np.unique(sums, return_inverse=True)[1].astype(np.int64)


def _sets(
    values: NDArray[np.int64], text_of: NDArray[np.intp], n: int, n_values: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The distinct values of each text, ascending, and where each text begins."""
    joined = distinct_of(text_of.astype(np.int64) * n_values + values)[0]
    begins = np.searchsorted(joined, np.arange(n + 1, dtype=np.int64) * n_values)
    return begins, joined % n_values


def distinct_of(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct values, ascending, and how often each occurs; several times faster than ``np.unique`` where most do."""
    ordered = np.sort(values)
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])
    return ordered[first], np.diff(np.append(first, len(ordered)))

"""Features of texts that need no download: tf-idf of words and characters, and a projection of it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.core.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

WORD_LENGTHS = (1, 2)
CHARACTER_LENGTHS = (2, 3, 4, 5)
BUCKETS = 2**18
"""Buckets that n-grams of each kind are hashed into: scikit-learn's HashingVectorizer's 2^20 where 8-byte columns
allow; at 2^18 about one n-gram in five of a 10,000-text set shares its bucket, which costs no accuracy measurably."""
MAX_CHARACTERS = 30_000_000
"""Characters read in all for the character n-grams; every text is cut to the same length where there are more. Words
are read to the end of `MAX_TEXT`."""
MAX_TEXT = 20_000
"""Characters of one text that are read: some 3,000 words, after which a class is plain or never will be."""
FOLDED = 2048
"""Width that tf-idf is folded to before the projection; keeps inner products to within about 1/√2048 = 2 %."""
COMPONENTS = 256
"""Directions kept: the 100 to 300 of latent semantic analysis (Deerwester et al. 1990)."""
FIT_TEXTS = 10_000
"""Texts that the directions are fitted to; the others are projected onto them."""
CHUNK = 1000

_WORD = re.compile(r"\w+|[^\w\s]")
_MIX = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(0x100000001B3)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TextFeatures:
    """What is known of n texts, without their labels."""

    values: NDArray[np.float32]
    """Projection of tf-idf onto its main directions, rows of length 1 (0 for an empty text); shape (n, d), read-only.
    Distances among the rows order as cosines do."""
    tfidf: csr_array
    """tf-idf of words and of word pairs and, in the second half of the columns, of characters; shape (distinct texts,
    2 · `BUCKETS`), float32, each half's rows of length 1/√2."""
    distinct: NDArray[np.intp]
    """The row of `tfidf` of each text, shape (n,), read-only. Texts alike but for case and space are one."""
    read: int
    """Characters of a text that the character n-grams are made of; those after it are not."""


def text_features(texts: Sequence[str | None], *, progress: Progress = silent) -> TextFeatures:
    """tf-idf of word 1- and 2-grams and character 2- to 5-grams, and its projection to `COMPONENTS` dimensions.

    Term frequencies are damped as 1 + log tf, document frequencies are counted over the distinct texts, and both kinds
    weigh the same (scikit-learn's TfidfVectorizer with ``sublinear_tf``). N-grams of one text only are left out: they
    tell nothing of another. The projection is latent semantic analysis: the truncated singular value decomposition of
    the tf-idf matrix (Deerwester et al. 1990, Halko et al. 2011), folded by signed hashing first (Weinberger et al.
    2009). No label is looked at. The result does not depend on the order of the texts, not even in its last bit.

    Args:
        texts: None is taken as empty.
        progress: Told of every chunk of texts.
    """
    from scipy import sparse

    plain = [normalized(text or "") for text in texts]
    digests = {text: _digest(text) for text in plain}
    # In the order of a hash: so the first ones are drawn at random, and the order of the input is forgotten.
    ordered = sorted(digests, key=digests.__getitem__)
    place = {text: row for row, text in enumerate(ordered)}
    distinct = np.array([place[text] for text in plain], dtype=np.intp)
    distinct.setflags(write=False)

    read = _cut(np.array([len(text) for text in ordered], dtype=np.int64))
    parts = [slice(start, start + CHUNK) for start in range(0, len(ordered), CHUNK)]
    halves = []
    for kind, count in (("words", _word_counts), ("characters", lambda part: _character_counts(part, read))):
        blocks = []
        for part in parts:
            progress(f"reading {kind}", part.start, len(ordered))
            blocks.append(count(ordered[part]))
        halves.append(_weighted(sparse.vstack(blocks, format="csr", dtype=np.float32) if blocks else _empty()))
    tfidf = sparse.hstack(halves, format="csr", dtype=np.float32)
    progress("projecting texts", 0, None)
    values = _unit(_projected(tfidf))[distinct]
    values.setflags(write=False)
    return TextFeatures(values=values, tfidf=tfidf, distinct=distinct, read=read)


def normalized(text: str) -> str:
    r"""The text as it is compared: compatibility forms and case folded, white space run together.

    >>> normalized("  Straße\n２ ")
    'strasse 2'
    """
    return " ".join(unicodedata.normalize("NFKC", text[:MAX_TEXT]).casefold().split())


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _cut(lengths: NDArray[np.int64]) -> int:
    """The length to cut all texts to, so that no more than `MAX_CHARACTERS` are left."""
    longest = int(lengths.max(initial=0))
    if int(lengths.sum()) <= MAX_CHARACTERS:
        return longest
    low, high = 1, longest
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if int(np.minimum(lengths, middle).sum()) <= MAX_CHARACTERS else (low, middle - 1)
    return low


def _word_counts(texts: Sequence[str]) -> csr_array:
    known: dict[str, int] = {}
    rows: list[NDArray[np.uint64]] = []
    for text in texts:
        numbers = [known.setdefault(word, len(known)) for word in _WORD.findall(text)]
        rows.append(np.array(numbers, dtype=np.uint64))
    hashes = np.array([int.from_bytes(_digest(word)[:8], "little") for word in known], dtype=np.uint64)
    return _gram_counts([hashes[row.astype(np.intp)] for row in rows], WORD_LENGTHS)


def _character_counts(texts: Sequence[str], read: int) -> csr_array:
    # Spaces at both ends, so that beginnings and ends of words look alike wherever they are.
    encoded = [f" {text[:read]} ".encode("utf-32-le", "surrogatepass") if text else b"" for text in texts]
    return _gram_counts([np.frombuffer(text, dtype="<u4").astype(np.uint64) for text in encoded], CHARACTER_LENGTHS)


def _gram_counts(rows: Sequence[NDArray[np.uint64]], lengths: Sequence[int]) -> csr_array:
    """How often each hashed n-gram occurs in each row of tokens: a rolling polynomial hash, all rows at once."""
    from scipy.sparse import coo_array

    sizes = np.array([len(row) for row in rows])
    tokens = np.concatenate([*rows, np.zeros(0, dtype=np.uint64)])
    owner = np.repeat(np.arange(len(rows), dtype=np.int32), sizes)
    left = np.repeat(np.cumsum(sizes), sizes) - np.arange(len(tokens))  # tokens from here to the row's end
    columns, owners = [], []
    rolling = np.zeros(len(tokens), dtype=np.uint64)
    for length in range(1, max(lengths) + 1):
        shifted = np.zeros_like(tokens)
        shifted[: max(len(tokens) - length + 1, 0)] = tokens[length - 1 :]
        rolling = (rolling + shifted + np.uint64(length)) * _STEP
        if length in lengths:
            whole = left >= length
            columns.append(_buckets(rolling[whole]))
            owners.append(owner[whole])
    at = np.concatenate(owners), np.concatenate(columns)
    counts = coo_array((np.ones(len(at[0]), dtype=np.float32), at), shape=(len(rows), BUCKETS)).tocsr()
    counts.sum_duplicates()
    return counts


def _buckets(hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
    mixed = hashes ^ (hashes >> np.uint64(31))
    mixed *= _MIX
    mixed ^= mixed >> np.uint64(29)
    mixed *= _MIX
    return (mixed >> np.uint64(64 - 18)).astype(np.int32)


def _weighted(counts: csr_array) -> csr_array:
    """1 + log tf, times log((1 + n)/(1 + df)) + 1, rows of length 1/√2; n-grams of one text alone are dropped."""
    n = counts.shape[0]
    frequencies = np.bincount(counts.indices, minlength=BUCKETS)
    weights = np.where(frequencies > 1, np.log((1 + n) / (1 + frequencies)) + 1, 0).astype(np.float32)
    counts.data = (1 + np.log(counts.data)) * weights[counts.indices]
    counts.eliminate_zeros()
    owner = np.repeat(np.arange(n), np.diff(counts.indptr))
    lengths = np.sqrt(2 * np.bincount(owner, counts.data.astype(np.float64) ** 2, n))
    counts.data = (counts.data / lengths[owner]).astype(np.float32)
    return counts


def _projected(tfidf: csr_array) -> NDArray[np.float32]:
    columns = np.arange(tfidf.shape[1], dtype=np.uint64)
    target = _buckets(columns * _STEP + np.uint64(1)) % FOLDED
    sign = np.where(_buckets(columns * _STEP + np.uint64(2)) & 1, 1, -1).astype(np.float32)

    def folded(part: slice) -> NDArray[np.float32]:
        rows = tfidf[part]
        owner = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        flat = np.bincount(
            owner * FOLDED + target[rows.indices], rows.data * sign[rows.indices], rows.shape[0] * FOLDED
        )
        return flat.reshape(-1, FOLDED).astype(np.float32)

    n = tfidf.shape[0]
    fitted = folded(slice(0, FIT_TEXTS))
    directions = _directions(fitted)
    blocks = [fitted @ directions]
    blocks += [folded(part) @ directions for part in _slices(FIT_TEXTS, n)]
    return np.concatenate(blocks)


def _slices(start: int, stop: int) -> Iterator[slice]:
    for begin in range(start, stop, CHUNK):
        yield slice(begin, min(begin + CHUNK, stop))


def _directions(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The main right singular vectors, shape (`FOLDED`, d), d ≤ `COMPONENTS`."""
    from sklearn.utils.extmath import randomized_svd

    components = min(COMPONENTS, *rows.shape)
    if not components:
        return np.zeros((rows.shape[1], 0), dtype=np.float32)
    _, _, right = randomized_svd(rows, components, n_iter=4, random_state=0)
    return np.ascontiguousarray(right.T, dtype=np.float32)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    lengths[lengths == 0] = 1
    scaled: NDArray[np.float32] = rows / lengths[:, None]
    return scaled


def _empty() -> Any:
    from scipy.sparse import csr_array

    return csr_array((0, BUCKETS), dtype=np.float32)

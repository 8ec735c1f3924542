"""A random part of a source, chosen by a hash of each sample's name: the same on every machine, engine and format."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

from dataguard.dataset.sources import Identity, Pictures, Reference, Source


def rank(sample_id: str, seed: int) -> str:
    """Where a sample stands in a random order: MD5, which every database has, of the seed and the name.

    >>> rank("cat/1.png", 0)
    '2241b49b374af2e16bbb45d9d3cde2e8'
    """
    return hashlib.md5(f"{seed}:{sample_id}".encode(), usedforsecurity=False).hexdigest()


class SampledSource:
    """So many samples of a source, at random, in the source's order.

    Args:
        source: All of them.
        n: How many; all where there are no more.
        seed: Of the choice.
    """

    def __init__(self, source: Source, n: int, seed: int) -> None:
        self._source, self._n, self._seed = source, n, seed
        self._last: str | None = None
        self.n_all = 0

    @property
    def kind(self) -> str:
        """Of the source."""
        return self._source.kind

    @property
    def notes(self) -> list[str]:
        """Of the source."""
        return self._source.notes

    @property
    def pictures(self) -> Pictures | None:
        """Of the source."""
        return self._source.pictures

    @property
    def root(self) -> Path:
        """Of the source."""
        return self._source.root

    def references(self) -> Iterator[Reference]:
        """Those that are chosen; the source is gone through twice the first time, and holds `n` names in memory."""
        if self._last is None:
            self._last = self._threshold()
        return (item for item in self._source.references() if rank(item.sample_id, self._seed) <= (self._last or ""))

    def identity(self) -> Identity | None:
        """Of the source, with what is chosen of it."""
        whole = self._source.identity()
        if whole is None:
            return None
        digest = blake3(f"sample {self._n} {self._seed} {whole.digest}".encode()).hexdigest()
        self.n_all = whole.n_samples or 0
        return Identity(digest=digest, n_samples=None if whole.n_samples is None else min(self._n, whole.n_samples))

    def _threshold(self) -> str:
        """The largest rank that is chosen."""
        # Negated, for the heap's first is to be the largest of those kept.
        kept: list[int] = []
        self.n_all = 0
        for item in self._source.references():
            self.n_all += 1
            value = -int(rank(item.sample_id, self._seed), 16)
            if len(kept) < self._n:
                heapq.heappush(kept, value)
            elif value > kept[0]:
                heapq.heapreplace(kept, value)
        return f"{-kept[0]:032x}" if kept else ""

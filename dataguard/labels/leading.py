"""What label noise is estimated from: each sample's likeliest class, its given label, and the likeliest other class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.labels.given import SUM_TOLERANCE
from dataguard.labels.probabilities import NEGATIVE_TOLERANCE, block_rows, map_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Leading:
    """The leading classes of n samples; all arrays have shape (n,)."""

    top: NDArray[np.int32]
    """Likeliest class."""
    given: NDArray[np.int32]
    """Class that the sample is labelled as."""
    p_top: NDArray[np.float32]
    p_given: NDArray[np.float32]
    prints: NDArray[np.uint32]
    """A number that a sample's probabilities decide, and neither the order of the samples nor the classes' names do."""
    n_classes: int

    def __len__(self) -> int:
        return len(self.top)

    def take(self, rows: NDArray[Any] | slice) -> Leading:
        """Some of the samples, by index, mask or slice."""
        return Leading(
            top=self.top[rows],
            given=self.given[rows],
            p_top=self.p_top[rows],
            p_given=self.p_given[rows],
            prints=self.prints[rows],
            n_classes=self.n_classes,
        )

    @property
    def agrees(self) -> NDArray[np.bool_]:
        """Whether the likeliest class is the given one."""
        same: NDArray[np.bool_] = self.top == self.given
        return same

    def chosen(self, among: NDArray[np.bool_], limit: int) -> tuple[NDArray[np.intp], int]:
        """About `limit` of the samples marked in `among`, and how many are marked.

        They are chosen by what they are, not by where they stand: an answer must not depend on the order of samples.
        """
        n = int(np.count_nonzero(among))
        if n > limit:
            among = among & (self.prints < np.uint32(limit / n * 2**32))
        return np.flatnonzero(among), n


def leading(
    pred_probs: NDArray[Any],
    codes: NDArray[np.int32],
    *,
    transform: Callable[[int, NDArray[Any]], NDArray[Any]] | None = None,
    jobs: int | None = None,
) -> Leading:
    """The leading classes, in one pass over the probabilities.

    Args:
        pred_probs: Shape (n, classes); see `dataguard.labels.probabilities.checked`.
        codes: Given labels as column numbers, shape (n,); a missing one, −1, is replaced by the likeliest class.
        transform: What each block of rows, given with the number of its first row, is replaced by.
        jobs: Threads; None for one a core.

    Raises:
        ValueError: a row is not a probability distribution.
    """
    n, classes = pred_probs.shape
    top = np.empty(n, dtype=np.int32)
    p_top, p_given = np.empty(n, dtype=np.float32), np.empty(n, dtype=np.float32)
    prints = np.empty(n, dtype=np.uint32)
    complete = bool(codes.min(initial=0) >= 0)
    given = codes if complete else codes.copy()
    offsets = np.arange(block_rows(pred_probs), dtype=np.intp) * classes
    sure_above = (1 + SUM_TOLERANCE + NEGATIVE_TOLERANCE * classes) / 2

    def reduce(first: int, block: NDArray[Any]) -> None:
        if transform is not None:
            block = transform(first, block)
        rows = slice(first, first + len(block))
        start = offsets[: len(block)]
        flat = block.reshape(-1)
        own = given[rows]
        beside = flat.take(start + np.maximum(own, 0))
        # What is more than the others can have together is the most; to look for it costs several times a row's sum.
        unsure = np.flatnonzero(~(beside > sure_above) | (own < 0))
        likeliest = own.astype(np.intp)
        likeliest[unsure] = block.take(unsure, axis=0).argmax(axis=1)
        top[rows] = likeliest
        if not complete:
            np.copyto(own, likeliest, where=own < 0, casting="same_kind")
            beside = flat.take(start + own)
        p_top[rows] = flat.take(start + likeliest)
        p_given[rows] = beside
        prints[rows] = _fingerprints(p_top[rows], p_given[rows])

    map_blocks(pred_probs, reduce, jobs=jobs)
    return Leading(top=top, given=given, p_top=p_top, p_given=p_given, prints=prints, n_classes=classes)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Others:
    """The likeliest class of n samples apart from the likeliest and the given one; arrays of shape (n,)."""

    place: NDArray[np.int32]
    """The class; the likeliest one again where there are no more than two classes."""
    p: NDArray[np.float32]
    """Its probability; 0 where there is none."""


def others(probs: NDArray[np.float32], leading: Leading) -> Others:
    """The runners-up.

    A classifier puts nearly all of its probability on two classes, so that these and the given label stand for the
    whole row: rates from them are within 0.9 points of those from all columns wherever both were compared at a true
    rate of 20 % or less, and cost the same for 10 classes as for 1,000.

    Args:
        probs: Probabilities of the samples, shape (n, classes); overwritten.
        leading: The same samples.
    """
    here = np.arange(len(probs))
    probs[here, leading.top] = -1
    probs[here, leading.given] = -1
    place = probs.argmax(axis=1).astype(np.int32)
    p = probs[here, place]
    none = p < 0
    return Others(place=np.where(none, leading.top, place).astype(np.int32), p=np.where(none, np.float32(0), p))


def _fingerprints(p_top: NDArray[np.float32], p_given: NDArray[np.float32]) -> NDArray[np.uint32]:
    mixed = p_top.view(np.uint32) * np.uint32(0x9E3779B1)
    mixed ^= p_given.view(np.uint32) * np.uint32(0x85EBCA77)
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(0x165667B1)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed

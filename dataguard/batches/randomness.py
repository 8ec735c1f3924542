"""Random augmentation that comes again: between workers that share a seed, or between epochs that restart it.

What can be seen depends on what is known of a sample:

- A *residue* is what augmentation did to a sample, whatever the sample: the parameters drawn, where they are known; a
  hash of output − source (additive noise); or output moments over those of the source (brightness, contrast). Workers
  that share a seed have equal residues at equal *slots*: the k-th sample that each of them makes.
- Hashes of augmented samples with their ids: a sample augmented alike in two epochs has the same hash. Randomness that
  restarts with every epoch shows so only where the sample also stands at the same slot again.
- Moments alone do not show flips, rotations and crops, which leave them nearly as they are; hashes alone do not show
  shared randomness on different samples. A slot needs the worker of each batch: a loader hands batches to workers in
  turn, so that batch i is of worker i mod W where every worker keeps up (torch keeps that order).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dataguard.batches.composition import batch_index
from dataguard.batches.matches import agreement
from dataguard.batches.significance import OrderTest, bonferroni, decide, normal_tail, shuffles
from dataguard.core.finding import Inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRUSTED_LENGTH = 100
"""Pairs from which the normal tail of a rank correlation needs no permutations."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Slots:
    """Who made each sample, and as its how-manieth."""

    workers: NDArray[np.int64]
    """Shape (n,), read-only."""
    slots: NDArray[np.int64]
    """Shape (n,), from 0 for each worker, read-only."""


def worker_slots(batch_sizes: NDArray[np.integer], workers: int) -> Slots:
    """Worker and slot of each sample of one epoch, for a loader that hands out batches in turn.

    Args:
        batch_sizes: Shape (batches,).
        workers: At least 1.

    Raises:
        ValueError: fewer than one worker.

    Example:
        >>> made = worker_slots(np.array([2, 2, 2, 1]), 2)
        >>> made.workers.tolist(), made.slots.tolist()
        ([0, 0, 1, 1, 0, 0, 1], [0, 1, 0, 1, 2, 3, 2])
    """
    if workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    sizes = np.asarray(batch_sizes)
    batch = batch_index(sizes, int(sizes.sum()))
    of = batch % workers
    slots = np.empty(len(of), dtype=np.int64)
    for worker in range(workers):
        mine = of == worker
        slots[mine] = np.arange(int(mine.sum()))
    of.flags.writeable = slots.flags.writeable = False
    return Slots(workers=of, slots=slots)


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedRandomness:
    """The two streams of randomness that are most alike."""

    between: tuple[int, int]
    """Numbers of the two workers, or epochs."""
    pairs: int
    """How many pairs of streams were compared; the p-value is corrected for them."""
    test: OrderTest


def shared_randomness(
    residues: NDArray[np.generic], streams: NDArray[np.integer], slots: NDArray[np.integer], *, seed: int = 0
) -> SharedRandomness | Inconclusive:
    """Whether two workers, or two epochs, drew the same randomness.

    Residues of two streams are paired slot by slot. Integers, texts and bytes (hashes, parameters) are counted where
    equal (`matches.agreement`); the commonest residue, as that of an augmentation that did nothing, is allowed for by
    the counts. Floats are compared by Spearman's rank correlation. Independent streams agree as if one were shuffled.

    Args:
        residues: What augmentation did, shape (n,): floats, or anything that can be equal.
        streams: The worker or the epoch of each sample, shape (n,).
        slots: The place of each sample in its stream, shape (n,); no place twice in a stream.
        seed: Seed of permutations.

    Returns:
        Inconclusive where no two streams share ten slots, or all residues are the same.

    Raises:
        ValueError: the lengths differ, or a slot occurs twice.

    Example:
        >>> draws = np.random.default_rng(0).integers(0, 2**32, 64)
        >>> found = shared_randomness(np.tile(draws, 2), np.repeat([0, 1], 64), np.tile(np.arange(64), 2))
        >>> found.between, int(found.test.statistic), found.test.p_value < 1e-50
        ((0, 1), 64, True)
    """
    residues, streams, slots = np.asarray(residues), np.asarray(streams), np.asarray(slots)
    if not len(residues) == len(streams) == len(slots):
        raise ValueError(f"residues, streams, slots: lengths {len(residues)}, {len(streams)}, {len(slots)} differ")
    parts = {}
    for stream in np.unique(streams).tolist():
        mine = streams == stream
        places, first = np.unique(slots[mine], return_index=True)
        if len(places) < int(mine.sum()):
            raise ValueError(f"slots: a place occurs twice in stream {stream}")
        parts[stream] = (places, residues[mine][first])
    numbers = list(parts)
    best: tuple[tuple[int, int], OrderTest] | None = None
    pairs = 0
    for at, one in enumerate(numbers):
        for other in numbers[at + 1 :]:
            _, left, right = np.intersect1d(parts[one][0], parts[other][0], assume_unique=True, return_indices=True)
            if len(left) < 10:
                continue
            test = _alike(parts[one][1][left], parts[other][1][right], seed)
            if isinstance(test, Inconclusive):
                continue
            pairs += 1
            if best is None or test.p_value < best[1].p_value:
                best = ((one, other), test)
    if best is None:
        return Inconclusive(reason="no two workers or epochs have ten augmented samples at the same places")
    from dataclasses import replace

    test = replace(best[1], p_value=bonferroni(best[1].p_value, pairs))
    return SharedRandomness(between=best[0], pairs=pairs, test=test)


def _alike(left: NDArray[np.generic], right: NDArray[np.generic], seed: int) -> OrderTest | Inconclusive:
    name = "randomness shared slot by slot"
    if left.dtype.kind != "f" and right.dtype.kind != "f":
        return agreement(left, right, name=name, what="samples were augmented alike at the same place")
    good = np.isfinite(left) & np.isfinite(right)
    if int(good.sum()) < 10 or np.ptp(left[good]) == 0 or np.ptp(right[good]) == 0:
        return Inconclusive(reason="the residues do not vary")
    from scipy.stats import rankdata

    a, b = rankdata(left[good]), rankdata(right[good])
    a, b = a - a.mean(), b - b.mean()
    norm = math.sqrt(float(a @ a) * float(b @ b))
    n = len(a)
    observed = float(a @ b) / norm
    order = np.arange(n, dtype=np.int32)
    found = decide(
        observed,
        tail="upper",
        asymptotic=normal_tail(observed * math.sqrt(n - 1)),
        trusted=n >= TRUSTED_LENGTH,
        simulate=lambda rng, m: np.asarray(b[shuffles(rng, order, m)] @ a / norm),
        draws=n,
        seed=seed,
    )
    return found.order_test(
        name=name,
        statistic=observed,
        expected=0.0,
        deviation=1 / math.sqrt(n - 1),
        tail="upper",
        n=n,
        effect=f"what augmentation did at the same place has rank correlation {observed:.3f}, 0 if independent",
    )


AugmentationKind = Literal["none", "fixed per sample", "restarted each epoch", "random"]
"""Hashes equal whatever the epoch and place; the same; equal at the same place alone; neither."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochRandomness:
    """Hashes of the same samples in two epochs."""

    compared: int
    """Samples that occur once in both epochs."""
    equal: int
    """Of these, how many have the same hash."""
    at_same_place: int
    """How many stand at the same place in both."""
    equal_at_same_place: int
    """Of these, how many have the same hash."""
    p_value: float
    """Chance that equal hashes gather so at the same place if the place did not matter (Fisher's exact test); 1 where
    all or none are equal, or the order was not reshuffled, so that all stand at the same place."""


def epoch_randomness(
    first_ids: NDArray[np.generic],
    first_hashes: NDArray[np.generic],
    second_ids: NDArray[np.generic],
    second_hashes: NDArray[np.generic],
) -> EpochRandomness | Inconclusive:
    """Whether samples come out of augmentation alike in two epochs, and whether that hangs on their place.

    Equal hashes of all samples mean no augmentation, or one that is fixed; the source tells which. With reshuffled
    order, equal hashes at equal places alone mean a generator that restarts each epoch.

    Args:
        first_ids: Ids of one epoch in order, shape (n,).
        first_hashes: Content hashes of the same samples.
        second_ids: Ids of another epoch, shape (m,).
        second_hashes: Their hashes.

    Returns:
        Inconclusive where fewer than two samples occur once in both.

    Raises:
        ValueError: lengths differ.
    """
    if len(first_ids) != len(first_hashes) or len(second_ids) != len(second_hashes):
        raise ValueError("ids and hashes: expected one hash a sample")
    ones, first_at, first_count = np.unique(first_ids, return_index=True, return_counts=True)
    others, second_at, second_count = np.unique(second_ids, return_index=True, return_counts=True)
    _, left, right = np.intersect1d(
        ones[first_count == 1], others[second_count == 1], assume_unique=True, return_indices=True
    )
    a, b = first_at[first_count == 1][left], second_at[second_count == 1][right]
    if len(a) < 2:
        return Inconclusive(reason=f"{len(a)} samples occur once in both epochs")
    same = np.asarray(first_hashes)[a] == np.asarray(second_hashes)[b]
    here = a == b
    n, equal, placed, both = len(a), int(same.sum()), int(here.sum()), int((same & here).sum())
    p = 1.0
    if 0 < equal < n and 0 < placed < n:
        from scipy.stats import hypergeom

        p = float(hypergeom.sf(both - 1, n, equal, placed))
    return EpochRandomness(compared=n, equal=equal, at_same_place=placed, equal_at_same_place=both, p_value=p)

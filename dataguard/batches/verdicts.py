"""What the guard decides: which batches show a fault, from what was seen of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.batches import measure
from dataguard.batches.content import Leaf
from dataguard.batches.facts import innermost_sampler, length, source_labels, unwrapped
from dataguard.batches.faults import Fault
from dataguard.batches.kinds import LabelKind, LoaderFacts
from dataguard.batches.noted import NotedBatch, NotedEpoch, Seen, class_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

FALSE_ALARMS = 1e-3
"""The most that a check may expect to cry wolf in an epoch of a loader that has no fault."""
FULL_LOOKS = 3
"""How many batches of an epoch may be looked at in full to confirm what pieces of them suggest."""


class Judge:
    """Finds faults in the batches of a loader.

    Args:
        faults: Where to put them.
        source_counts: Samples of each class in the dataset, where they are known and all drawn alike.
    """

    def __init__(self, faults: list[Fault], source_counts: Mapping[Any, int] | None) -> None:
        self.faults = faults
        self.wants_full_look = False
        """Whether the next batch should be looked at in full."""
        self._source_counts = source_counts

    def judge(self, epoch: NotedEpoch, batches: list[NotedBatch], seen: Seen) -> None:
        """Look for faults in batches of one size."""
        moments, n = seen.moments, seen.n
        if moments.n_nan.any() or moments.n_inf.any():
            for noted in batches:
                one = seen.of(noted).moments
                self._non_finite(epoch, noted, one.n_nan, one.n_inf)
        constant = moments.minimum == moments.maximum
        if constant.any() and constant.reshape(-1, n).all(axis=1).any() and "DG208" not in epoch.reported:
            # Pieces may all lie in the background: the next batch is looked at in full before anything is said.
            self.wants_full_look = epoch.looks < FULL_LOOKS
        table = seen.hashes.reshape(-1, n)
        for noted in batches:
            other = epoch.digests.setdefault(table[noted.place].tobytes(), noted.number)
            if other != noted.number and "DG203" not in epoch.reported and n:
                self._repeated(epoch, noted, other)
        self.judge_labels(epoch, batches)

    def look(self, epoch: NotedEpoch, noted: NotedBatch, leaves: Sequence[Leaf]) -> None:
        """Look at every value of a batch."""
        self.wants_full_look = False
        epoch.looks += 1
        moments = measure.moments(leaves, noted.n)
        self._non_finite(epoch, noted, moments.n_nan, moments.n_inf)
        several = noted.n > 0 and math.prod(noted.kinds[0].shape) > 1
        if several and (moments.minimum == moments.maximum).all():
            self._add(
                epoch,
                noted.number,
                "DG208",
                "constant-input",
                f"all values of each of its {noted.n} samples are the same ({moments.minimum[0]:g} in the first)",
                "look at what the loader does to a sample: a mask, a scale or a crop may leave nothing of it",
            )

    def judge_labels(self, epoch: NotedEpoch, batches: list[NotedBatch]) -> None:
        """Look for batches with one label only."""
        first = batches[0].labels
        if isinstance(first, np.ndarray) and all(
            isinstance(noted.labels, np.ndarray) and noted.labels.shape == first.shape for noted in batches
        ):
            if first.ndim != 1 or len(first) < 2:
                return
            table = np.array([noted.labels for noted in batches])
            alike = np.equal(table, table[:, :1]).all(axis=1)
            single = [batches[place] for place in np.flatnonzero(alike)] if alike.any() else []
        else:
            single = [noted for noted in batches if _one_label(class_values(noted.labels))]
        for noted in single:
            values = class_values(noted.labels)
            if values is None or len(values) < 2:
                continue
            epoch.single += 1
            # At 1, 2, 4, 8, …, so that skewed data costs little; each look has half the error of the one before.
            if epoch.single & (epoch.single - 1) == 0:
                self._single_label(epoch, noted, values[0])

    def _single_label(self, epoch: NotedEpoch, noted: NotedBatch, value: Any) -> None:
        epoch.count()
        counts = list((self._source_counts or epoch.counts).values())
        bound = single_label_bound(counts, epoch.sizes, epoch.single)
        if bound < FALSE_ALARMS / (2 * epoch.single):
            name = str(value.item() if isinstance(value, np.generic) else value)
            self._add(
                epoch,
                noted.number,
                "DG202",
                "single-label-batch",
                f"all {noted.n} samples have the label {name!r}; {epoch.single} such of {sum(epoch.sizes.values())} "
                f"batches, by chance with p < {max(bound, 1e-300):.1g}",
                "shuffle the dataset, or the buffer it is read through, before it is cut into batches",
            )

    def _repeated(self, epoch: NotedEpoch, noted: NotedBatch, other: int) -> None:
        """Say that a batch came before, unless samples look alike so often that this happens by chance."""
        hashes = [batch.seen.of(batch).hashes for batch in epoch.batches if batch.seen is not None]
        _, times = np.unique(np.concatenate(hashes), return_counts=True)
        alike = float(np.sum((times / times.sum()) ** 2))
        pairs = len(hashes) * (len(hashes) - 1) / 2
        if pairs * alike**noted.n < FALSE_ALARMS:
            self._add(
                epoch,
                noted.number,
                "DG203",
                "repeated-batch",
                f"the same {noted.n} samples in the same order as batch {other}",
                "look for an iterator that is made anew for every batch, or a buffer that is reused",
            )

    def _non_finite(
        self, epoch: NotedEpoch, noted: NotedBatch, n_nan: NDArray[np.int64], n_inf: NDArray[np.int64]
    ) -> None:
        bad = int(np.sum((n_nan > 0) | (n_inf > 0)))
        if bad:
            what = " and ".join(word for word, counts in (("NaN", n_nan), ("infinity", n_inf)) if counts.any())
            self._add(
                epoch,
                noted.number,
                "DG207",
                "non-finite-input",
                f"{bad} of {noted.n} samples hold {what}",
                "find where it comes from before training on: one such batch ruins the weights",
            )

    def _add(self, epoch: NotedEpoch, batch: int, code: str, name: str, message: str, remedy: str) -> None:
        if code not in epoch.reported:
            epoch.reported.add(code)
            self.faults.append(
                Fault(code=code, name=name, epoch=epoch.number, batch=batch, message=message, remedy=remedy)
            )


def single_label_bound(counts: Sequence[int], sizes: Mapping[int, int], seen: int) -> float:
    """The most probable it can be that so many batches or more have one label only, if samples are shuffled.

    λ = Σ over sizes B of M_B·Σ_k C(n_k, B) / C(N, B) such batches are expected; their number is near Poisson, whose
    upper tail is at most exp(s − λ)·(λ/s)^s (Chernoff).

    >>> single_label_bound([500, 500], {32: 31}, 1) < 1e-6
    True
    >>> single_label_bound([9900, 100], {8: 1250}, 1100)
    1.0

    Args:
        counts: Samples of each class, n_k.
        sizes: How many batches M_B of each size B there were.
        seen: How many of them had one label only.
    """
    total = sum(counts)
    expected = 0.0
    for size, batches in sizes.items():
        if size > total:
            return 1.0
        whole = _log_falling(total, size)
        expected += batches * sum(math.exp(_log_falling(n, size) - whole) for n in counts if n >= size)
    if expected >= seen:
        return 1.0
    if expected == 0.0:
        return 0.0
    return math.exp(seen - expected - seen * math.log(seen / expected))


def _log_falling(n: int, size: int) -> float:
    """The logarithm of n·(n − 1)·…·(n − size + 1)."""
    return math.lgamma(n + 1) - math.lgamma(n - size + 1)


def drawn_counts(loader: Any, facts: LoaderFacts) -> dict[Any, int] | None:
    """How many samples of each class the dataset has; None where the sampler does not draw all of them alike."""
    if facts.sampler_weights or facts.replacement or facts.batch_sampler is not None:
        return None
    sampler = innermost_sampler(unwrapped(loader))
    if length(sampler) != facts.declared_samples and facts.distributed_replicas is None:
        return None
    found = source_labels(loader)
    if found is None or found[0] is LabelKind.MULTI_LABEL:
        return None
    return dict(Counter(found[1].tolist() if isinstance(found[1], np.ndarray) else found[1]))


def _one_label(values: NDArray[Any] | list[Any] | None) -> bool:
    return values is not None and len(set(values.tolist() if isinstance(values, np.ndarray) else values)) == 1

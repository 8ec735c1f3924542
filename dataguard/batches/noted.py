"""What the guard keeps of the batches that have gone by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dataguard.batches.builder import Measured
from dataguard.batches.kinds import ArrayKind, Ending, LabelKind
from dataguard.batches.labels_seen import classify
from dataguard.batches.measure import Moments
from dataguard.batches.values import as_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOMENTS = ("minimum", "maximum", "mean", "std", "n_nan", "n_inf")


@dataclass(slots=True, eq=False)
class NotedBatch:
    """What was noted of one batch."""

    number: int
    n: int
    seconds: float
    kinds: Sequence[ArrayKind]
    labels: Any
    n_labels: int
    ids: list[str] | None
    drawn: Any
    """What the sampler drew for it."""
    label_kind: LabelKind | None = None
    """Where ``labels`` are no longer as they came."""
    seen: Seen | None = None
    place: int = 0
    """Which of the batches in ``seen`` it is."""
    passed_over: bool = False
    """Whether its inputs are not looked at."""

    def measured(self, epoch: int) -> Measured | None:
        """What was seen of it; None for nothing.

        Samples that were passed over have no moments, and hashes that are like no other's: so have augmented samples.

        Args:
            epoch: Its epoch.
        """
        if self.seen is not None:
            return self.seen.of(self)
        if not self.passed_over:
            return None
        nothing, zeros = np.full(self.n, np.nan), np.zeros(self.n, dtype=np.int64)
        return Measured(
            hashes=np.random.default_rng((epoch, self.number)).integers(0, 2**64, self.n, dtype=np.uint64),
            moments=Moments(minimum=nothing, maximum=nothing, mean=nothing, std=nothing, n_nan=zeros, n_inf=zeros),
            kinds=self.kinds,
        )


@dataclass(slots=True, eq=False)
class Seen:
    """What was seen of several batches of n samples each, in one piece, because taking it apart costs time."""

    n: int
    hashes: NDArray[np.uint64]
    moments: Moments

    def of(self, batch: NotedBatch) -> Measured:
        """What was seen of one batch."""
        part = slice(batch.place * self.n, (batch.place + 1) * self.n)
        columns = {name: getattr(self.moments, name)[part] for name in _MOMENTS}
        return Measured(hashes=self.hashes[part], moments=Moments(**columns), kinds=batch.kinds)


@dataclass(slots=True, eq=False)
class NotedEpoch:
    """What was noted of one epoch."""

    number: int
    sampler_epoch: int | None
    batches: list[NotedBatch] = field(default_factory=list)
    digests: dict[bytes, int] = field(default_factory=dict)
    """The hashes of whole batches, with their numbers."""
    counts: Counter[Any] = field(default_factory=Counter)
    """How often each label came, in the batches that have been counted."""
    sizes: Counter[int] = field(default_factory=Counter)
    """How many labelled batches of each size came, likewise."""
    counted: int = 0
    reported: set[str] = field(default_factory=set)
    """Codes of the faults that have been found; each is said once an epoch."""
    looks: int = 0
    """Batches that were looked at in full to confirm what a piece of them suggested."""
    single: int = 0
    """Batches with one label only."""
    ending: Ending = Ending.ABANDONED
    detail: str = ""

    def count(self) -> None:
        """Count the labels of the batches that have come since the last time."""
        for noted in self.batches[self.counted :]:
            values = class_values(noted.labels)
            if values is not None:
                self.counts.update(values.tolist() if isinstance(values, np.ndarray) else values)
                self.sizes[len(values)] += 1
        self.counted = len(self.batches)


def kept_labels(labels: Any) -> tuple[LabelKind | None, Any]:
    """A copy of labels that is small enough to keep, and what they are where that is no longer to be seen."""
    if labels is None or isinstance(labels, list | tuple):
        return None, None if labels is None else list(labels)
    array = as_array(labels)
    if array is None:
        return None, None
    if array.ndim == 1 and array.dtype.kind in "biuf":
        return None, array.copy()
    return classify(array)


def class_values(labels: Any) -> NDArray[Any] | list[Any] | None:
    """Labels whose equality means one class; None for continuous ones."""
    if isinstance(labels, np.ndarray):
        if labels.dtype.kind == "f" and not (labels == np.rint(labels)).all():
            return None
        return labels if labels.ndim == 1 and len(labels) else None
    if isinstance(labels, list) and labels and all(isinstance(item, str | bytes | int | tuple) for item in labels):
        return labels
    return None

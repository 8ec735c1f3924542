"""What an order strip says: which class leads each batch, and where one class runs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dataguard.core.exhibit import OrderStrip


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Batches one after another that hold one class and nothing else."""

    start: int
    """The first of them, from 0."""
    length: int
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Neighbouring batches that share one column for want of room."""

    leader: int | None
    """The most frequent class; None where there is no sample."""
    share: float
    """Its share of the samples."""


def counts(column: Sequence[int], n_classes: int) -> list[int]:
    """A batch's counts, one a class: what is missing or negative is 0."""
    padded = [max(0, number) for number in column[:n_classes]]
    return padded + [0] * (n_classes - len(padded))


def totals(shown: OrderStrip) -> list[int]:
    """How many samples of each class there are in all."""
    sums = [0] * len(shown.classes)
    for column in shown.columns:
        for index, number in enumerate(counts(column, len(sums))):
            sums[index] += number
    return sums


def single_class(shown: OrderStrip) -> list[int | None]:
    """The only class of each batch; None for a batch of several, or of none."""
    found: list[int | None] = []
    for column in shown.columns:
        held = [index for index, number in enumerate(counts(column, len(shown.classes))) if number]
        found.append(held[0] if len(held) == 1 else None)
    return found


def longest_run(shown: OrderStrip) -> Run | None:
    """The longest stretch of batches of one class, the first of equally long ones; None where no batch has just one."""
    best: Run | None = None
    start, before = 0, None
    for place, only in enumerate(single_class(shown)):
        if only != before:
            start, before = place, only
        if only is not None and (best is None or place - start + 1 > best.length):
            best = Run(start=start, length=place - start + 1, label=shown.classes[only])
    return best


def grouped(shown: OrderStrip, most: int) -> list[Group]:
    """At most `most` columns: where there are more batches, neighbours are added up."""
    n = len(shown.columns)
    n_groups = min(n, most)
    groups = []
    for index in range(n_groups):
        sums = [0] * len(shown.classes)
        for column in shown.columns[index * n // n_groups : (index + 1) * n // n_groups]:
            for place, number in enumerate(counts(column, len(sums))):
                sums[place] += number
        whole = sum(sums)
        leader = sums.index(max(sums)) if whole else None
        groups.append(Group(leader=leader, share=max(sums) / whole if whole else 0.0))
    return groups

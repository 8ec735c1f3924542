"""How many samples of each class each split holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.split_roles import is_training as is_training
from dataguard.core.split_roles import split_order as split_order
from dataguard.dataset.table import SampleTable, fetch_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ClassCounts:
    """Samples by split and class."""

    splits: tuple[str, ...]
    """Ordered by `split_order`; '' stands for samples without a split."""
    classes: tuple[str, ...]
    """Ascending."""
    counts: NDArray[np.int64]
    """Shape (splits, classes), read-only."""
    unlabelled: NDArray[np.int64]
    """Samples without a label, shape (splits,), read-only."""

    @classmethod
    def from_mapping(
        cls, counts: Mapping[str, Mapping[str, int]], unlabelled: Mapping[str, int] | None = None
    ) -> ClassCounts:
        """Counts from ``{split: {class: n}}``.

        >>> ClassCounts.from_mapping({"train": {"cat": 2, "dog": 1}}).counts.tolist()
        [[2, 1]]
        """
        unlabelled = unlabelled or {}
        splits = tuple(sorted({*counts, *unlabelled}, key=split_order))
        classes = tuple(sorted({name for row in counts.values() for name in row}))
        matrix = np.array(
            [[counts.get(split, {}).get(name, 0) for name in classes] for split in splits], dtype=np.int64
        ).reshape(len(splits), len(classes))
        missing = np.array([unlabelled.get(split, 0) for split in splits], dtype=np.int64)
        matrix.setflags(write=False)
        missing.setflags(write=False)
        return cls(splits=splits, classes=classes, counts=matrix, unlabelled=missing)

    @classmethod
    def from_table(cls, table: SampleTable) -> ClassCounts:
        """Counts over all samples of a table, those that cannot be decoded included."""
        import narwhals.stable.v2 as nw

        grouped = table.frame.group_by("split", "label").agg(n=nw.len())
        counts: dict[str, dict[str, int]] = {}
        unlabelled: dict[str, int] = {}
        for split, label, n in fetch_rows(grouped):
            name = "" if split is None else str(split)
            if label is None:
                unlabelled[name] = int(n)
            else:
                counts.setdefault(name, {})[str(label)] = int(n)
        return cls.from_mapping(counts, unlabelled)

    @property
    def training(self) -> NDArray[np.int64]:
        """Counts by class over the splits that are trained on, shape (classes,).

        Where no split has a training name, all splits count.
        """
        rows = [index for index, split in enumerate(self.splits) if is_training(split)]
        chosen = self.counts[rows] if rows else self.counts
        total: NDArray[np.int64] = chosen.sum(axis=0)
        return total

    @property
    def n_labelled(self) -> int:
        """How many samples have a label."""
        return int(self.counts.sum())

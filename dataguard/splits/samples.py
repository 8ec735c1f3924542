"""What leakage between splits is judged by: every sample with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataguard.core.split_roles import is_training, split_order

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MOST_SAMPLES = 200_000
"""Of more samples a seeded random part is looked at: rates among them are known to 0.11 points (0.5/√n)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SplitSamples:
    """Samples in the order of their source: a table's rows, or a folder's sorted ids.

    Arrays are read-only and, like the tuples, have one entry a sample.
    """

    sample_ids: tuple[str, ...]
    splits: tuple[str, ...]
    """'' where a sample is in none."""
    positions: NDArray[np.int64]
    """Place of each in the source's order, from 0, ascending; with gaps where only a part was taken."""
    n_total: int
    """Samples that the source has; more than there are here where a part was taken."""
    kind: Literal["image", "table", "text", "given", ""]
    """What `features` were made of; '' where there are none."""
    paths: tuple[str | None, ...]
    contents: tuple[str | None, ...]
    """Hash of each sample's content; equal where contents are."""
    labels: NDArray[np.object_] | None = None
    """Class names, None for a sample without; None as a whole where there are no classes."""
    targets: NDArray[np.float64] | None = None
    """Of a regression, NaN for none; None as a whole where it is none."""
    groups: tuple[str | None, ...] = ()
    """What must not straddle splits, as the user named it; empty where nothing was named."""
    times: NDArray[np.datetime64] | None = None
    """When each was recorded, datetime64[us], NaT for unknown; None as a whole where nothing was named."""
    features: NDArray[np.float32] | None = None
    """Shape (n, d), finite: what a model-free classifier sees of a sample."""
    feature_names: tuple[str, ...] = ()
    """What each of the d columns holds; empty where they have no names."""
    columns: pd.DataFrame | None = None
    """The columns of a table as they are, label, split and all."""
    feature_columns: tuple[str, ...] = ()
    """Those of `columns` that are nothing else: neither label, split, group, time, id nor image."""
    facts: Mapping[str, NDArray[np.float64]] | None = None
    """``bytes``, ``width``, ``height`` of the files, NaN for unknown; None where samples are rows."""

    def __len__(self) -> int:
        return len(self.sample_ids)

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits that there are, training first."""
        return tuple(sorted(set(self.splits), key=split_order))

    @property
    def evaluation_splits(self) -> tuple[str, ...]:
        """The splits that are not trained on."""
        return tuple(name for name in self.split_names if not is_training(name))

    @property
    def target(self) -> NDArray[np.object_] | NDArray[np.float64] | None:
        """What is to be predicted: class names, or the numbers of a regression; None where there are neither."""
        return self.targets if self.labels is None else self.labels

    def within(self, split: str) -> NDArray[np.bool_]:
        """Which samples are in a split; shape (n,)."""
        return np.array([name == split for name in self.splits], dtype=np.bool_)

    @property
    def in_training(self) -> NDArray[np.bool_]:
        """Which samples are trained on; shape (n,)."""
        training = {name for name in self.split_names if is_training(name)}
        return np.array([name in training for name in self.splits], dtype=np.bool_)

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> SplitSamples:
        """Some of the samples; `rows` are indexes, ascending."""
        chosen = np.asarray(rows, dtype=np.intp)
        changes: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in ("feature_names", "feature_columns", "kind", "n_total") or value is None:
                continue
            if isinstance(value, np.ndarray):
                taken = value[chosen]
                taken.setflags(write=False)
                changes[item.name] = taken
            elif isinstance(value, tuple):
                changes[item.name] = tuple(value[row] for row in chosen.tolist()) if value else ()
            elif isinstance(value, Mapping):
                changes[item.name] = {name: array[chosen] for name, array in value.items()}
            else:
                changes[item.name] = value.iloc[chosen].reset_index(drop=True)
        return replace(self, **changes)

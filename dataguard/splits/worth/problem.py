"""What a cheap model learns from and is scored on, within bounds of size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows: TypeAlias = NDArray[np.intp]
    Fit: TypeAlias = tuple[Rows, Rows]


Task: TypeAlias = Literal["classification", "regression"]
Model: TypeAlias = Literal["boosted trees", "extra trees", "nearest neighbours"]

MAX_TRAINING = 20_000
"""Training rows that a model sees at most; more are drawn from, seeded. A fit then takes seconds."""
MAX_EVALUATION = 5_000
"""Evaluation rows scored at most: the standard error of a share is then below 0.7 percentage points."""
MAX_CLASSES = 100
"""Trees cost time and memory for each class; above, nearest neighbours predict."""
WIDE = 64
"""More columns than this are judged by neighbours where samples leak, and by components where columns do."""

MIN_TRAINING = 20
MIN_EVALUATION = 10
"""With fewer rows the interval around any difference covers most of the scale."""
MIN_PER_CLASS = 2
"""Training rows a class needs for its evaluation rows to be scored."""

FOLDS = 5

LARGE = np.float32(1e30)
"""What larger features are clipped to, so that sums of their squares stay finite."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Problem:
    """Features and targets in the form that the models take."""

    features: NDArray[np.float32]
    values: NDArray[np.float64]
    """Class codes from 0, or the target; NaN where there is none."""
    n_classes: int
    """0 for a regression."""
    clusters: NDArray[np.intp]
    """Number of each sample's group, its own where none were given."""
    grouped: bool
    """Whether groups were given."""

    @classmethod
    def of(
        cls,
        features: NDArray[np.float32],
        target: NDArray[np.generic],
        groups: Sequence[str | None] | None,
        task: Task | None,
    ) -> Problem:
        """Features of shape (n, d), n class names or codes (None or NaN for none) or numbers, and n groups.

        Raises:
            ValueError: shapes do not fit.
        """
        features = np.asarray(features, dtype=np.float32)
        target = np.asarray(target)
        if features.ndim != 2 or len(features) != len(target):
            raise ValueError(f"features {features.shape} and target {target.shape} do not fit: n rows each are needed")
        if groups is not None and len(groups) != len(target):
            raise ValueError(f"{len(groups)} groups for {len(target)} samples")
        task = task or ("regression" if target.dtype.kind == "f" else "classification")
        if task == "regression":
            values, n_classes = target.astype(np.float64), 0
            values[~np.isfinite(values)] = np.nan
        else:
            values, n_classes = _codes(target)
        return cls(
            features=np.clip(features, -LARGE, LARGE),
            values=values,
            n_classes=n_classes,
            clusters=np.arange(len(target)) if groups is None else numbered(groups),
            grouped=groups is not None,
        )

    @property
    def n(self) -> int:
        """Samples."""
        return len(self.values)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which samples have a label or target, shape (n,)."""
        return ~np.isnan(self.values)

    @property
    def rememberer(self) -> Model:
        """A model that gains by having seen a copy, as large networks do: fully grown trees, or neighbours."""
        return "extra trees" if self.features.shape[1] <= WIDE else "nearest neighbours"

    def chosen(self, model: Model) -> Model:
        """What learns: the model that is asked for, or neighbours where there are too many classes for trees."""
        return "nearest neighbours" if self.n_classes > MAX_CLASSES else model

    def refusal(self, fits: Sequence[Fit]) -> str:
        """Why nothing can be measured; '' where it can."""
        if self.features.shape[1] == 0:
            return "there are no features to learn from"
        scored = np.concatenate([fit[1] for fit in fits])
        for learnt, _ in fits:
            if len(learnt) < MIN_TRAINING:
                return f"{len(learnt)} training samples are too few (at least {MIN_TRAINING})"
        if len(scored) < MIN_EVALUATION:
            return f"{len(scored)} evaluation samples are too few (at least {MIN_EVALUATION})"
        if self.n_classes:
            learnable = self._learnable(fits)
            present = np.flatnonzero(learnable & (np.bincount(self._of(scored), minlength=self.n_classes) > 0))
            if len(present) < 2:
                return "fewer than 2 classes are in training and evaluation both"
            n_kept = int(np.isin(self._of(scored), present).sum())
            if n_kept < MIN_EVALUATION:
                return f"{n_kept} evaluation samples of known classes are too few (at least {MIN_EVALUATION})"
        elif min(np.ptp(self.values[scored]), *(np.ptp(self.values[fit[0]]) for fit in fits)) == 0:
            return "the target is constant"
        return ""

    def kept(self, fits: Sequence[Fit], others: Sequence[Fit]) -> list[Fit]:
        """The fits without evaluation samples of classes that not every model of both has learnt."""
        if not self.n_classes:
            return list(fits)
        learnable = self._learnable([*fits, *others])
        return [(learnt, scored[learnable[self._of(scored)]]) for learnt, scored in fits]

    def _learnable(self, fits: Sequence[Fit]) -> NDArray[np.bool_]:
        counts = [np.bincount(self._of(fit[0]), minlength=self.n_classes) for fit in fits]
        learnable: NDArray[np.bool_] = np.min(counts, axis=0) >= MIN_PER_CLASS
        return learnable

    def _of(self, rows: Rows) -> NDArray[np.intp]:
        return self.values[rows].astype(np.intp)


def _codes(target: NDArray[np.generic]) -> tuple[NDArray[np.float64], int]:
    """Class numbers from 0 with NaN for none, and how many classes there are."""
    import pandas as pd

    if target.dtype.kind == "O":
        target = np.array(
            [None if item is None or item != item else str(item) for item in target.tolist()], dtype=object
        )
    codes, names = pd.factorize(target, sort=True)
    values = codes.astype(np.float64)
    values[codes < 0] = np.nan
    return values, max(1, len(names))


def numbered(groups: Sequence[str | None]) -> NDArray[np.intp]:
    """Group numbers from 0; a sample without a group is one of its own."""
    numbers: dict[object, int] = {}
    made = [numbers.setdefault((row,) if name is None else name, len(numbers)) for row, name in enumerate(groups)]
    return np.array(made, dtype=np.intp)


def same_length(n: int, *masks: NDArray[np.bool_] | None) -> None:
    """Raise ValueError where marks are not one a sample."""
    for mask in masks:
        if mask is not None and len(mask) != n:
            raise ValueError(f"{len(mask)} marks for {n} samples")


def fits_of_split(
    problem: Problem,
    train: NDArray[np.bool_] | None,
    evaluation: NDArray[np.bool_] | None,
    seed: int,
    *,
    keep: NDArray[np.bool_] | None = None,
) -> tuple[list[Fit], list[str]]:
    """Rows to learn from and to score, within bounds; and what was drawn."""
    notes: list[str] = []
    if train is None or evaluation is None:
        rows, note = _drawn(np.flatnonzero(problem.known), MAX_TRAINING, seed, None, "samples")
        notes += note
        rng = np.random.default_rng([seed, 2])
        _, first, inverse = np.unique(problem.clusters[rows], return_index=True, return_inverse=True)
        # Class by class, so that a rare one is in as many folds as it can be.
        order = rng.permutation(len(first))
        if problem.n_classes:
            order = order[np.argsort(problem.values[rows[first[order]]], kind="stable")]
        fold_of = np.empty(len(first), dtype=np.intp)
        fold_of[order] = np.arange(len(first)) % FOLDS
        fold = fold_of[inverse]
        fits = [(rows[fold != number], rows[fold == number]) for number in range(FOLDS)]
        notes.append(f"{FOLDS} folds, there being no split" + (", groups kept whole" if problem.grouped else ""))
        return [fit for fit in fits if len(fit[1])], notes
    same_length(problem.n, train, evaluation)
    learnt, note = _drawn(np.flatnonzero(problem.known & train), MAX_TRAINING, seed, keep, "training samples")
    notes += note
    scored, note = _drawn(
        np.flatnonzero(problem.known & evaluation & ~train), MAX_EVALUATION, seed + 1, None, "evaluation samples"
    )
    return [(learnt, scored)], notes + note


def _drawn(rows: Rows, most: int, seed: int, keep: NDArray[np.bool_] | None, what: str) -> tuple[Rows, list[str]]:
    if len(rows) <= most:
        return rows, []
    order = np.random.default_rng([seed, 1]).permutation(len(rows))
    if keep is not None:
        # Whether a copy is there to be remembered must not depend on the draw; but others must remain to learn from.
        kept = keep[rows[order]]
        kept &= np.cumsum(kept) <= most // 2
        order = np.concatenate([order[kept], order[~kept]])
    return np.sort(rows[order[:most]]), [f"{most:,} of {len(rows):,} {what}, drawn at random"]

"""Which labels are missing and which are too many, where a sample may have any number of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from dataguard.labels.quality import assess

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

MIN_EACH = 5
"""A class that fewer samples have, or that fewer lack, says too little of itself to estimate its own noise rate."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MultilabelQuality:
    """What the given sets of labels are worth."""

    noise_rate: float
    """Estimated share of wrong (sample, class) decisions among those judged, 0–1."""
    low: float
    """Lower end of the interval around ``noise_rate``: the mean of the classes' lower ends, so no narrower than the
    classes' errors allow however they depend on one another."""
    high: float
    level: float
    """Coverage of each class's interval, for example 0.95."""
    score: NDArray[np.float64]
    """Probability that the sample's worst decision is right, 0–1: lower is worse. Shape (n,), read-only."""
    posterior: NDArray[np.float64]
    """Probability that the decision on a class is wrong, shape (n, classes), read-only. 0 for classes not judged."""
    missing: NDArray[np.bool_]
    """Classes that the sample more likely has than not, and that are not given; shape (n, classes), read-only."""
    extra: NDArray[np.bool_]
    """Given classes that the sample more likely lacks; shape (n, classes), read-only."""
    class_rates: NDArray[np.float64]
    """Estimated share of wrong decisions a class, shape (classes,), read-only; NaN for classes not judged."""
    class_low: NDArray[np.float64]
    """Lower ends of the classes' intervals, shape (classes,), read-only; NaN for classes not judged."""
    class_high: NDArray[np.float64]
    missing_rates: NDArray[np.float64]
    """Share of the samples that have a class and are not given it, shape (classes,), read-only; NaN as above."""
    extra_rates: NDArray[np.float64]
    """Share of the samples that lack a class and are given it, shape (classes,), read-only; NaN as above."""

    @property
    def is_error(self) -> NDArray[np.bool_]:
        """Samples of which at least one decision is more likely wrong than right, shape (n,)."""
        return np.asarray((self.missing | self.extra).any(axis=1))

    def ranked(self) -> list[tuple[int, int]]:
        """(sample, class) of every decision more likely wrong than right, worst first."""
        rows, classes = np.nonzero(self.missing | self.extra)
        order = np.argsort(-self.posterior[rows, classes], kind="stable")
        return [(int(rows[index]), int(classes[index])) for index in order]


def assess_multilabel(
    labels: ArrayLike | Sequence[Iterable[int]], pred_probs: NDArray[np.floating], *, level: float = 0.95
) -> MultilabelQuality:
    """Estimate which labels are missing and which are too many, from out-of-sample probabilities.

    Each class is a question of its own, answered yes or no, and `dataguard.labels.quality.assess` judges its answers:
    calibration and noise rate are fitted together, so that a class that is hard to tell is told from one that is badly
    labelled, and a label forgotten far more often than set by mistake gets a transition matrix that says so. A
    sample's score is its worst decision's: of the minimum, the product and Thyagarajan et al.'s exponential moving
    average ("Identifying Incorrect Annotations in Multi-Label Classification Data", 2022) of the probabilities that
    the decisions are right, it ranks planted errors best (`benchmarks/targets.py`).

    Args:
        labels: Shape (n, classes) of 0 and 1 or bool; or n collections of class indices, empty ones included. n
            collections of equal length that hold indices other than 0 and 1, or are not `classes` long, are indices;
            lists (rather than an array) of 0 and 1 of length `classes` are taken as indicators.
        pred_probs: Out-of-sample probability of each class, independently of the others; shape (n, classes), 0–1.
            Rows need not sum to 1.
        level: Coverage of the intervals.

    Raises:
        ValueError: the shapes do not fit together, a class index is out of range, or a probability is not in 0–1.
    """
    probs = np.asarray(pred_probs, dtype=np.float64)
    if probs.ndim != 2 or probs.size == 0:
        raise ValueError(f"probabilities of shape {probs.shape}: expected (n, classes), at least one of each")
    if not ((probs >= 0) & (probs <= 1)).all():
        raise ValueError("probabilities outside 0 to 1; apply the sigmoid to logits")
    given = indicators(labels, probs.shape)
    n, classes = probs.shape
    posterior = np.zeros((n, classes))
    rates, lows, highs, forgotten, added = (np.full(classes, np.nan) for _ in range(5))
    for k in range(classes):
        have = int(given[:, k].sum())
        if not MIN_EACH <= have <= n - MIN_EACH:
            continue
        quality = assess(
            given[:, k].astype(np.int32), np.column_stack([1 - probs[:, k], probs[:, k]]), level=level, calibrated=True
        )
        posterior[:, k] = quality.posterior
        rates[k], lows[k], highs[k] = quality.noise_rate, quality.low, quality.high
        forgotten[k], added[k] = quality.transition[1, 0], quality.transition[0, 1]
    judged = ~np.isnan(rates)
    wrong = posterior > 0.5
    return MultilabelQuality(
        noise_rate=float(rates[judged].mean()) if judged.any() else 0.0,
        low=float(lows[judged].mean()) if judged.any() else 0.0,
        high=float(highs[judged].mean()) if judged.any() else 1.0,
        level=level,
        score=_frozen(1 - posterior.max(axis=1)),
        posterior=_frozen(posterior),
        missing=_frozen(wrong & ~given),
        extra=_frozen(wrong & given),
        class_rates=_frozen(rates),
        class_low=_frozen(lows),
        class_high=_frozen(highs),
        missing_rates=_frozen(forgotten),
        extra_rates=_frozen(added),
    )


def indicators(labels: ArrayLike | Sequence[Iterable[int]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Labels as an array (n, classes) of whether each sample is given each class.

    >>> indicators([[0, 2], [], [1]], (3, 3)).astype(int).tolist()
    [[1, 0, 1], [0, 0, 0], [0, 1, 0]]

    Raises:
        ValueError: the number of samples differs from `shape`, or an index is out of range.
    """
    n, classes = shape
    if isinstance(labels, np.ndarray) and labels.dtype != object:
        if labels.shape != shape or not np.isin(labels, (0, 1)).all():
            raise ValueError(f"labels of shape {labels.shape}: expected {shape} of 0 and 1, or lists of class indices")
        return labels.astype(bool)
    rows = [list(row) for row in labels]  # type: ignore[union-attr,arg-type]
    if len(rows) != n:
        raise ValueError(f"labels of {len(rows)} samples and probabilities of {n}")
    if all(len(row) == classes and set(row) <= {0, 1} for row in rows) and classes > 2:
        return np.array(rows, dtype=bool)
    found = np.zeros(shape, dtype=bool)
    for number, row in enumerate(rows):
        for index in row:
            if not isinstance(index, int | np.integer) or not 0 <= index < classes:
                raise ValueError(f"sample {number} has class {index!r}: expected an index from 0 to {classes - 1}")
            found[number, index] = True
    return found


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.setflags(write=False)
    return array

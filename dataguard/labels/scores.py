"""Published scores of single labels: how much the model believes the label that was given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataguard.labels.codes import encode_labels
from dataguard.labels.probabilities import checked, gathered, map_blocks, working_type

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Score = Literal["self_confidence", "normalized_margin", "confidence_weighted_entropy"]

CLIPPED = 1e-6
"""Least probability and entropy that are told from 0, as in cleanlab."""
THRESHOLD_FLOOR = 2e-6
"""Least confident threshold, as in cleanlab: above the tolerance of 1e-6 that comparisons with it have."""
NEVER = 2
"""Threshold of a class that is never given: above every probability."""


def quality_scores(
    labels: ArrayLike | Sequence[object],
    pred_probs: Any,
    *,
    method: Score = "self_confidence",
    classes: Sequence[object] | None = None,
    adjust_pred_probs: bool = False,
    jobs: int | None = None,
) -> NDArray[Any]:
    """How good each given label is, by a published method; from 0, lower is worse.

    The same numbers as ``cleanlab.rank.get_label_quality_scores`` (Kuan & Mueller 2022, "Model-agnostic label quality
    scoring to detect real-world label errors"), in one pass and with no copy of the array.

    Args:
        labels: n labels, see `encode_labels`.
        pred_probs: Out-of-sample probabilities, shape (n, classes), see `checked`.
        method: Name of one of the three functions of this module.
        classes: What each column stands for.
        adjust_pred_probs: Subtract each class's mean self-confidence first and normalize again, for classes of which
            the model is unequally sure (Northcutt, Jiang & Chuang 2021); not for the entropy.
        jobs: Threads; None for as many as there are cores.

    Returns:
        Shape (n,), float32, float64 where the probabilities are; NaN where the label is missing.

    Raises:
        ValueError: unknown method, labels and probabilities do not fit together, or a row is no distribution.
    """
    scorers: dict[str, Callable[..., NDArray[Any]]] = {
        "self_confidence": self_confidence,
        "normalized_margin": normalized_margin,
        "confidence_weighted_entropy": confidence_weighted_entropy,
    }
    if method not in scorers:
        raise ValueError(f"no method {method!r}; known: {', '.join(scorers)}")
    if method == "confidence_weighted_entropy":
        if adjust_pred_probs:
            raise ValueError("adjust_pred_probs is not defined for confidence_weighted_entropy")
        return confidence_weighted_entropy(labels, pred_probs, classes=classes, jobs=jobs)
    return scorers[method](labels, pred_probs, classes=classes, adjust_pred_probs=adjust_pred_probs, jobs=jobs)


def self_confidence(
    labels: ArrayLike | Sequence[object],
    pred_probs: Any,
    *,
    classes: Sequence[object] | None = None,
    adjust_pred_probs: bool = False,
    jobs: int | None = None,
) -> NDArray[Any]:
    """The probability of the given label, p_y. Arguments, result and errors as in `quality_scores`."""
    array, codes = _both(labels, pred_probs, classes)

    def score(block: NDArray[Any], given: NDArray[np.int32], rows: NDArray[np.intp]) -> NDArray[Any]:
        found: NDArray[Any] = block[rows, given]
        return found

    return _scored(array, codes, score, adjusted=adjust_pred_probs, jobs=jobs)


def normalized_margin(
    labels: ArrayLike | Sequence[object],
    pred_probs: Any,
    *,
    classes: Sequence[object] | None = None,
    adjust_pred_probs: bool = False,
    jobs: int | None = None,
) -> NDArray[Any]:
    """(p_y − max_{k≠y} p_k + 1) / 2: how far the given label leads.

    Arguments, result and errors as in `quality_scores`.
    """
    array, codes = _both(labels, pred_probs, classes)
    return _scored(array, codes, _margin, adjusted=adjust_pred_probs, jobs=jobs)


def confidence_weighted_entropy(
    labels: ArrayLike | Sequence[object],
    pred_probs: Any,
    *,
    classes: Sequence[object] | None = None,
    jobs: int | None = None,
) -> NDArray[Any]:
    """ln(1 + e) / e of e = H / p_y, H the entropy divided by ln(classes): near 1 where the model is sure of the label.

    Arguments, result and errors as in `quality_scores`.
    """
    array, codes = _both(labels, pred_probs, classes)
    scale = np.log(array.shape[1])

    def score(block: NDArray[Any], given: NDArray[np.int32], rows: NDArray[np.intp]) -> NDArray[Any]:
        # x·ln x at the least positive number is 0 in these types, so zeros (and −1e-9) need no case of their own.
        logs = np.maximum(block, np.finfo(block.dtype).tiny)
        np.log(logs, out=logs)
        # Once a row is one number, float64: 1 + e rounds small entropies away in float32.
        entropy = np.maximum(np.einsum("ij,ij->i", block, logs) / -scale, 0)
        weighted = entropy / np.maximum(block[rows, given], CLIPPED)
        found: NDArray[Any] = np.log(weighted + 1) / np.maximum(weighted, CLIPPED)
        return found

    return _scored(array, codes, score, adjusted=False, jobs=jobs)


def confident_thresholds(confidence: NDArray[Any], order: NDArray[np.intp], starts: NDArray[np.intp]) -> NDArray[Any]:
    """Mean self-confidence of the samples given as each class; 2 where there are none (Northcutt et al. 2021, eq. 2).

    Computed in the type of the probabilities, as cleanlab does, so that comparisons with it come out the same.

    Args:
        confidence: Probability of each given label, shape (n,).
        order: From `by_class`.
        starts: From `by_class`.

    Returns:
        Shape (classes,).
    """
    ordered = confidence.take(order)
    kind = confidence.dtype
    if kind == np.float16:
        ordered = ordered.astype(np.float32)
    bounds = starts.tolist()
    # Sums by pairs; np.add.reduceat adds in another order.
    sums = [ordered[start:stop].sum() for start, stop in pairwise(bounds)]
    counts = np.diff(starts)
    means: NDArray[Any] = (np.array(sums, dtype=np.float64) / np.maximum(counts, 1)).astype(kind)
    if not counts.all():
        means = np.where(counts > 0, means.astype(np.float64), NEVER)
    floored: NDArray[Any] = np.maximum(means, means.dtype.type(THRESHOLD_FLOOR))
    return floored


def by_class(codes: NDArray[np.int32], classes: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The labelled samples class by class, within one in their order; and where each class starts, with the end."""
    # Radix sort, for short integers alone.
    small = codes.astype(np.uint8 if classes < 256 else np.uint16 if classes < 65_536 else np.uint32)
    order = np.argsort(small, kind="stable")
    counts = np.bincount(codes if codes.min(initial=0) >= 0 else codes[codes >= 0], minlength=classes)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return order[: starts[-1]], starts


def _margin(block: NDArray[Any], given: NDArray[np.int32], rows: NDArray[np.intp]) -> NDArray[Any]:
    others = block.copy()
    confidence = others[rows, given]
    others[rows, given] = -np.inf
    margin: NDArray[Any] = (confidence - others.max(axis=1) + 1) / 2
    return margin


def _both(
    labels: ArrayLike | Sequence[object], pred_probs: Any, classes: Sequence[object] | None
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    array = checked(pred_probs)
    codes, _ = encode_labels(labels, classes, columns=array.shape[1])
    return checked(array, rows=len(codes)), codes


def _scored(
    array: NDArray[Any],
    codes: NDArray[np.int32],
    score: Callable[[NDArray[Any], NDArray[np.int32], NDArray[np.intp]], NDArray[Any]],
    *,
    adjusted: bool,
    jobs: int | None,
) -> NDArray[Any]:
    given = np.maximum(codes, 0)
    thresholds: Any = None
    if adjusted:
        confidence = gathered(array, codes, jobs=jobs).astype(working_type(array), copy=False)
        thresholds = confident_thresholds(confidence, *by_class(codes, array.shape[1]))
    scores = np.empty(len(codes), dtype=working_type(array))

    def work(first: int, block: NDArray[Any]) -> None:
        if thresholds is not None:
            block = block - thresholds
            block += thresholds.max()
            block /= block.sum(axis=1, keepdims=True)
        stop = first + len(block)
        with np.errstate(all="ignore"):  # a bad row is refused when its span has been read
            scores[first:stop] = score(block, given[first:stop], np.arange(len(block)))

    map_blocks(array, work, jobs=jobs)
    scores[codes < 0] = np.nan
    return scores

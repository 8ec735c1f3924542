"""Confident learning as published, at the speed of memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from dataguard.labels.codes import encode_labels
from dataguard.labels.probabilities import (
    NEGATIVE_TOLERANCE,
    UnsoundError,
    block_rows,
    checked,
    gathered,
    map_blocks,
    map_spans,
    refuse,
    taken,
    threaded,
    working_type,
)
from dataguard.labels.pruning import (
    EQUAL,
    TINY,
    LargeMargins,
    by_noise_rate,
    clipped_rates,
    filled,
    left_after,
    lowest,
    lowest_by_class,
    rounded_up,
    true_places,
)
from dataguard.labels.scores import NEVER, by_class, confident_thresholds

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Prune = Literal[
    "prune_by_class",
    "prune_by_noise_rate",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
]
PRUNES: tuple[Prune, ...] = (
    "prune_by_class",
    "prune_by_noise_rate",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
)
LEAST_PRIOR = 1e-6
NO_GUESS = -1
RIVAL = 0.2
"""At most five classes of a sample are more probable than this. Decides speed alone."""

LIKELY_MARGIN = 0.1
"""Margins above this share of the mean threshold are ranked first; most pairs need no more. Decides speed alone."""

Frozen = TypeVar("Frozen", bound="NDArray[Any]")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ConfidentLearning:
    """What confident learning estimates, and which labels it calls wrong. Matrices are [given class, true class]."""

    prune: Prune
    """The method that `is_error` comes from."""
    is_error: NDArray[np.bool_]
    """Whether the label is called wrong, shape (n,), read-only; False where the label is missing."""
    noise_rate: float
    """Estimated share of wrong labels, 1 − trace of the joint; it does not depend on `prune`."""
    self_confidence: NDArray[np.floating[Any]]
    """Probability of the given label, shape (n,), read-only; NaN where the label is missing."""
    confident_class: NDArray[np.int32]
    """The class that each sample is confidently counted in, −1 for none; shape (n,), read-only."""
    thresholds: NDArray[np.floating[Any]]
    """Mean self-confidence of each given class, shape (classes,); 2 where a class is never given."""
    confident_joint: NDArray[np.int64]
    """How many samples of each given class are confidently counted in each class, at least 1 on the diagonal."""
    calibrated_joint: NDArray[np.int64]
    """The same, scaled so that rows sum to how often each class is given."""
    labelled: int
    """How many samples have a label."""

    @property
    def joint(self) -> NDArray[np.float64]:
        """Estimated share of samples given as the row's class and truly of the column's; sums to 1."""
        return self.calibrated_joint / max(float(self.calibrated_joint.sum()), TINY)

    @property
    def noise_matrix(self) -> NDArray[np.float64]:
        """P(given | true): columns sum to 1."""
        return clipped_rates(self.confident_joint / np.clip(self.confident_joint.sum(axis=0).astype(float), TINY, None))

    @property
    def inverse_noise_matrix(self) -> NDArray[np.float64]:
        """P(true | given), [true class, given class]: columns sum to 1."""
        rows = np.clip(self.confident_joint.sum(axis=1).astype(float), TINY, None)
        return clipped_rates(self.confident_joint.T / rows)

    @property
    def prior(self) -> NDArray[np.float64]:
        """Estimated share of each true class, shape (classes,), sums to 1; cleanlab's method "cnt"."""
        sizes = self.confident_joint.sum(axis=0) / np.clip(self.confident_joint.sum(axis=1), TINY, None)
        prior = np.clip(sizes * self.calibrated_joint.sum(axis=1) / self.labelled, LEAST_PRIOR, 1.0)
        return np.asarray(prior / prior.sum(), dtype=np.float64)


def confident_learning(
    labels: ArrayLike | Sequence[object],
    pred_probs: Any,
    *,
    prune: Prune = "prune_by_noise_rate",
    classes: Sequence[object] | None = None,
    min_examples_per_class: int = 1,
    jobs: int | None = None,
) -> ConfidentLearning:
    """Estimate label noise and find wrong labels by confident learning (Northcutt, Jiang & Chuang 2021).

    A sample is confidently counted in a class when its probability reaches the mean self-confidence of the samples
    given as that class, and in the likeliest where it reaches several. All numbers and flags are those of
    ``cleanlab.count.compute_confident_joint`` and ``cleanlab.filter.find_label_issues`` 2.9, ties included. The array
    is read twice, a third time in part for pruning by noise rate, and never copied.

    Which labels are called wrong; all but the last two leave out samples whose given label is the likeliest:

    * ``prune_by_class``: for each given class as many as the joint says are wrong, lowest self-confidence first.
    * ``prune_by_noise_rate``: for each pair (given, true) as many as the joint says, largest p_true − p_given first.
    * ``both``: called wrong by both.
    * ``confident_learning``: confidently counted in another class than the given.
    * ``predicted_neq_given``: another class is likelier.
    * ``low_self_confidence``, ``low_normalized_margin``: the lowest by that score, as many as by confident_learning.

    Args:
        labels: n labels, see `encode_labels`; samples without one are left out.
        pred_probs: Out-of-sample probabilities, shape (n, classes), see `checked`.
        prune: One of these.
        classes: What each column stands for.
        min_examples_per_class: Pruning by class, noise rate or both keeps so many samples of each given class.
        jobs: Threads; None for as many as there are cores.

    Raises:
        ValueError: unknown method, no label at all, labels and probabilities do not fit together, or a row is no
            distribution.
    """
    if prune not in PRUNES:
        raise ValueError(f"no method {prune!r}; known: {', '.join(PRUNES)}")
    array = checked(pred_probs)
    codes, _ = encode_labels(labels, classes, columns=array.shape[1])
    checked(array, rows=len(codes))
    k = array.shape[1]
    confidence = gathered(array, codes, jobs=jobs)
    if confidence.dtype.kind != "f":
        confidence = confidence.astype(working_type(array))
    order, starts = by_class(codes, k)
    if len(order) == 0:
        raise ValueError("no sample has a label")
    thresholds = confident_thresholds(confidence, order, starts)
    floor = _floor(thresholds, working_type(array)) if prune in {"prune_by_noise_rate", "both"} else None
    guess, doubted, large = _counted(array, codes, confidence, thresholds, floor, jobs)
    confident_joint = _confident_joint(codes, guess, k)
    counts = np.diff(starts)
    calibrated = _calibrated(confident_joint, counts, jobs)

    if prune == "predicted_neq_given":
        is_error = doubted
    elif prune == "confident_learning":
        is_error = doubted & (guess >= 0) & (guess != codes)
    elif prune in {"low_self_confidence", "low_normalized_margin"}:
        scores = confidence if prune == "low_self_confidence" else _margins(array, codes, confidence, jobs)
        rows = np.flatnonzero(codes >= 0)
        is_error = np.zeros(len(codes), dtype=bool)
        count = int(np.count_nonzero(doubted & (guess >= 0) & (guess != codes)))
        is_error[rows] = lowest(scores[rows], count)
    else:
        is_error = doubted
        remaining = left_after(calibrated, min_examples_per_class)
        judged = (counts > min_examples_per_class) & (counts > 1)
        if prune in {"prune_by_class", "both"}:
            is_error = is_error & lowest_by_class(
                confidence, order, starts, np.where(judged, counts - remaining.diagonal(), 0)
            )
        if floor is not None:
            remove = remaining.copy() if judged.all() else np.where(judged[:, None], remaining, 0)
            np.fill_diagonal(remove, 0)
            is_error = is_error & by_noise_rate(
                array, codes, confidence, order, starts, floor, large, remove, doubted, is_error
            )

    shown: NDArray[np.floating[Any]] = confidence.astype(working_type(array))
    shown[codes < 0] = np.nan
    return ConfidentLearning(
        prune=prune,
        is_error=_frozen(is_error),
        noise_rate=float(1 - calibrated.trace() / max(float(calibrated.sum()), TINY)),
        self_confidence=_frozen(shown),
        confident_class=_frozen(guess),
        thresholds=_frozen(thresholds),
        confident_joint=_frozen(confident_joint),
        calibrated_joint=_frozen(calibrated),
        labelled=len(order),
    )


def _counted(
    array: NDArray[Any],
    codes: NDArray[np.int32],
    confidence: NDArray[Any],
    thresholds: NDArray[Any],
    floor: float | None,
    jobs: int | None,
) -> tuple[NDArray[np.int32], NDArray[np.bool_], list[LargeMargins]]:
    """What one pass over the probabilities tells.

    Args:
        array: Probabilities.
        codes: Given labels, −1 for missing.
        confidence: Probabilities of these.
        thresholds: Confident thresholds.
        floor: Margins above it are collected of doubted samples; None for none.
        jobs: Threads.

    Returns:
        The class that each sample is confidently counted in; whether another class than the given is likelier; and
        the large margins, span by span.
    """
    n, k = array.shape
    work_type = working_type(array)
    least = rounded_up(thresholds - EQUAL, work_type)
    # Above RIVAL all classes are of interest, so that the likeliest of most rows is among them.
    low: Any = np.minimum(least, work_type(RIVAL))
    shape = min(block_rows(array), n), k
    # One flat comparison of two arrays is several times faster than one that repeats a row of thresholds.
    low = work_type(RIVAL) if low.min() >= RIVAL else np.tile(low, (shape[0], 1))
    bits = np.uint32 if work_type is np.float32 else np.uint64
    low = low.view(bits)
    raised = confidence.copy()
    raised += EQUAL
    raised = raised.astype(work_type, copy=False)
    # The other classes of such a row sum to less; where it is confident itself, it is the likeliest confident one.
    certain_above = work_type(0.51 + EQUAL * k)
    guess = np.empty(n, dtype=np.int32)
    doubted = np.zeros(n, dtype=bool)
    local = threading.local()

    def work(start: int, stop: int, blocks: Iterator[tuple[int, NDArray[Any]]]) -> LargeMargins | None:
        if not hasattr(local, "above"):
            # Made once: pages that are handed back and fetched anew cost as much as what is done with them.
            local.above = np.zeros(-(-shape[0] * k // 8) * 8, dtype=bool)
            local.rows = np.empty(shape, dtype=work_type)
        own = codes[start:stop]
        columns = np.maximum(own, 0)
        own_places = np.arange(0, (stop - start) * k, k)
        own_places += columns
        places, values = [], []
        for first, block in blocks:
            size, done = len(block), first - start
            # As whole numbers without a sign, positive floats keep their order and negative ones lie above them all,
            # so that these are found on the way.
            above = local.above[: size * k]
            np.greater_equal(block.view(bits), low if low.ndim == 0 else low[:size], out=above.reshape(size, k))
            # The given class is known already; without it, few places are left to be looked up.
            above[own_places[done : done + size] - done * k] = False
            flat = true_places(local.above, size * k)
            values.append(block.reshape(-1).take(flat))
            flat += done * k
            places.append(flat)
        place, probability = np.concatenate(places), np.concatenate(values)
        del places, values
        if probability.min(initial=0) < -NEGATIVE_TOLERANCE:
            raise UnsoundError

        given = raised[start:stop]
        guessed = guess[start:stop]
        likelier = doubted[start:stop]
        confident_own = confidence[start:stop].astype(work_type, copy=False) >= least.take(columns)
        # NO_GUESS where it is not confident; arithmetic, since a choice that no one foresees is slow.
        np.multiply(columns - NO_GUESS, confident_own, out=guessed)
        guessed += NO_GUESS
        row = place // k
        column = place - row * k
        beside = given.take(row)
        # Of equal ones the first counts as the likeliest.
        wins = (probability > beside) | ((probability == beside) & (column < columns.take(row)))
        likelier[row[wins]] = True
        settled = confident_own & (given > certain_above)
        confident = np.flatnonzero((probability >= least.take(column)) & ~settled.take(row))
        row = row.take(confident)
        first_of = np.ones(len(row), dtype=bool)
        np.not_equal(row[1:], row[:-1], out=first_of[1:])
        several = np.unique(row[~first_of | confident_own.take(row)])
        guessed[row] = column.take(confident)
        if len(several):
            guessed[several] = taken(array, start + several).argmax(axis=1)

        # What is below RIVAL has not been seen yet; a row whose given class is more probable is settled.
        unseen = np.flatnonzero(~likelier & (given < RIVAL))
        step = shape[0]
        for part in (unseen[first : first + step] for first in range(0, len(unseen), step)):
            rows = taken(array, start + part, out=local.rows[: len(part)])
            rows[np.arange(len(part)), columns[part]] = given[part]
            likelier[part] = rows.argmax(axis=1) != columns[part]
        if floor is None:
            return None
        # The rows are in the cache still.
        doubts = start + np.flatnonzero(likelier & (own >= 0))
        return _large_margins(array, codes, confidence, doubts, floor, local.rows, local.above)

    with np.errstate(invalid="ignore"):
        large = map_spans(array, work, jobs=jobs, signs=False)
    if confidence.min() < -NEGATIVE_TOLERANCE:
        refuse(array)
    if codes.min() < 0:
        guess[codes < 0] = NO_GUESS
        doubted[codes < 0] = False
    return guess, doubted, [one for one in large if one is not None]


def _large_margins(
    array: NDArray[Any],
    codes: NDArray[np.int32],
    confidence: NDArray[Any],
    doubts: NDArray[np.intp],
    floor: float,
    space: NDArray[Any],
    flags: NDArray[np.bool_],
) -> LargeMargins:
    """All margins above the floor, and a few just below it, of the samples `doubts`; the last two are for scratch."""
    step, k = space.shape
    kind = space.dtype.type
    parts = []
    for first in range(0, len(doubts), step):
        part = doubts[first : first + step]
        rows = taken(array, part, out=space[: len(part)])
        beside = confidence.take(part)
        least = beside.astype(kind) + kind(floor) * kind(0.99)
        np.greater(rows, least[:, None], out=flags[: rows.size].reshape(rows.shape))
        flat = true_places(flags, rows.size)
        position = flat // k
        found = rows.reshape(-1).take(flat).astype(confidence.dtype, copy=False)
        found -= beside.take(position)
        base = codes.take(part).astype(np.intp)
        base -= np.arange(len(part))
        base *= k
        flat += base.take(position)
        parts.append((flat.astype(_short(k * k)), found, part.astype(_short(len(array))).take(position)))
    pairs, margins, places = zip(*parts, strict=True) if parts else ([], [], [])
    return LargeMargins(
        pair=np.concatenate(pairs or [np.zeros(0, dtype=np.int32)]),
        margin=np.concatenate(margins or [confidence[:0]]),
        row=np.concatenate(places or [np.zeros(0, dtype=np.int32)]),
    )


def _short(below: int) -> type[np.int32 | np.int64]:
    return np.int32 if below <= np.iinfo(np.int32).max else np.int64


def _confident_joint(codes: NDArray[np.int32], guess: NDArray[np.int32], k: int) -> NDArray[np.int64]:
    confident = np.flatnonzero(guess >= 0)
    pairs = guess.take(confident).astype(np.int64)
    pairs *= k
    pairs += codes.take(confident)
    # Kept transposed in memory as cleanlab's is: floating-point sums over it then come out the same to the last bit.
    joint: NDArray[np.int64] = np.bincount(pairs, minlength=k * k).reshape(k, k).T
    np.fill_diagonal(joint, joint.diagonal().clip(min=1))
    return joint


def _calibrated(confident_joint: NDArray[np.int64], counts: NDArray[np.intp], jobs: int | None) -> NDArray[np.int64]:
    """Rows scaled to the counts of the given classes, rounded so that they still sum to them."""
    k = len(counts)
    # The few pairs that occur are scaled by themselves. Every step, the sum over all included, is cleanlab's.
    true, given = np.divmod(filled(confident_joint.T), k)
    values = confident_joint[given, true] / np.clip(confident_joint.sum(axis=1), TINY, None)[given] * counts[given]
    scaled = np.zeros((k, k), order="F")
    scaled[given, true] = values
    values = values / max(float(np.sum(scaled)), TINY) * int(counts.sum())
    whole = values.round()
    short = np.bincount(given, values, k).round() - np.bincount(given, whole, k)
    calibrated = np.zeros((k, k), dtype=np.int64)
    calibrated[given, true] = whole
    uneven = np.flatnonzero(short)
    if len(uneven):
        of_row = np.full(k, -1)
        of_row[uneven] = np.arange(len(uneven))
        left = np.flatnonzero(of_row.take(given) >= 0)
        left = left[np.argsort(of_row.take(given.take(left)), kind="stable")]
        at, over = of_row.take(given.take(left)) * k + true.take(left), (values - whole).take(left)

        def level(rows: slice) -> None:
            wholes = np.zeros((len(uneven[rows]), k))
            here = slice(*np.searchsorted(at, [rows.start * k, rows.start * k + wholes.size]).tolist())
            wholes.reshape(-1)[at[here] - rows.start * k] = over[here]
            orders = np.argsort(wholes, axis=1)
            changes = short[uneven[rows]]
            for place in range(int(np.abs(changes).max())):
                for sign, column in ((1, -1 - place), (-1, place)):
                    changed = np.flatnonzero(changes * sign > place)
                    calibrated[uneven[rows][changed], orders[changed, column]] += sign

        threaded(level, [slice(first, first + 64) for first in range(0, len(uneven), 64)], jobs=jobs)
    return calibrated


def _margins(array: NDArray[Any], codes: NDArray[np.int32], confidence: NDArray[Any], jobs: int | None) -> NDArray[Any]:
    """Normalized margins in the probabilities' own type, whose rounding decides ties."""
    others = np.empty(len(codes), dtype=working_type(array))
    given = np.maximum(codes, 0)

    def work(first: int, block: NDArray[Any]) -> None:
        left = block.copy()
        left[np.arange(len(block)), given[first : first + len(block)]] = -np.inf
        left.max(axis=1, out=others[first : first + len(block)])

    map_blocks(array, work, jobs=jobs, validate=False)
    margins: NDArray[Any] = (confidence - others.astype(confidence.dtype) + 1) / 2
    return margins


def _floor(thresholds: NDArray[Any], kind: type[np.float32 | np.float64]) -> float:
    """Margins above this are ranked first."""
    usual = float(thresholds[thresholds < NEVER].mean())
    return float(kind(max(LIKELY_MARGIN * min(usual, 1.0), 2 * EQUAL)))


def _frozen(array: Frozen) -> Frozen:
    array.setflags(write=False)
    return array

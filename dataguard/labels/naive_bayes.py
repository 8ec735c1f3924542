"""Naive Bayes over sparse counts, with exact leave-one-out scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.core.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

SMOOTHINGS = (0.001, 0.01, 0.1)
"""What is added to every feature's weight in every class, tried one after the other. tf-idf weights of one text sum to
a few dozen over thousands of features, so that the usual 1 would drown them."""
MAX_WEIGHTS = 200_000_000
"""Most features × classes, which bounds the memory at 8 bytes each."""
CHOOSING = 2000
"""Distinct samples that the smoothing is chosen by."""
PAIRS = 2048
"""Samples from which their own part is taken out at a time."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BayesScores:
    """Leave-one-out scores of naive Bayes."""

    scores: NDArray[np.float64]
    """Log likelihoods of the classes per unit of weight, so that long texts are no surer than short ones; shape
    (n, classes)."""
    smoothing: float
    """The one of those tried under which most left-out samples have the largest score in their given class, among
    the samples of the first `CHOOSING` rows."""


def leave_one_out(
    counts: csr_array,
    row: NDArray[np.intp],
    codes: NDArray[np.int32],
    n_classes: int,
    *,
    trusted: NDArray[np.bool_] | None = None,
    smoothings: Sequence[float] = SMOOTHINGS,
    progress: Progress = silent,
) -> BayesScores:
    """Scores of every class by multinomial naive Bayes that has seen neither the sample nor a copy of it.

    Class weights are sums over samples, so that leaving some out is subtracting them: exact, without a refit. Weights
    in place of counts and no class prior follow Rennie et al. (2003), "Tackling the Poor Assumptions of Naive Bayes
    Text Classifiers"; what is left of its overconfidence is for calibration to take out.

    Args:
        counts: Weights of the features ≥ 0, shape (distinct samples, features).
        row: The row of `counts` of each sample, shape (n,); samples of one row are copies.
        codes: Given labels, shape (n,).
        n_classes: How many classes there are.
        trusted: Whose labels are learnt from, shape (n,); None for all.
        smoothings: Which to choose from; the first of the best is taken.
        progress: Told of every one tried.

    Raises:
        ValueError: there is no smoothing to choose from.
    """
    from scipy.sparse import coo_array

    weights = np.ones(len(row)) if trusted is None else trusted.astype(np.float64)
    members = coo_array((weights, (codes, row)), shape=(n_classes, counts.shape[0])).tocsr()
    members.sum_duplicates()
    sums = (members @ counts).toarray()
    if not smoothings:
        raise ValueError("no smoothing to try")
    few = np.flatnonzero(row < CHOOSING)
    agreeing = []
    for done, smoothing in enumerate(smoothings):
        progress("predicting labels by naive Bayes", done, len(smoothings) + 1)
        tried = _scores(counts[:CHOOSING], members[:, :CHOOSING], sums + smoothing, smoothing)
        agreeing.append(int(np.sum(tried[row[few]].argmax(axis=1) == codes[few])))
    progress("predicting labels by naive Bayes", len(smoothings), len(smoothings) + 1)
    best = smoothings[int(np.argmax(agreeing))]
    return BayesScores(scores=_scores(counts, members, sums + best, best)[row], smoothing=best)


def _scores(counts: csr_array, members: csr_array, sums: NDArray[np.float64], smoothing: float) -> NDArray[np.float64]:
    """Scores of the distinct samples, shape (distinct samples, classes)."""
    totals = sums.sum(axis=1)
    mass = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    scores: NDArray[np.float64] = counts @ np.log(sums).T - mass[:, None] * np.log(totals)
    # In the classes that a sample or its copies are given as, anew without them.
    pairs = members.tocoo()
    order = np.argsort(pairs.col, kind="stable")
    for start in range(0, len(order), PAIRS):
        chosen = order[start : start + PAIRS]
        classes, rows, times = pairs.row[chosen], pairs.col[chosen], pairs.data[chosen]
        part = counts[rows]
        owner = np.repeat(np.arange(len(chosen)), np.diff(part.indptr))
        rest = sums[classes[owner], part.indices] - times[owner] * part.data
        # Less than the smoothing is left by rounding alone.
        logs = np.bincount(owner, part.data * np.log(np.maximum(rest, smoothing)), len(chosen))
        left = np.maximum(totals[classes] - times * mass[rows], smoothing * sums.shape[1])
        scores[rows, classes] = logs - mass[rows] * np.log(left)
    return scores / np.maximum(mass, 1e-12)[:, None]

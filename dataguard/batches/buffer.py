"""Shuffle buffers: whether the stream went through one, and how large it is.

A buffer of b samples over a source is filled first; then each step emits a random one of it and reads the next. So what
leaves at step t was read at source position t + b − 1 at the latest, and stays as long as a geometric law with mean b
says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.batches.composition import class_totals, drift
from dataguard.batches.runs import canonical
from dataguard.batches.significance import SMALLEST, OrderTest, bonferroni
from dataguard.core.finding import Inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.95
"""Coverage of the interval of the buffer's size."""
FEW = 4.0
"""Class size, in units of √b, below which a class's first sample says little: it then waits longer than the class
lasts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShuffleBuffer:
    """A buffer's size, estimated from the order that it left."""

    size: int
    """In samples; 1 is no shuffling at all."""
    low: int
    """Lower end of the interval of coverage `LEVEL`."""
    high: int
    """Upper end."""
    share: float
    """`size` over the number of samples in the source."""
    test: OrderTest
    """Against a full shuffle."""


def buffer_from_positions(positions: NDArray[np.integer], source_size: int) -> ShuffleBuffer | Inconclusive:
    """The smallest buffer that explains an order, and whether a full shuffle does too.

    The statistic is the largest lead L − 1 = max (position − step). A full shuffle keeps every sample that close with
    probability Π_t min(L, N − t)/(N − t), the exact p-value. The buffer is at least L; the chance that none of the n
    steps emits one of the g newest is (1 − g/b)ⁿ, so that b ≤ L/(1 − 3/n) with 95 % confidence.

    Args:
        positions: Position of each sample in the source, 0 … N − 1, in the order of the stream; −1 if unknown. Shape
            (n,).
        source_size: N.

    Example:
        >>> found = buffer_from_positions(np.array([1, 0, 3, 2, 5, 4, 7, 6, 9, 8]), 10)
        >>> found.size, found.test.p_value < 1e-3
        (2, True)
    """
    positions = np.asarray(positions, dtype=np.int64)
    n = len(positions)
    if n < 5 or source_size < n:
        return Inconclusive(reason=f"{n} samples of a source of {source_size} say nothing of a shuffle buffer")
    steps = np.arange(n)
    known = positions >= 0
    if known.mean() < 0.5:
        return Inconclusive(reason=f"the position in the source is known of {known.mean():.0%} of the samples only")
    lead = max(int((positions - steps)[known].max()) + 1, 1)
    left = source_size - steps[known]
    log_p = float(np.log(np.minimum(lead, left) / left).sum())
    active = max(min(n, source_size - lead), 1)
    slack = -math.log(1 - LEVEL) / active
    high = source_size if slack >= 1 or math.exp(min(log_p, 0.0)) > 1 - LEVEL else math.ceil(lead / (1 - slack))
    test = OrderTest(
        name="samples come no earlier than a shuffle buffer lets them",
        statistic=lead,
        expected=_expected_lead(n, source_size),
        deviation=None,
        p_value=max(math.exp(min(log_p, 0.0)), SMALLEST),
        tail="lower",
        n=n,
        method="exact",
        effect=f"no sample comes more than {lead - 1:,} places before its turn in a source of {source_size:,}",
    )
    return ShuffleBuffer(size=lead, low=lead, high=min(high, source_size), share=lead / source_size, test=test)


def _expected_lead(n: int, source_size: int) -> float:
    """The median of the largest lead in a full shuffle, by bisection of its exact law."""
    steps = np.arange(n)
    left = source_size - steps
    low, high = 1, source_size
    while low < high:
        middle = (low + high) // 2
        if float(np.log(np.minimum(middle, left) / left).sum()) < math.log(0.5):
            low = middle + 1
        else:
            high = middle
    return float(low)


def buffer_from_labels(
    codes: NDArray[np.integer], dataset: NDArray[np.integer] | None = None
) -> ShuffleBuffer | Inconclusive:
    """The size of a buffer over a source sorted by class, from the labels alone.

    The classes are put in the order of their mean positions, so that class k starts at c_k in the source. Two
    estimates:

    - Large classes: the first sample of class k leaves at T_k. It is read b − 1 steps ahead, and waits for a time d
      with P(> d) = exp(−d²/2b), since the share of its class in the buffer grows by 1/b a step: c_k + 1 − T_k = b − d.
      The median over the classes that start after the buffer was first filled, with an interval from the spread of d.
    - Small ones, of fewer than `FEW` · √b samples, whose start and order are lost in the wait (and any, behind a buffer
      of more than half the source): the spread of positions within classes, which a buffer widens to about n_k²/12 +
      b²; both ends of the stream are reckoned with (`_moments`). Only for a full epoch.

    The p-value, against a full shuffle, is that of `composition.drift`.

    Args:
        codes: Class of each sample in the order of the stream, shape (n,).
        dataset: Samples of each class in the source, shape (classes,); those of the stream, if it is a full epoch.

    Raises:
        ValueError: a code that is no class of the dataset.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> source, held, out = iter(np.repeat(np.arange(10), 100)), [], []
        >>> for label in source:
        ...     held.append(label)
        ...     if len(held) == 50:
        ...         out.append(held.pop(rng.integers(50)))
        >>> found = buffer_from_labels(np.array(out + rng.permutation(held).tolist()))
        >>> found.low <= 50 <= found.high
        True
    """
    given = np.asarray(codes)
    codes = canonical(given)
    n = len(codes)
    test = drift(codes)
    if isinstance(test, Inconclusive) or n < 20:
        return Inconclusive(reason="too few samples or classes to see a shuffle buffer in the labels")
    counts = np.bincount(codes)
    sizes = counts
    if dataset is not None:
        class_totals(given, dataset)
        sizes = np.asarray(dataset)[given[np.unique(codes, return_index=True)[1]]]
    source_size = int(np.sum(dataset)) if dataset is not None else n
    mean = np.bincount(codes, weights=np.arange(n)) / counts
    order = np.argsort(mean, kind="stable")
    starts = np.concatenate(([0], np.cumsum(sizes[order])[:-1]))
    found = _from_starts(codes, order, starts)
    if source_size == n and (found is None or found[0] > n / 2 or np.median(counts) < FEW * math.sqrt(found[0])):
        found = _from_spread(codes, counts, mean, order)
    size, low, high = found or (source_size, 1.0, source_size)
    if test.p_value > 1 - LEVEL:
        high = source_size
    return ShuffleBuffer(
        size=round(min(max(size, 1), source_size)),
        low=max(1, math.floor(low)),
        high=min(source_size, math.ceil(high)),
        share=min(max(size, 1), source_size) / source_size,
        test=test,
    )


def _from_starts(
    codes: NDArray[np.int32], order: NDArray[np.intp], starts: NDArray[np.int64]
) -> tuple[float, float, float] | None:
    """Estimate and interval; None where every class starts in the first filling."""
    firsts = np.full(len(order), len(codes))
    np.minimum.at(firsts, codes, np.arange(len(codes)))
    firsts = firsts[order]
    leads = np.maximum(starts - firsts + 1, 1)
    estimates = leads + np.sqrt(math.pi / 2 * leads)
    usable = estimates[(starts > 0) & (firsts > 0) & (estimates < starts)]
    if not len(usable):
        return None
    size = float(np.median(usable))
    # The wait has deviation sqrt((2 − π/2) b); a median varies 1.25 times as much as a mean.
    spread = 1.96 * 1.25 * math.sqrt((2 - math.pi / 2) * size / len(usable)) + 1
    return size, size - spread, size + spread


def _moments(size: float, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and second moments of the step at which each source position leaves a buffer of `size`, shape (n,) each.

    Position s enters at max(s − b, 0) and waits an exponential time with mean b; what is still there after n − b steps
    leaves at a uniform one of the last b.
    """
    entered = np.maximum(np.arange(n) - size, 0.0)
    end = n - size
    room = np.maximum(end - entered, 0.0)
    stays = np.exp(-room / size)
    # ∫₀^room of (entered + w)^j exp(−w/b)/b dw
    one = size * (1 - stays) - room * stays
    two = 2 * size * one - room**2 * stays
    first = entered * (1 - stays) + one
    second = entered**2 * (1 - stays) + 2 * entered * one + two
    middle, square = end + size / 2, (n**3 - end**3) / (3 * size)
    return first + stays * middle, second + stays * square


def _from_spread(
    codes: NDArray[np.int32], counts: NDArray[np.int64], mean: NDArray[np.float64], order: NDArray[np.intp]
) -> tuple[float, float, float]:
    n = len(codes)
    squares = (np.arange(n) - mean[codes]) ** 2 * (counts / np.maximum(counts - 1, 1))[codes] * (counts > 1)[codes]
    observed = float(squares.sum()) / n
    error = 1.96 * float(squares.std()) / math.sqrt(n)
    begins = np.concatenate(([0], np.cumsum(counts[order])[:-1]))
    repeated = counts[order][counts[order] > 1]

    def expected(size: float) -> float:
        first, second = _moments(size, n)
        kept = counts[order] > 1
        ones, twos = np.add.reduceat(first, begins)[kept], np.add.reduceat(second, begins)[kept]
        own = np.add.reduceat(first**2, begins)[kept]
        # Σ (t − mean)² n/(n−1) = Σ t² − Σ_{i≠j} t_i t_j/(n − 1), with independent waits.
        return float((twos - (ones**2 - own) / (repeated - 1)).sum()) / n

    def solve(target: float) -> float:
        low, high = 1.0, float(n)
        while high - low > 0.25:
            middle = (low + high) / 2
            low, high = (middle, high) if expected(middle) < target else (low, middle)
        return (low + high) / 2

    return solve(observed), solve(observed - error), solve(observed + error)


def late_classes(codes: NDArray[np.integer]) -> OrderTest | Inconclusive:
    """Whether a class begins later, or ends earlier, than a shuffled order makes likely.

    P(none of the first t samples is of class k) = C(N − t, n_k)/C(N, n_k), exact; the smallest of all classes and both
    ends is corrected for their number.

    Args:
        codes: Class of each sample in the order of the stream, shape (n,).

    Example:
        >>> late_classes(np.repeat([0, 1], 100)).p_value < 1e-50
        True
    """
    from scipy.special import gammaln

    codes = canonical(codes)
    n = len(codes)
    counts = np.bincount(codes)
    if len(counts) < 2:
        return Inconclusive(reason="there is one class, so that none can begin late")
    firsts, lasts = np.full(len(counts), n), np.full(len(counts), -1)
    np.minimum.at(firsts, codes, np.arange(n))
    np.maximum.at(lasts, codes, np.arange(n))
    waits = np.maximum(firsts, n - 1 - lasts)
    log_p = gammaln(n - waits + 1) - gammaln(n - waits - counts + 1) - gammaln(n + 1) + gammaln(n - counts + 1)
    best = int(np.argmin(log_p))
    expected = (n - counts[best]) / (counts[best] + 1.0)
    end = "begins only after" if firsts[best] >= n - 1 - lasts[best] else "ends before the last"
    return OrderTest(
        name="a class begins late or ends early",
        statistic=float(waits[best]),
        expected=float(expected),
        deviation=None,
        p_value=max(bonferroni(math.exp(min(float(log_p[best]), 0.0)), 2 * len(counts)), SMALLEST),
        tail="upper",
        n=n,
        method="bound",
        effect=f"a class of {counts[best]:,} samples {end} {waits[best]:,} of {n:,}, about {expected:.0f} if shuffled",
    )

"""Joins and runs: whether equal labels follow each other more, or less, often than in a shuffled order.

A join at lag m is a pair of positions i, i + m with the same label. All laws are those of a random permutation of the
labels that were seen, so that they hold for a full epoch, for a prefix of one, and for sampling with replacement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataguard.batches.significance import (
    SMALLEST,
    OrderTest,
    binomial_moments,
    bonferroni,
    decide,
    moment_bound,
    normal_tail,
    shuffles,
)
from dataguard.core.finding import Inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_DEGREE = 512
"""Highest binomial moment of the number of joins. With it an excess of 4 % gives p < 1e-4 however long the stream, and
up to 20,000 samples the bound is within a factor of ten of the tail."""
SIZE_BIAS = 7.0
"""How many joins can arise when two positions are forced to agree by swapping labels: at most the seven pairs that
touch the four positions involved."""
TRUSTED_JOINS = 10.0
"""Expected joins from which the lower normal tail needs no permutations: its chance was at most 1.03 times the level at
0.01 and 0.001, mostly well below, in 20,000 shuffles of each of 13 designs, since the law leans to the right."""
MAX_LAG = 1_024
"""Lags that are looked at for a period."""


def canonical(codes: NDArray[np.integer]) -> NDArray[np.int32]:
    """`codes` numbered anew by first appearance, so that no result depends on how classes are numbered.

    Raises:
        ValueError: a negative code, which stands for a sample without a class: leave those out.
    """
    codes = np.asarray(codes)
    n = len(codes)
    if n and int(codes.min()) < 0:
        raise ValueError("codes: expected 0 or more; leave out samples without a class")
    top = int(codes.max(initial=-1)) + 1
    if top > 4 * n + 1_000:
        codes = np.unique(codes, return_inverse=True)[1]
        top = int(codes.max()) + 1
    first = np.full(top, n)
    first[codes[::-1]] = np.arange(n - 1, -1, -1)  # of several writes to a place the last one stays
    place = np.cumsum(first[codes] == np.arange(n), dtype=np.int32) - 1
    return np.asarray(place[first[codes]], dtype=np.int32)


def joins_moments(counts: NDArray[np.integer], n: int, lag: int = 1) -> tuple[float, float]:
    """Exact mean and variance of the number of joins at `lag` in a random permutation.

    With falling factorials, q2 = Σ n_k⁽²⁾/N⁽²⁾, q3 = Σ n_k⁽³⁾/N⁽³⁾ and q4 = [Σ n_k⁽⁴⁾ + (Σ n_k⁽²⁾)² − Σ
    (n_k⁽²⁾)²]/N⁽⁴⁾: E = A q2 and Var = A q2 + 2D q3 + (A(A−1) − 2D) q4 − E², where A = N − m pairs share D = N − 2m
    positions.

    Args:
        counts: Samples of each class that joins are counted for, shape (classes,).
        n: All samples of the stream.
        lag: m.
    """
    a, d = n - lag, max(n - 2 * lag, 0)
    if a <= 0:
        return 0.0, 0.0
    k = counts.astype(np.float64)
    k2, k3 = k * (k - 1), k * (k - 1) * (k - 2)
    q2 = float(k2.sum()) / (n * (n - 1))
    q3 = float(k3.sum()) / (n * (n - 1) * (n - 2)) if n > 2 else 0.0
    k4 = float((k3 * (k - 3)).sum() + k2.sum() ** 2 - (k2**2).sum())
    q4 = k4 / (n * (n - 1) * (n - 2) * (n - 3)) if n > 3 else 0.0
    mean = a * q2
    return mean, max(mean + 2 * d * q3 + (a * (a - 1) - 2 * d) * q4 - mean**2, 0.0)


def joins_log_moments(counts: NDArray[np.integer], n: int, degree: int) -> NDArray[np.float64]:
    """Log E[C(J, j)] for j = 0 … degree of the number J of joins at lag 1 in a random permutation, exact.

    Marking j joins glues n_k samples of a class into n_k − j_k blocks, in C(n_k − 1, j_k) ways, and the N − j blocks of
    all classes stand in any order: E[C(J, j)] = (N − j)!/N! Σ_{Σ j_k = j} Π C(n_k − 1, j_k) n_k!/(n_k − j_k)!. The sum
    is the coefficient of a product of polynomials, one a class.

    Args:
        counts: Samples of each class that joins are counted for, shape (classes,); each at least 1.
        n: All samples of the stream.
        degree: Highest j.
    """
    from scipy.special import gammaln

    def terms(size: int, degree: int) -> NDArray[np.float64]:
        j = np.arange(degree + 1)
        within = j < size
        j = np.minimum(j, size - 1)
        choose = gammaln(size) - gammaln(j + 1) - gammaln(size - j)
        return np.asarray(np.where(within, choose + gammaln(size + 1) - gammaln(size - j + 1), -np.inf))

    sizes, multiplicities = np.unique(counts[counts > 1], return_counts=True)
    log_moments = np.full(degree + 1, -np.inf)
    log_moments[0] = 0.0
    if len(sizes):
        first = math.log(float((multiplicities * sizes.astype(np.float64) * (sizes - 1)).sum()))
        pairs = zip(sizes.tolist(), multiplicities.tolist(), strict=True)
        j = np.arange(degree + 1)
        log_moments = binomial_moments(terms, pairs, degree, first) + gammaln(n - j + 1) - gammaln(n + 1)
    return log_moments


def _counted(codes: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Counts of the classes that joins are counted for, and which samples are in one of them.

    A class of more than half of all samples is left out: most of its joins are unavoidable, and would hide those of the
    rest. For two classes nothing is lost, since their runs alternate.
    """
    counts = np.bincount(codes)
    largest = int(counts.argmax())
    if 2 * counts[largest] <= len(codes):
        return counts, np.ones(len(codes), dtype=bool)
    return np.delete(counts, largest), codes != largest


def _too_few(codes: NDArray[np.int32]) -> Inconclusive | None:
    if len(codes) < 4:
        return Inconclusive(reason=f"{len(codes)} labels are too few to speak of an order")
    if codes.max() == 0:
        return Inconclusive(reason="all labels seen are the same, so that their order says nothing")
    return None


def _upper(counts: NDArray[np.int64], n: int, joins: int, expected: float) -> float:
    if joins <= expected:
        return 1.0
    # About the best j for a law between Poisson's and a binomial of one half.
    degree = int(min(MAX_DEGREE, joins, 4 * (joins - expected) + 16))
    return moment_bound(joins_log_moments(counts, n, degree), joins)


def clustering(codes: NDArray[np.integer]) -> OrderTest | Inconclusive:
    """Whether equal labels follow each other too often: sorted, block-sorted, or badly shuffled.

    The statistic is the number of joins at lag 1, of all classes but one that holds more than half of the samples. The
    p-value is a proven bound by exact binomial moments (`joins_log_moments`), valid for any class counts.

    Args:
        codes: Class of each sample in the order of the stream, shape (n,).

    Example:
        >>> test = clustering(np.repeat(np.arange(10), 32))
        >>> int(test.statistic), round(test.expected, 1), test.p_value < 1e-100
        (310, 31.0, True)
    """
    codes = canonical(codes)
    if (few := _too_few(codes)) is not None:
        return few
    n = len(codes)
    counts, counted = _counted(codes)
    joins = int(((codes[1:] == codes[:-1]) & counted[1:]).sum())
    mean, variance = joins_moments(counts, n)
    return OrderTest(
        name="equal neighbours, too many",
        statistic=joins,
        expected=mean,
        deviation=math.sqrt(variance),
        p_value=_upper(counts, n, joins, mean),
        tail="upper",
        n=n,
        method="bound",
        effect=_neighbours(codes, counts, counted),
    )


def _neighbours(codes: NDArray[np.int32], counts: NDArray[np.int64], counted: NDArray[np.bool_]) -> str:
    share = ((codes[1:] == codes[:-1]) & counted[1:]).sum() / max(int(counted[1:].sum()), 1)
    chance = float((counts * (counts - 1.0)).sum() / (max(int(counts.sum()), 1) * (len(codes) - 1)))
    which = "" if counted.all() else " outside the largest class"
    return f"{share:.1%} of samples{which} follow one of their own class, {chance:.1%} if shuffled"


def alternation(codes: NDArray[np.integer], *, seed: int = 0) -> OrderTest | Inconclusive:
    """Whether equal labels follow each other too seldom: round robin, interleaved files.

    The lower tail of the number of joins at lag 1. A proven bound by size-biased coupling, exp(−(E − J)²/14E) (Cook,
    Goldstein and Johnson 2018, theorem 3.3, https://doi.org/10.1214/17-AOP1180), settles gross cases; otherwise a
    normal tail with exact mean and variance, checked by permutations.

    Args:
        codes: Class of each sample in the order of the stream, shape (n,).
        seed: Seed of the permutations.

    Example:
        >>> test = alternation(np.tile(np.arange(4), 100))
        >>> int(test.statistic), test.p_value < 1e-3
        (0, True)
    """
    codes = canonical(codes)
    if (few := _too_few(codes)) is not None:
        return few
    n = len(codes)
    counts, counted = _counted(codes)
    ours = np.where(counted, codes, -1).astype(np.int32)

    def count(order: NDArray[np.int32]) -> NDArray[np.float64]:
        return np.asarray(((order[..., 1:] == order[..., :-1]) & (order[..., 1:] >= 0)).sum(axis=-1), dtype=np.float64)

    joins = float(count(ours))
    mean, variance = joins_moments(counts, n)
    deviation = math.sqrt(variance)
    short = mean - joins
    tail = decide(
        joins,
        tail="lower",
        asymptotic=normal_tail((short - 0.5) / deviation) if deviation else 1.0,
        bound=math.exp(-(short**2) / (2 * SIZE_BIAS * mean)) if short > 0 else 1.0,
        trusted=mean >= TRUSTED_JOINS,
        simulate=lambda rng, m: count(shuffles(rng, ours, m)),
        draws=n,
        seed=seed,
    )
    return tail.order_test(
        name="equal neighbours, too few",
        statistic=joins,
        expected=mean,
        deviation=deviation,
        tail="lower",
        n=n,
        effect=_neighbours(codes, counts, counted),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """The lag at which labels repeat most surprisingly."""

    lag: int
    """In samples."""
    share: float
    """Share of the pairs at this lag that agree."""
    chance: float
    """The same in a random order."""
    test: OrderTest
    """Its p-value is corrected for all lags looked at."""


def period(codes: NDArray[np.integer], *, max_lag: int = MAX_LAG) -> Period | Inconclusive:
    """Whether labels come round again after a fixed number of samples: round robin, interleaved files.

    Joins are counted at every lag from 2 to `max_lag`. Their law at lag m is never above that at lag 1: written residue
    by residue modulo m, a lag-m join is a join of neighbours, and a random order stays random. So the bound of
    `clustering` holds, times the number of lags. A sorted stream agrees at every lag, and more so the shorter; the lag
    that is returned is the one whose agreement exceeds that of lag 1 most.

    Args:
        codes: Class of each sample in the order of the stream, shape (n,).
        max_lag: Largest lag, in samples; at most a quarter of the stream is used.

    Example:
        >>> found = period(np.tile(np.arange(5), 60))
        >>> found.lag, found.share, found.test.p_value < 1e-50
        (5, 1.0, True)
    """
    codes = canonical(codes)
    if (few := _too_few(codes)) is not None:
        return few
    n = len(codes)
    lags = np.arange(2, min(max_lag, n // 4) + 1)
    if not len(lags):
        return Inconclusive(reason=f"{n} labels are too few to look for a period")
    counts, counted = _counted(codes)
    ours = np.where(counted, codes, -1)
    other = np.where(counted, codes, -2)
    joins = np.array([np.count_nonzero(ours[lag:] == other[:-lag]) for lag in range(1, int(lags[-1]) + 1)])
    at = int(np.argmax(joins[1:] / (n - lags)))
    lag = int(lags[at])
    mean, variance = joins_moments(counts, n, lag)
    p = _upper(counts, n, int(joins[lag - 1]), joins_moments(counts, n)[0])
    if joins[lag - 1] / (n - lag) <= joins[0] / (n - 1):
        p = 1.0  # Agreement that only falls with distance is a sorted stream, not a period.
    share, chance = float(joins[lag - 1] / (n - lag)), mean / (n - lag)
    test = OrderTest(
        name="labels come round again",
        statistic=float(joins[lag - 1]),
        expected=mean,
        deviation=math.sqrt(variance),
        p_value=bonferroni(p, len(lags)),
        tail="upper",
        n=n,
        method="bound",
        effect=f"{share:.1%} of samples have the class of the one {lag} before, {chance:.1%} if shuffled",
    )
    return Period(lag=lag, share=share, chance=chance, test=test)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The most surprising unbroken run of one class."""

    code: int
    """The class, as the caller numbers it."""
    start: int
    """Position of its first sample in the stream."""
    length: int
    test: OrderTest


def longest_run(codes: NDArray[np.integer]) -> Run | Inconclusive:
    """The run of one class that a random order explains least.

    For each class the chance of a run of its longest length L is at most (N − n_k + 1) C(N − L, n_k − L)/C(N, n_k) (the
    expected number of runs that reach L), and the smallest is corrected for the number of classes.

    Args:
        codes: Class of each sample in the order of the stream, shape (n,).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = rng.integers(0, 10, 1000)
        >>> labels[300:340] = 7
        >>> run = longest_run(labels)
        >>> run.code, run.length >= 40, run.test.p_value < 1e-20
        (7, True, True)
    """
    from scipy.special import gammaln

    given = np.asarray(codes)
    codes = canonical(given)
    if (few := _too_few(codes)) is not None:
        return few
    n = len(codes)
    starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    lengths = np.diff(np.append(starts, n))
    counts = np.bincount(codes).astype(np.float64)
    longest = np.zeros(len(counts), dtype=np.int64)
    np.maximum.at(longest, codes[starts], lengths)
    log_p = np.log(n - counts + 1)
    log_p += gammaln(n - longest + 1) - gammaln(counts - longest + 1) - gammaln(n + 1) + gammaln(counts + 1)
    best = int(np.argmin(log_p))
    run = int(np.flatnonzero((codes[starts] == best) & (lengths == longest[best]))[0])
    length = int(longest[best])
    typical = math.log(n) / -math.log(counts[best] / n) if counts[best] > 1 else 1.0
    test = OrderTest(
        name="longest run of one class",
        statistic=length,
        expected=typical,
        deviation=None,
        p_value=bonferroni(max(math.exp(min(float(log_p[best]), 0.0)), SMALLEST), len(counts)),
        tail="upper",
        n=n,
        method="bound",
        effect=f"{length} samples of one class in a row, about {typical:.0f} if shuffled",
    )
    return Run(code=int(given[starts[run]]), start=int(starts[run]), length=length, test=test)

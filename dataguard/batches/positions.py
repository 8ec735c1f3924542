"""Where samples stand in their source: whether the stream follows the order on disk.

All functions take the position of each sample in the source (or in another epoch), 0 … N − 1, in the order of the
stream; −1 marks a sample whose position is not known.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dataguard.batches.composition import batch_index, drift
from dataguard.batches.significance import (
    OrderTest,
    bonferroni,
    decide,
    moment_bound,
    normal_tail,
    shuffles,
)
from dataguard.core.finding import Inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRUSTED_LENGTH = 100
"""Samples from which the normal tails of rank statistics need no permutations; their laws have lighter tails."""


def successor_log_moments(n: int, source_size: int, degree: int) -> NDArray[np.float64]:
    """Log E[C(S, j)] of the number S of samples followed by their successor in the source, exact.

    In a random order of n of N samples, C(n − 1, j) (N − j)!/N!: close to Poisson's law with mean (n − 1)/N.
    """
    from scipy.special import gammaln

    j = np.arange(degree + 1)
    return np.asarray(
        gammaln(n) - gammaln(j + 1) - gammaln(n - j) + gammaln(source_size - j + 1) - gammaln(source_size + 1)
    )


def successors(positions: NDArray[np.integer], source_size: int) -> OrderTest | Inconclusive:
    """Whether samples are followed by their neighbour in the source, forwards or backwards.

    Shuffled, about one sample of a whole epoch is (Poisson's law). The p-value is a bound from exact binomial moments,
    times two for the two directions; it also holds for sampling with replacement.

    Args:
        positions: Position in the source, −1 if unknown, shape (n,).
        source_size: N.

    Example:
        >>> test = successors(np.arange(100), 1000)
        >>> int(test.statistic), test.p_value < 1e-100
        (99, True)
    """
    positions = np.asarray(positions)
    n = len(positions)
    if n < 2 or source_size < 2:
        return Inconclusive(reason=f"{n} of {source_size} samples are too few to speak of an order")
    known = (positions[1:] >= 0) & (positions[:-1] >= 0)
    step = np.where(known, positions[1:].astype(np.int64) - positions[:-1], 0)
    forward, backward = int((step == 1).sum()), int((step == -1).sum())
    count = max(forward, backward)
    bound = moment_bound(successor_log_moments(n, source_size, min(count, 512, n - 1, source_size)), count)
    mean = (n - 1) / source_size
    way = "next" if forward >= backward else "previous"
    return OrderTest(
        name="samples follow each other as in the source",
        statistic=count,
        expected=mean,
        deviation=math.sqrt(mean),
        p_value=bonferroni(bound, 2),
        tail="upper",
        n=n,
        method="bound",
        effect=f"{count:,} of {n - 1:,} samples are followed by the {way} one of the source, {mean:.2g} if shuffled",
    )


def _known(positions: NDArray[np.integer]) -> NDArray[np.integer]:
    positions = np.asarray(positions)
    return positions[positions >= 0]


def _too_few(n: int) -> Inconclusive:
    return Inconclusive(reason=f"{n} samples with a known position are too few to speak of an order")


def _ranks(values: NDArray[np.integer]) -> NDArray[np.float64]:
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks - (len(values) - 1) / 2


def trend(positions: NDArray[np.integer], *, seed: int = 0) -> OrderTest | Inconclusive:
    """Whether the stream runs through the source from one end to the other, whatever the disorder on the way.

    Spearman's rank correlation of position in the stream and in the source; its variance is 1/(n − 1). Either sign
    counts.

    Args:
        positions: Position in the source, −1 if unknown, shape (n,).
        seed: Seed of the permutations.
    """
    positions = _known(positions)
    n = len(positions)
    if n < 5:
        return _too_few(n)
    ranks = _ranks(positions)
    time = np.arange(n) - (n - 1) / 2
    norm = float(time @ time)
    observed = abs(float(time @ ranks)) / norm
    deviation = 1 / math.sqrt(n - 1)
    order = np.argsort(positions, kind="stable").astype(np.int32)

    def simulate(rng: np.random.Generator, m: int) -> NDArray[np.float64]:
        return np.asarray(np.abs((shuffles(rng, order, m) - (n - 1) / 2) @ time) / norm)

    found = decide(
        observed,
        tail="upper",
        asymptotic=bonferroni(normal_tail(observed / deviation), 2),
        trusted=n >= TRUSTED_LENGTH,
        simulate=simulate,
        draws=n,
        seed=seed,
    )
    sign = "rank correlation" if float(time @ ranks) >= 0 else "negative rank correlation"
    return found.order_test(
        name="the stream runs through the source",
        statistic=observed,
        expected=0.0,
        deviation=deviation,
        tail="upper",
        n=n,
        effect=f"{sign} {observed:.3f} of position in the stream and in the source, 0 ± {deviation:.3f} if shuffled",
    )


def nearness(positions: NDArray[np.integer], *, seed: int = 0) -> OrderTest | Inconclusive:
    """Whether samples that follow each other also stand close in the source: shards, files, or blocks left together.

    Bartels's rank version of von Neumann's ratio, Σ (R_i − R_{i+1})², with its exact moments and a normal tail (Bartels
    1982, https://doi.org/10.1080/01621459.1982.10477764). Sees shuffled blocks of a source, where `trend` is blind.

    Args:
        positions: Position in the source, −1 if unknown, shape (n,).
        seed: Seed of the permutations.
    """
    positions = _known(positions)
    n = len(positions)
    if n < 10:
        return _too_few(n)
    ranks = _ranks(positions)

    def ratio(order: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((np.diff(order, axis=-1) ** 2).sum(axis=-1) / (n * (n * n - 1) / 12))

    observed = float(ratio(ranks))
    deviation = math.sqrt(4 * (n - 2) * (5 * n * n - 2 * n - 9) / (5 * n * (n + 1) * (n - 1) ** 2))
    order = np.arange(n, dtype=np.int32)
    found = decide(
        observed,
        tail="lower",
        asymptotic=normal_tail((2 - observed) / deviation),
        trusted=n >= TRUSTED_LENGTH,
        simulate=lambda rng, m: ratio(shuffles(rng, order, m).astype(np.float64)),
        draws=n,
        seed=seed,
    )
    return found.order_test(
        name="neighbours in the stream are near each other in the source",
        statistic=observed,
        expected=2.0,
        deviation=deviation,
        tail="lower",
        n=n,
        effect=f"the step in the source from sample to sample is {math.sqrt(observed / 2):.1%} of that if shuffled",
    )


def batch_nearness(
    positions: NDArray[np.integer], batch_sizes: NDArray[np.integer], *, seed: int = 0
) -> OrderTest | Inconclusive:
    """Whether a batch is drawn from one place of the source: shuffled within batches, or batches in shuffled order.

    Kruskal and Wallis's H of source positions by batch (`composition.drift`).

    Args:
        positions: Position in the source, −1 if unknown, shape (n,).
        batch_sizes: Shape (batches,), adding up to n.
        seed: Seed of the permutations.

    Raises:
        ValueError: the sizes do not add up.
    """
    positions = np.asarray(positions)
    batch = batch_index(batch_sizes, len(positions))
    known = positions >= 0
    return drift(batch[known], positions=positions[known], seed=seed, name="batches come from one place in the source")

"""p-values of statistics of a random order: exact inequalities, moment-matched tails, and Monte-Carlo permutations.

Every p-value here is *valid*: under the null hypothesis the chance of p <= u is at most u, for every u <= 0.05. Three
ways lead there, and a test takes the first that answers:

1. an exact law or a proven inequality on the tail (`method` "exact" or "bound"), which reaches 1e-300 without
simulation; 2. a tail matched to exact moments ("asymptotic"), reported as it stands above `VETO_LEVEL`, where no level
is ever set; 3. below it, the larger of that tail and of a Monte-Carlo p-value ("Monte Carlo"), which is exact for any
sample size.

The third is why rare classes do not cry wolf: an asymptotic tail may be wrong by orders of magnitude there, but it can
only ever be raised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["exact", "bound", "asymptotic", "Monte Carlo"]
"""How a p-value came about: an exact law; an inequality that is never below it; matched moments; permutations."""

VETO_LEVEL = 0.05
"""Asymptotic p-values below this are checked by permutations. No rule decides at a higher level."""
SETTLED = 1e-4
"""A proven bound below this says more than permutations could (their smallest p-value), so nothing is simulated."""
EXCEEDANCES = 20
"""Permutations stop after so many that are as extreme (Besag and Clifford 1991, with h = 20)."""
MAX_PERMUTATIONS = 9_999
"""The smallest Monte-Carlo p-value is 1e-4: below 0.01 after correction for 100 tests."""
MAX_DRAWS = 40_000_000
"""Labels that one test may shuffle in all, about 0.5 s; beyond it there are fewer permutations."""
MIN_PERMUTATIONS = 199
"""Where fewer are affordable, none is drawn, and a proven bound stands in for them: streams of more than 200,000
samples."""
TIE = 1e-9
"""Relative slack in comparing a permuted statistic with the observed one, against rounding in sums."""
FAINT = 1e-240
"""Coefficients below this, after scaling, may have lost terms to underflow (each below 1e-308 · exp(90)) and are not
used."""
SMALLEST = 1e-300
"""Bounds below this are reported as this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderTest:
    """One statistic of an order, held against what a random order would give."""

    name: str
    """What is tested, in words."""
    statistic: float
    """What was observed."""
    expected: float
    """Its mean in a random order."""
    deviation: float | None
    """Its standard deviation in a random order; None where the p-value rests on a bound that does not need it."""
    p_value: float
    """Chance of a value at least as extreme in a random order, or an upper bound of it."""
    tail: Literal["upper", "lower"]
    """Which values are extreme."""
    n: int
    """How many samples it rests on."""
    method: Method
    """How the p-value came about."""
    permutations: int = 0
    """How many permutations were drawn; 0 where none were."""
    seed: int | None = None
    """Their seed."""
    effect: str
    """The size of the effect, as a phrase that a report can use."""

    @property
    def z(self) -> float:
        """Deviations from the mean; NaN where the deviation is not known or zero."""
        return (self.statistic - self.expected) / self.deviation if self.deviation else math.nan


@dataclass(frozen=True, kw_only=True, slots=True)
class Tail:
    """A p-value and how it came about."""

    p_value: float
    method: Method
    permutations: int = 0
    seed: int | None = None

    def order_test(
        self,
        *,
        name: str,
        statistic: float,
        expected: float,
        deviation: float | None,
        tail: Literal["upper", "lower"],
        n: int,
        effect: str,
    ) -> OrderTest:
        """The test that this is the p-value of."""
        return OrderTest(
            name=name,
            statistic=statistic,
            expected=expected,
            deviation=deviation,
            p_value=self.p_value,
            tail=tail,
            n=n,
            method=self.method,
            permutations=self.permutations,
            seed=self.seed,
            effect=effect,
        )


def bonferroni(p_value: float, tests: int) -> float:
    """The p-value of the smallest of `tests` p-values."""
    return min(1.0, p_value * tests)


def binomial_moments(
    terms: Callable[[int, int], NDArray[np.float64]], groups: Iterable[tuple[int, int]], degree: int, log_first: float
) -> NDArray[np.float64]:
    """Logarithms of the coefficients of Π_g a_g(x)^multiplicity, to `degree`, of polynomials with positive ones.

    The binomial moments E[C(S, j)] of joins, matches and single-label batches in a random order are such products over
    the classes, so that all of them are exact. Sums have no cancellation: every term is positive.

    Args:
        terms: ``terms(group, degree)`` gives log a_g,0 … log a_g,degree (−inf for zero), float64; a_g,0 is 1.
        groups: Pairs of a group and how many classes have this same polynomial.
        degree: Highest power wanted.
        log_first: log Σ_g multiplicity·a_g,1, by which x is scaled so that nothing over- or underflows.

    Returns:
        Shape (degree + 1,); −inf where a coefficient is zero or too small to be trusted.
    """
    # With x scaled so that the product is about exp(t), the terms t^j / j! for j <= degree stay within 1e±300.
    scale = math.log(min(90.0, max(1.0, degree / 2))) - log_first
    powers = np.arange(degree + 1)
    product = np.zeros(degree + 1)
    product[0] = 1.0
    for group, multiplicity in groups:
        log_factor = terms(group, degree) + powers * scale
        factor = np.exp(np.maximum(log_factor, -745.0)) * np.isfinite(log_factor)
        factor = np.trim_zeros(factor, "b")
        left = multiplicity
        while left:
            if left & 1:
                product = np.convolve(product, factor)[: degree + 1]
            left >>= 1
            if left:
                factor = np.convolve(factor, factor)[: degree + 1]
    kept = product > FAINT
    return np.asarray(np.where(kept, np.log(np.where(kept, product, 1.0)), -np.inf) - powers * scale)


def moment_bound(log_moments: NDArray[np.float64], count: int) -> float:
    """An upper bound of P(S >= count) from the binomial moments of S: min over j of E[C(S, j)] / C(count, j).

    Markov's inequality for C(S, j), never worse than Chernoff's bound (Philips and Nelson 1995,
    https://doi.org/10.1080/00031305.1995.10476137), and exact in the limit of rare events.

    Args:
        log_moments: log E[C(S, j)] for j = 0 …, float64; −inf where it is not known.
        count: The observed S.
    """
    from scipy.special import gammaln

    if count <= 0:
        return 1.0
    j = np.flatnonzero(np.isfinite(log_moments[: count + 1]))
    log_choose = gammaln(count + 1) - gammaln(j + 1) - gammaln(count - j + 1)
    return float(np.clip(np.exp(np.min(log_moments[j] - log_choose)), SMALLEST, 1.0))


def cantelli(z: float) -> float:
    """An upper bound of the chance to lie at least z deviations on one side of the mean, for any law."""
    return 1.0 / (1.0 + z * z) if z > 0 else 1.0


def gamma_tail(value: float, mean: float, deviation: float, tail: Literal["upper", "lower"]) -> float:
    """A tail of the gamma law with this mean and deviation; for statistics like χ²."""
    from scipy.special import gammainc, gammaincc

    if deviation <= 0 or mean <= 0:
        return 1.0
    shape, scale = (mean / deviation) ** 2, deviation**2 / mean
    at = max(value, 0.0) / scale
    return float(gammaincc(shape, at) if tail == "upper" else gammainc(shape, at))


def normal_tail(z: float) -> float:
    """P(Z >= z) of the standard normal law."""
    from scipy.special import ndtr

    return float(ndtr(-z))


def decide(
    observed: float,
    *,
    tail: Literal["upper", "lower"],
    asymptotic: float,
    bound: float = 1.0,
    trusted: bool = False,
    simulate: Callable[[np.random.Generator, int], NDArray[np.float64]],
    draws: int,
    seed: int,
) -> Tail:
    """The p-value of `observed`: a bound that settles it, or the asymptotic one with permutations as its veto.

    Args:
        observed: The statistic.
        tail: Which side is extreme.
        asymptotic: Its p-value by matched moments.
        bound: A proven upper bound of its p-value; 1 where there is none.
        trusted: Whether the asymptotic p-value needs no check, by the test's own measured rule.
        simulate: ``simulate(rng, m)`` gives m values of the statistic in random orders, float64 (m,).
        draws: What one permutation costs, in labels shuffled.
        seed: Seed of the permutations.
    """
    if bound <= SETTLED:
        return Tail(p_value=max(bound, SMALLEST), method="bound")
    asymptotic = min(max(asymptotic, SMALLEST), 1.0)
    if trusted or asymptotic >= VETO_LEVEL:
        return Tail(p_value=asymptotic, method="asymptotic")
    limit = min(MAX_PERMUTATIONS, MAX_DRAWS // max(draws, 1))
    if limit < MIN_PERMUTATIONS:
        return Tail(p_value=max(asymptotic, bound), method="bound")
    p, drawn, exceeded = monte_carlo(observed, simulate, tail=tail, limit=limit, draws=draws, seed=seed)
    if exceeded == 0 and limit < MAX_PERMUTATIONS:
        # A very long stream: too few permutations to reach a small p-value, and none contradicts the asymptotic one.
        return Tail(p_value=asymptotic, method="asymptotic", permutations=drawn, seed=seed)
    return Tail(p_value=max(p, asymptotic), method="Monte Carlo", permutations=drawn, seed=seed)


def monte_carlo(
    observed: float,
    simulate: Callable[[np.random.Generator, int], NDArray[np.float64]],
    *,
    tail: Literal["upper", "lower"],
    limit: int = MAX_PERMUTATIONS,
    draws: int = 1,
    seed: int,
) -> tuple[float, int, int]:
    """A sequential Monte-Carlo p-value, exact for any sample size.

    Stops at the h-th simulated value that is as extreme, with p = h / L after L values; otherwise p = (b + 1) / (m + 1)
    (Besag and Clifford 1991, https://doi.org/10.1093/biomet/78.2.301).

    Returns:
        The p-value, how many values were simulated, and how many were as extreme.
    """
    rng = np.random.default_rng(seed)
    slack = TIE * max(1.0, abs(observed))
    done = exceeded = 0
    chunk = 64
    while done < limit:
        size = min(chunk, limit - done, max(1, 4_000_000 // max(draws, 1)))
        values = simulate(rng, size)
        extreme = values >= observed - slack if tail == "upper" else values <= observed + slack
        if exceeded + int(extreme.sum()) >= EXCEEDANCES:
            drawn = done + int(np.flatnonzero(extreme)[EXCEEDANCES - exceeded - 1]) + 1
            return EXCEEDANCES / drawn, drawn, EXCEEDANCES
        exceeded += int(extreme.sum())
        done += size
        chunk *= 2
    return (exceeded + 1) / (done + 1), done, exceeded


def shuffles(rng: np.random.Generator, values: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """`count` random permutations of `values`, shape (count, n).

    Values are sorted by random keys, both packed into 32 bits, which is six times as fast as a shuffle. The few equal
    keys (at most one in a hundred) come in an order of values that is drawn for each permutation, so that none is
    favoured.

    Args:
        rng: Where the randomness comes from.
        values: Shape (n,), each at least −1.
        count: How many permutations.
    """
    n = len(values)
    bits = max(int(values.max(initial=0)) + 1, 1).bit_length()
    if n > 2.0 ** (33 - bits) / 100:
        return rng.permuted(np.broadcast_to(values, (count, n)), axis=1)
    low = np.uint32((1 << bits) - 1)
    masks = rng.integers(0, 1 << bits, size=(count, 1), dtype=np.uint32)
    keys = rng.integers(0, 1 << 32, size=(count, n), dtype=np.uint32)
    keys &= ~low
    keys |= (values + 1).astype(np.uint32) ^ masks
    keys.sort(axis=1)
    keys &= low
    keys ^= masks
    return keys.astype(np.int32) - 1

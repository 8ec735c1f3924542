"""Agreement of two sequences, place by place, against that of shuffled ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dataguard.batches.significance import OrderTest, binomial_moments, moment_bound
from dataguard.core.finding import Inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_DEGREE = 512
"""Highest binomial moment of the number of matches."""


def paired(first: NDArray[np.generic], second: NDArray[np.generic]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both sequences as codes from 0, equal where the values are."""
    _, inverse = np.unique(np.concatenate([first, second]), return_inverse=True)
    return inverse[: len(first)], inverse[len(first) :]


def matches_moments(first: NDArray[np.integer], second: NDArray[np.integer], n: int) -> tuple[float, float]:
    """Exact mean and variance of the number of matches when one of the sequences is shuffled.

    Args:
        first: How often each counted value is in one sequence, shape (values,).
        second: The same for the other.
        n: Length of both.
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    mean = float((a * b).sum()) / n
    if n < 2:
        return mean, 0.0
    # E[A(A−1)] = Σ_k a_k⁽²⁾ b_k⁽²⁾ + Σ_{k≠l} a_k a_l b_k b_l, over N(N−1).
    pairs = float((a * (a - 1) * b * (b - 1)).sum() + (a * b).sum() ** 2 - ((a * b) ** 2).sum()) / (n * (n - 1.0))
    return mean, max(pairs + mean - mean**2, 0.0)


def matches_log_moments(
    first: NDArray[np.integer], second: NDArray[np.integer], n: int, degree: int
) -> NDArray[np.float64]:
    """Log E[C(A, j)] for j = 0 … degree of the number A of matches when one sequence is shuffled, exact.

    E[C(A, j)] = (N − j)!/N! Σ_{Σ j_k = j} Π C(a_k, j_k) b_k!/(b_k − j_k)!.

    Args:
        first: How often each counted value is in one sequence, shape (values,).
        second: The same for the other.
        n: Length of both.
        degree: Highest j.
    """
    from scipy.special import gammaln

    both = (first > 0) & (second > 0)
    groups, multiplicities = np.unique(np.stack([first[both], second[both]], axis=1), axis=0, return_counts=True)
    log_moments = np.full(degree + 1, -np.inf)
    log_moments[0] = 0.0
    if not len(groups):
        return log_moments

    def terms(group: int, degree: int) -> NDArray[np.float64]:
        a, b = (int(count) for count in groups[group])
        j = np.arange(degree + 1)
        within = j <= min(a, b)
        j = np.minimum(j, min(a, b))
        value = gammaln(a + 1) - gammaln(j + 1) - gammaln(a - j + 1) + gammaln(b + 1) - gammaln(b - j + 1)
        return np.asarray(np.where(within, value, -np.inf))

    weight = float((multiplicities * groups[:, 0].astype(np.float64) * groups[:, 1]).sum())
    j = np.arange(degree + 1)
    made = binomial_moments(terms, list(enumerate(multiplicities.tolist())), degree, math.log(weight))
    return np.asarray(made + gammaln(n - j + 1) - gammaln(n + 1))


def agreement(
    first: NDArray[np.generic], second: NDArray[np.generic], *, name: str, what: str = "places agree"
) -> OrderTest | Inconclusive:
    """Whether two sequences agree at more places than if one of them were shuffled.

    A value that makes up more than half of both is not counted, since its agreement is unavoidable. The p-value is a
    proven bound by exact binomial moments.

    Args:
        first: Values, shape (n,).
        second: Values of the same kind, shape (n,).
        name: Name of the test.
        what: Words of the effect.

    Raises:
        ValueError: the lengths differ.

    Example:
        >>> agreement(np.arange(50), np.arange(50), name="twice the same").p_value < 1e-60
        True
    """
    if len(first) != len(second):
        raise ValueError(f"sequences to compare: expected the same length, got {len(first)} and {len(second)}")
    n = len(first)
    if n < 2:
        return Inconclusive(reason=f"{n} places are too few to compare")
    a, b = paired(first, second)
    values = int(max(a.max(), b.max())) + 1
    ours, theirs = np.bincount(a, minlength=values), np.bincount(b, minlength=values)
    counted = 2 * np.minimum(ours, theirs) <= n
    if values < 2 or not ours[counted].any() or not theirs[counted].any():
        return Inconclusive(reason="all values are the same, so that their agreement says nothing")
    agree = int(((a == b) & counted[a]).sum())
    ours, theirs = ours[counted], theirs[counted]
    mean, variance = matches_moments(ours, theirs, n)
    p = 1.0
    if agree > mean:
        degree = int(min(MAX_DEGREE, agree, 4 * (agree - mean) + 16))
        p = moment_bound(matches_log_moments(ours, theirs, n, degree), agree)
    most = int(np.minimum(ours, theirs).sum())
    return OrderTest(
        name=name,
        statistic=agree,
        expected=mean,
        deviation=math.sqrt(variance),
        p_value=p,
        tail="upper",
        n=n,
        method="bound",
        effect=f"{agree:,} of {most if not counted.all() else n:,} {what}, {mean:,.1f} by chance",
    )

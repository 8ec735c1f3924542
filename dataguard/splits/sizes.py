"""What a split is large enough to measure."""

from __future__ import annotations

import math

LEVEL = 0.95
Z = 1.959963984540054
"""Quantile of the normal distribution for `LEVEL`."""


def half_width(n: int, rate: float = 0.5) -> float:
    """Half the 95 % interval (Wilson 1927) of a share measured on n independent samples; 0.5 for none.

    It is widest for a share of one half, the default, which is where nothing is known of it.

    >>> [round(half_width(n), 3) for n in (1, 10, 100, 1000)]
    [0.445, 0.263, 0.096, 0.031]

    Args:
        n: Samples.
        rate: The share that is seen.

    Raises:
        ValueError: `n` is negative, or `rate` is no share.
    """
    if n < 0 or not 0 <= rate <= 1:
        raise ValueError(f"n = {n}, rate = {rate}: expected n >= 0 and a share")
    if n == 0:
        return 0.5
    return Z * math.sqrt(rate * (1 - rate) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)


def least_samples(width: float) -> int:
    """The fewest samples on which the interval of any share is at most ± `width`: n = z²·(1/(4w²) − 1), rounded up.

    >>> least_samples(0.1), half_width(93) <= 0.1 < half_width(92)
    (93, True)

    Args:
        width: Half the interval, above 0 and at most 0.5.

    Raises:
        ValueError: `width` is out of range.
    """
    if not 0 < width <= 0.5:
        raise ValueError(f"width {width} is out of range: above 0 and at most 0.5")
    return max(0, math.ceil(Z**2 * (1 / (4 * width**2) - 1) - 1e-9))


def larger_than_by_chance(n: int, other: int, *, z: float = 3.0) -> bool:
    """Whether n samples against `other` is more than a fair coin for each would make it: n − m > z·√(n + m).

    >>> larger_than_by_chance(510, 490), larger_than_by_chance(600, 400)
    (False, True)
    """
    return n - other > z * math.sqrt(n + other)

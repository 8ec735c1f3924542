"""Several tests of one family, judged together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """p-values adjusted for all tests of a family together, in the order given.

    A test whose adjusted value is at most α is significant, and the chance that any true null hypothesis is rejected is
    at most α, however the tests depend on each other (Holm 1979, https://www.jstor.org/stable/4615733).

    Args:
        p_values: Shape (tests,); NaN marks a test that was not made, stays NaN and does not count.

    Raises:
        ValueError: a p-value outside [0, 1].

    Example:
        >>> holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError(f"p_values: expected shape (tests,), got {p.shape}")
    made = np.flatnonzero(~np.isnan(p))
    if ((p[made] < 0) | (p[made] > 1)).any():
        raise ValueError("p_values: expected numbers from 0 to 1")
    adjusted = np.full(p.shape, np.nan)
    order = made[np.argsort(p[made], kind="stable")]
    factors = len(made) - np.arange(len(made))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0) if len(made) else []
    return adjusted

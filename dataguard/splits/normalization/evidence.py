"""What the rules about normalization look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataguard.splits.normalization.declared import Comparison, DeclaredOrigin
from dataguard.splits.normalization.verdict import NormalizationVerdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ColumnFacts:
    """Each column in one split; shape (columns,) each."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    measured: NDArray[np.bool_]
    """Numbers on a scale: with fractions, and not of a few values. Counts, codes, flags and one-hot columns are not."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NormalizationEvidence:
    """How splits were normalized, from their numbers; or what declared statistics would do to raw ones."""

    verdict: NormalizationVerdict
    """Of the numbers as a model would see them."""
    facts: Mapping[str, ColumnFacts]
    """Of each split, of the numbers that were given."""
    source: str
    """Where the numbers are from: 'table', 'arrays', 'pictures', 'loaders'."""
    method: str | None = None
    """What the user says was done: 'standard', 'min-max', …; None for nothing."""
    declared: Comparison | None = None
    """Declared statistics beside training's; None where none are declared."""
    declared_origin: DeclaredOrigin | None = None

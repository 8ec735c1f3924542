"""What was found out about a running function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.probe.asking import Takes
from dataguard.preprocessing.probe.decoders import Reading
from dataguard.preprocessing.probe.kernels import ONE_LEVEL
from dataguard.preprocessing.steps import Random

EXACT = 0.02
"""Levels that rounding in the model's dtype may leave; within it a result is called exact."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identified:
    """What was found out about a function."""

    pipeline: Pipeline
    largest: float
    """Largest difference in levels between function and pipeline, on pictures that were not used to find it; inf where
    the pipeline cannot be executed."""
    mean: float
    alternatives: tuple[str, ...]
    """Other kernels that explain the answers equally."""
    notes: tuple[str, ...]
    calls: int
    seconds: float
    bit_exact: bool = False
    """Whether the pipeline gives the very bits."""
    random: tuple[Random, ...] = ()
    """Steps that chance decides; they are part of the pipeline's geometry too."""
    mutates: bool = False
    """Whether it changes what it is given."""
    of_neighbours: bool | None = None
    """Whether an answer depends on the other pictures of its batch; None where that was not asked."""
    readings: tuple[Reading, ...] = ()
    """How each kind of file is read, of a function that takes files."""
    takes: Takes = "array"
    """What the function was given."""

    @property
    def fidelity(self) -> str:
        """How closely the pipeline gives what the function does, in words."""
        if self.random:
            return "not reproducible: chance decides"
        if self.bit_exact:
            return "bit-exact"
        if not np.isfinite(self.largest):
            return "not comparable: something is undetermined"
        if self.largest <= EXACT:
            return "exact"
        if self.largest <= ONE_LEVEL:
            return "within 1 level"
        return f"up to {self.largest:.1f} levels off, {self.mean:.2f} on average"

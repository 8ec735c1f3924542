"""Faults, planted into sound trainings, that the rules about training must find.

A planter is a function that takes a `dataguard.training.Training` and returns one with the fault. What it changes lies
in the model itself where it can (weights, layers, forward functions), so that a finding can name the layer.
"""

from __future__ import annotations

from training_faults.golden import GOLDEN  # type: ignore[import-not-found]
from training_faults.influence import INFLUENCE  # type: ignore[import-not-found]
from training_faults.kinds import Fault, ready  # type: ignore[import-not-found]
from training_faults.layers import LAYERS  # type: ignore[import-not-found]
from training_faults.losses import LOSSES  # type: ignore[import-not-found]

FAULTS: tuple[Fault, ...] = (*GOLDEN, *INFLUENCE, *LAYERS, *LOSSES)
"""All of them, by rule."""

__all__ = ["FAULTS", "Fault", "ready"]

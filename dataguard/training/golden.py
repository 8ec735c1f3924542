"""The golden tests: training runs of which is known what must come of them."""

from __future__ import annotations

from dataclasses import dataclass

from dataguard.training.case import TrainingCase


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GoldenRuns:
    """Placeholder of the runs; see the functions of this module."""

    case: TrainingCase


def golden_runs(case: TrainingCase) -> GoldenRuns:
    """Make them."""
    return GoldenRuns(case=case)

"""What is found out about a model under test, each kind of evidence once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dataguard.core.finding import Inconclusive, Skipped
from dataguard.training.call_pass import CallPass, call_pass
from dataguard.training.case import TrainingCase
from dataguard.training.golden import GoldenRuns, golden_runs
from dataguard.training.gradchecks import GradientChecks, gradient_checks
from dataguard.training.influence import (
    FutureInfluence,
    PaddingInfluence,
    SampleInfluence,
    future_influence,
    padding_influence,
    sample_influence,
)
from dataguard.training.metrics import MetricTrial, metric_trial
from dataguard.training.modes import Modes, modes
from dataguard.training.passes import FirstPass, first_pass
from dataguard.training.penalties import PenaltyBalance, penalty_balance
from dataguard.training.steps import ShortTraining, short_training

if TYPE_CHECKING:
    from dataguard.inputs.made import Inputs, Unavailable

NO_MODEL = Skipped(reason="no model is under test", hint="dataguard probe-training module:callable")


def _no_case(_: Inputs) -> Skipped:
    return NO_MODEL


def _of_case(make: Callable[[TrainingCase], Any], stage: str) -> Callable[[Inputs], Any]:
    def made(inputs: Inputs) -> Any | Unavailable:
        case = inputs.get(TrainingCase)
        if isinstance(case, Skipped | Inconclusive):
            return case
        inputs.progress(stage, 0, 0)
        return make(case)

    return made


MAKERS: Mapping[type, Callable[[Inputs], Any]] = {
    TrainingCase: _no_case,
    FirstPass: _of_case(first_pass, "running the model once"),
    CallPass: _of_case(call_pass, "watching the calls of one run"),
    MetricTrial: _of_case(metric_trial, "trying the metric"),
    Modes: _of_case(modes, "comparing train and eval mode"),
    GradientChecks: _of_case(gradient_checks, "checking gradients"),
    PenaltyBalance: _of_case(penalty_balance, "weighing penalties"),
    ShortTraining: _of_case(short_training, "training a few steps"),
    SampleInfluence: _of_case(sample_influence, "exchanging samples"),
    PaddingInfluence: _of_case(padding_influence, "exchanging padding"),
    FutureInfluence: _of_case(future_influence, "exchanging later steps"),
    GoldenRuns: _of_case(golden_runs, "running the golden tests"),
}

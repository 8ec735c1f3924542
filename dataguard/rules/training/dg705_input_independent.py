"""DG705 input-independent."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.training.golden import GoldenRuns


@rule("DG705", "input-independent", Severity.ERROR)
def input_independent(
    runs: GoldenRuns,
    *,
    least: Annotated[float, Between(low=0, high=0.1)] = 1e-4,
    ratio: Annotated[float, Between(low=0, high=1)] = 0.9,
) -> Iterator[Outcome]:
    """The outputs do not depend on the inputs.

    ## What it does

    Takes the inputs away (zeros; one sample's for all, where they are ids, masks or lengths) and looks whether outputs
    and losses change, before and after training.

    ## Why is this bad?

    A model that does not go by its inputs learns the frequencies of the targets and nothing else, and its loss falls a
    little all the same, so that it looks like a hard problem.

    ## How it decides

    With f the trained copy, x the inputs and 0 the blank ones, both in eval mode and from the same random state:

    - max |f(x) − f(0)| ≤ `least` · max |f(x)|, for the fresh model and for that trained 120 steps. A last layer that
      begins at zero is none of it: it differs after training.
    - Or the small batch is learned no better with its inputs than without: with g the loss above its floor,
      g_real ≥ `ratio` · g_blank, the model has not learned the batch by heart, and the difference above is below 1 %.

    And blank inputs must not do as well as real ones: what reaches all of eight different targets without inputs has
    them from elsewhere.

    Options:

    - `least`: the largest difference of outputs, as a share of the largest output, that counts as none.
    - `ratio`: how near the loss with inputs may come to that without.

    Measured (`benchmarks/golden.py`): 1 false alarm in 130 sound trainings (26 architectures, 5 seeds), by lengths in
    a mask, which are taken away with the inputs since; 19 of 19 planted faults found (inputs lost, inputs replaced by
    noise).

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.golden import golden_runs
    >>> from dataguard.training.opening import open_case
    >>> _ = torch.manual_seed(0)
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.head = torch.nn.Linear(6, 3)
    ...     def forward(self, x):
    ...         return self.head(torch.zeros_like(x))
    >>> batch = (torch.randn(32, 6), torch.arange(32) % 3)
    >>> case = open_case(Training(model=Net(), loss=torch.nn.CrossEntropyLoss(), batch=batch))
    >>> [finding] = input_independent(golden_runs(case))
    >>> finding.message.split(":")[0]
    'The outputs do not depend on the inputs'

    ## How to fix

    Follow the inputs through the forward pass to where they end: a tensor that is made anew, a variable of the same
    name, a mask that hides everything, a layer whose result is not used, an activation that is dead for all of them.

    ## References

    - Slavv, *37 reasons why your neural network is not working*, 2017 (try random input).
    - Ben Braiek and Khomh, *Testing feedforward neural networks training programs*, TOSEM 32, 2023 (input
      dependency), https://arxiv.org/abs/2204.00694.
    """
    case = runs.case
    trained = math.nan if runs.real is None else runs.real.blank_difference
    fresh = runs.blank_difference
    measurements = [
        Measurement(name="difference of outputs without inputs, fresh model", value=_rounded(fresh), threshold=least),
        Measurement(name="the same, trained", value=_rounded(trained), threshold=least),
    ]
    small, blank = runs.small, runs.blank
    if small is not None and blank is not None:
        measurements += [
            Measurement(name=f"loss above its floor, {small.name}", value=round(small.gap, 6), n=small.size),
            Measurement(name="the same, inputs taken away", value=round(blank.gap, 6), n=blank.size),
        ]
    if math.isnan(fresh) or runs.real is None:
        yield Inconclusive(
            reason="; ".join(runs.missing.values()) or "outputs with and without inputs cannot be compared",
            measurements=tuple(measurements),
        )
        return
    if fresh <= least and trained <= least:
        yield input_independent.finding(
            f"The outputs do not depend on the inputs: without these they change by {fresh:.2g} of their size in the "
            f"fresh model, and by {trained:.2g} after {len(runs.real.losses)} steps of training.",
            remedy="Follow the inputs through the forward pass to where they end.",
            confidence=Confidence.HIGH,
            measurements=tuple(measurements),
            locations=(case.location("", "does not go by its inputs"),),
            key=("outputs",),
        )
        return
    if small is None or blank is None:
        yield Observation(
            message=f"Without inputs the outputs change by {trained:.2g} of their size.",
            measurements=tuple(measurements),
        )
        return
    if not small.reached and small.gap >= ratio * blank.gap and trained < 0.01:
        yield input_independent.finding(
            f"Inputs hardly matter: {small.name} are learned no better with them (loss {small.end:.4g}) than without "
            f"({blank.end:.4g}), and outputs change by {trained:.2g} of their size.",
            remedy="Follow the inputs through the forward pass to where they are lost.",
            confidence=Confidence.MEDIUM,
            measurements=tuple(measurements),
            locations=(case.location("", "hardly goes by its inputs"),),
            key=("outputs",),
        )
    elif blank.reached and small.reached and small.size > 2 and runs.two is not None:
        yield input_independent.finding(
            f"{small.name[0].upper()}{small.name[1:]} are learned by heart without their inputs: the loss falls to "
            f"{blank.end:.4g} all the same.",
            remedy="The targets reach the outputs some other way: follow them into the forward pass and the loss.",
            confidence=Confidence.HIGH,
            measurements=tuple(measurements),
            locations=(case.location("", "knows the targets without inputs"),),
            key=("targets",),
        )
    else:
        yield Observation(
            message=f"Without inputs the outputs change by {trained:.2g} of their size, and the loss of the small "
            f"batch ends at {blank.end:.4g} in place of {small.end:.4g}.",
            measurements=tuple(measurements),
        )


def _rounded(value: float) -> float | str:
    return "not measured" if math.isnan(value) else float(f"{value:.6g}")

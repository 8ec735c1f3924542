"""DG706 no-better-than-baseline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.training.baselines import FITTED, baselines, gain, sample_losses
from dataguard.training.golden import GoldenRuns

_SMALL = 0.1
"""A gain of less than this share of the simple model's is as good as none."""


@rule("DG706", "no-better-than-baseline", Severity.WARNING)
def no_better_than_baseline(
    runs: GoldenRuns, *, errors: Annotated[float, Between(low=1, high=10)] = 3.0
) -> Iterator[Outcome]:
    """The trained model is no better than a constant, where a simple model is.

    ## What it does

    Fits naive Bayes and a linear model to the same batches, and holds them and the trained copy against the best
    constant on held-out samples.

    ## Why is this bad?

    Where a straight line finds something in the inputs and the network does not, the network does not learn: its
    figures may look fine, as 90 % of samples right where 90 % are of one class.

    ## How it decides

    The copy takes 120 steps of Adam, at the learning rate that learned a small batch by heart. Losses are log losses
    or squared errors of each held-out sample, compared in pairs. Reported where the best simple model beats the
    constant by more than `errors` standard errors of the mean difference, and the copy beats it by less than one, or by
    less than a tenth of what the simple model gains, and loses to the simple model by `errors` as well. With 3 errors a
    simple model passes by chance in 0.1 % of cases. A copy that beats the constant and loses to the simple model is
    only told of: 120 steps are few.

    Options:

    - `errors`: how many standard errors of the mean of paired differences count.

    Measured (`benchmarks/golden.py`): no false alarm in 130 sound trainings (26 architectures, 5 seeds); samples mixed
    up within a batch are found in 8 of 9 trainings that a simple model fits.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.golden import golden_runs
    >>> from dataguard.training.opening import open_case
    >>> _ = torch.manual_seed(0)
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.head = torch.nn.Linear(6, 2)
    ...     def forward(self, x):
    ...         return self.head(x[torch.randperm(len(x))])
    >>> x = torch.randn(360, 6)
    >>> batches = [(part, (part[:, 0] > 0).long()) for part in x.split(36)]
    >>> case = open_case(Training(model=Net(), loss=torch.nn.CrossEntropyLoss(), loader=batches))
    >>> [finding] = no_better_than_baseline(golden_runs(case))
    >>> finding.message.split(",")[0]
    'Naive Bayes beats the frequencies of classes on held-out samples'

    ## How to fix

    If it cannot learn a small batch by heart (DG701) start there. If it can, samples may be mixed up within a batch,
    train and eval mode may differ (DG720), or the held-out samples may be prepared in another way.

    ## References

    - Karpathy, *A recipe for training neural networks*, 2019 (get dumb baselines),
      https://karpathy.github.io/2019/04/25/recipe/.
    - Dietterich, *Approximate statistical tests for comparing supervised classification learning algorithms*, Neural
      Computation 10, 1998.
    """
    case = runs.case
    if runs.real is None or runs.real.ended:
        why = runs.missing.get("real labels", "") if runs.real is None else runs.real.ended
        yield Inconclusive(reason=why or "the model was not trained")
        return
    if not case.held_out:
        yield Inconclusive(reason=f"no samples are held out: {case.held_out_origin}")
        return
    if case.task.kind not in FITTED:
        yield Skipped(reason=f"no simple model is fitted to a task of the kind {case.task.kind}")
        return
    found = baselines(case)
    if isinstance(found, str):
        yield Inconclusive(reason=found)
        return
    own = sample_losses(case, runs.real.predictions)
    if own is None or len(own) != len(found.constant.losses):
        yield Inconclusive(reason="the predictions do not fit the targets of single samples")
        return
    simple = found.best
    simple_gain, simple_errors = gain(simple.losses, found.constant.losses)
    own_gain, own_errors = gain(own, found.constant.losses)
    _, lost = gain(simple.losses, own)
    n = len(own)
    measurements = (
        Measurement(name=f"{found.unit} of the model", value=round(float(own.mean()), 6), n=n),
        Measurement(name=f"the same of {found.constant.name}", value=round(found.constant.mean, 6), n=n),
        *(Measurement(name=f"the same of {item.name}", value=round(item.mean, 6), n=n) for item in found.others),
        Measurement(
            name=f"standard errors by which {simple.name} beats {found.constant.name}",
            value=round(simple_errors, 3),
            threshold=errors,
            n=n,
        ),
        Measurement(name="the same of the model", value=round(own_errors, 3), threshold=1.0, n=n),
    )
    figures = f"{float(own.mean()):.4g} of the model, {found.constant.mean:.4g} of {found.constant.name}"
    learned = own_errors >= 1 and own_gain >= _SMALL * simple_gain
    if simple_errors > errors and not learned and lost > errors:
        yield no_better_than_baseline.finding(
            f"{simple.name[0].upper()}{simple.name[1:]} beats {found.constant.name} on held-out samples, "
            f"and the model does not: {found.unit} {simple.mean:.4g} of the simple model, {figures}.",
            remedy="Look at DG701 first; then whether samples are mixed up, and at what differs in eval mode.",
            confidence=Confidence.HIGH if runs.small is not None and not runs.small.reached else Confidence.MEDIUM,
            measurements=measurements,
            locations=(case.location("", "learns less than a simple model"),),
        )
    else:
        yield Observation(
            message=f"On {n} held-out samples {found.unit} {figures}, {simple.mean:.4g} of {simple.name}.",
            measurements=measurements,
        )

"""DG701 cannot-overfit-small-batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.training.golden import GoldenRuns
from dataguard.training.overfit import Overfit


@rule("DG701", "cannot-overfit-small-batch", Severity.ERROR)
def cannot_overfit_small_batch(
    runs: GoldenRuns, *, near: Annotated[float, Between(low=0.001, high=0.5)] = 0.05
) -> Iterator[Outcome]:
    """The model cannot learn a handful of samples by heart.

    ## What it does

    Trains copies of the model on one sample, on two with different targets, and on a small batch of eight, until every
    class is right and the loss is near the least loss that any outputs have.

    ## Why is this bad?

    A model has far more parameters than eight samples have numbers. If it cannot reproduce these, what is wrong is not
    the amount of data or the regularization: gradients do not arrive, outputs cannot take the targets' values, the loss
    is fed wrongly, or samples are mixed up. It is the quickest test that finds most faults of training code.

    ## How it decides

    The optimizer is ours, Adam with learning rates of 0.003, 0.03 and 0.0003, at most 200 steps each, with dropout off,
    without the regularizer. With L the loss, f its floor and c the loss of outputs that say nothing (ln K; the mean
    square of the targets), a run succeeds if all classes are right and (L − f)/(c − f) ≤ `near`. The first rate that
    succeeds ends it.

    The floor is computed in the user's own loss: with smoothed targets q and class weights w, outputs p ∝ w·q are best
    (from minimizing −Σ w q ln p), and the loss is not 0 there; with soft targets it is their entropy; for another loss,
    the outputs themselves are varied freely until the loss falls no further. Samples that contradict each other (equal
    inputs, or equal beginnings of sequences) are not chosen together.

    A loss that falls below its floor by as much is reported too: then outputs are not what the loss takes them for.

    Options:

    - `near`: how near to the floor a loss must come, as a share of the way from chance to the floor.

    Measured (`benchmarks/golden.py`): no false alarm in 130 sound trainings (26 architectures, 5 seeds), which need 1
    to 255 steps; 28 of 28 planted faults found (outputs detached, outputs that cannot leave ±0.1, samples mixed up).

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.golden import golden_runs
    >>> from dataguard.training.opening import open_case
    >>> _ = torch.manual_seed(0)
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.body, self.head = torch.nn.Linear(6, 32), torch.nn.Linear(32, 3)
    ...     def forward(self, x):
    ...         return self.head(torch.relu(self.body(x))).detach().requires_grad_()
    >>> batch = (torch.randn(16, 6), torch.arange(16) % 3)
    >>> case = open_case(Training(model=Net(), loss=torch.nn.CrossEntropyLoss(), batch=batch))
    >>> [finding] = cannot_overfit_small_batch(golden_runs(case))
    >>> finding.message.split(":")[0]
    'The model cannot learn one sample by heart'

    ## How to fix

    Start with the smallest run that fails. Look at which parameters get a gradient (DG711), at what the loss is given
    (DG717), and whether the last activation can reach the targets. Tensors that pass through ``detach``, ``.data``,
    ``argmax`` or NumPy carry no gradient.

    ## References

    - Karpathy, *A recipe for training neural networks*, 2019 (overfit one batch),
      https://karpathy.github.io/2019/04/25/recipe/.
    - Ben Braiek and Khomh, *Testing feedforward neural networks training programs*, TOSEM 32, 2023 (fit a single
      batch), https://arxiv.org/abs/2204.00694.
    """
    case = runs.case
    made = [run for run in runs.overfits if not (case.training.cross_sample and run.size < 3)]
    if not made:
        reasons = "; ".join(f"{name}: {why}" for name, why in runs.missing.items())
        yield Inconclusive(reason=f"no samples could be tried ({reasons or 'there were none'})")
        return
    failed = [run for run in made if not _succeeded(run, near)]
    below = [run for run in made if run.floor is not None and run.gap < -near]
    measurements = tuple(_measurement(run, near) for run in made)
    cut_short = [run for run in failed if "budget" in run.ended]
    real = [run for run in failed if "budget" not in run.ended]
    unknown = [run for run in real if run.floor is None and run.correct is None]
    real = [run for run in real if run not in unknown]
    if real:
        run = real[0]
        why = f" ({run.ended})" if run.ended else ""
        yield cannot_overfit_small_batch.finding(
            f"The model cannot learn {run.name} by heart: {_state(run)} after {run.steps} steps{why}.",
            remedy="Find which parameters get no gradient, whether the outputs can take the targets' values, and "
            "whether the loss is given what it expects.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=(case.location("", "cannot learn it"), case.loss_location("the loss that does not fall")),
            key=("cannot",),
        )
    elif below:
        run = below[0]
        yield cannot_overfit_small_batch.finding(
            f"The loss on {run.name} falls to {run.end:.4g}, below {_floor(run)}, the least that it can be: "
            f"the outputs are not what {case.loss_form.kind.value} takes them for.",
            remedy="Give the loss what it expects: logits, log-probabilities or probabilities.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=(case.loss_location("falls below its floor"),),
            key=("below",),
        )
    elif cut_short or unknown:
        what = cut_short[0] if cut_short else unknown[0]
        why = "the time budget was used up" if cut_short else f"the floor of {case.loss_form.words} is not known"
        yield Inconclusive(reason=f"{what.name} were tried: {_state(what)}; {why}", measurements=measurements)
    else:
        steps = ", ".join(f"{run.name} in {run.steps} steps" for run in made)
        yield Observation(message=f"It learns by heart {steps}.", measurements=measurements)
    for name, why in runs.missing.items():
        if "sample" in name and not made:
            yield Inconclusive(reason=f"{name}: {why}")


def _succeeded(run: Overfit, near: float) -> bool:
    return run.gap <= near and (run.correct is None or run.correct == 1.0)


def _floor(run: Overfit) -> str:
    return "an unknown floor" if run.floor is None else f"{run.floor.loss:.3g}"


def _state(run: Overfit) -> str:
    right = "" if run.correct is None else f", {run.correct:.0%} of the targets right"
    if math.isnan(run.end):
        return f"the loss is no number{right}"
    chance = "" if run.chance is None else f", chance {run.chance:.3g}"
    return f"the loss went from {run.start:.4g} to {run.end:.4g} (floor {_floor(run)}{chance}){right}"


def _measurement(run: Overfit, near: float) -> Measurement:
    return Measurement(
        name=f"{run.name}: loss above its floor, as a share of chance above it (rate {run.rate:g}, {run.steps} steps)",
        value=round(run.gap, 6),
        threshold=near,
        n=run.size,
    )

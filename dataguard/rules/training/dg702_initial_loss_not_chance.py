"""DG702 initial-loss-not-chance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import numpy as np

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.training.chance import Chance, chance_of
from dataguard.training.floors import floor_of
from dataguard.training.passes import FirstPass

_BELOW = 0.01
"""How far below its floor a loss is no rounding, as a share of chance above it."""


@rule("DG702", "initial-loss-not-chance", Severity.WARNING)
def initial_loss_not_chance(
    first: FirstPass,
    *,
    alpha: Annotated[float, Between(low=0, high=0.2)] = 0.01,
) -> Iterator[Outcome]:
    """The loss of the untrained model is not that of chance.

    ## What it does

    Runs the model once before any training and holds its loss against that of a model that knows nothing of the
    inputs, in the very loss that is in use.

    ## Why is this bad?

    A new model can only guess. If its loss is far above that of guessing, its outputs are too large: inputs that were
    not normalized, a bad initialization, a sum where a mean belongs; the first steps then only undo that. If its loss
    is below, the targets have reached the outputs, or the weights are trained already.

    ## How it decides

    Chance is a pair: u is the loss of outputs that say nothing (all logits 0: ln K for a softmax, ln 2 for a sigmoid;
    an output of 0: the mean square of the targets), and c that of the best constant (−Σ p ln p for class frequencies p,
    the variance for squared error). Both come from the user's own loss, so class weights, smoothing and ignored targets
    are in them.

    - Too high: L, and the mean loss with targets permuted among the samples, are above the loss of random outputs of
      variance 2 by more than three standard errors, which are taken from the spread of the permuted losses. Outputs of
      variance s² that know nothing have an expected loss of about ln K + s²/2, or E[y²] + s²; on inputs of variance 1,
      He initialization of the last layer gives s² = 2, Xavier's 1, PyTorch's default 1/3.
    - Too low: L is below the loss with permuted targets in all but a share `alpha` of 199 permutations (an exact test
      of the null hypothesis that outputs know nothing of the targets), and below (1 − 0.1)·c. Random weights may know
      something by luck: one input that the target goes by, and a weight whose sign happens to be right. So layers are
      then drawn anew 99 times: it is reported where no draw is as low as these weights (they are trained: p = 0.01),
      or where nine in ten draws are below 0.9·c as well (the targets reach the outputs whatever the weights are).
    - Below its floor, as a negative log likelihood that is negative: outputs are not what the loss takes them for.

    Options:

    - `alpha`: the level of the permutation test.

    Measured (`benchmarks/golden.py`): no false alarm in 130 sound trainings (26 architectures, 5 seeds); 12 of 12
    planted faults found (outputs fifty times too large, inputs not scaled where no norm undoes that).

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.opening import open_case
    >>> from dataguard.training.passes import first_pass
    >>> _ = torch.manual_seed(0)
    >>> batch = (255 * torch.rand(64, 20), torch.arange(64) % 4)
    >>> case = open_case(Training(model=torch.nn.Linear(20, 4), loss=torch.nn.CrossEntropyLoss(), batch=batch))
    >>> [finding] = initial_loss_not_chance(first_pass(case))
    >>> finding.message.split(":")[0]
    'The untrained model starts far above chance'

    ## How to fix

    Normalize the inputs; initialize the last layer with a small scale, and its bias with the log of the class
    frequencies or the mean of the targets. If the loss is below chance, look for the targets among the inputs; weights
    that are trained already are declared with ``Training(pretrained=True)``.

    ## References

    - Karpathy, *A recipe for training neural networks*, 2019 (verify loss at init),
      https://karpathy.github.io/2019/04/25/recipe/.
    - He et al., *Delving deep into rectifiers*, ICCV 2015, https://arxiv.org/abs/1502.01852.
    """
    case = first.case
    copy = case.copy()
    chance = chance_of(case, copy, first.outputs, first.batch)
    floor = floor_of(case, copy, first.outputs, first.batch)
    loss = first.data_loss
    if chance is None:
        yield Inconclusive(
            reason=f"what chance is cannot be derived for {case.loss_form.words}",
            measurements=(Measurement(name="initial loss", value=loss, n=first.batch.size),),
        )
        return
    permuted = first.permuted
    error = float(np.std(permuted)) if len(permuted) else 0.0
    # With the targets of other samples, so that a weight whose sign happens to be wrong is no scale that is wrong.
    unrelated = min(loss, float(np.mean(permuted))) if len(permuted) else loss
    below = float((1 + np.sum(permuted <= loss)) / (1 + len(permuted))) if len(permuted) else None
    level = Measurement(
        name="initial loss",
        value=round(loss, 6),
        threshold=round(chance.random, 6),
        low=round(loss - 3 * error, 6),
        high=round(loss + 3 * error, 6),
        level=0.997,
        n=first.batch.size,
    )
    measurements = (
        level,
        Measurement(name="chance, random outputs of variance 2", value=round(chance.random, 6)),
        Measurement(name="chance, nothing known", value=round(chance.uninformed, 6)),
        Measurement(name="chance, frequencies of targets known", value=round(chance.best_constant, 6)),
    )
    said = f"chance is {chance.best_constant:.4g} to {chance.uninformed:.4g} ({chance.how})"
    if case.training.pretrained:
        yield Observation(
            message=f"The model is declared as trained already; its loss is {loss:.4g}, {said}.",
            measurements=measurements,
        )
        return
    if not math.isfinite(loss):
        yield initial_loss_not_chance.finding(
            f"The loss of the untrained model is {loss}: {said}.",
            remedy="Look for what is not finite in the first batch, and for logarithms and divisions in the loss.",
            confidence=Confidence.HIGH,
            severity=Severity.ERROR,
            measurements=measurements,
            locations=(case.loss_location(),),
            key=("not finite",),
        )
    elif floor is not None and loss < floor.loss - _BELOW * abs(chance.uninformed - floor.loss):
        yield initial_loss_not_chance.finding(
            f"The loss of the untrained model is {loss:.4g}, below {floor.loss:.3g}, the least that "
            f"{case.loss_form.kind.value} can be: it is not given what it expects.",
            remedy="Give the loss what it expects: logits, log-probabilities or probabilities.",
            confidence=Confidence.HIGH,
            severity=Severity.ERROR,
            measurements=measurements,
            locations=(case.loss_location("is below its floor"),),
            key=("below its floor",),
        )
    elif unrelated - chance.random > 3 * error:
        yield initial_loss_not_chance.finding(
            f"The untrained model starts far above chance: its loss is {loss:.4g}, and {said}.",
            remedy="Normalize the inputs and the targets; make the last layer's initial weights smaller.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=(case.location(_last_layer(first), "makes the outputs"),),
            key=("above",),
        )
    elif below is not None and below <= alpha and loss < 0.9 * chance.best_constant and not _luck(first, chance):
        yield initial_loss_not_chance.finding(
            f"The untrained model is better than chance: its loss is {loss:.4g}, and {said}; "
            f"with the targets permuted it is as low with p = {below:.3g}.",
            remedy="Look for the targets among the inputs; if the weights are trained already, say pretrained=True.",
            confidence=Confidence.MEDIUM,
            measurements=measurements,
            locations=(case.loss_location(),),
            key=("below",),
        )
    else:
        yield Observation(
            message=f"The untrained model starts at a loss of {loss:.4g}; {said}.", measurements=measurements
        )


def _last_layer(first: FirstPass) -> str:
    held = [layer.name for layer in first.layers if any(item.layer == layer.name for item in first.parameters)]
    return held[-1] if held else ""


def _luck(first: FirstPass, chance: Chance) -> bool:
    """Whether other draws of the weights get as low a loss, and not all of them."""
    if not len(first.redrawn):
        return False
    as_low = float(np.mean(first.redrawn <= first.data_loss))
    all_low = float(np.mean(first.redrawn < 0.9 * chance.best_constant)) >= 0.9
    return as_low > 0 and not all_low

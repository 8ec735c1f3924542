"""DG713 disproportionate-update."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.training.steps import ShortTraining

_UP = 0.05
"""A cosine above this is no step down."""


@rule("DG713", "disproportionate-update", Severity.WARNING)
def disproportionate_update(
    short: ShortTraining,
    *,
    least: Annotated[float, Between(low=0, high=1)] = 1e-5,
    most: Annotated[float, Between(low=0)] = 0.3,
) -> Iterator[Outcome]:
    """A step of the optimizer changes the weights by far too much, by next to nothing, or the wrong way.

    ## What it does

    Trains a copy for ten steps with the user's own optimizer, and compares how far each weight matrix moves in a step
    with how large it is.

    ## Why is this bad?

    If a step changes the weights by a third of themselves, three steps replace them: nothing that was learnt survives.
    If it changes them by a hundred-thousandth, ten thousand steps change them by a tenth.

    ## How it decides

    The median over weight matrices of the median over the steps of ‖ΔW‖ / ‖W₀‖, W₀ being the initial weights; vectors
    (biases, norms) are left out, since they begin at 0 or 1. Reported above `most` or below `least`. The folk rule of
    1e-3, or of 1e-4 to 1e-2, alarms on 69 % of sound networks (14 models × 5 seeds); on our 26 sound models × 5 seeds
    the ratio is 4e-3 to 0.1, and 0 of 130 runs fired. `most` says that a matrix is replaced in three steps; `least` is
    the bound under which 1e-5 · 1e4 steps = a tenth.

    The first step goes the wrong way if its change and the gradient of the loss have a cosine above 0.05: a sign is
    flipped where gradients are made or applied. The first step of gradient descent, with or without momentum, has a
    cosine of −1, and those of Adam, RMSprop and Adagrad, which divide each gradient by its own size, are below 0
    whatever the gradients are; weight decay adds a part that is all but perpendicular to it. On the 26 sound models × 5
    seeds it is −1 to −0.14. An optimizer that is told
    to ``maximize`` is passed over.

    Options:

    - `least`: the lower bound of the ratio.
    - `most`: the upper bound.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.opening import open_case
    >>> from dataguard.training.steps import short_training
    >>> model = torch.nn.Linear(16, 3)
    >>> batch = (torch.randn(32, 16), torch.arange(32) % 3)
    >>> optimizer = torch.optim.Adam(model.parameters(), lr=1.0)
    >>> case = open_case(Training(model=model, loss=torch.nn.CrossEntropyLoss(), batch=batch, optimizer=optimizer))
    >>> [finding] = disproportionate_update(short_training(case))
    >>> finding.message.split(":")[0]
    'Steps are far too large'

    ## How to fix

    Change the learning rate by the factor that is missing. If a schedule begins with tiny steps on purpose (warm-up),
    probe with the rate that it reaches.

    ## References

    - Karpathy, CS231n, *Ratio of weights:updates*, https://cs231n.github.io/neural-networks-3/#ratio.
    - Braiek and Khomh, *Testing feedforward neural networks training programs*, TOSEM 2022.
    """
    case = short.case
    ranks = {name: item.ndim for name, item in case.template.named_parameters()}
    matrices = [
        at
        for at, name in enumerate(short.names)
        if ranks.get(name, 0) >= 2 and name not in case.frozen and len(short.weights) and short.weights[0, at] > 0
    ]
    if not matrices:
        yield Inconclusive(reason="no step could be made, or there is no weight matrix that is trained and not zero")
        return
    # Of what it was at first: weights that have run away are large.
    ratios = np.median(short.updates[:, matrices], axis=0) / short.weights[0, matrices]
    middle = float(np.median(ratios))
    losses = short.losses[np.isfinite(short.losses)]
    course = f"the loss went from {losses[0]:.3g} to {losses[-1]:.3g}" if len(losses) else "the loss is not finite"
    if short.rise > _UP and not _maximizes(case.training.optimizer):
        yield disproportionate_update.finding(
            f"The first step goes up the loss: the cosine of its change and the gradient is {short.rise:.2g}, where "
            f"that of a step down is below 0; {course} in {len(short.updates)} steps ({short.optimizer}).",
            remedy="Look for a sign that is flipped: a loss of -log that lacks its minus, a negated gradient, a step "
            "that adds what it should take off; or say maximize=True to the optimizer if that is meant.",
            confidence=Confidence.HIGH,
            severity=Severity.ERROR,
            measurements=(
                Measurement(
                    name="cosine of the first change and the gradient", value=float(f"{short.rise:.3g}"), threshold=_UP
                ),
            ),
            locations=(case.loss_location("what is climbed"),),
            key=("up",),
        )
    measurement = Measurement(
        name="change of a weight matrix in a step, as a share of it (median)",
        value=float(f"{middle:.3g}"),
        threshold=most if middle > most else least,
        low=float(f"{ratios.min():.3g}"),
        high=float(f"{ratios.max():.3g}"),
        n=len(matrices),
    )
    if least <= middle <= most:
        yield Observation(
            message=f"A step changes weight matrices by {middle:.2g} of themselves (median of {len(matrices)}; "
            f"{short.optimizer}).",
            measurements=(measurement,),
        )
        return
    too_large = middle > most
    at = matrices[int(np.argmax(ratios) if too_large else np.argmin(ratios))]
    yield disproportionate_update.finding(
        f"Steps are far too {'large' if too_large else 'small'}: each changes weight matrices by {middle:.2g} of "
        f"themselves (median of {len(matrices)}), where {least:g} to {most:g} is usual; {course} in "
        f"{len(short.updates)} steps ({short.optimizer}).",
        remedy=f"Make the learning rate about {middle / 3e-3 if too_large else 3e-3 / max(middle, 1e-30):.0e} times "
        f"{'smaller' if too_large else 'larger'}.",
        confidence=Confidence.HIGH,
        measurements=(measurement,),
        locations=(case.location(short.names[at], "changes the most" if too_large else "changes the least"),),
        key=("large" if too_large else "small",),
    )


def _maximizes(optimizer: object) -> bool:
    return any(group.get("maximize", False) for group in getattr(optimizer, "param_groups", ()))

"""DG718 regularization-outweighs-data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Confidence, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.training.penalties import PenaltyBalance


@rule("DG718", "regularization-outweighs-data", Severity.WARNING)
def regularization_outweighs_data(
    found: PenaltyBalance,
    *,
    max_ratio: Annotated[float, Between(low=0)] = 1.0,
) -> Iterator[Outcome]:
    """Penalties and weight decay pull at the weights harder than the data do.

    ## What it does

    Takes the gradient of the data's loss and that of all penalties apart, before training and after ten steps of the
    user's optimizer: of the regularizer that was given, of what in the loss depends on weights but not through outputs,
    and of the optimizer's weight decay.

    ## Why is this bad?

    The step then goes mostly towards zero weights: the loss that is watched falls, because the penalty does, while the
    model unlearns what it knows.

    ## How it decides

    R = |∇ penalties| / |∇ data|, norms over all parameters that train. Random weights know nothing of the data, so that
    the two gradients are about orthogonal, and of the squared length of a step the penalty has R²/(1 + R²): at R = 1
    half, and the step is 45° off what the data ask for. It is a fault where R is above `max_ratio` (1) at the beginning
    and after ten steps, too; once would be a data gradient that happens to be small, as with a last layer of zeros.
    Where the penalized loss is stationary the two are equal, R = 1, so that a ratio above 1 is never where training
    rests, but where it shrinks weights.

    Weight decay of SGD and Adam is the gradient λw. AdamW's is apart from the gradient: it moves weights by lr·λ·|w|,
    and the data by about lr·√n in n numbers, so that R = λ·|w|/√n.

    On 26 sound models with decay in use (SGD 5e-4, Adam 1e-3, AdamW 0.1) it was silent, R being 0.09 at most. A sum of
    squares times 10, and decay of 10 in SGD and in Adam: 78 of 78 found (``benchmarks/training_pairing.py``).

    Penalties that are computed of the user's own model by a name outside of the loss, and those of a loss inside the
    model, cannot be told from the data.

    Options:

    - `max_ratio`: the greatest R that passes.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.opening import open_case
    >>> from dataguard.training.penalties import penalty_balance
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=5.0)
    >>> batch = (torch.randn(32, 8), torch.arange(32) % 4)
    >>> training = Training(model=model, loss=torch.nn.CrossEntropyLoss(), batch=batch, optimizer=optimizer)
    >>> [finding] = regularization_outweighs_data(penalty_balance(open_case(training)))
    >>> finding.message.split(":")[0]
    'Penalties pull at the weights harder than the data'

    ## How to fix

    Divide the penalty's weight, or the decay, by ten times R, and watch the data's loss apart from the penalty. A
    penalty that is summed over weights belongs to a loss that is summed over samples: with a mean over samples divide
    it by their number.

    ## References

    - *37 reasons why your neural network is not working*, no. 30 (too much regularization).
    - Loshchilov, Hutter, *Decoupled weight decay regularization*, ICLR 2019, https://arxiv.org/abs/1711.05101.
    - Braiek, Khomh, *Testing feedforward neural networks training programs*, ACM TOSEM 2023 (loss overwhelmed by the
      regularization), https://arxiv.org/abs/2204.00694.
    """
    first, last = found.first, found.last
    measurements = (
        Measurement(
            name="penalties' gradient over the data's, before training",
            value=float(f"{first.ratio:.4g}"),
            threshold=max_ratio,
            n=found.case.first.size,
        ),
        Measurement(name=f"the same after {last.step} steps", value=float(f"{last.ratio:.4g}"), threshold=max_ratio),
        Measurement(name="norm of the data's gradient", value=float(f"{first.data:.4g}")),
        Measurement(name="norm of the penalty's gradient", value=float(f"{first.penalty:.4g}")),
        Measurement(name="norm of weight decay", value=float(f"{first.decay:.4g}")),
        Measurement(name="the data's loss before training", value=float(f"{first.loss:.4g}")),
        Measurement(name=f"the data's loss after {last.step} steps", value=float(f"{last.loss:.4g}")),
    )
    said = f"their gradient is {first.ratio:.3g} times the data's before training, {last.ratio:.3g} times after"
    if min(first.ratio, last.ratio) > max_ratio:
        of_decay = first.decay > first.penalty
        source = f"weight decay ({max(found.decay):g})" if of_decay else "the penalty"
        case = found.case
        place = case.location(found.layer, f"pulled at the hardest by {source}")
        yield regularization_outweighs_data.finding(
            f"Penalties pull at the weights harder than the data: {said} {last.step} steps, most of it by {source}.",
            remedy=f"Make {source} at least {10 * first.ratio:.0f} times smaller, and watch the data's loss by itself.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=(place,) if of_decay else (place, case.loss_location("the loss that is penalized")),
            key=("decay" if of_decay else "penalty",),
        )
    else:
        yield Observation(message=f"The data outweigh penalties: {said} {last.step} steps.", measurements=measurements)

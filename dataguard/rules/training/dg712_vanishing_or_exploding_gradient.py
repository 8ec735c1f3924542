"""DG712 vanishing-or-exploding-gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.training.passes import FirstPass


@rule("DG712", "vanishing-or-exploding-gradient", Severity.WARNING)
def vanishing_or_exploding_gradient(
    first: FirstPass,
    *,
    least: Annotated[float, Between(low=0, high=1)] = 1e-3,
    most: Annotated[float, Between(low=1)] = 1e3,
) -> Iterator[Outcome]:
    """The gradient all but disappears, or grows without bounds, on its way back through the layers.

    ## What it does

    Runs the untrained model forward and back once, and compares the gradient at the output of every layer with that at
    the output of the last one.

    ## Why is this bad?

    Layers that a thousandth of the gradient reaches learn a thousand times slower; layers that get a thousand times
    more are thrown about by the first step. Deep stacks of sigmoids, a bad scale of the initial weights, or a missing
    norm do that.

    ## How it decides

    With g the gradient of the loss with respect to a layer's output (its Euclidean norm over the batch), the ratio
    ‖g_layer‖ / ‖g_last‖ is 1 where layers keep lengths, and 0.25 to the power of the depth behind sigmoids. It is free
    of the scale of the loss and of the size of the batch. Reported below `least` or above `most`, where it is not
    exactly 0, which DG711 judges. On 26 sound models × 5 seeds ratios lie within 0.02 and 10 (residual branches that
    begin at zero aside): the bounds leave a factor of 20 and more; 0 of 130 runs fired. The checklists' bounds on
    absolute gradients alarm on most sound networks.

    Options:

    - `least`: the lower bound of the ratio.
    - `most`: the upper bound.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.opening import open_case
    >>> from dataguard.training.passes import first_pass
    >>> _ = torch.manual_seed(0)
    >>> layers = [module for _ in range(8) for module in (torch.nn.Linear(16, 16), torch.nn.Sigmoid())]
    >>> model = torch.nn.Sequential(*layers, torch.nn.Linear(16, 3))
    >>> batch = (torch.randn(32, 16), torch.arange(32) % 3)
    >>> case = open_case(Training(model=model, loss=torch.nn.CrossEntropyLoss(), batch=batch))
    >>> [finding] = vanishing_or_exploding_gradient(first_pass(case))
    >>> finding.message.split(":")[0]
    'The gradient vanishes on its way back'

    ## How to fix

    Take ReLU and its kin for sigmoid and tanh, He's or Xavier's initialization, norms, and residual connections.
    Clipping bounds explosions, and does not help what vanishes.

    ## References

    - Glorot and Bengio, *Understanding the difficulty of training deep feedforward neural networks*, AISTATS 2010.
    - Hochreiter, *Untersuchungen zu dynamischen neuronalen Netzen*, 1991.
    """
    case = first.case
    known = [layer for layer in first.layers if layer.gradient is not None and layer.gradient.non_finite == 0]
    norms = [(layer, layer.gradient.norm) for layer in known if layer.gradient is not None]
    if len(norms) < 2 or not norms[-1][1] > 0:
        yield Inconclusive(
            reason=f"gradients of {len(norms)} layers are known, and 2 with a last one above 0 are needed"
        )
        return
    last, scale = norms[-1]
    ratios = [(norm / scale, layer) for layer, norm in norms if norm > 0]
    low, high = min(ratios, key=lambda item: item[0]), max(ratios, key=lambda item: item[0])
    measurements = (
        Measurement(
            name="least gradient of a layer, over the last one's", value=float(f"{low[0]:.3g}"), threshold=least
        ),
        Measurement(
            name="greatest gradient of a layer, over the last one's", value=float(f"{high[0]:.3g}"), threshold=most
        ),
    )
    faults = []
    if low[0] < least:
        few = sum(ratio < least for ratio, _ in ratios)
        faults.append(
            (
                "vanishes",
                low,
                f"The gradient vanishes on its way back: {few} of {len(ratios)} layers get less than",
                least,
            )
        )
    if high[0] > most:
        many = sum(ratio > most for ratio, _ in ratios)
        faults.append(
            (
                "explodes",
                high,
                f"The gradient explodes on its way back: {many} of {len(ratios)} layers get more than",
                most,
            )
        )
    for key, (ratio, layer), says, bound in faults:
        yield vanishing_or_exploding_gradient.finding(
            f"{says} {bound:g} times what {last.name or 'the last layer'} gets, {layer.name} ({layer.kind}) "
            f"{ratio:.2g} times.",
            remedy="Look at the activations and the scale of the initial weights; add norms or residual connections.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=(case.location(layer.name, f"gets {ratio:.2g} times the last layer's gradient"),),
            key=(key,),
        )
    if not faults:
        yield Observation(
            message=f"Gradients of {len(ratios)} layers are {low[0]:.2g} to {high[0]:.2g} times the last one's.",
            measurements=measurements,
        )

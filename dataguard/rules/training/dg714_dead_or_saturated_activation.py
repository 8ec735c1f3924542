"""DG714 dead-or-saturated-activation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np

from dataguard.core.finding import Confidence, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.training.layers import Distribution, LayerStatistics
from dataguard.training.passes import FirstPass

_RECTIFYING = ("ReLU", "ReLU6")
_BOUNDS = {
    "Tanh": (-1.0, 1.0),
    "Hardtanh": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
    "Sigmoid": (0.0, 1.0),
    "Hardsigmoid": (0.0, 1.0),
}
_LEAST = 8
_NEAR = 0.025


@rule("DG714", "dead-or-saturated-activation", Severity.WARNING)
def dead_or_saturated_activation(
    first: FirstPass,
    *,
    share: Annotated[float, Between(low=0, high=1)] = 0.5,
) -> Iterator[Outcome]:
    """Most units of a layer never fire, or are stuck at their bound.

    ## What it does

    Looks at what rectifiers (ReLU) and bounded activations (tanh, sigmoid) give on the first batch, whether they are
    layers or functions between layers.

    ## Why is this bad?

    A rectifier that gives 0 for every sample gets no gradient and never will; a tanh at ±1 or a sigmoid at 0 or 1
    passes next to none. Inputs that were not normalized, large weights or a large negative bias do that.

    ## How it decides

    A unit (a channel, a feature) is dead if it is exactly 0 for all samples and places of the batch, while nothing of
    its layer is below 0. An activation is saturated if it lies within 2.5 % of the range from a bound: there the
    derivative of tanh is below 0.1 of its greatest. Reported where more than a share `share` of a layer's units are
    dead, or of its activations saturated; layers of fewer than 8 units are passed over, and so are the model's outputs
    (DG703) and layers whose own weights are all 0, as the last norm of a residual branch may be. On 26 sound models × 5
    seeds, batches of 32, at most 0.31 of a layer's units were dead and 0.05 saturated; 0 of 130 runs fired.

    Options:

    - `share`: the share that is reported.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.opening import open_case
    >>> from dataguard.training.passes import first_pass
    >>> model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 3))
    >>> _ = torch.nn.init.constant_(model[0].bias, -20)
    >>> batch = (torch.randn(32, 16), torch.arange(32) % 3)
    >>> case = open_case(Training(model=model, loss=torch.nn.CrossEntropyLoss(), batch=batch))
    >>> [finding] = dead_or_saturated_activation(first_pass(case))
    >>> finding.message.split(":")[0]
    'Most units are dead'

    ## How to fix

    Normalize the inputs; make initial weights smaller and biases 0; take a rectifier that leaks, or norms.

    ## References

    - Maas, Hannun and Ng, *Rectifier nonlinearities improve neural network acoustic models*, ICML 2013.
    - Rakitianskaia and Engelbrecht, *Measuring saturation in neural networks*, SSCI 2015.
    """
    case = first.case
    blank = {
        item.layer for item in first.parameters if len(item.shape) and item.values.low == 0 == item.values.high
    } - {item.layer for item in first.parameters if item.values.high > item.values.low}
    dead: list[tuple[float, LayerStatistics, int]] = []
    saturated: list[tuple[float, LayerStatistics, int]] = []
    before = ""
    for layer in first.layers:
        is_last = layer is first.layers[-1]
        if layer.kind in _RECTIFYING and not is_last:
            dead.append((_dead(layer.units), layer, len(layer.units)))
        elif layer.entering is not None and layer.order and layer.name not in blank and before not in blank:
            # A function between layers, as relu: nothing of it is below 0, and some of it is.
            if layer.entering.low == 0 and layer.entering.zeros > 0 and layer.entering.high > 0:
                dead.append((_dead(layer.entering_units), layer, len(layer.entering_units)))
            elif layer.entering.low == 0 == layer.entering.high:
                dead.append((1.0, layer, len(layer.entering_units)))
            if -1 <= layer.entering.low < -0.9 and 0.9 < layer.entering.high <= 1:
                saturated.append((_near(layer.entering, -1.0, 1.0), layer, len(layer.entering_units)))
        if layer.kind in _BOUNDS and not is_last:
            saturated.append((_near(layer.activation, *_BOUNDS[layer.kind]), layer, len(layer.units)))
        before = layer.name
    worst_dead = max((item[0] for item in dead if item[2] >= _LEAST), default=0.0)
    worst_saturated = max((item[0] for item in saturated if item[2] >= _LEAST), default=0.0)
    measurements = (
        Measurement(name="dead units of a layer, at most", value=round(worst_dead, 4), threshold=share, unit="share"),
        Measurement(
            name="saturated activations of a layer, at most",
            value=round(worst_saturated, 4),
            threshold=share,
            unit="share",
        ),
    )
    said = False
    for key, found, words in (("dead", dead, "units are dead"), ("saturated", saturated, "activations are saturated")):
        bad = [item for item in found if item[0] > share and item[2] >= _LEAST]
        if not bad:
            continue
        said = True
        worst = max(bad, key=lambda item: item[0])
        yield dead_or_saturated_activation.finding(
            f"Most {words}: {worst[0] * 100:.0f} % at {worst[1].name} ({worst[1].kind}) on {first.batch.size} samples, "
            f"and more than {share * 100:.0f} % at {len(bad)} of {len(found)} places.",
            remedy="Normalize the inputs, make initial weights smaller and biases 0, or take a rectifier that leaks.",
            confidence=Confidence.HIGH if first.batch.size >= 16 else Confidence.MEDIUM,
            measurements=measurements,
            locations=tuple(case.location(item[1].name, f"{item[0] * 100:.0f} % of its {words}") for item in bad[:8]),
            key=(key,),
        )
    if not said:
        yield Observation(
            message=f"At most {worst_dead * 100:.0f} % of a layer's units are dead, and {worst_saturated * 100:.0f} % "
            "of its activations saturated.",
            measurements=measurements,
        )


def _dead(units: np.ndarray) -> float:
    return float(np.mean((units[:, 0] == 0) & (units[:, 1] == 0))) if len(units) else 0.0


def _near(values: Distribution, low: float, high: float) -> float:
    """The share that lies near a bound, from the histogram, whose bins are counted by their middles."""
    middles = (values.edges[:-1] + values.edges[1:]) / 2
    margin = _NEAR * (high - low)
    near = (middles < low + margin) | (middles > high - margin)
    return float(values.counts[near].sum() / max(values.counts.sum(), 1))

"""DG703 saturated-output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dataguard.core.exhibit import Histogram, Series
from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.training.outputs import OutputScores, output_scores
from dataguard.training.passes import FirstPass

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS = 20
_LEAST = 4


@rule("DG703", "saturated-output", Severity.WARNING)
def saturated_output(
    first: FirstPass,
    *,
    sure: Annotated[float, Between(low=0.5, high=1)] = 0.99,
    share: Annotated[float, Between(low=0, high=1)] = 0.5,
) -> Iterator[Outcome]:
    """The outputs of the untrained model are saturated: sure of what it cannot know, or stuck at a bound.

    ## What it does

    Looks at the outputs of the first batch before any training: as probabilities, where the loss takes them for
    classes or labels; as they are, where it takes them for values.

    ## Why is this bad?

    Where a softmax or a sigmoid is saturated its gradient is nearly zero, and learning is slow or stops: the first
    thousands of steps only bring the logits back. A last ReLU that gives nothing but zeros gets no gradient at all.

    ## How it decides

    An output is saturated if its probability is above `sure` (for labels: or below 1 − `sure`). Reported where more
    than a share `share` of the samples are. Logits of variance 2, the most that usual initializations give, saturate a
    two-class softmax in 2.2 % of the samples (P(|d| > ln 99) for a difference d of variance 4), and less often with
    more classes: of four samples or more, more than half is no accident (binomial tail below 1e-4).

    Values are stuck where more than nine in ten are the very same number and no gradient reaches the layer that makes
    them. Targets that the last layer's range does not hold (a sigmoid's 0 to 1, a tanh's −1 to 1, a ReLU's 0 and more)
    are reported too, since the outputs can only saturate towards them.

    Options:

    - `sure`: the probability from which an output is saturated.
    - `share`: the share of saturated samples that is reported.

    Measured (`benchmarks/golden.py`): no false alarm in 130 sound trainings (26 architectures, 5 seeds); of
    classifiers whose outputs are fifty times too large 5 of 6 are found.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.opening import open_case
    >>> from dataguard.training.passes import first_pass
    >>> _ = torch.manual_seed(0)
    >>> batch = (255 * torch.rand(64, 20), torch.arange(64) % 4)
    >>> case = open_case(Training(model=torch.nn.Linear(20, 4), loss=torch.nn.CrossEntropyLoss(), batch=batch))
    >>> [finding] = saturated_output(first_pass(case))
    >>> finding.message.split(" of ")[0]
    '100 %'

    ## How to fix

    Normalize the inputs, make the initial weights of the last layer smaller, and take the last activation away where
    the loss applies its own. Scale targets into the range of the last layer, or leave its activation out.

    ## References

    - Glorot and Bengio, *Understanding the difficulty of training deep feedforward neural networks*, AISTATS 2010.
    - Rakitianskaia and Engelbrecht, *Measuring saturation in neural networks*, SSCI 2015.
    """
    case = first.case
    scores = output_scores(case, first.predictions)
    targets = _outside(first)
    if targets is not None:
        kind, low, high, seen = targets
        name = first.layers[-1].name
        yield saturated_output.finding(
            f"The targets go from {seen[0]:.4g} to {seen[1]:.4g}, and the last layer, a {kind}, can only return values "
            f"from {low:g} to {high:g}.",
            remedy="Leave the last activation out, or scale the targets into its range.",
            confidence=Confidence.HIGH,
            measurements=(
                Measurement(name="lowest target", value=round(seen[0], 6), threshold=low),
                Measurement(name="highest target", value=round(seen[1], 6), threshold=high),
            ),
            locations=(case.location(name, "bounds the outputs"),),
            key=("range",),
        )
        return
    if scores is None:
        yield from _values(first)
        return
    saturated = scores.saturated(sure)
    n = scores.n
    level = Measurement(name="saturated outputs", value=round(saturated, 6), threshold=share, n=n, unit="share")
    if n < _LEAST:
        yield Inconclusive(reason=f"the first batch has {n} outputs; {_LEAST} are needed", measurements=(level,))
        return
    exhibit = _histogram(scores)
    if saturated > share:
        yield saturated_output.finding(
            f"{saturated:.0%} of {n} outputs of the untrained model have a probability above {sure:g}".replace(
                "%", " %"
            )
            + (f" or below {1 - sure:g}" if scores.two_sided else "")
            + ": it is sure of what it cannot know yet.",
            remedy="Normalize the inputs; make the last layer's initial weights smaller.",
            confidence=Confidence.HIGH,
            measurements=(level,),
            locations=(case.location(_last(first), "makes the outputs"),),
            exhibits=(exhibit,),
            key=("saturated",),
        )
    else:
        yield Observation(
            message=f"{saturated:.0%} of {n} outputs of the untrained model are saturated.".replace("%", " %"),
            measurements=(level,),
            exhibits=(exhibit,),
        )


def _values(first: FirstPass) -> Iterator[Outcome]:
    values = first.predictions.float().cpu().numpy().reshape(-1)
    _, counts = np.unique(values, return_counts=True)
    same = float(counts.max() / values.size) if values.size else 0.0
    name = _last(first)
    gradients = [item.gradient for item in first.parameters if item.layer == name and item.trains]
    still = bool(gradients) and all(item is None or item.norm == 0 for item in gradients)
    level = Measurement(
        name="outputs that are the same number", value=round(same, 6), threshold=0.9, n=values.size, unit="share"
    )
    if same > 0.9 and still and values.size >= _LEAST:
        yield saturated_output.finding(
            f"{same:.0%} of {values.size} outputs are the same number, {float(values[0]):.4g}, ".replace("%", " %")
            + "and no gradient reaches the layer that makes them.",
            remedy="Look at the last activation: it is stuck at its bound.",
            confidence=Confidence.HIGH,
            measurements=(level,),
            locations=(first.case.location(name, "gets no gradient"),),
            key=("stuck",),
        )
    else:
        yield Observation(message=f"{len(counts):,} of {values.size:,} outputs differ.", measurements=(level,))


_RANGES = {
    "Sigmoid": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "ReLU": (0.0, np.inf),
    "Softplus": (0.0, np.inf),
    "Softmax": (0.0, 1.0),
    "Hardtanh": (-1.0, 1.0),
    "Hardsigmoid": (0.0, 1.0),
    "ReLU6": (0.0, 6.0),
    "LogSigmoid": (-np.inf, 0.0),
    "Softsign": (-1.0, 1.0),
}


def _outside(first: FirstPass) -> tuple[str, float, float, tuple[float, float]] | None:
    """The class of the last layer, its range and that of the targets, where they are values and do not fit."""
    import torch

    targets = first.batch.targets
    task = first.case.task.kind
    if task not in ("regression", "reconstruction", "binary", "multi-label") or not isinstance(targets, torch.Tensor):
        return None
    last = first.layers[-1] if first.layers else None
    if last is None or last.kind not in _RANGES or tuple(last.shape) != tuple(first.predictions.shape):
        return None
    spread = last.activation
    predictions = first.predictions.float()
    if abs(float(predictions.mean()) - spread.mean) > 1e-4 * max(abs(spread.mean), 1e-3):
        return None
    low, high = _RANGES[last.kind]
    seen = (float(targets.min()), float(targets.max()))
    margin = 1e-3 * max(seen[1] - seen[0], 1e-9)
    return (last.kind, low, high, seen) if seen[0] < low - margin or seen[1] > high + margin else None


def _last(first: FirstPass) -> str:
    held = [layer.name for layer in first.layers if any(item.layer == layer.name for item in first.parameters)]
    return held[-1] if held else ""


def _histogram(scores: OutputScores) -> Histogram:
    counts: NDArray[np.int64]
    counts, edges = np.histogram(scores.probabilities, bins=_BINS, range=(0.0, 1.0))
    return Histogram(
        title="Output probabilities of the untrained model",
        categories=tuple(f"{low:.2f}" for low in edges[:-1]),
        series=(Series(name=scores.name, values=tuple(counts.astype(float).tolist())),),
        unit="outputs",
    )

"""DG721 initial-weight-scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from dataguard.core.finding import Confidence, Finding, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.training.call_pass import CallPass
from dataguard.training.weights import Weights

BAND = 3.0
"""By what factor a weight may be beyond the smallest and the largest scale in use."""
SMALL = 0.02
"""The standard deviation of normal weights in transformers, at whatever width."""
SHOWN = 20


@rule("DG721", "initial-weight-scale", Severity.WARNING)
def initial_weight_scale(found: CallPass) -> Iterator[Outcome]:
    """Weights begin too large, too small, or equal to each other.

    ## What it does

    Measures the weights of every linear, convolutional and recurrent layer before training: their scale against the
    number of inputs, whether units have equal weights, and whether their gradients are equal, too.

    ## Why is this bad?

    Each layer multiplies the size of what goes through by std·√fan_in: weights that are too large saturate the outputs
    and make gradients explode with depth, weights that are too small make both vanish. Units with the same weights and
    the same gradient stay the same for ever, and a layer of them is one unit.

    ## How it decides

    The gain of a layer is g = std·√fan_in (root mean square for std). Initializations in use give

    - 1/√3 PyTorch's default of linear and convolutional layers (U(±1/√fan_in)), 1 LeCun's and orthogonal matrices,
      √(2·fan_in/(fan_in+fan_out)) Xavier's (times 5/3 for tanh), √2 He's, √(2·fan_in/fan_out) He's by outputs
      (convolutions), √(fan_in/(3·units)) PyTorch's recurrent layers, and 0.02·√fan_in transformers' (over √(2·layers)
      where a residual branch ends).

    Too large: g above 3 times the largest of these for the layer's fans, so that the second moment grows 9-fold beyond
    the largest in use, in this one layer. With an activation that is bounded on both sides, or after which nothing
    follows, that saturates; where a norm follows, scale cancels, and the layer is passed over.

    Too small: g below a third of the smallest of these, in a layer that an activation follows and no norm. The last
    layer, and the last one of a residual branch, may start at any small number, or 0, on purpose.

    A band of 3 is for a single layer; growth over many layers is measured by what goes through them, which other rules
    do. Embeddings (one input at a time) and norms have no fan_in; an embedding's matrix that a linear layer shares is
    measured as that layer's.

    Equal units: at least half of the units have weights of another unit, and their gradients after one backward pass
    are equal to 1e-4 of the greatest, too (error). Equal weights with different gradients part in the first step: a
    layer of zeros after others, as in residual branches and adapters, passes; other constant weights are a warning.
    Frozen weights (fixed filters), and models declared as trained already, are not asked.

    Sampling: the relative error of std of n weights is about 1/√(2n), for 4 weights 35 %, far below the factor 3. On 26
    sound models × 5 seeds the gain was 0.09 to 1.4, and the rule silent. Weights of variance 1, constant
    ones and zeros, planted in each of these models that they fit: 65 of 65 found (``benchmarks/training_pairing.py``).

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.call_pass import call_pass
    >>> from dataguard.training.opening import open_case
    >>> model = torch.nn.Sequential(torch.nn.Linear(100, 50), torch.nn.Tanh(), torch.nn.Linear(50, 4))
    >>> _ = torch.nn.init.normal_(model[0].weight, std=1.0)  # √100 times Xavier's, and more
    >>> batch = (torch.randn(16, 100), torch.arange(16) % 4)
    >>> case = open_case(Training(model=model, loss=torch.nn.CrossEntropyLoss(), batch=batch))
    >>> [finding] = initial_weight_scale(call_pass(case))
    >>> finding.message.split(":")[0]
    'Weights of 0 (Linear) begin too large'

    ## How to fix

    Draw weights by ``torch.nn.init`` for the activation that follows (``kaiming_normal_`` for ReLU, ``xavier_uniform_``
    for tanh), or leave torch's own. Zeros belong in biases, and in the last layer of a residual branch.

    ## References

    - Glorot, Bengio, *Understanding the difficulty of training deep feedforward neural networks*, AISTATS 2010.
    - He et al., *Delving deep into rectifiers*, ICCV 2015, https://arxiv.org/abs/1502.01852.
    - LeCun et al., *Efficient backprop*, 1998.
    - Braiek, Khomh, *Testing feedforward neural networks training programs*, ACM TOSEM 2023 (poor weight
      initialization; unbreaking symmetry), https://arxiv.org/abs/2204.00694.
    """
    case = found.case
    weights = [item for item in found.weights if item.trains and all(size > 0 for size in item.shape)]
    if case.training.pretrained:
        yield Observation(message="The model is declared as trained already; how its weights began is not asked.")
        return
    sizes = [item for item in weights if not item.constant]
    large = [item for item in sizes if not item.normalized and item.gain > BAND * max(_references(item))]
    small = [
        item
        for item in sizes
        if not item.normalized
        and item.activation not in (None, "softmax", "log_softmax", "sigmoid")
        and item.gain < min(_references(item)) / BAND
    ]
    equal = [item for item in weights if item.same_units >= max(1, _units(item) / 2)]
    # A wide layer of few inputs that are whole numbers may repeat by chance; a constant one does not.
    stuck = [item for item in equal if item.same_gradients >= max(1, _units(item) / 2)]
    constant = [item for item in equal if item not in stuck and item.constant and item.std > 0]
    faults: list[Finding] = []
    if large:
        faults.append(
            _finding(found, large, "begin too large", lambda item: _scale(item, max), Severity.WARNING, "too large")
        )
    if small:
        faults.append(
            _finding(found, small, "begin too small", lambda item: _scale(item, min), Severity.WARNING, "too small")
        )
    if stuck:
        faults.append(
            _finding(
                found,
                stuck,
                "begin equal and stay so",
                lambda item: (
                    f"{item.same_units + 1} of {_units(item)} units have the weights and the gradient of another"
                ),
                Severity.ERROR,
                "stay equal",
            )
        )
    if constant:
        faults.append(
            _finding(
                found,
                constant,
                "begin equal",
                lambda item: f"all are {item.mean:.4g}",
                Severity.WARNING,
                "constant",
            )
        )
    yield from faults
    if not faults:
        gains = sorted(item.gain for item in sizes)
        span = f", std·√fan_in is {gains[0]:.3g} to {gains[-1]:.3g}" if gains else ""
        yield Observation(
            message=f"Of {len(weights)} weight matrices none begins out of scale or with equal units{span}.",
            measurements=tuple(_measured(item) for item in sizes[:SHOWN]),
        )


def _references(item: Weights) -> list[float]:
    """Gains that initializations in use give for a layer's fans."""
    fan_in, fan_out = item.fan_in, item.fan_out
    recurrent = [math.sqrt(fan_in / (3 * fan_out))] if item.kind in ("LSTM", "GRU", "RNN") else []
    if item.kind in ("LSTM", "GRU"):
        # Their matrices hold four or three gates of units.
        recurrent.append(math.sqrt(fan_in / (3 * fan_out / (4 if item.kind == "LSTM" else 3))))
    xavier = math.sqrt(2 * fan_in / (fan_in + fan_out))
    return [
        1 / math.sqrt(3),
        xavier,
        xavier * (5 / 3 if item.activation == "tanh" else 1),
        math.sqrt(2),
        *([math.sqrt(2 * fan_in / fan_out)] if item.kind.startswith(("Conv", "LazyConv")) else []),
        min(SMALL * math.sqrt(fan_in), math.sqrt(2)),
        *recurrent,
    ]


def _units(item: Weights) -> int:
    return item.shape[1] if item.kind.startswith("ConvTranspose") else item.shape[0]


def _scale(item: Weights, end: Callable[[Sequence[float]], float]) -> str:
    times = item.gain / end(_references(item))
    many = f"{times:.3g} times" if times > 1 else f"1/{1 / times:.3g} of" if times > 0 else "nothing of"
    which = "largest" if times > 1 else "smallest"
    follows = f", before {item.activation}" if item.activation else ""
    return (
        f"std·√fan_in is {item.gain:.3g} ({item.std:.3g}·√{item.fan_in}), {many} the {which} that initializations "
        f"give{follows}"
    )


def _measured(item: Weights, end: Callable[[Sequence[float]], float] = max) -> Measurement:
    bound = end(_references(item)) * (BAND if end is max else 1 / BAND)
    return Measurement(
        name=f"std·√fan_in of {item.name}",
        value=round(item.gain, 6),
        threshold=round(bound, 6),
        n=math.prod(item.shape),
    )


def _finding(
    found: CallPass,
    items: Sequence[Weights],
    what: str,
    said: Callable[[Weights], str],
    severity: Severity,
    key: str,
) -> Finding:
    first = items[0]
    more = f", and {len(items) - 1} more" if len(items) > 1 else ""
    return initial_weight_scale.finding(
        f"Weights of {first.layer or 'the model'} ({first.kind}){more} {what}: {said(first)}.",
        remedy="Draw them by torch.nn.init for the activation that follows, or leave torch's own initialization.",
        severity=severity,
        confidence=Confidence.HIGH,
        measurements=tuple(_measured(item, min if key == "too small" else max) for item in items[:SHOWN]),
        locations=tuple(found.case.location(item.layer, f"{item.name}: {said(item)}") for item in items),
        key=(key,),
    )

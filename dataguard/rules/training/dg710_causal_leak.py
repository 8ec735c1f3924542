"""DG710 causal-leak."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.training.influence import FutureInfluence
from dataguard.training.traced import TOLERANCE


@rule("DG710", "causal-leak", Severity.ERROR)
def causal_leak(found: FutureInfluence) -> Iterator[Outcome]:
    """A model that is declared causal sees later steps.

    ## What it does

    In eval mode, exchanges all inputs after a step, another step for every sample, and compares the outputs up to it.

    ## Why is this bad?

    A model that foresees the next step and has seen it is perfect in training and worthless in service. A mask that is
    off by one, a padding on the wrong side of a convolution, a norm over time are enough.

    ## How it decides

    Null hypothesis: the output at step t depends on inputs up to t alone. Nothing but rounding may change: it is a
    fault above 1e-4 of the greatest output (see DG707). Every step but the last is a border for some sample, where
    the batch has enough of them, so that a leak from one step ahead is seen as well as one from far ahead. Where it
    begins is the innermost module that was given the same past and gave something else. 0 of 10 sound runs (2 causal
    models × 5 seeds) fired. Only models declared with ``Training(causal=True)`` are asked.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.influence import future_influence
    >>> from dataguard.training.opening import open_case
    >>> class Centred(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.body = torch.nn.Conv1d(1, 1, 3, padding=1)
    ...     def forward(self, x):
    ...         return self.body(x.transpose(1, 2)).transpose(1, 2)
    >>> x = torch.randn(16, 9, 1)
    >>> training = Training(model=Centred(), loss=torch.nn.MSELoss(), batch=(x[:, :-1], x[:, 1:]), causal=True)
    >>> [finding] = causal_leak(future_influence(open_case(training)))
    >>> finding.locations[0].note.split(":")[0]
    'body (Conv1d)'

    ## How to fix

    Mask attention with ``torch.triu(…, diagonal=1)``, pad convolutions on the left alone, and take no statistics over
    time.

    ## References

    - Karpathy, *A recipe for training neural networks*, 2019 (use backprop to chart dependencies),
      https://karpathy.github.io/2019/04/25/recipe/.
    """
    reaction = found.future
    if reaction.error:
        yield Inconclusive(reason=f"the model fails on other inputs of the same form: {reaction.error}")
        return
    measurement = Measurement(
        name="change of earlier outputs when later inputs change",
        value=float(f"{reaction.deviation:.3g}")
        if reaction.deviation != float("inf")
        else "another shape or not finite",
        threshold=TOLERANCE,
        n=found.steps,
    )
    if reaction.deviation <= TOLERANCE:
        yield Observation(message=f"No output sees a later one of {found.steps} steps.", measurements=(measurement,))
        return
    layer = reaction.where.layer if reaction.where is not None else ""
    yield causal_leak.finding(
        "Outputs see later steps: other inputs afterwards change them by up to "
        f"{reaction.deviation:.2g} of the greatest.",
        remedy="Mask later steps in attention, pad convolutions on the left alone, take no statistics over time.",
        confidence=Confidence.HIGH,
        measurements=(measurement,),
        locations=(
            found.case.location(
                layer,
                "given the same past, it gives something else",
            ),
        ),
    )

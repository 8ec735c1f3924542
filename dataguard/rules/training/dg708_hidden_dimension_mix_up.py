"""DG708 hidden-dimension-mix-up."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.training.influence import SampleInfluence
from dataguard.training.traced import TOLERANCE


@rule("DG708", "hidden-dimension-mix-up", Severity.ERROR)
def hidden_dimension_mix_up(found: SampleInfluence) -> Iterator[Outcome]:
    """The model works only because two dimensions happen to have the same size.

    ## What it does

    Runs model and loss once more, in eval mode, with a number of samples that is prime and no other size of inputs,
    outputs or weights, and compares outputs with those of the same samples before.

    ## Why is this bad?

    With 32 samples of 32 steps, or 10 samples and 10 classes, a transposed matrix has the right shape. It computes
    something else than was meant, and nothing says so until the last batch of an epoch is smaller.

    ## How it decides

    It is a fault where model or loss raise with so many samples, where the output has no dimension of that size in the
    place of the samples, or where a sample's output is no longer the same to 1e-4 of the greatest output (see DG707).
    Sizes that are different primes cannot be taken for each other, which makes the test exact for the samples'
    dimension; steps and channels of a fixed size are not varied. 0 of 130 sound runs (26 models × 5 seeds) fired.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.influence import sample_influence
    >>> from dataguard.training.opening import open_case
    >>> def transposed(outputs, targets):
    ...     return torch.nn.functional.cross_entropy(outputs.t(), targets)
    >>> batch = (torch.randn(8, 4), torch.arange(8) % 8)
    >>> case = open_case(Training(model=torch.nn.Linear(4, 8), loss=transposed, batch=batch))
    >>> [finding] = hidden_dimension_mix_up(sample_influence(case))
    >>> finding.message.split(":")[0]
    'With 5 samples model or loss fail'

    ## How to fix

    Look at the line named for ``t()``, ``transpose``, ``view`` and ``reshape``, and for reductions over the wrong
    dimension; develop with sizes that are all different primes.

    ## References

    - *37 reasons why your neural network is not working*, no. 25 (hidden dimension errors: use weird numbers).
    """
    case, reaction = found.case, found.at_prime
    expected = (*found.shape[: found.axis], found.prime, *found.shape[found.axis + 1 :])
    measurement = Measurement(
        name="change of outputs with another number of samples",
        value="fails"
        if reaction.error
        else float(f"{reaction.deviation:.3g}")
        if reaction.deviation != float("inf")
        else "another shape or not finite",
        threshold=TOLERANCE,
        n=found.prime,
    )
    message = ""
    if reaction.error:
        message = f"With {found.prime} samples model or loss fail: {reaction.error}; with {found.n} they do not."
    elif reaction.shape != expected:
        message = (
            f"With {found.prime} samples the output has another form: {list(reaction.shape)} where {list(expected)} "
            f"belongs; with {found.n} it is {list(found.shape)}."
        )
    elif reaction.deviation > TOLERANCE and found.others.deviation <= TOLERANCE:
        # Where samples influence each other, DG707 says it.
        message = (
            f"With {found.prime} samples instead of {found.n} the same samples come out otherwise: by up to "
            f"{reaction.deviation:.2g} of the greatest output."
        )
    if not message:
        yield Observation(
            message=f"{found.prime} samples come out as they do among {found.n}.", measurements=(measurement,)
        )
        return
    where = reaction.where.layer if reaction.where is not None else ""
    yield hidden_dimension_mix_up.finding(
        message,
        remedy="Look for dimensions that change places (t, transpose, view, reshape) and for sizes that are fixed.",
        confidence=Confidence.HIGH,
        measurements=(measurement,),
        locations=(case.location(where, "with sizes that are no other's, it gives something else"),),
    )

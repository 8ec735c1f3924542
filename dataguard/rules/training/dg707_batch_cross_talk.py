"""DG707 batch-cross-talk."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.training.influence import Reaction, SampleInfluence
from dataguard.training.traced import TOLERANCE


@rule("DG707", "batch-cross-talk", Severity.ERROR)
def batch_cross_talk(found: SampleInfluence) -> Iterator[Outcome]:
    """What comes out for a sample depends on the other samples of its batch.

    ## What it does

    In eval mode, moves half of the samples of a batch to other places, puts copies of one of them in all the others,
    and compares the outputs of those that are the same; and runs one sample in a batch of its own.

    ## Why is this bad?

    A ``view`` where a ``transpose`` belongs, a mean or a softmax over dimension 0, attention with the wrong
    ``batch_first``: samples leak into each other. The loss still falls, while the model learns from what it will not
    have in service, where requests come one by one.

    ## How it decides

    Null hypothesis: f(x)ᵢ depends on xᵢ alone. The exchange is exact, so that nothing but rounding may change. It is a
    fault where the greatest change of an output exceeds 1e-4 of the greatest output, some 800 roundings of float32; or
    where one sample alone gives an output of another shape. On 26 sound models × 5 seeds the greatest change was 1e-6
    and the rule was silent on all; see ``benchmarks/training_probes.py`` for what is found of planted faults. Where it
    begins is told by comparing what every module was given and gave in the two runs: the innermost module that was
    given the same and gave otherwise. Batch norm in train mode does this on purpose and is not asked.

    Losses that compare samples, as contrastive ones, do not count: outputs alone are looked at. A model that is meant
    to mix samples is declared with ``Training(cross_sample=True)``, and the rule is skipped.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.influence import sample_influence
    >>> from dataguard.training.opening import open_case
    >>> class Centred(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.head = torch.nn.Linear(4, 3)
    ...     def forward(self, x):
    ...         return self.head(x - x.mean(0))
    >>> batch = (torch.randn(16, 4), torch.arange(16) % 3)
    >>> case = open_case(Training(model=Centred(), loss=torch.nn.CrossEntropyLoss(), batch=batch))
    >>> [finding] = batch_cross_talk(sample_influence(case))
    >>> finding.message.split(":")[0]
    'Outputs depend on the other samples of the batch'

    ## How to fix

    Look in the module named for a reduction, a softmax or a norm over the batch's dimension, and for ``view`` or
    ``reshape`` where dimensions were to change places (``transpose``, ``permute``). Use ``batch_first`` as the data
    are.

    ## References

    - *37 reasons why your neural network is not working*, no. 4 (swapping inputs must swap outputs).
    - Karpathy, *A recipe for training neural networks*, 2019 (use backprop to chart dependencies),
      https://karpathy.github.io/2019/04/25/recipe/.
    """
    case = found.case
    expected = (*found.shape[: found.axis], 1, *found.shape[found.axis + 1 :])
    measurements = (
        _measured("change of outputs when others are exchanged", found.others, found.n),
        _measured("change of outputs when alone", found.alone, 1),
    )
    faults: list[tuple[str, Reaction, str]] = []
    if found.others.error:
        faults.append(("others", found.others, f"the model fails when samples change places: {found.others.error}"))
    elif found.others.deviation > TOLERANCE:
        change = f"exchanging them changes outputs by up to {found.others.deviation:.2g} of the greatest"
        faults.append(("others", found.others, f"Outputs depend on the other samples of the batch: {change}"))
    if found.alone.error:
        faults.append(("alone", found.alone, f"The model fails on a batch of one sample: {found.alone.error}"))
    elif found.alone.shape != expected:
        shapes = f"{list(found.alone.shape)} where {list(expected)} belongs"
        faults.append(("alone", found.alone, f"A batch of one sample gives an output of another shape: {shapes}"))
    elif found.alone.deviation > TOLERANCE and not faults:
        change = f"alone it differs by up to {found.alone.deviation:.2g} of the greatest output"
        faults.append(("alone", found.alone, f"Outputs depend on how many samples are in the batch: {change}"))
    for key, reaction, message in faults:
        yield batch_cross_talk.finding(
            f"{message}, in eval mode.",
            remedy="Look for a reduction over the batch's dimension, or a view where a transpose belongs; "
            "say cross_sample=True if samples are meant to be mixed.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=(place_of(found, reaction),),
            key=(key,),
        )
    if not faults:
        yield Observation(
            message=f"Each of {found.n} outputs depends on its own sample alone, in eval mode "
            f"({case.loss_form.words}).",
            measurements=measurements,
        )


def place_of(found: SampleInfluence, reaction: Reaction) -> Location:
    """Where a reaction begins, or else the model."""
    if reaction.where is None:
        return found.case.location("", "where it begins could not be told")
    return found.case.location(reaction.where.layer, "given the same, it gives something else")


def _measured(name: str, reaction: Reaction, n: int) -> Measurement:
    value = "fails" if reaction.error else float(f"{reaction.deviation:.3g}")
    shown = value if value != float("inf") else "another shape or not finite"
    return Measurement(name=name, value=shown, threshold=TOLERANCE, n=n)

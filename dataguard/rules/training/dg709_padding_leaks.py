"""DG709 padding-leaks."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.training.influence import PaddingInfluence, Reaction
from dataguard.training.traced import TOLERANCE


@rule("DG709", "padding-leaks", Severity.WARNING)
def padding_leaks(found: PaddingInfluence) -> Iterator[Outcome]:
    """What a sequence is filled up with changes what comes out.

    ## What it does

    In eval mode: puts other values in the padded steps, with the mask as it is, and compares the outputs that count;
    and runs up to three padded samples alone, without their padding.

    ## Why is this bad?

    How far a sequence is filled up depends on the longest one that happens to share its batch. A model that looks at
    padding answers differently from batch to batch, and learns lengths instead of contents.

    ## How it decides

    Null hypothesis: outputs of steps that count do not depend on padding, nor on how much of it there is. Nothing but
    rounding may change: it is a fault above 1e-4 of the greatest output (see DG707). What is padding is declared
    (``Training(padding=0, mask="attention_mask")``) or the ``padding_idx`` of an embedding; which of a mask's two
    values leaves a step out is told by where the padding is. Other values are tried only where the model is told what
    counts, by a mask or by lengths; otherwise they would be content. A model of a fixed number of steps cannot be tried
    on shorter sequences: inconclusive. 0 of 10 sound runs (2 models with padding × 5 seeds) fired.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.influence import padding_influence
    >>> from dataguard.training.opening import open_case
    >>> class Mean(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.embed = torch.nn.Embedding(20, 8)
    ...         self.head = torch.nn.Linear(8, 3)
    ...     def forward(self, ids):
    ...         return self.head(self.embed(ids).mean(1))
    >>> ids = torch.randint(1, 20, (16, 9)) * (torch.arange(9) < torch.randint(3, 9, (16, 1)))
    >>> batch = (ids, torch.arange(16) % 3)
    >>> training = Training(model=Mean(), loss=torch.nn.CrossEntropyLoss(), batch=batch, padding=0)
    >>> [finding] = padding_leaks(padding_influence(open_case(training)))
    >>> finding.message.split(":")[0]
    'Outputs depend on how far a sequence is filled up'

    ## How to fix

    Give attention its ``key_padding_mask``, pack sequences for recurrent layers (``pack_padded_sequence``), and average
    over the steps that count alone.

    ## References

    - *How to unit test machine learning code*, and the golden tests' S0.3: masked steps must be ignored.
    - PyTorch, ``torch.nn.MultiheadAttention``: ``key_padding_mask``.
    """
    case = found.case
    reactions = (
        ("change of outputs with other values in padding", found.content),
        ("change of outputs without padding", found.trimmed),
    )
    measurements = (
        *(_measured(name, reaction) for name, reaction in reactions if reaction is not None),
        Measurement(name="steps that are padding", value=round(found.share, 4), unit="share"),
    )
    tried = [
        (key, text, reaction)
        for key, text, reaction in (
            ("content", "Outputs depend on what padding holds: other values there change them", found.content),
            ("length", "Outputs depend on how far a sequence is filled up: without padding they change", found.trimmed),
        )
        if reaction is not None and not reaction.error
    ]
    if not tried:
        yield Inconclusive(
            reason="the model takes no shorter sequences, and is given no mask or lengths", measurements=measurements
        )
        return
    leaks = [item for item in tried if item[2].deviation > TOLERANCE]
    for key, text, reaction in leaks[:1]:
        share = "to other shapes" if reaction.deviation == float("inf") else f"by up to {reaction.deviation:.2g}"
        yield padding_leaks.finding(
            f"{text} {share} of the greatest (padding is {found.padding:g}, {found.origin}).",
            remedy="Mask padded steps in attention, pack sequences for recurrent layers, average over real steps.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=(
                case.location(
                    reaction.where.layer if reaction.where is not None else "",
                    "given the same where it counts, it gives something else",
                ),
            ),
            key=(key,),
        )
    if not leaks:
        yield Observation(
            message=f"Padding ({found.padding:g}, {found.origin}) changes no output that counts.",
            measurements=measurements,
        )


def _measured(name: str, reaction: Reaction) -> Measurement:
    value = "fails" if reaction.error else float(f"{reaction.deviation:.3g}")
    return Measurement(
        name=name, value=value if value != float("inf") else "another shape or not finite", threshold=TOLERANCE
    )

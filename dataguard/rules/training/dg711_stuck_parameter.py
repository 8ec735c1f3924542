"""DG711 stuck-parameter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.training.steps import ShortTraining

_SHOWN = 12


@rule("DG711", "stuck-parameter", Severity.WARNING)
def stuck_parameter(short: ShortTraining) -> Iterator[Outcome]:
    """A parameter that is meant to be trained gets no gradient, or does not change; or one that is frozen does.

    ## What it does

    Trains a copy for ten steps with the user's own optimizer and batches, and looks at every parameter: whether a
    gradient ever reached it, and whether it ever changed.

    ## Why is this bad?

    A ``detach``, an ``argmax`` or ``item()`` in between, a layer that is made and never called, one that was made after
    the optimizer, a learning rate that rounding swallows: part of the model stays as it was drawn, and the rest learns
    around it, so that nothing but a somewhat worse result tells.

    ## How it decides

    Exact, with no threshold: over all steps the norm of the gradient is 0 or there is none; or it is not, and the norm
    of the change is 0. Ten steps, since a residual branch whose last norm begins at zero has no gradient in the first
    one. A bias whose layer's weight does get a gradient is passed over: where outputs are subtracted from each other,
    as in siamese networks, or normalized afterwards, it cancels exactly. Parameters without ``requires_grad`` and those
    declared in ``Training(freeze=…)`` are not meant to be trained; if such a declared one changes, that is reported.
    An error where more than half of all weights are stuck. 0 of 130 sound runs (26 models × 5 seeds) fired.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.opening import open_case
    >>> from dataguard.training.steps import short_training
    >>> class Detached(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.body, self.head = torch.nn.Linear(4, 8), torch.nn.Linear(8, 3)
    ...     def forward(self, x):
    ...         return self.head(self.body(x).relu().detach())
    >>> batch = (torch.randn(16, 4), torch.arange(16) % 3)
    >>> case = open_case(Training(model=Detached(), loss=torch.nn.CrossEntropyLoss(), batch=batch))
    >>> [finding] = stuck_parameter(short_training(case))
    >>> finding.message
    'No gradient reaches 2 of 4 parameters in 10 steps (60 % of the weights): body.weight, body.bias.'

    ## How to fix

    Look between the parameter's layer and the loss for ``detach``, ``no_grad``, ``argmax``, ``item`` or numpy; take
    away layers that are not called; make the optimizer after all layers, from ``model.parameters()``.

    ## References

    - *37 reasons why your neural network is not working*, no. 23 (frozen layers).
    - PyTorch, *Autograd mechanics*, https://pytorch.org/docs/stable/notes/autograd.html.
    """
    case = short.case
    steps = len(short.updates)
    if not steps:
        yield Inconclusive(reason="no step could be made: the loss is not finite, or has no gradient")
        return
    gradients, updates = np.nansum(short.gradients, axis=0), short.updates.sum(axis=0)
    sizes = {name: int(item.numel()) for name, item in case.template.named_parameters()}
    ranks = {name: item.ndim for name, item in case.template.named_parameters()}
    meant = [name not in case.frozen for name in short.names]
    fed = {name.rpartition(".")[0] for name, total in zip(short.names, gradients, strict=True) if total > 0}

    def spared(name: str) -> bool:
        return ranks.get(name, 0) <= 1 and name.rpartition(".")[0] in fed

    rows = list(zip(short.names, meant, gradients, updates, strict=True))
    unfed = [name for name, wanted, total, _ in rows if wanted and not total > 0 and not spared(name)]
    held = [name for name, wanted, total, change in rows if wanted and total > 0 and not change > 0]
    moved = [name for name, wanted, _, change in rows if not wanted and change > 0]
    left_out = [name for name in held if name in case.unoptimized]
    still = [name for name in held if name not in case.unoptimized]
    all_sizes = sum(sizes.get(name, 0) for name, wanted in zip(short.names, meant, strict=True) if wanted)
    faults = (
        (
            "gradient",
            unfed,
            "No gradient reaches",
            "gets no gradient",
            "Look for detach, no_grad, argmax, item or numpy before the loss, and for layers that are never called.",
        ),
        (
            "optimizer",
            left_out,
            "The optimizer does not hold",
            "is not in the optimizer",
            "Make the optimizer after all layers are made, from model.parameters().",
        ),
        (
            "change",
            still,
            "A gradient reaches, and yet nothing changes",
            "does not change",
            "Look at the learning rate of its group, and whether the change is lost in rounding.",
        ),
    )
    said = False
    for key, names, says, note, remedy in faults:
        if not names:
            continue
        said = True
        share = sum(sizes.get(name, 0) for name in names) / max(all_sizes, 1)
        listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        yield stuck_parameter.finding(
            f"{says} {len(names)} of {sum(meant)} parameters in {steps} steps ({share * 100:.0f} % of the weights): "
            f"{listed}.",
            remedy=remedy,
            severity=Severity.ERROR if share > 0.5 else None,
            confidence=Confidence.HIGH,
            measurements=(
                Measurement(name="stuck parameters", value=len(names), threshold=0, n=sum(meant)),
                Measurement(name="their share of the weights", value=round(share, 4), unit="share"),
            ),
            locations=tuple(case.location(name, note) for name in names[:_SHOWN]),
            key=(key,),
        )
    if moved:
        said = True
        yield stuck_parameter.finding(
            f"{len(moved)} parameters are declared frozen, and training changes them: {', '.join(moved[:4])}"
            f"{' and more' if len(moved) > 4 else ''}.",
            remedy="Set requires_grad to False for them, and leave them out of the optimizer.",
            confidence=Confidence.HIGH,
            measurements=(Measurement(name="frozen parameters that change", value=len(moved), threshold=0),),
            locations=tuple(case.location(name, "declared frozen, and changes") for name in moved[:_SHOWN]),
            key=("frozen",),
        )
    if not said:
        yield Observation(message=f"All {sum(meant)} parameters that are meant to be trained change in {steps} steps.")

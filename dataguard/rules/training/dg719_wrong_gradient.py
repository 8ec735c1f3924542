"""DG719 wrong-gradient."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.training.gradchecks import TRIES, GradientChecks


@rule("DG719", "wrong-gradient", Severity.ERROR)
def wrong_gradient(found: GradientChecks) -> Iterator[Outcome]:
    """A layer or loss of the user's own gives a gradient that is not its derivative.

    ## What it does

    Runs every module that is neither torch's nor a library's, and a loss that is not torch's, in double precision on up
    to four samples, and compares the gradient that autograd gives with the derivative by central differences.

    ## Why is this bad?

    A sign or a factor that is wrong in a ``backward``, a ``detach()``, ``.item()`` or ``.data`` on the way: the loss
    may still fall, for the other terms carry it, and the part that is wrong never learns, or learns the opposite.

    ## How it decides

    With ``torch.autograd.gradcheck``, step 1e-6, relative tolerance 1e-3 (torch's own) and absolute 1e-4, of
    derivatives scaled to 1: three random sums of the outputs, in three random directions of all inputs and parameters
    together, so that it costs some twenty small runs whatever the size. A gradient that is wrong in a part of these
    numbers escapes only if every one of nine random projections of the error is below the tolerance.

    Kinks (ReLU, maxima, absolute values) have no derivative, and a batch may lie on them: what differs is tried again
    at three points aside (noise of 0.01, 0.3 and 0.5 of the spread of inputs and weights), and with steps of 1e-4 and
    1e-3 at tolerances of 1e-2 and 3e-2, within which what a layer computes in single precision lies. It is a fault only
    where it differs at every point, and at three of the six at least. The innermost modules come first; those that hold
    a wrong one are not reported again.

    Not every difference is a mistake: a straight-through estimator, a reversed gradient or a target that is detached on
    purpose gives one by design. Declare it: ``Training(surrogate=("quantizer",))``, or ``"loss"``. Where no gradient
    comes through at all, confidence is medium for that reason.

    On 26 sound models × 5 seeds no false alarm. A reversed gradient and a detached factor after each model, and a loss
    of which half is detached: 67 of 67 found (``benchmarks/training_pairing.py``).

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.gradchecks import gradient_checks
    >>> from dataguard.training.opening import open_case
    >>> def loss(outputs, targets):
    ...     error = outputs - targets
    ...     return (error.detach() * error).mean()  # half of the derivative
    >>> batch = (torch.randn(16, 4), torch.randn(16, 1))
    >>> case = open_case(Training(model=torch.nn.Linear(4, 1), loss=loss, batch=batch))
    >>> [finding] = wrong_gradient(gradient_checks(case))
    >>> print(finding.message)
    The gradient of the loss (loss) is not its derivative: they differ by 50% of the larger, at 6 points.

    ## How to fix

    Run ``torch.autograd.gradcheck`` on the function alone while you mend its ``backward``; leave the gradient to
    autograd where you can. Look for ``detach``, ``.data``, ``.item()``, ``torch.tensor(…)`` and ``no_grad`` on the way.

    ## References

    - [torch.autograd.gradcheck](https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html)
      and [its fast mode](https://docs.pytorch.org/docs/stable/notes/gradcheck.html).
    - Braiek, Khomh, *Testing feedforward neural networks training programs*, ACM TOSEM 2023 (relative error 1e-2),
      https://arxiv.org/abs/2204.00694.
    - CS231n, *Gradient checks*, https://cs231n.github.io/neural-networks-3/#gradcheck (kinks, double precision).
    """
    case = found.case
    wrong = [item for item in found.checked if item.agrees is False]
    for item in wrong:
        what = f"the loss ({item.kind})" if item.is_loss else f"{item.name or 'the model'} ({item.kind})"
        said = (
            "is missing: none comes through, while outputs depend on what goes in"
            if item.missing
            else f"is not its derivative: they differ by {item.deviation:.2g} of the larger, at {item.tries} points"
        )
        said = said.replace(f"{item.deviation:.2g} of", f"{item.deviation:.0%} of") if item.deviation > 0.01 else said
        note = "its gradient is not its derivative"
        yield wrong_gradient.finding(
            f"The gradient of {what} {said}.",
            remedy="Check its backward with torch.autograd.gradcheck, and look for detach(), .data and no_grad; if it "
            "is meant, name it in Training(surrogate=…).",
            confidence=Confidence.MEDIUM if item.missing else Confidence.HIGH,
            measurements=(
                Measurement(
                    name="difference of gradient and derivative, of the larger",
                    value=float(f"{item.deviation:.3g}"),
                    threshold=TRIES[0][2],
                    n=found.samples,
                ),
            ),
            locations=(case.loss_location(note) if item.is_loss else case.location(item.name, note),),
            key=("loss" if item.is_loss else item.name,),
        )
    if wrong:
        return
    agree = [item for item in found.checked if item.agrees]
    failed = [item for item in found.checked if item.agrees is None]
    if failed and not agree:
        first = failed[0]
        yield Inconclusive(reason=f"{first.name or 'the model'} ({first.kind}) could not be checked: {first.reason}")
        return
    worst = max((item.deviation for item in agree), default=0.0)
    beside = f"; {len(failed)} could not be checked ({failed[0].reason})" if failed else ""
    yield Observation(
        message=f"{len(agree)} of the user's own layers and losses have their derivative as gradient{beside}."
        if agree
        else "All layers and the loss are torch's own, whose gradients torch tests.",
        measurements=(Measurement(name="greatest difference of gradient and derivative", value=float(f"{worst:.3g}")),)
        if agree
        else (),
    )

"""DG704 learns-from-shuffled-labels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import numpy as np

from dataguard.core.finding import Confidence, Inconclusive, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.training.golden import Course, GoldenRuns


@rule("DG704", "learns-from-shuffled-labels", Severity.ERROR)
def learns_from_shuffled_labels(
    runs: GoldenRuns,
    *,
    alpha: Annotated[float, Between(low=0, high=0.2)] = 0.01,
    slower: Annotated[float, Between(low=0, high=1)] = 0.1,
) -> Iterator[Outcome]:
    """Shuffled labels are learned as well as real ones, or known beforehand.

    ## What it does

    Trains two copies alike, one on the batches as they are, one with the targets shuffled among the samples of each
    batch, and holds their losses against each other, in training and on held-out samples.

    ## Why is this bad?

    Shuffled targets can be learned by heart and nothing more. If held-out ones are foretold, the targets have reached
    the outputs, and every figure measured so is worthless. If training on real targets is no faster than on shuffled
    ones, the real ones might as well be shuffled: they are ignored, or paired with the wrong inputs.

    ## How it decides

    Both copies take 120 steps of Adam with the learning rate that learned the small batch by heart.

    - Leak: after training on shuffled targets, the loss on held-out samples with shuffled targets is below that with
      these permuted again, in all but a share `alpha` of 99 permutations (exact under the null hypothesis that outputs
      know nothing of the targets), and by more than a tenth. Where the loss is inside the model and cannot be asked
      again, it must be below 0.8 of the best constant's.
    - Ignored: the two courses of the loss are equal to 1e-6, although the targets differ.
    - No faster: the mean loss of the last quarter of the steps is not lower for real targets, L_real > (1 − `slower`)
      L_shuffled, and real held-out targets are not foretold (by the same permutation test), while a small batch was
      learned by heart. On sound trainings L_real is 0.0 to 0.75 of L_shuffled.

    Options:

    - `alpha`: the level of the permutation test.
    - `slower`: by what share training on real targets must come lower.

    Measured (`benchmarks/golden.py`): no false alarm in 130 sound trainings (26 architectures, 5 seeds); found are 7
    of 7 leaks, 7 of 7 losses that ignore the targets, and 7 of 8 loaders whose inputs and targets are shuffled apart.

    ## Example

    >>> import torch
    >>> from dataguard.training import Training
    >>> from dataguard.training.golden import golden_runs
    >>> from dataguard.training.opening import open_case
    >>> _ = torch.manual_seed(0)
    >>> leaking = lambda model, x, y: model(x) + 5 * torch.nn.functional.one_hot(y, 3)
    >>> batches = [(torch.randn(32, 4), torch.randint(0, 3, (32,))) for _ in range(9)]
    >>> net = torch.nn.Linear(4, 3)
    >>> case = open_case(Training(model=net, loss=torch.nn.CrossEntropyLoss(), loader=batches, forward=leaking))
    >>> [finding] = learns_from_shuffled_labels(golden_runs(case))
    >>> finding.message.split(":")[0]
    'Held-out targets are foretold although they are shuffled'

    ## How to fix

    For a leak, follow the targets into the model's forward pass: a decoder that is not shifted, a feature made of the
    target. For the others, look at where inputs and targets are shuffled, sorted or indexed apart from each other, and
    at what the loss does with its second argument.

    ## References

    - Zhang et al., *Understanding deep learning requires rethinking generalization*, ICLR 2017,
      https://arxiv.org/abs/1611.03530 (shuffled labels are learned by heart, more slowly, and do not generalize).
    - Ojala and Garriga, *Permutation tests for studying classifier performance*, JMLR 11, 2010.
    """
    case, real, shuffled = runs.case, runs.real, runs.shuffled
    if case.first.targets is None:
        yield Skipped(reason="there are no targets to shuffle")
        return
    if real is None or shuffled is None or real.ended or shuffled.ended:
        why = [course.ended for course in (real, shuffled) if course is not None and course.ended]
        yield Inconclusive(reason="; ".join([*why, *runs.missing.values()]) or "the runs were not made")
        return
    measurements = _measurements(real, shuffled, slower)
    same = len(real.losses) == len(shuffled.losses) and np.allclose(real.losses, shuffled.losses, rtol=1e-6, atol=1e-9)
    if same and _targets_differ(runs):
        yield learns_from_shuffled_labels.finding(
            f"The loss does not depend on the targets: with shuffled ones it is {shuffled.late():.4g} as with real "
            f"ones, in each of {len(real.losses)} steps.",
            remedy="Look at what the loss does with the targets, and whether it gets them.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=(case.loss_location("does not depend on the targets"),),
            key=("ignored",),
        )
        return
    p_value = _leak(shuffled)
    if p_value is not None and p_value <= alpha:
        yield learns_from_shuffled_labels.finding(
            f"Held-out targets are foretold although they are shuffled: the loss is {shuffled.after:.4g}, and "
            f"{_by_chance(shuffled):.4g} if they are shuffled again (p = {p_value:.2g}).",
            remedy="Follow the targets into the forward pass: they reach the outputs.",
            confidence=Confidence.HIGH,
            measurements=measurements,
            locations=(case.location("", "its outputs know the targets"),),
            key=("leak",),
        )
        return
    if runs.small is None or not runs.small.reached:
        yield Inconclusive(
            reason="the model cannot even learn a small batch by heart (DG701)", measurements=measurements
        )
        return
    faster = 1 - real.late() / shuffled.late() if shuffled.late() > 0 else math.nan
    foretold = _foretold(real, alpha)
    if faster < slower and not foretold:
        yield learns_from_shuffled_labels.finding(
            f"Real targets are learned no faster than shuffled ones: after {len(real.losses)} steps the loss is "
            f"{real.late():.4g} and {shuffled.late():.4g}, and held-out targets are not foretold.",
            remedy="Check that inputs and targets of a batch belong together; if they do, the targets may be noise.",
            confidence=Confidence.MEDIUM,
            severity=Severity.WARNING,
            measurements=measurements,
            locations=(case.loss_location("learns real targets no faster"),),
            key=("no faster",),
        )
    else:
        yield Observation(
            message=f"Real targets are learned faster: after {len(real.losses)} steps the loss is {real.late():.4g}, "
            f"with shuffled ones {shuffled.late():.4g}.",
            measurements=measurements,
        )


def _foretold(real: Course, alpha: float) -> bool:
    """Whether the held-out targets are, by the permutation test; where there is none, by the best constant."""
    if len(real.permuted):
        return float((1 + np.sum(real.permuted <= real.after)) / (1 + len(real.permuted))) <= alpha
    bound = real.chance if math.isfinite(real.chance) else real.before
    return real.after < 0.97 * bound


def _targets_differ(runs: GoldenRuns) -> bool:
    from dataguard.training.choosing import sample_keys

    batch = runs.case.first
    return len(set(sample_keys(batch.targets, batch))) > 1


def _by_chance(course: Course) -> float:
    return float(course.permuted.mean()) if len(course.permuted) else course.chance


def _leak(course: Course) -> float | None:
    """The p-value that held-out shuffled targets are foretold; None where there is nothing to tell it by."""
    if not math.isfinite(course.after):
        return None
    if len(course.permuted):
        p_value = float((1 + np.sum(course.permuted <= course.after)) / (1 + len(course.permuted)))
        return p_value if course.after < 0.9 * _by_chance(course) else 1.0
    if not math.isfinite(course.chance):
        return None
    return 0.0 if course.after < 0.8 * course.chance else 1.0


def _measurements(real: Course, shuffled: Course, slower: float) -> tuple[Measurement, ...]:
    found = [
        Measurement(
            name="loss of the last quarter of the steps, real targets",
            value=round(real.late(), 6),
            threshold=round((1 - slower) * shuffled.late(), 6),
            n=len(real.losses),
        ),
        Measurement(name="the same, shuffled targets", value=round(shuffled.late(), 6), n=len(shuffled.losses)),
    ]
    found += [
        Measurement(name=f"held-out loss after training, {course.name}", value=round(course.after, 6))
        for course in (real, shuffled)
        if math.isfinite(course.after)
    ]
    if len(shuffled.permuted):
        found.append(
            Measurement(
                name="held-out loss, labels shuffled again",
                value=round(_by_chance(shuffled), 6),
                low=round(float(shuffled.permuted.min()), 6),
                high=round(float(shuffled.permuted.max()), 6),
                n=len(shuffled.permuted),
            )
        )
    return tuple(found)

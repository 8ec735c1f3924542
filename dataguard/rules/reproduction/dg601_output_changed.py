"""DG601: a re-run gives another result."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dataguard.core.finding import (
    Confidence,
    Inconclusive,
    Location,
    Measurement,
    Observation,
    Outcome,
    Severity,
)
from dataguard.core.rule import rule
from dataguard.reproduction.culprit import explanation, moved_words, stage_words, suspects
from dataguard.reproduction.differences import shown
from dataguard.reproduction.reproducing import Reproduction
from dataguard.reproduction.tolerance import FACTOR
from dataguard.reproduction.verdict import TOP, StageVerdict, Verdict


@rule("DG601", "output-changed", Severity.ERROR)
def output_changed(reproduction: Reproduction) -> Iterator[Outcome]:
    """The result is not what was locked.

    ## What it does

    Holds what the run gave now against the golden outputs of the lock, stage by stage, and names the first stage that
    moved, and what is likeliest to have moved it.

    ## Why is this bad?

    A figure that does not come out again was made by something that nobody has: another decoder, another resize, other
    weights. Whoever serves the model gets this result, and not the one that was published or approved.

    ## How it decides

    *Bitwise*: every bit is the same. *Float noise*: max |Δ| ≤ 8·e0, where e0 = max |y − y_f64| is the run's own
    rounding error, measured in double precision when it was locked. Without such a run, e0 is the largest difference
    that a repeat, another batch size or another number of threads made, at most 1,000 half units in the last place
    (√n of them for sums of n = 10⁶ terms); it is never less than half a unit in the last place of max |y|.
    *Decision-safe*: max |Δ| is below half of the smallest margin between the first and the second class, so that no
    first class can change (each of the two moves by less than half of it); only where the result is one number a class,
    as its name or `inference.classes` says. *Changed*: none of these.

    Changed is an error, decision-safe a warning; the other two are no findings. Integers, such as decoded pixels, have
    no noise: they are bitwise the same, or changed. Where the golden values are not there and only hashes can be
    compared, a difference is inconclusive, since it may be noise.

    The factor 8: on 32 pictures and a small network, batch sizes 1 and 8, oneDNN limited to AVX2 and to SSE4.1, MKL
    limited to AVX2, 1 and 2 threads, and versions of torch from 1.12 to 2.13 moved the logits by 0.7 to 3.2 e0; another
    decoder of JPEG by 18,000 e0, another resize by 90,000, bfloat16 by 13,000. On the network of `examples/reproduce`
    (`benchmarks/reproduction.py verdicts`), seven harmless changes moved them by 0 to 1.5 e0, and none was found: no
    false alarms. Six harmful ones moved them by 15,000 e0 (bfloat16) to 2,700,000 (mirrored), and all were found at
    their stage. Between 3.2 and 13,000 was nothing, so that the threshold is not delicate.

    ## Example

    >>> from dataguard.reproduction.made_up import made_up_reproduction
    >>> finding = output_changed(made_up_reproduction({"decoded": 40, "preprocessed": 0.2, "logits": 3.0}))[0]
    >>> print(finding.message)  # doctest: +ELLIPSIS
    The result changed: 3 of 3 samples differ by up to 3 (...), and ... first class is the same for ...
    >>> output_changed(made_up_reproduction({"logits": 1e-6}))[0].message.split(":")[0]
    'The result is float noise away from what was locked'

    ## How to fix

    `dataguard bisect` runs it again with subsets of the differences undone, to the smallest set that explains it. Then
    pin what it names, or, if the new result is the right one, lock it: `dataguard lock`.

    ## References

    - PyTorch, *Reproducibility* and *Numerical accuracy*.
    - N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., chapter 3.
    - A. Zeller and R. Hildebrandt, *Simplifying and Isolating Failure-Inducing Input*, TSE 2002.
    """
    comparison = reproduction.comparison
    result, verdict = comparison.result, comparison.overall
    measurements = tuple(item for stage in comparison.stages for item in _measurements(stage))
    if verdict in (Verdict.BITWISE, Verdict.FLOAT_NOISE):
        yield Observation(message=_fine(result) + _elsewhere(reproduction), measurements=measurements)
        return
    if math.isnan(result.largest):
        yield Inconclusive(
            reason=f"{result.n_different} of {result.n} samples have another hash than was locked, and the golden "
            "values are not there to tell noise from a change"
        )
        return
    first = comparison.first_changed
    changed = verdict is Verdict.CHANGED
    agreement = (
        f", and the first class is the same for {result.top1:.0%} of them"
        if result.top1 is not None
        else f"; {result.reason}"
        if result.reason
        else ""
    )
    opening = "The result changed" if changed else "The result moved by more than rounding, and no decision can change"
    yield output_changed.finding(
        f"{opening}: {result.n_different} of {result.n} samples differ by up to {shown(result.largest)} "
        f"({result.in_e0:.3g} e0; noise is {FACTOR:g}){agreement}. {_first(reproduction, first)}",
        remedy=_remedy(reproduction),
        severity=Severity.ERROR if changed else Severity.WARNING,
        confidence=Confidence.HIGH,
        measurements=measurements,
        locations=tuple(
            Location(sample_id=item.name, note=f"moved by {shown(item.largest)} at {result.stage!r}")
            for item in result.worst
        ),
        key=(result.stage,),
    )


def _remedy(reproduction: Reproduction) -> str:
    if any(item.difference is not None for item in suspects(reproduction)):
        command = f"dataguard bisect {reproduction.path.name}"
        return f"Run `{command}` to find the smallest set of differences that explains it."
    if reproduction.code:
        commit = reproduction.lock.code.commit
        was = f"commit {commit[:12]}" if commit else "what was locked"
        return f"Compare {reproduction.code[0].path} with {was}: the code is all that is known to differ."
    if reproduction.weights or reproduction.data:
        return "Fetch the weights and the inputs that were locked, and run it again."
    return "Look at what makes the first changed stage: nothing that was locked differs in a way that could be undone."


def _first(reproduction: Reproduction, first: StageVerdict | None) -> str:
    if first is None:
        return ""
    said = explanation(reproduction)
    return f"First changed: the {stage_words(first, reproduction)} stage ({first.stage!r}: {moved_words(first)})." + (
        f" Likeliest: {said.split(', ' + stage_words(first, reproduction))[0]}." if suspects(reproduction) else ""
    )


def _fine(result: StageVerdict) -> str:
    if result.verdict is Verdict.BITWISE:
        return f"The result is bitwise what was locked, {result.n} of {result.n} samples."
    return (
        f"The result is float noise away from what was locked: {result.n_different} of {result.n} samples differ, by "
        f"up to {shown(result.largest)}, {result.in_e0:.2g} e0 and {result.scaled_ulp:.2g} scaled ULP."
    )


def _elsewhere(reproduction: Reproduction) -> str:
    first = reproduction.comparison.first_changed
    if first is None:
        return ""
    return f" Before it, stage {first.stage!r} changed ({moved_words(first)})."


def _measurements(stage: StageVerdict) -> Iterator[Measurement]:
    name = stage.stage
    yield Measurement(
        name=f"{name}: max |Δ|",
        value=stage.largest,
        threshold=stage.tolerance.value,
        n=stage.n,
    )
    yield Measurement(name=f"{name}: e0, by {stage.tolerance.basis}", value=stage.tolerance.e0)
    yield Measurement(name=f"{name}: scaled ULP", value=stage.scaled_ulp)
    yield Measurement(name=f"{name}: values that differ", value=stage.share_different, unit="share", n=stage.n_values)
    if stage.top1 is not None and stage.topk is not None:
        yield Measurement(name=f"{name}: same first class", value=stage.top1, unit="share", n=stage.n)
        yield Measurement(name=f"{name}: same first {TOP} classes", value=stage.topk, unit="share", n=stage.n)
    if stage.margin is not None:
        yield Measurement(name=f"{name}: smallest margin of the first class", value=stage.margin)

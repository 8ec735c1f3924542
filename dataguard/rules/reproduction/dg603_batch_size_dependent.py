"""DG603: what else is in a batch changes a sample's result."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.reproduction.differences import shown
from dataguard.reproduction.lock import Lock


@rule("DG603", "batch-size-dependent", Severity.ERROR)
def batch_size_dependent(lock: Lock) -> Iterator[Outcome]:
    """A sample's result depends on which others are in its batch.

    ## What it does

    Compares the run as declared with runs in batches of one and of a quarter, in the same process.

    ## Why is this bad?

    Evaluation runs in large batches and serving often one by one: then the accuracy that was measured is not that of
    what is served. The usual causes are batch normalization in training mode, normalization by the batch's own
    statistics, and padding to the longest of a batch that the model does not mask.

    ## How it decides

    A difference beyond the stage's tolerance (8·e0, see DG601) is an error. Up to that it is what kernels do that are
    chosen by the shape of a batch: batches of 1 and of 8 instead of 32 moved the logits of a small network by 0.7 to
    3.2 e0, and is only reported. Where no double-precision run was possible, e0 itself rests on these differences, up
    to 1,000 half units in the last place, and only what is beyond 8 times that is found.

    ## Example

    >>> from dataguard.reproduction.made_up import made_up_lock
    >>> from dataguard.reproduction.tolerance import Noise, Variation
    >>> one = Variation(kind="batch size", setting="32 → 1", largest={"logits": 0.7}, samples=3)
    >>> lock = made_up_lock(noise=Noise(variations=(one,), double={"logits": 1e-6}))
    >>> print(batch_size_dependent(lock)[0].message)
    With batches 32 → 1, 'logits' moves by up to 0.7, and 8e-06 is float noise: a sample's result depends on its batch.

    ## How to fix

    `model.eval()`; statistics of the training set instead of the batch's; an attention mask over padding.

    ## References

    - S. Ioffe and C. Szegedy, *Batch Normalization*, ICML 2015, section 3.1: inference uses the population's.
    - PyTorch, *Numerical accuracy*, "Batched computations or slice computations".
    """
    variations = lock.noise.of("batch size")
    if not variations:
        failed = [item for item in lock.noise.variations if item.kind == "batch size" and item.error]
        yield Skipped(
            reason=f"it could not be run in other batches: {failed[0].error.splitlines()[0]}"
            if failed
            else "it takes one sample at a time"
        )
        return
    found = False
    measurements = []
    for item in variations:
        for stage in lock.outputs:
            moved = item.largest.get(stage.name, 0.0)
            measurements.append(
                Measurement(
                    name=f"{stage.name}: batches {item.setting}",
                    value=moved,
                    threshold=stage.tolerance.value,
                    n=lock.data.n,
                )
            )
    for stage in lock.outputs:
        worst = max(variations, key=lambda item: item.largest.get(stage.name, 0.0))
        moved = worst.largest.get(stage.name, 0.0)
        if moved <= stage.tolerance.value:
            continue
        found = True
        yield batch_size_dependent.finding(
            f"With batches {worst.setting}, {stage.name!r} moves by up to {shown(moved)}, and "
            f"{shown(stage.tolerance.value)} is float noise: a sample's result depends on its batch.",
            remedy="Put the model into evaluation mode, and use no statistics of the batch.",
            confidence=Confidence.HIGH,
            measurements=tuple(measurements),
            key=(stage.name,),
        )
        # Later stages only pass it on.
        break
    if not found:
        largest = max(item.largest.get(lock.inference.output, 0.0) for item in variations)
        yield Observation(
            message=f"Other batch sizes ({', '.join(item.setting for item in variations)}) move the result by up to "
            f"{shown(largest)}, which is float noise."
            if largest
            else "Other batch sizes give bitwise the same result.",
            measurements=tuple(measurements),
        )

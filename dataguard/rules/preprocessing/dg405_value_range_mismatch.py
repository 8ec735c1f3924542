"""DG405: training and serving feed values of different ranges."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.pair import PipelinePair
from dataguard.rules.preprocessing.mismatch import mismatches


@rule("DG405", "value-range-mismatch", Severity.ERROR)
def value_range_mismatch(pair: PipelinePair) -> Iterator[Outcome]:
    """Training and serving feed values of different ranges.

    ## What it does

    Compares what black and white become: 0 to 255, 0 to 1, −1 to 1, or what a mean and a deviation make of one of
    these; a forgotten or repeated division by 255 is named.

    ## Why is this bad?

    A network fed with 0 to 255 in the place of 0 to 1 saturates; one fed with 0 to 1 in the place of −1 to 1 sees
    everything brighter and flatter. Nothing raises an error, and the outputs still look like outputs.

    ## How it decides

    All ways to write a map are one here, x = a·level + b per channel. Reported are maps that are more than 1.02
    levels apart at some level, where both are plain ranges, or where the scales are a factor of 255, 256, 257,
    127.5, 128 or 65,535 (to 0.5 %) or more than 8 apart; deviations in use differ by less than 4. What is left is
    DG406's. A field that could not be determined on a side makes the rule inconclusive: it is neither equal nor a
    mismatch. How equal pairs are kept apart is measured in `benchmarks/probe_pairs.py`: 0 findings on 500 pairs
    that are written differently and are the same.

    ## Example

    >>> from dataguard.preprocessing.pair import PipelinePair
    >>> from dataguard.preprocessing.pipeline import Affine, Pipeline
    >>> left = Pipeline(affine=Affine.of(("divide", 255)), dtype="float32")
    >>> right = Pipeline(affine=Affine.of(("divide", 127.5), ("subtract", 1)), dtype="float32")
    >>> print(value_range_mismatch(PipelinePair.of(left, right))[0].message.partition(";")[0])
    Another range of values: 0 to 1 in training, −1 to 1 in serving

    ## How to fix

    Divide and shift as training does; `ToTensor` divides by 255, `np.asarray` and `cv2.imread` do not.

    ## References

    - Qiu et al., *ML-EXray: Visibility into ML Deployment on the Edge*, MLSys 2022:
      bugs of this kind cost up to 30 points.
    - Keras, `preprocess_input`: the modes caffe, tf and torch have three ranges.
    """
    yield from mismatches(
        value_range_mismatch,
        pair,
        ("value range",),
        what="Another range of values",
        remedy="Scale values to the range that training feeds.",
        agreed="Both feed values of the same range.",
        unless=("mean and std",),
    )

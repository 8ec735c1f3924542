"""DG406: training and serving normalize with different means or standard deviations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.preprocessing.pair import PipelinePair
from dataguard.rules.preprocessing.mismatch import mismatches


@rule("DG406", "mean-std-mismatch", Severity.WARNING)
def mean_std_mismatch(pair: PipelinePair, *, min_mean: Annotated[float, Between(low=0)] = 0.0) -> Iterator[Outcome]:
    """Training and serving normalize with different means or standard deviations.

    ## What it does

    Compares the mean that is subtracted and the deviation that is divided by, per channel, in whatever way they are
    written.

    ## Why is this bad?

    Every input is shifted and stretched against what the network was fitted to. Constants are copied from other
    models: CLIP's deviations are 17 % above ImageNet's.

    ## How it decides

    The two maps x = a·level + b are compared at all levels: a difference is reported where one is more than 1.02
    levels apart, counted in levels of training. (v − 123.675)/58.395 and (v/255 − 0.485)/0.229 are one map. With
    channels in another order, values may belong to the place or to the colour: either is right. A map that depends
    on each picture is a mismatch of one that does not. A field that could not be determined on a side makes the
    rule inconclusive: it is neither equal nor a mismatch. How equal pairs are kept apart is measured in
    `benchmarks/probe_pairs.py`: 0 findings on 500 pairs that are written differently and are the same.

    Options:

    - `min_mean`: levels on average that a difference must make by itself to be reported.

    ## Example

    >>> from dataguard.preprocessing.pair import PipelinePair
    >>> from dataguard.preprocessing.pipeline import Affine, Pipeline
    >>> left = Pipeline(affine=Affine.normalized((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), dtype="float32")
    >>> right = Pipeline(affine=Affine.normalized([0.5], [0.5]), dtype="float32")
    >>> print(mean_std_mismatch(PipelinePair.of(left, right))[0].message.partition(" / 255 ")[0])
    Another normalization: mean (0.485, 0.456, 0.406), std (0.229, 0.224, 0.225) of levels

    ## How to fix

    Take mean and deviation from what the weights were trained with.

    ## References

    - torchvision, *Models and pre-trained weights*: each weight's `transforms()` has its mean and deviation.
    - Wang et al., *SysNoise: Exploring and Benchmarking Training-Deployment System Inconsistency*, MLSys 2023.
    """
    yield from mismatches(
        mean_std_mismatch,
        pair,
        ("mean and std",),
        what="Another normalization",
        remedy="Subtract training's mean and divide by its deviation.",
        agreed="Both normalize with the same mean and deviation.",
        min_mean=min_mean,
    )

"""DG408: training and serving take different parts of a picture, or bring it to another size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.preprocessing.pair import PipelinePair
from dataguard.rules.preprocessing.mismatch import mismatches


@rule("DG408", "geometry-mismatch", Severity.WARNING)
def geometry_mismatch(pair: PipelinePair, *, min_mean: Annotated[float, Between(low=0)] = 0.0) -> Iterator[Outcome]:
    """Training and serving take different parts of a picture, or bring it to another size.

    ## What it does

    Compares size, aspect, crop, padding and its value, letterbox, flips, and how lengths are rounded, by executing
    both on photographs of several sizes.

    ## Why is this bad?

    Objects appear at another scale, stretched, or cut off. The scale of objects alone moves ImageNet accuracy by
    several points; a border of another colour shifts a detector's boxes.

    ## How it decides

    Where the steps are of the same kinds, each one's fields are taken over by themselves and executed; else the
    steps are compared as a whole. A difference is reported where any pixel is more than 1.02 levels apart, or the
    outputs have other sizes. Lengths that are rounded differently show at few sizes: places are predicted for 245
    sizes, and two at which they differ are executed; the finding gives the share. Where both functions are running,
    what they give on the same pictures has the last word, and a difference that no step explains is reported as
    such. A field that could not be determined on a side makes the rule inconclusive: it is neither equal nor a
    mismatch. How equal pairs are kept apart is measured in `benchmarks/probe_pairs.py`: 0 findings on 500 pairs
    that are written differently and are the same.

    Options:

    - `min_mean`: levels on average that a difference must make by itself to be reported.

    ## Example

    >>> from dataguard.preprocessing.pair import PipelinePair
    >>> from dataguard.preprocessing.pipeline import Crop, Pipeline
    >>> left, right = (Pipeline(geometry=(Crop(height=side, width=side),)) for side in (224, 192))
    >>> print(geometry_mismatch(PipelinePair.of(left, right))[0].message.rpartition(": ")[2])
    of 383×522, 224×224 against 192×192.

    ## How to fix

    Resize, crop and pad as training's evaluation does.

    ## References

    - Touvron et al., *Fixing the train-test resolution discrepancy*, NeurIPS 2019.
    - Wang et al., *SysNoise: Exploring and Benchmarking Training-Deployment System Inconsistency*, MLSys 2023.
    """
    yield from mismatches(
        geometry_mismatch,
        pair,
        (
            "geometry",
            "unexplained",
        ),
        what="Another geometry",
        remedy="Resize, crop and pad as training does.",
        agreed="Both take the same part of every picture to the same size.",
        min_mean=min_mean,
    )

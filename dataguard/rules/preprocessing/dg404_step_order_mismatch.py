"""DG404: training and serving do the same steps in different orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import Between, rule
from dataguard.preprocessing.pair import PipelinePair
from dataguard.rules.preprocessing.mismatch import mismatches


@rule("DG404", "step-order-mismatch", Severity.WARNING)
def step_order_mismatch(pair: PipelinePair, *, min_mean: Annotated[float, Between(low=0)] = 0.0) -> Iterator[Outcome]:
    """Training and serving do the same steps in different orders.

    ## What it does

    Finds the same kinds of steps in another order (crop then resize, pad then resize), and a resize of floats where
    the other side resizes 8-bit levels, as before and after the conversion to a tensor.

    ## Why is this bad?

    A crop before a resize shows another part of the picture at another scale. A bicubic resize of floats overshoots
    beyond black and white, where 8-bit levels are clipped.

    ## How it decides

    Steps of equal kinds in another order are executed on both sides; a difference is reported where any pixel is
    more than 1.02 levels apart, or the outputs have other sizes. A resize before or after normalization is the same
    map unless it clips, and silent if so. A field that could not be determined on a side makes the rule
    inconclusive: it is neither equal nor a mismatch. How equal pairs are kept apart is measured in
    `benchmarks/probe_pairs.py`: 0 findings on 500 pairs that are written differently and are the same.

    Options:

    - `min_mean`: levels on average that a difference must make by itself to be reported.

    ## Example

    >>> from dataguard.preprocessing.pair import PipelinePair
    >>> from dataguard.preprocessing.pipeline import Crop, Pipeline, Resize
    >>> resize, crop = Resize(height=64, width=64, engine="opencv"), Crop(height=48, width=48)
    >>> pair = PipelinePair.of(Pipeline(geometry=(resize, crop)), Pipeline(geometry=(crop, resize)))
    >>> print(step_order_mismatch(pair)[0].message[:54])
    Another order of steps: resize to 64×64, then centre c

    ## How to fix

    Put the steps into training's order.

    ## References

    - torchvision, *Transforms*: presets resize, crop, convert and normalize in this order.
    - Wang et al., *SysNoise: Exploring and Benchmarking Training-Deployment System Inconsistency*, MLSys 2023.
    """
    yield from mismatches(
        step_order_mismatch,
        pair,
        ("step order",),
        what="Another order of steps",
        remedy="Do the steps in training's order.",
        agreed="Both do their steps in the same order.",
        unless=("geometry",),
        min_mean=min_mean,
    )

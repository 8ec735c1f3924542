"""DG411: one of the paths normalizes what is normalized already."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.pair import PipelinePair
from dataguard.rules.preprocessing.mismatch import mismatches


@rule("DG411", "normalized-twice", Severity.ERROR)
def normalized_twice(pair: PipelinePair) -> Iterator[Outcome]:
    """One of the paths normalizes what is normalized already.

    ## What it does

    Finds a path that is the other one followed by itself, or by the same mean and deviation once more.

    ## Why is this bad?

    A layer of the model, a processor or a graph normalizes, and so does the code before it: all inputs end up
    around −2 and stretched four times. Nothing raises an error.

    ## How it decides

    With training's map A(v) = (v/255 − m)/s, serving's is held against A followed by (x − m)/s and against A
    followed by A, and the other way round; scale and offset must agree to 0.5 % of the span. Chance agreement would
    need three channels to agree in six numbers. A field that could not be determined on a side makes the rule
    inconclusive: it is neither equal nor a mismatch. How equal pairs are kept apart is measured in
    `benchmarks/probe_pairs.py`: 0 findings on 500 pairs that are written differently and are the same.

    ## Example

    >>> from dataguard.preprocessing.pair import PipelinePair
    >>> from dataguard.preprocessing.pipeline import Affine, Pipeline
    >>> once = Affine.normalized((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    >>> twice = Affine.of(*once.written, *once.written[1:])
    >>> left, right = (Pipeline(affine=affine, dtype="float32") for affine in (once, twice))
    >>> normalized_twice(PipelinePair.of(left, right))[0].severity.word
    'error'

    ## How to fix

    Normalize in one place: with `do_normalize=False` in the processor, or without it in the code before the graph.

    ## References

    - Hugging Face, *Image processors*: `do_rescale` and `do_normalize` are for pictures that nobody has scaled yet.
    - Qiu et al., *ML-EXray: Visibility into ML Deployment on the Edge*, MLSys 2022:
      bugs of this kind cost up to 30 points.
    """
    yield from mismatches(
        normalized_twice,
        pair,
        ("normalized twice",),
        what="Normalized twice",
        remedy="Normalize in one place only.",
        agreed="No path normalizes twice.",
        unless=("mean and std",),
    )

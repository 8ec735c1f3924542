"""DG424: what is prepared on disk for training has lost something that serving's pictures still have."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.differing import Effect, measured_effect
from dataguard.preprocessing.static.reading import CodeFact, RepositoryReading
from dataguard.rules.preprocessing.facts import fact_findings

_QUALITIES = {"opencv": 95.0, "cv2": 95.0, "pillow": 75.0, "PIL": 75.0}
"""Of JPEG, where nothing is said: imwrite's and Image.save's."""


@rule("DG424", "lossy-offline-step", Severity.WARNING)
def lossy_offline_step(reading: RepositoryReading) -> Iterator[Outcome]:
    """Pictures that are prepared on disk are written with a loss.

    ## What it does

    Looks for scripts that read pictures, change them and write them again for training as JPEG, or into another form
    with a loss (WebP, 8 bits of 16). Code is read, never run.

    ## Why is this bad?

    Training sees pictures that were compressed twice, and resized before the second time; serving sees the originals.
    The step is in no list of transforms, so nobody copies it. A model learns the blocks of 8×8 too.

    ## How it decides

    A finding needs a picture that is decoded and written again by one path, in a lossy form: a name that ends in
    `.jpg`, `.jpeg` or `.webp`, or `format="JPEG"`. Results that are drawn for people, as by a demo, are no preparation:
    the path must not go through a model. PNG, arrays and TIFF lose nothing and are silent. The loss of that quality
    (95 for `imwrite` and 75 for `Image.save` where none is given) is measured on generated photographs.

    *Measured*: in 18 repositories labelled by hand, none of which is labelled with one, and in the 1,226 files of
    scikit-learn, Pillow, timm and datasets it never fires.

    ## Example

    >>> from pathlib import Path
    >>> from dataguard.preprocessing.static.reading import CodeFact
    >>> fact = CodeFact(
    ...     kind="lossy-offline-step", file="prepare.py", line=18, end_line=18,
    ...     message="pictures are resized and written again as JPEG", detail={"library": "opencv"},
    ... )
    >>> reading = RepositoryReading(root=Path("."), paths=(), facts=(fact,), versions={}, files=1, lines=30)
    >>> print(lossy_offline_step(reading)[0].message.partition(";")[0])
    prepare.py:18: pictures are resized and written again as JPEG

    ## How to fix

    Write PNG, or lossless WebP; or serve through the same step; or prepare while loading instead of on disk.

    ## References

    - Hendrycks and Dietterich, *Benchmarking neural network robustness to common corruptions*, ICLR 2019:
      JPEG compression is one of them.
    - OpenCV, *imwrite*: IMWRITE_JPEG_QUALITY is 95 by default; Pillow, *Image.save*: quality is 75.
    """
    yield from fact_findings(
        lossy_offline_step,
        reading,
        ("lossy-offline-step",),
        remedy="Write a form without loss, as PNG, or do the same to pictures that are served.",
        agreed="No picture is written again with a loss",
        effect=_effect,
    )


def _effect(fact: CodeFact) -> Effect | None:
    """What one more JPEG of that quality does; None for other forms, and where the quality is not known."""
    import cv2
    import numpy as np

    from dataguard.preprocessing.probe.stimuli import photograph

    said = fact.detail.get("quality")
    library = str(fact.detail.get("library", fact.detail.get("loaded", "")))
    quality = said if isinstance(said, int | float) else _QUALITIES.get(library)
    form = str(fact.detail.get("format", "jpeg")).lower().lstrip(".")
    if quality is None or not 1 <= quality <= 100 or form not in ("jpeg", "jpg"):
        return None
    pairs = []
    for size in ((240, 320), (330, 250)):
        picture = photograph(*size, 0)
        done, content = cv2.imencode(".jpg", picture[:, :, ::-1], [int(cv2.IMWRITE_JPEG_QUALITY), round(quality)])
        if not done:
            return None
        pairs.append((picture, np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR))[:, :, ::-1]))
    return measured_effect(pairs, on=f"as JPEG of quality {round(quality)}, on {len(pairs)} generated photographs")

"""DG409: training and serving treat rotated, transparent, gray or 16-bit pictures differently."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.preprocessing.pair import PipelinePair
from dataguard.rules.preprocessing.mismatch import mismatches


@rule("DG409", "orientation-alpha-gray-policy-mismatch", Severity.WARNING)
def orientation_alpha_gray_policy_mismatch(pair: PipelinePair) -> Iterator[Outcome]:
    """Training and serving treat rotated, transparent, gray or 16-bit pictures differently.

    ## What it does

    Compares what becomes of the orientation that a camera noted, of transparency, of pictures in one channel, and
    of 16 bits a channel.

    ## Why is this bad?

    Ordinary pictures hide it: the first telephone picture held upright arrives lying on its side. OpenCV's `imread`
    turns such pictures, Pillow's `open` does not.

    ## How it decides

    Each policy is read or found by asking; where two differ, both decoders are run on a file that shows it, and the
    finding gives how far apart the pixels are. Ways that give the same pixels to within 1.02 levels (the high byte
    and scaling of 16 bits) are the same. A field that could not be determined on a side makes the rule
    inconclusive: it is neither equal nor a mismatch. How equal pairs are kept apart is measured in
    `benchmarks/probe_pairs.py`: 0 findings on 500 pairs that are written differently and are the same.

    ## Example

    >>> from dataguard.preprocessing.pair import PipelinePair
    >>> from dataguard.preprocessing.pipeline import Decode, Pipeline
    >>> left = Pipeline(decode=Decode.of("pillow", "convert RGB"))
    >>> right = Pipeline(decode=Decode.of("pillow", "convert RGB", "exif_transpose"))
    >>> print(orientation_alpha_gray_policy_mismatch(PipelinePair.of(left, right))[0].message.partition(" in ")[0])
    Another policy: the camera's orientation is ignored

    ## How to fix

    With Pillow, call `ImageOps.exif_transpose(image).convert("RGB")` on both sides; with OpenCV, add
    `IMREAD_IGNORE_ORIENTATION` to ignore the orientation.

    ## References

    - Exif 2.32, tag 0x0112 *Orientation*.
    - OpenCV, *imread*: the orientation is applied unless `IMREAD_IGNORE_ORIENTATION` or `IMREAD_UNCHANGED` is given.
    """
    if pair.left.decode.library == pair.right.decode.library == "array":
        yield Skipped(reason="both paths begin with decoded pixels", hint="name functions that take a file")
        return
    yield from mismatches(
        orientation_alpha_gray_policy_mismatch,
        pair,
        ("policy",),
        what="Another policy",
        remedy="Treat such pictures as training does, or refuse them.",
        agreed="Both treat rotated, transparent, gray and 16-bit pictures alike.",
        unless=("decoder",),
    )

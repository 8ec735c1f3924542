"""DG401: training and serving decode ordinary pictures to different pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.finding import Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.preprocessing.pair import PipelinePair
from dataguard.rules.preprocessing.mismatch import mismatches


@rule("DG401", "decoder-mismatch", Severity.WARNING)
def decoder_mismatch(pair: PipelinePair, *, min_mean: Annotated[float, Between(low=0)] = 0.0) -> Iterator[Outcome]:
    """Training and serving decode ordinary pictures to different pixels.

    ## What it does

    Decodes generated JPEG files, 4:2:0 and 4:4:4, with the decoder of each side, as it is asked there, and compares
    the pixels.

    ## Why is this bad?

    A decoder decides how the discrete cosine transform is rounded and how chroma is interpolated. The network was
    fitted to the pixels of one, and gets those of another: ResNet-50 loses up to 0.98 points of top-1 accuracy on
    ImageNet by the decoder alone.

    ## How it decides

    A difference is reported where any pixel is more than 1.02 levels apart; the finding gives mean and maximum.
    Pillow from version 9 on and OpenCV decode JPEG bit for bit alike, and so does whatever else bundles libjpeg-
    turbo with its defaults: two names are not a finding. TensorFlow's default differs by up to 18 levels, older
    Pillow by up to 41. A library that is not installed here cannot be held against another one. A field that could
    not be determined on a side makes the rule inconclusive: it is neither equal nor a mismatch. How equal pairs are
    kept apart is measured in `benchmarks/probe_pairs.py`: 0 findings on 500 pairs that are written differently and
    are the same.

    Options:

    - `min_mean`: levels on average that a difference must make by itself to be reported.

    ## Example

    >>> from dataguard.preprocessing.pair import PipelinePair
    >>> from dataguard.preprocessing.pipeline import Decode, Pipeline
    >>> left = Pipeline(decode=Decode.of("pillow", "convert L"), order="GRAY")
    >>> right = Pipeline(decode=Decode.of("opencv", "IMREAD_GRAYSCALE"), order="GRAY")
    >>> finding = decoder_mismatch(PipelinePair.of(left, right))[0]
    >>> print(finding.message.partition(";")[0])
    Another decoder: Pillow (convert L) in training, OpenCV (IMREAD_GRAYSCALE) in serving

    ## How to fix

    Decode with the same library and flags on both sides, or train with the decoder that serving must have.

    ## References

    - Wang et al., *SysNoise: Exploring and Benchmarking Training-Deployment System Inconsistency*, MLSys 2023.
    - MLPerf Inference: 76.17, 76.46 and 76.52 % for one ResNet-50 with Pillow's, OpenCV's and TensorFlow's
      preprocessing.
    """
    if pair.left.decode.library == pair.right.decode.library == "array":
        yield Skipped(reason="both paths begin with decoded pixels", hint="name functions that take a file")
        return
    yield from mismatches(
        decoder_mismatch,
        pair,
        ("decoder",),
        what="Another decoder",
        remedy="Decode with the same library and flags on both sides.",
        agreed="Both decode ordinary pictures to the same pixels.",
        min_mean=min_mean,
    )

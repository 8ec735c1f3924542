"""DG402: training and serving feed the colour channels in different orders."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.pair import PipelinePair
from dataguard.rules.preprocessing.mismatch import mismatches


@rule("DG402", "channel-order-mismatch", Severity.ERROR)
def channel_order_mismatch(pair: PipelinePair) -> Iterator[Outcome]:
    """Training and serving feed the colour channels in different orders.

    ## What it does

    Compares which colour each channel of the model's input holds: RGB, BGR, gray, or gray repeated three times.

    ## Why is this bad?

    Red and blue exchange their places, without an error: the network sees blue skin and orange skies. Accuracy
    falls by several points, more where colour tells classes apart.

    ## How it decides

    The orders are read, or found by asking about pure red, green and blue. What counts is the order that the model
    gets: a path that decodes to BGR with OpenCV and then turns it is RGB. Where the order differs, means and
    deviations are held against those of the same place and those of the same colour, so that one slip is one
    finding. A field that could not be determined on a side makes the rule inconclusive: it is neither equal nor a
    mismatch. How equal pairs are kept apart is measured in `benchmarks/probe_pairs.py`: 0 findings on 500 pairs
    that are written differently and are the same.

    ## Example

    >>> from dataguard.preprocessing.pair import PipelinePair
    >>> from dataguard.preprocessing.pipeline import Pipeline
    >>> finding = channel_order_mismatch(PipelinePair.of(Pipeline(), Pipeline(order="BGR")))[0]
    >>> print(finding.message.partition(";")[0])
    Other channels: RGB in training, BGR in serving

    ## How to fix

    After `cv2.imread` or `cv2.imdecode` convert with `cv2.cvtColor(image, cv2.COLOR_BGR2RGB)`, or read with
    `cv2.IMREAD_COLOR_RGB` (OpenCV 4.10 and later).

    ## References

    - Qiu et al., *ML-EXray: Visibility into ML Deployment on the Edge*, MLSys 2022:
      bugs of this kind cost up to 30 points.
    - OpenCV, *imread*: the channels are stored in B G R order.
    """
    yield from mismatches(
        channel_order_mismatch,
        pair,
        ("channel order",),
        what="Other channels",
        remedy="Feed the channels in training's order.",
        agreed="Both feed the channels in the same order.",
    )

"""DG407: training and serving feed arrays of different layouts or types of number."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Outcome, Severity
from dataguard.core.rule import rule
from dataguard.preprocessing.differing import Difference
from dataguard.preprocessing.pair import PipelinePair
from dataguard.rules.preprocessing.mismatch import mismatches


@rule("DG407", "layout-or-dtype-mismatch", Severity.ERROR)
def layout_or_dtype_mismatch(pair: PipelinePair) -> Iterator[Outcome]:
    """Training and serving feed arrays of different layouts or types of number.

    ## What it does

    Compares the axes (channels first, channels last, none) and the type of number of what the model is fed.

    ## Why is this bad?

    Channels last fed as channels first is a picture of three rows: where sizes are dynamic it runs, and gives
    nonsense. Whole numbers in the place of floats lose the normalization; half precision rounds it.

    ## How it decides

    Axes and types are compared as they are. An axis of one picture (NCHW, CHW) is no difference: whoever makes
    batches adds it. Floats of another width are a warning, all else is an error. A field that could not be
    determined on a side makes the rule inconclusive: it is neither equal nor a mismatch. How equal pairs are kept
    apart is measured in `benchmarks/probe_pairs.py`: 0 findings on 500 pairs that are written differently and are
    the same.

    ## Example

    >>> from dataguard.preprocessing.pair import PipelinePair
    >>> from dataguard.preprocessing.pipeline import Pipeline
    >>> finding = layout_or_dtype_mismatch(PipelinePair.of(Pipeline(layout="NCHW"), Pipeline(layout="NHWC")))[0]
    >>> print(finding.message)
    Another layout or dtype: NCHW in training, NHWC in serving.

    ## How to fix

    Transpose and convert as training does: `np.ascontiguousarray(x.transpose(2, 0, 1), dtype=np.float32)`.

    ## References

    - Qiu et al., *ML-EXray: Visibility into ML Deployment on the Edge*, MLSys 2022:
      bugs of this kind cost up to 30 points.
    - ONNX, *Concepts*: shapes and element types are part of a graph's interface.
    """
    yield from mismatches(
        layout_or_dtype_mismatch,
        pair,
        ("layout or dtype",),
        what="Another layout or dtype",
        remedy="Give the array training's axes and type of number.",
        agreed="Both feed arrays of the same layout and type.",
        severity=_severity,
    )


def _severity(one: Difference) -> Severity:
    return Severity.WARNING if one.left.startswith("float") and one.right.startswith("float") else Severity.ERROR

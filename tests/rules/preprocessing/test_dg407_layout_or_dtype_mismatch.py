from __future__ import annotations

from dataguard.core.finding import Severity
from dataguard.rules.preprocessing.dg407_layout_or_dtype_mismatch import layout_or_dtype_mismatch
from tests.rules.preprocessing.paths import findings, inconclusive, pair, silent


def test_fires_as_an_error_on_channels_last() -> None:
    (finding,) = findings(layout_or_dtype_mismatch(pair(layout="HWC")))
    assert finding.severity is Severity.ERROR
    assert "CHW in train, HWC in serve" in finding.message


def test_fires_on_types_of_number() -> None:
    (whole,) = findings(layout_or_dtype_mismatch(pair(dtype="uint8")))
    (half,) = findings(layout_or_dtype_mismatch(pair(dtype="float16")))
    assert (whole.severity, half.severity) == (Severity.ERROR, Severity.WARNING)


def test_silent_on_an_axis_of_one_picture() -> None:
    assert silent(layout_or_dtype_mismatch(pair(layout="NCHW")))


def test_edge_an_unknown_layout_is_inconclusive_and_the_type_still_fires() -> None:
    outcomes = layout_or_dtype_mismatch(pair(layout=None, undetermined={"layout": "one pixel only"}, dtype="uint8"))
    assert "one pixel only" in inconclusive(outcomes)[0]
    assert len(findings(outcomes)) == 1

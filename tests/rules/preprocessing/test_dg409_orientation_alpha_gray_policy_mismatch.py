from __future__ import annotations

from dataclasses import replace

from dataguard.core.finding import Skipped
from dataguard.preprocessing.pair import PipelinePair
from dataguard.preprocessing.pipeline import Decode
from dataguard.rules.preprocessing.dg409_orientation_alpha_gray_policy_mismatch import (
    orientation_alpha_gray_policy_mismatch,
)
from tests.rules.preprocessing.paths import findings, inconclusive, pair, path, silent

PLAIN = Decode.of("pillow", "convert RGB")


def test_fires_on_the_orientation() -> None:
    (finding,) = findings(
        orientation_alpha_gray_policy_mismatch(pair(decode=Decode.of("pillow", "convert RGB", "exif_transpose")))
    )
    assert "the camera's orientation is ignored in train" in finding.message
    assert "120×170 against 170×120" in finding.message


def test_fires_on_transparency_laid_on_white() -> None:
    (finding,) = findings(orientation_alpha_gray_policy_mismatch(pair(decode=replace(PLAIN, alpha="on white"))))
    assert "transparency is laid on white in serve" in finding.message
    assert float(finding.measurements[0].value) > 5


def test_fires_on_16_bits_that_are_clipped() -> None:
    (finding,) = findings(orientation_alpha_gray_policy_mismatch(pair(decode=replace(PLAIN, sixteen_bit="high byte"))))
    assert "8 by clipping at 255 in train" in finding.message


def test_silent_on_the_same_policies_and_on_two_ways_to_scale() -> None:
    assert silent(orientation_alpha_gray_policy_mismatch(pair()))
    one, two = (path(decode=replace(PLAIN, sixteen_bit=way)) for way in ("high byte", "scaled"))
    assert silent(orientation_alpha_gray_policy_mismatch(PipelinePair.of(one, two)))


def test_edge_an_unknown_policy_is_inconclusive() -> None:
    unknown = replace(PLAIN, exif=None, undetermined={"exif": "it takes pixels"})
    assert "it takes pixels" in inconclusive(orientation_alpha_gray_policy_mismatch(pair(decode=unknown)))[0]


def test_edge_pixels_have_no_policy() -> None:
    (skipped,) = orientation_alpha_gray_policy_mismatch(
        PipelinePair.of(path(decode=Decode.of("array")), path(decode=Decode.of("array")))
    )
    assert isinstance(skipped, Skipped)

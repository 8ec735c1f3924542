from __future__ import annotations

import pytest

from dataguard.core.finding import Skipped
from dataguard.preprocessing.pair import PipelinePair
from dataguard.preprocessing.pipeline import Decode, Pipeline
from dataguard.rules.preprocessing.dg401_decoder_mismatch import decoder_mismatch
from tests.rules.preprocessing.paths import findings, inconclusive, pair, path, silent

GRAY = Pipeline(decode=Decode.of("pillow", "convert L"), order="GRAY")


def test_fires_on_gray_pixels_that_are_weighed_otherwise() -> None:
    other = Pipeline(decode=Decode.of("opencv", "IMREAD_GRAYSCALE"), order="GRAY")
    (finding,) = findings(decoder_mismatch(PipelinePair.of(GRAY, other)))
    assert "Pillow (convert L)" in finding.message
    assert "OpenCV (IMREAD_GRAYSCALE)" in finding.message
    assert float(finding.measurements[1].value) > 1


def test_silent_on_two_names_that_give_the_same_pixels() -> None:
    assert silent(decoder_mismatch(pair(decode=Decode.of("opencv", "IMREAD_COLOR"))))


def test_silent_below_the_least_effect() -> None:
    other = Pipeline(decode=Decode.of("opencv", "IMREAD_GRAYSCALE"), order="GRAY")
    assert not findings(decoder_mismatch(PipelinePair.of(GRAY, other), min_mean=100.0))


def test_edge_a_path_that_begins_with_pixels_cannot_be_compared() -> None:
    (reason,) = inconclusive(decoder_mismatch(pair(decode=Decode.of("array"))))
    assert "begins with decoded pixels" in reason
    (skipped,) = decoder_mismatch(PipelinePair.of(path(decode=Decode.of("array")), path(decode=Decode.of("array"))))
    assert isinstance(skipped, Skipped)


def test_edge_an_unknown_decoder_is_neither_equal_nor_a_mismatch() -> None:
    unknown = Decode(library=None, undetermined={"library": "two explain it"})
    outcomes = decoder_mismatch(pair(decode=unknown))
    assert not findings(outcomes)
    assert "two explain it" in inconclusive(outcomes)[0]


@pytest.mark.parametrize("flags", [("IMREAD_COLOR",), ("IMREAD_COLOR_RGB",)])
def test_silent_on_flags_that_only_name_the_order(flags: tuple[str, ...]) -> None:
    assert silent(decoder_mismatch(pair(decode=Decode.of("opencv", *flags))))

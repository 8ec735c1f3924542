from __future__ import annotations

from dataguard.core.finding import Severity
from dataguard.preprocessing.pipeline import Affine, Decode
from dataguard.rules.preprocessing.dg402_channel_order_mismatch import channel_order_mismatch
from tests.rules.preprocessing.paths import IMAGENET, findings, inconclusive, pair, silent


def test_fires_as_an_error_on_exchanged_channels() -> None:
    (finding,) = findings(channel_order_mismatch(pair(order="BGR")))
    assert finding.severity is Severity.ERROR
    assert "RGB in train, BGR in serve" in finding.message
    assert float(finding.measurements[0].value) > 5


def test_fires_alone_where_mean_and_deviation_follow_the_colours() -> None:
    turned = Affine.normalized(IMAGENET[0][::-1], IMAGENET[1][::-1])
    for affine in (turned, Affine.normalized(*IMAGENET)):
        compared = pair(order="BGR", affine=affine)
        assert {one.aspect for one in compared.differences} == {"channel order"}


def test_fires_on_gray_made_of_colour() -> None:
    (finding,) = findings(channel_order_mismatch(pair(decode=Decode.of("pillow", "convert L"))))
    assert "made of gray" in finding.message


def test_silent_where_a_decoder_gives_bgr_and_the_path_turns_it() -> None:
    assert silent(channel_order_mismatch(pair(decode=Decode.of("opencv", "IMREAD_COLOR"))))


def test_edge_an_unknown_order_is_inconclusive() -> None:
    outcomes = channel_order_mismatch(pair(order=None, undetermined={"order": "gray pictures only"}))
    assert not findings(outcomes)
    assert "gray pictures only" in inconclusive(outcomes)[0]

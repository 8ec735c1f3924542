from __future__ import annotations

import pytest

from dataguard.core.finding import Severity
from dataguard.preprocessing.pair import PipelinePair
from dataguard.preprocessing.pipeline import Affine
from dataguard.rules.preprocessing.dg405_value_range_mismatch import value_range_mismatch
from tests.rules.preprocessing.paths import IMAGENET, findings, inconclusive, pair, path, silent

UNIT = Affine.of(("divide", 255))
CENTRED = Affine.of(("divide", 127.5), ("subtract", 1))


@pytest.mark.parametrize(("one", "two"), [(UNIT, CENTRED), (Affine(), UNIT), (CENTRED, Affine())])
def test_fires_on_plain_ranges(one: Affine, two: Affine) -> None:
    (finding,) = findings(value_range_mismatch(PipelinePair.of(path(affine=one), path(affine=two))))
    assert finding.severity is Severity.ERROR


def test_fires_and_names_a_forgotten_division() -> None:
    undivided = Affine.of(("subtract", IMAGENET[0]), ("divide", IMAGENET[1]))
    (finding,) = findings(value_range_mismatch(pair(affine=undivided)))
    assert "lacks a division by 255" in finding.message


def test_silent_on_other_statistics_of_the_same_range() -> None:
    assert silent(value_range_mismatch(pair(affine=Affine.normalized([0.5], [0.25]))))


def test_silent_on_a_division_by_256() -> None:
    assert silent(value_range_mismatch(PipelinePair.of(path(affine=UNIT), path(affine=Affine.of(("divide", 256))))))


def test_edge_an_unknown_scale_is_inconclusive() -> None:
    unknown = Affine(scale=None, offset=None, undetermined={"scale": "it answers nothing"})
    assert "it answers nothing" in inconclusive(value_range_mismatch(pair(affine=unknown)))[0]

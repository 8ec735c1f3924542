from __future__ import annotations

import pytest

from dataguard.core.finding import Severity
from dataguard.preprocessing.pair import PipelinePair
from dataguard.preprocessing.pipeline import Affine
from dataguard.rules.preprocessing.dg411_normalized_twice import normalized_twice
from tests.rules.preprocessing.paths import IMAGENET, findings, inconclusive, pair, path, silent

ONCE = Affine.normalized(*IMAGENET)
TWICE = Affine.of(*ONCE.written, *ONCE.written[1:])


def test_fires_on_a_second_mean_and_deviation_on_either_side() -> None:
    (finding,) = findings(normalized_twice(pair(affine=TWICE)))
    assert finding.severity is Severity.ERROR
    assert "the second subtracts the mean" in finding.message
    (finding,) = findings(normalized_twice(PipelinePair.of(path(affine=TWICE), path(affine=ONCE))))
    assert "the first subtracts the mean" in finding.message


@pytest.mark.parametrize("written", [(("divide", 255.0),), (("divide", 127.5), ("subtract", 1.0))])
def test_fires_on_a_map_that_is_done_twice(written: tuple[tuple[str, float], ...]) -> None:
    once, twice = Affine.of(*written), Affine.of(*written, *written)
    (finding,) = findings(normalized_twice(PipelinePair.of(path(affine=once), path(affine=twice))))
    assert "twice" in finding.message


def test_silent_on_other_statistics() -> None:
    assert silent(normalized_twice(pair(affine=Affine.normalized([0.5], [0.25]))))
    assert silent(normalized_twice(pair()))


def test_edge_the_identity_is_its_own_repetition() -> None:
    assert silent(normalized_twice(PipelinePair.of(path(affine=Affine()), path(affine=Affine()))))


def test_edge_an_unknown_map_is_inconclusive() -> None:
    unknown = Affine(scale=None, offset=None, undetermined={"scale": "it answers nothing"})
    assert inconclusive(normalized_twice(pair(affine=unknown)))

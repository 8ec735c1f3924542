from __future__ import annotations

from dataguard.core.finding import Severity
from dataguard.preprocessing.pair import PipelinePair
from dataguard.preprocessing.pipeline import Random
from dataguard.rules.preprocessing.dg410_random_transform_in_serving import random_transform_in_serving
from tests.rules.preprocessing.paths import CROP, RESIZE, findings, pair, path, silent, unknown_path

FLIP = Random(name="RandomHorizontalFlip", parameters=(("p", "0.5"),))


def test_fires_on_a_random_step_of_serving() -> None:
    (finding,) = findings(random_transform_in_serving(pair(geometry=(RESIZE, CROP, FLIP))))
    assert finding.severity is Severity.ERROR
    assert "RandomHorizontalFlip (random): p=0.5 in serve" in finding.message


def test_fires_on_a_path_of_which_nothing_else_is_known() -> None:
    serving = unknown_path("serve", "chance decides", (Random(name="unknown"),))
    found = PipelinePair.of(path(), serving)
    assert len(findings(random_transform_in_serving(found))) == 1
    assert {one.aspect for one in found.differences if not one.unknown} == {"random"}


def test_silent_on_augmentation_in_training() -> None:
    assert silent(random_transform_in_serving(PipelinePair.of(path(geometry=(FLIP, RESIZE, CROP)), path())))


def test_edge_every_random_step_is_a_finding_of_its_own() -> None:
    found = findings(random_transform_in_serving(pair(geometry=(FLIP, RESIZE, CROP, Random(name="ColorJitter")))))
    assert len({one.fingerprint for one in found}) == 2

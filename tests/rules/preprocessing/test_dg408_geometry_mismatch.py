from __future__ import annotations

from dataclasses import replace

import pytest

from dataguard.preprocessing.differing import Difference, Effect
from dataguard.preprocessing.pair import PipelinePair
from dataguard.preprocessing.pipeline import Crop, Flip, Pad, Random, Resize
from dataguard.preprocessing.steps import Step, letterbox
from dataguard.rules.preprocessing.dg408_geometry_mismatch import geometry_mismatch
from tests.rules.preprocessing.paths import CROP, RESIZE, findings, inconclusive, pair, path, silent


@pytest.mark.parametrize(
    "steps",
    [
        (replace(RESIZE, side=64), CROP),
        (RESIZE, replace(CROP, rule="offset", top=0, left=0)),
        (replace(RESIZE, rule="exact", height=64, width=64),),
        (RESIZE, CROP, Flip(kind="left_right")),
    ],
)
def test_fires_on_another_size_crop_aspect_or_flip(steps: tuple[Step, ...]) -> None:
    (finding,) = findings(geometry_mismatch(pair(geometry=steps)))
    assert float(finding.measurements[0].value) > 5


def test_fires_on_the_border_of_a_letterbox() -> None:
    one, two = (path(geometry=letterbox(64, 64, fill=(level,))) for level in (0.0, 114.0))
    (finding,) = findings(geometry_mismatch(PipelinePair.of(one, two)))
    assert "with 114" in finding.message


def test_fires_on_a_rounded_length_with_the_share_of_sizes() -> None:
    (finding,) = findings(geometry_mismatch(pair(geometry=(RESIZE, replace(CROP, rounding="half_even")))))
    assert "of the sizes tried" in finding.message


def test_fires_on_pixels_that_no_step_explains() -> None:
    unexplained = Difference(
        field="output",
        aspect="unexplained",
        left="one",
        right="two",
        effect=Effect(mean=3.0, largest=30.0, n=2, measured="on 2 photographs"),
    )
    (finding,) = findings(geometry_mismatch(replace(pair(), differences=(unexplained,))))
    assert "which no step that was found explains" in finding.message


def test_silent_on_one_geometry_written_twice() -> None:
    for one, two in (
        ((replace(RESIZE, rule="cover", height=72, width=72), CROP), (RESIZE, CROP)),
        (
            letterbox(64, 64),
            (Resize(rule="long", side=64, rounding="half_even", engine="opencv"), Pad(rule="square", fill=(114.0,))),
        ),
        (
            (RESIZE, CROP),
            (Flip(kind="up_down"), Flip(kind="up_down"), RESIZE, Crop(rule="fraction", fraction=1.0), CROP),
        ),
    ):
        assert silent(geometry_mismatch(PipelinePair.of(path(geometry=one), path(geometry=two))))


def test_edge_a_random_crop_cannot_be_compared() -> None:
    (reason,) = inconclusive(geometry_mismatch(pair(geometry=(Random(name="RandomResizedCrop"),))))
    assert "RandomResizedCrop" in reason


def test_edge_random_colours_leave_the_geometry_comparable() -> None:
    assert silent(geometry_mismatch(pair(geometry=(RESIZE, Random(name="ColorJitter"), CROP))))

from __future__ import annotations

from dataclasses import replace

from dataguard.rules.preprocessing.dg404_step_order_mismatch import step_order_mismatch
from tests.rules.preprocessing.paths import CROP, RESIZE, findings, inconclusive, pair, silent


def test_fires_on_a_crop_before_the_resize() -> None:
    (finding,) = findings(step_order_mismatch(pair(geometry=(CROP, RESIZE))))
    assert "centre crop 64×64" in finding.message
    assert "other sizes" in finding.message


def test_fires_where_floats_overshoot_that_8_bit_levels_clip() -> None:
    cubic = replace(RESIZE, kernel="cubic", cubic=-0.5)
    from dataguard.preprocessing.pair import PipelinePair
    from tests.rules.preprocessing.paths import path

    late = PipelinePair.of(path(geometry=(cubic,)), path(geometry=(replace(cubic, arithmetic="float32"),)))
    (finding,) = findings(step_order_mismatch(late))
    assert "on 8-bit levels" in finding.message


def test_silent_where_normalizing_first_changes_nothing() -> None:
    assert silent(step_order_mismatch(pair(geometry=(replace(RESIZE, arithmetic="float32"), CROP))))


def test_silent_on_another_kernel() -> None:
    assert silent(step_order_mismatch(pair(geometry=(replace(RESIZE, engine="opencv", antialias="none"), CROP))))


def test_edge_unknown_steps_are_inconclusive() -> None:
    outcomes = step_order_mismatch(pair(geometry=None, undetermined={"geometry": "no steps explain it"}))
    assert not findings(outcomes)
    assert "no steps explain it" in inconclusive(outcomes)[0]

from __future__ import annotations

from dataclasses import replace

import pytest

from dataguard.preprocessing.pair import PipelinePair
from dataguard.rules.preprocessing.dg403_resize_kernel_mismatch import resize_kernel_mismatch
from tests.rules.preprocessing.paths import CROP, RESIZE, findings, inconclusive, pair, path, silent


def test_fires_without_antialiasing_and_says_how_far() -> None:
    outcomes = resize_kernel_mismatch(pair(geometry=(replace(RESIZE, engine="opencv", antialias="none"), CROP)))
    (finding,) = findings(outcomes)
    assert "OpenCV bilinear without antialiasing in serve" in finding.message
    assert 0.5 < float(finding.measurements[0].value) < 20
    assert float(finding.measurements[1].value) > 10


def test_fires_on_the_kernel_alone_where_the_steps_are_others_too() -> None:
    nearest = replace(RESIZE, kernel="nearest", antialias="none", engine="opencv")
    (finding,) = findings(resize_kernel_mismatch(pair(geometry=(nearest,))))
    assert "nearest" in finding.message


def test_silent_on_torch_with_antialiasing() -> None:
    pytest.importorskip("torch")
    assert silent(resize_kernel_mismatch(pair(geometry=(replace(RESIZE, engine="torch"), CROP))))


def test_silent_on_bicubic_that_two_libraries_round_differently() -> None:
    pytest.importorskip("torch")
    ours = replace(RESIZE, kernel="cubic", cubic=-0.5, side=160)
    pair_of = PipelinePair.of(path(geometry=(ours,)), path(geometry=(replace(ours, engine="torch"),)))
    assert silent(resize_kernel_mismatch(pair_of))


def test_edge_an_unknown_kernel_is_inconclusive() -> None:
    unknown = replace(RESIZE, kernel=None, undetermined={"kernel": "pictures keep their size"})
    outcomes = resize_kernel_mismatch(pair(geometry=(unknown, CROP)))
    assert not findings(outcomes)
    assert "pictures keep their size" in inconclusive(outcomes)[0]


def test_edge_below_the_least_effect_nothing_is_said() -> None:
    assert not findings(
        resize_kernel_mismatch(pair(geometry=(replace(RESIZE, engine="opencv", antialias="none"), CROP)), min_mean=50.0)
    )

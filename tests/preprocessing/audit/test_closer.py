"""Differences that executing two whole paths does not show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataguard.preprocessing.audit.closer import closer_differences
from dataguard.preprocessing.comparison import difference
from dataguard.preprocessing.differing import Difference
from dataguard.preprocessing.pipeline import Affine, Pipeline, Resize

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def closer(left: Pipeline, right: Pipeline) -> list[Difference]:
    return list(closer_differences(left, right, difference(left, right)))


def resized(**changes: object) -> Pipeline:
    values = {"rule": "short", "side": 64, "engine": "pillow", "antialias": "scaled", **changes}
    return Pipeline(geometry=(Resize(**values),))  # type: ignore[arg-type]


def test_a_kernel_differs_though_a_size_is_not_known() -> None:
    unknown = resized(rule=None, side=None, undetermined={"rule": "an argument", "side": "an argument"})
    (found,) = closer(unknown, resized(kernel="nearest_exact", antialias="none"))
    assert (found.field, found.aspect) == ("geometry[0].kernel", "kernel")
    assert found.effect is not None
    assert found.effect.mean > 1
    assert closer(unknown, resized()) == []


@pytest.mark.parametrize("missing", ["kernel", "antialias", "engine"])
def test_a_kernel_that_is_not_known_differs_from_none(missing: str) -> None:
    unknown = {"rule": None, "side": None, missing: None}
    left = resized(**unknown, undetermined=dict.fromkeys(unknown, "an argument"))
    assert closer(left, resized(kernel="cubic")) == []


def test_where_sizes_are_known_the_whole_paths_say_all() -> None:
    assert closer(resized(), resized(kernel="cubic")) == []


def normalized(mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD) -> Pipeline:
    return Pipeline(affine=Affine.normalized(mean, std), dtype="float32")


def test_one_wrong_digit_is_a_difference_of_less_than_a_level() -> None:
    assert difference(normalized(), normalized(std=(0.228, 0.224, 0.225))) == ()
    (found,) = closer(normalized(), normalized(std=(0.228, 0.224, 0.225)))
    assert found.aspect == "mean and std"
    assert found.effect is not None
    assert 0 < found.effect.largest < 1


@pytest.mark.parametrize(
    "right",
    [
        normalized(),
        # Another way to write it, and constants that were rounded.
        Pipeline(
            affine=Affine.of(("subtract", [255 * v for v in MEAN]), ("divide", [255 * v for v in STD])), dtype="float32"
        ),
        normalized(mean=(0.4851, 0.4561, 0.4061)),
        normalized(mean=(0.4853, 0.456, 0.406)),
        replace(normalized(std=(0.228, 0.224, 0.225)), order="BGR"),
    ],
)
def test_what_is_the_same_or_only_rounded_is_none(right: Pipeline) -> None:
    assert [item for item in closer(normalized(), right) if item.aspect == "mean and std"] == []

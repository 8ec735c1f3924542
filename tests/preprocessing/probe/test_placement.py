"""Where pixels are predicted to come from is where executing the steps takes them from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.preprocessing.execution import moved
from dataguard.preprocessing.probe import stimuli
from dataguard.preprocessing.probe.geometry import explanations
from dataguard.preprocessing.probe.measuring import Measured
from dataguard.preprocessing.probe.placement import predict
from dataguard.preprocessing.steps import Crop, Flip, Pad, Resize, Rounding, Step

LENGTH = st.integers(48, 160)
ROUNDINGS: tuple[Rounding, ...] = ("floor", "half_even", "half_up", "ceil")
ROUNDING = st.sampled_from(ROUNDINGS)


def linear(**rule: Any) -> Resize:
    return Resize(engine="opencv", kernel="linear", arithmetic="float32", **rule)


@st.composite
def steps(draw: st.DrawFn) -> tuple[Step, ...]:
    resize = draw(
        st.sampled_from(
            [
                linear(rule="exact", height=draw(LENGTH), width=draw(LENGTH)),
                linear(rule="short", side=draw(LENGTH), rounding=draw(ROUNDING)),
                linear(rule="long", side=draw(LENGTH), rounding=draw(ROUNDING)),
                linear(rule="fit", height=draw(LENGTH), width=draw(LENGTH), rounding=draw(ROUNDING)),
                Resize(
                    height=draw(LENGTH),
                    width=draw(LENGTH),
                    engine="pillow",
                    antialias="scaled",
                    arithmetic="float32",
                    source="aspect",
                    centering=(draw(st.floats(0, 1)), 0.5),
                ),
            ]
        )
    )
    other = draw(
        st.sampled_from(
            [
                Crop(rule="center", height=draw(LENGTH), width=draw(LENGTH), rounding=draw(ROUNDING)),
                Crop(rule="fraction", fraction=0.8, rounding=draw(ROUNDING)),
                Pad(rule="square", rounding=draw(ROUNDING)),
                Flip(kind="left_right"),
                Flip(kind="rotate_180"),
            ]
        )
    )
    return draw(st.sampled_from([(resize,), (resize, other), (other, resize)]))


@settings(max_examples=40, deadline=None)
@given(steps(), st.integers(90, 300), st.integers(90, 300))
def test_prediction_agrees_with_execution(path: tuple[Step, ...], height: int, width: int) -> None:
    placement = predict(path, height, width)
    for axis, along in ((0, placement.rows), (1, placement.columns)):
        size = (height, width)[axis]
        pixels = stimuli.along(height, width, stimuli.ramp(size), 0 if axis == 0 else 1).astype(np.float32)
        # Without the rounding of levels, so that a position is exact.
        exact = (10 + 235 * np.arange(size) / (size - 1)).astype(np.float32)
        pixels[:] = exact[:, None, None] if axis == 0 else exact[None, :, None]
        made = pixels
        for step in path:
            made = moved(made, step)
        assert made.shape[:2] == (placement.rows.size, placement.columns.size)
        across = placement.columns if axis == 0 else placement.rows
        line = np.take(made[:, :, 0], int((across.start + across.stop) / 2), axis=1 - axis)
        places = np.arange(len(line)) + 0.5
        inside = (places > along.start + 1.5) & (places < along.stop - 1.5)
        shown = (line - 10) / 235 * (size - 1) + 0.5
        predicted = along.scale * places + along.shift
        # At the ends a kernel repeats the last pixel.
        inside &= (predicted > 1) & (predicted < size - 1)
        np.testing.assert_allclose(shown[inside], predicted[inside], atol=0.1)


@pytest.mark.parametrize(("height", "width"), [(48, 135), (48, 66), (135, 48), (147, 68)])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_limit_that_no_picture_reaches_is_no_hindrance(height: int, width: int, rounding: Rounding) -> None:
    sizes = [(200, 274), (366, 170), (206, 194)] if width > height else [(274, 200), (274, 102), (194, 206)]
    path = (linear(rule="fit", height=height, width=width, rounding=rounding),)
    measured = [
        Measured(placement=predict(path, *size), row_error=0.02, column_error=0.02, fill=(0.0,)) for size in sizes
    ]
    found = explanations(measured)
    assert found
    for size, one in zip(sizes, measured, strict=True):
        assert one.agrees(predict(found[0], *size))


def whole(path: tuple[Step, ...]) -> bool:
    """Whether every resize is of the whole picture: parts anywhere are explained where nothing else is done to them."""
    return all(not isinstance(step, Resize) or step.source == "all" for step in path)


@settings(max_examples=10, deadline=None)
@given(steps().filter(whole))
def test_what_was_measured_exactly_is_explained(path: tuple[Step, ...]) -> None:
    sizes = [(200, 274), (366, 170), (206, 194)]
    measured = [
        Measured(placement=predict(path, *size), row_error=0.02, column_error=0.02, fill=(0.0,)) for size in sizes
    ]
    found = explanations(measured)
    if not found:
        # Steps behind one another of which the probe knows other orders only.
        assert len(path) == 2
        return
    for explained in found[:20]:
        for size, one in zip(sizes, measured, strict=True):
            assert one.agrees(predict(explained, *size))

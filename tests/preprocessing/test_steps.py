"""Sizes, crops and borders come out as the libraries compute them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.preprocessing.steps import Crop, Pad, Resize, letterbox, rounded

SIDES = st.integers(1, 3000)


@given(SIDES, SIDES, st.integers(1, 1024))
def test_the_short_side_becomes_what_is_asked_and_the_long_one_follows_like_torchvision(
    h: int, w: int, side: int
) -> None:
    tall, wide = Resize(rule="short", side=side).target(h, w)
    short, long = sorted((h, w))
    assert sorted((tall, wide)) == sorted((side, max(1, int(side * long / short))))
    assert (tall <= wide) == (h <= w) or tall == wide


@given(SIDES, SIDES, st.integers(2, 1024), st.integers(2, 1024))
def test_what_fits_lies_within_and_what_covers_does_not(h: int, w: int, height: int, width: int) -> None:
    fit = Resize(rule="fit", height=height, width=width).target(h, w)
    cover = Resize(rule="cover", height=height, width=width, rounding="ceil").target(h, w)
    assert fit[0] <= height
    assert fit[1] <= width
    assert fit[0] == height or fit[1] == width
    assert cover[0] >= height
    assert cover[1] >= width


@given(SIDES, SIDES, st.integers(2, 1024), st.integers(2, 1024), st.floats(0, 0.4))
def test_the_largest_part_of_a_shape_has_it_and_touches_two_edges(
    h: int, w: int, height: int, width: int, bleed: float
) -> None:
    step = Resize(height=height, width=width, source="aspect", bleed=bleed, centering=(0.0, 1.0))
    left, top, right, bottom = step.area(h, w)
    assert (right - left) / (bottom - top) == pytest.approx(width / height)
    # Not in the middle: at the left edge and at the lower one, of what is not left out all around.
    assert (left, bottom) == pytest.approx((bleed * w, h - bleed * h))
    assert top >= bleed * h - 1e-6
    assert right <= w - bleed * w + 1e-6


def test_of_a_picture_with_the_shape_asked_nothing_is_left_out() -> None:
    assert Resize(height=224, width=224, source="aspect").area(333, 333) == (0, 0, 333, 333)


def test_the_longest_side_shrinks_both() -> None:
    assert Resize(rule="short", side=800, longest=1333).target(400, 1000) == (533, 1333)


def test_small_pictures_stay_where_they_are_not_enlarged() -> None:
    step = Resize(rule="fit", height=640, width=640, enlarge=False)
    assert step.target(100, 200) == (100, 200)
    assert step.target(1280, 640) == (640, 320)


def test_sides_are_rounded_to_a_multiple() -> None:
    assert Resize(rule="short", side=224, multiple=32).target(224, 310) == (224, 288)
    assert Resize(rule="short", side=224, multiple=32, rounding="half_even").target(224, 310) == (224, 320)


@pytest.mark.parametrize(("rounding", "top"), [("floor", 15), ("half_even", 16), ("half_up", 16), ("ceil", 16)])
def test_the_odd_pixel_of_a_crop_goes_where_the_rounding_says(rounding: str, top: int) -> None:
    crop = Crop(height=224, width=224, rounding=rounding)  # type: ignore[arg-type]
    assert crop.box(255, 224) == (top, 0, 224, 224)


@given(SIDES, SIDES, st.integers(1, 500), st.integers(1, 500))
def test_a_padded_picture_has_the_size_asked_or_its_own(h: int, w: int, height: int, width: int) -> None:
    top, bottom, left, right = Pad(rule="to", height=height, width=width).border(h, w)
    assert (h + top + bottom, w + left + right) == (max(h, height), max(w, width))
    assert 0 <= bottom - top <= 1
    assert 0 <= right - left <= 1


def test_a_letterbox_is_a_resize_that_fits_and_a_border() -> None:
    resize, pad = letterbox(640, 640)
    size = resize.target(375, 500)
    assert size == (480, 640)
    assert pad.border(*size) == (80, 80, 0, 0)


def test_what_is_not_known_is_said_with_its_reason() -> None:
    step = Resize(rule=None, undetermined={"rule": "read from a variable"})
    with pytest.raises(ValueError, match="undetermined"):
        step.target(10, 10)
    with pytest.raises(ValueError, match="has a value"):
        Resize(kernel="linear", undetermined={"kernel": "?"})
    with pytest.raises(ValueError, match="no field"):
        Resize(undetermined={"kernal": "?"})


def test_where_a_value_comes_from_does_not_make_it_another() -> None:
    said = Resize(
        height=2, width=2, provenance={"kernel": Provenance(origin=Origin.DEFAULT, detail="torchvision 0.17")}
    )
    assert said == Resize(height=2, width=2)
    origin = said.origin_of("kernel")
    assert origin is not None
    assert origin.detail == "torchvision 0.17"
    assert said.origin_of("height") is None


@given(st.floats(0, 1e6))
def test_rounding_is_to_a_neighbour(length: float) -> None:
    for how in ("floor", "half_even", "half_up", "ceil"):
        assert abs(rounded(length, how) - length) <= (0.5 if how.startswith("half") else 1.0)


@given(SIDES, SIDES, st.integers(1, 1500), st.integers(1, 1500))
def test_what_lies_within_two_limits_is_as_large_as_mmcv_makes_it(h: int, w: int, one: int, other: int) -> None:
    step = Resize(rule="within", side=min(one, other), longest=max(one, other), rounding="half_up")
    factor = min(max(one, other) / max(h, w), min(one, other) / min(h, w))
    assert step.target(h, w) == (max(1, int(h * factor + 0.5)), max(1, int(w * factor + 0.5)))

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataguard.preprocessing.comparison import difference, equivalent
from dataguard.preprocessing.pipeline import Affine, Crop, Decode, Filter, Flip, Pad, Pipeline, Random, Resize
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.provenance import Origin, Provenance
from dataguard.preprocessing.steps import letterbox

pytestmark = pytest.mark.slow

RESIZE = Resize(rule="short", side=72, engine="pillow", antialias="scaled")
BASE = Pipeline(
    name="train",
    decode=Decode.of("pillow", "convert RGB"),
    geometry=(RESIZE, Crop(height=64, width=64)),
    affine=Affine.normalized((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    layout="CHW",
    dtype="float32",
)

STEPS = st.sampled_from(
    [
        (),
        (RESIZE,),
        (Resize(height=48, width=64, engine="opencv"),),
        (RESIZE, Crop(height=64, width=64)),
        (Crop(rule="square"), Resize(height=64, width=64, engine="opencv", kernel="area")),
        letterbox(64, 96),
        (Flip(kind="rotate_90"), RESIZE),
    ]
)
NUMBERS = st.floats(0.05, 0.9)


@st.composite
def paths(draw: st.DrawFn) -> Pipeline:
    decodes = [Decode.of("array"), Decode.of("pillow", "convert RGB"), Decode.of("opencv", "IMREAD_COLOR")]
    return Pipeline(
        decode=draw(st.sampled_from(decodes)),
        order=draw(st.sampled_from(["RGB", "BGR"])),
        geometry=draw(STEPS),
        affine=Affine.normalized([draw(NUMBERS) for _ in range(3)], [draw(NUMBERS) for _ in range(3)]),
        layout=draw(st.sampled_from(["CHW", "NCHW", "HWC"])),
        dtype=draw(st.sampled_from(["float32", "float16"])),
    )


@settings(max_examples=40, deadline=None)
@given(paths())
def test_a_path_is_the_same_as_itself(path: Pipeline) -> None:
    assert difference(path, replace(path, name="again")) == ()


@settings(max_examples=10, deadline=None)
@given(paths(), paths())
def test_either_both_directions_differ_or_none(one: Pipeline, two: Pipeline) -> None:
    there, back = difference(one, two), difference(two, one)
    assert {(item.field, bool(item.unknown)) for item in there if item.aspect == "channel order"} == {
        (item.field, bool(item.unknown)) for item in back if item.aspect == "channel order"
    }
    assert bool(there) == bool(back)


@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBERS, min_size=3, max_size=3), st.lists(NUMBERS, min_size=3, max_size=3))
def test_every_way_to_write_a_normalization_is_one(mean: list[float], std: list[float]) -> None:
    many, deviations = np.array(mean), np.array(std)
    ways = [
        Affine.normalized(mean, std),
        Affine.of(("subtract", (255 * many).tolist()), ("divide", (255 * deviations).tolist())),
        Affine.of(("divide", 255), ("divide", std), ("subtract", (many / deviations).tolist())),
        Affine(scale=tuple(1 / (255 * deviations)), offset=tuple(-many / deviations)),
    ]
    for way in ways[1:]:
        assert equivalent(replace(BASE, affine=ways[0]), replace(BASE, affine=way))


def test_what_pillow_and_torch_do_alike_is_no_difference() -> None:
    pytest.importorskip("torch")
    torch = replace(RESIZE, engine="torch")
    assert equivalent(BASE, replace(BASE, geometry=(torch, Crop(height=64, width=64))))


def test_area_is_linear_at_exactly_half_and_the_given_pictures_decide() -> None:
    one, two = (
        Pipeline(geometry=(Resize(height=60, width=80, engine="opencv", kernel=kernel),))
        for kernel in ("linear", "area")
    )
    assert equivalent(one, two, pictures=[photograph(120, 160, 1)])
    (found,) = difference(one, two, pictures=[photograph(180, 240, 1)])
    assert found.aspect == "kernel"
    assert not equivalent(one, two)


def test_a_normalized_border_is_one_in_levels() -> None:
    grey = (Pad(rule="to", height=600, width=700, fill=(123.675, 116.28, 103.53)),)
    black = (Pad(rule="to", height=600, width=700),)
    (found,) = difference(replace(BASE, geometry=grey), replace(BASE, geometry=black))
    assert (found.field, found.aspect) == ("geometry[0]", "geometry")


def test_the_colours_of_a_border_follow_the_channels() -> None:
    rgb, bgr = (
        (Pad(rule="to", height=600, width=700, fill=fill),) for fill in ((10.0, 20.0, 30.0), (30.0, 20.0, 10.0))
    )
    one, two = replace(BASE, geometry=rgb), replace(BASE, geometry=bgr, order="BGR")
    assert {item.aspect for item in difference(one, two)} == {"channel order"}


def test_one_field_alone_is_measured_where_two_differ() -> None:
    other = replace(RESIZE, side=80, engine="opencv", antialias="none")
    found = difference(BASE, replace(BASE, geometry=(other, Crop(height=64, width=64))))
    assert [item.field for item in found] == ["geometry[0].rule", "geometry[0].kernel"]
    kernel = found[1]
    assert kernel.effect is not None
    assert kernel.changed is not None
    assert kernel.changed.geometry is not None
    step = kernel.changed.geometry[0]
    assert isinstance(step, Resize)
    assert (step.side, step.engine) == (72, "opencv")
    pixels = photograph(200, 300, 5)
    alone = np.abs(kernel.changed.run(pixels_as_file(pixels)) - BASE.run(pixels_as_file(pixels)))
    assert 0 < alone.mean() * 255 * 0.225 < kernel.effect.largest


def pixels_as_file(pixels: np.ndarray) -> bytes:
    from dataguard.preprocessing.probe.asking import encoded

    return encoded(pixels)


def test_a_step_that_nothing_explains_alone_is_told_as_a_whole() -> None:
    found = difference(BASE, replace(BASE, geometry=(Flip(kind="left_right"), Flip(kind="up_down"))))
    assert [item.field for item in found] == ["geometry"]
    assert found[0].left.startswith("resize shorter side to 72")
    assert found[0].right == "flip left right, then flip up down"


FIT = Resize(height=64, width=64, engine="pillow", antialias="scaled", source="aspect")


def test_a_part_between_two_pixels_is_not_one_of_whole_pixels() -> None:
    whole = replace(BASE, geometry=(replace(FIT, source="all"),))
    (found,) = difference(replace(BASE, geometry=(FIT,)), whole)
    assert (found.field, found.aspect) == ("geometry[0].rule", "geometry")
    assert (found.left, found.right) == ("resize to 64×64, of the largest part of this shape", "resize to 64×64")
    assert found.effect is not None
    assert found.effect.largest > 20
    square = [photograph(130, 130, 2)]
    assert difference(replace(BASE, geometry=(FIT,)), whole, pictures=square) == ()


@pytest.mark.parametrize("reversed_", [False, True])
def test_part_and_kernel_are_measured_each_though_one_library_alone_resizes_parts(reversed_: bool) -> None:
    paths = [
        replace(BASE, geometry=(step,))
        for step in (FIT, Resize(height=64, width=64, engine="opencv"), Resize(height=64, width=64, engine="torch"))
    ]
    pytest.importorskip("torch")
    torch = replace(paths[2], geometry=(replace(FIT, engine="torch", source="all"),))
    for other, wanted in ((paths[1], ["geometry", "kernel"]), (torch, ["geometry"])):
        pair = (other, paths[0]) if reversed_ else (paths[0], other)
        found = difference(*pair)
        assert [item.aspect for item in found] == wanted
        assert all(item.effect is not None and item.effect.largest > 1 for item in found)


def test_what_is_unknown_is_neither_equal_nor_a_mismatch() -> None:
    unknown = replace(RESIZE, kernel=None, undetermined={"kernel": "pictures keep their size"})
    path = replace(BASE, geometry=(unknown, Crop(height=64, width=64)))
    for one, two in ((BASE, path), (path, BASE), (path, path)):
        (found,) = difference(one, two)
        assert found.field == "geometry[0].kernel"
        assert found.unknown == "pictures keep their size"
        assert not equivalent(one, two)


def test_a_witness_overrules_the_steps_that_were_found() -> None:
    other = replace(BASE, geometry=(RESIZE, Crop(height=64, width=64, rounding="half_even")))
    assert difference(BASE, other)
    assert difference(BASE, other, witness=lambda pixels: 0.4) == ()
    assert difference(BASE, other, witness=lambda pixels: 50.0)
    assert difference(BASE, other, witness=lambda pixels: None)


def test_a_length_that_is_rounded_differently_shows_at_few_sizes() -> None:
    exact = Resize(rule="short", side=72, engine="opencv")
    one, two = (replace(BASE, geometry=(replace(exact, rounding=how),)) for how in ("floor", "ceil"))
    (found,) = difference(one, two)
    assert found.field == "geometry[0].rule"
    assert found.share is not None
    assert found.share > 0.9
    one, two = (replace(BASE, geometry=(replace(exact, rounding=how),)) for how in ("half_up", "half_even"))
    (found,) = difference(one, two)
    assert found.share is not None
    assert found.share < 0.05


def test_where_each_side_is_known_from_is_kept() -> None:
    said = Provenance(origin=Origin.CONFIG, detail="crop_size", path="config.json", line=3)
    crop = Crop(height=48, width=48, provenance={"": said})
    (found,) = difference(BASE, replace(BASE, geometry=(RESIZE, crop)))
    assert found.right_origin == said
    assert found.left_origin is None


def test_a_filter_that_both_have_hides_no_difference() -> None:
    blur = Filter(name="GaussianBlur")
    one, two = (replace(BASE, geometry=(replace(RESIZE, kernel=kernel), blur)) for kernel in ("linear", "cubic"))
    assert equivalent(one, one)
    (found,) = difference(one, two)
    assert (found.aspect, found.field) == ("kernel", "geometry[0].kernel")
    assert found.effect is not None


def test_a_filter_of_one_side_is_not_measured() -> None:
    blurred = replace(BASE, geometry=(*(BASE.geometry or ()), Filter(name="GaussianBlur")))
    (found,) = difference(BASE, blurred)
    assert found.unknown == "GaussianBlur is not executed here"
    assert not equivalent(BASE, blurred)


def test_random_steps_of_the_first_are_augmentation() -> None:
    augmented = replace(BASE, geometry=(Random(name="ColorJitter"), *(BASE.geometry or ())))
    assert difference(augmented, BASE) == ()
    (found,) = difference(BASE, augmented)
    assert found.aspect == "random"


def test_noise_that_is_added_to_each_level_is_what_a_model_takes_away() -> None:
    degraded = replace(BASE, geometry=(*(BASE.geometry or ()), Random(name="noise")))
    assert [one.aspect for one in difference(BASE, degraded)].count("random") == 0


def test_random_steps_hide_the_others_where_a_function_was_asked() -> None:
    probed = replace(BASE, geometry=(Random(name="ColorJitter"),), provenance={"": Provenance(origin=Origin.PROBE)})
    found = difference(BASE, probed)
    assert [(item.aspect, bool(item.unknown)) for item in found] == [("random", False), ("geometry", True)]


def test_a_library_that_is_not_installed_cannot_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorflow", None)
    found = difference(BASE, replace(BASE, decode=Decode.of("tensorflow", "channels=3")))
    assert "tensorflow is not installed" in {item.unknown for item in found if item.field == "decode.library"}
    gone = Resize(height=64, width=64, engine="tensorflow")
    (steps,) = [item for item in difference(BASE, replace(BASE, geometry=(gone,))) if item.aspect == "geometry"]
    assert "tensorflow is not installed" in steps.unknown


@pytest.mark.parametrize(("resize", "told"), [
    (Resize(rule="exact", height=32, width=32, engine="pillow", antialias="scaled"), False),
    (Resize(rule="scale", factor=0.5, engine="pillow", antialias="scaled"), False),
    (Resize(rule="exact", height=48, width=48, engine="pillow", antialias="scaled"), True),
])  # fmt: skip
def test_pictures_of_one_size_are_not_held_against_what_brings_others_to_it(resize: Resize, told: bool) -> None:
    sized = {"": Provenance(origin=Origin.EXPLICIT, detail="32×32")}
    stored = Pipeline(decode=replace(Decode.of("array"), provenance=sized))
    served = Pipeline(decode=Decode.of("array"), geometry=(resize,))
    (one,) = difference(stored, served)
    assert (one.field, one.unknown == "") == ("geometry", told)

"""The probe finds the steps, the kernel and the map of functions that are written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from dataguard.preprocessing.pipeline import Affine
from dataguard.preprocessing.probe.identify import Identified, identify
from dataguard.preprocessing.probe.placement import predict
from dataguard.preprocessing.probe.stimuli import photograph
from dataguard.preprocessing.steps import Crop, Pad, Resize, Step
from dataguard.preprocessing.words import geometry_words

pytestmark = pytest.mark.slow


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Pixels = Any


def normalized(pixels: Pixels) -> Pixels:
    values = (np.asarray(pixels).astype(np.float32) / np.float32(255) - np.array(MEAN, np.float32)) / np.array(
        STD, np.float32
    )
    return values.transpose(2, 0, 1)


def short_size(pixels: Pixels, side: int) -> tuple[int, int]:
    """Width and height with the short side at `side`."""
    height, width = pixels.shape[:2]
    ratio = max(height, width) / min(height, width)
    return (side, int(side * ratio)) if width <= height else (int(side * ratio), side)


def short(pixels: Pixels, side: int, kernel: int = Image.Resampling.BILINEAR) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize(short_size(pixels, side), kernel))


def centre(pixels: Pixels, side: int) -> Pixels:
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return pixels[top : top + side, left : left + side]


def letterboxed(pixels: Pixels, side: int, fill: int = 114) -> Pixels:
    height, width = pixels.shape[:2]
    ratio = side / max(height, width)
    tall, wide = round(height * ratio), round(width * ratio)
    whole = np.full((side, side, 3), fill, dtype=np.uint8)
    top, left = (side - tall) // 2, (side - wide) // 2
    whole[top : top + tall, left : left + wide] = cv2.resize(pixels, (wide, tall))
    return whole


def central(pixels: Pixels, share: float) -> Pixels:
    top, left = (int((side - side * share) / 2) for side in pixels.shape[:2])
    return pixels[top : pixels.shape[0] - top, left : pixels.shape[1] - left]


def squared(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    side = max(height, width)
    whole = np.zeros((side, side, 3), dtype=np.uint8)
    whole[(side - height) // 2 :, (side - width) // 2 :][:height, :width] = pixels
    return whole


FAMILIES: dict[str, tuple[Callable[[Pixels], Pixels], tuple[Step, ...]]] = {
    "nothing": (lambda p: p, ()),
    "exact": (lambda p: cv2.resize(p, (96, 128)), (Resize(rule="exact", height=128, width=96),)),
    "short and centre": (
        lambda p: centre(short(p, 146), 128),
        (Resize(rule="short", side=146), Crop(rule="center", height=128, width=128)),
    ),
    "letterbox": (
        lambda p: letterboxed(p, 160),
        (Resize(rule="fit", height=160, width=160, rounding="half_even"), Pad(height=160, width=160, fill=(114.0,))),
    ),
    "square border": (
        lambda p: cv2.resize(squared(p), (96, 96)),
        (Pad(rule="square"), Resize(rule="exact", height=96, width=96)),
    ),
    "central share": (
        lambda p: cv2.resize(central(p, 0.875), (96, 96)),
        (Crop(rule="fraction", fraction=0.875), Resize(rule="exact", height=96, width=96)),
    ),
    "multiple": (
        lambda p: cv2.resize(p, (max(32, p.shape[1] // 32 * 32), max(32, p.shape[0] // 32 * 32))),
        (Resize(rule="scale", factor=1.0, multiple=32),),
    ),
}


def same_places(found: Identified, steps: tuple[Step, ...]) -> bool:
    """Whether outputs of many sizes come from the same pixels, to half a pixel."""
    rng = np.random.default_rng(5)
    for height, width in rng.integers(150, 600, (20, 2)).tolist():
        one, two = predict(found.pipeline.geometry or (), height, width), predict(steps, height, width)
        for a, b in ((one.rows, two.rows), (one.columns, two.columns)):
            if a.size != b.size or max(abs(a.at(place) - b.at(place)) for place in (b.start, b.stop)) > 0.6:
                return False
    return True


def assert_reproduces(found: Identified, function: Callable[[Pixels], Pixels]) -> None:
    pixels = photograph(231, 402, 77)
    np.testing.assert_array_equal(found.pipeline.run(pixels), np.asarray(function(pixels.copy())))


@pytest.mark.parametrize("family", FAMILIES)
def test_geometry(family: str) -> None:
    geometry, steps = FAMILIES[family]

    def function(pixels: Pixels) -> Pixels:
        return normalized(geometry(pixels))

    found = identify(function, takes="array")
    assert same_places(found, steps)
    assert found.fidelity == "bit-exact"
    assert found.pipeline.affine.written == Affine.normalized(MEAN, STD).written
    assert (found.pipeline.layout, found.pipeline.dtype, found.pipeline.order) == ("CHW", "float32", "RGB")
    assert_reproduces(found, function)


@pytest.mark.parametrize(
    ("engine", "kernel", "resize"),
    [
        ("pillow", "linear", lambda p: np.asarray(Image.fromarray(p).resize((96, 96), 2))),
        ("pillow", "cubic", lambda p: np.asarray(Image.fromarray(p).resize((96, 96), 3))),
        ("pillow", "lanczos", lambda p: np.asarray(Image.fromarray(p).resize((96, 96), 1))),
        ("pillow", "box", lambda p: np.asarray(Image.fromarray(p).resize((96, 96), 4))),
        ("pillow", "hamming", lambda p: np.asarray(Image.fromarray(p).resize((96, 96), 5))),
        ("opencv", "linear", lambda p: cv2.resize(p, (96, 96))),
        ("opencv", "cubic", lambda p: cv2.resize(p, (96, 96), interpolation=cv2.INTER_CUBIC)),
        ("opencv", "area", lambda p: cv2.resize(p, (96, 96), interpolation=cv2.INTER_AREA)),
        ("opencv", "lanczos", lambda p: cv2.resize(p, (96, 96), interpolation=cv2.INTER_LANCZOS4)),
        ("opencv", "nearest", lambda p: cv2.resize(p, (96, 96), interpolation=cv2.INTER_NEAREST)),
        ("pillow", "nearest_exact", lambda p: np.asarray(Image.fromarray(p).resize((96, 96), 0))),
    ],
)
def test_kernel(engine: str, kernel: str, resize: Callable[[Pixels], Pixels]) -> None:
    found = identify(resize, takes="array")
    (step,) = found.pipeline.geometry or ()
    assert isinstance(step, Resize)
    words = f"{engine} {kernel}"
    assert (step.engine, step.kernel) == (engine, kernel) or any(
        other.startswith(words) for other in found.alternatives
    )
    assert_reproduces(found, resize)


@pytest.mark.parametrize(
    ("side", "resize", "kernel"),
    [
        # The first picture that is asked about is 210 pixels high: one that is not resized, and one that is enlarged.
        (210, lambda p: cv2.resize(p, short_size(p, 210), interpolation=cv2.INTER_CUBIC), "cubic"),
        (214, lambda p: short(p, 214, Image.Resampling.BOX), "box"),
    ],
    ids=["not resized", "enlarged by repeating"],
)
def test_a_size_at_which_pixels_are_taken_as_they_are_hides_no_kernel(
    side: int, resize: Callable[[Pixels], Pixels], kernel: str
) -> None:
    def function(pixels: Pixels) -> Pixels:
        return normalized(centre(resize(pixels), 200))

    found = identify(function, takes="array")
    assert same_places(found, (Resize(rule="short", side=side), Crop(rule="center", height=200, width=200)))
    assert [step.kernel for step in found.pipeline.geometry or () if isinstance(step, Resize)] == [kernel]
    assert_reproduces(found, function)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_torch_on_floats(mode: str, antialias: bool) -> None:
    torch = pytest.importorskip("torch")

    def function(pixels: Pixels) -> Any:
        tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float().div(255)
        return torch.nn.functional.interpolate(tensor, (96, 112), mode=mode, antialias=antialias)

    found = identify(function, takes="array")
    (step,) = found.pipeline.geometry or ()
    assert isinstance(step, Resize)
    assert (step.kernel, step.antialias) == (mode.removeprefix("bi"), "scaled" if antialias else "none")
    assert found.pipeline.layout == "NCHW"
    assert found.largest < 0.02


def test_scikit_image() -> None:
    transform = pytest.importorskip("skimage.transform")
    found = identify(lambda p: transform.resize(p / 255.0, (64, 80), anti_aliasing=True), takes="array")
    (step,) = found.pipeline.geometry or ()
    assert isinstance(step, Resize)
    assert (step.engine, step.antialias, found.pipeline.dtype) == ("scikit-image", "gaussian", "float64")
    assert found.largest < 0.02


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            lambda p: cv2.resize(p, (256, 256), interpolation=cv2.INTER_AREA),
            lambda p: np.asarray(Image.fromarray(p).resize((112, 112), 3)),
        ),
        (lambda p: short(p, 288), lambda p: cv2.resize(central(p, 0.875), (128, 128))),
        (
            lambda p: np.asarray(Image.fromarray(p).resize((320, 320), 2)),
            lambda p: cv2.resize(p, (96, 96), interpolation=cv2.INTER_NEAREST),
        ),
        (
            # Less than two of its pixels are averaged: three of four that come out are pixels as they were.
            lambda p: np.asarray(Image.fromarray(p).resize((176, 176), Image.Resampling.NEAREST)),
            lambda p: centre(short(p, 144, Image.Resampling.BOX), 128),
        ),
    ],
    ids=["area then cubic", "short side, share, linear", "linear then nearest", "nearest then box"],
)
def test_two_resizes(first: Callable[[Pixels], Pixels], second: Callable[[Pixels], Pixels]) -> None:
    found = identify(lambda p: second(first(p)), takes="array")
    assert [isinstance(step, Resize) for step in found.pipeline.geometry or ()].count(True) == 2
    assert found.largest <= 1
    pixels = photograph(243, 391, 5)
    wanted = second(first(pixels)).astype(int)
    assert np.abs(found.pipeline.run(pixels).astype(int) - wanted).max() <= 1


@pytest.mark.parametrize(
    ("mode", "name"),
    [(cv2.BORDER_REFLECT_101, "reflect"), (cv2.BORDER_REFLECT, "symmetric"), (cv2.BORDER_REPLICATE, "edge")],
)
def test_a_border_that_repeats_the_picture(mode: int, name: str) -> None:
    def function(pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        ratio = 160 / max(height, width)
        tall, wide = round(height * ratio), round(width * ratio)
        down, across = 160 - tall, 160 - wide
        made = cv2.resize(pixels, (wide, tall))
        return cv2.copyMakeBorder(made, down // 2, down - down // 2, across // 2, across - across // 2, mode)

    found = identify(function, takes="array")
    assert [step.mode for step in found.pipeline.geometry or () if isinstance(step, Pad)] == [name]
    assert_reproduces(found, function)


def test_a_border_of_the_mean_colour() -> None:
    def function(pixels: Pixels) -> Pixels:
        whole = np.zeros((3, 160, 160), dtype=np.float32)
        ratio = 160 / max(pixels.shape[:2])
        tall, wide = (round(side * ratio) for side in pixels.shape[:2])
        whole[:, :tall, :wide] = normalized(cv2.resize(pixels, (wide, tall)))
        return whole

    found = identify(function, takes="array")
    pad = next(step for step in found.pipeline.geometry or () if isinstance(step, Pad))
    assert pad.fill == pytest.approx([255 * one for one in MEAN], abs=0.01)
    assert pad.position == "top_left"
    assert found.largest < 0.02


def test_thumbnails_are_not_enlarged_and_first_reduced() -> None:
    def function(picture: Image.Image) -> Pixels:
        picture.thumbnail((96, 96))
        return np.asarray(picture)

    found = identify(function, takes="pillow")
    (step,) = found.pipeline.geometry or ()
    assert isinstance(step, Resize)
    assert (step.rule, step.enlarge, step.reducing_gap) == ("fit", False, 2.0)
    assert found.mutates
    large = photograph(700, 640, 3)
    np.testing.assert_array_equal(found.pipeline.run(large), function(Image.fromarray(large)))


def test_pillows_own_padding() -> None:
    def function(picture: Image.Image) -> Pixels:
        return np.asarray(ImageOps.pad(picture, (128, 96), color=(10, 20, 30)))

    found = identify(function, takes="pillow")
    pixels = photograph(211, 173, 4)
    np.testing.assert_array_equal(found.pipeline.run(pixels), function(Image.fromarray(pixels)))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda p: ImageOps.fit(p, (128, 96)), "resize to 96×128, of the largest part of this shape"),
        (
            lambda p: ImageOps.fit(p, (96, 96), Image.Resampling.NEAREST, centering=(0.0, 0.3)),
            "resize to 96×96, of the largest part of this shape at 0 % across and 30 % down",
        ),
        (
            lambda p: ImageOps.fit(p, (96, 128), Image.Resampling.LANCZOS, bleed=0.05),
            "resize to 128×96, of the largest part of this shape, without 5 % at each edge",
        ),
        (lambda p: ImageOps.contain(p, (128, 96)), "resize to fit into 96×128, rounded half to even"),
    ],
    ids=["fit", "fit, not in the middle", "fit without the edges", "contain"],
)
def test_pillows_own_fitting(function: Callable[[Image.Image], Image.Image], words: str) -> None:
    found = identify(lambda picture: np.asarray(function(picture)), takes="pillow")
    assert geometry_words(found.pipeline.geometry) == words
    assert found.alternatives == ()
    for size in ((211, 173), (140, 333)):
        pixels = photograph(*size, 4)
        np.testing.assert_array_equal(found.pipeline.run(pixels), np.asarray(function(Image.fromarray(pixels))))


def test_a_first_resize_that_enlarges_all_small_pictures_shows_at_large_ones() -> None:
    def function(pixels: Pixels) -> Pixels:
        made = np.asarray(Image.fromarray(pixels).resize((448, 448), 2))
        # Every seventh pixel in the middle: what is not resized first is sampled at the same places.
        return made[3::7, 3::7]

    found = identify(function, takes="array")
    assert [step.height for step in found.pipeline.geometry or () if isinstance(step, Resize)] == [448, 64]
    for size in ((231, 402), (901, 640)):
        pixels = photograph(*size, 7)
        np.testing.assert_array_equal(found.pipeline.run(pixels), function(pixels))


def test_a_shorter_side_shows_where_the_limit_of_the_longer_one_does_not_decide() -> None:
    step = Resize(rule="short", side=415, longest=460)

    def function(pixels: Pixels) -> Pixels:
        height, width = step.target(*pixels.shape[:2])
        return cv2.resize(pixels, (width, height))

    found = identify(function, takes="array")
    assert same_places(found, (step,))
    for size in ((231, 402), (301, 299)):
        pixels = photograph(*size, 7)
        np.testing.assert_array_equal(found.pipeline.run(pixels), function(pixels))


def test_area_that_shrinks_one_side_and_enlarges_the_other() -> None:
    def function(pixels: Pixels) -> Pixels:
        made = short(pixels, 256)
        side = min(made.shape[:2])
        return cv2.resize(centre(made, side), (320, 96), interpolation=cv2.INTER_AREA)

    found = identify(function, takes="array")
    assert [(step.engine, step.kernel) for step in found.pipeline.geometry or () if isinstance(step, Resize)] == [
        ("pillow", "linear"),
        ("opencv", "area"),
    ]
    assert_reproduces(found, function)


def test_a_share_that_is_nearly_as_large_as_what_is_made_of_it() -> None:
    torch = pytest.importorskip("torch")

    def function(pixels: Pixels) -> Pixels:
        # Of 197 rows 159 are left, and 160 come out: all but one are a row each.
        tensor = torch.from_numpy(central(pixels, 0.8).copy()).permute(2, 0, 1)[None].float()
        return torch.nn.functional.interpolate(tensor, (160, 224), mode="nearest")[0].half()

    found = identify(function, takes="array")
    crop, resize = found.pipeline.geometry or ()
    assert isinstance(crop, Crop)
    assert isinstance(resize, Resize)
    assert (crop.fraction, resize.engine, resize.kernel) == (0.8, "torch", "nearest")
    assert_reproduces(found, function)


def test_two_resizes_that_each_round_to_eight_bits() -> None:
    def function(pixels: Pixels) -> Pixels:
        made = cv2.resize(pixels, short_size(pixels, 256), interpolation=cv2.INTER_CUBIC)
        return cv2.resize(made, (224, 160), interpolation=cv2.INTER_CUBIC)

    found = identify(function, takes="array")
    assert [step.arithmetic for step in found.pipeline.geometry or () if isinstance(step, Resize)] == ["uint8"] * 2
    assert_reproduces(found, function)


def test_channels_in_bgr_with_caffes_means() -> None:
    means = np.array([103.939, 116.779, 123.68], np.float32)
    found = identify(lambda p: cv2.resize(p[:, :, ::-1].copy(), (96, 96)).astype(np.float32) - means, takes="array")
    assert (found.pipeline.order, found.fidelity) == ("BGR", "bit-exact")
    assert found.pipeline.affine.written == (("subtract", (103.939, 116.779, 123.68)), ("divide", (1.0,) * 3)) or (
        found.pipeline.affine.written == (("subtract", (103.939, 116.779, 123.68)),)
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_gray(channels: int) -> None:
    def function(picture: Image.Image) -> Pixels:
        plane = np.asarray(picture.convert("L").resize((96, 96), 2))[None]
        return np.repeat(plane, channels, axis=0)

    found = identify(function, takes="pillow")
    assert found.pipeline.order == ("GRAY" if channels == 1 else "RGB")
    pixels = photograph(160, 170, 4)
    np.testing.assert_array_equal(found.pipeline.run(pixels), function(Image.fromarray(pixels)))


def test_half_floats() -> None:
    found = identify(lambda p: normalized(cv2.resize(p, (96, 96))).astype(np.float16), takes="array")
    assert found.pipeline.dtype == "float16"
    assert found.pipeline.affine.mean_std()[0] == pytest.approx(MEAN, abs=1e-6)


def test_gamma_is_named() -> None:
    found = identify(lambda p: (cv2.resize(p, (96, 96)).astype(np.float32) / 255) ** 2.2, takes="array")
    assert found.pipeline.affine.scale is None
    assert "a power of about 2.20" in found.pipeline.affine.undetermined["scale"]
    assert found.largest <= 1
    (step,) = found.pipeline.geometry or ()
    assert isinstance(step, Resize)
    assert step.height == 96


@pytest.mark.parametrize("each", ["picture", "channel"])
def test_standardization_of_each_picture_is_named(each: str) -> None:
    axes = None if each == "picture" else (0, 1)

    def function(pixels: Pixels) -> Pixels:
        values = cv2.resize(pixels[:, :, ::-1].copy(), (96, 96)).astype(np.float32)
        return (values - values.mean(axis=axes)) / np.maximum(values.std(axis=axes), 1e-3)

    found = identify(function, takes="array")
    whose = "each picture" if each == "picture" else "each channel of each picture"
    assert found.pipeline.affine.of_content == f"{whose} to mean 0 and deviation 1"
    assert (found.pipeline.order, found.pipeline.layout) == ("BGR", "HWC")
    assert not np.isfinite(found.largest)

"""What decodes and measures ordinary JPEG files finds what OpenCV finds, and leaves all others to it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from dataguard.dataset import decode, native_jpeg, native_measure
from dataguard.dataset.decode import ImageFacts, decoding, image_facts
from dataguard.dataset.perceptual_hash import perceptual_hash
from tests.dataset.compiled import compiled_library, library_with
from tests.dataset.test_native_measure import BITS, pixels_of

SAMPLINGS = (
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)
MANY = 1 << 40


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_measure, "LIBRARY", compiled_library())
    if native_jpeg._ready(native_measure.LIBRARY) is None:
        pytest.skip("Pillow brings no libjpeg-turbo of its own")


def jpeg(pixels: Any, *options: int) -> bytes:
    return cv2.imencode(".jpg", pixels, list(options))[1].tobytes()


def by_opencv(data: bytes) -> ImageFacts:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(decode, "native_jpeg", lambda data, max_pixels: None)
        return image_facts(data)


def taken(data: bytes, most: int = MANY) -> bool:
    return native_jpeg.native_jpeg(data, most) is not None


@settings(max_examples=60, deadline=None)
@given(
    side=st.tuples(*[st.one_of(st.integers(1, 40), st.integers(120, 136), st.integers(250, 262))] * 2),
    sampling=st.sampled_from([None, *SAMPLINGS]),
    quality=st.sampled_from([5, 50, 90, 100]),
    restart=st.sampled_from([0, 3]),
    look=st.sampled_from(["noise", "white", "steps"]),
    seed=st.integers(0, 2**32 - 1),
)
@example(side=(375, 500), sampling=SAMPLINGS[0], quality=90, restart=0, look="steps", seed=1)
@example(side=(128, 9_001), sampling=SAMPLINGS[1], quality=50, restart=0, look="noise", seed=1)
@example(side=(9_001, 129), sampling=SAMPLINGS[0], quality=50, restart=0, look="noise", seed=1)
@example(side=(1, 32_769), sampling=SAMPLINGS[0], quality=50, restart=0, look="noise", seed=1)
def test_facts_are_those_of_opencv(
    side: tuple[int, int], sampling: int | None, quality: int, restart: int, look: str, seed: int
) -> None:
    pixels = pixels_of(side if sampling is None else (*side, 3), look, seed)
    options = [] if sampling is None else [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    data = jpeg(pixels, cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_RST_INTERVAL, restart, *options)
    with decoding():
        # Planes whose sides are beyond what can be summed up are left out.
        assert taken(data) is (max(side) < 32_769)
        assert image_facts(data) == by_opencv(data)


@pytest.mark.slow
@pytest.mark.parametrize("options", [*(f"-DMOST_BITS={bits}" for bits in BITS), "-DPLANES=0"])
def test_other_processors_find_the_same(options: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_measure, "LIBRARY", library_with(options))
    with decoding():
        for shape in ((1, 1), (33, 7, 3), (129, 130), (150, 128, 3), (257, 517, 3), (131, 1_027, 3)):
            data = jpeg(pixels_of(shape, "steps", 3))
            assert taken(data)
            assert image_facts(data) == by_opencv(data)


PICTURE = pixels_of((140, 151, 3), "steps", 7)
WHOLE = jpeg(PICTURE)


def with_pillow(mode: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PICTURE).convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


OTHERS = {
    "progressive": jpeg(PICTURE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "of tall blocks": jpeg(PICTURE, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440),
    "of wide blocks": jpeg(PICTURE, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
    "of four inks": with_pillow("CMYK"),
    "red, green and blue": with_pillow("RGB", keep_rgb=True),
    "cut off": WHOLE[:-500],
    "cut off, and ended": WHOLE[:-500] + b"\xff\xd9",
    "with broken codes": WHOLE[:-400] + bytes(200) + WHOLE[-200:],
    "with something between its segments": WHOLE[:20] + b"\0\0\0" + WHOLE[20:],
    "with something behind it": WHOLE + b"\0",
    "of no rows": WHOLE.replace((140).to_bytes(2, "big") + (151).to_bytes(2, "big"), bytes(4)),
    "nothing but its beginning": WHOLE[:4],
    "nothing but headers": WHOLE[:200] + b"\xff\xd9",
    "a PNG": cv2.imencode(".png", PICTURE)[1].tobytes(),
    "empty": b"",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_others_are_left_to_opencv(kind: str) -> None:
    with decoding():
        assert not taken(OTHERS[kind])
        assert image_facts(OTHERS[kind]) == by_opencv(OTHERS[kind])


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, len(WHOLE) - 1), value=st.integers(0, 255), length=st.integers(1, 3))
def test_a_damaged_file_is_what_it_is_to_opencv(at: int, value: int, length: int) -> None:
    data = WHOLE[:at] + bytes([value] * length) + WHOLE[at + length :]
    with decoding():
        assert image_facts(data) == by_opencv(data)


@settings(max_examples=80, deadline=None)
@given(
    side=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    contrast=st.sampled_from([0.0, 0.5, 1.0, 2.0, 4.0, 60.0]),
    smooth=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_hash_that_is_told_is_the_hash(side: tuple[int, int], contrast: float, smooth: bool, seed: int) -> None:
    values = np.random.default_rng(seed).normal(120, contrast, (5, 5) if smooth else side)
    pixels = np.clip(cv2.resize(values, side[::-1]), 0, 255).astype(np.uint8)
    found = native_jpeg.native_jpeg(jpeg(pixels), MANY)
    assert found is not None
    law = perceptual_hash(np.frombuffer(found.thumbnail, dtype=np.uint8).reshape(32, 32, 3))
    assert found.told == 0 or law == (found.perceptual_hash if found.told == native_jpeg.HASH_TOLD else None)


def test_most_hashes_are_told_but_for_a_tie() -> None:
    generator = np.random.default_rng(0)
    told = [native_jpeg.native_jpeg(jpeg(generator.integers(0, 256, (60, 70, 3))), MANY) for _ in range(50)]
    assert sum(found is not None and found.told == native_jpeg.HASH_TOLD for found in told) > 35
    flat = native_jpeg.native_jpeg(jpeg(np.full((60, 70, 3), 200)), MANY)
    assert flat is not None
    assert flat.told == 1
    # Nothing but horizontal frequencies: most coefficients are 0, and which is the median is a matter of rounding.
    tied = native_jpeg.native_jpeg(jpeg(np.tile(np.arange(0, 250, 4), (60, 1))), MANY)
    assert tied is not None
    assert tied.told == 0


def test_a_larger_picture_than_is_wanted_is_left_alone() -> None:
    assert taken(WHOLE, 140 * 151)
    assert not taken(WHOLE, 140 * 151 - 1)


@pytest.mark.parametrize("trouble", ["another make", "another interface", "no file", "no symbols", "other pictures"])
def test_without_its_decoder_facts_are_the_same(trouble: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from PIL import features

    if trouble == "another make":
        monkeypatch.setattr(features, "check_feature", lambda name: False)
    elif trouble == "another interface":
        monkeypatch.setattr(features, "version", lambda name: "8.0")
    elif trouble == "no file":
        monkeypatch.setattr(native_jpeg, "_decoder", lambda: tmp_path / "libjpeg.so.62")
    elif trouble == "no symbols":
        monkeypatch.setattr(native_jpeg, "_decoder", lambda: native_measure.LIBRARY)
    else:
        of_another = native_jpeg.NativeJpeg(1, 1, "L", (0,), (0,), bytes(3_072), 0, 0)
        monkeypatch.setattr(native_jpeg, "_compiled", lambda path, decoder: lambda data, most: of_another)
    monkeypatch.setattr(native_jpeg, "_ready", native_jpeg._ready.__wrapped__)
    with decoding():
        assert not taken(WHOLE)
        assert image_facts(WHOLE) == by_opencv(WHOLE)

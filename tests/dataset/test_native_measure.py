"""`measure.c` finds what OpenCV and numpy find, bit for bit, and is done without where it is not there."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataguard.dataset import measure as module
from dataguard.dataset import native_measure
from dataguard.dataset.decode import decoding, image_facts
from dataguard.dataset.measure import Measured, Reduced, reduced, thumbnails
from tests.dataset.compiled import SOURCE, build_hook, compiled_library, compiler, library_with

ORDERS: dict[int, list[tuple[int, ...]]] = {
    1: [(0,)],
    2: [(0, 1)],
    3: [(2, 1, 0), (0, 1, 2)],
    4: [(2, 1, 0, 3), (0, 1, 2, 3), (0, 3)],
}


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_measure, "LIBRARY", compiled_library())


BITS = [128, 256]
"""Of vectors: other processors' than the one that runs the tests, whose are tried by all the others."""


def same(pixels: NDArray[np.uint8], order: tuple[int, ...]) -> None:
    found = native_measure.native_measure(pixels, order)
    law = module._reduced(pixels, order)
    assert found == (law.sums, law.squares, thumbnails([law]).tobytes())


def pixels_of(shape: tuple[int, ...], look: str, seed: int) -> NDArray[np.uint8]:
    if look == "noise":
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    if look == "white":
        return np.full(shape, 255, dtype=np.uint8)
    # Neighbours a step or two apart: means that lie on the border of two values.
    steps = np.add.outer(np.arange(shape[0]), np.arange(shape[1]) * (seed % 5)).reshape(*shape[:2], 1)
    return np.ascontiguousarray(
        np.broadcast_to((steps % 256).astype(np.uint8), (*shape[:2], (*shape, 1)[2])).reshape(shape)
    )


@settings(max_examples=150, deadline=None)
@given(
    side=st.tuples(*[st.one_of(st.integers(1, 40), st.integers(120, 136), st.integers(250, 262))] * 2),
    channels=st.integers(1, 4),
    which=st.integers(0, 2),
    look=st.sampled_from(["noise", "white", "steps"]),
    seed=st.integers(0, 2**32 - 1),
)
@example(side=(1, 1), channels=3, which=0, look="noise", seed=0)
@example(side=(257, 1_027), channels=3, which=0, look="noise", seed=1)
@example(side=(515, 513), channels=4, which=2, look="white", seed=0)
@example(side=(1, 32_768), channels=1, which=0, look="noise", seed=2)
@example(side=(32_768, 2), channels=3, which=1, look="noise", seed=3)
def test_both_ways_find_the_same_bits(side: tuple[int, int], channels: int, which: int, look: str, seed: int) -> None:
    orders = ORDERS[channels]
    shape = side if channels == 1 and which else (*side, channels)
    same(pixels_of(shape, look, seed), orders[which % len(orders)])


@pytest.mark.slow
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_other_processors_find_the_same_bits(bits: int, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_measure, "LIBRARY", library_with(f"-DMOST_BITS={bits}"))
    for shape in ((1, 1), (33, 7), (129, 130), (140, 128), (257, 517), (131, 1_027)):
        for look in ("noise", "white", "steps"):
            same(pixels_of((*shape, channels), look, bits + channels), ORDERS[channels][-1])


def test_the_larger_pictures_of_a_camera() -> None:
    same(pixels_of((1_201, 1_603, 3), "noise", 4), (2, 1, 0))


def test_read_only_pixels_will_do() -> None:
    pixels = pixels_of((150, 201, 3), "noise", 5)
    pixels.setflags(write=False)
    same(pixels, (2, 1, 0))


@pytest.mark.parametrize(
    ("height", "width", "dtype", "kind"),
    [
        (200, 300, np.uint8, Measured),
        (3, 32_768, np.uint8, Measured),
        (3, 32_769, np.uint8, Reduced),
        (130, 65_535, np.uint8, Measured),
        (200, 300, np.uint16, Reduced),
    ],
)
def test_what_it_does_not_know_goes_the_other_way(height: int, width: int, dtype: Any, kind: type) -> None:
    assert type(reduced(np.zeros((height, width), dtype=dtype), (0,))) is kind


def test_without_the_library_facts_are_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import cv2

    files = [
        cv2.imencode(suffix, pixels_of(shape, "noise", 6))[1].tobytes()
        for suffix in (".jpg", ".png")
        for shape in ((40, 30, 3), (150, 131, 3), (140, 200))
    ]
    with decoding():
        compiled = [image_facts(data) for data in files]
        monkeypatch.setattr(native_measure, "LIBRARY", tmp_path / "libmeasure.so")
        assert native_measure.native_measure(np.zeros((2, 2), dtype=np.uint8), (0,)) is None
        assert [image_facts(data) for data in files] == compiled
    assert all(found.thumbnail for found in compiled)


def test_a_library_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "measure.c"
    other.write_text("int dataguard_measure_version(void) { return 0; } int dataguard_measure;", encoding="utf-8")
    assert build_hook().compile_library(other, tmp_path / "libmeasure.so") == ""
    monkeypatch.setattr(native_measure, "LIBRARY", tmp_path / "libmeasure.so")
    assert native_measure.native_measure(np.zeros((2, 2), dtype=np.uint8), (0,)) is None


def test_what_is_no_library_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libmeasure.so").write_bytes(b"\x7fELF, but for that")
    monkeypatch.setattr(native_measure, "LIBRARY", tmp_path / "libmeasure.so")
    assert native_measure.native_measure(np.zeros((2, 2), dtype=np.uint8), (0,)) is None


def test_no_room_is_a_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_measure, "_compiled", lambda path: lambda *given: 1)
    with pytest.raises(MemoryError):
        native_measure.native_measure(np.zeros((2, 2), dtype=np.uint8), (0,))


def test_the_compiler_has_nothing_to_say_of_it() -> None:
    options = "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"
    done = subprocess.run([compiler(), *options, SOURCE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("bits", [*BITS, 512])
def test_it_stays_within_its_memory(bits: int, tmp_path: Path) -> None:
    """Every size around those at which it does something else, under the sanitizers."""
    driver = tmp_path / "driver.c"
    driver.write_text(
        """
        #include <stdint.h>
        #include <stdlib.h>
        int dataguard_measure(const uint8_t *, size_t, size_t, size_t, const uint8_t *, void *);
        int main(void)
        {
            static const uint8_t order[3];
            static const size_t sides[] = {1, 2, 31, 33, 127, 128, 129, 255, 257, 511, 512, 513, 1025};
            for (int i = 0; i < 13; i++)
                for (int j = 0; j < 13; j++)
                    for (size_t channels = 1; channels <= 4; channels++) {
                        size_t n = sides[i] * sides[j] * channels;
                        uint8_t *pixels = malloc(n), *found = malloc(64 + 3072);
                        for (size_t k = 0; k < n; k++)
                            pixels[k] = (uint8_t)(k * 7);
                        if (dataguard_measure(pixels, sides[i], sides[j], channels, order, found))
                            return 1;
                        free(pixels);
                        free(found);
                    }
            return 0;
        }
        """,
        encoding="utf-8",
    )
    program = tmp_path / "driver"
    sanitizers = "-fsanitize=address,undefined", "-fno-sanitize-recover=all"
    built = subprocess.run(
        [compiler(), "-O1", "-g", f"-DMOST_BITS={bits}", *sanitizers, "-o", program, driver, SOURCE],
        capture_output=True,
        text=True,
    )
    if built.returncode:
        pytest.skip(f"this compiler has no sanitizers: {built.stderr[-200:]}")
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

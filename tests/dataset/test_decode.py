from __future__ import annotations

import gc
import io
import os
import struct
import sys
import warnings
import zlib
from functools import partial
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dataguard.core import freezing
from dataguard.dataset.decode import ImageFacts, decoding, image_facts


def colours(height: int = 60, width: int = 80) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([(3 * x) % 256, (4 * y) % 256, (x * y) % 256], axis=-1).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def facts(data: bytes, **options: Any) -> ImageFacts:
    with decoding():
        return image_facts(data, **options)


def check(data: bytes, kind: str, mode: str, pixels: NDArray[Any]) -> ImageFacts:
    """The facts agree with sums computed from the pixels in the plainest way."""
    found = facts(data)
    flat = pixels.reshape(pixels.shape[0] * pixels.shape[1], -1).astype(object)
    assert (found.format, found.mode, found.decode_error) == (kind, mode, None)
    assert (found.height, found.width) == pixels.shape[:2]
    assert found.channel_sums == tuple(flat.sum(axis=0))
    assert found.channel_square_sums == tuple((flat * flat).sum(axis=0))
    assert found.thumbnail is not None
    assert len(found.thumbnail) == 32 * 32 * 3
    return found


PNG = encoded(Image.fromarray(colours()), "png")
JPEG = encoded(Image.fromarray(colours(200, 300)), "jpeg", quality=90)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("png", "RGB"),
        ("png", "RGBA"),
        ("png", "L"),
        ("png", "LA"),
        ("bmp", "RGB"),
        ("tiff", "RGB"),
        ("tiff", "LA"),
        ("webp", "RGB"),
        ("jpeg2000", "RGB"),
    ],
)
def test_lossless_formats_give_the_pixels_that_went_in(kind: str, mode: str) -> None:
    image = Image.fromarray(colours()).convert(mode)
    options = {"lossless": True} if kind == "webp" else {}
    check(encoded(image, kind, **options), kind, mode, np.asarray(image))


def test_jpeg_agrees_with_pillow_in_colour_and_in_gray() -> None:
    for image, mode in ((Image.fromarray(colours()), "RGB"), (Image.fromarray(colours()).convert("L"), "L")):
        data = encoded(image, "jpeg")
        check(data, "jpeg", mode, np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_progressive_jpegs(subsampling: int) -> None:
    data = encoded(Image.fromarray(colours()), "jpeg", progressive=True, subsampling=subsampling)
    check(data, "jpeg", "RGB", np.asarray(Image.open(io.BytesIO(data))))


def test_16_bit_gray_and_colour() -> None:
    gray = (np.arange(60 * 80).reshape(60, 80) * 13).astype(np.uint16)
    colour = np.stack([gray, gray[::-1], gray[:, ::-1]], axis=-1)
    for pixels, mode in ((gray, "L;16"), (colour, "RGB;16")):
        stored = pixels[..., ::-1] if pixels.ndim == 3 else pixels
        check(cv2.imencode(".png", np.ascontiguousarray(stored))[1].tobytes(), "png", mode, pixels)
    check(encoded(Image.fromarray(gray), "tiff"), "tiff", "L;16", gray)


def test_palettes_become_colours() -> None:
    image = Image.fromarray(colours()).quantize(16)
    check(encoded(image, "png"), "png", "RGB", np.asarray(image.convert("RGB")))
    check(encoded(image, "gif"), "gif", "RGB", np.asarray(image.convert("RGB")))
    transparent = encoded(image, "png", transparency=3)
    check(transparent, "png", "RGBA", np.asarray(Image.open(io.BytesIO(transparent)).convert("RGBA")))


def test_black_and_white_becomes_gray() -> None:
    image = Image.fromarray(colours()).convert("1")
    check(encoded(image, "png"), "png", "L", np.asarray(image.convert("L")))


def test_cmyk_jpegs_become_colours() -> None:
    image = Image.fromarray(colours()).convert("CMYK")
    data = encoded(image, "jpeg")
    check(data, "jpeg", "RGB", np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_the_first_picture_of_an_animation_counts() -> None:
    first, second = Image.fromarray(colours()).quantize(64), Image.new("P", (80, 60))
    data = encoded(first, "gif", save_all=True, append_images=[second])
    check(data, "gif", "RGB", np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_exif_rotation_is_not_applied() -> None:
    image = Image.fromarray(colours(40, 90))
    exif = Image.Exif()
    exif[0x0112] = 6
    found = facts(encoded(image, "jpeg", exif=exif))
    assert (found.width, found.height) == (90, 40)
    plain = facts(encoded(image, "jpeg"))
    assert found.channel_sums == plain.channel_sums


def test_floats_and_wide_integers_are_read_and_not_measured() -> None:
    for pixels, mode in ((np.full((4, 5), 0.5, np.float32), "F"), (np.full((4, 5), -7, np.int32), "I")):
        found = facts(encoded(Image.fromarray(pixels), "tiff"))
        assert (found.mode, found.width, found.decode_error) == (mode, 5, None)
        assert found.channel_sums is None
        assert found.thumbnail is None


def test_the_suffix_does_not_matter_and_garbage_behind_the_end_does_no_harm() -> None:
    assert facts(JPEG + b"\x00" * 100).decode_error is None
    assert facts(PNG + b"more").channel_sums == facts(PNG).channel_sums


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"hello, I am a text\n" * 50, "not an image: the file holds text"),
        (b"<!DOCTYPE html><html>404 Not Found</html>", "not an image: the file holds HTML"),
        (b"\x00" * 5000, "not an image: it begins with zeros"),
        (b"\x93\xff\xfe\x01" * 64, "not an image in any known format"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "a Git LFS pointer"),
        (b"\xff\xd8\xff", "JPEG"),
        (PNG[:20], "truncated"),
        (JPEG[: len(JPEG) // 2], "truncated"),
        (JPEG[:-2], "truncated"),
        (PNG[: len(PNG) // 2], "truncated"),
        (b"GIF89a" + b"\x01" * 20, "begins as a GIF file does, and is none"),
    ],
)
def test_what_cannot_be_decoded_says_why(data: bytes, words: str) -> None:
    found = facts(data)
    assert found.decode_error is not None
    assert words in found.decode_error
    assert found.channel_sums is None
    assert found.thumbnail is None


def test_a_flipped_bit_in_a_png_is_found_by_its_checksum() -> None:
    data = bytearray(PNG)
    data[len(data) // 2] ^= 0x10
    assert "fails its checksum" in (facts(bytes(data)).decode_error or "")


def test_a_jpeg_with_a_hole_is_found_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    holed = JPEG[: len(JPEG) // 2] + b"\xff\xd9"
    found = facts(holed)
    assert found.decode_error == "part of the picture is lost: Corrupt JPEG data: premature end of data segment"
    assert (found.width, found.height) == (300, 200)
    facts(PNG[:-30])
    captured = capfd.readouterr()
    assert captured.err == captured.out == ""


def test_stderr_is_as_it_was_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    facts(JPEG)
    cv2.imdecode(np.frombuffer(JPEG[: len(JPEG) // 2] + b"\xff\xd9", np.uint8), cv2.IMREAD_UNCHANGED)
    os.write(2, b"|written to the descriptor")
    error = capfd.readouterr().err
    assert "premature end" in error
    assert error.endswith("|written to the descriptor")


def test_the_decoders_settings_are_restored() -> None:
    before = (cv2.getNumThreads(), Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    with pytest.raises(KeyboardInterrupt), decoding():
        raise KeyboardInterrupt
    assert (cv2.getNumThreads(), Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\x00" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_a_decompression_bomb_is_not_decoded() -> None:
    found = facts(bomb(60_000, 60_000))
    assert (found.width, found.height) == (60_000, 60_000)
    assert "60,000×60,000 = 3,600,000,000 pixels, above the limit of 178,956,970" in (found.decode_error or "")


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "tiff", "webp"])
def test_the_limit_on_pixels_holds_for_every_format(kind: str) -> None:
    data = encoded(Image.fromarray(colours()), kind)
    assert "above the limit of 4,799" in (facts(data, max_pixels=60 * 80 - 1).decode_error or "")
    assert facts(data, max_pixels=60 * 80).decode_error is None


def test_the_interpreter_is_as_it_was_when_all_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    interval = sys.getswitchinterval()
    done: list[str] = []
    for name in ("freeze", "unfreeze"):
        monkeypatch.setattr(gc, name, partial(done.append, name))
    monkeypatch.setattr(gc, "get_freeze_count", lambda: 0)
    monkeypatch.setattr(freezing, "_theirs", False)
    with decoding():
        assert sys.getswitchinterval() < interval
        with decoding():
            assert done == ["freeze"]
        assert done == ["freeze"]
    assert sys.getswitchinterval() == interval
    assert done == ["freeze", "unfreeze"]
    # What somebody else has frozen stays so.
    monkeypatch.setattr(gc, "get_freeze_count", lambda: 1)
    with decoding():
        pass
    assert done == ["freeze", "unfreeze"]

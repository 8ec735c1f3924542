from __future__ import annotations

import base64
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dataguard.core.paths import encode_path
from dataguard.formats.pictures import MAX_PIXELS, SIDE, Album, Embedded, NotShown, embed, embed_png


def shown(folder: Path, name: str) -> Embedded:
    made = embed(folder, name)
    assert isinstance(made, Embedded), made
    return made


def refused(folder: Path, name: str) -> str:
    made = embed(folder, name)
    assert isinstance(made, NotShown)
    return made.reason


def decoded(made: Embedded) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(made.uri.partition(",")[2])))


def pixels_of(made: Embedded) -> NDArray[Any]:
    return np.asarray(decoded(made))


def test_a_small_picture_keeps_its_pixels(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    Image.fromarray(pixels).save(tmp_path / "a.png")
    made = shown(tmp_path, "a.png")
    assert made.pixelated
    assert (made.width, made.height) == (8, 8)
    assert made.uri.startswith("data:image/png;base64,")
    assert np.array_equal(pixels_of(made), pixels)


def test_a_large_picture_is_averaged_over_areas(tmp_path: Path) -> None:
    # Stripes of one pixel: their mean is gray, while taking one pixel of many would give black or white.
    pixels = np.zeros((1024, 2048), dtype=np.uint8)
    pixels[:, ::2] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    made = shown(tmp_path, "a.png")
    assert (made.width, made.height) == (2048, 1024)
    assert not made.pixelated
    small = pixels_of(made)
    assert small.shape == (SIDE // 2, SIDE)
    assert np.abs(small.astype(int) - 128).max() <= 2


def test_a_photograph_becomes_a_small_jpeg(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg", quality=95)
    made = shown(tmp_path, "a.jpg")
    assert made.uri.startswith("data:image/jpeg;base64,")
    assert decoded(made).size == (SIDE, SIDE * 3 // 4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_mode_can_be_shown(tmp_path: Path, mode: str) -> None:
    suffix = "tif" if mode in ("CMYK", "I", "F") else "png"
    ramp = np.linspace(0, 255, 100 * 100).reshape(100, 100)
    if mode in ("I;16", "I", "F"):
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        image = Image.fromarray((ramp * 200).astype(kind))
    else:
        image = Image.fromarray(ramp.astype(np.uint8)).convert(mode)
    assert image.mode == mode
    image.save(tmp_path / f"a.{suffix}")
    made = shown(tmp_path, f"a.{suffix}")
    assert pixels_of(made).max() > 200
    assert pixels_of(made)[0, 0].max() <= 255
    assert made.note == ("contrast stretched to 8 bits" if mode in ("I;16", "I", "F") else "")


def test_the_camera_s_orientation_is_applied_and_nothing_else_of_its_metadata_kept(tmp_path: Path) -> None:
    pixels = np.zeros((20, 40, 3), dtype=np.uint8)
    pixels[:, :10] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "A maker of cameras"
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0, comment=b"secret place")
    made = shown(tmp_path, "a.jpg")
    assert (made.width, made.height) == (20, 40)
    assert pixels_of(made)[:8].min() > 240
    assert pixels_of(made)[12:].max() < 16
    raw = base64.b64decode(made.uri.partition(",")[2])
    assert b"maker" not in raw
    assert b"secret" not in raw


def test_transparency_survives(tmp_path: Path) -> None:
    Image.new("RGBA", (300, 300), (255, 0, 0, 128)).save(tmp_path / "a.png")
    assert pixels_of(shown(tmp_path, "a.png"))[0, 0].tolist() == [255, 0, 0, 128]


def test_what_cannot_be_shown_says_why(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (99, 99), dtype=np.uint8)).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert refused(tmp_path, "gone.png") == "the file is not there any more"
    assert refused(tmp_path, "cut.png").startswith("damaged: ")
    assert refused(tmp_path, "text.jpg") == "not an image that can be decoded"
    assert refused(tmp_path, "empty.png") == "not an image that can be decoded"
    assert refused(tmp_path, "folder.png") == "Is a directory"
    assert refused(tmp_path, "pipe.png") == "not a file"
    assert "symbolic links" in refused(tmp_path, "loop.png")
    assert refused(tmp_path, "null\x00byte.png")
    assert refused(tmp_path, "a" * 5000) == "File name too long"


def test_a_decompression_bomb_is_not_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for name, side in (("large.png", 10_000), ("huge.png", 60_000)):
        assert side * side > MAX_PIXELS
        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        (tmp_path / name).write_bytes(
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        )
        assert f"more than {MAX_PIXELS:,} pixels" in refused(tmp_path, name)


def test_names_that_are_not_utf8_are_found(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        path.mkdir()
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    Image.new("L", (4, 4)).save(Path(os.fsdecode(os.fsencode(path) + b"/\xff.png")))
    assert isinstance(Album(encode_path(str(path)), budget=10_000).picture(encode_path("\udcff.png")), Embedded)


def test_an_album_spends_its_budget_and_counts_the_rest(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    size = len(shown(tmp_path, "a.png").uri)
    album = Album(str(tmp_path), budget=2 * size + 1)
    made = [album.picture("a.png") for _ in range(5)]
    assert [isinstance(item, Embedded) for item in made] == [True, True, False, False, False]
    assert album.n_left_out == 3
    assert album.picture(None) == NotShown(reason="this sample has no picture")
    assert album.n_left_out == 3


def test_a_picture_in_the_report_itself_is_shown_within_the_budget() -> None:
    png = io.BytesIO()
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    Image.fromarray(pixels).save(png, "PNG")
    text = base64.b64encode(png.getvalue()).decode()
    made = Album("/nowhere", budget=10_000).inline(text)
    assert isinstance(made, Embedded)
    assert np.array_equal(pixels_of(made), pixels)
    small = Album("/nowhere", budget=10)
    assert isinstance(small.inline(text), NotShown)
    assert isinstance(small.inline(text), NotShown)
    assert small.n_left_out == 2


@pytest.mark.parametrize("text", ["", "no base64!", base64.b64encode(b"GIF89a").decode(), "data:image/png;base64,"])
def test_what_is_no_png_is_refused(text: str) -> None:
    assert isinstance(embed_png(text), NotShown)


@pytest.mark.parametrize(
    "name", ["../secret.png", "link.png", "folder/secret.png", "{outside}/secret.png", "a\\x00.png"]
)
def test_a_confined_album_reads_nothing_outside_its_root(name: str, tmp_path: Path) -> None:
    from PIL import Image

    root = tmp_path / "data"
    root.mkdir()
    for path in (tmp_path / "secret.png", root / "inside.png"):
        Image.new("L", (4, 4), 9).save(path)
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "folder").symlink_to(tmp_path)
    (root / "other.png").symlink_to(root / "inside.png")
    album = Album(encode_path(str(root)), budget=10_000, confined=True)
    assert isinstance(album.picture(name.format(outside=tmp_path)), NotShown)
    assert isinstance(album.picture("inside.png"), Embedded)
    # A link that stays below the root is no way out.
    assert isinstance(album.picture("other.png"), Embedded)
    assert isinstance(Album("/", budget=10_000, confined=True).picture(str(root / "inside.png")[1:]), NotShown)

"""Headers of image files are read as far as they go, and no further."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataguard.inputs.file_facts import collected, header_facts

PIXELS = (np.random.default_rng(0).random((24, 32, 3)) * 255).astype(np.uint8)


@pytest.mark.parametrize("quality", [10, 50, 75, 90, 95])
def test_the_quality_of_a_jpeg_is_read_back(tmp_path: Path, quality: int) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", quality=quality, subsampling=2)
    facts = header_facts(tmp_path / "a.jpg")
    assert facts is not None
    assert facts["JPEG quality"] == pytest.approx(quality, abs=1)
    assert facts["format"] == "JPEG"
    assert facts["color mode"] == "RGB"
    assert facts["JPEG chroma sampling"] == "2x2"
    assert facts["progressive"] == "no"


def test_camera_software_orientation_and_time_come_from_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[271], exif[272], exif[305], exif[274], exif[306] = "Maker\0", "Model 1", "Editor 2", 6, "2024:02:03 04:05:06"
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=exif, progressive=True)
    facts = header_facts(tmp_path / "a.jpg")
    assert facts is not None
    assert (facts["camera"], facts["software"], facts["orientation"]) == ("Maker Model 1", "Editor 2", 6)
    assert facts["capture time"] == 1706933106  # 2024-02-03 04:05:06 UTC
    assert facts["progressive"] == "yes"


def test_a_date_that_is_none_is_left_out(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[306] = "0000:00:00 00:00:00"
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=exif)
    facts = header_facts(tmp_path / "a.jpg")
    assert facts is not None
    assert "capture time" not in facts


def test_other_formats_and_modes_are_named(tmp_path: Path) -> None:
    Image.fromarray(PIXELS[..., 0]).save(tmp_path / "a.png")
    facts = header_facts(tmp_path / "a.png")
    assert facts is not None
    assert (facts["format"], facts["color mode"], facts["color profile"]) == ("PNG", "L", "no")
    assert "JPEG quality" not in facts


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe1\xff\xffExif\0\0II*\0"])
def test_a_damaged_or_missing_file_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    assert header_facts(tmp_path / "a.jpg") is None
    assert header_facts(tmp_path / "b.jpg") is None


def test_facts_are_collected_by_name_with_gaps() -> None:
    made = collected(np.array([2, 5, 7]), [{"format": "PNG"}, None, {"format": "JPEG", "JPEG quality": 80.0}], 9)
    assert made.names == {"format": ("PNG", None, "JPEG")}
    assert np.isnan(made.numbers["JPEG quality"]).tolist() == [True, True, False]
    assert (made.unreadable, made.n_files) == (1, 9)

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataguard.environment.bundled import (
    BundledLibrary,
    DecodingLibraries,
    bundled_libraries,
    read_only_data,
    versions_in,
)
from dataguard.environment.installed import InstalledEnvironment, installed


def elf(rodata: bytes) -> bytes:
    """A 64-bit ELF file that has nothing but read-only data."""
    names = b"\0.rodata\0.shstrtab\0"
    body = rodata + names
    table = 64 + len(body)
    header = b"\x7fELF\x02\x01" + bytes(34) + struct.pack("<Q", table) + bytes(10) + struct.pack("<3H", 64, 3, 2)
    places = ((0, 0, 0), (1, 64, len(rodata)), (9, 64 + len(rodata), len(names)))
    sections = b"".join(struct.pack("<IIQQQQ", name, 1, 0, 0, at, size) + bytes(24) for name, at, size in places)
    return header + body + sections


def environment(folder: Path) -> InstalledEnvironment:
    return InstalledEnvironment(root=str(folder), folders=(str(folder),), python="", distributions=())


def test_versions_of_the_wheels_here_are_those_that_pillow_and_opencv_name() -> None:
    import cv2
    from PIL import features

    found = {(item.carrier, item.name): item.version for item in bundled_libraries(installed())}
    assert found["pillow", "libjpeg-turbo"] == features.version("libjpeg_turbo")
    assert found["pillow", "libtiff"] == features.version("libtiff")
    assert f"build-libjpeg-turbo (ver {found['cv2', 'libjpeg-turbo']}" in cv2.getBuildInformation()


def test_the_two_families_of_libjpeg_are_told_apart(tmp_path: Path) -> None:
    for folder, text in (
        ("Pillow.libs", b"\x009d  12-Jan-2020\0"),
        ("torchvision.libs", b"6b  27-Mar-1998\0libjpeg-turbo version 3.1.3 (build)\0"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "libjpeg-183418da.so.9.4.0").write_bytes(elf(text))
    found = DecodingLibraries(bundled=bundled_libraries(environment(tmp_path)), system=())
    assert [(item.name, item.version) for item in found.of("pillow", "libjpeg", "libjpeg-turbo")] == [("libjpeg", "9d")]
    assert found.of("torchvision", "libjpeg-turbo")[0].version == "3.1.3"
    assert found.of("torchvision", "libjpeg") == ()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"libpng version 1.6.43\0", [("libpng", "1.6.43")]),
        (b"\0 inflate 1.2.13 Copyright 1995", [("zlib", "1.2.13")]),
        (b"x\x001.3.1.zlib-ng\0 inflate 1.3.1 Copyright", [("zlib-ng", "1.3.1")]),
        (b"LIBTIFF, Version 4.5.0\n", [("libtiff", "4.5.0")]),
        (b"OpenBLAS 0.3.31.188.0  USE64BITINT", [("OpenBLAS", "0.3.31.188.0")]),
        (
            b"oneDNN v%d.%d.%d (commit %s)\0\0" + b"80afa71049cd69a3df32adcccb623b12cd7baa22\0",
            [("oneDNN", "80afa71049cd69a3df32adcccb623b12cd7baa22")],
        ),
        (b"in 199d  12-Jan-2020 was", []),
        (b"", []),
    ],
)
def test_marks_of_libraries(data: bytes, expected: list[tuple[str, str]]) -> None:
    assert versions_in(data) == expected


@given(st.binary(max_size=300))
def test_no_bytes_crash_it(data: bytes) -> None:
    assert isinstance(versions_in(data), list)


@given(st.binary(max_size=200), st.integers(0, 250), st.integers(0, 255))
def test_a_damaged_library_is_no_crash(data: bytes, at: int, value: int) -> None:
    import tempfile

    damaged = bytearray(elf(b"libpng version 1.6.43\0"))
    damaged[at % len(damaged)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "libx.so"
        for content in (bytes(damaged), b"\x7fELF\x02\x01" + data):
            path.write_bytes(content)
            assert isinstance(read_only_data(path), bytes)


def test_only_the_read_only_data_of_a_library_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(elf(b"libpng version 1.6.43\0"))
    assert read_only_data(tmp_path / "x.so") == b"libpng version 1.6.43\0"
    assert read_only_data(tmp_path / "missing.so") == b""
    assert read_only_data(tmp_path) == b""
    library = BundledLibrary(name="libpng", version="1", carrier="cv2", file="x")
    assert DecodingLibraries(bundled=(library,), system=()).of("cv2", "libpng") == (library,)

"""The libraries behind the packages that touch pixels or arithmetic, by the versions that their files name.

A wheel carries libraries of its own (``pillow.libs/libjpeg-….so``), and which ones no list of packages says: the same
version built from source uses the system's. They are read out of the files' read-only data; nothing is loaded.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dataguard.environment.installed import InstalledEnvironment

_MOST_BYTES = 64 * 1024 * 1024
"""The read-only data of libtorch_cpu has 23 MB, that of libtensorflow some 60 MB."""
_MOST_FILES = 400
_CARRIERS = ("*.libs", "*/.dylibs", "*/.libs")
_MODULES = (
    "PIL/_imaging.*.so",
    "PIL/_imaging.so",
    "cv2/cv2*.so",
    "cv2/python-3*/cv2*.so",
    "torch/lib/libtorch_cpu.so",
    "torch/lib/libjpeg*",
    "torchvision/image.so",
    "tensorflow/libtensorflow_cc.so*",
    "tensorflow/python/_pywrap_tensorflow_internal.so",
    "simplejpeg/_jpeg*.so",
    "turbojpeg*.so",
    "mkl/lib/libmkl_core.so*",
)
_TELLING = re.compile(r"lib(turbo)?(jpeg|png|z|tiff|mkl_core|mkl_rt|dnnl|openblas|scipy_openblas|cblas|blis|webp)[^/]*")
_SYSTEM_FOLDERS = (
    "/usr/lib/{machine}-linux-gnu",
    "/lib/{machine}-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BundledLibrary:
    """One library that decodes, resizes or calculates."""

    name: str
    """'libjpeg-turbo', 'libjpeg' (of the IJG, whose pixels differ), 'libpng', 'zlib', 'zlib-ng', 'OpenBLAS', …"""
    version: str
    """As the file names it."""
    carrier: str
    """What it came in: 'pillow', 'cv2', 'torch', …; 'environment' for conda's, 'system' for the system's."""
    file: str
    """The file's path: relative to ``site-packages``, or absolute for one of the system's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodingLibraries:
    """What decodes and calculates below the packages of an environment."""

    bundled: tuple[BundledLibrary, ...]
    """What packages carry."""
    system: tuple[BundledLibrary, ...]
    """What the system has."""

    def of(self, carrier: str, *names: str) -> tuple[BundledLibrary, ...]:
        """What one package carries, of these libraries."""
        return tuple(item for item in self.bundled if item.carrier == carrier and item.name in names)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mark:
    """How a library shows in a file."""

    name: str
    anchor: bytes
    """What is searched for; regular expressions that begin with a class of characters are slow."""
    pattern: re.Pattern[bytes]
    """Matched from ``before`` bytes in front of the anchor."""
    before: int = 0


_MARKS = (
    _Mark(
        name="libjpeg-turbo",
        anchor=b"libjpeg-turbo version ",
        pattern=re.compile(rb"libjpeg-turbo version (\d[\w.]*)"),
    ),
    _Mark(
        name="libjpeg-turbo",
        anchor=b"build-libjpeg-turbo (ver ",
        pattern=re.compile(rb"build-libjpeg-turbo \(ver (\d[\w.]*)"),
    ),
    _Mark(name="libpng", anchor=b"libpng version ", pattern=re.compile(rb"libpng version (\d[\d.]*\d)")),
    _Mark(name="zlib-ng", anchor=b".zlib-ng", pattern=re.compile(rb".{0,12}?(\d+(?:\.\d+)+)\.zlib-ng"), before=12),
    _Mark(name="zlib", anchor=b" inflate ", pattern=re.compile(rb" inflate (\d[\d.]*\d) Copyright")),
    _Mark(name="libtiff", anchor=b"LIBTIFF, Version ", pattern=re.compile(rb"LIBTIFF, Version (\d[\d.]*\d)")),
    _Mark(name="OpenBLAS", anchor=b"OpenBLAS ", pattern=re.compile(rb"OpenBLAS (\d+\.\d+[\d.]*)")),
    _Mark(name="oneDNN", anchor=b"oneDNN v", pattern=re.compile(rb"oneDNN v[^\0]*\0{1,16}([0-9a-f]{40})\0")),
    _Mark(
        name="MKL",
        anchor=b"Intel(R) oneAPI Math Kernel Library Version",
        pattern=re.compile(rb".{0,40}?Product\0+(20\d{6})\0", re.DOTALL),
        before=40,
    ),
)
# The IJG's own library names its version and day; libjpeg-turbo names the version that it stands in for (6b, 7, 8d).
_IJG = re.compile(rb"(?<![0-9])((?:6b|7|8[a-d]?|9[a-f]?|10[a-d]?))  \d{1,2}-[A-Z][a-z]{2}-(?:19|20)\d\d\0")


def bundled_libraries(environment: InstalledEnvironment) -> tuple[BundledLibrary, ...]:
    """The libraries that the packages of an environment carry, and those that lie in the environment itself (conda)."""
    found: set[BundledLibrary] = set()
    for location in environment.folders:
        for path in _candidates(Path(location)):
            relative = path.relative_to(location).as_posix()
            carrier = _carrier(relative.split("/", 1)[0])
            found |= set(_libraries(path, carrier, relative))
    prefix = Path(environment.root)
    if (prefix / "conda-meta").is_dir():
        for path in _telling(prefix / "lib"):
            found |= set(_libraries(path, "environment", path.relative_to(prefix).as_posix()))
    return _ordered(found)


def system_libraries(machine: str, root: Path = Path("/")) -> tuple[BundledLibrary, ...]:
    """The same libraries where the system has them, which a package that was built from source uses.

    Args:
        machine: The machine's architecture, as 'x86_64'.
        root: The folder that the system lies in.
    """
    found: set[BundledLibrary] = set()
    seen: set[str] = set()
    for folder in _SYSTEM_FOLDERS:
        for path in _telling(root / folder.format(machine=machine).lstrip("/")):
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                found |= set(_libraries(Path(real), "system", f"/{os.path.relpath(real, root)}"))
    return _ordered(found)


def _ordered(found: Iterable[BundledLibrary]) -> tuple[BundledLibrary, ...]:
    return tuple(sorted(found, key=lambda item: (item.carrier.lower(), item.name.lower(), item.version, item.file)))


def _carrier(folder: str) -> str:
    """A folder's package: 'pillow' for PIL and pillow.libs, 'cv2' for all of OpenCV's."""
    name = folder.removesuffix(".libs").lower()
    if name.startswith("opencv_"):
        return "cv2"
    return "pillow" if name == "pil" else name


def _candidates(location: Path) -> Iterator[Path]:
    for pattern in _CARRIERS:
        for folder in sorted(location.glob(pattern)):
            yield from _telling(folder)
    for pattern in _MODULES:
        yield from sorted(location.glob(pattern))


def _telling(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if _is_library(entry.name))
    except OSError:
        return []
    return [folder / name for name in names[:_MOST_FILES]]


def _is_library(name: str) -> bool:
    return bool(_TELLING.fullmatch(name)) and (".so" in name or name.endswith(".dylib"))


def _libraries(path: Path, carrier: str, shown: str) -> list[BundledLibrary]:
    return [
        BundledLibrary(name=name, version=version, carrier=carrier, file=shown)
        for name, version in versions_in(read_only_data(path), _of_file(path.name))
    ]


def _of_file(name: str) -> frozenset[str]:
    """The libraries to look for in the largest files; empty for all."""
    if "openblas" in name:
        return frozenset({"OpenBLAS"})
    return frozenset({"oneDNN", "MKL"}) if name.startswith("libtorch") else frozenset()


def versions_in(data: bytes, only: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    r"""Names and versions of the libraries that leave their mark in some bytes.

    >>> versions_in(b"\0libpng version 1.6.43\0")
    [('libpng', '1.6.43')]
    >>> versions_in(b"\x009d  12-Jan-2020\0")
    [('libjpeg', '9d')]
    """
    found: dict[tuple[str, str], None] = {}
    for mark in _MARKS:
        if only and mark.name not in only:
            continue
        at = data.find(mark.anchor)
        while at >= 0:
            match = mark.pattern.match(data, max(0, at - mark.before))
            if match:
                found[mark.name, match[1].decode("ascii")] = None
                break
            at = data.find(mark.anchor, at + 1)
    if not only and not any(name == "libjpeg-turbo" for name, _ in found) and b"libjpeg-turbo" not in data:
        match = _IJG.search(data)
        if match:
            found["libjpeg", match[1].decode("ascii")] = None
    names = {name for name, _ in found}
    # zlib-ng answers to zlib's version too, and MKL brings a zlib of its own that nobody decodes with.
    return [pair for pair in found if not (pair[0] == "zlib" and names & {"zlib-ng", "MKL", "oneDNN"})]


def read_only_data(path: Path) -> bytes:
    """The read-only data of a shared library: of an ELF file its ``.rodata``, of others everything; bounded.

    A file that cannot be read, or is malformed, is empty.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return b""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return b""
        start, length = _rodata(descriptor) or (0, status.st_size)
        return os.pread(descriptor, min(length, _MOST_BYTES), start)
    except (OSError, struct.error, OverflowError, ValueError):
        return b""
    finally:
        os.close(descriptor)


def _rodata(descriptor: int) -> tuple[int, int] | None:
    """Offset and size of ``.rodata`` in a 64-bit little-endian ELF file."""
    header = os.pread(descriptor, 64, 0)
    if len(header) < 64 or header[:6] != b"\x7fELF\x02\x01":
        return None
    (table,) = struct.unpack_from("<Q", header, 40)
    size, count, names_at = struct.unpack_from("<3H", header, 58)
    if size != 64 or names_at >= count:
        return None
    sections = os.pread(descriptor, size * count, table)
    names_offset, names_size = struct.unpack_from("<2Q", sections, size * names_at + 24)
    names = os.pread(descriptor, min(names_size, 65536), names_offset)
    for at in range(0, size * count, size):
        (name,) = struct.unpack_from("<I", sections, at)
        if names[name : name + 8] == b".rodata\0":
            offset, length = struct.unpack_from("<2Q", sections, at + 24)
            return int(offset), int(length)
    return None

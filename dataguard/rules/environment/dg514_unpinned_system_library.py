"""DG514: a Dockerfile installs a library that touches pixels or arithmetic, in whichever version there is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.environment.declared import DeclaredEnvironment, DeclaredFile, SystemPackage

_TOUCHES = re.compile(
    r"^(?:lib)?(?:jpeg|jpeg-turbo|turbojpeg|png|tiff|webp|openjp2|heif|raw|opencv|vips|imagemagick|graphicsmagick|magick|"
    r"gdal|ffmpeg|avcodec|avformat|swscale|avutil|gstreamer|openblas|blas|lapack|atlas|mkl|intel-mkl|fftw|sndfile|sox|"
    r"cudnn|cublas|cufft|nccl|nvinfer|tensorrt|dnnl|onednn|gomp|omp)(?:[\d.+-]|$|-?dev|core|turbo)"
    r"|^(?:cuda|python3?-(?:opencv|numpy|scipy|pil|skimage|torch)|poppler-utils|ghostscript|tesseract-ocr|rawpy|dcraw|"
    r"exiftool|nvidia-cuda-toolkit)"
)


@rule("DG514", "unpinned-system-library", Severity.WARNING)
def unpinned_system_library(declared: DeclaredEnvironment) -> Iterator[Outcome]:
    r"""A Dockerfile installs a system library that touches pixels or arithmetic without its version.

    ## What it does

    Reads the `apt-get install`, `apk add` and `yum install` lines of every Dockerfile, and looks among their packages
    for codecs (libjpeg, libpng, libtiff, ffmpeg), picture libraries (OpenCV, ImageMagick, GDAL, poppler) and arithmetic
    (OpenBLAS, MKL, FFTW, cuDNN, CUDA, OpenMP).

    ## Why is this bad?

    Python packages may be pinned with hashes and the numbers differ all the same: a decoder of another libjpeg moves
    pixels by a few levels, another ffmpeg takes other frames, another cuDNN takes other kernels.

    ## How it decides

    A package of the list without `=VERSION`. Packages that carry neither pixels nor numbers (git, curl, libgl1,
    libglib2.0-0, libsm6) are left out, and so is everything where the Dockerfile installs from an archive of one day
    (`snapshot.debian.org`, `snapshot.ubuntu.com`). A base image by digest does not help: `apt-get update` fetches
    today's list. No statistics and no threshold.

    ## Example

    >>> from dataguard.environment.files.dockerfile import parse_dockerfile
    >>> text = "FROM debian:12\nRUN apt-get install -y git ffmpeg libopenblas0=0.3.21*\n"
    >>> file = parse_dockerfile(text, "Dockerfile")
    >>> finding = unpinned_system_library(DeclaredEnvironment(root="/project", files=(file,)))[0]
    >>> print(finding.message)
    Dockerfile installs 1 library that touches pixels or arithmetic in whichever version there is: ffmpeg.

    ## How to fix

    Write `ffmpeg=7:5.1.6-0+deb12u1`, as `apt-cache policy ffmpeg` tells it; distributions delete old versions, so build
    from a snapshot: `https://snapshot.debian.org/archive/debian/20240601T000000Z`. Or take the library from a pinned
    wheel: opencv-python-headless, av and Pillow bring their own.

    ## References

    - [hadolint DL3008](https://github.com/hadolint/hadolint/wiki/DL3008): pin versions in apt-get install.
    - [Debian snapshots](https://snapshot.debian.org/).
    """
    files = [file for file in declared.files if file.kind == "Dockerfile"]
    if not files:
        yield Skipped(reason="the project has no Dockerfile")
        return
    n = 0
    for file in files:
        touching = [package for package in file.system_packages if _TOUCHES.match(package.name)]
        n += len(touching)
        unpinned = [package for package in touching if not package.version and not package.snapshot]
        if unpinned:
            yield _finding(declared, file, unpinned)
    yield Observation(message=f"{n} system packages that touch pixels or arithmetic in {len(files)} Dockerfiles.")


def _finding(declared: DeclaredEnvironment, file: DeclaredFile, unpinned: list[SystemPackage]) -> Outcome:
    names = list(dict.fromkeys(package.name for package in unpinned))
    noun = "library that touches" if len(names) == 1 else "libraries that touch"
    return unpinned_system_library.finding(
        f"{declared.shown(file.path)} installs {len(names)} {noun} pixels or arithmetic in whichever version there is: "
        f"{', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}.",
        remedy="Write NAME=VERSION (`apt-cache policy NAME` tells it), or install from snapshot.debian.org of one day.",
        confidence=Confidence.HIGH,
        measurements=(Measurement(name="unpinned system libraries", value=len(names), threshold=0),),
        locations=tuple(
            Location(
                path=declared.shown(package.path), line=package.line, note=f"{package.written} → {package.name}=VERSION"
            )
            for package in unpinned
        ),
        key=(file.path,),
    )
